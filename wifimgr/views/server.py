"""The two doors: each its own listener with its own application, and both end together.

What a door shows is rendered in threads, so a slow database or a slow client never holds up the loop. A client may stay
silent, or stop reading, without keeping its place for ever: a connection has an end, and a door has a most.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from wifimgr.errors import ConfigError

LONGEST_CONNECTION = 120.0
"""Seconds until a connection is cut, whatever it is doing."""
MOST_CONNECTIONS = 300
"""At one door at the same time; below half of the 1,024 open files that a process usually may have."""
IDLE_SECONDS = 5
"""That an idle connection is kept for the next request."""
BACKLOG = 128
"""Clients that may wait to be let in."""
GRACE_SECONDS = 2
"""For requests that are being answered when the doors close."""


def bind(text: str) -> socket.socket:
    """A socket that listens at ``ADDRESS:PORT``; an IPv6 address stands in brackets, port 0 takes a free one.

    Raises ConfigError: ``wrong-type``, ``port-in-use``, ``cannot-listen``.
    """
    match = re.fullmatch(r"(?:\[([^\]]+)\]|([^\s:\[\]]+)):([0-9]{1,5})", text)
    if not match or int(match[3]) > 65535:
        hint = "write ADDRESS:PORT, like 127.0.0.1:8080 or [::1]:8080; 0.0.0.0 and [::] stand for all addresses"
        raise ConfigError("wrong-type", "is not an address to listen at", where=text, hint=hint)
    try:
        found = socket.getaddrinfo(match[1] or match[2], int(match[3]), type=socket.SOCK_STREAM)
        family, _, _, _, place = found[0]
        return socket.create_server(place, family=family, backlog=BACKLOG, dualstack_ipv6=family == socket.AF_INET6)
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that cannot be one
        raise _refusal(text, error) from None


def _refusal(text: str, error: OSError | UnicodeError) -> ConfigError:
    number = getattr(error, "errno", None) or 0
    if number == errno.EADDRINUSE:
        hint = "stop it ('ss -ltnp' shows which one it is), or choose another port"
        return ConfigError("port-in-use", "another program listens there already", where=text, hint=hint)
    if number == errno.EACCES:
        hint = "choose a port from 1024 up, and let a web server forward to it"
        return ConfigError("cannot-listen", "the system does not let us listen there", where=text, hint=hint)
    reason = os.strerror(number).lower() if number > 0 else "no such name"  # errors of names have negative numbers
    hint = "name an address of this machine"
    return ConfigError("cannot-listen", f"we cannot listen there: {reason}", where=text, hint=hint)


def address_of(door: socket.socket) -> str:
    """Where a door is, as people type it into a browser."""
    host, port = door.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


async def run(doors: Sequence[tuple[Starlette, socket.socket]], stop: asyncio.Event) -> None:
    """Answers at every door until ``stop`` is set; then, within seconds, all are closed."""
    servers = [_Server(_config(app)) for app, _ in doors]
    try:
        async with asyncio.TaskGroup() as group:
            for server, (_, door) in zip(servers, doors, strict=True):
                group.create_task(server.serve(sockets=[door]))
            await stop.wait()
            for server in servers:
                server.should_exit = True
    finally:
        for _, door in doors:
            door.close()


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,  # it would hold the addresses of clients
        proxy_headers=False,  # nothing here depends on who asks
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals are for whoever runs the doors."""
        yield


class _Protocol(H11Protocol):
    """HTTP whose patience ends: uvicorn's own waits for ever for a request that never comes."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._end = self.loop.call_later(LONGEST_CONNECTION, transport.abort)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        super().connection_lost(exc)
