"""ubus over SSH: what an OpenWrt router's own daemons say, and whether the internet can be reached through it.

One login runs ``ubus.sh``: first for all values, then for a name and a web page of the network's own choice, each with
a time of its own. So a resolver that hangs never costs the other values. The script counts who is on the Wi-Fi on the
router itself and changes nothing. Sources: ``ubus call`` of procd (``system board``, ``system info``), netifd
(``network.wireless status``, ``network.device status``, ``network.interface.NAME status``) and hostapd
(``get_status``, ``get_clients``).
"""

from __future__ import annotations

import asyncio
import re
import secrets
import shlex
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.resources import files
from ipaddress import IPv4Address, IPv4Interface
from itertools import islice

from wifimgr.errors import Refused, RouterError
from wifimgr.inventory import Inventory
from wifimgr.model import Failure, Interface, Internet, Measured, Radio, Router
from wifimgr.settings.files import InternetEntry
from wifimgr.sources.base import Say, SourceError
from wifimgr.sources.told import Told
from wifimgr.ssh import Connection, Deadline, KnownHosts, connect, target_of

UBUS_SH = (files("wifimgr.sources") / "ubus.sh").read_text(encoding="ascii")
GUESTS = "guest"
"""The network of guests where the settings name none."""
LOGINS = 32
"""So many routers are asked at the same time; the others wait for their turn."""
MARGIN = 0.9
"""Part of the time that we use, so that an answer is told before nobody waits for it any more."""
STEP_SECONDS = 6.0
"""Longest time for one step of the look at the internet. BusyBox' nslookup gives up after 5 s."""
SHORTEST_LOOK = 2.0
"""Seconds. With less time left the internet is not looked at: a slow line would pass for a broken one."""
LOAD_SCALE = 65536
"""``ubus call system info`` tells load averages as fixed-point numbers, as sysinfo(2) does."""
UTILIZATION_FULL = 255
"""hostapd tells how busy a channel is as in the BSS Load element (IEEE 802.11)."""
NOT_FOUND = 127
"""What a shell says when there is no such command."""
LONGEST_SAID = 300
"""Characters of one section that are told to somebody who looks on."""
BANDS = {"2g": "2.4", "5g": "5", "6g": "6", "11g": "2.4", "11b": "2.4", "11a": "5"}
"""``band`` (OpenWrt 21.02 and later) or ``hwmode`` of a radio, and its band in GHz."""
_DEVICE = re.compile(r"[A-Za-z0-9_.@-]{1,15}")
_NO_ROUTE = re.compile("unreachable|no route|denied", re.IGNORECASE)
_EXIT = re.compile(r"\b(via|dev) (\S+)")

Tell = Callable[[str], object]
Sections = Mapping[str, bytes]
"""Name of a section to what the router said in it."""


