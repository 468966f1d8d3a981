"""Many routers in one go: one alone first, then leaves before what they are behind, in parallel.

A router that goes wrong stops no other one that is under way; when too many do, nothing new is begun.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain

from wifimgr.errors import Refused, WifimgrError
from wifimgr.inventory import Inventory
from wifimgr.model import Change, Outcome, Result
from wifimgr.push import opening
from wifimgr.push.absent import explained, way
from wifimgr.push.apply import Pusher
from wifimgr.push.plan import Job, outcome_of
from wifimgr.settings import Rollout
from wifimgr.ssh import Deadline, scan, target_of

CAREFUL = Rollout()
POLL_SECONDS = 0.5
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals of somebody who wants a push to end."""
WRONG = frozenset({Result.FAILED, Result.ROLLED_BACK, Result.UNREACHABLE})
"""How a router ends with which something is wrong."""
MOST_NAMES = 3
"""So many routers that went wrong are named."""
ONCE_MORE = 2
"""How often a router is tried again that could not be reached, where others are on the way to it."""
LONGEST_OUTAGE = 180.0
"""Seconds that we wait for a router on the way: a reboot takes less."""
PAUSE_SECONDS = 3.0
"""Between two looks at a router on the way."""
LOOK_SECONDS = 5.0
"""What one look may take."""
WAY_FAULTS = frozenset({"rolled-back", "unconfirmed"})
"""How a push ends, by its error, whose way was away in the middle of it."""


def depth(inventory: Inventory, name: str) -> int:
    """How many routers lie between us and this one."""
    return len(way(inventory, name))


def waves(inventory: Inventory, changes: Iterable[Change]) -> list[list[Change]]:
    """Groups changes by how many routers lie between us and the router, the farthest first.

    So a router and its way to us are never changed at the same time, and the way is changed last.
    """
    by_depth: dict[int, list[Change]] = {}
    for change in changes:
        by_depth.setdefault(depth(inventory, change.router), []).append(change)
    return [by_depth[key] for key in sorted(by_depth, reverse=True)]


def held_back(inventory: Inventory, job: Job, change: Change, at: datetime) -> Outcome | None:
    """The outcome of a change that waits for a place to close; None: it may be made now."""
    why = opening.waits(inventory, change, at)
    if not why:
        return None
    hint = f"run '{job.command(change.router)}' then, or say --while-open"
    return Outcome(change.router, Result.SKIPPED, why, hint, "open-now")


def push_all(
    pusher: Pusher, changes: Iterable[Change], done: Callable[[Outcome], None], rollout: Rollout = CAREFUL
) -> list[Outcome]:
    """Pushes all changes; calls ``done`` as each router ends. Returns the outcomes in that order.

    On Ctrl-C every router that is in the middle is taken back or left confirmed before this returns; the ones not
    begun are skipped. The caller sees what happened in the outcomes and in ``pusher.stop``.
    """
    outcomes: list[Outcome] = []
    run = _Run(pusher, rollout)
    with _endings() as asked, ThreadPoolExecutor(rollout.at_once) as pool:
        for group in run.groups(changes):
            _heed(asked, pusher)
            for future in _as_they_end([pool.submit(run.push, change) for change in group], pusher, asked):
                outcomes.append(future.result())
                done(outcomes[-1])
    return outcomes


class _Run:
    """One rollout: what goes when, and what went wrong so far."""

    def __init__(self, pusher: Pusher, rollout: Rollout) -> None:
        self._ways = _Ways(pusher)
        self._pusher, self._rollout = replace(pusher, lost=self._ways.look, ask_again=self._ask_again), rollout
        self._lock = threading.Lock()
        self._confirmed = 0
        self._first = ""
        """The router that went first and was not confirmed."""
        self._wrong: list[str] = []

    @property
    def _is_trying(self) -> bool:
        return self._confirmed < self._rollout.canary

    def groups(self, changes: Iterable[Change]) -> Iterator[list[Change]]:
        """What goes at the same time; each group has to end before the next one is asked for.

        One router a group until enough are confirmed, then wave after wave. A router that needed nothing, or that has
        to wait, proves nothing: the next one goes first instead.
        """
        planned = waves(self._pusher.inventory, changes)
        for number, left in enumerate(planned, 1):
            while left:
                group, left = (left[:1], left[1:]) if self._is_trying else (left, [])
                if self._is_trying and self._goes(group[0]) and any(map(self._goes, chain(left, *planned[number:]))):
                    self._pusher.say("", f"{group[0].router} goes first; the others wait until it is confirmed")
                yield group

    def push(self, change: Change) -> Outcome:
        """Pushes one router, unless there is a reason not to begin. Never raises for what goes wrong with it."""
        began = time.monotonic()
        try:
            outcome = self._patiently(change)
        except Exception as error:
            outcome = outcome_of(change.router, error)
        return self._judged(outcome, began)

    def _patiently(self, change: Change) -> Outcome:
        """Waits for the way to a router where that is away."""
        outcome = self._begin(change)
        for _ in range(ONCE_MORE):
            if outcome.error_id != "unreachable" or not self._ways.come_back(change.router):
                break
            outcome = self._begin(change)
        return outcome

    def _begin(self, change: Change) -> Outcome:
        return self._why_not(change) or self._pusher.push(change)

    def _ask_again(self, change: Change) -> None:
        """Raises Refused (``open-now``) where a router that was begun has to wait: its place is about to open."""
        if self._rollout.while_open:
            return
        held = held_back(self._pusher.inventory, self._pusher.job, change, opening.now())
        if held:
            raise Refused(held.error_id, held.why, where=change.router, hint=held.hint)

    def _goes(self, change: Change) -> bool:
        return self._why_not(change) is None

    def _why_not(self, change: Change) -> Outcome | None:
        """Why a router is not begun now; None: it may be."""
        command = self._pusher.job.command(change.router)
        if self._pusher.stop.is_set():
            why, hint = "interrupted before anything was sent", f"run '{command}'"
        elif self._first:
            why, hint = f"the first router ({self._first}) was not confirmed", f"repair that one, then run '{command}'"
        elif 0 < self._rollout.stop_after <= len(self._wrong):
            more = [f"and {len(self._wrong) - MOST_NAMES} more"] if len(self._wrong) > MOST_NAMES else []
            names = ", ".join([*self._wrong[:MOST_NAMES], *more])
            why, hint = f"{len(self._wrong)} went wrong before it ({names})", f"repair these, then run '{command}'"
        else:
            open_too = self._rollout.while_open
            return None if open_too else held_back(self._pusher.inventory, self._pusher.job, change, opening.now())
        return Outcome(change.router, Result.SKIPPED, why, hint)

    def _judged(self, outcome: Outcome, began: float) -> Outcome:
        """Notes how a router ended. A way that was away meanwhile, and is back, is no fault of the change."""
        away = self._ways.away_since(outcome.router, began) if outcome.error_id in WAY_FAULTS else []
        if away:
            outcome = replace(outcome, why=f"{outcome.why}; {', '.join(away)} on the way did not answer meanwhile")
        outcome = explained(self._pusher.inventory, outcome, self._ways.gone(), opening.now())
        excused = bool(away) and self._ways.come_back(outcome.router)
        with self._lock:
            if outcome.result in WRONG and not excused:
                self._wrong.append(outcome.router)
            proves_nothing = excused or outcome.error_id == "open-now" or outcome.result is Result.ALREADY_RIGHT
            if outcome.result is Result.DONE:
                self._confirmed += 1
            elif self._is_trying and not proves_nothing:
                self._first = self._first or outcome.router
        return outcome


