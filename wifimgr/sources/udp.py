"""One question and one answer over UDP."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import cast

from wifimgr.model import Failure
from wifimgr.settings import Endpoint
from wifimgr.sources.base import SourceError, reason_of

TRIES = 3
"""So often a question is sent, for a datagram may be lost."""


async def exchange(endpoint: Endpoint, question: bytes, seconds: float) -> tuple[bytes, float]:
    """Asks until something comes back or the time is over. Returns the answer and the seconds it took.

    The socket is connected: what comes from anybody else is not seen. Raises SourceError.
    """
    for _ in range(TRIES):
        with suppress(TimeoutError):
            return await _once(endpoint, question, seconds / TRIES)
    raise SourceError(Failure.TIMEOUT, f"no answer from {endpoint} within {seconds:g} s")


async def _once(endpoint: Endpoint, question: bytes, seconds: float) -> tuple[bytes, float]:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[tuple[bytes, float]] = loop.create_future()
    try:
        async with asyncio.timeout(seconds):
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Question(question, answer), remote_addr=(endpoint.address, endpoint.port)
            )
            try:
                return await answer
            finally:
                transport.close()
    except TimeoutError:
        raise
    except (OSError, UnicodeError) as error:  # a name of an impossible form is no OSError
        raise SourceError(Failure.REFUSED, f"{endpoint} cannot be asked ({reason_of(error)})") from None


class _Question(asyncio.DatagramProtocol):
    """Sends the question when it is connected, and takes the first answer."""

    def __init__(self, question: bytes, answer: asyncio.Future[tuple[bytes, float]]) -> None:
        self._question, self._answer = question, answer
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sent = time.perf_counter()
        cast(asyncio.DatagramTransport, transport).sendto(self._question)

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self._answer.done():
            self._answer.set_result((data, time.perf_counter() - self._sent))

    def error_received(self, exc: Exception) -> None:
        """What ICMP says: nobody listens, or there is no way."""
        if not self._answer.done():
            self._answer.set_exception(exc)
