"""respondd and echo of simulated routers: they tell how the router is, and only while it answers at all."""

from __future__ import annotations

import json
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.networks import NETWORK, write
from wifimgr.inventory import load
from wifimgr.lab import SERVICES, Lab, SimulatedRouter
from wifimgr.settings import make_state_dir

SITE = """\
name: Haus Eins
kind: library
platform: gluon
sources: [respondd, ping]
routers:
  eins-gw:
    addresses: [192.0.2.1]
  eins-ap:
    addresses: [192.0.2.2]
    behind: eins-gw
  eins-off:
    addresses: [192.0.2.3]
    sources: [ubus]
"""
PATIENCE = 30.0
SILENCE = 0.2


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder: Path = write(tmp_path_factory.mktemp("net"), NETWORK, eins=SITE)
    with Lab(make_state_dir(folder) / "lab", load(folder).routers.values(), ["respondd", "ping"]) as lab:
        yield lab


@pytest.fixture
def router(lab: Lab) -> Iterator[SimulatedRouter]:
    yield lab.routers["eins-ap"]
    for each in lab.routers.values():
        each.silent.clear()
        each.link.silent, each.link.powered = False, True
        each.set_internet(True)


def ask(router: SimulatedRouter, service: str, question: bytes, patience: float = PATIENCE) -> bytes | None:
    """One datagram there and back; None: silence."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(patience)
        sock.connect(("127.0.0.1", router.ports[service]))
        sock.send(question)
        try:
            return sock.recv(65536)
        except TimeoutError:
            return None


def told(router: SimulatedRouter, question: bytes = b"GET nodeinfo statistics") -> Any:
    answer = ask(router, "respondd", question)
    assert answer
    return json.loads(zlib.decompress(answer, wbits=-15))


def test_routers_offer_what_their_sources_name(lab: Lab) -> None:
    assert {"respondd", "ping"} <= SERVICES.keys()
    assert set(lab.routers["eins-ap"].ports) == {"respondd", "ping"}
    assert lab.routers["eins-off"].ports == {}


def test_a_node_tells_what_it_is_asked_for(router: SimulatedRouter) -> None:
    assert told(router).keys() == {"nodeinfo", "statistics"}
    assert told(router, b"GET nodeinfo neighbours").keys() == {"nodeinfo"}
    assert ask(router, "respondd", b"nodeinfo", SILENCE) is None
    assert ask(router, "respondd", b"\xff\x00", SILENCE) is None


def test_a_node_tells_its_life(router: SimulatedRouter) -> None:
    router.life.seat(7)
    node = told(router)
    statistics, now = node["statistics"], router.life.now()
    assert node["nodeinfo"]["hostname"] == "eins-ap"
    assert len(node["nodeinfo"]["node_id"]) == 12
    assert 0 <= now.uptime - statistics["uptime"] < PATIENCE
    assert statistics["memory"]["total"] == 128 << 10
    assert abs(statistics["clients"]["wifi"] - sum(now.guests.values())) <= 2
    clients = statistics["clients"]
    assert clients["wifi24"] + clients["wifi5"] == clients["wifi"]


def test_the_gateway_is_gone_without_internet_here_or_on_the_way(lab: Lab, router: SimulatedRouter) -> None:
    assert told(router)["statistics"]["gateway_tq"] > 0
    for each in (router, lab.routers["eins-gw"]):
        each.set_internet(False)
        statistics = told(router)["statistics"]
        assert not {"gateway", "gateway_nexthop", "gateway_tq"} & statistics.keys()
        assert statistics["mesh_vpn"]["groups"]["backbone"]["peers"] == {"gw1": None, "gw2": None}
        each.set_internet(True)
    assert told(router)["statistics"]["mesh_vpn"]["groups"]["backbone"]["peers"]["gw1"]["established"] > 0


def test_echo_sends_back_what_came(router: SimulatedRouter) -> None:
    assert ask(router, "ping", b"\x00\xff wort") == b"\x00\xff wort"


@pytest.mark.parametrize("service", ["respondd", "ping"])
def test_a_service_falls_silent_alone_or_with_its_router_or_with_the_way(
    lab: Lab, router: SimulatedRouter, service: str
) -> None:
    question = b"GET nodeinfo"
    router.silent.add(service)
    assert ask(router, service, question, SILENCE) is None
    router.silent.clear()
    assert ask(router, service, question)
    router.link.powered = False
    assert ask(router, service, question, SILENCE) is None
    router.link.powered = True
    lab.routers["eins-gw"].link.silent = True
    assert ask(router, service, question, SILENCE) is None
    lab.routers["eins-gw"].link.silent = False
    assert ask(router, service, question)
