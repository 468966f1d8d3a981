"""Many routers in one go: who goes first, the order, what stops it, what it waits for, and what Ctrl-C does."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.networks import write
from tests.push.net import network
from wifimgr.errors import Refused
from wifimgr.inventory import Inventory, load
from wifimgr.model import Change, Outcome, Result, Router
from wifimgr.push import absent, fleet, opening, playbook
from wifimgr.push.apply import Pusher
from wifimgr.push.plan import PlaybookJob
from wifimgr.settings import Rollout
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


ALL_AT_ONCE = Rollout(canary=0)
GOOD, BAD = Result.DONE, Result.ROLLED_BACK


def change(name: str, **more: Any) -> Change:
    return Change(router=name, paths=(), touched=(), **more)


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


def test_way_that_is_wrong_for_another_router_stops_nobody(
    inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def jumps(_: Inventory, router: Router) -> list[Router]:
        if router.name == "gw":
            raise Refused("needs-program", "it has a ProxyCommand")
        return []

    monkeypatch.setattr(absent, "jumps", jumps)
    assert [fleet.depth(inventory, name) for name in ALL] == [0, 1, 2, 1, 0]


def test_router_and_its_way_are_never_changed_at_the_same_time(pusher: Pusher, monkeypatch: pytest.MonkeyPatch) -> None:
    windows: dict[str, tuple[float, float]] = {}

    def push(_: Pusher, planned: Change) -> Outcome:
        began = time.monotonic()
        time.sleep(0.1)
        windows[planned.router] = (began, time.monotonic())
        return Outcome(planned.router, Result.DONE)

    monkeypatch.setattr(Pusher, "push", push)
    fleet.push_all(pusher, map(change, ALL), lambda _: None, ALL_AT_ONCE)
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
    changes = map(change, ["gw", "alone"])
    outcomes = fleet.push_all(pusher, changes, lambda outcome: told.append(outcome.router), ALL_AT_ONCE)
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
    skipped = {each.why for each in outcomes if each.result is Result.SKIPPED and each.router != "leaf"}
    assert skipped == {"interrupted before anything was sent"}
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


# ---------------------------------------------------------------- one goes first


Ends = dict[str, Outcome | Result]


@pytest.fixture
def roll(pusher: Pusher, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Rolled]:
    """Rolls out to fake routers that end as told: done, where nothing is."""
    return lambda names, rollout, ends: Rolled(pusher, monkeypatch, names, rollout, ends)


class Rolled:
    """A rollout that is over: how each router ended, which were begun, and how many of them at once at most."""

    def __init__(
        self,
        pusher: Pusher,
        monkeypatch: pytest.MonkeyPatch,
        changes: Iterable[str | Change],
        rollout: Rollout,
        ends: Ends,
    ) -> None:
        self.begun: list[str] = []
        self.most = 0
        self._under_way = 0
        self._lock = threading.Lock()

        def push(_: Pusher, planned: Change) -> Outcome:
            with self._lock:
                self.begun.append(planned.router)
                self._under_way += 1
                self.most = max(self.most, self._under_way)
            time.sleep(0.02)
            with self._lock:
                self._under_way -= 1
            end = ends.get(planned.router, GOOD)
            return end if isinstance(end, Outcome) else Outcome(planned.router, end)

        monkeypatch.setattr(Pusher, "push", push)
        wanted = [each if isinstance(each, Change) else change(each) for each in changes]
        self.outcomes = fleet.push_all(pusher, wanted, lambda _: None, rollout)

    @property
    def ends(self) -> dict[str, Result]:
        return {each.router: each.result for each in self.outcomes}

    def of(self, name: str) -> Outcome:
        [found] = [each for each in self.outcomes if each.router == name]
        return found


Roll = Callable[..., Rolled]


def test_first_router_is_of_the_farthest_and_goes_alone(roll: Roll) -> None:
    rolled = roll([*ALL, "gw"], Rollout(), {})
    assert rolled.begun[0] == "leaf"
    assert rolled.begun[1] in ("mid", "side")
    assert rolled.most > 1, "the others go at the same time"


@pytest.mark.parametrize("end", [Result.FAILED, BAD, Result.UNREACHABLE, Result.REFUSED])
def test_first_router_that_is_not_confirmed_holds_all_others(roll: Roll, end: Result) -> None:
    rolled = roll(ALL, Rollout(), {"leaf": end})
    assert rolled.begun == ["leaf"]
    assert {name: each for name, each in rolled.ends.items() if name != "leaf"} == dict.fromkeys(
        set(ALL) - {"leaf"}, Result.SKIPPED
    )
    skipped = rolled.of("gw")
    assert skipped.why == "the first router (leaf) was not confirmed"
    assert skipped.hint.endswith("run 'wifimgr plan x -s gw'")


def test_router_that_needs_nothing_proves_nothing(roll: Roll) -> None:
    rolled = roll(ALL, Rollout(), {"leaf": Result.ALREADY_RIGHT, "mid": BAD})
    assert rolled.begun == ["leaf", "mid"]
    assert rolled.of("side").why == "the first router (mid) was not confirmed"


def test_several_go_first_one_after_another(roll: Roll) -> None:
    rolled = roll(ALL, Rollout(canary=2), {"mid": BAD})
    assert rolled.begun == ["leaf", "mid"]
    rolled = roll(ALL, Rollout(canary=5), {})
    assert (rolled.begun, rolled.most) == (["leaf", "mid", "side", "gw", "alone"], 1)


def test_without_a_first_one_a_bad_router_holds_nobody(roll: Roll) -> None:
    rolled = roll(ALL, ALL_AT_ONCE, {"leaf": BAD})
    assert sorted(rolled.begun) == sorted(ALL)
    assert rolled.ends["gw"] is GOOD


def test_who_goes_first_is_told_and_not_of_one_router_alone(pusher: Pusher, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    told = replace(pusher, say=lambda _, text: said.append(text))
    Rolled(told, monkeypatch, ["gw"], Rollout(), {})
    assert said == []
    Rolled(told, monkeypatch, ALL, Rollout(), {})
    assert said == ["leaf goes first; the others wait until it is confirmed"]


def test_nobody_is_said_to_wait_for_the_first_one_where_all_others_are_held_back(
    pusher: Pusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    told = replace(pusher, say=lambda _, text: said.append(text))
    monkeypatch.setattr(opening, "waits", lambda _, change, at: "open" if change.router != "gw" else "")
    rolled = Rolled(told, monkeypatch, ALL, Rollout(), {})
    assert (rolled.begun, said) == (["gw"], [])
    monkeypatch.setattr(opening, "waits", lambda _, change, at: "open" if change.router not in ("gw", "mid") else "")
    Rolled(told, monkeypatch, ALL, Rollout(), {})
    assert said == ["mid goes first; the others wait until it is confirmed"]


# ---------------------------------------------------------------- how many at once, and when to stop


def many(pusher: Pusher, tmp_path: Path, number: int) -> tuple[Pusher, list[str]]:
    """A pusher of a place with so many routers beside each other."""
    names = [f"ap-{index:02}" for index in range(number)]
    routers = "".join(f"  {name}: {{addresses: [192.0.2.{index}]}}\n" for index, name in enumerate(names, 1))
    folder = tmp_path / "many"
    folder.mkdir()
    inventory = load(write(folder, haus=f"name: Haus\nkind: library\nrouters:\n{routers}"))
    return replace(pusher, inventory=inventory), names


def test_no_more_than_so_many_at_the_same_time(pusher: Pusher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide, names = many(pusher, tmp_path, 12)
    rolled = Rolled(wide, monkeypatch, names, Rollout(canary=0, at_once=3), {})
    assert rolled.most == 3
    assert len(rolled.outcomes) == 12


def test_nothing_new_is_begun_when_too_many_went_wrong(
    pusher: Pusher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide, names = many(pusher, tmp_path, 12)
    ends: Ends = {names[2]: BAD, names[3]: Result.UNREACHABLE, names[5]: Result.REFUSED, names[6]: Result.FAILED}
    rolled = Rolled(wide, monkeypatch, names, Rollout(at_once=1, stop_after=3), ends)
    assert rolled.begun == names[:7], "a refusal changes nothing and does not count"
    assert [rolled.ends[name] for name in names[7:]] == [Result.SKIPPED] * 5
    skipped = rolled.of(names[-1])
    assert skipped.why == f"3 went wrong before it ({names[2]}, {names[3]}, {names[6]})"
    assert skipped.hint == f"repair these, then run 'wifimgr plan x -s {names[-1]}'"


def test_what_is_under_way_ends_by_itself(pusher: Pusher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide, names = many(pusher, tmp_path, 8)
    stopped, begun = threading.Event(), threading.Barrier(4)

    def push(_: Pusher, planned: Change) -> Outcome:
        begun.wait(10)
        if planned.router == names[0]:
            return Outcome(planned.router, BAD)
        assert stopped.wait(10)
        return Outcome(planned.router, GOOD)

    def done(outcome: Outcome) -> None:
        stopped.set()

    monkeypatch.setattr(Pusher, "push", push)
    outcomes = fleet.push_all(wide, map(change, names), done, Rollout(canary=0, at_once=4, stop_after=1))
    found = {each.router: each.result for each in outcomes}
    assert [found[name] for name in names] == [BAD, GOOD, GOOD, GOOD, *[Result.SKIPPED] * 4]


def test_zero_never_stops(pusher: Pusher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide, names = many(pusher, tmp_path, 8)
    rolled = Rolled(wide, monkeypatch, names, Rollout(canary=0, stop_after=0), dict.fromkeys(names, BAD))
    assert sorted(rolled.begun) == names


# ---------------------------------------------------------------- opening hours


@pytest.fixture
def noon(pusher: Pusher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pusher:
    """A Wednesday at noon in a place that closes at six, and one that nobody wrote hours for."""
    monkeypatch.setattr(opening, "now", lambda: datetime(2026, 11, 25, 11, 0, tzinfo=UTC))
    site = SITE.replace("kind: library", 'kind: library\nopening_hours: "Mo-Fr 10:00-18:00"')
    yard = YARD.replace(", behind: gw", "")
    folder = tmp_path / "noon"
    folder.mkdir()
    return replace(pusher, inventory=load(write(folder, haus=site, hof=yard)))


def noticed(*names: str) -> list[Change]:
    return [change(name, interrupts={"wifi": 40.0}) for name in names]


def test_noticed_change_waits_where_a_place_is_open(noon: Pusher, monkeypatch: pytest.MonkeyPatch) -> None:
    rolled = Rolled(noon, monkeypatch, noticed("leaf", "yard-ap", "gw"), Rollout(), {})
    assert rolled.begun == ["yard-ap"]
    assert rolled.of("gw") == Outcome(
        "gw",
        Result.SKIPPED,
        "open until 18:00",
        "run 'wifimgr plan x -s gw' then, or say --while-open",
        "open-now",
    )


def test_router_that_waits_is_not_the_one_that_goes_first(noon: Pusher, monkeypatch: pytest.MonkeyPatch) -> None:
    rolled = Rolled(noon, monkeypatch, noticed("leaf", "yard-ap", "yard-gw"), Rollout(), {"yard-ap": BAD})
    assert rolled.begun == ["yard-ap"]
    assert rolled.of("yard-gw").why == "the first router (yard-ap) was not confirmed"


def test_who_asks_for_it_does_not_wait(noon: Pusher, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Rolled(noon, monkeypatch, noticed("gw"), Rollout(while_open=True), {}).ends == {"gw": GOOD}


def test_what_nobody_notices_goes_at_any_time(noon: Pusher, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Rolled(noon, monkeypatch, ["gw", "leaf"], Rollout(), {}).ends == {"gw": GOOD, "leaf": GOOD}


def test_rollout_that_runs_into_the_opening_begins_no_more_there(noon: Pusher, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [datetime(2026, 11, 25, 7, 0, tzinfo=UTC)]
    monkeypatch.setattr(opening, "now", lambda: clock[0])

    def push(_: Pusher, planned: Change) -> Outcome:
        clock[0] = clock[0].replace(hour=9)
        return Outcome(planned.router, GOOD)

    monkeypatch.setattr(Pusher, "push", push)
    outcomes = fleet.push_all(noon, noticed("leaf", "mid", "yard-ap"), lambda _: None)
    assert {each.router: each.why for each in outcomes} == {"leaf": "", "mid": "open until 18:00", "yard-ap": ""}


def test_push_that_was_begun_asks_again_and_waits_where_its_place_opens(
    noon: Pusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [datetime(2026, 11, 25, 7, 0, tzinfo=UTC)]
    monkeypatch.setattr(opening, "now", lambda: clock[0])

    def push(pusher: Pusher, planned: Change) -> Outcome:
        pusher.ask_again(planned)
        clock[0] = clock[0].replace(hour=9)
        pusher.ask_again(planned)
        return Outcome(planned.router, GOOD)

    monkeypatch.setattr(Pusher, "push", push)
    [outcome] = fleet.push_all(noon, noticed("leaf"), lambda _: None)
    assert (outcome.result, outcome.why, outcome.error_id) == (Result.SKIPPED, "open until 18:00", "open-now")
    clock[0] = clock[0].replace(hour=7)
    [outcome] = fleet.push_all(noon, noticed("leaf"), lambda _: None, Rollout(while_open=True))
    assert outcome.result is GOOD


# ---------------------------------------------------------------- a way that is away


UNREACHED = Outcome("leaf", Result.UNREACHABLE, "cannot be reached", error_id="unreachable")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[bool]]:
    """What each look at a router on the way finds; the last one for good."""
    answers: dict[str, list[bool]] = {}

    def answer(_: object, name: str) -> bool:
        left = answers.get(name, [True])
        return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(fleet, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(fleet._Ways, "_answers", answer)
    return answers


def test_router_that_nothing_was_sent_to_waits_for_its_way(
    pusher: Pusher, looks: dict[str, list[bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks["gw"] = [False, False, True]
    tries: list[str] = []

    def push(_: Pusher, planned: Change) -> Outcome:
        tries.append(planned.router)
        return UNREACHED if len(tries) == 1 else Outcome(planned.router, GOOD)

    said: list[str] = []
    monkeypatch.setattr(Pusher, "push", push)
    told = replace(pusher, say=lambda _, text: said.append(text))
    [outcome] = fleet.push_all(told, [change("leaf")], lambda _: None)
    assert (outcome.result, tries, looks["gw"]) == (GOOD, ["leaf", "leaf"], [True])
    assert said == ["gw does not answer; what is behind it waits until it is back"]


def test_router_whose_way_stays_away_is_unreachable_and_counts(
    pusher: Pusher, looks: dict[str, list[bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks["gw"] = [False]
    monkeypatch.setattr(fleet, "LONGEST_OUTAGE", 0.05)
    ends: Ends = {name: Outcome(name, Result.UNREACHABLE, "gone", error_id="unreachable") for name in ("leaf", "mid")}
    rolled = Rolled(pusher, monkeypatch, ALL, Rollout(canary=0, at_once=1, stop_after=2), ends)
    assert rolled.begun == ["leaf", "mid"]
    assert rolled.ends["side"] is Result.SKIPPED


def test_router_that_stays_away_behind_a_way_that_answers_is_tried_some_times(
    roll: Roll, looks: dict[str, list[bool]]
) -> None:
    assert roll(["leaf"], Rollout(), {"leaf": UNREACHED}).begun == ["leaf"] * (1 + fleet.ONCE_MORE)


def test_router_without_a_way_is_tried_once(roll: Roll, looks: dict[str, list[bool]]) -> None:
    away = Outcome("gw", Result.UNREACHABLE, "gone", error_id="unreachable")
    assert roll(["gw"], Rollout(), {"gw": away}).begun == ["gw"]


def test_nobody_waits_for_a_way_when_somebody_wants_to_end(
    pusher: Pusher, looks: dict[str, list[bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks["gw"] = [False]

    def push(each: Pusher, planned: Change) -> Outcome:
        each.stop.set()
        return UNREACHED

    monkeypatch.setattr(Pusher, "push", push)
    assert fleet.push_all(pusher, [change("leaf")], lambda _: None) == [UNREACHED]


@pytest.mark.parametrize("end", ["rolled-back", "unconfirmed"])
def test_push_that_lost_its_way_is_not_held_against_the_change(
    end: str, pusher: Pusher, looks: dict[str, list[bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks["gw"] = [False, True]
    result = {"rolled-back": BAD, "unconfirmed": Result.UNREACHABLE}[end]

    def push(each: Pusher, planned: Change) -> Outcome:
        if planned.router != "leaf":
            return Outcome(planned.router, GOOD)
        each.lost("leaf")
        return Outcome("leaf", result, "it could not be reached after the change", error_id=end)

    monkeypatch.setattr(Pusher, "push", push)
    outcomes = fleet.push_all(pusher, map(change, ALL), lambda _: None, Rollout(stop_after=1))
    found = {each.router: each for each in outcomes}
    why = "it could not be reached after the change; gw on the way did not answer meanwhile"
    assert (found["leaf"].result, found["leaf"].why) == (result, why)
    assert {each.result for name, each in found.items() if name != "leaf"} == {GOOD}


def test_push_that_failed_while_its_way_was_there_counts(
    pusher: Pusher, looks: dict[str, list[bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def push(each: Pusher, planned: Change) -> Outcome:
        each.lost(planned.router)
        return Outcome(planned.router, BAD, "locked out", error_id="rolled-back")

    monkeypatch.setattr(Pusher, "push", push)
    outcomes = fleet.push_all(pusher, map(change, ALL), lambda _: None)
    assert [each.result for each in outcomes] == [BAD, *[Result.SKIPPED] * 4]
    assert (outcomes[0].router, outcomes[0].why) == ("leaf", "locked out")


def test_router_that_nobody_can_look_at_is_taken_to_answer(pusher: Pusher) -> None:
    away = replace(pusher.inventory.routers["gw"], addresses=())
    inventory = replace(pusher.inventory, routers={**pusher.inventory.routers, "gw": away})
    assert fleet._Ways(replace(pusher, inventory=inventory))._answers("gw")


def test_bug_of_ours_stops_no_other_router(pusher: Pusher, roll: Roll, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "waits", lambda _, planned, at: 1 / 0 if planned.router == "mid" else "")
    rolled = roll(ALL, ALL_AT_ONCE, {})
    assert (rolled.of("mid").result, rolled.of("mid").error_id) == (Result.FAILED, "bug")
    assert {each for name, each in rolled.ends.items() if name != "mid"} == {GOOD}


# ---------------------------------------------------------------- all of it, on simulated routers


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.scenario(23)
def test_rest_of_forty_resumes_when_their_jump_node_reboots_in_the_middle(tmp_path: Path) -> None:
    behind = {f"ap-{number:02}": {"behind": "gw", "jump": "gw"} for number in range(40)}
    with network(tmp_path, {"gw": {}, **behind}) as net:
        changes, gateway = net.plan(of="name").to_do, net.router("gw")
        back = threading.Timer(8, gateway.boot)  # until then, those in the middle have gone back by themselves
        ended: list[str] = []

        def done(outcome: Outcome) -> None:
            ended.append(outcome.router)
            if len(ended) == 10:
                gateway.power_cut()
                back.start()

        outcomes = fleet.push_all(net.pusher("name"), changes, done, Rollout(at_once=10, stop_after=1))
        back.join()
        found = {each.router: each for each in outcomes}
        assert len(found) == 41
        assert outcomes[-1] == Outcome("gw", GOOD), "the way goes last"
        lost = {name for name, each in found.items() if each.result is not GOOD}
        assert 0 < len(lost) <= 10, "only those that were in the middle"
        for name in lost:
            assert found[name].result is BAD, found[name]
            assert found[name].why.endswith("; gw on the way did not answer meanwhile")
        assert ("", "gw does not answer; what is behind it waits until it is back") in net.said
        again = net.plan(of="name").to_do
        assert {each.router for each in again} == lost, "what was done stays, what was lost is as it was"
        assert {each.result for each in net.push(again, of="name").values()} == {GOOD}