class Ubus:
    """Asks over SSH, several routers at the same time, each in a thread of its own."""

    def __init__(self, inventory: Inventory, known_hosts: KnownHosts) -> None:
        self._inventory, self._known_hosts = inventory, known_hosts
        self._pool = ThreadPoolExecutor(LOGINS, thread_name_prefix="ubus")

    async def ask(self, router: Router, seconds: float, say: Say) -> Measured:
        """What the router tells. Raises SourceError, or ConfigError for a missing secret.

        Whoever stops waiting leaves a thread behind that ends with the time: it keeps the same deadline.
        """
        deadline = Deadline(seconds * MARGIN)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._pool, self._look, router, deadline, lambda line: loop.call_soon_threadsafe(say, line)
            )
        except (RouterError, Refused) as error:
            raise SourceError(_failure(error, deadline), error.line()) from None

    async def close(self) -> None:
        """Starts no more logins. Those under way end with their time."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _look(self, router: Router, deadline: Deadline, say: Tell) -> Measured:
        wanted = self._inventory.network.internet
        guests = network_of_guests(wanted)
        target = target_of(self._inventory, self._known_hosts, router)
        say(f"logs in at {target.describe()} and runs {len(UBUS_SH)} bytes of script")
        with connect(target, deadline) as connection:
            told = _run(connection, deadline, f"values {shlex.quote(guests)}", say)
            if "end" not in told or _read(told, "info")["uptime"].number() is None:
                raise SourceError(Failure.ANSWER, "its ubus does not answer: is this OpenWrt?")
            measured = measured_of(told, guests)
            if not wanted:
                return measured
            return replace(measured, internet=internet(connection, deadline, wanted, guests_of(told), say))


@dataclass(frozen=True, slots=True)
class Board:
    """What a router with OpenWrt says it is. Any text, empty where it does not tell."""

    hostname: str
    model: str
    name: str
    """Of the board, as OpenWrt calls it: ``tplink,archer-c7-v5``."""
    firmware: str
    gluon: bool


def introduce(connection: Connection, deadline: Deadline) -> Board | None:
    """Asks a router what it is; None: it has no ubus, so it is no OpenWrt. Raises RouterError."""
    told = _run(connection, deadline, "introduce", lambda line: None)
    board = _read(told, "board")
    if not board.is_object():
        return None
    return Board(
        hostname=board["hostname"].text(),
        model=board["model"].text(),
        name=board["board_name"].text(),
        firmware=board["release"]["description"].text(),
        gluon="gluon" in told,
    )


def _failure(error: RouterError | Refused, deadline: Deadline) -> Failure:
    """Silence is one thing, and an answer that nobody can read another: then somebody is there."""
    if error.id != "unreachable":  # the login or the host key is refused
        return Failure.AUTH
    if _is_late(error, deadline):
        return Failure.TIMEOUT
    return Failure.REFUSED if _is_due_to(error, OSError, EOFError) else Failure.ANSWER


def _is_late(error: RouterError | Refused, deadline: Deadline) -> bool:
    return deadline.passed() or _is_due_to(error, TimeoutError)


def _is_due_to(error: BaseException | None, *causes: type[Exception]) -> bool:
    while error and not isinstance(error, causes):
        error = error.__context__
    return error is not None


def _run(connection: Connection, deadline: Deadline, call: str, say: Tell) -> Sections:
    """Runs one function of the script. A connection that is cut on the way has run nothing: all stands in braces."""
    nonce = secrets.token_hex(8)
    wait = max(1, int(deadline.left() / 5))  # one daemon that hangs does not cost the answers of the others
    script = f"{{ NONCE={nonce} WAIT={wait}\n{UBUS_SH}\n{call}\nexit\n}} </dev/null\n"
    told = sections(connection.run(script, deadline), nonce)
    for name, text in told.items():
        shown = " ".join(text.decode("utf-8", "replace").split())
        say(f"{name}: {shown[:LONGEST_SAID]}{'…' if len(shown) > LONGEST_SAID else ''}")
    return told


def sections(output: bytes, nonce: str) -> Sections:
    """The output by the marks of one call; what stands before the first one is a banner."""
    found = {}
    for part in output.split(f"wifimgr:{nonce} ".encode())[1:]:
        name, _, text = part.partition(b"\n")
        found[name.decode("utf-8", "replace")] = text
    return found


def _read(told: Sections, name: str) -> Told:
    """A section as JSON; of nothing where the daemon did not answer."""
    try:
        return Told.read(told.get(name, b""))
    except ValueError:
        return Told(None)


# ---------------------------------------------------------------- values


def measured_of(told: Sections, guests: str) -> Measured:
    """What the daemons say, as values.

    A router that has the network ``guests`` offers the Wi-Fi to them: then only access points in this network count.
    """
    read = cache(partial(_read, told))  # a router may name one section ten thousand times
    info, board = read("info"), read("board")
    radios, on_air = [], []
    only = guests if read("guest").is_object() else ""
    for name, radio in read("wireless").items():
        points = [_Point.of(each, read) for each in radio["interfaces"] if each["config"]["mode"].text() == "ap"]
        points = [point for point in points if radio["up"].flag() and point.on_air]
        counted = [point for point in points if not only or only in point.networks]
        radios.append(_radio(name, radio, points, counted))
        on_air += counted
    return Measured(
        boot=info["uptime"].boot(),
        load=next((load / LOAD_SCALE for each in info["load"] if (load := each.number()) is not None), None),
        memory_total=info["memory"]["total"].whole(),
        memory_available=info["memory"]["available"].whole(),
        model=board["model"].text(),
        firmware=board["release"]["description"].text(),
        wifi=bool(on_air) if radios else None,
        clients=_sum(on_air),
        radios=tuple(radios),
        interfaces=tuple(_interfaces(read("devices"))),
    )


@dataclass(frozen=True, slots=True)
class _Point:
    """One network name on one radio."""

    ssid: str
    networks: frozenset[str]
    on_air: bool
    clients: int | None
    busy: float | None

    @classmethod
    def of(cls, told: Told, read: Callable[[str], Told]) -> _Point:
        """What netifd and hostapd say. hostapd has the last word: a radio that listens for radar is up, too."""
        config, name = told["config"], told["ifname"].text()
        status = read(f"bss {name}")
        utilization, time = status["airtime"]["utilization"].number(), status["airtime"]["time"].number()
        return cls(
            ssid=config["ssid"].text(),
            networks=frozenset([config["network"].text(), *(each.text() for each in config["network"])]),
            on_air=bool(name) and status["status"].text() in ("ENABLED", ""),
            clients=read(f"clients {name}").whole(),
            busy=min(1.0, utilization / UTILIZATION_FULL) if utilization is not None and time else None,
        )


def _radio(name: str, radio: Told, points: list[_Point], counted: list[_Point]) -> Radio:
    config = radio["config"]
    return Radio(
        name=name,
        band=BANDS.get(config["band"].text() or config["hwmode"].text(), ""),
        up=None if radio["disabled"].flag() else radio["up"].flag(),  # who switched it off wants it so
        ssids=tuple(dict.fromkeys(point.ssid for point in points)),
        clients=_sum(counted),
        busy=next((point.busy for point in points if point.busy is not None), None),
    )


def _sum(points: list[_Point]) -> int | None:
    counts = [point.clients for point in points if point.clients is not None]
    return sum(counts) if counts else None


def _interfaces(devices: Told) -> list[Interface]:
    found = []
    for name, device in devices.items():
        if name == "lo" or device["present"].flag() is False:
            continue
        up, carrier, counters = device["up"].flag(), device["carrier"].flag(), device["statistics"]
        found.append(
            Interface(
                name=name,
                up=up and carrier is not False if up is not None else None,
                receive_bytes=counters["rx_bytes"].whole(),
                transmit_bytes=counters["tx_bytes"].whole(),
                receive_errors=counters["rx_errors"].whole(),
                transmit_errors=counters["tx_errors"].whole(),
            )
        )
    return found


# ---------------------------------------------------------------- internet


@dataclass(frozen=True, slots=True)
class Guests:
    """The network of guests, as the router has it."""

    address: IPv4Address
    """The router's own address there, where guests ask for names."""
    someone: IPv4Address
    """Another address there, as a guest could have it."""
    device: str


