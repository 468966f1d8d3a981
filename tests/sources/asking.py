"""Asks one router over datagrams, with somebody on the other side who answers as a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.networks import SITE, write
from wifimgr.inventory import load
from wifimgr.model import Reading
from wifimgr.sources import SOURCES, read
from wifimgr.ssh import KnownHosts


class Node(asyncio.DatagramProtocol):
    """Answers as it is told to."""

    def __init__(self, answer: Callable[[asyncio.DatagramTransport, bytes, Any], None]) -> None:
        self._answer = answer
        self.asked: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.asked.append(data)
        self._answer(self.transport, data, addr)


@asynccontextmanager
async def listening(
    answer: Callable[[asyncio.DatagramTransport, bytes, Any], None], address: str = "127.0.0.1"
) -> AsyncIterator[tuple[Node, int]]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Node(answer), local_addr=(address, 0)
    )
    try:
        yield protocol, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


async def ask(
    folder: Path, endpoint: str, seconds: float = 30.0, source: str = "respondd", site: str = SITE
) -> Reading:
    """Asks the router ``eins-ap`` of a network, reached at this endpoint."""
    write(folder, local=f"endpoints: {{eins-ap: {{{source}: '{endpoint}'}}}}\n", eins=site)
    inventory = load(folder)
    made = SOURCES[source](inventory, KnownHosts(folder / "known_hosts"))
    try:
        return await read(source, made, inventory.routers["eins-ap"], seconds, lambda line: None)
    finally:
        await made.close()
