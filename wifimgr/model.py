"""The nouns of wifimgr as frozen dataclasses: what everything else speaks about.

A :class:`Site` is a place, a :class:`Router` stands in it. A :class:`Change` is what a playbook would do to
one router, an :class:`Outcome` is what happened to it. A :class:`Reading` is one answer of one source about one
router, a :class:`Health` is what we make of all of them. No module of wifimgr is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from typing import Any


def _empty() -> Mapping[str, Any]:
    return MappingProxyType({})


class Manage(StrEnum):
    """Whether we may change what an operator owns."""

    PUSH = "push"
    WATCH = "watch"


class Lifecycle(StrEnum):
    """Where a router or a site is in its life."""

    PLANNED = "planned"
    ACTIVE = "active"
    MAINTENANCE = "maintenance"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written: the file as shown to people, relative to the network folder, and its line."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Whom people may call: an office or a role."""

    name: str
    phone: str = ""
    hours: str = ""
    """When somebody answers, in opening_hours syntax."""
    email: str = ""
    public: bool = False
    """Whether the status page may show it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place: youth centre, library, square. ``slug`` is the name of its file."""

    slug: str
    name: str
    kind: str
    public: bool = False
    lifecycle: Lifecycle = Lifecycle.ACTIVE
    district: str = ""
    address: str = ""
    position: tuple[float, float] | None = None
    """Latitude and longitude in degrees (WGS 84)."""
    prefixes: tuple[IPv4Network | IPv6Network, ...] = ()
    """The address ranges of this place."""
    opening_hours: str = ""
    """OpenStreetMap opening_hours syntax; empty: not known."""
    power: str = "always"
    """``always`` or ``switched`` (lamp post, market: off is planned)."""
    power_hours: str = ""
    """When switched power is on, in opening_hours syntax."""
    uplink: Mapping[str, str] = field(default_factory=_empty)
    """Fault domains above the site: kind (``provider``, ``gateway``) to the name in network.yaml."""
    dns_profile: str = ""
    """Name of the DNS profile in network.yaml whose servers guests get; empty: none."""
    wifi_schedule: str = "always"
    show_guests: bool = False
    contacts: tuple[Contact, ...] = field(default=(), repr=False)
    """Whom to call about this place; only those with ``public`` may leave the house."""
    private: Mapping[str, Any] = field(default_factory=_empty, repr=False)
    """Never leaves the site's file: on no page, in no list, export or log."""
    routers: tuple[str, ...] = ()
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """One watched or managed device, with every value already composed from defaults, site and router."""

    name: str
    site: str
    """Slug of the site it stands in."""
    addresses: tuple[str, ...] = ()
    """IPv4, IPv6 (with zone where link-local) or DNS names; the first one is used. Empty: we never ask it."""
    platform: str
    role: str
    operator: str
    manage: Manage
    lifecycle: Lifecycle = Lifecycle.ACTIVE
    model: str = ""
    room: str = ""
    behind: str | None = None
    """The router that is our way to this one, by name."""
    node_id: str = ""
    """What the mesh calls it; empty: not known."""
    tags: tuple[str, ...] = ()
    ssh: str = "default"
    """Name of the SSH profile in network.yaml."""
    jump: str | None = None
    """The router that we log in through, by name; None: we log in straight."""
    snmp: str = ""
    """Name of the SNMP profile in network.yaml; empty: none."""
    sources: tuple[str, ...] = ()
    interval: float = 60.0
    """Seconds between two polls."""
    ports: Mapping[str, int] = field(default_factory=_empty)
    """Ports that differ from the profile's: service to port."""
    legacy_ssh: bool = False
    """Whether its SSH server may prove with SHA-1 who it is: it knows nothing better."""
    vars: Mapping[str, Any] = field(default_factory=_empty, repr=False)
    """Variables for playbooks: plain values, or settings.SecretRef for a secret."""
    origins: Mapping[str, Origin] = field(default_factory=_empty, repr=False)
    """Where each value comes from: key (``platform``, ``vars.ssid``) to file and line."""


Value = str | tuple[str, ...]
"""What a UCI option holds: text, or a list of texts."""


