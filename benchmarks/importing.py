"""How long 2,000 nodes of a meshviewer.json take into an empty network: import, write, check. Peer: PyYAML alone.

Ours are two whole programs, ``wifimgr import`` and ``wifimgr check``. The peer is one that reads the same map and
writes the same content into the same number of files with ``yaml.safe_dump``: it gets names, places and values
ready-made, reads nothing back, checks nothing, and does not wait until the disk has it.
Prints one JSON line: seconds (median of three), the peer's seconds, their ratio, and the goal of 10 seconds.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

NODES = 2000
GOAL_SECONDS = 10.0
RUNS = 3
PROGRAM = [sys.executable, "-c", "from wifimgr.cli import main; main()"]

NETWORK = """\
name: Freies WLAN
operators: {city: {name: Stadt, manage: push}}
defaults: {operator: city, platform: openwrt, role: access-point}
"""

PEER = """\
import json, sys
from pathlib import Path
import yaml
target = Path(sys.argv[3])
json.loads(Path(sys.argv[1]).read_text())
for name, data in json.loads(Path(sys.argv[2]).read_text()).items():
    (target / name).write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
"""


def node(number: int) -> dict[str, object]:
    """One node as yanic writes it: three in a house, every tenth without a position, all with a link-local address."""
    house, mac = number // 3, f"c4e984{number:06x}"
    return {
        "firstseen": "2024-03-02T10:11:12+0100",
        "lastseen": "2026-08-01T03:59:58+0000",
        "is_online": True,
        "is_gateway": number % 500 == 0,
        "clients": 3,
        "memory_usage": 0.45,
        "uptime": "2026-07-20T21:03:44+0000",
        "node_id": mac,
        "mac": ":".join(mac[at : at + 2] for at in range(0, 12, 2)),
        "addresses": [f"fe80::{number + 1:x}", f"2001:db8:ff::{number + 1:x}", f"fd00:ff::{number + 1:x}"],
        "hostname": f"Freifunk Haus {house} AP{number % 3}",
        "owner": "office@example.org",
        "location": {"latitude": 51.3 + house * 0.0011, "longitude": 6.76} if number % 10 else None,
        "firmware": {"base": "gluon-v2023.2.5", "release": "2.5.1"},
        "model": "TP-Link Archer C7 v2",
    }


def seconds(*commands: Sequence[str], folder: Path) -> float:
    """Programs, one after the other."""
    began = time.monotonic()
    for command in commands:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.monotonic() - began


def import_seconds(folder: Path, nodes: Path) -> float:
    """One import into an empty network, and its check."""
    (folder / "inventory").mkdir(parents=True)
    (folder / "inventory/network.yaml").write_text(NETWORK, encoding="utf-8")
    taken = [*PROGRAM, "import", "meshviewer", str(nodes), "--yes", "--keep-contacts"]
    return seconds(taken, [*PROGRAM, "check"], folder=folder)


def content(folder: Path) -> dict[str, object]:
    """What an import wrote, by file."""
    files = sorted((folder / "inventory/sites").glob("*.yaml"))
    return {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in files}


def main() -> None:
    """Measures both, one after the other, and prints the result."""
    times: dict[str, list[float]] = {"import": [], "peer": []}
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        nodes, written = top / "meshviewer.json", top / "content.json"
        nodes.write_text(json.dumps({"nodes": [node(number) for number in range(NODES)]}), encoding="utf-8")
        for number in range(RUNS):
            times["import"].append(import_seconds(top / f"net{number}", nodes))
            written.write_text(json.dumps(content(top / f"net{number}")), encoding="utf-8")
            (top / f"peer{number}").mkdir()
            peer = [sys.executable, "-c", PEER, str(nodes), str(written), str(top / f"peer{number}")]
            times["peer"].append(seconds(peer, folder=top))
    value, peer_value = (statistics.median(times[name]) for name in ("import", "peer"))
    result = {
        "name": f"import of {NODES} nodes, written and checked",
        "value": round(value, 2),
        "unit": "s",
        "peer": f"json.loads and yaml.safe_dump of the same content: {peer_value:.2f} s",
        "ratio": round(value / peer_value, 2),
        "goal": GOAL_SECONDS,
        "met": value <= GOAL_SECONDS,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
