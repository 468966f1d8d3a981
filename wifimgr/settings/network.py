"""The network as the program works with it: one folder, its settings, and what this machine adds to them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wifimgr import model
from wifimgr.errors import ConfigError, Problem, collecting, did_you_mean
from wifimgr.hours import Calendar, region_hint
from wifimgr.settings.files import (
    InternetEntry,
    LocalFile,
    LocalSsh,
    NetworkFile,
    Operator,
    SchoolFile,
    SnmpEntry,
    SshEntry,
    Uplink,
)
from wifimgr.settings.secret import SecretRef, placed
from wifimgr.settings.values import DEFAULT_PORTS, Endpoint
from wifimgr.yamlfile import Document, KeyPath, read, validate

INVENTORY_FOLDER = "inventory"
NETWORK_FILE = f"{INVENTORY_FOLDER}/network.yaml"
STATE_FOLDER = ".wifimgr"
LOCAL_FILE = f"{STATE_FOLDER}/local.yaml"
NETWORK_VARIABLE = "WIFIMGR_NETWORK"
"""Environment variable that names the network folder."""


@dataclass(frozen=True, slots=True)
class SshProfile:
    """How to log in. ``timeout`` is in seconds."""

    user: str = "root"
    key: Path | None = None
    password: SecretRef | None = None
    timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class SnmpProfile:
    """How to ask over SNMP. ``auth`` and ``priv`` are pairs of an algorithm and its passphrase."""

    version: str
    user: str = ""
    auth: tuple[str, SecretRef] | None = None
    priv: tuple[str, SecretRef] | None = None
    community: SecretRef | None = None


@dataclass(frozen=True, slots=True)
class PushTimes:
    """How patient a push is, in seconds."""

    confirm_within: float = 90.0
    """A router that hears nothing from us goes back by itself after this."""
    settle_connectivity: float = 25.0
    """How long a change of network, Wi-Fi, firewall or SSH may take until it shows its effects."""
    settle_other: float = 3.0
    login_gap: float = 5.0
    """Between the two logins that prove a router is still reachable."""
    reboot_after: float = 120.0
    """A router that went back by itself reboots after this, once, unless we log in before; 0: never."""


LOGIN_TIME = 2.0
"""Seconds that the logins themselves are given."""


@dataclass(frozen=True, slots=True)
class Network:
    """The whole installation: one folder, its settings, and what this machine adds to them."""

    folder: Path
    file: NetworkFile
    document: Document = field(repr=False)
    local: LocalFile
    local_document: Document = field(repr=False)
    push: PushTimes
    calendar: Calendar
    """The clock and the holidays that all hours of the network mean."""

    @property
    def name(self) -> str:
        return self.file.name

    @property
    def operators(self) -> Mapping[str, Operator]:
        return self.file.operators

    @property
    def uplinks(self) -> Mapping[str, Uplink]:
        return self.file.uplinks

    @property
    def ssh_profiles(self) -> Mapping[str, SshEntry]:
        """SSH profiles by name. There is always ``default``: root, with the keys of this machine."""
        return {"default": SshEntry()} | self.file.profiles.ssh

    @property
    def snmp_profiles(self) -> Mapping[str, SnmpEntry]:
        return self.file.profiles.snmp

    @property
    def internet(self) -> InternetEntry | None:
        """What is asked for to find out whether the internet works; None: the network does not say."""
        return self.file.internet

    def interval(self, router: model.Router) -> float:
        """Seconds between two polls of a router, with what local.yaml says instead."""
        return self.local.watch.interval or router.interval

    @property
    def state_dir(self) -> Path:
        """Where wifimgr keeps its state; see :func:`make_state_dir`."""
        return self.folder / STATE_FOLDER

    def endpoint(self, router: model.Router, service: str) -> Endpoint:
        """Where a service of a router is reached, by local.yaml, the router, its profile, or default."""
        local = self.local.endpoints.get(router.name, {}).get(service)
        if local:
            return local
        return Endpoint(router.addresses[0], router.ports.get(service) or self._profile_port(router, service))

    def _profile_port(self, router: model.Router, service: str) -> int:
        profiles: Mapping[str, Mapping[str, SshEntry | SnmpEntry]]
        profiles = {"ssh": self.ssh_profiles, "snmp": self.snmp_profiles}
        entry = profiles.get(service, {}).get(getattr(router, service, ""))
        return entry.port if entry else DEFAULT_PORTS[service]

    def ssh_profile(self, router: model.Router) -> SshProfile:
        """How to log in to a router, with what local.yaml says instead."""
        entry = self.ssh_profiles[router.ssh]
        local = self.local.ssh.get(router.ssh, LocalSsh())
        key = local.key or entry.key
        written = ("profiles", "ssh", router.ssh, "password")
        return SshProfile(
            user=local.user or entry.user,
            key=placed(self.folder, key) if key else None,
            password=entry.password and self.secret(entry.password, self.document, written),
            timeout=entry.timeout,
        )

    def snmp_profile(self, router: model.Router) -> SnmpProfile | None:
        """How to ask a router over SNMP; None: it has no profile."""
        entry = self.snmp_profiles.get(router.snmp)
        if entry is None:
            return None
        key = ("profiles", "snmp", router.snmp)
        return SnmpProfile(
            version=entry.version,
            user=entry.user or "",
            auth=self._pair(entry.auth, (*key, "auth")),
            priv=self._pair(entry.priv, (*key, "priv")),
            community=entry.community and self.secret(entry.community, self.document, (*key, "community")),
        )

    def _pair(self, refs: Mapping[Any, SecretRef], key: KeyPath) -> tuple[str, SecretRef] | None:
        """The one algorithm with its passphrase, or nothing."""
        return next(((name, self.secret(ref, self.document, (*key, name))) for name, ref in refs.items()), None)

    def secret(self, ref: SecretRef, document: Document, key: KeyPath) -> SecretRef:
        """A reference that knows where it was written and from where its path is meant."""
        return replace(ref, folder=self.folder, where=str(document.origin(key)))


def find_network(start: Path | None = None) -> Path:
    """The network folder: the first one with ``inventory/network.yaml`` from ``start`` upwards, as git does.

    Without ``start`` the search begins where ``WIFIMGR_NETWORK`` says, else in the working directory.
    Raises ConfigError ``no-network``.
    """
    begin = (start or Path(os.environ.get(NETWORK_VARIABLE) or ".")).expanduser().absolute()
    if begin.is_dir():
        for folder in (begin, *begin.parents):
            if (folder / NETWORK_FILE).is_file():
                return folder
    what = f"no {NETWORK_FILE} in {begin} or above it"
    hint = "name the folder with --network DIR, or run `wifimgr demo` to see an example"
    raise ConfigError("no-network", what, hint=hint)


def make_state_dir(folder: Path) -> Path:
    """The state folder of a network folder, made when missing: for us alone, and never part of a commit."""
    state = folder / STATE_FOLDER
    try:
        state.mkdir(mode=0o700, exist_ok=True)
        state.chmod(0o700)
        if not (state / ".gitignore").exists():
            (state / ".gitignore").write_text("*\n", encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ConfigError("unreadable-file", f"cannot be written: {reason}", where=STATE_FOLDER) from None
    return state


def load_network(folder: Path) -> Network:
    """The settings of a network folder. Raises ConfigError with all problems of both files."""
    document = read(folder / NETWORK_FILE, NETWORK_FILE)
    local_document = _read_local(folder / LOCAL_FILE)
    problems: list[Problem] = []
    with collecting(problems):
        file = validate(document, NetworkFile)
    with collecting(problems):
        local = validate(local_document, LocalFile)
    if problems:
        raise ConfigError.of(problems)
    push = replace(PushTimes(), **(file.push.given() | local.push.given()))
    calendar = _calendar(folder, file, document)
    network = Network(folder, file, document, local, local_document, push, calendar)
    problems = [*_impossible_times(network), *_unknown_profiles(network)]
    if problems:
        raise ConfigError.of(problems)
    return network


def _read_local(path: Path) -> Document:
    return read(path, LOCAL_FILE) if path.exists() else Document(path, LOCAL_FILE, {}, {})


def _calendar(folder: Path, file: NetworkFile, document: Document) -> Calendar:
    holidays = file.holidays
    if holidays is None:
        return Calendar(timezone=file.timezone)
    problems: list[Problem] = []
    if hint := region_hint(holidays.region):
        what = f"the public holidays of '{holidays.region}' are not known"
        problems.append(document.problem("unknown-name", ("holidays", "region"), what, hint))
    country, _, region = holidays.region.partition("-")
    calendar = Calendar(country, region, file.timezone)
    if holidays.school:
        with collecting(problems):
            school = _school_holidays(folder, holidays.school, document)
            calendar = replace(calendar, school=tuple(sorted(school.holidays.values())), until=school.until)
    if problems:
        raise ConfigError.of(problems)
    return calendar


def _school_holidays(folder: Path, name: str, document: Document) -> SchoolFile:
    shown = f"{INVENTORY_FOLDER}/{name}"
    if not (folder / shown).is_file():
        hint = f"write it, or take {name} out"
        raise ConfigError.of(
            [document.problem("unreadable-file", ("holidays", "school"), f"there is no {shown}", hint)]
        )
    school = read(folder / shown, shown)
    file = validate(school, SchoolFile)
    problems = [
        school.problem("wrong-type", ("holidays", holiday), f"ends after {file.until}", "make until a later day")
        for holiday, (_, last) in file.holidays.items()
        if last > file.until
    ]
    if problems:
        raise ConfigError.of(problems)
    return file


def _impossible_times(network: Network) -> list[Problem]:
    push, problems = network.push, []
    document = network.local_document if network.local.push.given() else network.document
    settle = max(push.settle_connectivity, push.settle_other)
    needed = settle + push.login_gap + LOGIN_TIME
    if push.confirm_within <= needed:
        what = f"confirm_within is {push.confirm_within:g}s, but a push needs more than {needed:g}s to be confirmed"
        parts = f"{settle:g}s to settle, {push.login_gap:g}s between two logins"
        hint = f"that is {parts} and {LOGIN_TIME:g}s to log in; make confirm_within longer"
        problems.append(document.problem("wrong-type", ("push",), what, hint))
    if 0 < push.reboot_after <= push.login_gap + LOGIN_TIME:
        what = f"reboot_after is {push.reboot_after:g}s: nobody can log in as soon as that"
        hint = f"make it longer than {push.login_gap + LOGIN_TIME:g}s, or never"
        problems.append(document.problem("wrong-type", ("push",), what, hint))
    return problems


def _unknown_profiles(network: Network) -> list[Problem]:
    document, known = network.local_document, network.ssh_profiles
    return [
        document.problem("unknown-name", ("ssh", name), f"no SSH profile '{name}'", did_you_mean(name, known))
        for name in network.local.ssh
        if name not in known
    ]
