"""Health over SNMP v1, v2c and v3: asks a router's agent for what its profile names, in as few datagrams as possible.

How SNMP is spoken is behind :class:`Engine`. The one here is pysnmp's: its message dispatcher (RFC 3412) makes and
reads the messages, while the sockets and the clock are ours. That avoids three things of its own transport:

- It accepts answers from any address. Here each exchange has a connected socket, so the kernel drops those, and tells
  of closed ports.
- Its clock forgets the time of SNMPv3 agents after 300 s, and then each GET takes two datagrams for good
  (https://github.com/lextudio/pysnmp/issues/245). Here it never ticks.
- It never learns that an agent came back with another engine id, as OpenWrt's does after a reboot. Here an SNMPv3
  agent that does not answer is a stranger when it is asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from pysnmp.carrier.base import AbstractTransportDispatcher
from pysnmp.entity import config
from pysnmp.entity.engine import SnmpEngine
from pysnmp.error import PySnmpError
from pysnmp.proto.api import v2c
from pysnmp.proto.proxy import rfc2576

from wifimgr.errors import visible
from wifimgr.inventory import Inventory
from wifimgr.model import Failure, Measured, Router
from wifimgr.settings import Endpoint, Network, Secret, SnmpProfile
from wifimgr.sources.base import Say, SourceError, reason_of
from wifimgr.sources.profiles import Oid, Rows, Value, profile_of
from wifimgr.sources.told import LONGEST_TEXT
from wifimgr.ssh import KnownHosts

MOST_ROWS = 128
"""Of one column. No router has so many interfaces: the table has no end."""
MOST_VALUES = 50
"""To ask for at once, so that an answer fits into one datagram that no link has to cut."""
MOST_REPETITIONS = 25
"""Of a GETBULK: some agents answer more of them out of order."""
MOST_GREETINGS = 4
"""So often an SNMPv3 agent may say who it is or what time it has before it answers."""
MOST_KNOWN = 10_000
"""Greetings until a manager is replaced: pysnmp never forgets an engine id, and an agent may make up new ones."""
SPARE = 0.25
"""Seconds that we keep to tell what went wrong."""

SYS_DESCR: Oid = (1, 3, 6, 1, 2, 1, 1, 1, 0)
SYS_NAME: Oid = (1, 3, 6, 1, 2, 1, 1, 5, 0)

TOO_BIG, NO_SUCH_NAME, AUTHORIZATION = 1, 2, 16
"""error-status of RFC 3416, 3."""


# --- what any engine has to do ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How to ask, with the secrets themselves. Made for one poll."""

    version: str
    user: str = ""
    auth: tuple[str, Secret] | None = None
    priv: tuple[str, Secret] | None = None
    community: Secret | None = None

    @classmethod
    def of(cls, profile: SnmpProfile) -> Credentials:
        """Fetches the secrets of a profile. Raises ConfigError ``missing-secret``."""
        return cls(
            version=profile.version,
            user=profile.user,
            auth=(profile.auth[0], profile.auth[1].resolve()) if profile.auth else None,
            priv=(profile.priv[0], profile.priv[1].resolve()) if profile.priv else None,
            community=profile.community.resolve() if profile.community else None,
        )


@dataclass(frozen=True, slots=True)
class Target:
    """One agent, for one poll. ``until`` is the time of the event loop when we give up."""

    endpoint: Endpoint
    credentials: Credentials
    until: float


class Engine(Protocol):
    """Speaks SNMP with many agents at once. Everything raises SourceError; values are plain, never a library's."""

    async def get(self, target: Target, oids: Sequence[Oid]) -> Mapping[Oid, Value]:
        """The value of each OID; None where the agent has none."""

    async def table(self, target: Target, columns: Sequence[Oid]) -> Mapping[Oid, Mapping[Oid, Value]]:
        """Column to index to value: at most :data:`MOST_ROWS` rows, and never in circles."""

    async def close(self) -> None:
        """Gives everything back."""


# --- the source ---


