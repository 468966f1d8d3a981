"""Real doors for tests: applications served on free ports of this machine, and a small client to ask them."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.applications import Starlette

from wifimgr.views import server

PATIENCE = 60.0
"""Seconds that anything here may take on a busy machine."""


class Answer(NamedTuple):
    """What a door answered; names of headers in small letters."""

    status: int
    headers: dict[str, str]
    text: str


def ask(url: str, method: str = "GET", **headers: str) -> Answer:
    """Asks once; nothing is followed or kept."""
    parts = urlsplit(url)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)) as connection:
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection.request(method, target, headers={name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        text = answer.read().decode()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)


@contextmanager
def open_doors(*apps: Starlette) -> Iterator[list[str]]:
    """One door for each application, open for as long as the block runs; yields where they are: ``http://…:…``."""
    doors = [(app, server.bind("127.0.0.1:0")) for app in apps]
    began: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        began.set_result((asyncio.get_running_loop(), stop))
        await server.run(doors, stop)

    with ThreadPoolExecutor(1) as thread:
        urls = [server.address_of(door).rstrip("/") for _, door in doors]
        ended = thread.submit(asyncio.run, serve())
        loop, stop = began.result(PATIENCE)
        try:
            yield urls
        finally:
            loop.call_soon_threadsafe(stop.set)
            ended.result(PATIENCE)
