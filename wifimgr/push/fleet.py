"""Many routers in one go: leaves before what they are behind, in parallel; a failing router stops no other."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from wifimgr.inventory import Inventory
from wifimgr.model import Change, Outcome
from wifimgr.push.apply import Pusher

AT_ONCE = 50
"""Routers that are pushed to at the same time."""
POLL_SECONDS = 0.2
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals of somebody who wants a push to end."""


def waves(inventory: Inventory, changes: Iterable[Change]) -> list[list[Change]]:
    """Groups changes by how many routers lie between us and the router, the farthest first.

    So a router and its way to us are never changed at the same time, and the way is changed last.
    """
    by_depth: dict[int, list[Change]] = {}
    for change in changes:
        by_depth.setdefault(depth(inventory, change.router), []).append(change)
    return [by_depth[key] for key in sorted(by_depth, reverse=True)]


def depth(inventory: Inventory, name: str) -> int:
    """How many routers lie between us and this one: those it is behind, and those that we log in through."""
    way: set[str] = set()
    ahead = [name]
    while ahead:
        router = inventory.routers[ahead.pop()]
        nearer = {name for name in (router.behind, inventory.network.jump(router)) if name} - way
        way |= nearer
        ahead += nearer
    return len(way)


def push_all(pusher: Pusher, changes: Iterable[Change], done: Callable[[Outcome], None]) -> list[Outcome]:
    """Pushes all changes; calls ``done`` as each router ends. Returns the outcomes in that order.

    On Ctrl-C every router that is in the middle is taken back or left confirmed before this returns; the ones not
    begun are skipped. The caller sees what happened in the outcomes and in ``pusher.stop``.
    """
    outcomes: list[Outcome] = []
    with _endings() as asked, ThreadPoolExecutor(AT_ONCE) as pool:
        for wave in waves(pusher.inventory, changes):
            _heed(asked, pusher)
            for future in _as_they_end([pool.submit(pusher.push, change) for change in wave], pusher, asked):
                outcomes.append(future.result())
                done(outcomes[-1])
    return outcomes


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
