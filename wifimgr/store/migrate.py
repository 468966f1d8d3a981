"""Brings a store to the newest shape, with Alembic and the steps in ``migrations/``."""

from __future__ import annotations

import threading
from importlib.resources import as_file, files

from sqlalchemy import Connection, inspect, text

from wifimgr.errors import StoreError

REVISION = "0002"
"""The newest step in ``migrations/versions/``; a test compares the two."""


_ONE_AT_A_TIME = threading.Lock()
"""Alembic keeps what it works on in globals of the process."""


def is_newest(connection: Connection) -> bool:
    """Whether the store needs no step any more. Raises StoreError for a store of a newer wifimgr."""
    have = _revision(connection)
    if have > REVISION:
        hint = "use a newer wifimgr, or name another folder with --network"
        raise StoreError("store-failed", f"the store was made by a newer wifimgr (revision {have})", hint=hint)
    return have == REVISION


def migrate(connection: Connection) -> None:
    """Runs the steps that this store has not seen yet; another process may have run them in the meantime."""
    if is_newest(connection):
        return
    # Alembic is imported only when there is something to do: it would cost every command a fifth of a second.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    with as_file(files("wifimgr.store") / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            with _ONE_AT_A_TIME:
                command.upgrade(config, "head")
        except CommandError as error:
            hint = "move this file away: it is not ours"
            raise StoreError("store-failed", f"the store is of another program: {error}", hint=hint) from None


def _revision(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")