class SnmpSource:
    """Asks agents for what the profile of their platform names."""

    def __init__(self, inventory: Inventory, known_hosts: KnownHosts) -> None:
        self._network = inventory.network
        self._engine: Engine = PysnmpEngine()

    async def ask(self, router: Router, seconds: float, say: Say) -> Measured:
        profile = self._network.snmp_profile(router)
        if profile is None:
            raise SourceError(Failure.SETUP, "it has no SNMP profile: write snmp: NAME, one of network.yaml's profiles")
        until = asyncio.get_running_loop().time() + seconds - min(SPARE, seconds / 10)
        target = Target(self._network.endpoint(router, "snmp"), Credentials.of(profile), until)
        say(f"SNMP {profile.version} to {target.endpoint}, as {router.snmp!r} of network.yaml says")
        asked = profile_of(router.platform)
        oids = asked.single()
        say(f"asking for {len(oids)} single values")
        single = await self._engine.get(target, oids)
        _tell(say, single)
        if all(value is None for value in single.values()):
            raise SourceError(Failure.ANSWER, "it answers, but shows nothing that we ask for: look at its view")
        wifi = asked.wifi if asked.wifi and single.get(asked.wifi.present) is not None else None
        interfaces = await self._table(target, "interfaces", asked.interfaces, say)
        radios = await self._table(target, "wifi", wifi, say)
        return asked.measured(single, interfaces, radios if wifi else None)

    async def _table(self, target: Target, name: str, rows: Rows | None, say: Say) -> dict[Oid, Mapping[Oid, Value]]:
        """The columns of a table, and other ones in place of those that the agent does not have."""
        table: dict[Oid, Mapping[Oid, Value]] = {}
        while rows and (wanted := rows.wanted(table)):
            say(f"asking for {len(wanted)} columns of {name}")
            table |= await self._engine.table(target, wanted)
            _tell(say, {(*oid, *index): value for oid in wanted for index, value in table[oid].items()})
        return table

    async def close(self) -> None:
        await self._engine.close()


def _tell(say: Say, values: Mapping[Oid, Value]) -> None:
    say(f"{sum(value is not None for value in values.values())} values came")
    for oid, value in values.items():
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else "-" if value is None else str(value)
        say(f"  {'.'.join(map(str, oid))} = {visible(text[:100])}")


@dataclass(frozen=True, slots=True)
class Agent:
    """Who an agent says it is. Any text, empty where it does not tell."""

    name: str
    """sysName (RFC 3418)."""
    description: str
    """sysDescr."""


async def introduce(network: Network, router: Router, seconds: float) -> Agent:
    """Asks a router's agent who it is, as its SNMP profile says. Raises SourceError, ConfigError ``missing-secret``."""
    profile = network.snmp_profile(router)
    assert profile, "a router with an SNMP profile"
    until = asyncio.get_running_loop().time() + seconds - min(SPARE, seconds / 10)
    engine = PysnmpEngine()
    try:
        target = Target(network.endpoint(router, "snmp"), Credentials.of(profile), until)
        told = await engine.get(target, [SYS_NAME, SYS_DESCR])
    finally:
        await engine.close()
    name, description = (told[oid] for oid in (SYS_NAME, SYS_DESCR))
    if name is None and description is None:
        raise SourceError(Failure.ANSWER, "it answers, but does not say who it is: look at its view")
    return Agent(_text(name), _text(description))


def _text(value: Value) -> str:
    return value.decode("utf-8", "replace")[:LONGEST_TEXT] if isinstance(value, bytes) else ""


