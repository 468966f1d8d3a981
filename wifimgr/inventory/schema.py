"""What a site's file may hold: every key of a level may stand at the site and at a router."""

from __future__ import annotations

import functools
import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator

from wifimgr.settings.files import Contact, Level
from wifimgr.settings.values import Port, Private, Text, Word, one_line
from wifimgr.yamlfile import Strict, fault

ROUTER_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
SITE_SLUG = re.compile(r"[a-z0-9][a-z0-9-]*")
_HOST_NAME = re.compile(r"(?!.*\.[0-9]+\.?$)(?![0-9]+$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*\.?")


@functools.lru_cache(maxsize=1 << 16)
def normalised(address: str) -> str:
    """One spelling for each address: ``2001:DB8:0::1`` is ``2001:db8::1``. Raises ValueError."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        if len(address) > 253 or not _HOST_NAME.fullmatch(address):
            raise
        return address.lower().removesuffix(".")
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip)


def _address(value: str) -> str:
    try:
        normalised(value)
    except ValueError:
        raise fault("is not an address", "write an IPv4 or IPv6 address or a DNS name, without a port") from None
    return value


def _router_name(value: str) -> str:
    if not ROUTER_NAME.fullmatch(value):
        raise fault("is not a router name", "use up to 63 small letters, digits, and . - between them")
    return value


def _at_least_one(value: list[str]) -> list[str]:
    if not value:
        raise fault("is an empty list", "write at least one address")
    return value


def _position(value: Any) -> tuple[float, float]:
    numbers = value if isinstance(value, list) and {int, float} >= set(map(type, value)) else []
    if len(numbers) != 2 or not (-90 <= numbers[0] <= 90 and -180 <= numbers[1] <= 180):
        raise fault("is not a position", "write [latitude, longitude] in degrees, like [51.46, 6.77]")
    return float(numbers[0]), float(numbers[1])


def _power(value: Any) -> tuple[str, str]:
    """``always``, ``switched`` or ``{switched: HOURS}`` as (kind, hours)."""
    if value in ("always", "switched"):
        return value, ""
    if isinstance(value, dict) and list(value) == ["switched"] and isinstance(value["switched"], str):
        return "switched", one_line(value["switched"])
    raise fault("is not a kind of power", 'write always, switched or {switched: "Mo-Su 18:00-06:00"}')


Address = Annotated[str, AfterValidator(_address)]
Power = Annotated[tuple[str, str], PlainValidator(_power, json_schema_input_type=str | dict[str, str])]
Position = Annotated[tuple[float, float], PlainValidator(_position, json_schema_input_type=list[float])]
Kind = Literal["youth-center", "library", "school", "square", "office", "shelter", "other"]


class Ports(Strict):
    ssh: Port | None = None
    snmp: Port | None = None
    respondd: Port | None = None
    http: Port | None = None
    ping: Port | None = None


class RouterEntry(Level):
    """One router in a site's file."""

    addresses: Annotated[list[Address], AfterValidator(_at_least_one)]
    model: Text | None = None
    room: Text | None = None
    behind: str | None = None
    ports: Ports = Ports()


class SiteUplink(Strict):
    provider: Word | None = None
    gateway: Word | None = None


class Wifi(Strict):
    schedule: Text = "always"


class Page(Strict):
    show_guests: bool = False


class SiteFile(Level):
    """``inventory/sites/<slug>.yaml``."""

    name: Text
    kind: Kind
    public: bool = False
    district: Text | None = None
    address: Text | None = None
    position: Position | None = None
    opening_hours: Text | None = None
    power: Power = ("always", "")
    uplink: SiteUplink = SiteUplink()
    wifi: Wifi = Wifi()
    page: Page = Page()
    contact: list[Contact] = Field(default_factory=list, repr=False)
    private: Private = Field(default_factory=dict, repr=False)
    routers: dict[Annotated[str, AfterValidator(_router_name)], RouterEntry]
