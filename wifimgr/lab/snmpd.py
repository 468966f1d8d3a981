"""A real SNMP agent on loopback for one simulated router. It tells what net-snmp's snmpd on OpenWrt tells.

All numbers come from the router's life, so its counters move and begin again after a boot. Like stock OpenWrt it says
nothing of the Wi-Fi, unless the router has a ``wireless_mib``.
"""

from __future__ import annotations

import asyncio
import hashlib
import shlex
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from pyasn1.codec.ber import decoder, encoder
from pysnmp.carrier.base import AbstractTransportDispatcher
from pysnmp.entity import config
from pysnmp.entity.engine import SnmpEngine
from pysnmp.proto.api import v2c

from wifimgr.errors import LabError
from wifimgr.lab.life import Now
from wifimgr.lab.router import SimulatedRouter
from wifimgr.settings import SnmpProfile

Oid = tuple[int, ...]
Tree = dict[Oid, Any]
"""OID to a value of pysnmp."""

MIB_2: Oid = (1, 3, 6, 1, 2, 1)
ENTERPRISES: Oid = (1, 3, 6, 1, 4, 1)
SYSTEM, IF_TABLE, IFX_TABLE, HOST = (*MIB_2, 1), (*MIB_2, 2, 2, 1), (*MIB_2, 31, 1, 1, 1), (*MIB_2, 25, 1)
UCD_MEMORY, UCD_LOAD = (*ENTERPRISES, 2021, 4), (*ENTERPRISES, 2021, 10, 1)
WIRELESS = (*ENTERPRISES, 66510, 1, 10)
"""OPENWRT-WIRELESS-MIB, as the package snmpd-openwrt-metrics serves it."""
NET_SNMP_ENGINE = bytes.fromhex("80001f8880")
"""How the engine ids of net-snmp begin: enterprise 8072, made from random and time."""

AGENT_STARTS = 12
"""Seconds after the boot."""
BUFFERS, CACHED = 2 << 20, 14 << 20
"""Bytes of memory that are not free, but available."""
FREQUENCIES = {"radio0": 2412, "radio1": 5180}
UP = 1

NO_ACCESS, GEN_ERR = 16, 5
"""error-status of RFC 3416, 3: authorizationError, genErr."""
GET, NEXT, BULK = v2c.GetRequestPDU.tagSet, v2c.GetNextRequestPDU.tagSet, v2c.GetBulkRequestPDU.tagSet
DOMAIN = config.SNMP_UDP_DOMAIN
AUTH = {
    "md5": config.USM_AUTH_HMAC96_MD5,
    "sha1": config.USM_AUTH_HMAC96_SHA,
    "sha224": config.USM_AUTH_HMAC128_SHA224,
    "sha256": config.USM_AUTH_HMAC192_SHA256,
    "sha384": config.USM_AUTH_HMAC256_SHA384,
    "sha512": config.USM_AUTH_HMAC384_SHA512,
}
PRIV = {
    "des": config.USM_PRIV_CBC56_DES,
    "aes128": config.USM_PRIV_CFB128_AES,
    "aes192": config.USM_PRIV_CFB192_AES_BLUMENTHAL,
    "aes256": config.USM_PRIV_CFB256_AES_BLUMENTHAL,
}


async def serve(router: SimulatedRouter, profile: SnmpProfile | None) -> tuple[int, Callable[[], None]]:
    """Starts the agent of a router on 127.0.0.1: returns its port, and what ends it.

    It lets in whom the profile names, over SNMP v2c or v3. Raises LabError, ConfigError ``missing-secret``.
    """
    if profile is None or profile.version not in AGENTS:
        what = f"it needs an SNMP profile for its agent: the lab's agents speak {' and '.join(AGENTS)}"
        raise LabError("lab-failed", what, where=router.name)
    agent = AGENTS[profile.version](router, profile)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: agent, local_addr=("127.0.0.1", 0))
    return transport.get_extra_info("sockname")[1], transport.close


class Agent(ABC, asyncio.DatagramProtocol):
    """What both kinds of agents have in common: they answer only while the router does."""

    def __init__(self, router: SimulatedRouter) -> None:
        self.router = router
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def send(self, message: bytes, address: Any) -> None:
        """Sends one datagram."""
        if self.transport:
            self.transport.sendto(message, address)

    def datagram_received(self, data: bytes, address: Any) -> None:
        if self.router.answers("snmp"):
            with suppress(Exception):  # like snmpd, silent about garbage: it can make pysnmp raise anything
                self.take(data, address)

    @abstractmethod
    def take(self, data: bytes, address: Any) -> None:
        """Takes one datagram, and answers it or not."""


class CommunityAgent(Agent):
    """Speaks v2c (RFC 1901): a message is little more than a community and a PDU."""

    def __init__(self, router: SimulatedRouter, profile: SnmpProfile) -> None:
        super().__init__(router)
        self._community = profile.community.resolve() if profile.community else None

    def take(self, data: bytes, address: Any) -> None:
        message, rest = decoder.decode(data, asn1Spec=v2c.Message())
        api = v2c.apiMessage
        known = self._community and bytes(api.get_community(message)) == self._community.reveal().encode()
        if not known or rest or api.get_version(message) != 1:
            return
        reply = api.get_response(message)
        api.set_pdu(reply, respond(tree(self.router), api.get_pdu(message)))
        self.send(encoder.encode(reply), address)


