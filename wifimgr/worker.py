"""The worker: what ``serve`` runs besides pages. It watches, follows the files of the inventory, and tidies up.

Only one worker watches a network. Another one waits until the first has ended, and then takes over.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import ParamSpec, TypeVar

from wifimgr.errors import ConfigError, Refused, StoreError, visible
from wifimgr.health import watched
from wifimgr.inventory import Inventory
from wifimgr.inventory.live import SECONDS_BETWEEN_LOOKS, LiveInventory
from wifimgr.model import Reading
from wifimgr.ssh import KnownHosts
from wifimgr.store import Beat, Held, Store
from wifimgr.watch import Watcher, keep, opened

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

DUTY = "watch"
TICK = 1.0
"""Seconds between two looks at who is due and what came; all times below are in seconds, too."""
BEAT = 10.0
HOLD = 60.0
"""So long nobody takes over from a worker of another machine that has died; on this machine it is seen at once."""
TIDY = 86400.0
KEEP_FLIPS = timedelta(days=365)


def _to_stderr(text: str) -> None:
    print(visible(text), file=sys.stderr)


class Worker:
    """Watches the routers of a network until it is told to stop.

    What goes wrong with files or the store never ends it: ``say`` is told once what is wrong, and once when it is
    right again. Making one raises ConfigError for a broken ``inventory/known_hosts``.
    """

    def __init__(
        self, live: LiveInventory, store: Store, say: Callable[[str], None] = _to_stderr, tick: float = TICK
    ) -> None:
        self._live, self._store, self._say, self._tick = live, store, say, tick
        self._seen = self._inventory = live.current
        self._known_hosts = _known_hosts(live.current)
        self._hosts_error = ""
        self._leased: frozenset[str] = frozenset()
        self._told: dict[str, str] = {}
        self._files, self._beats, self._days = _Every(SECONDS_BETWEEN_LOOKS), _Every(BEAT), _Every(TIDY)

    async def run(self, stop: asyncio.Event) -> None:
        """Watches until ``stop`` is set; then breaks off what is being asked, and returns."""
        with ThreadPoolExecutor(1, "wifimgr-worker") as thread:  # what waits for a disk must not stop the others
            self._thread = thread
            while not stop.is_set():
                await self._serve(stop)

    async def _serve(self, stop: asyncio.Event) -> None:
        """Watches for as long as this is our duty."""
        duty = ExitStack()
        try:
            held = await self._in_thread(duty.enter_context, self._store.hold(DUTY, HOLD))
            self._tell("duty", "", "the other wifimgr has ended: this one watches now")
            await self._watch(held, stop)
        except Refused as error:
            self._tell("duty", error.line())
        except StoreError as error:
            self._tell("store", self._told.get("store") or error.line())
        finally:  # in the same thread, after a beat that may be under way: that one would take the duty again
            self._thread.submit(duty.close).result()
        await _pause(stop, self._tick)

    async def _watch(self, held: Held, stop: asyncio.Event) -> None:
        """Watches, one inventory after the other. Raises Refused when the duty is another one's now."""
        due: dict[str, float] = {}
        while not stop.is_set():
            inventory, routers = self._inventory, watched(self._inventory)
            used = {(router.name, source) for router in routers for source in router.sources}
            await self._safely(self._store.forget, used)
            async with opened(inventory, self._known_hosts, routers) as sources:
                watcher = Watcher(inventory, sources, due)
                try:
                    while not stop.is_set() and self._inventory is inventory:
                        await self._round(watcher, inventory, held)
                        await _pause(stop, self._tick)
                finally:
                    await watcher.close()
                await self._safely(keep, self._store, inventory, watcher.take())

    async def _round(self, watcher: Watcher, inventory: Inventory, held: Held) -> None:
        kept = await self._safely(self._keep, inventory, watcher.take())
        watcher.ask_due(self._leased)
        if self._files.is_due():
            await self._safely(self._look_at_files)
            wrong = self._error and f"{self._error}\nuntil this is right, the inventory as it was before stays in use"
            self._tell("inventory", wrong, "the inventory is right again and used from now on")
        if self._beats.is_due() and await self._safely(self._beat, held, watcher.lag) and kept:
            self._tell("store", "", "the store works again")

    def _keep(self, inventory: Inventory, readings: Iterable[Reading]) -> None:
        keep(self._store, inventory, readings)
        self._leased = self._store.leased()
        if self._days.is_due():
            self._store.tidy(datetime.now(UTC) - KEEP_FLIPS)

    def _beat(self, held: Held, lag: float) -> None:
        held.renew()
        self._store.beat(Beat(datetime.now(UTC), lag, self._error))

    def _look_at_files(self) -> None:
        """Takes over the inventory and the trusted host keys when they changed; both, or neither."""
        self._live.refresh()
        if self._live.current is self._seen:
            return
        self._seen = self._live.current
        try:
            self._known_hosts, self._hosts_error = _known_hosts(self._seen), ""
        except ConfigError as error:
            self._hosts_error = "\n".join(error.lines())
        else:
            self._inventory = self._seen

    @property
    def _error(self) -> str:
        """Why an older inventory is in use, a line each; empty: the newest one is."""
        return "\n".join(filter(None, (self._live.error, self._hosts_error)))

    async def _safely(self, work: Callable[P, object], *args: P.args, **options: P.kwargs) -> bool:
        """Does work in the worker's thread; whether that succeeded. What goes wrong is told, and stops nothing else."""
        try:
            await self._in_thread(work, *args, **options)
        except Refused:
            raise
        except StoreError as error:
            self._tell("store", self._told.get("store") or error.line())
        except Exception as error:
            log.exception("the worker goes on")
            self._tell("bug", f"this is a bug in wifimgr: {type(error).__name__}: {' '.join(str(error).split())} [bug]")
        else:
            return True
        return False

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *args, **options))

    def _tell(self, about: str, wrong: str, right: str = "") -> None:
        """Says what is wrong, or that nothing is wrong any more: each only once."""
        if wrong != self._told.get(about, ""):
            self._told[about] = wrong
            for line in (wrong or right).splitlines():
                self._say(line)


class _Every:
    """Tells when so many seconds have passed; the first time at once."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._next = seconds, 0.0

    def is_due(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


def _known_hosts(inventory: Inventory) -> KnownHosts:
    return KnownHosts(inventory.network.folder / "inventory/known_hosts")


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
