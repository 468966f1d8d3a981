"""A UDP echo (RFC 862): how a simulated router answers ping without rights that a normal user lacks."""

from __future__ import annotations

from collections.abc import Callable

from wifimgr.lab import datagram
from wifimgr.lab.router import SimulatedRouter
from wifimgr.settings import SnmpProfile


async def serve(router: SimulatedRouter, profile: SnmpProfile | None) -> tuple[int, Callable[[], None]]:
    """Sends back whatever comes."""
    return await datagram.serve(router, "ping", lambda data: data)
