"""Looks at a device that is not in the inventory yet, and proposes an entry for it.

First (:func:`look`) comes what it shows to anybody: its host key, respondd, ping. When somebody has said that the key
is the router's own, it is asked (:func:`ask`) what needs something of ours: a login, and SNMP, which shows a community
to whoever is there.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from wifimgr.errors import ConfigError, Refused, WifimgrError
from wifimgr.inventory import Inventory, compose, edit
from wifimgr.inventory.edit import KNOWN_HOSTS, Edits
from wifimgr.inventory.importers.names import Unique, one_line, router_name
from wifimgr.inventory.importers.propose import OTHERS
from wifimgr.inventory.schema import ip_of, normalised
from wifimgr.model import Lifecycle, Router
from wifimgr.settings import DEFAULT_PORTS, NETWORK_FILE
from wifimgr.sources import SourceError, respondd, snmp, ubus
from wifimgr.sources.ping import Ping
from wifimgr.ssh import Deadline, HostKey, KnownHosts, Shown, connect, scan, target_of
from wifimgr.yamlfile import KeyPath

LOOK_SECONDS = 8.0
"""What :func:`look` and :func:`ask` may take, each."""
MARGIN = 0.9
"""Part of the time for SSH, so that its own words come before nobody waits any more."""
NO_NAMES = frozenset({"", "openwrt", "lede", "localhost", "mikrotik", "router"})
"""Host names that devices come with: they tell nothing."""
ORDER = ("operator", "platform", "role", "model", "addresses", "ports", "ssh", "jump", "snmp", "sources", "node_id")
"""The keys of an entry, as they stand in it."""
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


# ---------------------------------------------------------------- who shall be looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody says about the new router. Empty: nothing."""

    address: str
    site: str
    name: str = ""
    ssh: str = ""
    """Name of the SSH profile."""
    port: int | None = None
    """Of its SSH server."""
    jump: str = ""
    """The router that leads to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A device, as it would stand in the inventory if nothing was known but the wish."""

    wish: Wish
    inventory: Inventory
    """With the candidate in it."""
    router: Router
    values: Mapping[KeyPath, Any]
    """What is written about it in any case."""
    inherited: Mapping[str, Any]
    """What its site and the defaults say already."""
    names: frozenset[str]
    """The names of all other routers."""

    @property
    def through(self) -> str | None:
        """Whom we log in through. The addresses there are not ours: only SSH goes this way."""
        return next((hop.name for hop in reversed(self.inventory.network.hops(self.router))), None)


def refuse_known(inventory: Inventory, address: str) -> None:
    """Raises ConfigError: ``already-there`` for the address of a router that is in use, ``wrong-type`` for none."""
    try:
        same = normalised(address)
    except ValueError:
        hint = "write an IPv4 or IPv6 address or a DNS name; the port goes to --port"
        raise ConfigError("wrong-type", "is not an address", key=address, hint=hint) from None
    for router in inventory.routers.values():
        if router.lifecycle is not Lifecycle.RETIRED and same in map(normalised, router.addresses):
            raise _already(router, f"has the address {address}", f"'wifimgr router show {router.name}' shows it")


def _already(router: Router, what: str, hint: str) -> ConfigError:
    where = str(router.origins["name"])
    return ConfigError(
        "already-there", f"is in the inventory already: it {what}", where=where, key=router.name, hint=hint
    )


def likely_sites(inventory: Inventory, address: str, jump: str = "") -> list[str]:
    """The sites that an address may belong to: that of its way in, or those whose ranges hold it.

    Raises ConfigError ``unknown-name`` for the way in.
    """
    if jump:
        edit.known(jump, inventory.routers, "router")
        return [inventory.routers[jump].site]
    ip = ip_of(address)
    return [slug for slug, site in inventory.sites.items() if ip and any(ip in prefix for prefix in site.prefixes)]


