"""What is watched: the last readings of every source, the flips of health, and the worker's sign of life."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError
from sqlalchemy import Row, Select, bindparam, case, func, select
from sqlalchemy.dialects.sqlite import insert

from wifimgr.model import Failure, Fault, Flip, Known, Reading, Reason, State
from wifimgr.store.database import Database
from wifimgr.store.schema import beat, flip, source

log = logging.getLogger(__name__)

_READING = TypeAdapter(Reading)
_REASONS = TypeAdapter(tuple[Reason, ...])

_FAILED = {failure: f"failed_{failure}" for failure in Failure}
_INSERT = insert(source)
_NEW = _INSERT.excluded
_UPSERT = _INSERT.on_conflict_do_update(
    index_elements=[source.c.router, source.c.source],
    set_={
        "version": _NEW.version,
        "latest": _NEW.latest,
        "good": case((_NEW.failures == 0, None), (source.c.failures == 0, source.c.latest), else_=source.c.good),
        "failures": case((_NEW.failures == 0, 0), else_=source.c.failures + 1),
        "polls": source.c.polls + 1,
        **{name: source.c[name] + _NEW[name] for name in _FAILED.values()},
    },
)
_NEWEST_FLIPS = select(func.max(flip.c.id)).group_by(flip.c.kind, flip.c.name)


@dataclass(frozen=True, slots=True)
class Beat:
    """A sign of life of the worker."""

    at: datetime
    """In UTC."""
    lag: float
    """Seconds that the most overdue poll is late."""
    inventory_error: str = ""
    """Why the worker still uses an older inventory; empty: it uses the newest."""


class Watched(Database):
    """What sources told, and what was made of it."""

    def __init__(self, state_dir: Path) -> None:
        super().__init__(state_dir)
        # What was read before, so that only what is newer is read again: decoding everything takes long.
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], Known | None] = {}
        self._version = 0
        self._last: dict[tuple[str, str], Flip] = {}
        self._newest_flip = 0
        self._read_from = self._file

    def _start_anew(self) -> None:
        """Forgets what was read from a file that is not the store any more."""
        if self._read_from != self._file:
            self._known, self._version, self._last, self._newest_flip = {}, 0, {}, 0
            self._read_from = self._file

    # ------------------------------------------------------------ readings

    def record(self, readings: Iterable[Reading]) -> None:
        """Remembers readings: all of them or, when the store fails, none."""
        rows = [_row(reading) for reading in readings]
        if not rows:
            return
        with self._writing() as connection:
            newest = connection.execute(select(func.max(source.c.version))).scalar() or 0
            version = max(newest + 1, time.time_ns() // 1000)  # grows, even when all rows went in the meantime
            connection.execute(_UPSERT, [{**row, "version": version} for row in rows])

    def known(self) -> dict[tuple[str, str], Known]:
        """(router, source) to what is remembered of it. A row of another form than ours counts as never polled."""
        with self._lock:
            with self._reading() as connection:
                self._start_anew()
                self._learn(connection.execute(select(source).where(source.c.version > self._version)).all())
                if connection.execute(select(func.count()).select_from(source)).scalar() != len(self._known):
                    self._known.clear()  # some were forgotten
                    self._learn(connection.execute(select(source)).all())
            return {key: known for key, known in self._known.items() if known}

    def _learn(self, rows: Iterable[Row[Any]]) -> None:
        for row in rows:
            self._known[row.router, row.source] = _known_of(row)
            self._version = max(self._version, row.version)

    def forget(self, keep: Collection[tuple[str, str]]) -> None:
        """Forgets the readings of all others than these (router, source): they left the inventory."""
        one = source.delete().where(source.c.router == bindparam("r"), source.c.source == bindparam("s"))
        with self._writing() as connection:
            there = {(row.router, row.source) for row in connection.execute(select(source.c.router, source.c.source))}
            gone = [{"r": router, "s": name} for router, name in there - set(keep)]
            if gone:
                connection.execute(one, gone)

    # ------------------------------------------------------------ flips

    def flip(self, flips: Iterable[Flip]) -> None:
        """Remembers changes of health: all of them or, when the store fails, none.

        One that another process has remembered already is left out: its state is the last one of that name.
        """
        given = list(flips)
        if not given:
            return
        with self._writing() as connection:
            new = [_flip_row(each) for each in given if connection.execute(_state_of(each)).scalar() != each.after]
            if new:
                connection.execute(flip.insert(), new)

    def last_flips(self) -> dict[tuple[str, str], Flip]:
        """(kind, name) to its last flip."""
        with self._lock:
            with self._reading() as connection:
                self._start_anew()
                new = flip.c.id > self._newest_flip if self._newest_flip else flip.c.id.in_(_NEWEST_FLIPS)
                for row in connection.execute(select(flip).where(new).order_by(flip.c.id)):
                    self._last[row.kind, row.name] = _flip_of(row)
                    self._newest_flip = row.id
            return dict(self._last)

    def flips(self, kind: str, name: str, limit: int = 50) -> list[Flip]:
        """The last flips of one router or place, newest first."""
        rows = select(flip).where(flip.c.kind == kind, flip.c.name == name).order_by(flip.c.id.desc()).limit(limit)
        with self._reading() as connection:
            return [_flip_of(row) for row in connection.execute(rows)]

    def tidy(self, before: datetime) -> None:
        """Deletes flips from before a time (UTC). The last one of each name stays: it says since when."""
        old = flip.c.at < before.astimezone(UTC).replace(tzinfo=None)
        with self._writing() as connection:
            connection.execute(flip.delete().where(old, flip.c.id.not_in(_NEWEST_FLIPS)))

    # ------------------------------------------------------------ the worker

    def beat(self, sign: Beat) -> None:
        """The worker says that it is alive."""
        values = {
            "id": 1,
            "at": sign.at.astimezone(UTC).replace(tzinfo=None),
            "lag": sign.lag,
            "inventory_error": sign.inventory_error,
        }
        with self._writing() as connection:
            connection.execute(insert(beat).values(values).on_conflict_do_update(index_elements=["id"], set_=values))

    def last_beat(self) -> Beat | None:
        """The last sign of life of a worker; None: there never was one."""
        with self._reading() as connection:
            row = connection.execute(select(beat)).one_or_none()
        return Beat(row.at.replace(tzinfo=UTC), row.lag, row.inventory_error) if row else None


def _row(reading: Reading) -> dict[str, object]:
    """What is written when nothing is known of a source yet."""
    reading, text = _storable(reading)
    return {
        "router": reading.router,
        "source": reading.source,
        "latest": text,
        "good": None,
        "failures": int(reading.failure is not None),
        "polls": 1,
        **{name: int(reading.failure is failure) for failure, name in _FAILED.items()},
    }


def _storable(reading: Reading) -> tuple[Reading, str]:
    """The reading and its JSON. What a source made of an odd answer may be nothing that JSON can hold."""
    try:
        return reading, _READING.dump_json(reading, warnings="error").decode()
    except PydanticSerializationError:
        failed = replace(reading, failure=Failure.ANSWER, detail="it told what cannot be text or number", measured=None)
        return failed, _READING.dump_json(failed).decode()


def _known_of(row: Row[Any]) -> Known | None:
    try:
        latest = _READING.validate_json(row.latest, strict=True)
        good = _READING.validate_json(row.good, strict=True) if row.good else None
    except ValidationError as error:
        log.warning("what is stored of %s (%s) cannot be understood: %s", row.router, row.source, error)
        return None
    return Known(
        latest=latest,
        good=good if latest.failure else latest,
        failures=row.failures,
        polls=row.polls,
        failed={failure: getattr(row, name) for failure, name in _FAILED.items()},
    )


def _state_of(one: Flip) -> Select[Any]:
    """The last state of the same name."""
    mine = select(flip.c.after).where(flip.c.kind == one.kind, flip.c.name == one.name)
    return mine.order_by(flip.c.id.desc()).limit(1)


def _flip_row(one: Flip) -> dict[str, object]:
    return {
        "at": one.at.astimezone(UTC).replace(tzinfo=None),
        "kind": one.kind,
        "name": one.name,
        "before": one.before,
        "after": one.after,
        "reasons": _REASONS.dump_json(one.reasons).decode(),
        "fault": one.fault,
    }


def _flip_of(row: Row[Any]) -> Flip:
    return Flip(
        at=row.at.replace(tzinfo=UTC),
        kind=row.kind,
        name=row.name,
        before=row.before and State(row.before),
        after=State(row.after),
        reasons=_REASONS.validate_json(row.reasons, strict=True),
        fault=row.fault and Fault(row.fault),
    )
