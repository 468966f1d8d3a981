"""What carries bytes to a router: a socket of our own, or a channel that the router before it opens for us.

A socket has ``TCP_NODELAY``: without it, Nagle and delayed ACK cost 90 ms per connection.
"""

from __future__ import annotations

import queue
import socket
import threading
from contextlib import suppress
from typing import Any

import paramiko
from paramiko.ssh_exception import ChannelException

from wifimgr.settings import Endpoint
from wifimgr.ssh.deadline import Deadline
from wifimgr.ssh.target import Target
from wifimgr.ssh.trouble import NotForwarded, reason

READ_AHEAD = 65536
"""Bytes. paramiko asks for the head and the rest of each packet on its own."""
CONNECT_FAILED = 2
"""Why a server opens no channel: it cannot reach who was asked for. All other reasons are its own (RFC 4254, 5.1)."""


class Line:
    """What carries bytes to the target, and whether anything ever came back."""

    def __init__(self, line: socket.socket | paramiko.Channel) -> None:
        self._line, self.heard = line, False
        self._held = b""
        self.until: Deadline | None = None
        """When it is dead for all who wait for something that comes or goes over it. It is asked ten times a second."""

    def recv(self, size: int) -> bytes:
        """What came, up to so many bytes."""
        if not self._held:
            self._end_in_time()
            self._held = self._line.recv(READ_AHEAD)
            self.heard = self.heard or bool(self._held)
        data, self._held = self._held[:size], self._held[size:]
        return data

    def send(self, data: bytes) -> int:
        """Sends as much as there is room for; returns how much that was."""
        self._end_in_time()
        return self._line.send(data)

    @property
    def is_over(self) -> bool:
        """Whether its time is over."""
        return self.until is not None and self.until.passed()

    def _end_in_time(self) -> None:
        if self.is_over:
            raise EOFError

    def close(self) -> None:
        """Hangs up."""
        with suppress(EOFError, OSError):  # it may be a channel of a way that is gone: no reason for noise
            self._line.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._line, name)


def open_line(target: Target, way: paramiko.Transport | None, deadline: Deadline) -> Line:
    """A line to the target, over its ``way``; without one, straight. Raises OSError, UnicodeError."""
    address = (target.endpoint.address, target.endpoint.port)
    if way is None or target.through is None:
        sock = _dial(target.endpoint, deadline)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Line(sock)
    jump = target.through.name
    try:
        return Line(way.open_channel("direct-tcpip", address, ("127.0.0.1", 0), timeout=deadline.left()))
    except ChannelException as error:
        if error.code == CONNECT_FAILED:
            raise ConnectionError(f"{jump} cannot connect to it") from None
        raise NotForwarded(f"{jump} does not forward connections") from None
    except Exception as error:  # paramiko raises whatever ended its thread
        if deadline.passed():
            raise TimeoutError from None
        raise ConnectionResetError(f"the connection to {jump} was lost: {reason(error)}") from None


def _dial(endpoint: Endpoint, deadline: Deadline) -> socket.socket:
    """A connection to one of the addresses of an endpoint; each has its part of the time. Raises OSError."""
    addresses = _addresses(endpoint.address, deadline)
    for left in range(len(addresses), 0, -1):
        try:
            return socket.create_connection((addresses[-left], endpoint.port), deadline.left() / left)
        except OSError:
            if left == 1:
                raise
    raise AssertionError("a name has an address")


def _addresses(name: str, deadline: Deadline) -> list[str]:
    """The IP addresses of a name, an address itself as it is. Raises OSError, UnicodeError."""
    numeric, plain = socket.AddressFamily.AF_UNSPEC, socket.AI_NUMERICHOST
    try:
        socket.getaddrinfo(name, None, numeric, socket.SOCK_STREAM, flags=plain)
    except socket.gaierror:
        zone = name.partition("%")[2]
        if zone and ":" in name:
            raise OSError(f"this machine has no network interface {zone}") from None
    else:
        return [name]
    # Nobody can interrupt the system while it asks for a name, so a thread waits for that; it ends by itself.
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(each[4][0]) for each in found)))
        except Exception as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True, name=f"name of {name}").start()
    try:
        answer = answers.get(timeout=deadline.left())
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer
