"""Sources for tests of the watcher: they answer what a test wants, as long as it wants, and note who was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.networks import NETWORK, write
from wifimgr.inventory import Inventory, load
from wifimgr.model import Internet, Measured, Router
from wifimgr.sources import SOURCES, Say
from wifimgr.ssh import KnownHosts

FINE = Measured(wifi=True, clients=3, internet=Internet(works=True, asked_from="guest"))
PATIENCE = 60.0
"""Seconds that anything may take on a busy machine."""

Answer = Callable[[Router], Awaitable[Measured]]


async def fine(router: Router) -> Measured:
    """Everything works."""
    return FINE


async def never(router: Router) -> Measured:
    """No answer comes."""
    await asyncio.Event().wait()
    raise AssertionError


class Fake:
    """A source. ``answer`` says what every router answers; a test may change it at any time."""

    def __init__(self) -> None:
        self.answer: Answer = fine
        self.asked: list[str] = []
        """Routers in the order in which they were asked."""
        self.at_once = self.most_at_once = 0
        self.opened = self.closed = 0
        self.seconds: set[float] = set()

    async def ask(self, router: Router, seconds: float, say: Say) -> Measured:
        self.asked.append(router.name)
        self.seconds.add(seconds)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            say(f"asks {router.name}")
            return await self.answer(router)
        finally:
            self.at_once -= 1

    async def close(self) -> None:
        self.closed += 1

    def open(self, inventory: object, known_hosts: KnownHosts) -> Fake:
        """Stands in :data:`~wifimgr.sources.SOURCES`."""
        self.opened += 1
        return self


def install(monkeypatch: pytest.MonkeyPatch, *names: str) -> dict[str, Fake]:
    """From now on there are these sources and no others."""
    fakes = {name: Fake() for name in names}
    for name in list(SOURCES):
        monkeypatch.delitem(SOURCES, name)  # type: ignore[arg-type]
    for name, fake in fakes.items():
        monkeypatch.setitem(SOURCES, name, fake.open)  # type: ignore[arg-type]
    return fakes


def network(folder: Path, routers: int = 3, sources: str = "[snmp, ubus, ping]", interval: str = "60s") -> Inventory:
    """A house with routers ``ap-0``, ``ap-1``, …"""
    lines = "".join(f"  ap-{n}: {{addresses: [10.0.{n >> 8}.{n & 255}]}}\n" for n in range(routers))
    house = f"name: Haus\nkind: library\nsources: {sources}\ninterval: {interval}\nrouters:\n{lines or '  {}'}"
    return load(write(folder, NETWORK, haus=house))


async def until(done: Callable[[], object], step: Callable[[], Awaitable[object]] | None = None) -> None:
    """Waits until something is so; ``step`` is done again and again meanwhile. Fails when it never is."""
    async with asyncio.timeout(PATIENCE):
        while not done():
            if step:
                await step()
            await asyncio.sleep(0.001)
