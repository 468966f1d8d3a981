"""The push of one change, against simulated routers: what each router comes to, and what it holds afterwards."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.push.net import TIMES, Net, network
from wifimgr.errors import RouterError, StoreError
from wifimgr.lab import make_key
from wifimgr.model import Change, Manage, Outcome, Result, Router, Touched
from wifimgr.push import apply, fleet, script
from wifimgr.push.apply import Pusher
from wifimgr.settings import PushTimes, Rollout, Secret
from wifimgr.ssh import Connection, Deadline, target_of

WIRELESS = "etc/config/wireless"
BACK = "the old files are back, byte for byte"


@contextmanager
def one(folder: Path, **keys: Any) -> Iterator[Net]:
    """A network of one router, called ``ap``."""
    with network(folder, {"ap": keys}) as net:
        yield net


def by_hand(net: Net, name: str, before: str, after: str) -> None:
    """Somebody edits a file of a router."""
    path = net.router(name).root / WIRELESS
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1
    path.unlink()
    path.write_text(text.replace(before, after), encoding="utf-8")


def guests(net: Net, name: str) -> None:
    """The router has a guest network already."""
    path = net.router(name).root / WIRELESS
    text = path.read_text(encoding="utf-8")
    path.unlink()
    path.write_text(
        f"{text}\nconfig wifi-iface 'guest'\n\toption device 'radio0'\n\toption mode 'ap'\n", encoding="utf-8"
    )


ROUND: dict[str, dict[str, Any]] = {
    "done": {},
    "late": {},
    "moved": {},
    "moved-elsewhere": {},
    "meanwhile-right": {},
    "meanwhile-paused": {},
    "staged": {},
    "luci": {},
    "no-baseline": {},
    "full": {},
    "other-key": {},
    "silent": {},
    "leased": {},
    "watched": {},
    "hang": {},
    "off-air": {"vars": {"on_air": "Anderes"}},
    "lockout": {},
    "lockout-login": {},
    "power-cut": {},
}


def prepare(net: Net) -> None:
    """What happens to the routers between plan and push."""
    for fault in ("lockout", "lockout-login", "power-cut", "hang"):
        net.router(fault).misbehave(fault, late=0.3)  # type: ignore[arg-type]
    net.router("late").misbehave("", late=1.5)
    by_hand(net, "moved", "option channel '1'\n\toption htmode 'HT20'", "option channel '1'\n\toption country 'US'")
    by_hand(net, "moved-elsewhere", "option channel '1'\n\toption", "option channel '11' # von Hand\n\toption")
    by_hand(
        net, "meanwhile-paused", "config wifi-iface 'guest'\n", "config wifi-iface 'guest'\n\toption disabled '1'\n"
    )
    for name, path in {"staged": "tmp/.uci/network", "luci": "var/run/rpcd/uci-12/network"}.items():
        file = net.router(name).root / path
        file.parent.mkdir(parents=True)
        file.write_text("network.lan.ipaddr='10.0.0.1'\n")
    (net.router("no-baseline").root / "var/run/config.md5").unlink()
    net.router("full").fill_flash()
    net.router("other-key").change_host_key(make_key()[0])
    net.router("silent").link.silent = True


def watch_only(net: Net, name: str) -> None:
    """The operator of a router changes after the plan was made."""
    router = replace(net.inventory.routers[name], manage=Manage.WATCH, operator="community")
    net.inventory = replace(net.inventory, routers={**net.inventory.routers, name: router})


def test_each_router_comes_to_its_own_end_and_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "READ_SECONDS", 2.0)
    monkeypatch.setattr(apply, "ARM_SECONDS", 4.0)
    with network(tmp_path, ROUND) as net:
        guests(net, "meanwhile-paused")
        changes = net.plan().to_do
        assert len(changes) == len(ROUND)
        right = next(change for change in changes if change.router == "meanwhile-right").paths[0].after
        (net.router("meanwhile-right").root / WIRELESS).unlink()
        (net.router("meanwhile-right").root / WIRELESS).write_bytes(right or b"")
        prepare(net)
        watch_only(net, "watched")
        before = {name: router.flash() for name, router in net.lab.routers.items()}
        with net.store.lease("leased", 60):
            found = net.push(changes)
        after = {name: router.flash() for name, router in net.lab.routers.items()}
        journal = {entry.router: entry for entry in net.store.entries()}

    assert {name: (str(each.result), each.error_id) for name, each in found.items()} == {
        "done": ("done", ""),
        "late": ("done", ""),
        "moved": ("refused", "moved-since-plan"),
        "moved-elsewhere": ("done", ""),
        "meanwhile-right": ("already right", ""),
        "meanwhile-paused": ("done", ""),
        "staged": ("refused", "router-refused"),
        "luci": ("refused", "router-refused"),
        "no-baseline": ("refused", "router-refused"),
        "full": ("refused", "router-refused"),
        "other-key": ("refused", "host-key-changed"),
        "silent": ("unreachable", "unreachable"),
        "leased": ("refused", "leased"),
        "watched": ("refused", "watch-only"),
        "hang": ("rolled back", "rolled-back"),
        "off-air": ("rolled back", "rolled-back"),
        "lockout": ("rolled back", "rolled-back"),
        "lockout-login": ("rolled back", "rolled-back"),
        "power-cut": ("rolled back", "rolled-back"),
    }
    whys = {name: f"{each.why}; {each.hint}" for name, each in found.items()}
    assert whys["moved"] == "changed since the plan: wireless.radio0.country; look at a new plan"
    assert whys["off-air"] == f"the network name 'Anderes' is not on the air; {BACK}"
    assert whys["no-baseline"] == (
        "it has no reload baseline, so a reload would do nothing; nothing was changed; reboot it once, then try again"
    )
    assert (
        whys["staged"]
        == whys["luci"]
        == (
            "somebody has unsaved changes on it (uci changes, or LuCI); nothing was changed; "
            "save or revert them there, then try again"
        )
    )
    assert whys["full"].startswith("its flash has no room for the change and its snapshot; nothing was changed; ")
    assert whys["leased"].startswith("another wifimgr works on it (")

    untouched = {name for name in ROUND if before[name] == after[name]}
    assert untouched == {name for name, each in found.items() if each.result is not Result.DONE}
    assert b"option channel '11' # von Hand" in after["moved-elsewhere"][WIRELESS]
    assert b"option ssid 'frei'" in after["moved-elsewhere"][WIRELESS]

    assert {name: entry.result for name, entry in journal.items()} == {
        name: str(each.result) for name, each in found.items() if each.error_id not in ("leased", "watch-only")
    }
    entry = journal["off-air"]
    assert entry.what == "playbook radio: /etc/config/wireless"
    assert entry.why == "a test"
    assert entry.detail == "the network name 'Anderes' is not on the air"
    assert entry.ended
    assert entry.began <= entry.ended


LATE = {"one": 1, "five": 5, "twenty": 20}
"""Router to seconds that its reload bites late."""


@pytest.mark.scenario(39)
def test_lockout_that_nothing_announces_is_never_confirmed_however_late(tmp_path: Path) -> None:
    times = {"confirm_within": "26s", "settle": {"connectivity": "21s"}, "login_gap": "1s"}
    with network(tmp_path, {name: {} for name in LATE}, times) as net:
        changes = net.plan().to_do
        before = {name: net.router(name).flash() for name in LATE}
        for name, seconds in LATE.items():
            net.router(name).misbehave("lockout", late=seconds, hidden=True)
        with ThreadPoolExecutor() as pool:
            for name in LATE:
                pool.submit(be_quick_again, net, name)
            found = net.push(changes)
        assert {name: found[name].result for name in LATE} == dict.fromkeys(LATE, Result.ROLLED_BACK)
        assert {name: net.router(name).flash() for name in LATE} == before


def be_quick_again(net: Net, name: str) -> None:
    """Once the router is cut off: the reload that comes with the undo need not be late, too."""
    end = time.monotonic() + 40
    while net.router(name).link.state() != "down" and time.monotonic() < end:
        time.sleep(0.05)
    (net.router(name).root / "lab/delay").write_text("0", encoding="ascii")


def test_slow_line_is_no_failure(tmp_path: Path) -> None:
    with one(tmp_path) as net:
        net.router("ap").link.lag = 0.2
        assert net.push([net.change("ap", of="name")], of="name")["ap"] == Outcome("ap", Result.DONE)


def test_second_push_of_the_same_plan_changes_nothing(tmp_path: Path) -> None:
    with one(tmp_path) as net:
        change = net.change("ap", of="name")
        assert net.push([change], of="name")["ap"].result is Result.DONE
        flash = net.router("ap").inodes()
        assert net.push([change], of="name")["ap"] == Outcome("ap", Result.ALREADY_RIGHT)
        own = str(net.router("ap").root / "tmp")
        changed = {path for path, stat in net.router("ap").inodes().items() if flash.get(path) != stat}
        assert {path for path in changed if not path.startswith(own)} == set()


def test_router_that_only_a_reboot_brings_back_reboots_by_itself(tmp_path: Path) -> None:
    with network(tmp_path, {"ap": {}}, {**TIMES, "reboot_after": "4s"}) as net:
        change, flash = net.change("ap"), net.router("ap").flash()
        net.router("ap").misbehave("stuck")
        outcome = net.push([change])["ap"]
        assert (outcome.result, outcome.hint) == (Result.ROLLED_BACK, BACK)
        assert net.router("ap").flash() == net.router("ap").flash_at_boot == flash


RADAR = """\
name: Radar
about: A radio on a radar channel.
where: platform=openwrt
uci:
  wireless:
    - section: {type: wifi-device, name: radio1}
      set: {channel: "100", disabled: false}
