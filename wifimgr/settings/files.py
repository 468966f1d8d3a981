"""What ``inventory/network.yaml`` and this machine's ``.wifimgr/local.yaml`` may hold."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from wifimgr.settings.area import AreaEntry
from wifimgr.settings.values import (
    DEFAULT_PORTS,
    Count,
    Country,
    Day,
    Days,
    DnsName,
    Duration,
    DurationOrNever,
    EndpointText,
    Interval,
    KeyFile,
    Language,
    LifecycleName,
    NameServer,
    Platform,
    Port,
    Prefix,
    Ref,
    Role,
    Service,
    Some,
    Source,
    Text,
    TimeZone,
    Vars,
    WebAddress,
    Word,
)
from wifimgr.yamlfile import Strict, fault


class Level(Strict):
    """What may be said for the network (``defaults``), for a site, and for a router: the nearest one wins."""

    operator: Word | None = None
    """Who owns it: a name from operators in network.yaml."""
    platform: Platform | None = None
    """Its operating system; other: watched only."""
    role: Role | None = None
    """What it is for."""
    ssh: Word | None = None
    """Name of the SSH profile: how we log in."""
    jump: str | None = None
    """The router that we log in through, by name: its own way in is not ours."""
    snmp: Word | None = None
    """Name of the SNMP profile: how we ask over SNMP."""
    sources: list[Source] | None = None
    """Where health comes from."""
    interval: Interval | None = None
    """How often we ask, like 60s or 5m."""
    tags: list[Word] | None = None
    """Free words for selectors."""
    lifecycle: LifecycleName | None = None
    """Where it is in its life; planned and retired are not watched."""
    vars: Vars = Field(default_factory=dict)
    """Variables for playbooks, by name."""


class Contact(Strict):
    """Whom people may call."""

    name: Text
    """An office or a role, never a person."""
    phone: Text | None = None
    """In quotes, like "+49 203 000000"."""
    hours: Text | None = None
    """When somebody answers, in OpenStreetMap's opening_hours syntax."""
    email: Text | None = None
    """An address of the office."""
    public: bool = False
    """Whether the status page may show it."""


class Contacts(Strict):
    """Whom people may call about the network."""

    public: Contact | None = None
    """Shown to everybody."""


class Holidays(Strict):
    """Which days PH and SH mean in hours."""

    region: Text
    """Whose public holidays PH means, like DE-NW."""
    school: Text | None = None
    """The file with the school holidays that SH means, beside network.yaml."""


class SchoolFile(Strict):
    """The file of school holidays, and how far it is true."""

    until: Day
    """The last day this file knows about, like 2027-07-18."""
    holidays: dict[Text, Days]
    """Name to first..last day."""


class Operator(Strict):
    """Who owns routers, and whether we may push to them."""

    name: Text
    """As people know it."""
    manage: Literal["push", "watch"]
    """push: we may change its routers; watch: we only look."""


class Uplink(Strict):
    """A fault domain above sites: a provider's network or a Freifunk gateway."""

    kind: Literal["provider", "gateway"]
    """What it is."""
    name: Text
    """As people know it."""


class DnsProfile(Strict):
    """Name servers for guests, such as ones that filter."""

    name: Text
    """As people know it; the status page shows it."""
    servers: list[NameServer] = Field(min_length=1)
    """Their addresses, with #PORT where it is another than 53."""


class OurKey(Strict):
    """What may be said about our private key."""

    model_config = ConfigDict(json_schema_extra={"dependentRequired": {"passphrase": ["key"]}})

    key: KeyFile | None = None
    """Our private key: {file: PATH}."""
    passphrase: Ref | None = None
    """A secret: what the key is locked with, where no agent holds it."""

    @model_validator(mode="after")
    def _passphrase_has_its_key(self) -> Self:
        if self.passphrase and not self.key:
            raise fault("passphrase works only together with key", "add key", "missing-key")
        return self


class SshEntry(OurKey):
    """How we log in to a router. What it does not say, ``~/.ssh/config`` may."""

    user: Word | None = None
    """The user to log in as; root is built in."""
    port: Port | None = None
    """The port of its SSH server; 22 is built in."""
    password: Ref | None = None
    """A secret, where there is no key."""
    timeout: Duration = 10.0
    """How long a login may take; 10s is built in."""


Auth = Literal["sha512", "sha384", "sha256", "sha224", "sha1", "md5"]
Priv = Literal["aes256", "aes192", "aes128", "des"]


class SnmpEntry(Strict):
    """How we ask over SNMP."""

    # What _fits_version says, for editors.
    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"version": {"const": "v3"}}},
            "then": {"required": ["user"], "properties": {"community": False}},
            "else": {"required": ["community"], "properties": {"user": False}},
            "dependentRequired": {"priv": ["auth"]},
        }
    )

    version: Literal["v1", "v2c", "v3"]
    """v3 is the only one that hides what it asks and proves who asks."""
    port: Port = DEFAULT_PORTS["snmp"]
    """The port of its SNMP agent."""
    user: Text | None = None
    """With v3: who asks."""
    auth: dict[Auth, Ref] = Field(default_factory=dict, min_length=1, max_length=1)
    """With v3: one algorithm and its passphrase, a secret."""
    priv: dict[Priv, Ref] = Field(default_factory=dict, min_length=1, max_length=1)
    """With v3 and auth: one cipher and its passphrase, a secret."""
    community: Ref | None = None
    """With v1 and v2c: a secret."""

    @model_validator(mode="after")
    def _fits_version(self) -> Self:
        wanted, other = ("user", "community") if self.version == "v3" else ("community", "user")
        if not getattr(self, wanted):
            raise fault(f"SNMP {self.version} needs a {wanted}", f"add {wanted}", "missing-key")
        if getattr(self, other):
            raise fault(f"SNMP {self.version} has no {other}", f"take {other} out")
        if self.priv and not self.auth:
            raise fault("priv works only together with auth", "add auth", "missing-key")
        return self


