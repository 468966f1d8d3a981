"""The network as the program works with it: one folder, its settings, and what this machine adds to them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from wifimgr import model
from wifimgr.errors import ConfigError, Problem, did_you_mean, in_order
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
from wifimgr.settings.openssh import About, Hop, OpenSsh, local_user
from wifimgr.settings.secret import SecretRef, placed
from wifimgr.settings.values import DEFAULT_PORTS, Endpoint
from wifimgr.yamlfile import Document, KeyPath, salvage, scan

INVENTORY_FOLDER = "inventory"
NETWORK_FILE = f"{INVENTORY_FOLDER}/network.yaml"
STATE_FOLDER = ".wifimgr"
LOCAL_FILE = f"{STATE_FOLDER}/local.yaml"
NETWORK_VARIABLE = "WIFIMGR_NETWORK"
"""Environment variable that names the network folder."""
ROOT = "root"
"""Who logs in to a router when nobody says otherwise."""
COMMANDS_VARIABLE = "WIFIMGR_SECRET_COMMANDS"
"""Environment variable that names the programs which secrets may start."""


@dataclass(frozen=True, slots=True)
class SshProfile:
    """How to log in. ``timeout`` is in seconds."""

    user: str = ROOT
    key: Path | None = None
    password: SecretRef | None = None
    timeout: float = 10.0
    passphrase: SecretRef | None = None
    """What the key is locked with."""
    keys: tuple[Path, ...] = ()
    """The keys that ``~/.ssh/config`` names, where neither a key nor a password is."""


@dataclass(frozen=True, slots=True)
class Host:
    """A host on the way to a router, none of the inventory itself: ``~/.ssh/config`` says how to log in to it."""

    name: str
    endpoint: Endpoint
    user: str
    keys: tuple[Path, ...]
    """Our keys for it; none are named: the usual ones."""
    alias: str
    """What OpenSSH's known_hosts calls it; empty: as it is reached."""
    hops: tuple[Hop, ...]
    """What it is reached through itself, from us on."""


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


@dataclass(frozen=True, slots=True)
class Rollout:
    """How carefully many routers are changed."""

    canary: int = 1
    """So many go first, one after another; the others wait until these are confirmed. 0: none."""
    at_once: int = 50
    """So many are pushed to at the same time."""
    stop_after: int = 3
    """When so many went wrong, nothing new is begun; 0: never stop."""
    while_open: bool = False
    """Also interrupts the Wi-Fi of places that are open. No file says so: somebody asks for it each time."""


