"""The database file itself: opened, brought to the newest shape, read and written in transactions."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from wifimgr.errors import StoreError
from wifimgr.store.migrate import is_newest, migrate

FILE = "state.db"
BUSY_SECONDS = 10.0


class Database:
    """An open database. Every method raises StoreError (``store-failed``) when it cannot be read or written."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / FILE
        self._engine = _engine(self.path)
        self._readers = self._engine.execution_options(reading=True)
        self._opening = threading.Lock()
        self._turn = threading.Lock()
        self._here = threading.local()
        self._file: tuple[int, int] | None = None
        with self._failing_clearly():
            self._open()

    def close(self) -> None:
        """Closes the database; it cannot be used after that."""
        self._engine.dispose()

    def _open(self) -> None:
        """Opens the file, or the one that stands in its place now: nobody else sees one that was taken away."""
        with self._opening:
            if self._file and self._file == _identity(self.path):
                return
            self._engine.dispose()
            _for_us_alone(self.path)
            with self._begin(reading=True) as connection:
                newest = is_newest(connection)
            if not newest:
                with self._begin(reading=False) as connection:
                    migrate(connection)
            self._file = _identity(self.path)

    @contextmanager
    def _begin(self, *, reading: bool) -> Iterator[Connection]:
        with (self._readers if reading else self._engine).begin() as connection:
            yield connection

    @contextmanager
    def together(self) -> Iterator[None]:
        """All that this thread writes inside is one transaction: everything is written, or nothing."""
        with self._writing() as connection:
            self._here.joined = connection
            try:
                yield
            finally:
                self._here.joined = None

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """One thread after the other: in SQLite all that wait ask again and again, and some never get their turn."""
        joined: Connection | None = getattr(self._here, "joined", None)
        if joined is not None:
            with self._failing_clearly():
                yield joined
            return
        with self._failing_clearly(), self._turn:
            self._open()
            with self._begin(reading=False) as connection:
                yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """Sees everything as it was at one moment, and waits for nobody who writes."""
        with self._failing_clearly():
            self._open()
            with self._begin(reading=True) as connection:
                yield connection

    @contextmanager
    def _failing_clearly(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, ValueError) as error:  # ValueError: a value that is none, like a date "yesterday"
            reason = (str(getattr(error, "orig", None) or error).splitlines() or [type(error).__name__])[0]
            hint = "check free space and permissions of this folder"
            raise StoreError(
                "store-failed", f"the store cannot be used: {reason}", where=str(self.path), hint=hint
            ) from None


def now() -> datetime:
    """The time as the store keeps it: UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one of the same name; None: there is none."""
    with suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None


def _for_us_alone(path: Path) -> None:
    """Nobody else may read it. Where that cannot be said, SQLite tells what is wrong with the file."""
    with suppress(OSError):
        path.touch(mode=0o600)
        mode = path.stat().st_mode
        if mode & 0o077:
            path.chmod(mode & 0o700)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switches to WAL. SQLite itself does not wait for another process that does the same to a new file."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        time.sleep(0.01)


def _engine(path: Path) -> Engine:
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "isolation_level": None})

    @event.listens_for(engine, "connect")
    def _set_up(connection, _record):  # type: ignore[no-untyped-def]
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that begins by reading cannot become a writing one while another process writes.
        reading = connection.get_execution_options().get("reading")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine
