"""What a site's file may hold: every key of a level may stand at the site and at a router."""

from __future__ import annotations

import functools
import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from wifimgr.settings.files import Contact, Level
from wifimgr.settings.values import ONE_LINE, Port, Position, Prefix, Private, Shape, Text, Word, one_line
from wifimgr.yamlfile import Strict, fault

FIRST_LINE = "# yaml-language-server: $schema=../schema/site.json"
"""What a site's file begins with, so that editors know it; nothing else reads it."""
ROUTER_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
SITE_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")
_HOST_NAME = re.compile(r"(?!.*\.[0-9]+\.?$)(?![0-9]+$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*\.?")


@functools.lru_cache(maxsize=1 << 16)
def ip_of(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that a text means; None: it is none, perhaps a DNS name."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    return (ip.ipv4_mapped or ip) if isinstance(ip, ipaddress.IPv6Address) else ip


def normalised(address: str) -> str:
    """One spelling for each address: ``2001:DB8:0::1`` is ``2001:db8::1``. Raises ValueError."""
    if ip := ip_of(address):
        return str(ip)
    if len(address) > 253 or not _HOST_NAME.fullmatch(address):
        raise ValueError(address)
    return address.lower().removesuffix(".")


_ADDRESS = Shape(
    rf"[0-9]{{1,3}}(\.[0-9]{{1,3}}){{3}}|[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f.]*(%[A-Za-z0-9._-]+)?|{_HOST_NAME.pattern}",
    "is not an address",
    "write an IPv4 or IPv6 address or a DNS name, without a port",
)


def is_address(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address or a DNS name."""
    try:
        _address(text)
    except (ValueError, PydanticCustomError):
        return False
    return True


def _address(value: str) -> str:
    try:
        normalised(_ADDRESS.match(value)[0])
    except ValueError:
        raise fault(_ADDRESS.what, _ADDRESS.hint) from None
    return value


def _power(value: Any) -> tuple[str, str]:
    """``always``, ``switched`` or ``{switched: HOURS}`` as (kind, hours)."""
    if value in ("always", "switched"):
        return value, ""
    if isinstance(value, dict) and list(value) == ["switched"] and isinstance(value["switched"], str):
        return "switched", one_line(value["switched"])
    raise fault("is not a kind of power", 'write always, switched or {switched: "Mo-Su 18:00-06:00"}')


_POWER = {
    "anyOf": [
        {"enum": ["always", "switched"]},
        {
            "type": "object",
            "properties": {"switched": {"description": "When there is power.", **ONE_LINE.schema}},
            "required": ["switched"],
            "additionalProperties": False,
        },
    ]
}
Address = Annotated[str, AfterValidator(_address), WithJsonSchema(_ADDRESS.schema)]
RouterName = Annotated[
    str,
    Shape(ROUTER_NAME.pattern, "is not a router name", "use up to 63 small letters, digits, and . - between them"),
]
Power = Annotated[tuple[str, str], PlainValidator(_power), WithJsonSchema(_POWER)]
Kind = Literal["youth-center", "library", "school", "square", "office", "shelter", "other"]


class Ports(Strict):
    """What differs from the profile's ports, or the usual ones."""

    ssh: Port | None = None
    """Of its SSH server."""
    snmp: Port | None = None
    """Of its SNMP agent."""
    respondd: Port | None = None
    """Of respondd."""
    http: Port | None = None
    """Of its web page."""
    ping: Port | None = None
    """Where a UDP echo is asked for in place of an ICMP echo."""


class RouterEntry(Level):
    """One router in a site's file."""

    addresses: list[Address] = Field(default_factory=list)
    """IPv4 and IPv6 addresses or DNS names; the first one is used. Only who is never asked needs none."""
    model: Text | None = None
    """For people."""
    room: Text | None = None
    """Where it hangs, in words: shown on the status page."""
    behind: str | None = None
    """The router that is our way to this one, by name; a push goes to the far end first."""
    node_id: Word | None = None
    """What the mesh calls it (node_id of respondd and of maps): an import knows it again by this."""
    ports: Ports = Ports()
    """What differs from the profile's ports, or the usual ones."""
    legacy_ssh: bool = False
    """Whether its SSH server is so old that it signs with SHA-1 only: that proves little about who is there."""
    private: Private = Field(default_factory=dict, repr=False)
    """Anything but plain secrets; it never leaves this file."""


class SiteUplink(Strict):
    """What the place shares with others: names from uplinks in network.yaml."""

    provider: Word | None = None
    """Whose line it is."""
    gateway: Word | None = None
    """The Freifunk gateway its traffic goes through."""


class Wifi(Strict):
    """When the Wi-Fi is on the air."""

    schedule: Text = "always"
    """always, opening-hours, or hours of its own."""


class Page(Strict):
    """What the status page shows."""

    show_guests: bool = False
    """How many guests there are, roughly."""


class SiteFile(Level):
    """``inventory/sites/<slug>.yaml``."""

    name: Text
    """As people know it."""
    kind: Kind
    """What kind of place it is."""
    public: bool = False
    """Whether it is on public pages, feeds and maps."""
    district: Text | None = None
    """The part of the city, for people."""
    address: Text | None = None
    """The postal address, for people."""
    position: Position | None = None
    """[latitude, longitude] in degrees."""
    prefixes: list[Prefix] = Field(default_factory=list)
    """The address ranges of this place; no other place has addresses in them."""
    opening_hours: Text | None = None
    """In OpenStreetMap's syntax, like "Mo-Fr 14:00-21:00; PH off"."""
    power: Power = ("always", "")
    """always, switched, or {switched: "Mo-Su 06:00-24:00"}: outside of these hours, off is planned."""
    uplink: SiteUplink = SiteUplink()
    """What the place shares with others."""
    dns_profile: Word | None = None
    """Which name servers guests get: a name from dns_profiles in network.yaml."""
    wifi: Wifi = Wifi()
    """When the Wi-Fi is on the air."""
    page: Page = Page()
    """What the status page shows."""
    contact: list[Contact] = Field(default_factory=list, repr=False)
    """Whom to call about this place."""
    private: Private = Field(default_factory=dict, repr=False)
    """Anything but plain secrets; it never leaves this file."""
    routers: dict[RouterName, RouterEntry]
    """Name to router."""
