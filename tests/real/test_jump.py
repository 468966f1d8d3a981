"""Through a real dropbear to another one that stands in a network of its own: nothing leads there but the first."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import require_real
from tests.real.conftest import Connect, Network, Start
from tests.real.routers import PATIENCE, Router, only_child
from wifimgr.errors import RouterError
from wifimgr.model import Result
from wifimgr.settings import Endpoint
from wifimgr.sources import read
from wifimgr.sources.ubus import Ubus
from wifimgr.ssh import Deadline, KeyList, Target, connect, scan, ssh_names, target_of

pytestmark = pytest.mark.real

YARD = "ip link set lo up && echo ready && exec cat >/dev/null"


@contextmanager
def yard() -> Iterator[int]:
    """A network that nothing leads to: the number of a process in it."""
    command = ["unshare", "--net", "--fork", "--kill-child", "sh", "-c", YARD]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    try:
        assert process.stdout.readline() == b"ready\n"
        yield only_child(process.pid)
    finally:
        process.communicate(timeout=PATIENCE)


@dataclass
class Gate:
    """A router between here and the yard. It listens here, and what it opens leads into the yard."""

    router: Router
    options: list[str] = field(default_factory=list)
    """Of its dropbear, from the next connection on."""

    @contextmanager
    def opened(self) -> Iterator[Gate]:
        with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
            self.router.endpoint = Endpoint(*listener.getsockname())
            thread = threading.Thread(target=self._accept, args=(listener,))
            thread.start()
            try:
                yield self
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                thread.join(PATIENCE)

    def _accept(self, listener: socket.socket) -> None:
        servers = []
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client:
                    servers.append(self.router.answer(client, *self.options))
        for server in servers:
            server.kill()
            server.wait(PATIENCE)


@dataclass
class Place:
    """A gate, a router in the yard behind it, and the network folder that knows both."""

    gate: Gate
    far: Router
    net: Network

    def target(self, **other: Any) -> Target:
        inventory = self.net.inventory
        return replace(target_of(inventory, self.net.known_hosts, inventory.routers[self.far.name]), **other)


@pytest.fixture
def place(start: Start, network: Connect) -> Iterator[Place]:
    require_real("ip")
    with yard() as inside:
        far, first = start(yard=inside), start(yard=inside)
        with Gate(first).opened() as gate:
            net = network(first, far)
            site = net.folder / "inventory/sites/haus.yaml"
            text = yaml.safe_load(site.read_text())
            for router in (first, far):
                at = {"addresses": [router.endpoint.address], "ports": {"ssh": router.endpoint.port}}
                text["routers"][router.name] = at
            text["routers"][far.name]["jump"] = first.name
            site.write_text(yaml.safe_dump(text))
            (net.folder / ".wifimgr/local.yaml").unlink(missing_ok=True)  # it would lead there straight
            yield Place(gate, far, net)


def test_a_router_is_reached_through_another_one_and_in_no_other_way(place: Place) -> None:
    deadline = Deadline(PATIENCE)
    with connect(place.target(), deadline) as connection:
        assert connection.run("cat; head -c 300000 /dev/zero", deadline) == b"\0" * 300_000
    assert scan(place.target(keys=()), Deadline(PATIENCE)).key == place.far.host_key
    assert scan(place.target(keys=()), Deadline(PATIENCE)).banner.startswith("SSH-2.0-dropbear")
    with pytest.raises(RouterError), connect(place.target(through=None), Deadline(PATIENCE)):
        pass


def test_what_is_wrong_on_the_way_is_told(place: Place) -> None:
    nobody = Endpoint(place.far.endpoint.address, 1)
    with pytest.raises(RouterError) as caught, connect(place.target(endpoint=nobody), Deadline(PATIENCE)):
        pass
    first = place.gate.router.name
    assert f"cannot be reached ({first} cannot connect to it); check power" in caught.value.line()
    place.gate.options.append("-j")
    with pytest.raises(RouterError) as caught, connect(place.target(), Deadline(PATIENCE)):
        pass
    assert f"cannot be reached ({first} does not forward connections); allow TCP forwarding" in caught.value.line()


def test_a_push_and_a_poll_go_through(place: Place) -> None:
    net, far = place.net, place.far
    name = net.write_playbook("banner", files=[{"path": "/etc/banner", "content": "hier\n"}])
    outcome = net.push(name, net.change(name, far))
    assert (outcome.result, far.read("/etc/banner")) == (Result.DONE, b"hier\n")
    assert net.change(name, far).paths == ()

    async def main() -> None:
        source = Ubus(net.inventory, net.known_hosts)
        try:
            far.run("printf 'seed=1\\nbooted=1000\\nguests_radio0=4\\nguests_radio1=0\\n' >/lab/life")
            reading = await read("ubus", source, net.inventory.routers[far.name], 60, lambda line: None)
            assert reading.measured, reading.detail
        finally:
            await source.close()

    asyncio.run(main())


def test_many_reach_a_router_through_one_at_the_same_time(start: Start) -> None:
    """dropbear hangs up on the sixth stranger of one address, so only few of us are strangers at the same time."""
    first, far = start(), start()

    def look(_: int) -> bytes:
        deadline = Deadline(60)
        with connect(replace(far.target, through=first.target), deadline) as connection:
            return connection.run("echo here", deadline)

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(look, range(16))) == [b"here\n"] * 16


def test_keys_are_read_as_ssh_keygen_and_ssh_keyscan_write_them(start: Start, network: Connect, tmp_path: Path) -> None:
    require_real("ssh-keyscan", "ssh-keygen")
    router = start()
    inventory = network(router).inventory
    names = ssh_names(inventory, inventory.routers[router.name])
    command = ["ssh-keyscan", "-p", str(router.endpoint.port), router.endpoint.address]
    plain = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE).stdout
    path = tmp_path / "known_hosts"
    path.write_text(plain)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(path)], check=True, capture_output=True, timeout=PATIENCE)
    hashed = path.read_text()
    assert router.endpoint.address in plain
    assert router.endpoint.address not in hashed
    for text in (plain, hashed):
        keys = KeyList(text)
        assert keys.of(names) == (router.host_key,)
        assert keys.passed_over == {}
