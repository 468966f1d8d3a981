"""Many routers in one go: the order, what runs at the same time, and what Ctrl-C and our own bugs do."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.networks import write
from wifimgr.inventory import Inventory, load
from wifimgr.model import Change, Outcome, Result
from wifimgr.push import fleet, playbook
from wifimgr.push.apply import Pusher
from wifimgr.push.plan import PlaybookJob
from wifimgr.ssh import KnownHosts
from wifimgr.store import Store

SITE = """\
name: Haus
kind: library
routers:
  gw: {addresses: [192.0.2.1]}
  mid: {addresses: [192.0.2.2], behind: gw}
  leaf: {addresses: [192.0.2.3], behind: mid}
  side: {addresses: [192.0.2.4], behind: gw}
  alone: {addresses: [192.0.2.5]}
"""
YARD = """\
name: Hof
kind: square
jump: yard-gw
routers:
  yard-gw: {addresses: [192.0.2.11], behind: gw}
  yard-ap: {addresses: [192.168.8.2]}
  yard-mast: {addresses: [192.168.8.3], behind: yard-ap}
"""
PLAYBOOK = "name: X\nabout: X.\nwhere: platform=openwrt\nfiles: [{path: /etc/x, content: x}]\n"


def change(name: str) -> Change:
    return Change(router=name, paths=(), touched=())


@pytest.fixture
def pusher(tmp_path: Path) -> Iterator[Pusher]:
    write(tmp_path, haus=SITE)
    (tmp_path / "x.yaml").write_text(PLAYBOOK)
    store = Store(tmp_path)
    wanted = playbook.load(tmp_path, str(tmp_path / "x.yaml"))
    said: list[str] = []
    yield Pusher(
        load(tmp_path),
        KnownHosts(tmp_path / "k"),
        store,
        PlaybookJob(wanted),
        "",
        threading.Event(),
        lambda _, text: said.append(text),
    )
    store.close()


@pytest.fixture
def inventory(pusher: Pusher) -> Inventory:
    return pusher.inventory


ALL = ["gw", "mid", "leaf", "side", "alone"]


def test_waves_go_from_the_farthest_to_the_nearest(inventory: Inventory) -> None:
    waves = fleet.waves(inventory, map(change, ALL))
    assert [[each.router for each in wave] for wave in waves] == [["leaf"], ["mid", "side"], ["gw", "alone"]]
    assert [fleet.depth(inventory, name) for name in ALL] == [0, 1, 2, 1, 0]


def test_who_is_logged_in_through_is_on_the_way_too(tmp_path: Path) -> None:
    inventory = load(write(tmp_path, haus=SITE, hof=YARD))
    yard = ["yard-gw", "yard-ap", "yard-mast"]
    assert [fleet.depth(inventory, name) for name in yard] == [1, 2, 3]
    inventory = load(tmp_path, {".wifimgr/local.yaml": "endpoints: {yard-ap: {ssh: '127.0.0.1:9'}}\n"})
    assert [fleet.depth(inventory, name) for name in yard] == [1, 0, 3]


def test_router_and_its_way_are_never_changed_at_the_same_time(pusher: Pusher, monkeypatch: pytest.MonkeyPatch) -> None:
    windows: dict[str, tuple[float, float]] = {}

    def push(_: Pusher, planned: Change) -> Outcome:
        began = time.monotonic()
        time.sleep(0.1)
        windows[planned.router] = (began, time.monotonic())
        return Outcome(planned.router, Result.DONE)

    monkeypatch.setattr(Pusher, "push", push)
    fleet.push_all(pusher, map(change, ALL), lambda _: None)
    for name, router in pusher.inventory.routers.items():
        way = router.behind
        while way:
            assert windows[name][1] <= windows[way][0], f"{way} was begun before {name} had ended"
            way = pusher.inventory.routers[way].behind
    assert windows["mid"][0] < windows["side"][1], "what does not lie behind each other runs at the same time"
    assert windows["side"][0] < windows["mid"][1]


def test_outcomes_are_told_as_they_come(pusher: Pusher, monkeypatch: pytest.MonkeyPatch) -> None:
    def push(_: Pusher, planned: Change) -> Outcome:
        time.sleep(0.2 if planned.router == "gw" else 0)
        return Outcome(planned.router, Result.DONE)

    monkeypatch.setattr(Pusher, "push", push)
    told: list[str] = []
    outcomes = fleet.push_all(pusher, map(change, ["gw", "alone"]), lambda outcome: told.append(outcome.router))
    assert told == ["alone", "gw"] == [each.router for each in outcomes]


@pytest.mark.parametrize("where", ["while-waiting", "while-telling"])
def test_ctrl_c_lets_every_router_come_to_an_end(where: str, pusher: Pusher, monkeypatch: pytest.MonkeyPatch) -> None:
    def push(each: Pusher, planned: Change) -> Outcome:
        if planned.router == "leaf" and where == "while-waiting":
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            assert each.stop.wait(5)
        return Outcome(planned.router, Result.SKIPPED if each.stop.is_set() else Result.DONE)

    def done(outcome: Outcome) -> None:
        if outcome.router == "leaf" and where == "while-telling":
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Pusher, "push", push)
    handler = signal.getsignal(signal.SIGINT)
    outcomes = fleet.push_all(pusher, map(change, ALL), done)
    assert sorted(each.router for each in outcomes) == sorted(ALL)
    assert {each.result for each in outcomes if each.router != "leaf"} == {Result.SKIPPED}
    assert pusher.stop.is_set()
    assert signal.getsignal(signal.SIGINT) is handler


def test_push_from_another_thread_leaves_signals_alone(pusher: Pusher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pusher, "push", lambda _, planned: Outcome(planned.router, Result.DONE))
    found: list[Outcome] = []
    thread = threading.Thread(target=lambda: found.extend(fleet.push_all(pusher, [change("gw")], lambda _: None)))
    thread.start()
    thread.join(10)
    assert found == [Outcome("gw", Result.DONE)]


def test_signal_that_is_ignored_stays_ignored(pusher: Pusher, monkeypatch: pytest.MonkeyPatch) -> None:
    def push(each: Pusher, planned: Change) -> Outcome:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGHUP)
        time.sleep(0.3)
        return Outcome(planned.router, Result.SKIPPED if each.stop.is_set() else Result.DONE)

    monkeypatch.setattr(Pusher, "push", push)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        [outcome] = fleet.push_all(pusher, [change("gw")], lambda _: None)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert outcome.result is Result.DONE, "as under nohup"