# --- pysnmp ---

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
    "aes192": config.USM_PRIV_CFB192_AES_BLUMENTHAL,  # as net-snmp makes its keys
    "aes256": config.USM_PRIV_CFB256_AES_BLUMENTHAL,
}
MODELS = {"v1": (0, 1), "v2c": (1, 2), "v3": (3, 3)}
"""Version to its message processing model and security model (RFC 3411, 5)."""
GREETINGS = ("UnknownEngineID", "NotInTimeWindow")
"""What an SNMPv3 agent says before it can be asked."""
REFUSALS = {
    "WrongDigest": "the auth passphrase is wrong",
    "UnknownUserName": "it does not know this user",
    "UnsupportedSecurityLevel": "it does not let this user in at this security level: look at auth and priv",
    "DecryptionError": "the priv passphrase is wrong",
}
"""What an SNMPv3 agent says to somebody it does not let in (RFC 3414, 3.2)."""
DOMAIN = config.SNMP_UDP_DOMAIN
COMMUNITY = "us"
"""What pysnmp calls us where there is no user; never sent."""
PLAIN: Mapping[Any, Callable[[Any], Value]] = {
    kind.tagSet: turn
    for turn, kinds in (
        (int, (v2c.Integer32, v2c.Counter32, v2c.Gauge32, v2c.TimeTicks, v2c.Counter64)),
        (bytes, (v2c.OctetString, v2c.IpAddress, v2c.Opaque)),
        (lambda oid: str(oid).encode(), (v2c.ObjectIdentifier,)),
    )
    for kind in kinds
}
"""Type on the wire to a plain value; what is missing here (noSuchInstance and its like) is None."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    """error-status; 0: none."""
    index: int
    """Which of the OIDs is to blame for the status, counted from 1; 0: none of them."""
    values: Sequence[tuple[Oid, Value]]


class PysnmpEngine:
    """Speaks SNMP with pysnmp."""

    def __init__(self) -> None:
        self._managers: list[_Manager] = []

    async def get(self, target: Target, oids: Sequence[Oid]) -> Mapping[Oid, Value]:
        values: dict[Oid, Value] = dict.fromkeys(oids)
        waiting = [list(oids[start : start + MOST_VALUES]) for start in range(0, len(oids), MOST_VALUES)]
        while waiting:
            asked = waiting.pop()
            answer = await self._exchange(target, _request(v2c.GetRequestPDU, v2c.apiPDU, asked))
            if not answer.status:
                values |= {oid: value for oid, value in answer.values if oid in values}
            elif answer.status == TOO_BIG and len(asked) > 1:
                waiting += [asked[: len(asked) // 2], asked[len(asked) // 2 :]]
            elif answer.status != AUTHORIZATION and 0 < answer.index <= len(asked):
                del asked[answer.index - 1]  # SNMPv1 answers nothing else when one is missing
                waiting += [asked] if asked else []
            else:
                raise _bad_status(answer)
        return values

    async def table(self, target: Target, columns: Sequence[Oid]) -> Mapping[Oid, Mapping[Oid, Value]]:
        table: dict[Oid, dict[Oid, Value]] = {column: {} for column in columns}
        last = {column: column for column in columns}  # where each column goes on, until it has come to its end
        repetitions = MOST_REPETITIONS
        while last:
            repetitions = min(repetitions, max(1, MOST_VALUES // len(last)))
            answer = await self._exchange(target, _next_request(target, list(last.values()), repetitions))
            if answer.status == TOO_BIG and repetitions > 1:
                repetitions //= 2
            elif answer.status == NO_SUCH_NAME and 0 < answer.index <= len(last):  # how a table ends in SNMPv1
                del last[list(last)[answer.index - 1]]
            elif answer.status:
                raise _bad_status(answer)
            else:
                _grow(table, last, answer.values)
        return table

    async def close(self) -> None:
        self._managers.clear()

    async def _exchange(self, target: Target, pdu: Any) -> _Answer:
        """Sends one PDU; each set of credentials has its own manager, so a changed secret is a new one."""
        manager = next((each for each in self._managers if each.credentials == target.credentials), None)
        if manager and manager.greetings > MOST_KNOWN:
            self._managers.remove(manager)
            manager = None
        if manager is None:
            manager = _Manager(target.credentials)
            self._managers.append(manager)
        return await manager.exchange(target, pdu)


def _request(kind: Any, api: Any, oids: Sequence[Oid]) -> Any:
    pdu = kind()
    api.set_defaults(pdu)
    api.set_varbinds(pdu, [(oid, v2c.null) for oid in oids])
    return pdu


def _next_request(target: Target, oids: Sequence[Oid], repetitions: int) -> Any:
    if target.credentials.version == "v1":
        return _request(v2c.GetNextRequestPDU, v2c.apiPDU, oids)
    pdu = _request(v2c.GetBulkRequestPDU, v2c.apiBulkPDU, oids)
    v2c.apiBulkPDU.set_max_repetitions(pdu, repetitions)
    return pdu


def _grow(table: dict[Oid, dict[Oid, Value]], last: dict[Oid, Oid], values: Sequence[tuple[Oid, Value]]) -> None:
    """Puts the values of one answer into their columns, and takes a column that has come to its end out of ``last``.

    Only OIDs say where a value belongs: agents go on with whatever comes next when a column is over. OIDs that do not
    increase are not new, and a column without new ones ends, so nobody can lead us in circles.
    """
    rows, grows = len(values) // len(last), False
    for column in list(last):
        size, room = len(column), MOST_ROWS - len(table[column])
        new = {oid: value for oid, value in values if oid[:size] == column and oid > last[column] and value is not None}
        table[column] |= {oid[size:]: new[oid] for oid in sorted(new)[:room]}
        if len(new) < rows or len(new) >= room:
            del last[column]
        elif new:
            last[column], grows = max(new), True
    if not grows:
        last.clear()


def _bad_status(answer: _Answer) -> SourceError:
    if answer.status == AUTHORIZATION:
        return SourceError(Failure.AUTH, "it does not let us read: look at its view and access")
    return SourceError(Failure.ANSWER, f"it answers with error-status {answer.status} (RFC 3416, 3)")


class _Manager:
    """What pysnmp keeps for one set of credentials, and the agents that are asked with them."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self.engine = SnmpEngine()
        self.engine.register_transport_dispatcher(_Dispatcher())
        self.greetings = 0
        self._agents: dict[Endpoint, _Agent] = {}
        try:
            self._let_in()
        except PySnmpError as error:  # its text may show a secret
            what = f"these credentials cannot be used ({type(error).__name__}): look at user and passphrases"
            raise SourceError(Failure.SETUP, what) from None

    def _let_in(self) -> None:
        mine = self.credentials
        if mine.community is not None:
            config.add_v1_system(self.engine, COMMUNITY, mine.community.reveal().encode())
            return
        config.add_v3_user(
            self.engine,
            mine.user,
            AUTH[mine.auth[0]] if mine.auth else config.USM_AUTH_NONE,
            mine.auth[1].reveal().encode() if mine.auth else None,
            PRIV[mine.priv[0]] if mine.priv else config.USM_PRIV_NONE,
            mine.priv[1].reveal().encode() if mine.priv else None,
        )

    async def exchange(self, target: Target, pdu: Any) -> _Answer:
        """Asks an agent, twice if need be, and waits for its answer until the target's time is over."""
        if target.endpoint not in self._agents:
            self._agents[target.endpoint] = _Agent(self, target.endpoint)
        agent = self._agents[target.endpoint]
        async with agent.lock:
            return await agent.exchange(pdu, target.until)


