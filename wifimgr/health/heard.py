"""What the sources of a router tell right now: fresh, failing, silent; and its values, merged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import Enum, auto
from typing import TypeVar

from wifimgr.inventory import Inventory
from wifimgr.model import Failure, Interface, Known, Measured, Reading, Reason, Router
from wifimgr.settings import Network

PATIENCE = 2
"""So many failures in a row make a source count as failing; one lost packet is no news."""
FRESH_INTERVALS = 3
"""A reading is fresh for so many intervals of its router."""

SILENCE = frozenset({Failure.TIMEOUT, Failure.REFUSED})
"""Failures that mean that nobody answered. With the others somebody did, or nobody was asked."""


def known_of(router: Router, known: Mapping[tuple[str, str], Known]) -> dict[str, Known]:
    """What is remembered of a router, by source: those that the inventory names and that were polled."""
    return {source: known[router.name, source] for source in router.sources if (router.name, source) in known}


T = TypeVar("T")
Told = TypeVar("Told", Measured, Interface)


def merged(inventory: Inventory, router: Router, known: Mapping[tuple[str, str], Known], now: datetime) -> Measured:
    """What is known of a router right now: of each value the first fresh one, in the order of its ``sources``.

    Only the latest readings count: a source that failed tells nothing, so that no value is ever frozen. Interfaces are
    joined by name. Radios are not: each source calls them something else, and their guests would count twice.
    """
    interval = inventory.network.interval(router)
    latest = [one.latest for one in known_of(router, known).values()]
    told = [reading.measured for reading in latest if reading.measured and is_fresh(reading, now, interval)]
    return replace(_united(told, Measured()), interfaces=_interfaces(told))


def first(values: Iterable[T | None]) -> T | None:
    """The first value that was told."""
    return next((value for value in values if value is not None and value not in ("", ())), None)


def _united(parts: Sequence[Told], empty: Told) -> Told:
    """Of each field the first value that one of the parts tells."""
    values = {field.name: first(getattr(part, field.name) for part in parts) for field in fields(empty)}
    return replace(empty, **{name: value for name, value in values.items() if value is not None})


def _interfaces(told: Iterable[Measured]) -> tuple[Interface, ...]:
    """The interfaces of all sources, each name once."""
    found: dict[str, list[Interface]] = defaultdict(list)
    for measured in told:
        for interface in measured.interfaces:
            found[interface.name].append(interface)
    return tuple(_united(parts, Interface(name=name)) for name, parts in found.items())


def is_fresh(reading: Reading, now: datetime, interval: float) -> bool:
    """Whether a reading still counts. One from the future is worth as little as one that is too old."""
    return abs((now - reading.at).total_seconds()) <= FRESH_INTERVALS * interval


class _Word(Enum):
    """What one source tells right now."""

    TELLS = auto()
    """It answered, or failed so few times that its last answer still counts."""
    UNREADABLE = auto()
    """Somebody answered, but refused us or made no sense."""
    PATIENT = auto()
    """Nobody answered, but not often enough to mean something."""
    SILENT = auto()
    """Nobody answered, again and again."""
    UNASKED = auto()
    """Something is missing on our side, so it could not be asked."""
    OLD = auto()
    """It was asked too long ago."""


_ABSENCE = (
    (_Word.UNREADABLE, "unreadable"),
    (_Word.PATIENT, "stale"),
    (_Word.SILENT, "silent"),
    (_Word.UNASKED, "unreadable"),
    (_Word.OLD, "stale"),
)
"""Why a router tells nothing: the first row with a word that one of its sources has."""


def _word(one: Known, now: datetime, interval: float) -> tuple[_Word, Measured | None]:
    """What a source tells, and what its router is judged from."""
    latest, good = one.latest, one.good
    if not is_fresh(latest, now, interval):
        return _Word.OLD, None
    if latest.measured:
        return _Word.TELLS, latest.measured
    if good and good.measured and one.failures < PATIENCE and is_fresh(good, now, interval):
        return _Word.TELLS, good.measured
    if latest.failure is Failure.SETUP:
        return _Word.UNASKED, None
    if latest.failure not in SILENCE:
        return _Word.UNREADABLE, None
    return _Word.PATIENT if one.failures < PATIENCE else _Word.SILENT, None


@dataclass(frozen=True, slots=True)
class Heard:
    """What the sources of one router tell right now."""

    router: Router
    interval: float
    """Seconds."""
    told: tuple[Measured, ...]
    """What it is judged from, in the order of its sources; what was told before a failure comes last."""
    failing: tuple[str, ...]
    """Sources that fail."""
    absent: Reason | None
    """Why there is nothing to judge from; None: there is."""
    in_vain: bool | None
    """Whether nobody answered the latest question of any source, be it for the first time; None: not asked lately."""
    answered: datetime | None
    """When it last answered, however long ago."""
    checked: datetime | None
    """When it was last asked."""

    @property
    def silent(self) -> bool:
        """Whether nobody answers, again and again."""
        return self.absent is not None and self.absent.id == "silent"


def hear(network: Network, router: Router, known: Mapping[tuple[str, str], Known], now: datetime) -> Heard:
    """What the sources of one router tell at ``now``."""
    interval = network.interval(router)
    sources = known_of(router, known)
    said = {source: _word(one, now, interval) for source, one in sources.items()}
    words = {source: word for source, (word, _) in said.items()}
    by_age = sorted(sources, key=lambda source: sources[source].failures > 0)
    asked = [one.latest for one in sources.values() if one.latest.failure is not Failure.SETUP]
    asked += [one.good for one in sources.values() if one.good]
    # Where the clock was set back, nobody knows when that was.
    asked = [reading for reading in asked if (reading.at - now).total_seconds() <= FRESH_INTERVALS * interval]
    ends = {sources[source].latest.failure for source, word in words.items() if word is not _Word.OLD}
    ends.discard(Failure.SETUP)
    return Heard(
        router=router,
        interval=interval,
        told=tuple(measured for source in by_age if (measured := said[source][1])),
        failing=tuple(source for source, word in words.items() if word in (_Word.SILENT, _Word.UNREADABLE)),
        absent=_absence(words),
        in_vain=ends <= SILENCE if ends else None,
        answered=max((reading.at for reading in asked if reading.failure not in SILENCE), default=None),
        checked=max((reading.at for reading in asked), default=None),
    )


def _absence(words: Mapping[str, _Word]) -> Reason | None:
    """Why there is nothing to judge a router from. ``words``: source to what it tells."""
    if not words:
        return Reason(id="never-polled")
    if _Word.TELLS in words.values():
        return None
    word, id = next(row for row in _ABSENCE if row[0] in words.values())
    about = next(source for source, one in words.items() if one is word)
    return Reason(id=id, about=about if id == "unreadable" else "")