@dataclass(frozen=True, slots=True)
class Touched:
    """One thing that a change wishes: an option, a section or a file, before and after. None: not there."""

    what: str
    """``wireless.guest_radio0.ssid``, ``wireless.default_radio0`` or ``/etc/banner``."""
    before: Value | None = field(repr=False)
    after: Value | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathChange:
    """One file of a router before and after. None: the file is not there."""

    path: str
    """Without the leading slash: ``etc/config/wireless``."""
    before: bytes | None = field(repr=False)
    after: bytes | None = field(repr=False)
    mode: str = ""
    """Octal mode for the new file; empty: as it was."""
    diff: tuple[str, ...] = ()
    """Lines to show to people: secrets masked, nothing that a terminal would obey."""
    secret: bool = False
    """Whether the file as it is holds a secret that changes or goes: it must not stay in a snapshot on flash."""
    link: bool = False
    """Whether it is a symbolic link; then ``before`` and ``after`` are where it leads to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that is done before a change is armed, and that no router can take back by itself."""

    what: str
    """For people: ``install the package snmpd``."""
    script: str = field(repr=False)
    """What the router's shell does; may hold a secret."""
    takes: float = 60.0
    """Seconds after which it is ended and counts as failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a playbook would do to one router."""

    router: str
    paths: tuple[PathChange, ...]
    """Only the files that differ; empty: the router is already right."""
    touched: tuple[Touched, ...]
    """Everything the playbook wishes here, whether it differs or not: what "changed since plan" is judged on."""
    checks: tuple[tuple[str, str], ...] = ()
    """What must hold before the change is confirmed: name of the check, and what it wants."""
    interrupts: Mapping[str, float] = field(default_factory=_empty)
    """What people would notice, and for how many seconds: ``{"wifi": 40.0}``."""
    connectivity: bool = False
    """Whether the change can touch our way to the router, so that its effects need longer to settle."""
    loses_key: bool = False
    """Whether the key that we log in with would be let in no more."""
    radar: float = 0.0
    """Seconds that a radio may listen for radar before it is on air: all of the push takes that much longer."""
    takes: float = 0.0
    """Seconds that the router may need to take it up besides a reload, and to come back once it went back."""
    settles: float = 0.0
    """Seconds that its effects need longer to show than those of other changes."""
    steps: tuple[Step, ...] = ()
    """What is done before it is armed, and has no undo."""
    kept: tuple[PathChange, ...] = ()
    """Files that do not differ and are part of the snapshot even so, because taking it up may rewrite them."""
    seen: Mapping[str, bytes | None] | None = field(default=None, repr=False)
    """Files that it depends on besides these, as they were read. None: it depends on more than the bytes of files."""
    commands: tuple[str, ...] = field(default=(), repr=False)
    """What to type where a router has a console and no shell; may hold secrets."""
    after: tuple[str, ...] = ()
    """What besides a reload lets the router take up the files, one call a line: ``service restart snmpd``."""

    @property
    def longer(self) -> float:
        """Seconds that the router gets on top of the usual until it has to be confirmed."""
        return self.radar + self.takes + self.settles

    @property
    def anything(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.paths or self.steps or self.after)

    @property
    def secret(self) -> bool:
        """Whether a secret changes: then no snapshot of the old one stays on the router."""
        return any(path.secret for path in self.paths)