class Profiles(Strict):
    """How we log in and how we ask, by name."""

    ssh: dict[Word, SshEntry] = Field(default_factory=dict)
    """Name to user, key and port."""
    snmp: dict[Word, SnmpEntry] = Field(default_factory=dict)
    """Name to version and secrets."""


class InternetEntry(Strict):
    """What routers ask for to find out whether the internet works: a target of the network's own choice."""

    dns: DnsName
    """A name to look up."""
    http: WebAddress
    """A page to fetch, http:// only."""
    network: Word = "guest"
    """The network of the router to ask from: the guests'."""


class WatchEntry(Strict):
    """What watching does otherwise on this machine."""

    interval: Interval | None = None
    """How often every router is asked."""


class Settle(Strict):
    """How long a change may take until it shows its effects."""

    connectivity: Duration | None = None
    """Of network, Wi-Fi, firewall or SSH."""
    other: Duration | None = None
    """Of anything else."""


class PushEntry(Strict):
    """How patient a push is, and how carefully many routers are changed."""

    confirm_within: Duration | None = None
    """A router that hears nothing from us goes back by itself after this."""
    settle: Settle = Settle()
    """How long a change may take until it shows its effects."""
    login_gap: Duration | None = None
    """Between the two logins that prove a router is still reachable."""
    reboot_after: DurationOrNever | None = None
    """A router that went back by itself reboots after this, once, unless we log in before; or never."""
    canary: Count | None = None
    """So many routers go first, one after another; the others wait until these are confirmed."""
    at_once: Some | None = None
    """So many routers are pushed to at the same time."""
    stop_after: Count | None = None
    """When so many routers went wrong, nothing new is begun; 0: never stop."""

    def given(self) -> dict[str, float]:
        """The times that stand in the file, under the names of :class:`PushTimes`."""
        times = {
            "confirm_within": self.confirm_within,
            "settle_connectivity": self.settle.connectivity,
            "settle_other": self.settle.other,
            "login_gap": self.login_gap,
            "reboot_after": self.reboot_after,
        }
        return {name: time for name, time in times.items() if time is not None}

    def care(self) -> dict[str, Any]:
        """What stands in the file of :class:`Rollout`, under its names."""
        numbers = {"canary": self.canary, "at_once": self.at_once, "stop_after": self.stop_after}
        return {name: number for name, number in numbers.items() if number is not None}


class NetworkFile(Strict):
    """``inventory/network.yaml``."""

    name: Text
    """Of the network, as people know it."""
    community: Text | None = None
    """The Freifunk community."""
    country: Country | None = None
    """Two capital letters, like DE."""
    holidays: Holidays | None = None
    """Which days PH and SH mean in hours."""
    timezone: TimeZone = "Europe/Berlin"
    """The clock that all hours mean."""
    languages: list[Language] = Field(default_factory=lambda: ["de", "en"])
    """Of the status page; the first one is the default."""
    legal: Text | None = None
    """Which legal texts the status page uses."""
    area: AreaEntry | None = None
    """Where our places are; a position outside of it is an error."""
    prefixes: list[Prefix] = Field(default_factory=list)
    """Our address ranges; an address outside of them is an error."""
    contact: Contacts = Field(default=Contacts(), repr=False)
    """Whom people may call."""
    operators: dict[Word, Operator]
    """Who owns routers, by name."""
    uplinks: dict[Word, Uplink] = Field(default_factory=dict)
    """What several places share, by name."""
    dns_profiles: dict[Word, DnsProfile] = Field(default_factory=dict)
    """Name servers for guests, by name; a place may have one of them."""
    profiles: Profiles = Profiles()
    """How we log in and how we ask."""
    push: PushEntry = PushEntry()
    """How patient a push is, and how careful."""
    internet: InternetEntry | None = None
    """What routers ask for to find out whether the internet works."""
    defaults: Level = Level()
    """What holds for every router unless its site or the router itself says otherwise."""


class LocalSsh(OurKey):
    """What is different about an SSH profile on this machine: its user, its key."""

    user: Word | None = None
    """In place of the profile's user."""


class LocalFile(Strict):
    """``.wifimgr/local.yaml``: what is true on this machine only."""

    endpoints: dict[str, dict[Service, EndpointText]] = Field(default_factory=dict)
    """Router to service to address:port, such as that of a tunnel."""
    ssh: dict[str, LocalSsh] = Field(default_factory=dict)
    """SSH profile to what is different here."""
    push: PushEntry = PushEntry()
    """Like push of network.yaml."""
    watch: WatchEntry = WatchEntry()
    """What watching does otherwise here."""
