"""Pushes to simulated Gluon nodes: what gluon-reconfigure makes of a change, and how a node goes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.push.net import TIMES, Net, network
from tests.push.test_rollback import plan, roll_back
from wifimgr.cli import plans
from wifimgr.model import Outcome, Result
from wifimgr.platforms import gluon
from wifimgr.push import script
from wifimgr.push.leave import Leaver

GLUON, NETWORK, DROPBEAR = "etc/config/gluon", "etc/config/network", "etc/config/dropbear"
PATIENT = {**TIMES, "confirm_within": "20s", "settle": {"connectivity": "1s", "other": "1s"}}
HURRY = {**TIMES, "confirm_within": "8s", "settle": {"connectivity": "1s", "other": "1s"}}
"""For a node that misbehaves."""
BACK = "the old files are back, byte for byte, and it reboots"

MESH = """\
name: Mesh
about: Nodes mesh over their ports.
where: platform=gluon
uci:
  gluon:
    - section: {type: interface, name: iface_lan}
      set: {role: [client, mesh]}
"""
CONTACT = """\
name: Contact
about: Whom to ask.
where: platform=gluon
uci:
  gluon-node-info:
    - {section: {type: owner}, set: {contact: "Amt für Jugend"}}
"""
COUNTRY = """\
name: Country
about: What Gluon takes from its site.
where: platform=gluon
uci:
  wireless:
    - {section: {type: wifi-device, name: radio0}, set: {country: US}}