ANY_COUNTRY = "DE"
"""Whose public holidays hours are read with where those of the network cannot be known."""
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
    rollout: Rollout
    calendar: Calendar
    """The clock and the holidays that all hours of the network mean."""
    school_document: Document | None = field(default=None, repr=False)
    """The file that the school holidays of the calendar come from; None: there is none."""
    openssh: OpenSsh = field(default_factory=OpenSsh, repr=False, compare=False)
    """What OpenSSH is told on this machine. It counts only for what no file of the network says."""

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

    def ssh_names(self) -> Collection[str] | None:
        """The names of all SSH profiles, also of wrong ones; None: nobody can tell, as the file is wrong there."""
        names = self.document.names("profiles", "ssh")
        return None if names is None else {"default", *names}

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
    def secret_commands(self) -> frozenset[str]:
        """The programs that ``{command: …}`` of a secret may start: those that the environment names.

        No file of the folder says so: whoever hands on a folder could hand on that file, too.
        """
        return frozenset(re.findall(r"[^\s,]+", os.environ.get(COMMANDS_VARIABLE, "")))

    @property
    def state_dir(self) -> Path:
        """Where wifimgr keeps its state; see :func:`make_state_dir`."""
        return self.folder / STATE_FOLDER

    def endpoint(self, router: model.Router, service: str) -> Endpoint:
        """Where a service of a router is reached, by local.yaml, the router, its profile, or default.

        Raises ConfigError ``missing-key`` for a router without an address.
        """
        local = self.local.endpoints.get(router.name, {}).get(service)
        if local:
            return local
        if not router.addresses:
            where = str(router.origins.get("name", ""))
            raise ConfigError(
                "missing-key", "the router has no addresses", where=where, key=router.name, hint="add one"
            )
        return Endpoint(router.addresses[0], self.port(router, service))

    def hops(self, router: model.Router) -> tuple[Hop, ...]:
        """What we log in through, from us on: by the router, or by ``~/.ssh/config``.

        None where local.yaml has an endpoint. Raises Refused ``needs-program``, ConfigError ``bad-ssh-config``.
        """
        if "ssh" in self.local.endpoints.get(router.name, {}):
            return ()
        return (Hop(router.jump),) if router.jump else self._about(router).hops

    def host(self, hop: Hop) -> Host:
        """How to log in to a host of ``~/.ssh/config`` that is no router. Raises like :meth:`hops`."""
        about = self.openssh.about(hop.name)
        user = hop.user or about.user or local_user()
        endpoint = Endpoint(about.address, hop.port or about.port or DEFAULT_PORTS["ssh"])
        return Host(hop.name, endpoint, user, about.keys(endpoint, user), about.alias, about.hops)

    def _about(self, router: model.Router) -> About:
        """What ``~/.ssh/config`` says about a router, under its name or the address that is used."""
        return self.openssh.about(router.name, *router.addresses[:1])

    def port(self, router: model.Router, service: str) -> int:
        """The port of a service at each address of a router: by the router, its profile, ``~/.ssh/config``, or default.

        Raises like :meth:`hops`.
        """
        if service in router.ports:
            return router.ports[service]
        profiles: Mapping[str, Mapping[str, SshEntry | SnmpEntry]]
        profiles = {"ssh": self.ssh_profiles, "snmp": self.snmp_profiles}
        entry = profiles.get(service, {}).get(getattr(router, service, ""))
        said = entry.port if entry else None
        if said is None and service == "ssh":
            said = self._about(router).port
        return said or DEFAULT_PORTS[service]

    def ssh_profile(self, router: model.Router) -> SshProfile:
        """How to log in to a router: by local.yaml, its profile, ``~/.ssh/config``, or default.

        Raises like :meth:`hops`.
        """
        entry, at = self.ssh_profiles[router.ssh], ("profiles", "ssh", router.ssh)
        local = self.local.ssh.get(router.ssh, LocalSsh())
        user = local.user or entry.user or self._about(router).user or ROOT
        profile = SshProfile(user, timeout=entry.timeout)
        if entry.password:
            profile = replace(profile, password=self.secret(entry.password, self.document, (*at, "password")))
        if local.key:
            return self._with_key(profile, local, self.local_document, ("ssh", router.ssh))
        if entry.key:
            return self._with_key(profile, entry, self.document, at)
        if entry.password:
            return profile
        address = next(iter(router.addresses), router.name)
        return replace(profile, keys=self._about(router).keys(Endpoint(address, self.port(router, "ssh")), user))

    def _with_key(self, profile: SshProfile, by: SshEntry | LocalSsh, document: Document, at: KeyPath) -> SshProfile:
        """A profile with the key that a file names, and with the passphrase for it."""
        passphrase = by.passphrase and self.secret(by.passphrase, document, (*at, "passphrase"))
        return replace(profile, key=placed(self.folder, by.key or ""), passphrase=passphrase)

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
        """A reference that knows where it was written, from where its path is meant, and what it may start."""
        where, allowed = str(document.origin(key)), self.secret_commands
        return replace(ref, folder=self.folder, where=where, allowed=allowed)


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
    hint = "name the folder with --network DIR, make one with `wifimgr init DIR`, or try `wifimgr demo`"
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


def load_network(folder: Path, texts: Mapping[str, str] = MappingProxyType({})) -> Network:
    """The settings of a network folder. Raises ConfigError with all problems of its files.

    ``texts`` are read in place of files, by their names relative to the folder.
    """
    network, problems = read_network(folder, texts)
    if problems:
        raise ConfigError.of(in_order(problems))
    return network


