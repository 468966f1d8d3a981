"""The store: what wifimgr remembers between two runs. The only SQL of the project is in this folder.

A :class:`Store` is a SQLite file in ``.wifimgr/`` (WAL; the command line and the worker write at the same time). It
holds leases, so that two processes never work on one router at once, and the journal of changes.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from wifimgr.errors import Refused, StoreError
from wifimgr.store.migrate import migrate
from wifimgr.store.schema import journal, lease

FILE = "state.db"
BUSY_SECONDS = 10.0


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


class Store:
    """An open store. Every method raises StoreError (``store-failed``) when the database does."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / FILE
        self._engine = _engine(self.path)
        with self._writing() as connection:
            migrate(connection)

    def close(self) -> None:
        """Closes the database; the store cannot be used after that."""
        self._engine.dispose()

    @contextmanager
    def lease(self, router: str, seconds: float) -> Iterator[None]:
        """Keeps every other wifimgr from working on this router, for as long as the block runs, at most ``seconds``.

        Raises Refused (``leased``) when another one has it.
        """
        owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"
        self._take(router, owner, seconds)
        try:
            yield
        finally:
            with suppress(StoreError), self._writing() as connection:  # what cannot be given back runs out by itself
                connection.execute(lease.delete().where(lease.c.router == router, lease.c.owner == owner))

    def _take(self, router: str, owner: str, seconds: float) -> None:
        now = _now()
        with self._writing() as connection:
            connection.execute(lease.delete().where(lease.c.router == router, lease.c.expires < now))
            holder = connection.execute(select(lease).where(lease.c.router == router)).one_or_none()
            if holder is not None and _is_gone(holder.owner):
                connection.execute(lease.delete().where(lease.c.router == router))
                holder = None
            if holder is None:
                values = {"router": router, "owner": owner, "expires": now + timedelta(seconds=seconds)}
                connection.execute(lease.insert().values(**values))
        if holder is not None:
            until = holder.expires.replace(tzinfo=UTC).astimezone().strftime("%H:%M:%S")
            what = f"another wifimgr works on it ({holder.owner.rpartition(':')[0]}, until {until} at the latest)"
            raise Refused("leased", what, where=router, hint="wait for it to end, then try again")

    def begin(self, router: str, *, what: str, why: str, transaction: str) -> int:
        """Writes into the journal that a change of a router begins; returns the number of the entry."""
        values = {"began": _now(), "router": router, "what": what, "why": why, "transaction": transaction}
        with self._writing() as connection:
            result = connection.execute(journal.insert().values(**values))
        [number] = result.inserted_primary_key or (0,)
        return int(number)

    def end(self, number: int, *, result: str, detail: str) -> None:
        """Writes into the journal how a change ended."""
        values = {"ended": _now(), "result": result, "detail": detail}
        with self._writing() as connection:
            connection.execute(journal.update().where(journal.c.id == number).values(**values))

    def entries(self, limit: int = 50) -> list[Entry]:
        """The newest entries of the journal, newest first."""
        with self._writing() as connection:
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

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            if isinstance(error, IntegrityError):
                raise
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            hint = "check free space and permissions of this folder"
            raise StoreError(
                "store-failed", f"the store cannot be used: {reason}", where=str(self.path), hint=hint
            ) from None


def _is_gone(owner: str) -> bool:
    """Whether a lease was left by a process of this machine that has ended (``host:process:number``)."""
    host, process, _ = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _engine(path: Path) -> Engine:
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "isolation_level": None})

    @event.listens_for(engine, "connect")
    def _set_up(connection, _record):  # type: ignore[no-untyped-def]
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that begins by reading cannot become a writing one while another process writes.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