def candidate(inventory: Inventory, wish: Wish) -> Candidate:
    """The device as a router of its site. Raises ConfigError for everything that could not be written anyway."""
    network = inventory.network
    edit.known(wish.site, inventory.sites, "site")
    edit.known(wish.ssh or "default", network.ssh_profiles, "SSH profile")
    if wish.jump:
        edit.known(wish.jump, inventory.routers, "router")
    inherited = compose.inherited(network, edit.site_file(wish.site))
    profile = network.ssh_profiles[wish.ssh or inherited.get("ssh", "default")]
    port = profile.port or network.openssh.about(wish.address).port or DEFAULT_PORTS["ssh"]
    values: dict[KeyPath, Any] = {("addresses",): [wish.address]}
    if wish.port not in (None, port):
        values["ports", "ssh"] = wish.port
    for key, said in (("ssh", wish.ssh), ("jump", wish.jump)):
        if said and said != inherited.get(key, "default" if key == "ssh" else None):
            values[key,] = said
    spare = {"operator": next(iter(network.operators)), "platform": "other", "role": "access-point"}
    missing: dict[KeyPath, Any] = {(key,): spare[key] for key in compose.REQUIRED if key not in inherited}
    edits = Edits(network.folder)
    name = wish.name or Unique({*inventory.routers, *edit.trusted_names(network.folder)}).take(
        router_name(wish.address)
    )
    edit.add_router(edits, wish.site, name, {**values, **missing})
    drafted = edits.check()
    return Candidate(
        wish=wish,
        inventory=drafted,
        router=replace(drafted.routers[name], name=wish.address),  # until it has a name, messages call it this
        values=values,
        inherited=inherited,
        names=frozenset(inventory.routers),
    )


# ---------------------------------------------------------------- what it tells


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a device tells, for people. ``source`` says how it was asked."""

    what: str
    value: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What a device tells, over each way that it can be asked. None: nothing, and ``silent`` says why."""

    shown: Shown | None = None
    node: respondd.Node | None = None
    round_trip: float | None = None
    """Seconds."""
    entered: bool = False
    """Whether we could log in."""
    board: ubus.Board | None = None
    agent: snmp.Agent | None = None
    profile: str = ""
    """The SNMP profile that its agent answers to."""
    silent: Mapping[str, str] = field(default_factory=dict)
    """Way to why it tells nothing there."""

    @property
    def answers(self) -> bool:
        """Whether it told anything at all."""
        return bool(self.shown or self.node or self.agent) or self.round_trip is not None

    @property
    def hostnames(self) -> tuple[str, ...]:
        """What it is called, the best first."""
        told = (
            self.board.hostname if self.board else "",
            self.node.hostname if self.node else "",
            self.agent.name if self.agent else "",
        )
        return tuple(filter(None, told))

    @property
    def model(self) -> str:
        """What it is, for people; empty: it does not tell."""
        return one_line(next(filter(None, (each.model for each in (self.board, self.node) if each)), ""))

    @property
    def platform(self) -> str:
        """Its operating system; ``other``: nobody knows."""
        if any(each and each.gluon for each in (self.board, self.node)):
            return "gluon"
        told = f"{self.agent.description if self.agent else ''} {self.shown.banner if self.shown else ''}"
        if self.board or "OpenWrt" in told:
            return "openwrt"
        return "routeros" if re.search("RouterOS|ROSSSH", told) else "other"

    @property
    def sources(self) -> list[str]:
        """The sources that it answers to, the best first."""
        answers = {"ubus": self.board, "respondd": self.node, "snmp": self.agent, "ping": self.round_trip is not None}
        return [source for source, answered in answers.items() if answered]

    def facts(self) -> list[Fact]:
        """Everything that it told, and what it did not."""
        return [
            fact
            for fact in (*self._told(), *(Fact("no answer", why, way) for way, why in self.silent.items()))
            if fact.value
        ]

    def _told(self) -> Iterator[Fact]:
        if self.shown:
            yield Fact("host key", f"{self.shown.key.type} {self.shown.key.fingerprint}", "ssh")
            yield Fact("server", self.shown.banner, "ssh")
        if self.board:
            yield Fact("host name", self.board.hostname, "ubus")
            yield Fact("model", self.board.model, "ubus")
            yield Fact("board", self.board.name, "ubus")
            yield Fact("firmware", self.board.firmware, "ubus")
        if self.node:
            yield Fact("host name", self.node.hostname, "respondd")
            yield Fact("model", self.node.model, "respondd")
            yield Fact("firmware", self.node.firmware, "respondd")
            yield Fact("node_id", self.node.node_id, "respondd")
        if self.agent:
            yield Fact("host name", self.agent.name, "snmp")
            yield Fact("system", self.agent.description, "snmp")
            yield Fact("profile", self.profile, "snmp")
        if self.round_trip is not None:
            yield Fact("round trip", f"{self.round_trip * 1000:.1f} ms", "ping")


