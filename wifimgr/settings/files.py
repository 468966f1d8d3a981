"""What ``inventory/network.yaml`` and this machine's ``.wifimgr/local.yaml`` may hold."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from wifimgr.settings.values import (
    DEFAULT_PORTS,
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
    Platform,
    Port,
    Ref,
    Role,
    Service,
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
    platform: Platform | None = None
    role: Role | None = None
    ssh: Word | None = None
    snmp: Word | None = None
    sources: list[Source] | None = None
    interval: Interval | None = None
    tags: list[Word] | None = None
    lifecycle: LifecycleName | None = None
    vars: Vars = Field(default_factory=dict)


class Contact(Strict):
    """Whom people may call."""

    name: Text
    phone: Text | None = None
    hours: Text | None = None
    email: Text | None = None
    public: bool = False


class Contacts(Strict):
    public: Contact | None = None


class Holidays(Strict):
    region: Text
    school: Text | None = None


class SchoolFile(Strict):
    """The file of school holidays, and how far it is true."""

    until: Day
    holidays: dict[Text, Days]


class Operator(Strict):
    """Who owns routers, and whether we may push to them."""

    name: Text
    manage: Literal["push", "watch"]


class Uplink(Strict):
    """A fault domain above sites: a provider's network or a Freifunk gateway."""

    kind: Literal["provider", "gateway"]
    name: Text


class SshEntry(Strict):
    user: Word = "root"
    port: Port = DEFAULT_PORTS["ssh"]
    key: KeyFile | None = None
    password: Ref | None = None
    timeout: Duration = 10.0


Auth = Literal["sha512", "sha384", "sha256", "sha224", "sha1", "md5"]
Priv = Literal["aes256", "aes192", "aes128", "des"]


class SnmpEntry(Strict):
    version: Literal["v1", "v2c", "v3"]
    port: Port = DEFAULT_PORTS["snmp"]
    user: Text | None = None
    auth: dict[Auth, Ref] = Field(default_factory=dict, max_length=1)
    priv: dict[Priv, Ref] = Field(default_factory=dict, max_length=1)
    community: Ref | None = None

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
    ssh: dict[Word, SshEntry] = Field(default_factory=dict)
    snmp: dict[Word, SnmpEntry] = Field(default_factory=dict)


class InternetEntry(Strict):
    """What routers ask for to find out whether the internet works: a target of the network's own choice."""

    dns: DnsName
    http: WebAddress
    network: Word = "guest"


class WatchEntry(Strict):
    interval: Interval | None = None


class Settle(Strict):
    connectivity: Duration | None = None
    other: Duration | None = None


class PushEntry(Strict):
    confirm_within: Duration | None = None
    settle: Settle = Settle()
    login_gap: Duration | None = None
    reboot_after: DurationOrNever | None = None

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


class NetworkFile(Strict):
    """``inventory/network.yaml``."""

    name: Text
    community: Text | None = None
    country: Country | None = None
    holidays: Holidays | None = None
    timezone: TimeZone = "Europe/Berlin"
    languages: list[Language] = Field(default_factory=lambda: ["de", "en"])
    legal: Text | None = None
    contact: Contacts = Contacts()
    operators: dict[Word, Operator]
    uplinks: dict[Word, Uplink] = Field(default_factory=dict)
    profiles: Profiles = Profiles()
    push: PushEntry = PushEntry()
    internet: InternetEntry | None = None
    defaults: Level = Level()


class LocalSsh(Strict):
    user: Word | None = None
    key: KeyFile | None = None


class LocalFile(Strict):
    """``.wifimgr/local.yaml``: what is true on this machine only."""

    endpoints: dict[str, dict[Service, EndpointText]] = Field(default_factory=dict)
    ssh: dict[str, LocalSsh] = Field(default_factory=dict)
    push: PushEntry = PushEntry()
    watch: WatchEntry = WatchEntry()
