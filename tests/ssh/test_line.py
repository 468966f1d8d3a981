"""Names and addresses of routers, and the lines to them."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko.common import OPEN_SUCCEEDED

from tests.networks import write
from tests.ssh.servers import HOST, HOST_RSA, RSA, Desk, enter, refused, rsa_file, serving, to
from wifimgr.errors import RouterError
from wifimgr.inventory import load
from wifimgr.settings import Endpoint
from wifimgr.ssh import Deadline, HostKey, KnownHosts, connect, target_of
from wifimgr.ssh.line import Line


class Hop(Desk):
    """Opens whatever connection is wished, and forwards so many bytes, both ways together; then it hangs."""

    forwards, deaf = 0, False
    to: tuple[str, int] = ("", 0)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.free = threading.Event()

    def check_channel_direct_tcpip_request(self, chanid: int, origin: Any, destination: tuple[str, int]) -> int:
        self.to = destination
        return OPEN_SUCCEEDED

    def forward(self, channel: paramiko.Channel) -> None:
        """What is done with a connection."""
        far = socket.create_connection(self.to)
        for ends in ((channel, far), (far, channel)):
            threading.Thread(target=self._pump, args=(channel, *ends), daemon=True).start()

    def _pump(self, channel: paramiko.Channel, source: Any, target: Any) -> None:
        with suppress(OSError, EOFError), closing(source):
            while data := source.recv(4096):
                self.forwards -= len(data)
                if self.forwards < 0:
                    if self.deaf:  # not even the connection to it is read any more
                        channel.get_transport().packetizer.read_message = lambda *_: self.free.wait(600)
                    self.free.wait(600)
                    return
                target.sendall(data)


def swallow(channel: paramiko.Channel) -> None:
    """Takes all that is sent and says nothing."""
    with suppress(OSError, EOFError):
        while channel.recv(65536):
            pass


@pytest.mark.parametrize("deaf", [False, True])
@pytest.mark.parametrize("forwards", [10, 1500, 3000, 30_000])
def test_a_hop_that_hangs_in_the_middle_is_left_at_the_deadline(forwards: int, deaf: bool, tmp_path: Path) -> None:
    """In the handshake behind it, in the login, or in a script that is too long to be sent without an answer."""
    hop, key = Hop([RSA]), rsa_file(tmp_path)
    hop.forwards, hop.deaf = forwards, deaf
    with serving(Desk([RSA]), HOST, swallow) as far, serving(hop, HOST_RSA, hop.forward) as near:
        target = to(far, HOST, key_file=key, through=to(near, HOST_RSA, name="hop", key_file=key))
        began = time.monotonic()
        with pytest.raises(RouterError) as caught, connect(target, Deadline(3)) as connection:
            connection.run("# " + "x" * 4_000_000, Deadline(600))
        took = time.monotonic() - began
        hop.free.set()
    assert "cannot be reached (no answer in time)" in caught.value.line()
    assert took < 100


@pytest.mark.parametrize("address", ["nowhere.invalid", "a" * 64 + ".invalid", ""])
def test_address_that_leads_nowhere_is_unreachable(address: str, tmp_path: Path) -> None:
    assert refused(to(Endpoint(address, 1), HOST, key_file=rsa_file(tmp_path)), 5.0).id == "unreachable"


def test_a_name_that_nobody_answers_about_is_left_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked, real = threading.Event(), socket.getaddrinfo

    def slow(name: str, *rest: Any, flags: int = 0, **more: Any) -> Any:
        if flags & socket.AI_NUMERICHOST:
            return real(name, *rest, flags=flags, **more)
        asked.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    began = time.monotonic()
    found = refused(to(Endpoint("router.example.org", 22), HOST, key_file=rsa_file(tmp_path)), 0.5)
    asked.set()
    assert "(no answer in time)" in found.line()
    assert time.monotonic() - began < 15


def test_each_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serving(Desk([RSA]), HOST) as endpoint:
        monkeypatch.setattr("wifimgr.ssh.line._addresses", lambda name, deadline: ["127.0.0.9", endpoint.address])
        enter(to(Endpoint("router.example.org", endpoint.port), HOST, key_file=rsa_file(tmp_path)))


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6")
def test_an_ipv6_address_is_reached(tmp_path: Path) -> None:
    with serving(Desk([RSA]), HOST, family=socket.AF_INET6, address="::1") as endpoint:
        assert endpoint.address == "::1"
        enter(to(endpoint, HOST, key_file=rsa_file(tmp_path)))


def link_local() -> str:
    """A link-local address of this machine with its zone; empty: it has none."""
    with suppress(OSError):
        for line in Path("/proc/net/if_inet6").read_text().splitlines():
            digits, _, _, scope, _, interface = line.split()
            if scope == "20":
                return f"{socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits))}%{interface}"
    return ""


@pytest.mark.skipif(not link_local(), reason="needs an interface with a link-local address")
def test_a_link_local_address_is_reached_by_its_zone(tmp_path: Path) -> None:
    address = link_local()
    with serving(Desk([RSA]), HOST, family=socket.AF_INET6, address="::") as endpoint:
        entry = f"{{addresses: ['{address}'], ports: {{ssh: {endpoint.port}}}}}"
        site = f"name: Eins\nkind: library\nrouters: {{eins-ap: {entry}}}\n"
        inventory = load(write(tmp_path, eins=site))
        known = KnownHosts(tmp_path / "known_hosts")
        known.trust({"eins-ap": HostKey(HOST.get_name(), HOST.get_base64())})
        target = target_of(inventory, known, inventory.routers["eins-ap"])
        enter(replace(target, key_file=rsa_file(tmp_path)))


def test_a_zone_that_is_not_there_is_named(tmp_path: Path) -> None:
    found = refused(to(Endpoint("fe80::1%nowhere0", 22), HOST, key_file=rsa_file(tmp_path)))
    assert "cannot be reached (this machine has no network interface nowhere0)" in found.line()


def test_a_line_whose_way_is_gone_is_closed_without_noise() -> None:
    class Gone:
        def close(self) -> None:
            raise EOFError

    Line(Gone()).close()  # type: ignore[arg-type]