async def look(wanted: Candidate, known_hosts: KnownHosts) -> Device:
    """What the device shows to anybody; nothing of ours is sent to it. Raises Refused for a way that is not trusted."""
    inventory, router = wanted.inventory, wanted.router
    deadline = Deadline(LOOK_SECONDS * MARGIN)

    def greet() -> Shown:
        return scan(target_of(inventory, known_hosts, router), deadline)

    ways: dict[str, Awaitable[Any]] = {"ssh": asyncio.to_thread(greet)}
    if not wanted.through:
        ways["respondd"] = respondd.introduce(inventory.network.endpoint(router, "respondd"), LOOK_SECONDS)
        ways["ping"] = Ping(inventory, known_hosts).ask(router, LOOK_SECONDS, lambda line: None)
    told, silent = await _all(ways)
    measured = told.get("ping")
    return Device(
        shown=told.get("ssh"),
        node=told.get("respondd"),
        round_trip=measured and measured.round_trip,
        silent=silent,
    )


async def ask(wanted: Candidate, known_hosts: KnownHosts, device: Device, *, over_snmp: bool) -> Device:
    """What the device tells to somebody with a login, and over SNMP to each of the network's profiles.

    Raises Refused ``host-key-changed`` when it shows another host key than before.
    """
    inventory, router = wanted.inventory, wanted.router
    deadline = Deadline(LOOK_SECONDS * MARGIN)
    profiles = sorted(inventory.network.snmp_profiles, key=lambda name: name != router.snmp)  # its own one first

    def enter() -> ubus.Board | None:
        assert device.shown
        target = replace(target_of(inventory, known_hosts, router), keys=(device.shown.key,))
        with connect(target, deadline) as connection:
            return ubus.introduce(connection, deadline)

    ways: dict[str, Awaitable[Any]] = {"login": asyncio.to_thread(enter)} if device.shown else {}
    if over_snmp and not wanted.through:
        for name in profiles:
            ways[name] = snmp.introduce(inventory.network, replace(router, snmp=name), LOOK_SECONDS)
    told, silent = await _all(ways)
    answering = [name for name in profiles if name in told]
    whys = {"login": silent["login"]} if "login" in silent else {}
    if "login" in told and told["login"] is None:
        whys["ubus"] = "there is none: this is no OpenWrt"
    if not answering and (refused := [f"{name}: {silent[name]}" for name in profiles if name in silent]):
        whys["snmp"] = "; ".join(refused)
    return replace(
        device,
        entered="login" in told,
        board=told.get("login"),
        agent=told[answering[0]] if answering else None,
        profile=answering[0] if answering else "",
        silent={**device.silent, **whys},
    )


async def _all(ways: Mapping[str, Awaitable[Any]]) -> tuple[dict[str, Any], dict[str, str]]:
    """What came over each way, and why nothing came over the others."""
    waiting = (asyncio.wait_for(way, LOOK_SECONDS) for way in ways.values())
    results = dict(zip(ways, await asyncio.gather(*waiting, return_exceptions=True), strict=True))
    failed = {way: result for way, result in results.items() if isinstance(result, BaseException)}
    for error in failed.values():
        if isinstance(error, Refused) or not isinstance(error, SourceError | WifimgrError | TimeoutError):
            raise error
    return {way: results[way] for way in ways if way not in failed}, {way: _why(failed[way]) for way in failed}


def _why(error: BaseException) -> str:
    if isinstance(error, SourceError):
        return error.detail
    return error.what if isinstance(error, WifimgrError) else "no answer in time"