@dataclass(slots=True)
class _Hop:
    """What was seen of a router on the way to others. Times are those of ``time.monotonic``."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    looked: float = -math.inf
    gone: float | None = None
    """Since when it does not answer; None: it does."""
    away: float = -math.inf
    """When it last did not."""


class _Ways:
    """Whether the routers on the way to others answer. One look serves everybody who asks at that time."""

    def __init__(self, pusher: Pusher) -> None:
        self._pusher = pusher
        self._hops = {name: _Hop() for name in pusher.inventory.routers}

    def look(self, name: str) -> None:
        """Looks at the way to a router that cannot be reached."""
        for hop in way(self._pusher.inventory, name):
            self._gone(hop)

    def away_since(self, name: str, began: float) -> list[str]:
        """Which routers on the way to one were seen away since then."""
        return sorted(hop for hop in way(self._pusher.inventory, name) if self._hops[hop].away >= began)

    def gone(self) -> set[str]:
        """Which routers on the way to others did not answer when they were last looked at."""
        return {name for name, hop in self._hops.items() if hop.gone is not None}

    def come_back(self, name: str) -> bool:
        """Waits until the way to a router answers. False: there is none, it stays away, or somebody wants to end."""
        hops = way(self._pusher.inventory, name)
        while hops and not self._pusher.stop.wait(PAUSE_SECONDS):
            gone = [since for hop in hops if (since := self._gone(hop)) is not None]
            if not gone:
                return True
            if time.monotonic() - min(gone) > LONGEST_OUTAGE:
                break
        return False

    def _gone(self, name: str) -> float | None:
        """Since when a router on the way does not answer; None: it does, or nobody can tell."""
        hop = self._hops[name]
        with hop.lock:
            if time.monotonic() - hop.looked < PAUSE_SECONDS:
                return hop.gone
            answers = self._answers(name)
            hop.looked = time.monotonic()
            if answers:
                hop.gone = None
                return None
            if hop.gone is None:
                self._pusher.say("", f"{name} does not answer; what is behind it waits until it is back")
                hop.gone = hop.looked
            hop.away = hop.looked
            return hop.gone

    def _answers(self, name: str) -> bool:
        inventory = self._pusher.inventory
        try:
            scan(target_of(inventory, self._pusher.known_hosts, inventory.routers[name]), Deadline(LOOK_SECONDS))
        except WifimgrError as error:  # such as a router without an address: nobody can tell
            return error.id != "unreachable"
        return True


@contextmanager
def _endings() -> Iterator[list[int]]:
    """Ctrl-C, a closed terminal and ``kill`` only leave a note, wherever in our code they arrive.

    A note and nothing else: a handler that took a lock could interrupt another one that holds it.
    """
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    heard = [number for number in ENDINGS if signal.getsignal(number) is not signal.SIG_IGN]  # nohup ignores one
    before = {number: signal.signal(number, lambda number, _: asked.append(number)) for number in heard}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _as_they_end(futures: list[Future[Outcome]], pusher: Pusher, asked: list[int]) -> Iterator[Future[Outcome]]:
    left = set(futures)
    while left:
        ended, left = wait(left, timeout=POLL_SECONDS, return_when="FIRST_COMPLETED")
        _heed(asked, pusher)
        yield from ended


def _heed(asked: list[int], pusher: Pusher) -> None:
    """Stops when somebody asked for it, before anything else begins."""
    if asked and not pusher.stop.is_set():
        pusher.stop.set()
        pusher.say("", "stopping: what is not confirmed goes back now; this takes a moment")