"""
PLAYBOOKS = {"mesh": MESH, "contact": CONTACT, "country": COUNTRY}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gluon, "TAKES", 6.0)
    monkeypatch.setattr(gluon, "SETTLES", 0.0)


@contextmanager
def node(folder: Path, times: dict[str, Any] = PATIENT) -> Iterator[Net]:
    """A network of one Gluon node, as an upgrade leaves it."""
    with network(folder, {"node": {"platform": "gluon"}}, times) as net:
        for name, text in PLAYBOOKS.items():
            (net.folder / f"playbooks/{name}.yaml").write_text(text, encoding="utf-8")
        router = net.router("node")
        router.run(["gluon-reconfigure"])
        router.run(["reload_config", "boot"])
        if times is PATIENT:
            router.obey_reboots()
        yield net


def push(net: Net, of: str = "mesh") -> Outcome:
    return net.push([net.change("node", of)], of)["node"]


def tell(net: Net, name: str, text: str = "") -> None:
    """Makes its gluon-reconfigure behave in some way."""
    (net.router("node").root / "lab" / name).write_text(text, encoding="utf-8")


def wait_for_reboot(net: Net) -> None:
    router = net.router("node")
    end = time.monotonic() + 10
    while not router.flash_at_boot and time.monotonic() < end:
        time.sleep(0.05)
    assert router.flash_at_boot


def test_change_is_taken_up_by_gluon_and_stays(tmp_path: Path) -> None:
    with node(tmp_path) as net:
        change = net.change("node", "mesh")
        assert {path.path for path in change.paths} == {GLUON}
        assert change.after == ("gluon reconfigure",)
        assert (change.takes, change.interrupts) == (gluon.TAKES, {"wifi": 60})
        assert {path.path for path in change.kept} == {
            *(f"etc/config/{path.name}" for path in (net.router("node").root / "etc/config").iterdir()),
            gluon.KEYS,
        } - {GLUON}
        outcome = push(net)
        assert outcome == Outcome(
            "node",
            Result.DONE,
            "taking it up has rewritten /etc/config/network, too",
            "see what it made of them with -v",
        )
        assert b"mesh_other" in net.router("node").read(NETWORK)
        assert ("node", "+config interface 'mesh_other'") in net.said
        assert [entry.detail for entry in net.store.entries()] == [outcome.why]
        assert net.plan(of="mesh").already_right == ("node",)
        assert not net.router("node").flash_at_boot


def test_radio_that_listens_for_radar_after_the_network_restarts_is_waited_for(tmp_path: Path) -> None:
    with node(tmp_path) as net:
        wireless = net.router("node").root / "etc/config/wireless"
        wireless.write_text(wireless.read_text().replace("channel '36'", "channel '100'"))
        assert net.change("node", "mesh").radar >= 60
        assert net.change("node", "contact").radar == 0


def test_what_gluon_makes_nothing_from_is_changed_without_it(tmp_path: Path) -> None:
    with node(tmp_path) as net:
        assert push(net, "contact") == Outcome("node", Result.DONE)
        assert not (net.router("node").root / "var/run/gluon-reloads").exists()


def test_wish_that_the_next_upgrade_would_drop_is_refused_in_the_plan(tmp_path: Path) -> None:
    with node(tmp_path) as net:
        [outcome] = net.plan(of="country").outcomes
        assert (outcome.result, outcome.error_id) == (Result.REFUSED, "gluon-drops")
        assert "preserve_channels" in outcome.hint


@pytest.mark.scenario(32)
def test_node_in_the_middle_of_a_reconfigure_is_refused(tmp_path: Path) -> None:
    with node(tmp_path) as net:
        change = net.change("node", "mesh")
        (net.router("node").root / "etc/config/network_gluon-old").write_text("config interface 'lan'\n")
        before = net.router("node").flash()
        outcome = net.push([change], "mesh")["node"]
        assert (outcome.result, outcome.error_id) == (Result.REFUSED, "router-refused")
        assert "Gluon is rewriting its configuration" in outcome.why
        assert net.router("node").flash() == before


@pytest.mark.scenario(47)
@pytest.mark.parametrize("what", ["reconfigure-dropbear", "reconfigure-keys"])
def test_gluon_that_rewrites_our_way_in_is_seen_and_undone(tmp_path: Path, what: str) -> None:
    with node(tmp_path) as net:
        before = net.router("node").flash()
        tell(net, what, "ssh-ed25519 AAAA fremd\n")
        outcome = push(net)
        path = {"reconfigure-dropbear": "config/dropbear", "reconfigure-keys": "dropbear/authorized_keys"}[what]
        why = f"Gluon has rewritten /etc/{path}, which is our way in"
        assert outcome == Outcome("node", Result.ROLLED_BACK, why, BACK, "rolled-back")
        wait_for_reboot(net)
        after = net.router("node").flash()
        assert {name: raw for name, raw in after.items() if name != gluon.KEYS} == before
        assert net.router("node").flash_at_boot == after


def test_wish_that_gluon_does_not_keep_is_undone(tmp_path: Path) -> None:
    with node(tmp_path) as net:
        before = net.router("node").flash()
        tools = net.lab.folder / "tools"
        (tools / "gluon-reconfigure").write_text(f'#!/bin/sh\ncp "$WIFIMGR_ROOT/lab/old" "$WIFIMGR_ROOT/{GLUON}"\n')
        tell(net, "old", before[GLUON].decode())
        outcome = push(net)
        assert outcome.why == "Gluon does not keep what was wished: gluon.iface_lan.role"
        assert outcome.result is Result.ROLLED_BACK
        wait_for_reboot(net)
        assert net.router("node").flash() == before


def test_reconfigure_that_fails_is_undone_at_once(tmp_path: Path) -> None:
    with node(tmp_path) as net:
        before = net.router("node").flash()
        tell(net, "reconfigure-fails")
        outcome = push(net)
        assert (outcome.result, outcome.why) == (Result.ROLLED_BACK, "gluon-reconfigure or gluon-reload failed on it")
        wait_for_reboot(net)
        assert net.router("node").flash() == before


def test_node_that_locks_us_out_comes_back_with_a_reboot(tmp_path: Path) -> None:
    with node(tmp_path, HURRY) as net:
        before = net.router("node").flash()
        net.router("node").misbehave("stuck")  # the old files alone do not help
        outcome = push(net)
        assert (outcome.result, outcome.hint) == (Result.ROLLED_BACK, BACK)
        assert net.router("node").flash() == net.router("node").flash_at_boot == before


def test_power_cut_in_the_middle_of_a_reconfigure_brings_the_old_files_back(tmp_path: Path) -> None:
    with node(tmp_path) as net:
        router = net.router("node")
        before = router.flash()
        tell(net, "reconfigure-takes", "60")

        def cut() -> None:
            while not (router.root / "etc/config/network_gluon-old").exists():
                time.sleep(0.02)
            router.power_cut()
            router.boot()

        threading.Thread(target=cut, daemon=True).start()
        assert push(net).result is Result.ROLLED_BACK
        assert router.flash() == router.flash_at_boot == before


def test_interrupt_in_the_middle_of_a_reconfigure_ends_it(tmp_path: Path) -> None:
    with node(tmp_path) as net:
        router, stop = net.router("node"), threading.Event()
        before, change = router.flash(), net.change("node", "mesh")
        tell(net, "reconfigure-takes", "60")

        def interrupt() -> None:
            while not (router.root / "etc/config/network_gluon-old").exists():
                time.sleep(0.02)
            stop.set()

        threading.Thread(target=interrupt, daemon=True).start()
        outcome = net.pusher("mesh", stop).push(change)
        assert (outcome.result, outcome.why) == (Result.ROLLED_BACK, "interrupted")
        wait_for_reboot(net)
        assert router.flash() == before


UNCARRIED = {
    "packages: {present: [snmpd]}": "drops packages",
    "command: [{about: x, unless: 'false', run: 'true'}]": "what of a command's effects",
    "services: {enabled: [snmpd]}": "forgets which services start",
}


@pytest.mark.parametrize("wish", UNCARRIED)
def test_wish_that_a_node_cannot_carry_is_refused_with_the_reason(tmp_path: Path, wish: str) -> None:
    with node(tmp_path) as net:
        text = f"name: X\nabout: x\nwhere: platform=gluon\n{wish}\n"
        (net.folder / "playbooks/x.yaml").write_text(text, encoding="utf-8")
        [outcome] = net.plan(of="x").outcomes
        assert (outcome.result, outcome.error_id) == (Result.REFUSED, "wrong-platform")
        assert UNCARRIED[wish] in outcome.why


def test_rollback_brings_all_settings_back_and_makes_nothing_anew(tmp_path: Path) -> None:
    with node(tmp_path) as net:
        before = net.router("node").flash()
        push(net)
        tell(net, "reconfigure-fails")
        (net.router("node").root / "etc/config/neu").write_text("config neu\n")
        made = plan(net)
        [change] = made.to_do
        assert {path.path for path in change.paths} == {GLUON, NETWORK}
        assert change.after == ("gluon reload",)
        assert roll_back(net, made.to_do) == Outcome("node", Result.DONE)
        assert net.router("node").flash() == {**before, "etc/config/neu": b"config neu\n"}


def test_files_that_only_the_snapshot_holds_are_not_sent(tmp_path: Path) -> None:
    with node(tmp_path) as net:
        change = net.change("node", "mesh")
        call = script.push("t1", change.paths, within=9, settle=0, gap=0, forget=False, kept=change.kept)
        names = call.text.split("HAVE=")[1].split("\n")[0]
        assert DROPBEAR in names
        assert f"new {GLUON} " in call.text
        assert f"new {DROPBEAR} " not in call.text


def test_forget_leaves_nothing_of_ours_and_the_settings_alone(tmp_path: Path) -> None:
    with node(tmp_path) as net:
        push(net)
        after = net.router("node").flash()
        leaver = Leaver(net.inventory, net.known_hosts, net.store, "", lambda name, text: None)
        assert leaver.leave(net.inventory.routers["node"]) == Outcome("node", Result.DONE)
        assert net.router("node").flash() == after
        assert not (net.router("node").root / "etc/wifimgr").exists()


def test_plan_says_what_gluon_cannot_promise(tmp_path: Path) -> None:
    with node(tmp_path) as net:
        lines = plans.warnings(net.plan(of="mesh"), net.inventory)
        assert gluon.CAUTION in "\n".join(lines)
        assert "60 s" in "\n".join(lines)
        assert f"within {20 + gluon.TAKES:g} s" in "\n".join(lines)


def test_name_that_no_push_handles_is_not_read(tmp_path: Path) -> None:
    with node(tmp_path) as net:
        (net.router("node").root / "etc/config/$(id)").write_text("x")
        assert "$(id)" not in str(net.change("node", "mesh").kept)


@pytest.mark.parametrize("path", ["etc/config/$(id)", "etc/config/../shadow", "etc/shadow"])
def test_file_that_nobody_asked_for_is_no_answer(tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with node(tmp_path) as net:
        read = script.read_show

        def more(answer: script.Answer) -> script.Shown:
            shown = read(answer)
            return replace(shown, files={**shown.files, path: b"x"})

        monkeypatch.setattr(script, "read_show", more)
        [outcome] = net.plan(of="mesh").outcomes
        assert outcome.error_id == "bad-answer"
