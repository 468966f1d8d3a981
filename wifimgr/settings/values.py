"""The types of values in the files of a network: words, durations, ports, endpoints, variables."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, PlainValidator, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from wifimgr.errors import INVISIBLE, did_you_mean
from wifimgr.settings.secret import SecretRef, looks_secret, plain_secret, secret_ref, secrets_in
from wifimgr.yamlfile import fault

DEFAULT_PORTS: Mapping[str, int] = {"ssh": 22, "snmp": 161, "respondd": 1001, "http": 80, "ping": 0}
"""The services a router can offer, and the port where each is usually found.

Ping has no port (ICMP echo). A router with a port for it is asked for a UDP echo there instead (RFC 862).
"""
ADDED_VARS = ("router_name", "site_name")
"""Variables that every router has by itself."""

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(value: Any) -> float:
    """A duration as people write it, ``500ms``, ``60s``, ``5m``, ``1h``, in seconds."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)", value) if isinstance(value, str) else None
    if not match:
        raise fault("is not a duration", "write a number and its unit, like 60s, 5m or 1h")
    return float(match[1]) * _SECONDS[match[2]]


def _seconds_or_never(value: Any) -> float:
    return 0.0 if value == "never" else _some_time(seconds(value))


def _some_time(value: float) -> float:
    if value < 1:
        raise fault("is too short", "write 1s or more")
    return value


def _port(value: int) -> int:
    if not 1 <= value <= 65535:
        raise fault("is not a port", "write a number from 1 to 65535")
    return value


def one_line(value: str) -> str:
    """Text for people: one line, visible, not empty."""
    if not value.strip():
        raise fault("is empty", "write something or take the key out")
    if INVISIBLE.search(value):
        raise fault("holds a line break or an invisible character", "write it on one line")
    return value


def _word(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", value):
        raise fault("is not a plain word", "use letters, digits, and . _ - between them")
    return value


def _time_zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise fault("is not a known time zone", "write it like Europe/Berlin") from None
    return value


def _matching(pattern: str, what: str, hint: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise fault(what, hint)
        return value

    return AfterValidator(check)


def _key_file(value: Any) -> str:
    if not isinstance(value, dict) or list(value) != ["file"] or not isinstance(value["file"], str):
        raise fault("is not a reference to a key file", "write {file: PATH}")
    return value["file"]


def _vars(value: Any) -> dict[str, Any]:
    """Variables for playbooks; every one that is wrong is told, with its own line."""
    if not isinstance(value, dict):
        raise fault("must be a mapping", "write name: value below it")
    read_vars, faults = {}, []
    for name, item in value.items():
        try:
            read_vars[name] = _var(name, item)
        except PydanticCustomError as error:
            faults.append(InitErrorDetails(type=error, loc=(name,), input=None))
    if faults:
        raise ValidationError.from_exception_data("vars", faults)
    return read_vars


def _var(name: str, value: Any) -> Any:
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        raise fault("is not a name for a variable", "use small letters, digits and _")
    if name in ADDED_VARS:
        raise fault("is set by wifimgr itself", "choose another name", "reserved-name")
    if isinstance(value, dict):
        return secret_ref(value)
    if looks_secret(name) and not isinstance(value, bool):
        raise plain_secret()
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str | bool | int | float) for item in items):
        raise fault("is not a value for a variable", "write text, a number, true, false or a list of those")
    return tuple(value) if isinstance(value, list) else value


def _private(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise fault("must be a mapping", "write name: value below it")
    faults = [InitErrorDetails(type=plain_secret(), loc=key, input=None) for key in secrets_in(value, ())]
    if faults:
        raise ValidationError.from_exception_data("private", faults)
    return value


Text = Annotated[str, AfterValidator(one_line)]
Word = Annotated[str, AfterValidator(_word)]
Port = Annotated[int, AfterValidator(_port)]
Duration = Annotated[float, PlainValidator(seconds, json_schema_input_type=str)]
DurationOrNever = Annotated[float, PlainValidator(_seconds_or_never, json_schema_input_type=str)]
"""``never`` is 0."""
Interval = Annotated[Duration, AfterValidator(_some_time)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Country = Annotated[str, _matching("[A-Z]{2}", "is not a country", "write two capital letters, like DE")]
Language = Annotated[str, _matching("[a-z]{2,3}(-[A-Z]{2})?", "is not a language", "write it like de or de-AT")]
WebAddress = Annotated[
    str,
    _matching(
        r"http://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/?&=%+-]*)?",
        "is not a web address that a router can be asked for",
        "write it like http://www.example.org/",
    ),
]
"""What the internet is asked for. No ``https``: small routers often lack it."""
DnsName = Annotated[
    str,
    _matching(r"(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+", "is not a DNS name", "write it like www.example.org"),
]
Ref = Annotated[SecretRef, PlainValidator(secret_ref, json_schema_input_type=dict[str, str])]
KeyFile = Annotated[str, PlainValidator(_key_file, json_schema_input_type=dict[str, str])]
Vars = Annotated[dict[str, Any], PlainValidator(_vars, json_schema_input_type=dict[str, Any])]
Private = Annotated[dict[str, Any], PlainValidator(_private, json_schema_input_type=dict[str, Any])]

Platform = Literal["openwrt", "gluon", "routeros", "other"]
Role = Literal["access-point", "gateway", "mesh-node", "switch"]
Source = Literal["snmp", "respondd", "map", "ubus", "ping"]
LifecycleName = Literal["planned", "active", "maintenance", "retired"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a service of a router is reached."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def _endpoint(value: Any) -> Endpoint:
    match = (
        re.fullmatch(r"(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:\[\]]+)):([0-9]{1,5})", value)
        if isinstance(value, str)
        else None
    )
    if not match or not 1 <= int(match[3]) <= 65535:
        raise fault("is not an endpoint", "write address:port or [IPv6 address]:port in quotes")
    return Endpoint(match[1] or match[2], int(match[3]))


def _day(value: Any) -> date:
    try:
        if isinstance(value, str) and len(value) == len("2026-10-17"):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise fault("is not a date", "write it like 2026-10-17")


def _days(value: Any) -> tuple[date, date]:
    """One day or ``first..last`` as (first, last)."""
    first, dots, last = value.partition("..") if isinstance(value, str) else ("", "", "")
    days = _day(first), _day(last if dots else first)
    if days[0] > days[1]:
        raise fault("ends before it begins", "write the first day first")
    return days


def _service(value: str) -> str:
    if value not in DEFAULT_PORTS:
        raise fault(f"'{value}' is not a service", did_you_mean(value, DEFAULT_PORTS), "unknown-name")
    return value


Day = Annotated[date, PlainValidator(_day, json_schema_input_type=str)]
Days = Annotated[tuple[date, date], PlainValidator(_days, json_schema_input_type=str)]
Service = Annotated[str, AfterValidator(_service)]
EndpointText = Annotated[Endpoint, PlainValidator(_endpoint, json_schema_input_type=str)]
