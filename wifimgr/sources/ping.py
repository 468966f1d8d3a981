"""ping: whether a router is there at all, and how far away. It says nothing about Wi-Fi or internet.

ICMP echo. A router with a port for ``ping`` is asked for a UDP echo there instead (RFC 862), with random bytes, so
that only an echo of this very question counts.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from typing import Any

from icmplib import (
    AsyncSocket,
    DestinationUnreachable,
    ICMPLibError,
    ICMPRequest,
    ICMPSocketError,
    ICMPv4Socket,
    ICMPv6Socket,
    SocketPermissionError,
    TimeoutExceeded,
)
from icmplib.utils import unique_identifier

from wifimgr.inventory import Inventory
from wifimgr.model import Failure, Measured, Router
from wifimgr.sources.base import Say, SourceError, reason_of
from wifimgr.sources.udp import TRIES, exchange
from wifimgr.ssh import KnownHosts

TOKEN_BYTES = 32
NOT_ALLOWED = (
    "this user may not send ping; allow it with sysctl -w net.ipv4.ping_group_range='0 2147483647', or take ping out "
    "of the sources"
)
_SOCKETS = {socket.AF_INET: ICMPv4Socket, socket.AF_INET6: ICMPv6Socket}


class Ping:
    """Asks over ICMP, or over UDP where the router has a port for it."""

    def __init__(self, inventory: Inventory, known_hosts: KnownHosts) -> None:
        self._network = inventory.network

    async def ask(self, router: Router, seconds: float, say: Say) -> Measured:
        """The round trip. Raises SourceError."""
        endpoint = self._network.endpoint(router, "ping")
        if endpoint.port:
            say(f"asks {endpoint} for a UDP echo")
            token = secrets.token_bytes(TOKEN_BYTES)
            answer, took = await exchange(endpoint, token, seconds)
            if answer != token:
                raise SourceError(Failure.ANSWER, f"{endpoint} sends something else than the echo")
        else:
            say(f"asks {endpoint.address} for an ICMP echo")
            took = await _ping(endpoint.address, seconds)
        say(f"echo after {took * 1000:.1f} ms")
        return Measured(round_trip=took)

    async def close(self) -> None:
        """Nothing is kept open."""


async def _ping(address: str, seconds: float) -> float:
    """Seconds until the echo of one of some tries."""
    try:
        family, where = await _resolve(address)
        id = unique_identifier()  # a raw socket sees the echoes of all others, too
        with AsyncSocket(_open(family)) as sock:
            for number in range(TRIES):
                try:
                    return await _echo(sock, ICMPRequest(where, id, number), seconds / TRIES)
                except TimeoutExceeded:
                    continue
    except SocketPermissionError:
        raise SourceError(Failure.SETUP, NOT_ALLOWED) from None
    except (DestinationUnreachable, ICMPSocketError, OSError, UnicodeError) as error:
        raise SourceError(Failure.REFUSED, f"{address} cannot be asked ({reason_of(error)})") from None
    except ICMPLibError as error:
        raise SourceError(Failure.ANSWER, f"{address} sends no echo: {error}") from None
    raise SourceError(Failure.TIMEOUT, f"no echo from {address} within {seconds:g} s")


async def _resolve(address: str) -> tuple[socket.AddressFamily, str]:
    """Family and numeric address, with its zone where it is link-local."""
    found = await asyncio.get_running_loop().getaddrinfo(address, None, type=socket.SOCK_DGRAM)
    family, _, _, _, where = found[0]
    return family, socket.getnameinfo(where, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]


def _open(family: socket.AddressFamily) -> Any:
    """A socket for echoes: one that needs no rights where the system has them, else a raw one."""
    try:
        return _SOCKETS[family](privileged=False)
    except SocketPermissionError:
        return _SOCKETS[family](privileged=True)


async def _echo(sock: Any, request: Any, seconds: float) -> float:
    sock.send(request)
    reply = await sock.receive(request, seconds)
    reply.raise_for_status()
    return max(0.0, float(reply.time - request.time))
