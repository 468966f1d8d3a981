"""What every source has in common.

A source answers with :class:`~wifimgr.model.Measured` or raises :class:`SourceError`; it never stores anything.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from wifimgr.errors import ConfigError, visible
from wifimgr.model import Failure, Measured, Reading, Router

Say = Callable[[str], None]
"""Takes a line about what is asked and what comes back, for ``poll --explain``; never a secret."""


_BANDS = {"2.4": (2400, 2500), "5": (4900, 5925), "6": (5925, 7125)}
"""Name of a band, and its frequencies in MHz: from, and below."""


MOST_RADIOS, MOST_NAMES, MOST_INTERFACES = 16, 16, 128
"""Of one router, network names of one radio: hostapd has no more of them. Each becomes series, rows and words."""


class SourceError(Exception):
    """A source gave no answer. ``detail`` is one line for admins, without secrets."""

    def __init__(self, failure: Failure, detail: str) -> None:
        self.failure, self.detail = failure, visible(" ".join(detail.split()))
        super().__init__(self.detail)


class Source(Protocol):
    """One way to ask routers. It belongs to one event loop, and serves many routers at the same time."""

    async def ask(self, router: Router, seconds: float, say: Say) -> Measured:
        """What the router tells, within ``seconds``. Raises SourceError, or ConfigError for a missing secret."""

    async def close(self) -> None:
        """Gives back sockets and threads."""


async def read(name: str, source: Source, router: Router, seconds: float, say: Say) -> Reading:
    """One reading of one source. Whatever goes wrong becomes a reading with a failure, a bug of ours too."""
    began = time.monotonic()
    failure, detail, measured = None, "", None
    try:
        async with asyncio.timeout(seconds):
            measured = _bounded(await source.ask(router, seconds, say))
    except SourceError as error:
        failure, detail = error.failure, error.detail
    except TimeoutError:
        failure, detail = Failure.TIMEOUT, f"no answer within {seconds:g} s"
    except ConfigError as error:
        failure, detail = Failure.SETUP, error.line()
    except Exception as error:  # a router can send anything: the others go on
        failure, detail = Failure.ANSWER, visible(f"{type(error).__name__}: {error}")
    if failure:
        say(f"failed ({failure}): {detail}")
    return Reading(
        router=router.name,
        source=name,
        at=datetime.now(UTC),
        took=time.monotonic() - began,
        failure=failure,
        detail=detail,
        measured=measured,
    )


def _bounded(measured: Measured) -> Measured:
    """What one router may tell at most, so that none of them fills metrics, pages and the store for all."""
    radios = (replace(radio, ssids=radio.ssids[:MOST_NAMES]) for radio in measured.radios[:MOST_RADIOS])
    return replace(measured, radios=tuple(radios), interfaces=measured.interfaces[:MOST_INTERFACES])


def band_of(mhz: float | None) -> str:
    """The band of a frequency, ``2.4``, ``5`` or ``6``; empty: of none."""
    return next((band for band, (low, high) in _BANDS.items() if mhz is not None and low <= mhz < high), "")


def reason_of(error: Exception) -> str:
    """What the system says is wrong, without numbers and names of types where it can be."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
