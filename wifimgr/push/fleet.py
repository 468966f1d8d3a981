"""Many routers in one go: leaves before what they are behind, in parallel; a failing router stops no other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

from wifimgr.inventory import Inventory
from wifimgr.model import Change, Outcome, Result
from wifimgr.push.apply import Pusher

log = logging.getLogger(__name__)

AT_ONCE = 50
"""Routers that are pushed to at the same time."""
POLL_SECONDS = 0.2


def waves(inventory: Inventory, changes: Iterable[Change]) -> list[list[Change]]:
    """Groups changes by how many routers lie between us and the router, the farthest first.

    So a router and its way to us are never changed at the same time, and the way is changed last.
    """
    by_depth: dict[int, list[Change]] = {}
    for change in changes:
        by_depth.setdefault(depth(inventory, change.router), []).append(change)
    return [by_depth[key] for key in sorted(by_depth, reverse=True)]


def depth(inventory: Inventory, name: str) -> int:
    """How many routers lie between us and this one."""
    behind = inventory.routers[name].behind
    return 0 if behind is None else 1 + depth(inventory, behind)


def push_all(pusher: Pusher, changes: Iterable[Change], done: Callable[[Outcome], None]) -> list[Outcome]:
    """Pushes all changes; calls ``done`` as each router ends. Returns the outcomes in that order.

    On Ctrl-C every router that is in the middle is taken back or left confirmed before this returns; the ones not
    begun are skipped. The caller sees what happened in the outcomes and in ``pusher.stop``.
    """
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for wave in waves(pusher.inventory, changes):
            futures = [pool.submit(pusher.push, change) for change in wave]
            for future in _as_they_end(futures, pusher):
                outcomes.append(_outcome(future, futures, wave))
                done(outcomes[-1])
    return outcomes


def _outcome(future: Future[Outcome], futures: list[Future[Outcome]], wave: list[Change]) -> Outcome:
    """What a push came to. A bug of ours is kept with its traceback and stops no other router."""
    try:
        return future.result()
    except Exception as error:
        router = wave[futures.index(future)].router
        log.exception("pushing to %s", router)
        what = f"this is a bug in wifimgr: {type(error).__name__}; the router goes back by itself if it was touched"
        return Outcome(router, Result.FAILED, what, "please report it", "bug")


def _as_they_end(futures: list[Future[Outcome]], pusher: Pusher) -> Iterator[Future[Outcome]]:
    left = set(futures)
    while left:
        try:
            ended, left = wait(left, timeout=POLL_SECONDS, return_when="FIRST_COMPLETED")
        except KeyboardInterrupt:
            pusher.stop.set()
            pusher.say("", "stopping: what is not confirmed goes back now; this takes a moment")
            continue
        yield from ended
