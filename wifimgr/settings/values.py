"""The types of values in the files of a network: words, durations, ports, endpoints, variables."""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import CoreSchema, no_info_after_validator_function

from wifimgr.errors import INVISIBLE, did_you_mean
from wifimgr.settings.secret import (
    FORMS,
    PLAIN_SECRET,
    SECRET_NAMES,
    VARIABLE_NAME,
    SecretRef,
    looks_secret,
    plain_secret,
    secret_ref,
    secrets_in,
)
from wifimgr.yamlfile import fault

DEFAULT_PORTS: Mapping[str, int] = {"ssh": 22, "snmp": 161, "respondd": 1001, "http": 80, "ping": 0}
"""The services a router can offer, and the port where each is usually found.

Ping has no port (ICMP echo). A router with a port for it is asked for a UDP echo there instead (RFC 862).
"""
ADDED_VARS = ("router_name", "site_name", "dns_servers")
"""Variables that wifimgr sets by itself."""

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a text has to be like, in one place for the reader and for editors; as an annotation, a type of text.

    ``pattern`` has to mean the same in Python and in JSON Schema (ECMA 262): no named groups, no ``\\w``.
    """

    pattern: str
    what: str
    hint: str

    def match(self, value: Any) -> re.Match[str]:
        """How the pattern fits a text as a whole. Raises the fault of this shape for everything else."""
        match = re.fullmatch(self.pattern, value) if isinstance(value, str) else None
        if not match:
            raise fault(self.what, self.hint)
        return match

    def fits(self, value: str) -> bool:
        """Whether the pattern fits a text as a whole."""
        return bool(re.fullmatch(self.pattern, value))

    @property
    def schema(self) -> dict[str, Any]:
        """The same as JSON Schema. Editors that know ``patternErrorMessage`` say what is wrong in our words."""
        message = f"{self.what}; {self.hint}"
        return {"type": "string", "pattern": f"^({self.pattern})$", "patternErrorMessage": message}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(lambda value: self.match(value)[0], handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return self.schema


_DURATION = Shape(
    r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)",
    "is not a duration",
    "write a number and its unit, like 60s, 5m or 1h",
)


def seconds(value: Any) -> float:
    """A duration as people write it, ``500ms``, ``60s``, ``5m``, ``1h``, in seconds."""
    match = _DURATION.match(value)
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


def _count(value: int) -> int:
    if value < 0:
        raise fault("is less than none", "write 0 or more")
    return value


def _some(value: int) -> int:
    if value < 1:
        raise fault("is less than one", "write 1 or more")
    return value


def one_line(value: str) -> str:
    """Text for people: one line, visible, not empty."""
    if not value.strip():
        raise fault("is empty", "write something or take the key out")
    if INVISIBLE.search(value):
        raise fault("holds a line break or an invisible character", "write it on one line")
    return value


def _time_zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise fault("is not a known time zone", "write it like Europe/Berlin") from None
    return value


def _key_file(value: Any) -> str:
    if not isinstance(value, dict) or list(value) != ["file"] or not isinstance(value["file"], str):
        raise fault("is not a reference to a key file", "write {file: PATH}")
    return value["file"]


_PREFIX = Shape("[0-9A-Fa-f.:]+/[0-9]{1,3}", "is not an address range", 'write it like 10.20.0.0/16 or "2001:db8::/32"')


def _prefix(value: Any) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    text = _PREFIX.match(value)[0]
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        what = "has bits set to the right of its length" if "host bits set" in str(error) else _PREFIX.what
        raise fault(what, _PREFIX.hint) from None


def _position(value: Any) -> tuple[float, float]:
    numbers = value if isinstance(value, list) and {int, float} >= set(map(type, value)) else []
    if len(numbers) != 2 or not (-90 <= numbers[0] <= 90 and -180 <= numbers[1] <= 180):
        raise fault("is not a position", "write [latitude, longitude] in degrees, like [51.46, 6.77]")
    return float(numbers[0]), float(numbers[1])


_NO_VARIABLE = ("is not a name for a variable", "use small letters, digits and _")
_VARIABLE = Shape("[a-z_][a-z0-9_]*", *_NO_VARIABLE)


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
    _VARIABLE.match(name)
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


ONE_LINE = Shape(
    r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+", "is not one line of text", "write something on one line"
)
"""What editors know of :func:`one_line`."""
_REF = {
    "type": "object",
    "properties": {
        "env": {
            "description": "The environment variable that holds the secret.",
            **Shape(VARIABLE_NAME, "is not a name of an environment variable", f"write {FORMS}").schema,
        },
        "file": {
            "description": "The file that holds the secret, seen from the network folder.",
            "type": "string",
            "pattern": r"\S",
        },
        "command": {
            "description": "The command that prints the secret; WIFIMGR_SECRET_COMMANDS has to name its program.",
            "type": "string",
            "pattern": r"\S",
        },
    },
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}
"""A reference to a secret, as JSON Schema."""
_KEY_FILE = {
    "type": "object",
    "properties": {"file": {"description": "Its path, seen from the network folder.", "type": "string"}},
    "required": ["file"],
    "additionalProperties": False,
}
_PLAIN_TYPES = ["string", "number", "boolean"]
_VARS = {
    "type": "object",
    "propertyNames": Shape(rf"(?!({'|'.join(ADDED_VARS)})$){_VARIABLE.pattern}", *_NO_VARIABLE).schema,
    "patternProperties": {
        SECRET_NAMES: {**_REF, "type": ["object", "boolean"], "errorMessage": "; ".join(PLAIN_SECRET)},
    },
    "additionalProperties": {**_REF, "type": [*_PLAIN_TYPES, "array", "object"], "items": {"type": _PLAIN_TYPES}},
}
POSITION = {
    "type": "array",
    "prefixItems": [
        {"type": "number", "minimum": -90, "maximum": 90},
        {"type": "number", "minimum": -180, "maximum": 180},
    ],
    "minItems": 2,
    "maxItems": 2,
}
"""A position, as JSON Schema."""

Text = Annotated[str, AfterValidator(one_line), WithJsonSchema(ONE_LINE.schema)]
Word = Annotated[
    str, Shape("[A-Za-z0-9_][A-Za-z0-9_.-]*", "is not a plain word", "use letters, digits, and . _ - between them")
]
Port = Annotated[int, AfterValidator(_port), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 65535})]
Count = Annotated[int, AfterValidator(_count), WithJsonSchema({"type": "integer", "minimum": 0})]
Some = Annotated[int, AfterValidator(_some), WithJsonSchema({"type": "integer", "minimum": 1})]
"""A number of things, and at least one."""
Duration = Annotated[float, PlainValidator(seconds), WithJsonSchema(_DURATION.schema)]
DurationOrNever = Annotated[
    float, PlainValidator(_seconds_or_never), WithJsonSchema({"anyOf": [{"const": "never"}, _DURATION.schema]})
]
"""``never`` is 0."""
Interval = Annotated[Duration, AfterValidator(_some_time)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Country = Annotated[str, Shape("[A-Z]{2}", "is not a country", "write two capital letters, like DE")]
Language = Annotated[str, Shape("[a-z]{2,3}(-[A-Z]{2})?", "is not a language", "write it like de or de-AT")]
WebAddress = Annotated[
    str,
    Shape(
        r"http://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/?&=%+-]*)?",
        "is not a web address that a router can be asked for",
        "write it like http://www.example.org/",
    ),
]
"""What the internet is asked for. No ``https``: small routers often lack it."""
DnsName = Annotated[
    str,
    Shape(r"(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+", "is not a DNS name", "write it like www.example.org"),
]
NameServer = Annotated[
    str,
    Shape(
        r"([0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f.]*)(#[0-9]{1,5})?",
        "is not an address of a name server",
        "write an IP address, with #PORT where it is another than 53",
    ),
]
Prefix = Annotated[
    ipaddress.IPv4Network | ipaddress.IPv6Network, PlainValidator(_prefix), WithJsonSchema(_PREFIX.schema)
]
Position = Annotated[tuple[float, float], PlainValidator(_position), WithJsonSchema(POSITION)]
"""Latitude and longitude in degrees (WGS 84)."""
Ref = Annotated[SecretRef, PlainValidator(secret_ref), WithJsonSchema(_REF)]
KeyFile = Annotated[str, PlainValidator(_key_file), WithJsonSchema(_KEY_FILE)]
Vars = Annotated[dict[str, Any], PlainValidator(_vars), WithJsonSchema(_VARS)]
Private = Annotated[dict[str, Any], PlainValidator(_private), WithJsonSchema({"type": "object"})]

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


_ENDPOINT = Shape(
    r"(?:\[([0-9A-Za-z:.%_-]+)\]|([^\s:\[\]]+)):([0-9]{1,5})",
    "is not an endpoint",
    "write address:port or [IPv6 address]:port in quotes",
)


def _endpoint(value: Any) -> Endpoint:
    match = _ENDPOINT.match(value)
    if not 1 <= int(match[3]) <= 65535:
        raise fault(_ENDPOINT.what, _ENDPOINT.hint)
    return Endpoint(match[1] or match[2], int(match[3]))


_DAY = Shape("[0-9]{4}-[0-9]{2}-[0-9]{2}", "is not a date", "write it like 2026-10-17")
_DAYS = Shape(rf"{_DAY.pattern}(\.\.{_DAY.pattern})?", _DAY.what, "write 2026-10-17, or 2026-10-17..2026-10-31")


def _day(value: Any) -> date:
    try:
        return date.fromisoformat(_DAY.match(value)[0])
    except ValueError:
        raise fault(_DAY.what, _DAY.hint) from None


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


Day = Annotated[date, PlainValidator(_day), WithJsonSchema(_DAY.schema)]
Days = Annotated[tuple[date, date], PlainValidator(_days), WithJsonSchema(_DAYS.schema)]
Service = Annotated[str, AfterValidator(_service), WithJsonSchema({"enum": [*DEFAULT_PORTS]})]
EndpointText = Annotated[Endpoint, PlainValidator(_endpoint), WithJsonSchema(_ENDPOINT.schema)]
