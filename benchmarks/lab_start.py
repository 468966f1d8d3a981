"""How long 50 simulated routers take until each one shows its SSH banner. Peer: 50 bare dropbear processes.

The peer has no directory tree, no stand-ins and no boot scripts; it is what a lab of real SSH servers costs at least.
Prints one JSON line: seconds (median of three), the peer's seconds, their ratio, and the goal of 10 seconds.
"""

from __future__ import annotations

import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from wifimgr.lab import Lab
from wifimgr.model import Manage, Router

ROUTERS = 50
GOAL_SECONDS = 10.0
RUNS = 3


def routers() -> list[Router]:
    """As many plain routers as the goal names."""
    return [
        Router(
            name=f"ap-{number}",
            site="haus",
            addresses=(f"192.0.2.{number}",),
            platform="openwrt",
            role="access-point",
            operator="city",
            manage=Manage.PUSH,
        )
        for number in range(1, ROUTERS + 1)
    ]


def wait_for_banners(ports: list[int]) -> None:
    """Comes back when every port says SSH."""
    for port in ports:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as sock:
                    if sock.recv(4) == b"SSH-":
                        break
            except OSError:
                time.sleep(0.01)


def lab_seconds(folder: Path) -> float:
    """One start of the lab."""
    began = time.monotonic()
    with Lab(folder, routers()) as lab:
        wait_for_banners([router.port for router in lab.routers.values()])
        return time.monotonic() - began


def dropbear_seconds(folder: Path) -> float:
    """One start of as many dropbears, each with a host key of its own."""
    folder.mkdir()
    ports = free_ports()
    began = time.monotonic()
    with ExitStack() as stack:
        for port in ports:
            key = str(folder / f"{port}.key")
            subprocess.run(["dropbearkey", "-t", "ed25519", "-f", key], check=True, capture_output=True)
            server = subprocess.Popen(
                ["dropbear", "-F", "-s", "-r", key, "-p", f"127.0.0.1:{port}", "-P", f"{key}.pid"]
            )
            stack.callback(server.wait)
            stack.callback(server.kill)
        wait_for_banners(ports)
        return time.monotonic() - began


def free_ports() -> list[int]:
    """Ports that were free a moment ago."""
    with ExitStack() as stack:
        socks = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(ROUTERS)]
        return [sock.getsockname()[1] for sock in socks]


def main() -> None:
    """Measures both, one after the other, and prints the result."""
    if not shutil.which("dropbear"):
        sys.exit("dropbear is missing, and it is the peer: install dropbear-bin")
    times: dict[str, list[float]] = {"lab": [], "dropbear": []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(RUNS):
            times["lab"].append(lab_seconds(Path(folder) / f"lab{number}"))
            times["dropbear"].append(dropbear_seconds(Path(folder) / f"dropbear{number}"))
    value, peer = (statistics.median(times[name]) for name in ("lab", "dropbear"))
    result = {
        "name": f"start of {ROUTERS} simulated routers",
        "value": round(value, 2),
        "unit": "s",
        "peer": f"{ROUTERS} x dropbear: {peer:.2f} s",
        "ratio": round(value / peer, 2),
        "goal": GOAL_SECONDS,
        "met": value <= GOAL_SECONDS,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
