"""ICMP for real: this machine answers itself."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import require_real
from tests.networks import SITE, write
from wifimgr.inventory import load
from wifimgr.model import Failure, Reading
from wifimgr.sources import read
from wifimgr.sources.ping import Ping
from wifimgr.ssh import KnownHosts

pytestmark = pytest.mark.real
require_real("root")


def ping(folder: Path, address: str, seconds: float = 30.0) -> Reading:
    inventory = load(write(folder, eins=SITE.replace("192.0.2.2", address)))
    source = Ping(inventory, KnownHosts(folder / "known_hosts"))
    return asyncio.run(read("ping", source, inventory.routers["eins-ap"], seconds, lambda line: None))


@contextmanager
def without_rights() -> Iterator[None]:
    """As a normal user."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def may_ping() -> bool:
    """Whether a normal user's socket for echoes is allowed here."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP).close()
    except PermissionError:
        return False
    return True


@pytest.mark.parametrize("address", ["127.0.0.1", "'::1'", "localhost"])
def test_round_trip_to_this_machine(tmp_path: Path, address: str) -> None:
    reading = ping(tmp_path, address)
    assert reading.measured, reading.detail
    assert reading.measured.round_trip is not None
    assert 0 <= reading.measured.round_trip < 30


def test_an_address_that_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    assert ping(tmp_path, "255.255.255.255").failure is Failure.REFUSED


def test_a_normal_user_pings_where_the_system_allows_it_and_is_told_what_to_set_where_not(tmp_path: Path) -> None:
    with without_rights():
        allowed = may_ping()
    write(tmp_path, eins=SITE.replace("192.0.2.2", "127.0.0.1"))
    inventory = load(tmp_path)
    source = Ping(inventory, KnownHosts(tmp_path / "known_hosts"))
    with without_rights():
        reading = asyncio.run(read("ping", source, inventory.routers["eins-ap"], 30, lambda line: None))
    assert reading.failure is (None if allowed else Failure.SETUP)
    assert allowed or "net.ipv4.ping_group_range" in reading.detail


def test_many_echoes_at_the_same_time_are_not_mixed_up(tmp_path: Path) -> None:
    """A raw socket sees the echoes of all others: an address that is silent must not live on somebody else's."""
    inventory = load(write(tmp_path, eins=SITE.replace("192.0.2.2", "127.0.0.1").replace("192.0.2.1", "240.0.0.1")))
    source = Ping(inventory, KnownHosts(tmp_path / "known_hosts"))
    there, silent = inventory.routers["eins-ap"], inventory.routers["eins-gw"]

    async def main() -> tuple[list[Reading], list[Reading]]:
        wanted = [silent] * 20 + [there] * 200
        readings = await asyncio.gather(*(read("ping", source, router, 3, lambda line: None) for router in wanted))
        return readings[:20], readings[20:]

    failed, answered = asyncio.run(main())
    assert all(reading.failure in (Failure.TIMEOUT, Failure.REFUSED) for reading in failed)
    assert [reading.failure for reading in answered] == [None] * 200
