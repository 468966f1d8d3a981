"""The journal: what was changed on which router, when, why, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import bindparam, select

from wifimgr.store.database import Database, now
from wifimgr.store.schema import journal

# Made once, like those of leases.
_BEGIN = journal.insert()
_END = journal.update().where(journal.c.id == bindparam("number"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the journal: what was changed on one router, when, why, and how it ended."""

    id: int
    began: datetime
    """In UTC, as every time in the store."""
    ended: datetime | None
    router: str
    what: str
    why: str
    transaction: str
    result: str
    """A :class:`wifimgr.model.Result`, or ``unfinished`` when wifimgr was stopped before it knew."""
    detail: str


class Journal(Database):
    """What was changed."""

    def begin(self, router: str, *, what: str, why: str, transaction: str) -> int:
        """Writes into the journal that a change of a router begins; returns the number of the entry."""
        values = {"began": now(), "router": router, "what": what, "why": why, "transaction": transaction}
        with self._writing() as connection:
            result = connection.execute(_BEGIN, values)
        [number] = result.inserted_primary_key or (0,)
        return int(number)

    def end(self, number: int, *, result: str, detail: str) -> None:
        """Writes into the journal how a change ended."""
        values = {"number": number, "ended": now(), "result": result, "detail": detail}
        with self._writing() as connection:
            connection.execute(_END, values)

    def entries(self, limit: int = 50) -> list[Entry]:
        """The newest entries of the journal, newest first."""
        with self._reading() as connection:
            rows = connection.execute(select(journal).order_by(journal.c.id.desc()).limit(limit)).all()
        return [
            Entry(
                id=row.id,
                began=row.began.replace(tzinfo=UTC),
                ended=row.ended and row.ended.replace(tzinfo=UTC),
                router=row.router,
                what=row.what,
                why=row.why,
                transaction=row.transaction,
                result=row.result or "unfinished",
                detail=row.detail,
            )
            for row in rows
        ]