"""


@pytest.mark.scenario(33)
def test_radio_that_listens_for_radar_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wifimgr.platforms.radar.LISTEN_SECONDS", 9.0)
    with one(tmp_path) as net:
        file = net.router("ap").root / WIRELESS
        file.write_text(file.read_text().replace("option disabled '1'", "option disabled '0'"))
        net.router("ap").run(["reload_config", "boot"])
        (net.folder / "playbooks/radar.yaml").write_text(RADAR, encoding="utf-8")
        change = net.change("ap", of="radar")
        net.router("ap").misbehave("", late=7)  # later than confirm_within; the radio is pending all the time
        assert net.push([change], of="radar")["ap"] == Outcome("ap", Result.DONE)


def test_all_times_of_a_push_grow_by_what_a_radio_listens() -> None:
    change = Change(router="ap", paths=(), touched=(), connectivity=True, radar=600)
    times = apply.times_for(PushTimes(), change)
    text = apply._push_call("t1", change, times).text
    assert "\nWITHIN=690 SETTLE=625 GAP=5 FORGET=0\n" in text
    assert "\nREBOOT=720\n" in text
    assert apply.times_for(PushTimes(reboot_after=0), change).reboot_after == 0
    assert apply.times_for(PushTimes(), replace(change, radar=0)) == PushTimes()


def test_router_that_listens_for_radar_again_after_an_undo_is_waited_for(tmp_path: Path) -> None:
    with one(tmp_path) as net:
        target = target_of(net.inventory, net.known_hosts, net.inventory.routers["ap"])
        change = Change(router="ap", paths=(), touched=(), radar=600)
        window = apply._Window(net.pusher("name"), "ap", target, target.endpoint, change, "t1")
        assert round(window._back_until - window._open_until) == 60 + 600


# --- Ctrl-C ---


def test_stop_takes_back_what_is_open_and_skips_what_was_not_begun(tmp_path: Path) -> None:
    routers: dict[str, dict[str, Any]] = {"gw": {}, "a": {"behind": "gw"}, "b": {"behind": "gw"}}
    with network(tmp_path, routers) as net:
        changes = net.plan().to_do
        flash = {name: router.flash() for name, router in net.lab.routers.items()}
        stop, applied = threading.Event(), set[str]()

        def say(name: str, text: str) -> None:
            if "applied" in text:
                applied.add(name)
            if applied == {"a", "b"}:
                stop.set()

        outcomes = fleet.push_all(net.pusher(stop=stop, say=say), changes, lambda _: None, Rollout(canary=0))
        found = {each.router: each for each in outcomes}
        assert {name: (str(each.result), each.why) for name, each in found.items()} == {
            "a": ("rolled back", "interrupted"),
            "b": ("rolled back", "interrupted"),
            "gw": ("skipped", "interrupted before anything was sent"),
        }
        assert {name: router.flash() for name, router in net.lab.routers.items()} == flash
        assert not any("pending" in path.name for path in net.folder.rglob("etc/wifimgr/*"))


# --- answers that are lost ---


class Loss:
    """Loses the answer to the first script with a certain line; the router has run it, or never got it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, line: str, *, arrives: bool) -> None:
        self.lost = 0
        run = Connection.run

        def lossy(connection: Connection, text: str, deadline: Deadline, keep: bytes = b"") -> bytes:
            if f"\n{line}" in text.rpartition('eval "$SELF"')[2] and not self.lost:
                self.lost += 1
                if arrives:
                    run(connection, text, deadline, keep)
                raise RouterError("unreachable", "cannot be reached (the cable)")
            return run(connection, text, deadline, keep)

        monkeypatch.setattr(Connection, "run", lossy)