class _Dispatcher(AbstractTransportDispatcher):  # type: ignore[misc]  # pysnmp has no types
    """Stands in for pysnmp's transport. Its timer never ticks, and an address is a pair that begins with an agent."""

    def send_message(self, message: bytes, domain: Oid, address: tuple[_Agent, int]) -> None:
        address[0].send(message)


@dataclass(frozen=True, slots=True)
class _Event:
    """Something that came from an agent: an answer, what it says instead, or that there is no way to it."""

    answer: _Answer | None = None
    says: str = ""
    error: OSError | None = None


class _Agent(asyncio.DatagramProtocol):
    """One agent, and the socket to it while it is asked."""

    def __init__(self, manager: _Manager, endpoint: Endpoint) -> None:
        self.lock = asyncio.Lock()
        self._manager, self._endpoint = manager, endpoint
        self._line: asyncio.DatagramTransport | None = None
        self._events: asyncio.Queue[_Event] = asyncio.Queue()
        self._strangers = 0
        """pysnmp keeps what it learned of an SNMPv3 agent by its address: with another number it begins anew."""
        self._unclear = 0
        """Datagrams that came and made no sense."""
        self._greeted = False
        """Whether it said who it is, or what time it has, since we asked the last time."""

    async def exchange(self, pdu: Any, until: float) -> _Answer:
        """Opens a socket, asks, and closes it."""
        loop = asyncio.get_running_loop()
        self._events, self._unclear = asyncio.Queue(), 0
        remote = (self._endpoint.address, self._endpoint.port)
        try:
            async with asyncio.timeout_at(until):
                self._line, _ = await loop.create_datagram_endpoint(lambda: self, remote_addr=remote)
        except TimeoutError:
            what = "there was no time to ask it: its name is looked up slowly, or this machine is too busy"
            raise SourceError(Failure.TIMEOUT, what) from None
        except (OSError, UnicodeError) as error:  # a name of an impossible form is no OSError
            raise SourceError(Failure.REFUSED, f"there is no way to it: {reason_of(error)}") from None
        handles: list[int] = []
        try:
            for end in (loop.time() + (until - loop.time()) / 2, until):
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(end):
                        return await self._ask(pdu, handles)
                self._strangers += 1
        finally:
            self._line.close()
            for handle in handles:
                engine, model = self._manager.engine, MODELS[self._manager.credentials.version][0]
                engine.message_dispatcher.release_state_information(engine, handle, model)
        raise self._silence()

    async def _ask(self, pdu: Any, handles: list[int]) -> _Answer:
        """Sends a PDU, again after each greeting, and waits for its answer, however late that comes."""
        handles.append(self._send(pdu))
        self._greeted, greetings = False, 0
        while True:
            event = await self._events.get()
            if event.answer:
                return event.answer
            if event.error:
                what = f"nothing listens on its SNMP port, or there is no way to it: {reason_of(event.error)}"
                raise SourceError(Failure.REFUSED, what)
            if event.says in REFUSALS:
                raise SourceError(Failure.AUTH, REFUSALS[event.says])
            greetings += 1
            self._manager.greetings += 1
            if event.says not in GREETINGS or greetings > MOST_GREETINGS:
                raise SourceError(Failure.ANSWER, f"it does not answer, but says {event.says}")
            self._greeted = True
            handles.append(self._send(pdu))

    def _send(self, pdu: Any) -> int:
        engine, mine = self._manager.engine, self._manager.credentials
        model, security = MODELS[mine.version]
        return int(
            engine.message_dispatcher.send_pdu(
                engine,
                DOMAIN,
                (self, self._strangers),
                model,
                security,
                (mine.user or COMMUNITY).encode(),
                1 + bool(mine.auth) + bool(mine.priv),
                None,
                b"",
                int(model > 0),
                pdu if model else rfc2576.v2_to_v1(pdu),
                True,
                cbFun=self._heard,
                cbCtx=pdu,
            )
        )

    def send(self, message: bytes) -> None:
        """Sends a datagram; called by pysnmp."""
        if self._line:
            self._line.sendto(message)

    def datagram_received(self, data: bytes, address: Any) -> None:
        engine = self._manager.engine
        self._unclear += 1  # until it proves to be an answer
        with suppress(Exception):  # a datagram can make pysnmp raise anything
            engine.message_dispatcher.receive_message(engine, DOMAIN, (self, self._strangers), data)

    def error_received(self, error: Exception) -> None:
        if isinstance(error, OSError):
            self._events.put_nowait(_Event(error=error))

    def _heard(self, *about: Any) -> None:
        """What pysnmp makes of a datagram that belongs to a request of ours (RFC 3412, 4.2.2)."""
        *_, reply, status, _, pdu = about
        if status:
            event = _Event(says=type(status.get("errorIndication")).__name__)
        else:
            model = MODELS[self._manager.credentials.version][0]
            event = _Event(_answer(reply if model else rfc2576.v1_to_v2(reply, pdu), pdu))
        self._unclear -= 1
        self._events.put_nowait(event)

    def _silence(self) -> SourceError:
        if self._unclear:
            return SourceError(Failure.ANSWER, "datagrams came, but no answer to our question")
        if self._greeted:
            what = "it says who it is, but gives no answer: the priv passphrase is wrong, or snmpd hangs"
        elif self._manager.credentials.version == "v3":
            what = "no answer: a firewall, or snmpd is not running"
        else:
            what = "no answer: wrong community, a firewall, or snmpd is not running"
        return SourceError(Failure.TIMEOUT, what)


def _answer(reply: Any, pdu: Any) -> _Answer:
    """A response in plain values. Raises ValueError when it is none, or one to another question."""
    api = v2c.apiPDU
    if reply.tagSet != v2c.ResponsePDU.tagSet or api.get_request_id(reply) != api.get_request_id(pdu):
        raise ValueError
    return _Answer(
        int(api.get_error_status(reply)),
        int(api.get_error_index(reply, muteErrors=True)),
        [(tuple(oid), PLAIN.get(value.tagSet, _nothing)(value)) for oid, value in api.get_varbinds(reply)],
    )


def _nothing(value: Any) -> Value:
    return None
