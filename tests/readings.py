"""What sources told, made by hand: readings, and what is remembered of them as the store would."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wifimgr.health import judge
from wifimgr.inventory import Inventory
from wifimgr.model import Failure, Known, Measured, Reading
from wifimgr.views.snapshot import Snapshot

Knowledge = dict[tuple[str, str], Known]


def good(router: str, source: str, at: datetime, took: float = 0.25, **measured: Any) -> Reading:
    """An answer."""
    return Reading(router=router, source=source, at=at, took=took, measured=Measured(**measured))


def failed(router: str, source: str, at: datetime, failure: Failure = Failure.TIMEOUT, detail: str = "") -> Reading:
    """No answer."""
    return Reading(router=router, source=source, at=at, took=5.0, failure=failure, detail=detail or "no answer")


def remembered(*readings: Reading) -> Knowledge:
    """What is known after these readings, in the order in which they came."""
    known: Knowledge = {}
    for reading in readings:
        key = (reading.router, reading.source)
        before = known.get(key)
        bad = int(reading.failure is not None)
        known[key] = Known(
            latest=reading,
            good=(before and before.good) if bad else reading,
            failures=(before.failures if before else 0) + 1 if bad else 0,
            polls=(before.polls if before else 0) + 1,
            failed={
                reason: (before.failed[reason] if before else 0) + (reading.failure is reason) for reason in Failure
            },
        )
    return known


def seen(inventory: Inventory, at: datetime, *readings: Reading) -> Snapshot:
    """A look at everything after these readings, judged by the real rules."""
    known = remembered(*readings)
    return Snapshot(at, inventory, known, judge(inventory, known, at, {}))