@pytest.mark.parametrize("line", ["arm", "look ", "confirm "])
def test_answer_that_is_lost_is_asked_for_again(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with one(tmp_path) as net:
        change = net.change("ap", of="name")
        loss = Loss(monkeypatch, line, arrives=True)
        assert net.push([change], of="name")["ap"] == Outcome("ap", Result.DONE)
        assert loss.lost == 1
        assert net.router("ap").read("etc/config/system") == change.paths[0].after


def test_script_that_never_arrived_is_said_to_have_changed_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with one(tmp_path) as net:
        change, flash = net.change("ap", of="name"), net.router("ap").flash()
        Loss(monkeypatch, "arm", arrives=False)
        outcome = net.push([change], of="name")["ap"]
        assert (outcome.result, outcome.error_id) == (Result.FAILED, "unreachable")
        assert outcome.why == "the connection broke before the change was armed; no file was changed"
        assert net.router("ap").flash() == flash


def test_router_that_never_comes_back_is_unreachable_and_said_to_go_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "LONGEST_RETURN", 1.0)
    with one(tmp_path) as net:
        change = net.change("ap", of="name")

        def say(name: str, text: str) -> None:
            net.router("ap").link.powered = False

        [outcome] = fleet.push_all(net.pusher("name", say=say), [change], lambda _: None)
        assert (outcome.result, outcome.error_id) == (Result.UNREACHABLE, "unconfirmed")
        assert (
            outcome.why == "it could not be reached after the change; it goes back by itself and reboots 120 s later, "
            "and could not be reached since"
        )
        assert outcome.hint == "run 'wifimgr plan name -s ap' when it is back"


def test_router_cannot_make_us_wait_longer_than_its_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    class Enough(Exception):
        pass

    def wait(window: object, seconds: float) -> None:
        waits.append(seconds)
        if len(waits) > 1:
            raise Enough

    monkeypatch.setattr(apply._Window, "_wait", wait)
    monkeypatch.setattr(apply._Window, "_step", lambda *_: script.Standing("pending", 999_999_999.0))
    with one(tmp_path) as net:
        change = net.change("ap", of="name")
        [outcome] = fleet.push_all(net.pusher("name"), [change], lambda _: None)
    assert outcome.error_id == "bug"
    assert max(waits) <= 18, "confirm_within 6 s, and twice that to come back"


# --- the journal ---


def test_push_that_dies_in_the_middle_stays_unfinished_in_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(Pusher, "_push", die)
    with one(tmp_path) as net:
        change = net.change("ap", of="name")
        with pytest.raises(SystemExit):
            net.pusher("name").push(change)
        [entry] = net.store.entries()
        assert (entry.result, entry.ended, entry.router) == ("unfinished", None, "ap")
        with net.store.lease("ap", 1):
            pass


def test_journal_that_cannot_be_written_does_not_hide_what_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with one(tmp_path) as net:
        change = net.change("ap", of="name")

        def fail(*_: object, **__: object) -> None:
            raise StoreError("store-failed", "the store cannot be used: disk full")

        monkeypatch.setattr(net.store, "end", fail)
        outcome = net.push([change], of="name")["ap"]
    assert outcome.result is Result.DONE
    assert "but the journal could not be written" in outcome.why


def test_journal_that_cannot_be_begun_keeps_hands_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with one(tmp_path) as net:
        change, flash = net.change("ap", of="name"), net.router("ap").flash()

        def fail(*_: object, **__: object) -> None:
            raise StoreError("store-failed", "the store cannot be used: disk full")

        monkeypatch.setattr(net.store, "begin", fail)
        outcome = net.push([change], of="name")["ap"]
        assert (outcome.result, outcome.error_id) == (Result.FAILED, "store-failed")
        assert net.router("ap").flash() == flash


def test_transactions_sort_by_time_and_never_repeat() -> None:
    made = [apply.new_transaction() for _ in range(50)]
    assert len(set(made)) == 50
    assert all(script.safe_path(f"x/{each}") and "." not in each for each in made)


def test_refusal_that_nobody_knows_is_shown_as_it_came() -> None:
    error = apply._refusal("ap", ["refused", "mood", "bad"])
    assert error.line() == (
        "ap: it refused the change (refused mood bad); nothing was changed; look at the router by hand [router-refused]"
    )
    assert "uci: Parse error" in apply._refusal("ap", ["refused", "badconf", "uci:", "Parse", "error"]).line()


def test_change_is_compared_with_the_plan_by_what_it_touches() -> None:
    def change(**touched: str | None) -> Change:
        return Change(router="ap", paths=(), touched=tuple(Touched(name, old, "x") for name, old in touched.items()))

    outcome = apply.moved("ap", change(a="1", b=None), change(a="2", b=None))
    assert outcome.why == "changed since the plan: a"


