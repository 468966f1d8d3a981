"""Many routers and several wifimgr at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real.conftest import PATIENT, TOP, Connect, Network, Start
from wifimgr.uci import Document

pytestmark = pytest.mark.real

ROUTERS = 10
CONTROLLERS = ("one", "two", "three")
PACKAGES = ("dhcp", "firewall", "network", "system", "wireless")


def start_wifimgr(net: Network, *arguments: str) -> subprocess.Popen[str]:
    """The real program, started on this network."""
    program = "from wifimgr.cli import main; main()"
    command = [sys.executable, "-c", program, "--network", str(net.folder), *arguments]
    env = {**os.environ, "PYTHONPATH": str(TOP)}
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def results(output: str) -> dict[str, str]:
    """Router to how it ended."""
    rows = [line.split("\t") for line in output.splitlines()]
    return {row[0]: row[1] for row in rows if len(row) > 1 and row[0].startswith("router-")}


@pytest.mark.scenario(12)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("machines", [1, 3], ids=["one-machine", "three-machines"])
def test_of_three_that_push_to_the_same_routers_one_wins_each(start: Start, network: Connect, machines: int) -> None:
    routers = [start() for _ in range(ROUTERS)]
    nets, plans = [], []
    for number, name in enumerate(CONTROLLERS):
        net = network(*routers, times=PATIENT, folder=name) if number < machines else nets[0]
        section = {"type": "winner", "name": "winner"}
        net.write_playbook(name, uci={each: [{"section": section, "set": {"is": name}}] for each in PACKAGES})
        plan = net.folder / f"{name}.plan"
        made = start_wifimgr(net, "plan", name, "--out", str(plan))
        _, errors = made.communicate(timeout=100)
        assert made.returncode == 0, errors
        nets.append(net)
        plans.append(plan)
    options = ("--yes", "--canary", "0", "--at-once", str(ROUTERS))
    running = [start_wifimgr(net, "apply", str(plan), *options) for net, plan in zip(nets, plans, strict=True)]
    said = [process.communicate(timeout=200) for process in running]
    ends = [results(output) for output, _ in said]
    for router in routers:
        mine = [end[router.name] for end in ends]
        assert sorted(mine) == ["done", "refused", "refused"], said
        winner = CONTROLLERS[mine.index("done")]
        found = {package: value_in(router.tree / "etc/config" / package) for package in PACKAGES}
        assert found == dict.fromkeys(PACKAGES, winner)
        assert router.marks() == ["confirmed"]


def value_in(path: Path) -> object:
    """Who has won in this file."""
    section = Document.parse(path.read_text(encoding="utf-8")).section("winner")
    return section and section.options["is"]