class UserAgent(Agent):
    """Speaks v3 (RFC 3414), with an engine of pysnmp and an engine id of its own."""

    def __init__(self, router: SimulatedRouter, profile: SnmpProfile) -> None:
        super().__init__(router)
        self._engine = SnmpEngine()
        self._engine.register_transport_dispatcher(Dispatcher())
        self._call_engine(NET_SNMP_ENGINE + hashlib.sha256(router.name.encode()).digest()[:8])
        auth, priv = profile.auth, profile.priv
        self._level = 1 + bool(auth) + bool(priv)
        config.add_v3_user(
            self._engine,
            profile.user,
            AUTH[auth[0]] if auth else config.USM_AUTH_NONE,
            auth[1].resolve().reveal().encode() if auth else None,
            PRIV[priv[0]] if priv else config.USM_PRIV_NONE,
            priv[1].resolve().reveal().encode() if priv else None,
        )
        self._engine.message_dispatcher.register_context_engine_id(b"", (GET, NEXT, BULK), self._answer)

    def _call_engine(self, name: bytes) -> None:
        """Gives the engine its id. pysnmp's own way to do that leaves files in /tmp."""
        (own,) = self._engine.get_mib_builder().import_symbols("__SNMP-FRAMEWORK-MIB", "snmpEngineID")
        own.syntax = own.syntax.clone(name)
        self._engine.snmpEngineID = own.syntax

    def take(self, data: bytes, address: Any) -> None:
        self._engine.message_dispatcher.receive_message(self._engine, DOMAIN, (self, address), data)

    def _answer(self, engine: SnmpEngine, *about: Any) -> None:
        """Called with a request that somebody may ask: RFC 3412, 4.2.2.1."""
        model, security, name, level, context_engine, context, version, pdu, size, state = about
        reply = refuse(pdu, NO_ACCESS) if level < self._level else respond(tree(self.router), pdu)
        engine.message_dispatcher.return_response_pdu(
            engine, model, security, name, level, context_engine, context, version, reply, size, state, {}
        )


class Dispatcher(AbstractTransportDispatcher):  # type: ignore[misc]  # pysnmp has no types
    """Stands in for pysnmp's transport: no timer, and an address is an agent and where its datagram goes."""

    def send_message(self, message: bytes, domain: Oid, address: tuple[Agent, Any]) -> None:
        address[0].send(message, address[1])


AGENTS: dict[str, Callable[[SimulatedRouter, SnmpProfile], Agent]] = {"v2c": CommunityAgent, "v3": UserAgent}


# --- answers (RFC 3416, 4.2) ---


def respond(told: Tree, pdu: Any) -> Any:
    """The response to a GET, GETNEXT or GETBULK."""
    asked = [tuple(oid) for oid, _ in v2c.apiPDU.get_varbinds(pdu)]
    if pdu.tagSet not in (GET, NEXT, BULK):
        return refuse(pdu, GEN_ERR)
    found = [(oid, told.get(oid, v2c.NoSuchInstance(""))) for oid in asked] if pdu.tagSet == GET else []
    if pdu.tagSet == NEXT:
        found = walk(told, asked, 0, 1)
    elif pdu.tagSet == BULK:
        api = v2c.apiBulkPDU
        found = walk(told, asked, int(api.get_non_repeaters(pdu)), int(api.get_max_repetitions(pdu)))
    reply = v2c.apiPDU.get_response(pdu)
    v2c.apiPDU.set_varbinds(reply, found)
    return reply


def refuse(pdu: Any, status: int) -> Any:
    """A response that only says what is wrong."""
    reply = v2c.apiPDU.get_response(pdu)
    v2c.apiPDU.set_error_status(reply, status)
    v2c.apiPDU.set_varbinds(reply, v2c.apiPDU.get_varbinds(pdu))
    return reply


def walk(told: Tree, asked: Sequence[Oid], once: int, repetitions: int) -> list[tuple[Oid, Any]]:
    """What comes after each OID: once for the first ones, up to ``repetitions`` times for the others."""
    known = sorted(told)

    def after(oid: Oid) -> tuple[Oid, Any]:
        place = bisect_right(known, oid)
        return (known[place], told[known[place]]) if place < len(known) else (oid, v2c.EndOfMibView(""))

    found, row = [after(oid) for oid in asked[:once]], list(asked[once:])
    for _ in range(min(repetitions, len(known) + 1) if row else 0):
        new = [after(oid) for oid in row]
        found += new
        row = [oid for oid, _ in new]
    return found


# --- what a router tells ---


