"""What the people who run the network are told in the same words on the command line and at the ops door."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from wifimgr.health import REASONS
from wifimgr.model import Reason
from wifimgr.store import Beat

PATIENCE_WITH_WORKER = 60.0
"""Seconds without a sign of life after which we say that no worker runs."""


def told(reason: Reason, clock: Callable[[datetime], str]) -> str:
    """A reason in words: what it is, about what, until when."""
    about = f" ({reason.about})" if reason.about else ""
    until = f", until {clock(reason.until)}" if reason.until else ""
    return f"{REASONS[reason.id]}{about}{until}"


def worker_trouble(beat: Beat | None, now: datetime) -> list[str]:
    """That nobody keeps on asking the routers; empty: somebody does."""
    if beat is None:
        return ["no worker has run yet: 'wifimgr serve' keeps on asking"]
    age = abs((now - beat.at).total_seconds())  # one from the future is of before the clock was set back
    if age > PATIENCE_WITH_WORKER:
        return [f"no worker runs: its last sign of life was {age:.0f} s ago; 'wifimgr serve' keeps on asking"]
    return []
