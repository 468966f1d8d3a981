"""SNMP v1 and v2c by hand, for agents that misbehave: as much BER (X.690) as they need, and a socket in a thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Oid = tuple[int, ...]
Var = tuple[Oid, bytes]
"""An OID and its encoded value."""

GET, NEXT, RESPONSE, BULK, REPORT = 0xA0, 0xA1, 0xA2, 0xA5, 0xA8
COUNTER32, GAUGE32, TIME_TICKS, COUNTER64 = 0x41, 0x42, 0x43, 0x46
MISSING = b"\x81\x00"
"""noSuchInstance."""
END = b"\x82\x00"
"""endOfMibView."""
NULL = b"\x05\x00"


def element(tag: int, content: bytes) -> bytes:
    """One element of BER."""
    size = len(content)
    head = bytes([size]) if size < 128 else bytes([0x82, size >> 8, size & 255])
    return bytes([tag]) + head + content


def number(value: int, tag: int = 2) -> bytes:
    """An INTEGER, or one of its kin."""
    return element(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def text(value: bytes) -> bytes:
    """An OCTET STRING."""
    return element(4, value)


def oid(value: Oid) -> bytes:
    """An OBJECT IDENTIFIER."""
    octets = [40 * value[0] + value[1]]
    for part in value[2:]:
        bits = [part & 127]
        while part := part >> 7:
            bits.append(part & 127 | 128)
        octets += reversed(bits)
    return element(6, bytes(octets))


def dotted(value: str) -> Oid:
    """An OID as people write it."""
    return tuple(map(int, value.split(".")))


def message(
    community: bytes, tag: int, request_id: int, status: int, index: int, variables: Iterable[Var], version: int = 1
) -> bytes:
    """One message of SNMP v2c; in a GETBULK ``status`` and ``index`` are non-repeaters and max-repetitions."""
    pairs = b"".join(element(0x30, oid(name) + value) for name, value in variables)
    pdu = element(tag, number(request_id) + number(status) + number(index) + element(0x30, pairs))
    return element(0x30, number(version) + text(community) + pdu)


def elements(data: bytes) -> list[tuple[int, bytes]]:
    """The elements that stand one behind the other."""
    found = []
    while data:
        size, start = data[1], 2
        if size > 127:
            start += size & 127
            size = int.from_bytes(data[2:start], "big")
        found.append((data[0], data[start : start + size]))
        data = data[start + size :]
    return found


def read_oid(content: bytes) -> Oid:
    """The numbers of an OBJECT IDENTIFIER."""
    parts, value = list(divmod(content[0], 40)), 0
    for octet in content[1:]:
        value = value << 7 | octet & 127
        if octet < 128:
            parts.append(value)
            value = 0
    return tuple(parts)


@dataclass(frozen=True)
class Message:
    """A message of SNMP v1 or v2c, taken apart."""

    version: int
    """As on the wire: 0 is v1, 1 is v2c."""
    community: bytes
    tag: int
    request_id: int
    status: int
    index: int
    variables: list[tuple[Oid, int, bytes]]
    """OID, and the tag and content of its value."""

    @classmethod
    def read(cls, data: bytes) -> Message:
        """Takes a message apart. It must be a good one."""
        (_, version), (_, community), (tag, pdu) = elements(elements(data)[0][1])
        request_id, status, index, (_, pairs) = elements(pdu)
        variables = [elements(pair) for _, pair in elements(pairs)]
        return cls(
            version[0],
            community,
            tag,
            *(int.from_bytes(content, "big", signed=True) for _, content in (request_id, status, index)),
            [(read_oid(name), kind, value) for (_, name), (kind, value) in variables],
        )

    @property
    def oids(self) -> list[Oid]:
        """What it asks for."""
        return [name for name, _, _ in self.variables]

    def answer(self, variables: Iterable[Var], *, tag: int = RESPONSE, status: int = 0, index: int = 0) -> bytes:
        """A response to this request."""
        return message(self.community, tag, self.request_id, status, index, variables, self.version)


Behave = Callable[[Message], Iterable[bytes]]
"""What an agent sends when it is asked."""


class WireAgent:
    """Sends what ``behave`` says. A context manager; ``asked`` is all that came."""

    def __init__(self, behave: Behave, family: socket.AddressFamily = socket.AF_INET) -> None:
        self.behave = behave
        self.asked: list[Message] = []
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> WireAgent:
        self._thread.start()
        return self

    def __exit__(self, *about: Any) -> None:
        with socket.socket(self.socket.family, socket.SOCK_DGRAM) as end:
            end.sendto(b"", self.socket.getsockname())
        self._thread.join()
        self.socket.close()

    def _serve(self) -> None:
        while True:
            data, self.client = self.socket.recvfrom(65535)
            if not data:
                return
            asked = Message.read(data)
            self.asked.append(asked)
            for datagram in self.behave(asked):
                self.socket.sendto(datagram, self.client)


def ask(
    port: int, tag: int, oids: Iterable[Oid], *, community: bytes, repetitions: int = 0, seconds: float = 10.0
) -> Message | None:
    """Asks an agent on this machine once; None when it stays silent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.connect(("127.0.0.1", port))
        line.settimeout(seconds)
        line.send(message(community, tag, 4711, 0, repetitions, [(name, NULL) for name in oids]))
        try:
            return Message.read(line.recv(65535))
        except TimeoutError:
            return None
