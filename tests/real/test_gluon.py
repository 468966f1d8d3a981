"""Gluon nodes on real daemons: only gluon-reconfigure and gluon-reload are stand-ins."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import wifimgr.lab
from tests.real.conftest import Connect, Network, Start
from tests.real.routers import Router, Shell, wait_for
from wifimgr.model import Result
from wifimgr.platforms import gluon

pytestmark = pytest.mark.real

GLUON = Path(wifimgr.lab.__file__).parent / "gluon"
LAN = {"section": {"type": "interface", "name": "iface_lan"}, "set": {"role": ["client", "mesh"]}}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gluon, "TAKES", 10.0)
    monkeypatch.setattr(gluon, "SETTLES", 0.0)


@pytest.fixture
def node(start: Start, shell: Shell) -> Router:
    """A Gluon node, as an upgrade leaves it."""
    router = start(shell)
    shutil.copytree(GLUON, router.tree, dirs_exist_ok=True)
    router.run("chmod 600 /etc/config/*; gluon-reconfigure && reload_config boot")
    return router


def gluon_network(network: Connect, node: Router) -> Network:
    """A network of this node, with a playbook ``mesh``."""
    net = network(node)
    path = net.folder / "inventory/network.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("platform: openwrt", "platform: gluon"), encoding="utf-8")
    net.write_playbook("mesh", where="platform=gluon", uci={"gluon": [LAN]})
    return net


def is_back(node: Router, before: dict[str, tuple[bytes, int, int, int]], cuts: int) -> bool:
    """Whether it holds its old files after so many reboots."""
    wait_for(lambda: node.cuts == cuts and node.marks() == ["rolledback"])
    return node.flash() == before


def test_change_is_taken_up_by_gluon_and_stays(node: Router, network: Connect) -> None:
    net = gluon_network(network, node)
    outcome = net.push("mesh", net.change("mesh", node))
    assert (outcome.result, outcome.why) == (Result.DONE, "taking it up has rewritten /etc/config/network, too")
    assert b"mesh_other" in node.read("etc/config/network")
    assert not net.change("mesh", node).anything
    assert node.cuts == 0


@pytest.mark.scenario(32)
def test_node_in_reconfigure_is_refused(node: Router, network: Connect) -> None:
    net = gluon_network(network, node)
    change = net.change("mesh", node)
    node.run("echo 3 >/lab/reconfigure-takes; gluon-reconfigure >/dev/null 2>&1 &")
    wait_for(lambda: (node.tree / "etc/config/network_gluon-old").exists())
    outcome = net.push("mesh", change)
    assert (outcome.result, outcome.error_id) == (Result.REFUSED, "router-refused"), outcome
    assert "Gluon is rewriting its configuration" in outcome.why
    wait_for(lambda: not (node.tree / "etc/config/network_gluon-old").exists())
    assert node.own() == []


@pytest.mark.scenario(47)
@pytest.mark.parametrize(
    ("what", "keys"),
    [
        ("reconfigure-dropbear", "echo ssh-ed25519 AAAA a >"),
        ("reconfigure-keys", "echo a >"),
        ("reconfigure-keys", "rm -f "),
    ],
)
def test_gluon_that_rewrites_our_way_in_is_seen_and_undone(
    node: Router, network: Connect, what: str, keys: str
) -> None:
    net = gluon_network(network, node)
    node.run(f"mkdir -p /etc/dropbear; {keys}/etc/dropbear/authorized_keys; echo b >/lab/{what}")
    before = node.flash()
    node.obey_reboots()
    outcome = net.push("mesh", net.change("mesh", node))
    assert outcome.result is Result.ROLLED_BACK, outcome
    assert outcome.why.endswith("which is our way in")
    assert is_back(node, before, 1)


def test_power_may_go_in_the_middle_of_a_reconfigure(node: Router, network: Connect) -> None:
    net = gluon_network(network, node)
    before, change = node.flash(), net.change("mesh", node)
    node.run("echo 20 >/lab/reconfigure-takes")
    node.obey_reboots()
    node.run("(until [ -e /etc/config/network_gluon-old ]; do sleep 1; done; /sbin/reboot) >/dev/null 2>&1 &")
    outcome = net.push("mesh", change)
    assert outcome.result is Result.ROLLED_BACK, outcome
    assert is_back(node, before, 1)


def test_interrupt_ends_a_reconfigure_and_all_that_it_started(node: Router, network: Connect) -> None:
    net = gluon_network(network, node)
    before, change = node.flash(), net.change("mesh", node)
    node.run(
        "echo 20 >/lab/reconfigure-takes; rm /sbin/reboot; printf '#!/bin/sh\\n' >/sbin/reboot; chmod +x /sbin/reboot"
    )
    net.stop.clear()

    class Stop:
        """Set once the node is in the middle of it."""

        def is_set(self) -> bool:
            return (node.tree / "etc/config/network_gluon-old").exists() or node.marks() == ["rolledback"]

        def wait(self, seconds: float) -> bool:
            return self.is_set()

    net.stop = Stop()  # type: ignore[assignment]
    outcome = net.push("mesh", change)
    assert (outcome.result, outcome.why) == (Result.ROLLED_BACK, "interrupted"), outcome
    wait_for(lambda: not [line for line in node.processes().values() if "gluon-reconfigure" in " ".join(line)])
    assert node.flash().keys() - {"sbin/reboot"} == before.keys() - {"sbin/reboot"}
    assert all(node.flash()[path] == raw for path, raw in before.items() if path != "sbin/reboot")
