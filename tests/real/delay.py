"""A long way to a router: everything that passes is held for half a round trip, in each direction.

The kernel answers a TCP handshake by itself, at once: whoever counts round trips adds one for each connection.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from wifimgr.settings import Endpoint

CHUNK = 65536


@contextmanager
def delayed(router: Endpoint, round_trip: float) -> Iterator[Endpoint]:
    """Where the router is reached ``round_trip`` seconds away."""
    loop = asyncio.new_event_loop()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, here = await asyncio.open_connection(router.address, router.port)
        with suppress(asyncio.CancelledError):
            await asyncio.gather(_carry(reader, here, round_trip / 2), _carry(there, writer, round_trip / 2))

    server = loop.run_until_complete(asyncio.start_server(forward, router.address, 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield Endpoint(router.address, server.sockets[0].getsockname()[1])
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Passes on what comes, this much later; several pieces may be on their way at the same time."""
    loop = asyncio.get_running_loop()
    on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def arrive() -> None:
        while True:
            at, data = await on_the_way.get()
            await asyncio.sleep(max(0.0, at - loop.time()))
            if not data:
                writer.close()
                return
            writer.write(data)

    arriving = asyncio.create_task(arrive())
    data = b"?"
    while data:
        try:
            data = await reader.read(CHUNK)
        except OSError:  # it broke: nothing more comes from there
            data = b""
        on_the_way.put_nowait((loop.time() + seconds, data))
    with suppress(OSError):
        await arriving


async def _end(server: asyncio.Server) -> None:
    server.close()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
