"""A service of a simulated router that answers datagrams, as long as the router answers at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from wifimgr.lab.router import SimulatedRouter

Answer = Callable[[bytes], bytes | None]
"""What to say to a datagram; None: nothing."""


async def serve(router: SimulatedRouter, service: str, answer: Answer) -> tuple[int, Callable[[], None]]:
    """Listens on 127.0.0.1. Returns the port, and what ends it."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Service(router, service, answer), local_addr=("127.0.0.1", 0)
    )
    return transport.get_extra_info("sockname")[1], transport.close


class _Service(asyncio.DatagramProtocol):
    def __init__(self, router: SimulatedRouter, service: str, answer: Answer) -> None:
        self._router, self._service, self._answer = router, service, answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        said = self._answer(data) if self._router.answers(self._service) else None
        if said is not None:
            self._transport.sendto(said, addr)
