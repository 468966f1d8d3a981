"""``serve``: which parts run, where its doors are, how it ends, and that broken files and ports are told."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

import wifimgr
from tests.doors import PATIENCE, Answer, ask
from tests.networks import write
from wifimgr import cli
from wifimgr.settings import make_state_dir
from wifimgr.store import Beat, Store

TOP = Path(wifimgr.__file__).parent.parent
SITE = """\
name: Haus
kind: youth-center
public: true
routers:
  haus-gw: {addresses: [127.0.0.1], role: gateway, sources: [snmp], ports: {snmp: 9}}
"""
"""Its router needs a secret that is not there."""
FREE = ("--pages", "127.0.0.1:0", "--ops", "127.0.0.1:0")
Out = pytest.CaptureFixture[str]


class Served:
    """A ``serve`` that runs as a process of its own."""

    def __init__(self, folder: Path, *args: str) -> None:
        self.log = folder / f"stderr{len(list(folder.glob('stderr*')))}"
        code = "from wifimgr.cli import main; main()"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", "-c", code, "--network", str(folder), "serve", *args],
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TOP)},
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def told(self) -> str:
        """What it said on stderr until now."""
        return self.log.read_text(encoding="utf-8")

    def wait(self, look: Callable[[], bool]) -> None:
        """Waits until something is so; fails with what it said when it ends before."""
        end = time.monotonic() + PATIENCE
        while not look():
            assert self.process.poll() is None, self.told()
            assert time.monotonic() < end, self.told()
            time.sleep(0.05)

    def url(self, door: str) -> str:
        """Where a door is."""
        pattern = re.compile(rf"(?m)^{door}: (http://\S+)/$")
        self.wait(lambda: bool(pattern.search(self.told())))
        found = pattern.search(self.told())
        assert found
        return found[1]

    def ask(self, door: str, path: str) -> Answer:
        return ask(self.url(door) + path)

    def end(self, number: signal.Signals) -> int:
        """Sends a signal; returns the exit code. It said nothing on stdout."""
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=PATIENCE)
        assert out == b""
        return self.process.returncode


@contextmanager
def serving(folder: Path, *args: str) -> Iterator[Served]:
    served = Served(folder, *args)
    try:
        yield served
    finally:
        served.process.kill()
        served.process.communicate(timeout=PATIENCE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path, haus=SITE)


def beat(folder: Path) -> None:
    """A sign of life, as a worker gives it."""
    store = Store(make_state_dir(folder))
    store.beat(Beat(datetime.now(UTC), 0.0))
    store.close()


# ---------------------------------------------------------------- the parts


def test_all_parts_run_and_a_service_manager_ends_them_well(folder: Path) -> None:
    """Also without any secret: the routers that need one are not known, everything else goes on."""
    with serving(folder, *FREE) as served:
        assert served.ask("pages", "/s/haus").status == 200
        assert served.ask("pages", "/metrics").status == 404
        served.wait(lambda: served.ask("ops", "/healthz").status == 200)
        polled = 'wifimgr_router_poll_failures_total{reason="setup",router="haus-gw",site="haus",source="snmp"} 1.0'
        served.wait(lambda: polled in served.ask("ops", "/metrics").text)
        assert served.end(signal.SIGTERM) == 0
        told = [line for line in served.told().splitlines() if not re.match("(pages|ops): http://", line)]
        assert told == ["worker: routers to watch: 1"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 130)])
def test_an_interrupt_ends_with_130(folder: Path, number: signal.Signals, code: int) -> None:
    with serving(folder, *FREE, "--only", "pages") as served:
        assert served.ask("pages", "/").status == 200
        assert served.end(number) == code
        with pytest.raises(ConnectionRefusedError):
            served.ask("pages", "/")


def test_one_part_alone_opens_only_its_door(folder: Path) -> None:
    with serving(folder, *FREE, "--only", "pages") as served:
        assert served.ask("pages", "/s/haus.json").status == 200
        assert "ops:" not in served.told()
        assert served.end(signal.SIGTERM) == 0


def test_parts_in_several_processes_meet_in_the_store(folder: Path) -> None:
    with serving(folder, *FREE, "--only", "ops", "--only", "pages") as doors:
        assert doors.ask("ops", "/healthz").status == 503
        with serving(folder, "--only", "worker") as worker:
            doors.wait(lambda: doors.ask("ops", "/healthz").status == 200)
            assert worker.end(signal.SIGTERM) == 0
        assert "http" not in worker.told()
        assert 'wifimgr_router_polls_total{router="haus-gw"' in doors.ask("ops", "/metrics").text


def test_pages_import_nothing_that_reaches_routers(folder: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path; from wifimgr.cli.serve import Part, Serving\n"
        "stop = asyncio.Event(); stop.set()\n"
        f"with Serving(Path({str(folder)!r}), [Part.PAGES], {{Part.PAGES: '127.0.0.1:0'}}, print) as serving:\n"
        "    asyncio.run(serving.run(stop))\n"
        "print(sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=TOP, capture_output=True, text=True, check=True)
    heavy = ("paramiko", "pysnmp", "icmplib", "wifimgr.ssh", "wifimgr.sources", "wifimgr.push", "wifimgr.worker")
    assert "'starlette'" in done.stdout
    assert [module for module in heavy if f"'{module}'" in done.stdout] == []


def test_a_warning_is_said_when_other_machines_reach_the_ops_door(folder: Path) -> None:
    with serving(folder, "--only", "ops", "--ops", "0.0.0.0:0") as served:
        served.wait(lambda: "warning: other machines can reach the ops door" in served.told())
    with serving(folder, "--only", "ops", "--only", "pages", "--pages", "0.0.0.0:0", "--ops", "[::1]:0") as served:
        served.url("ops")
        assert served.end(signal.SIGTERM) == 0
        assert "warning" not in served.told()


# ---------------------------------------------------------------- what is wrong before it starts


def test_a_port_in_use_ends_it_before_anything_starts(folder: Path, capsys: Out) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        assert cli.run(["--network", str(folder), "serve", "--pages", "127.0.0.1:0", "--ops", address]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(rf"error: {address}: another program listens there already; .*\[port-in-use\]\n", err)
    assert not (folder / ".wifimgr").exists()


def test_a_broken_inventory_ends_it_with_all_lines(folder: Path, capsys: Out) -> None:
    write(folder, haus=SITE.replace("kind: youth-center", "kind: pub\nknid: x"))
    assert cli.run(["--network", str(folder), "serve", *FREE]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("error: inventory/sites/haus.yaml:") for line in lines)


def test_a_part_that_does_not_exist_is_refused(folder: Path) -> None:
    assert cli.run(["--network", str(folder), "serve", "--only", "nothing"]) == 2


# ---------------------------------------------------------------- while it runs


@pytest.mark.parametrize("parts", [["worker", "ops"], ["ops"]])
def test_files_that_break_while_it_runs_are_told_once_and_the_last_good_ones_used(
    folder: Path, parts: list[str]
) -> None:
    site = folder / "inventory/sites/haus.yaml"
    beat(folder)
    with serving(folder, *FREE, *(word for part in parts for word in ("--only", part))) as served:
        served.wait(lambda: served.ask("ops", "/healthz").status == 200)
        site.write_text(SITE.replace("kind:", "knid:"), encoding="utf-8")
        served.wait(lambda: served.ask("ops", "/healthz").status == 503)
        reasons = json.loads(served.ask("ops", "/healthz").text)["reasons"]
        assert any("knid" in reason for reason in reasons)
        served.wait(lambda: "knid" in served.told())
        text = served.ask("ops", "/metrics").text
        assert "\nwifimgr_inventory_valid 0.0\n" in text
        assert 'router="haus-gw"' in text
        site.write_text(SITE.replace("haus-gw", "haus-new"), encoding="utf-8")
        served.wait(lambda: 'router="haus-new"' in served.ask("ops", "/metrics").text)
        served.wait(lambda: "the inventory is right again" in served.told())
        assert 'router="haus-gw"' not in served.ask("ops", "/metrics").text
        assert served.end(signal.SIGTERM) == 0
        assert served.told().count("knid") == 1
        assert served.told().count("right again") == 1
