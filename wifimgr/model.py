"""The nouns of wifimgr as frozen dataclasses: what everything else speaks about.

A :class:`Site` is a place, a :class:`Router` stands in it. A :class:`Change` is what a playbook would do to
one router, an :class:`Outcome` is what happened to it. No module of wifimgr is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
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
    opening_hours: str = ""
    """OpenStreetMap opening_hours syntax; empty: not known."""
    power: str = "always"
    """``always`` or ``switched`` (lamp post, market: off is planned)."""
    power_hours: str = ""
    """When switched power is on, in opening_hours syntax."""
    uplink: Mapping[str, str] = field(default_factory=_empty)
    """Fault domains above the site: kind (``provider``, ``gateway``) to the name in network.yaml."""
    wifi_schedule: str = "always"
    show_guests: bool = False
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
    addresses: tuple[str, ...]
    """IPv4, IPv6 (with zone where link-local) or DNS names; the first one is used."""
    platform: str
    role: str
    operator: str
    manage: Manage
    lifecycle: Lifecycle = Lifecycle.ACTIVE
    model: str = ""
    room: str = ""
    behind: str | None = None
    """The router that is our way to this one, by name."""
    tags: tuple[str, ...] = ()
    ssh: str = "default"
    """Name of the SSH profile in network.yaml."""
    snmp: str = ""
    """Name of the SNMP profile in network.yaml; empty: none."""
    sources: tuple[str, ...] = ()
    interval: float = 60.0
    """Seconds between two polls."""
    ports: Mapping[str, int] = field(default_factory=_empty)
    """Ports that differ from the profile's: service to port."""
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