class Result(StrEnum):
    """What happened to one router."""

    DONE = "done"
    ALREADY_RIGHT = "already right"
    REFUSED = "refused"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    UNREACHABLE = "unreachable"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one router, why, and what to do next."""

    router: str
    result: Result
    why: str = ""
    hint: str = ""
    error_id: str = ""


# --- what is measured ---


class Failure(StrEnum):
    """Why a source gave no answer: a closed list, so that it can be a label."""

    TIMEOUT = "timeout"
    """Nothing came in time."""
    REFUSED = "refused"
    """The other side says that nobody listens there, or that there is no way to it."""
    AUTH = "auth"
    """The password, key or community is wrong, or a host key is not the trusted one."""
    ANSWER = "answer"
    """What came cannot be understood."""
    SETUP = "setup"
    """Nothing was asked: something is missing on our side, like a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Radio:
    """One radio of a router. What a source does not tell is None, never zero."""

    name: str
    """As the router calls it: ``radio0``."""
    band: str = ""
    """``2.4``, ``5`` or ``6`` (GHz); empty: not told."""
    up: bool | None = None
    ssids: tuple[str, ...] = ()
    """The network names that are on the air."""
    clients: int | None = None
    """How many devices are connected: a count, never who."""
    busy: float | None = None
    """Part of the time that the channel is in use, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One network interface. Octets and errors are counters since boot."""

    name: str
    up: bool | None = None
    receive_bytes: int | None = None
    transmit_bytes: int | None = None
    receive_errors: int | None = None
    transmit_errors: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Internet:
    """Whether the internet was reached through a router, and how that was found out."""

    works: bool
    asked_from: str
    """``guest``: from the guest network; ``router``: from the router itself; ``mesh``: told by the mesh (respondd)."""
    why: str = ""
    """What did not work, in words for admins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one source told about a router. None and empty: it did not tell."""

    boot: datetime | None = None
    """When the router started (UTC)."""
    load: float | None = None
    """Load average over one minute."""
    memory_total: int | None = None
    """Bytes."""
    memory_available: int | None = None
    """Bytes that programs can still get."""
    model: str = ""
    firmware: str = ""
    wifi: bool | None = None
    """Whether a network for guests is on the air; None: this source cannot see the Wi-Fi."""
    clients: int | None = None
    """Devices connected over Wi-Fi: a count, never who."""
    radios: tuple[Radio, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    internet: Internet | None = None
    round_trip: float | None = None
    """Seconds there and back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One answer of one source about one router at one time, or why there was none."""

    router: str
    source: str
    at: datetime
    """When the answer was complete or given up (UTC)."""
    took: float
    """Seconds."""
    failure: Failure | None = None
    detail: str = ""
    """Why it failed, in one line for admins; never a secret."""
    measured: Measured | None = None
    """None exactly when it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is remembered of one source of one router."""

    latest: Reading
    good: Reading | None
    """The last one that did not fail."""
    failures: int
    """How many failed in a row until now."""
    polls: int
    """How many there were in all, since the store began."""
    failed: Mapping[Failure, int]
    """How many of them failed, by reason."""


# --- what we make of it ---


class State(StrEnum):
    """Health in one word: a router has one of the first four or ``maintenance``, a place has any of them."""

    UP = "up"
    """It works, with evidence that the internet is reachable."""
    DEGRADED = "degraded"
    """Guests can use it, but not all of it works."""
    DOWN = "down"
    """Guests cannot use it."""
    UNKNOWN = "unknown"
    """We do not know: nobody could tell, or it is off on purpose."""
    CLOSED = "closed"
    """The place is closed, or its power is off as planned."""
    PAUSED = "paused"
    """Switched off by the people of the place for a while."""
    MAINTENANCE = "maintenance"
    """Somebody works on it."""


class Fault(StrEnum):
    """Whose it is."""

    HOUSE = "house"
    """Power, cable or line in the house."""
    PROVIDER = "provider"
    GATEWAY = "gateway"
    """Freifunk gateway or VPN."""
    ROUTER = "router"
    CITY = "city"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a health is what it is: an id out of :data:`wifimgr.health.REASONS`, and what it is about."""

    id: str
    about: str = ""
    """The router, uplink or source that is meant; empty: the router or place itself."""
    until: datetime | None = None
    """When this ends as planned (UTC)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What we make of all readings, for one router or one place."""

    state: State
    reasons: tuple[Reason, ...] = ()
    fault: Fault | None = None
    """Whose it is; None where nothing is wrong or nobody can tell."""
    beneath: State | None = None
    """What a closed, paused or maintained place would be otherwise."""
    since: datetime | None = None
    """When the state last changed (UTC); None: it was never stored."""
    checked: datetime | None = None
    """When a source last answered or failed to (UTC); None: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A change of health. ``kind`` is ``router`` or ``site``, ``name`` its name or slug."""

    at: datetime
    kind: str
    name: str
    before: State | None
    after: State
    reasons: tuple[Reason, ...] = ()
    fault: Fault | None = None
