"""One look at everything, which all views share: what page, command line and metrics show is taken from here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from wifimgr.errors import StoreError
from wifimgr.health import Verdict, judge, merged
from wifimgr.inventory import Inventory
from wifimgr.model import Known, Measured, Router
from wifimgr.store import Store


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one moment."""

    at: datetime
    """UTC."""
    inventory: Inventory
    known: Mapping[tuple[str, str], Known]
    """(router, source) to what is remembered of it."""
    verdict: Verdict

    def measured(self, router: Router) -> Measured:
        """What is known of a router right now; see :func:`~wifimgr.health.merged`."""
        return merged(self.inventory, router, self.known, self.at)


def take(inventory: Inventory, store: Store, now: datetime) -> Snapshot:
    """Looks into the store once and judges. Raises StoreError."""
    known = store.known()
    return Snapshot(now, inventory, known, judge(inventory, known, now, store.last_flips()))


class Looker:
    """A look that is shared: however many ask, from whatever thread, there is one every ``seconds`` at most.

    A look that fails is shared too, so that nobody stands in line for a database that does not answer.
    """

    def __init__(self, look: Callable[[], Snapshot], seconds: float = 1.0) -> None:
        self._look, self._seconds = look, seconds
        self._lock = threading.Lock()
        self._seen: Snapshot | StoreError | None = None
        self._until = 0.0

    def __call__(self) -> Snapshot:
        """What is seen. Raises StoreError."""
        with self._lock:
            if self._seen is None or time.monotonic() >= self._until:
                try:
                    self._seen = self._look()
                except StoreError as error:
                    self._seen = error
                self._until = time.monotonic() + self._seconds
            seen = self._seen
        if isinstance(seen, StoreError):
            raise seen.with_traceback(None)
        return seen
