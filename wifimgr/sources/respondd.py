"""respondd: what Gluon nodes tell about themselves when somebody asks over UDP.

The question is ``GET nodeinfo statistics``, the answer a JSON object in raw deflate (docs/features/monitoring.rst of
Gluon). The answer also holds the owner's contact, hardware addresses and where the node stands: none of that is read.
"""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass

from wifimgr.inventory import Inventory
from wifimgr.model import Failure, Interface, Internet, Measured, Radio, Router
from wifimgr.settings import Endpoint
from wifimgr.sources.base import Say, SourceError, band_of
from wifimgr.sources.told import Told
from wifimgr.sources.udp import exchange
from wifimgr.ssh import KnownHosts

QUESTION = b"GET nodeinfo statistics"
LARGEST = 1 << 20
"""Bytes of an answer when it is unpacked. A real one has some thousand."""
BANDS = {"2.4": "wifi24", "5": "wifi5", "6": "wifi6"}
"""A band in GHz, and its name in ``clients``."""


class Respondd:
    """Asks over unicast UDP."""

    def __init__(self, inventory: Inventory, known_hosts: KnownHosts) -> None:
        self._network = inventory.network

    async def ask(self, router: Router, seconds: float, say: Say) -> Measured:
        """What the node tells. Raises SourceError."""
        endpoint = self._network.endpoint(router, "respondd")
        say(f"asks {endpoint} over UDP: {QUESTION.decode()}")
        answer, took = await exchange(endpoint, QUESTION, seconds)
        told = unpack(answer)
        say(f"{len(answer)} bytes after {took * 1000:.0f} ms: {', '.join(name for name, _ in told.items())}")
        _refuse_another(router, told)
        return measured(told)

    async def close(self) -> None:
        """Nothing is kept open."""


def _refuse_another(router: Router, told: Told) -> None:
    """Raises SourceError when the inventory knows the router's id and somebody with another one answers."""
    node_id = _node_id(told)
    if router.node_id and node_id and node_id.lower() != router.node_id.lower():
        what = f"another node answers at this address: its node_id is {node_id}, the inventory has {router.node_id}"
        raise SourceError(Failure.ANSWER, what)


def _node_id(told: Told) -> str:
    return told["nodeinfo"]["node_id"].text() or told["statistics"]["node_id"].text()


@dataclass(frozen=True, slots=True)
class Node:
    """Who a node says it is; nothing about its owner. Any text, empty where it does not tell."""

    node_id: str
    hostname: str
    model: str
    firmware: str
    gluon: bool


async def introduce(endpoint: Endpoint, seconds: float) -> Node:
    """Asks a node who it is. Raises SourceError."""
    answer, _ = await exchange(endpoint, b"GET nodeinfo", seconds)
    told = unpack(answer)
    info = told["nodeinfo"]
    base, release = (info["software"]["firmware"][key].text() for key in ("base", "release"))
    return Node(
        node_id=_node_id(told),
        hostname=info["hostname"].text(),
        model=info["hardware"]["model"].text(),
        firmware=release or base,
        gluon=base.startswith("gluon"),
    )


def unpack(answer: bytes) -> Told:
    """The document of an answer. Some responders leave the deflate stream unfinished. Raises SourceError."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        text = stream.decompress(answer, LARGEST)
        if stream.unconsumed_tail:
            raise ValueError(f"it unpacks to more than {LARGEST >> 20} MiB")
        told = Told.read(text)
    except (zlib.error, ValueError) as error:
        raise SourceError(Failure.ANSWER, f"this is no answer of respondd: {error}") from None
    if not (told["nodeinfo"].is_object() or told["statistics"].is_object()):
        raise SourceError(Failure.ANSWER, "this answer of respondd has neither nodeinfo nor statistics")
    return told


def measured(told: Told) -> Measured:
    """What we take from an answer."""
    info, statistics = told["nodeinfo"], told["statistics"]
    radios = _radios(statistics)
    clients = _clients(statistics["clients"])
    firmware = info["software"]["firmware"]
    memory = statistics["memory"]
    return Measured(
        boot=statistics["uptime"].boot(),
        load=statistics["loadavg"].number(),
        memory_total=memory["total"].whole(1024),
        memory_available=memory["available"].whole(1024),
        model=info["hardware"]["model"].text(),
        firmware=firmware["release"].text() or firmware["base"].text(),
        # Gluon does not tell which networks are on the air; but a radio in use, or somebody on it, is told.
        wifi=True if radios or clients else None,
        clients=clients,
        radios=radios,
        interfaces=_interfaces(info, statistics["traffic"]),
        internet=_internet(info, statistics),
    )


def _clients(clients: Told) -> int | None:
    """All devices on Wi-Fi; ``total`` would count those on a cable, too."""
    bands = [count for key in BANDS.values() if (count := clients[key].whole()) is not None]
    wifi = clients["wifi"].whole()
    return sum(bands) if wifi is None and bands else wifi


def _radios(statistics: Told) -> tuple[Radio, ...]:
    """The radios in use. respondd has no names for them, so they get those of the bands in ``clients``.

    ``clients`` names bands that the node has no radio for, too, and counts per band: the first radio of one gets all.
    """
    found: Counter[str] = Counter()
    radios = []
    for band in filter(None, (band_of(each["frequency"].number()) for each in statistics["wireless"])):
        key = BANDS[band]
        found[key] += 1
        first = found[key] == 1
        clients = statistics["clients"][key].whole() if first else None
        radios.append(Radio(name=key if first else f"{key}-{found[key]}", band=band, up=True, clients=clients))
    return tuple(radios)


def _interfaces(info: Told, traffic: Told) -> tuple[Interface, ...]:
    """The one interface that ``traffic`` is about: the mesh."""
    if not traffic.is_object():
        return ()
    name = next((name for name, _ in info["network"]["mesh"].items()), "bat0")
    received, sent = (traffic[way]["bytes"].whole() for way in ("rx", "tx"))
    return (Interface(name=name, receive_bytes=received, transmit_bytes=sent),)


def _internet(info: Told, statistics: Told) -> Internet | None:
    """Whether the mesh has a gateway for this node; None where the answer cannot tell.

    No gateway is told by leaving it out. That counts only where the node would tell one: it runs batman-adv, or it has
    a VPN of its own.
    """
    if not statistics.is_object():
        return None
    if statistics["gateway"].text() or statistics["gateway6"].text():
        works = statistics["gateway_tq"].number() != 0
        return Internet(works=works, asked_from="mesh", why="" if works else "its gateway is out of reach")
    if statistics["mesh_vpn"].is_object():
        why = "no gateway in the mesh" if _has_peer(statistics["mesh_vpn"]) else "no VPN peer"
        return Internet(works=False, asked_from="mesh", why=why)
    if "batman-adv" in info["software"]:
        return Internet(works=False, asked_from="mesh", why="no gateway in the mesh")
    return None


def _has_peer(group: Told) -> bool:
    """Whether a VPN peer is connected. A peer that is not is null; groups may hold groups."""
    peers = (peer.is_object() for _, peer in group["peers"].items())
    return any(peers) or any(_has_peer(inner) for _, inner in group["groups"].items())