def network_of_guests(wanted: InternetEntry | None) -> str:
    """What routers call the network of guests."""
    return wanted.network if wanted else GUESTS


def guests_of(told: Sections) -> Guests | None:
    """The network of guests; None where the router has no address in it."""
    return guests_in(_read(told, "guest"))


def guests_in(status: Told) -> Guests | None:
    """The guests of a network, from what netifd says of it; None where the router has no IPv4 address in it."""
    device = status["l3_device"].text()
    for each in status["ipv4-address"]:
        try:
            own = IPv4Interface(f"{each['address'].text()}/{each['mask'].whole()}")
        except ValueError:
            continue
        someone = next((host for host in islice(own.network.hosts(), 2) if host != own.ip), None)
        if someone and _DEVICE.fullmatch(device):
            return Guests(own.ip, someone, device)
    return None


def internet(
    connection: Connection, deadline: Deadline, wanted: InternetEntry, guests: Guests | None, say: Tell
) -> Internet | None:
    """Lets a router look for a name, then get a web page; None where that could not be tried.

    ``asked_from`` is ``guest`` as long as everything was asked as guests ask: names at the router's address in their
    network, and the page over the way that the kernel would take for a guest, too.
    """
    server = [str(guests.address)] if guests else []
    asked_from = "guest" if guests else "router"
    if deadline.left() < SHORTEST_LOOK:
        return None
    try:
        told = _step(connection, deadline.left() / 2, ["resolve", wanted.dns, *server], say)
        if _code(told) == NOT_FOUND:
            return None
        targets = addresses_in(told.get("answer", b""))
        if not targets:
            at = f" at {guests.address}" if guests else ""
            return Internet(works=False, asked_from=asked_from, why=f"DNS: no answer for {wanted.dns}{at}")
        limit = str(int(max(1, min(STEP_SECONDS, deadline.left()))))
        way = [targets[0], str(guests.someone), guests.device] if guests else []
        told = _step(connection, deadline.left(), ["fetch", wanted.http, limit, *way], say)
    except RouterError:
        return None  # the connection broke: that says nothing about the internet
    if guests and _NO_ROUTE.search(_text(told, "guest")):
        return Internet(works=False, asked_from=asked_from, why=f"guests have no route to {targets[0]}")
    code = _code(told)
    if code == NOT_FOUND:
        return None
    if guests and not _same_way(_text(told, "guest"), _text(told, "router")):
        asked_from = "router"
    why = "" if code == 0 else f"HTTP: {wanted.http} cannot be fetched"
    return Internet(works=code == 0, asked_from=asked_from, why=why)


def _step(connection: Connection, seconds: float, call: list[str], say: Tell) -> Sections:
    """One step with a time of its own: nothing is told when it is over. Raises RouterError for a lost connection."""
    step = Deadline(min(seconds, STEP_SECONDS))
    try:
        return _run(connection, step, shlex.join(call), say)
    except RouterError as error:
        if not _is_late(error, step):
            raise
        return {}


def _code(told: Sections) -> int | None:
    return _read(told, "code").whole()


def _text(told: Sections, name: str) -> str:
    return told.get(name, b"").decode("utf-8", "replace")


def addresses_in(answer: bytes) -> list[str]:
    """The IPv4 addresses in what BusyBox' nslookup prints; before the first ``Name:`` stands the server's own."""
    _, _, found = answer.decode("utf-8", "replace").partition("Name:")
    addresses = []
    for word in re.findall(r"^Address(?: [0-9]+)?:\s*(\S+)", found, re.MULTILINE):
        with suppress(ValueError):
            addresses.append(str(IPv4Address(word)))
    return addresses


def _same_way(guest: str, router: str) -> bool:
    """Whether the kernel sends both out the same way (``ip route get``: gateway and device)."""
    ways = [dict(_EXIT.findall(text)) for text in (guest, router)]
    return "dev" in ways[0] and ways[0] == ways[1]
