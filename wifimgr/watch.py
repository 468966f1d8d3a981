"""Watching: who is due is asked, what comes is stored, and what changed by that is stored as flips.

A :class:`Watcher` asks and stores nothing; :func:`keep` stores and judges and asks nobody.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
import zlib
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from wifimgr.health import flips, judge, watched
from wifimgr.inventory import Inventory
from wifimgr.model import Failure, Measured, Reading, Router
from wifimgr.settings import Network
from wifimgr.sources import SOURCES, Say, Source, SourceError, read
from wifimgr.ssh import KnownHosts
from wifimgr.store import Store

log = logging.getLogger(__name__)

AT_ONCE = 50
"""Routers that are asked at the same time."""
LONGEST = 10.0
"""Seconds that the sources of one router have to answer, or its interval where that is shorter."""
LOGINS = frozenset({"ubus"})
"""Sources that log in. They leave a router alone while somebody works on it."""

SaySource = Callable[[str, str], None]
"""Takes the name of a source and what it does now; never a secret."""


def sources_of(router: Router) -> list[str]:
    """The sources of a router that can be asked: those that the inventory names and that are there."""
    return [name for name in router.sources if name in SOURCES]


@asynccontextmanager
async def opened(
    inventory: Inventory, known_hosts: KnownHosts, routers: Iterable[Router]
) -> AsyncIterator[dict[str, Source]]:
    """The sources that these routers need, by name; closed at the end. One that cannot be opened fails when asked."""
    sources: dict[str, Source] = {}
    try:
        for name in {name: None for router in routers for name in sources_of(router)}:
            try:
                sources[name] = SOURCES[name](inventory, known_hosts)
            except Exception as error:  # the others can be asked all the same
                log.exception("the source %s cannot be opened", name)
                sources[name] = _Unopened(error)
        yield sources
    finally:
        for name, source in sources.items():
            try:
                await source.close()
            except Exception:  # the others are closed all the same
                log.exception("the source %s cannot be closed", name)


class _Unopened:
    """Stands for a source that cannot be opened."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def ask(self, router: Router, seconds: float, say: Say) -> Measured:
        raise SourceError(Failure.SETUP, f"it cannot be opened: {self._error}")

    async def close(self) -> None:
        """Nothing was opened."""


def askable(router: Router, sources: Mapping[str, Source], leased: Collection[str]) -> dict[str, Source]:
    """Those of the open sources that this router may be asked over right now, in the order of the inventory."""
    names = [name for name in router.sources if name in sources]
    return {name: sources[name] for name in names if not (name in LOGINS and router.name in leased)}


async def poll_router(
    router: Router, sources: Mapping[str, Source], seconds: float, say: SaySource = lambda source, text: None
) -> list[Reading]:
    """Asks a router over all of these sources at once; each has ``seconds`` from now. What one does never raises."""

    def ask(name: str) -> Coroutine[object, object, Reading]:
        return read(name, sources[name], router, seconds, partial(say, name))

    # A source may even end its own task, which is no wish of ours to end.
    results = await asyncio.gather(*map(ask, sources), return_exceptions=True)
    return [
        result if isinstance(result, Reading) else _broken_off(router, name, result)
        for name, result in zip(sources, results, strict=True)
    ]


def _broken_off(router: Router, source: str, error: BaseException) -> Reading:
    detail = f"this is a bug in wifimgr: {type(error).__name__}"
    now = datetime.now(UTC)
    return Reading(router=router.name, source=source, at=now, took=0.0, failure=Failure.ANSWER, detail=detail)


def seconds_for(network: Network, router: Router) -> float:
    """How long the sources of a router have to answer."""
    return min(network.interval(router), LONGEST)


async def poll_all(
    inventory: Inventory,
    known_hosts: KnownHosts,
    routers: Iterable[Router],
    leased: Collection[str] = (),
    say: Callable[[str, str, str], None] = lambda router, source, text: None,
) -> dict[str, list[Reading]]:
    """Asks these routers once, now: name to readings. ``say`` takes router, source, and what it does."""
    places = asyncio.Semaphore(AT_ONCE)
    asked = list(routers)

    async def poll(router: Router) -> list[Reading]:
        async with places:
            now = askable(router, sources, leased)
            return await poll_router(router, now, seconds_for(inventory.network, router), partial(say, router.name))

    async with opened(inventory, known_hosts, asked) as sources:
        readings = await asyncio.gather(*map(poll, asked))
    return {router.name: each for router, each in zip(asked, readings, strict=True)}


def keep(store: Store, inventory: Inventory, readings: Iterable[Reading]) -> None:
    """Stores readings, judges everything as it is now, and stores what changed. Raises StoreError."""
    store.record(readings)
    last = store.last_flips()
    store.flip(flips(judge(inventory, store.known(), datetime.now(UTC), last), last))


class Watcher:
    """Asks the watched routers of one inventory, each when it is due. It belongs to one event loop.

    ``due`` is kept by the caller from one inventory to the next: router to the time of ``clock`` when it is next
    asked. A router that is not in there is due now.
    """

    def __init__(
        self,
        inventory: Inventory,
        sources: Mapping[str, Source],
        due: dict[str, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._network, self._sources, self._due, self._clock = inventory.network, sources, due, clock
        self._routers = {router.name: router for router in watched(inventory) if sources_of(router)}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._polls: dict[str, asyncio.Task[None]] = {}
        self._waiting: set[str] = set()
        self._leased: Collection[str] = ()
        self._readings: list[Reading] = []
        self._plan()

    def _plan(self) -> None:
        """What is due when, now that another inventory holds: who left is forgotten, a shorter interval counts."""
        now = self._clock()
        before = dict(self._due)
        self._due.clear()
        for name, router in self._routers.items():
            self._due[name] = min(before.get(name, now), now + self._network.interval(router))

    def ask_due(self, leased: Collection[str] = ()) -> None:
        """Starts to ask who is due; routers in ``leased`` are left alone by sources that log in."""
        now, self._leased = self._clock(), leased
        for name, router in self._routers.items():
            if self._due[name] <= now and name not in self._polls:
                self._waiting.add(name)
                self._polls[name] = asyncio.create_task(self._poll(router))

    async def _poll(self, router: Router) -> None:
        try:
            async with self._places:
                self._waiting.discard(router.name)
                began, interval = self._clock(), self._network.interval(router)
                sources = askable(router, self._sources, self._leased)
                readings = await poll_router(router, sources, seconds_for(self._network, router))
                self._readings.extend(readings)  # not `+= await`: that would bring back what was taken meanwhile
                self._due[router.name] = next_turn(router.name, interval, began)
        finally:
            del self._polls[router.name]

    def take(self) -> list[Reading]:
        """The readings that came since the last call."""
        readings, self._readings = self._readings, []
        return readings

    @property
    def lag(self) -> float:
        """Seconds that the most overdue poll is late."""
        now = self._clock()
        return max((now - self._due[name] for name in self._waiting), default=0.0)

    async def close(self) -> None:
        """Breaks off every poll. Those routers stay due."""
        polls = list(self._polls.values())
        for poll in polls:
            poll.cancel()
        await asyncio.gather(*polls, return_exceptions=True)


def next_turn(name: str, interval: float, began: float) -> float:
    """When a router is next asked that was asked at ``began``: always at the same place in its interval.

    That place follows from the name, so that many routers are spread over the interval. The first turn after the
    first poll comes after half an interval or more.
    """
    place = zlib.crc32(name.encode()) / 2**32 * interval
    return place + math.ceil((began + interval / 2 - place) / interval) * interval
