"""Leases: two processes never work on the same thing at once."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from sqlalchemy import Row, bindparam, select

from wifimgr.errors import Refused, StoreError
from wifimgr.store.database import Database, now
from wifimgr.store.schema import lease

_DUTY = "*"
"""Begins the name of a lease that is no router's; no router has a name like that."""
# Made once: to make a statement costs several times what it costs to run it, and each push runs all of these.
_OF_ROUTER = select(lease).where(lease.c.router == bindparam("name"))
_TAKE = lease.insert()
_REMOVE = lease.delete().where(lease.c.router == bindparam("name"))
_GIVE_BACK = _REMOVE.where(lease.c.owner == bindparam("who"))


class Held:
    """A duty that is ours as long as it is renewed in time."""

    def __init__(self, leases: Leases, duty: str, owner: str, seconds: float) -> None:
        self._leases, self._duty, self._owner, self._seconds = leases, duty, owner, seconds

    def renew(self) -> None:
        """Makes it last ``seconds`` from now. Raises Refused (``leased``) when it ran out and another one has it."""
        other = self._leases._take(_DUTY + self._duty, self._owner, self._seconds)
        if other:
            what = f"another wifimgr does this ({_process(other.owner)})"
            raise Refused("leased", what, where=self._duty, hint="this one goes on when that one ends")


class Leases(Database):
    """Who works on what right now."""

    @contextmanager
    def lease(self, router: str, seconds: float) -> Iterator[None]:
        """Keeps every other wifimgr from working on this router, for as long as the block runs, at most ``seconds``.

        Raises Refused (``leased``) when another one has it.
        """
        owner = _new_owner()
        other = self._take(router, owner, seconds)
        if other:
            until = other.expires.replace(tzinfo=UTC).astimezone().strftime("%H:%M:%S")
            what = f"another wifimgr works on it ({_process(other.owner)}, until {until} at the latest)"
            raise Refused("leased", what, where=router, hint="wait for it to end, then try again")
        try:
            yield
        finally:
            self._give_back(router, owner)

    @contextmanager
    def hold(self, duty: str, seconds: float) -> Iterator[Held]:
        """Keeps every other wifimgr from a duty that is no router, like ``watch``; :meth:`Held.renew` prolongs it.

        Raises Refused (``leased``) when another one has it.
        """
        owner = _new_owner()
        held = Held(self, duty, owner, seconds)
        held.renew()
        try:
            yield held
        finally:
            self._give_back(_DUTY + duty, owner)

    def leased(self) -> frozenset[str]:
        """The routers that some wifimgr works on right now."""
        with self._reading() as connection:
            rows = connection.execute(select(lease).where(lease.c.expires >= now())).all()
            return frozenset(row.router for row in rows if not row.router.startswith(_DUTY) and not _is_gone(row.owner))

    def _take(self, name: str, owner: str, seconds: float) -> Row[tuple[str, str, datetime]] | None:
        """Takes or prolongs a lease; returns who has it when that is another one."""
        with self._writing() as connection:
            holder = connection.execute(_OF_ROUTER, {"name": name}).one_or_none()
            free = holder is None or holder.owner == owner or holder.expires < now() or _is_gone(holder.owner)
            if not free:
                return holder
            if holder is not None:
                connection.execute(_REMOVE, {"name": name})
            expires = now() + timedelta(seconds=seconds)
            connection.execute(_TAKE, {"router": name, "owner": owner, "expires": expires})
        return None

    def _give_back(self, name: str, owner: str) -> None:
        with suppress(StoreError), self._writing() as connection:  # what cannot be given back runs out by itself
            connection.execute(_GIVE_BACK, {"name": name, "who": owner})


def _new_owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"


def _process(owner: str) -> str:
    return owner.rpartition(":")[0]


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
