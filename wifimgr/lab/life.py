"""What goes on in a simulated router: it has guests, moves octets, and grows older.

All numbers follow from the router's name and the clock, so that every service of the router tells the same, and the
stand-ins (shell) can reckon them too: they read the file ``lab/life``, lines of ``name=number``.
"""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass
from pathlib import Path

GUESTS_CHANGE = 20
"""Seconds between two changes of the number of guests."""
MEMORY_TOTAL = 128 << 20
OCTETS_PER_GUEST = 4000
"""A second, received; three times as many are sent."""


@dataclass(frozen=True, slots=True)
class Now:
    """How a router is at one moment. Octets count from its boot."""

    uptime: int
    """Seconds."""
    load: float
    memory_total: int
    memory_available: int
    """Bytes."""
    guests: dict[str, int]
    """Radio to how many are connected."""
    receive_bytes: dict[str, int]
    transmit_bytes: dict[str, int]
    """Interface to octets."""


class Life:
    """The life of one router. ``folder`` is where its stand-ins look for it."""

    RADIOS = ("radio0", "radio1")
    INTERFACES = ("br-lan", "wan", "phy0-ap0", "phy1-ap0")

    def __init__(self, name: str, folder: Path) -> None:
        self._seed = zlib.crc32(name.encode()) % 1000
        self._file = folder / "life"
        self._guests = {radio: (self._seed * (number + 3)) % 9 for number, radio in enumerate(self.RADIOS)}
        self._booted = int(time.time()) - 3600 * (1 + self._seed % 200)
        self._write()

    def boot(self) -> None:
        """The router starts anew: its counters begin at zero."""
        self._booted = int(time.time())
        self._write()

    def seat(self, guests: int) -> None:
        """From now on about so many guests are there, shared among the radios."""
        first = guests // 2
        self._guests = dict(zip(self.RADIOS, (first, guests - first), strict=True))
        self._write()

    def now(self) -> Now:
        """How it is at this moment."""
        clock = int(time.time())
        uptime = clock - self._booted
        guests = {radio: self._guests_of(radio, clock) for radio in self.RADIOS}
        octets = uptime * OCTETS_PER_GUEST * (1 + self._seed % 7)
        return Now(
            uptime=uptime,
            load=((self._seed + clock // 7) % 60) / 100,
            memory_total=MEMORY_TOTAL,
            memory_available=MEMORY_TOTAL // 2 - (self._seed << 10) - (clock % 50 << 12),
            guests=guests,
            receive_bytes={name: octets // (number + 1) for number, name in enumerate(self.INTERFACES)},
            transmit_bytes={name: 3 * octets // (number + 1) for number, name in enumerate(self.INTERFACES)},
        )

    def _guests_of(self, radio: str, clock: int) -> int:
        base = self._guests[radio]
        return base + (clock // GUESTS_CHANGE + self._seed) % 2 if base else 0

    def _write(self) -> None:
        """Written for the stand-ins: what does not follow from the clock alone."""
        numbers = {"seed": self._seed, "booted": self._booted} | {f"guests_{k}": v for k, v in self._guests.items()}
        self._file.write_text("".join(f"{name}={number}\n" for name, number in numbers.items()), encoding="ascii")