def tree(router: SimulatedRouter) -> Tree:
    """Everything that a router tells right now."""
    now, networks = router.life.now(), on_air(router)
    interfaces = ["lo", "br-lan", "wan", *networks]
    free = now.memory_available - BUFFERS - CACHED
    told: Tree = {
        (*SYSTEM, 1, 0): v2c.OctetString(f"Linux {router.name} 5.15.150 #0 Fri Mar 22 22:09:42 2024 mips".encode()),
        (*SYSTEM, 2, 0): v2c.ObjectIdentifier((*ENTERPRISES, 8072, 3, 2, 10)),
        (*SYSTEM, 3, 0): v2c.TimeTicks(100 * max(0, now.uptime - AGENT_STARTS)),
        (*SYSTEM, 4, 0): v2c.OctetString(b"bofh@example.com"),
        (*SYSTEM, 5, 0): v2c.OctetString(router.name.encode()),
        (*SYSTEM, 6, 0): v2c.OctetString(b"office"),
        (*MIB_2, 2, 1, 0): v2c.Integer32(len(interfaces)),
        (*HOST, 1, 0): v2c.TimeTicks(100 * now.uptime),
        (*HOST, 6, 0): v2c.Gauge32(61),
    }
    for number, octets in {5: now.memory_total, 6: free, 11: free, 14: BUFFERS, 15: CACHED}.items():
        told[(*UCD_MEMORY, number, 0)] = v2c.Integer32(octets >> 10)
    for number, load in enumerate((now.load, now.load * 0.9, now.load * 0.8), 1):
        told[(*UCD_LOAD, 3, number)] = v2c.OctetString(f"{load:.2f}".encode())
        told[(*UCD_LOAD, 5, number)] = v2c.Integer32(round(100 * load))
    for index, name in enumerate(interfaces, 1):
        row = interface_row(now, index, name)
        if router.wireless_mib and name in networks:
            row |= wireless_row(now, name, *networks[name])
        told |= {(*column, index): value for column, value in row.items()}
    if router.wireless_mib:
        told[(*WIRELESS, 1, 0)] = v2c.Gauge32(len(networks))
        told[(*WIRELESS, 2, 0)] = v2c.Gauge32(sum(guests(now, name, radio) for name, (radio, _) in networks.items()))
    return told


def interface_row(now: Now, index: int, name: str) -> Tree:
    """Column to value of one network interface, in both tables of them."""
    received, sent = now.receive_bytes.get(name, 0), now.transmit_bytes.get(name, 0)
    return {
        (*IF_TABLE, 1): v2c.Integer32(index),
        (*IF_TABLE, 2): v2c.OctetString(name.encode()),
        (*IF_TABLE, 7): v2c.Integer32(UP),
        (*IF_TABLE, 8): v2c.Integer32(UP),
        (*IF_TABLE, 10): v2c.Counter32(received % 2**32),
        (*IF_TABLE, 14): v2c.Counter32(0),
        (*IF_TABLE, 16): v2c.Counter32(sent % 2**32),
        (*IF_TABLE, 20): v2c.Counter32(0),
        (*IFX_TABLE, 1): v2c.OctetString(name.encode()),
        (*IFX_TABLE, 6): v2c.Counter64(received),
        (*IFX_TABLE, 10): v2c.Counter64(sent),
    }


def wireless_row(now: Now, name: str, radio: str, ssid: str) -> Tree:
    """Column to value of one network on the air."""
    return {
        (*WIRELESS, 3, 1, 2): v2c.OctetString(name.encode()),
        (*WIRELESS, 3, 1, 3): v2c.OctetString(ssid.encode()),
        (*WIRELESS, 3, 1, 4): v2c.Gauge32(guests(now, name, radio)),
        (*WIRELESS, 3, 1, 5): v2c.Gauge32(FREQUENCIES[radio]),
        (*WIRELESS, 3, 1, 6): v2c.Integer32(-95),
        (*WIRELESS, 3, 1, 16): v2c.Gauge32(round(100 * now.load)),
    }


def guests(now: Now, interface: str, radio: str) -> int:
    """How many are connected to a network: all guests of a radio are in its first one."""
    return now.guests.get(radio, 0) if interface.endswith("-ap0") else 0


def on_air(router: SimulatedRouter) -> dict[str, tuple[str, str]]:
    """Interface to radio and network name, by the configuration that the router's daemons run with."""
    try:
        read = sections((router.root / "var/run/running/wireless").read_text(encoding="utf-8"))
    except OSError:
        return {}  # it is booting
    radios = [section for section in read if section[".type"] == "wifi-device"]
    found = {}
    for number, radio in enumerate(radios):
        networks = [section for section in read if section.get("device") == radio[".name"] and is_on(section)]
        for count, network in enumerate(networks if is_on(radio) else []):
            found[f"phy{number}-ap{count}"] = (radio[".name"], network["ssid"])
    return found


def is_on(section: dict[str, str]) -> bool:
    """Whether a radio or a network is not switched off."""
    return section.get("disabled") != "1"


def sections(text: str) -> list[dict[str, str]]:
    """The sections of a UCI file: options by name, and ``.type`` and ``.name`` as uci calls them."""
    found: list[dict[str, str]] = []
    words = iter(shlex.split(text, comments=True))
    for word in words:
        if word == "config":
            found.append({".type": next(words)})
        elif word in ("option", "list"):
            name, value = next(words), next(words)
            found[-1][name] = value
        else:
            found[-1][".name"] = word
    return found