def refuse_met(wanted: Candidate, known_hosts: KnownHosts, device: Device) -> None:
    """Raises ConfigError ``already-there`` for a device that is in the inventory, by its host key or its node_id."""
    for name in known_hosts.routers_with(device.shown.key) if device.shown else ():
        if name in wanted.names:
            hint = "if this is another device, give it a host key of its own first"
            raise _already(wanted.inventory.routers[name], "has this host key", hint)
    node_id = device.node.node_id.lower() if device.node else ""
    for name in wanted.names:
        router = wanted.inventory.routers[name]
        if node_id and router.node_id.lower() == node_id:
            raise _already(router, f"has the node_id {node_id}", f"'wifimgr router show {name}' shows it")


# ---------------------------------------------------------------- what would be written


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An entry for a device, and what people should know about it."""

    name: str
    values: Mapping[KeyPath, Any]
    notes: Sequence[str]
    new_operator: str = ""
    """Somebody that network.yaml does not know yet, whose routers are only watched."""


def propose(wanted: Candidate, device: Device) -> Proposal:
    """What would be written about a device: nothing that its site or the defaults say already."""
    inherited, notes = wanted.inherited, []
    platform = device.platform
    operator, why = _operator(wanted, device, platform)
    if why:
        notes.append(why)
    kept = [source for source in inherited.get("sources", ()) if source in (*device.sources, "map")]
    node_id = device.node.node_id if device.node else ""
    if node_id and not _PLAIN_WORD.fullmatch(node_id):
        notes.append("its node_id is left out: it is no plain word")
        node_id = ""
    told = {
        "platform": platform,
        "role": inherited.get("role") or ("mesh-node" if platform == "gluon" else "access-point"),
        "operator": operator,
        "model": device.model,
        "snmp": device.profile,
        "sources": [*kept, *(source for source in device.sources if source not in kept)] or ["ping"],
        "node_id": node_id,
    }
    new: dict[KeyPath, Any] = {
        (key,): value for key, value in told.items() if value and value != _written(inherited.get(key))
    }
    known = operator in wanted.inventory.network.operators
    return Proposal(
        name=wanted.wish.name or _name(wanted, device),
        values=dict(sorted({**new, **wanted.values}.items(), key=lambda item: ORDER.index(str(item[0][0])))),
        notes=notes,
        new_operator="" if known else operator,
    )


def _written(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _name(wanted: Candidate, device: Device) -> str:
    """From what the device calls itself, with its site where that tells nothing."""
    called = next((name for name in map(router_name, device.hostnames) if name not in NO_NAMES), "")
    plain = next(iter(map(router_name, device.hostnames)), "") or "router"
    taken = {*wanted.names, *edit.trusted_names(wanted.inventory.network.folder)}
    return Unique(taken).take(called or router_name(f"{wanted.wish.site}-{plain}"))


def _operator(wanted: Candidate, device: Device, platform: str) -> tuple[str, str]:
    """Whose it is, and why: where we neither know it nor can log in, somebody whose routers are only watched."""
    operators = wanted.inventory.network.operators
    default = wanted.inherited.get("operator", "")
    nobody = "nobody could log in" if device.shown else "there is no SSH to log in"
    if platform in ("gluon", "other") and not device.entered:
        watched = [name for name, operator in operators.items() if operator.manage == "watch"]
        owner = default if default in watched else next(iter(watched), None) or Unique(operators).take(OTHERS)
        return owner, f"it is only watched, as a router of '{owner}': {nobody}, and its platform is {platform}"
    why = "" if device.entered else f"{nobody}: changes will not work until that does"
    return default or next(iter(operators)), why


def write(wanted: Candidate, proposal: Proposal, key: HostKey | None) -> None:
    """Writes the entry, and pins the host key; both or nothing.

    Raises ConfigError for what would be wrong then, and for a file that a command cannot edit.
    """
    edits = Edits(wanted.inventory.network.folder)
    if proposal.new_operator:
        edits.file(NETWORK_FILE).set(("operators", proposal.new_operator), {"name": "Others", "manage": "watch"})
    edit.add_router(edits, wanted.wish.site, proposal.name, proposal.values)
    if key:
        others = [line.rstrip("\n") + "\n" for line in edits.lines(KNOWN_HOSTS)]
        edits.set_lines(KNOWN_HOSTS, [*others, f"{proposal.name} {key.type} {key.base64}\n"])
    edits.write()
