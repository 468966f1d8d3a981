"""ping: the round trip, and why there is none. ICMP itself is tested with the real thing in tests/real/."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from icmplib import ICMPRequest, ICMPSocketError, ICMPv4DestinationUnreachable, SocketPermissionError, TimeoutExceeded
from icmplib.models import ICMPReply

from tests.networks import write
from tests.sources.asking import ask, listening
from wifimgr.inventory import load
from wifimgr.model import Failure, Measured, Reading
from wifimgr.sources import ping, read
from wifimgr.ssh import KnownHosts


def test_udp_echo_is_a_round_trip_and_nothing_more(tmp_path: Path) -> None:
    async def main() -> None:
        async with listening(lambda back, data, addr: back.sendto(data, addr)) as (node, port):
            found = (await ask(tmp_path, f"127.0.0.1:{port}", source="ping")).measured
            assert found
            assert found.round_trip
            assert 0 < found.round_trip < 30
            assert found == Measured(round_trip=found.round_trip)
            await ask(tmp_path, f"127.0.0.1:{port}", source="ping")
            assert len(set(node.asked)) == 2, "every question has bytes of its own"

    asyncio.run(main())


def test_an_echo_of_something_else_does_not_count(tmp_path: Path) -> None:
    async def main() -> None:
        async with listening(lambda back, data, addr: back.sendto(data[::-1], addr)) as (_, port):
            assert (await ask(tmp_path, f"127.0.0.1:{port}", source="ping")).failure is Failure.ANSWER

    asyncio.run(main())


def test_silence_is_a_timeout(tmp_path: Path) -> None:
    async def main() -> None:
        async with listening(lambda *_: None) as (_, port):
            assert (await ask(tmp_path, f"127.0.0.1:{port}", 0.3, source="ping")).failure is Failure.TIMEOUT

    asyncio.run(main())


class Fake:
    """An ICMP socket that does as it is told; behind :class:`icmplib.AsyncSocket`."""

    def __init__(self, answers: list[Exception | int], allowed: tuple[bool, ...], privileged: bool) -> None:
        if privileged not in allowed:
            raise SocketPermissionError(privileged)
        self.answers = answers

    def __enter__(self) -> Fake:
        return self

    def __exit__(self, *rest: object) -> None:
        pass

    def send(self, request: ICMPRequest) -> None:
        request._time = 100.0

    async def receive(self, request: ICMPRequest, timeout: float) -> ICMPReply:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return ICMPReply("192.0.2.2", 4, request.id, request.sequence, answer, 1, 64, 100.25)


def icmp(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *answers: Exception | int, allowed: tuple[bool, ...] = (True, False)
) -> Reading:
    """Pings an address where these answers come, one a try; ``allowed`` says which kinds of sockets there are."""
    monkeypatch.setattr(ping, "AsyncSocket", lambda sock: sock)
    kind = lambda privileged: Fake(list(answers), allowed, privileged)  # noqa: E731
    monkeypatch.setattr(ping, "_SOCKETS", dict.fromkeys(ping._SOCKETS, kind))
    inventory = load(write(folder))
    source = ping.Ping(inventory, KnownHosts(folder / "known_hosts"))
    return asyncio.run(read("ping", source, inventory.routers["eins-ap"], 5, lambda line: None))


@pytest.mark.parametrize("allowed", [(False,), (True,), (True, False)])
def test_either_kind_of_socket_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: tuple[bool, ...]
) -> None:
    reading = icmp(tmp_path, monkeypatch, 0, allowed=allowed)
    assert (reading.failure, reading.measured) == (None, Measured(round_trip=0.25))


def test_without_rights_it_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = icmp(tmp_path, monkeypatch, 0, allowed=())
    assert reading.failure is Failure.SETUP
    assert "net.ipv4.ping_group_range" in reading.detail


def test_a_lost_echo_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert icmp(tmp_path, monkeypatch, TimeoutExceeded(1), 0).failure is None
    assert icmp(tmp_path, monkeypatch, *[TimeoutExceeded(1)] * 3).failure is Failure.TIMEOUT


def test_what_stands_in_the_way_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unreachable = icmp(tmp_path, monkeypatch, 3)
    assert unreachable.failure is Failure.REFUSED
    assert "host unreachable" in unreachable.detail
    assert icmp(tmp_path, monkeypatch, ICMPSocketError("Network is unreachable")).failure is Failure.REFUSED
    assert icmp(tmp_path, monkeypatch, 12).failure is Failure.ANSWER


def test_an_impossible_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(address: str) -> None:
        raise UnicodeError("label too long")

    monkeypatch.setattr(ping, "_resolve", fail)
    assert icmp(tmp_path, monkeypatch, 0).failure is Failure.REFUSED
    assert issubclass(ICMPv4DestinationUnreachable, ping.DestinationUnreachable)