def read_network(folder: Path, texts: Mapping[str, str] = MappingProxyType({})) -> tuple[Network, list[Problem]]:
    """The settings of a network folder as far as they can be read, and everything that is wrong in its files.

    What is wrong is left out; ``gaps`` of the documents tell what that was.
    """
    path = folder / LOCAL_FILE
    document, problems = scan(folder / NETWORK_FILE, NETWORK_FILE, texts.get(NETWORK_FILE))
    local_document, in_local = Document(path, LOCAL_FILE, {}, {}), list[Problem]()
    if LOCAL_FILE in texts or path.exists():
        local_document, in_local = scan(path, LOCAL_FILE, texts.get(LOCAL_FILE))
    file, document, wrong = salvage(document, NetworkFile, {"name": "?", "operators": {}})
    local, local_document, wrong_local = salvage(local_document, LocalFile, {})
    problems += wrong + in_local + wrong_local
    calendar, school_document = _calendar(folder, file, document, problems)
    push = replace(PushTimes(), **(file.push.given() | local.push.given()))
    rollout = replace(Rollout(), **(file.push.care() | local.push.care()))
    network = Network(folder, file, document, local, local_document, push, rollout, calendar, school_document)
    problems += [*_impossible_times(network), *_unknown_profiles(network)]
    return network, problems


def _calendar(
    folder: Path, file: NetworkFile, document: Document, problems: list[Problem]
) -> tuple[Calendar, Document | None]:
    """The calendar and the file of its school holidays; adds what is wrong with them to ``problems``.

    Where holidays are named, but wrong, hours are read with those of any region: they are not to blame.
    """
    holidays, school_document = file.holidays, None
    any_region = Calendar(ANY_COUNTRY, "", file.timezone, school=())
    calendar = Calendar(timezone=file.timezone) if document.gaps.sure((), "holidays") else any_region
    if holidays:
        country, _, region = holidays.region.partition("-")
        calendar = replace(calendar, country=country, region=region)
        if hint := region_hint(holidays.region):
            what = f"the public holidays of '{holidays.region}' are not known"
            problems.append(document.problem("unknown-name", ("holidays", "region"), what, hint))
            calendar = any_region
        if holidays.school:
            school, school_document = _school_holidays(folder, holidays.school, document, problems)
            calendar = replace(calendar, school=tuple(sorted(school.holidays.values())), until=school.until)
    return calendar, school_document


def _school_holidays(
    folder: Path, name: str, document: Document, problems: list[Problem]
) -> tuple[SchoolFile, Document | None]:
    """The school holidays, and their file if there is one; adds what is wrong to ``problems``."""
    shown = f"{INVENTORY_FOLDER}/{name}"
    nothing = {"until": str(date.max), "holidays": {}}
    if not _is_file(folder / shown):
        hint = f"write it, or take {name} out"
        problems.append(document.problem("unreadable-file", ("holidays", "school"), f"there is no {shown}", hint))
        return SchoolFile.model_validate(nothing), None
    school, wrong = scan(folder / shown, shown)
    file, school, invalid = salvage(school, SchoolFile, nothing)
    wrong += invalid
    wrong += [
        school.problem("wrong-type", ("holidays", holiday), f"ends after {file.until}", "make until a later day")
        for holiday, (_, last) in file.holidays.items()
        if last > file.until
    ]
    problems += wrong
    return file, school


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long for any file
        return False


def _impossible_times(network: Network) -> list[Problem]:
    if not all(document.gaps.sure((), "push") for document in (network.document, network.local_document)):
        return []
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
    document, known = network.local_document, network.ssh_names()
    return [
        document.problem("unknown-name", ("ssh", name), f"no SSH profile '{name}'", did_you_mean(name, known))
        for name in network.local.ssh
        if known is not None and name not in known
    ]