def test_bug_of_ours_is_one_routers_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push = Pusher._push

    def broken(self: Pusher, router: Router, *rest: Any) -> Outcome:
        if router.name == "b":
            raise ZeroDivisionError
        return push(self, router, *rest)

    monkeypatch.setattr(Pusher, "_push", broken)
    with network(tmp_path, {"a": {}, "b": {}}) as net:
        found = net.push(net.plan(of="name").to_do, of="name")
        journal = {entry.router: entry.result for entry in net.store.entries()}
    assert found["a"] == Outcome("a", Result.DONE)
    assert (found["b"].result, found["b"].error_id) == (Result.FAILED, "bug")
    assert "ZeroDivisionError" in found["b"].why
    assert journal == {"a": "done", "b": "failed"}


def test_router_that_is_logged_in_to_with_a_password_can_be_watched_too(tmp_path: Path) -> None:
    """A secret cannot be the key of a mapping, and so neither can a target that holds one."""
    with one(tmp_path) as net:
        target = target_of(net.inventory, net.known_hosts, net.inventory.routers["ap"])
        target = replace(target, password=Secret("made-up"))
        window = apply._Window(net.pusher(), "ap", target, target.endpoint, net.change("ap"), "tx")
    assert len(window._ways) == 1


# --- what is read again ---


def scripts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes what is sent to routers from now on: the lines behind what every script begins with."""
    sent: list[str] = []
    run = Connection.run

    def noted(connection: Connection, text: str, deadline: Deadline, keep: bytes = b"") -> bytes:
        sent.append(text.rpartition('eval "$SELF"\n')[2])
        return run(connection, text, deadline, keep)

    monkeypatch.setattr(Connection, "run", noted)
    return sent


def test_router_as_it_was_planned_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with one(tmp_path) as net:
        change = net.change("ap", of="name")
        assert change.seen == {"lib/gluon/gluon-version": None}
        sent = scripts(monkeypatch)
        assert net.push([change], of="name")["ap"] == Outcome("ap", Result.DONE)
        assert not any(text.startswith("show ") for text in sent)
        assert net.router("ap").read("etc/config/system") == change.paths[0].after


def test_confirm_goes_to_the_shell_of_the_look_that_knows_the_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with one(tmp_path) as net:
        change = net.change("ap", of="name")
        sent = scripts(monkeypatch)
        assert net.push([change], of="name")["ap"] == Outcome("ap", Result.DONE)
        assert re.fullmatch(r"{ NONCE=[0-9a-f]{16}\nconfirm \S+\nexit\n} </dev/null\n", sent[-1])
        assert sum("\nconfirm " in text for text in sent) == 1


def test_confirm_brings_the_script_along_where_something_came_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewritten = apply._Window._rewritten

    def between(window: apply._Window, connection: Connection, deadline: Deadline) -> str:
        assert connection.run("{ echo here; exit; }\n", deadline) == b"here\n"
        return rewritten(window, connection, deadline)

    monkeypatch.setattr(apply._Window, "_rewritten", between)
    with one(tmp_path) as net:
        change = net.change("ap", of="name")
        sent = scripts(monkeypatch)
        assert net.push([change], of="name")["ap"] == Outcome("ap", Result.DONE)
        assert sent[-1].startswith("confirm ")


def test_router_with_another_option_changed_since_the_plan_is_read_again_and_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with one(tmp_path) as net:
        change, router = net.change("ap", of="name"), net.router("ap")
        (router.root / "etc/config/system").write_bytes(router.read("etc/config/system") + b"\nconfig led 'neu'\n")
        sent = scripts(monkeypatch)
        assert net.push([change], of="name")["ap"] == Outcome("ap", Result.DONE)
        assert [text.partition(" ")[0].partition("=")[0] for text in sent[:3]] == ["TX", "show", "TX"]
        assert router.read("etc/config/system") == change.paths[0].after + b"\nconfig led 'neu'\n"


def test_router_that_became_another_platform_since_the_plan_is_refused(tmp_path: Path) -> None:
    with one(tmp_path) as net:
        change, router = net.change("ap", of="name"), net.router("ap")
        (router.root / "lib/gluon").mkdir(parents=True)
        (router.root / "lib/gluon/gluon-version").write_text("v2025.1\n")
        flash = router.flash()
        assert net.push([change], of="name")["ap"].error_id == "wrong-platform"
        assert router.flash() == flash


def test_change_that_asks_for_more_than_files_is_always_read_again(tmp_path: Path) -> None:
    with one(tmp_path) as net:
        text = "name: x\nabout: x\nwhere: platform=openwrt\nfiles:\n  - path: /etc/x\n    content: x\n    mode: '600'\n"
        (net.folder / "playbooks/datei.yaml").write_text(text, encoding="utf-8")
        assert net.change("ap", of="datei").seen is None
