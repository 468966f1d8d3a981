"""What SNMP agents tell, and where: one YAML file for a kind of agent, made into :class:`~wifimgr.model.Measured`.

Nothing here speaks SNMP. A profile names OIDs; :meth:`Profile.measured` turns their values into what is measured. What
an agent does not tell, or tells in the wrong type, is None and never zero. docs/sources.md tells how a file is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import as_file, files
from itertools import groupby
from typing import Annotated, Any, Protocol, TypeVar

from pydantic import Field, PlainValidator, model_validator

from wifimgr.model import Interface, Measured, Radio
from wifimgr.sources.base import band_of
from wifimgr.sources.told import LARGEST, Told
from wifimgr.yamlfile import Strict, fault, read, validate

Oid = tuple[int, ...]
Value = int | bytes | None
"""What an agent told for one OID; None: nothing."""
Table = Mapping[Oid, Mapping[Oid, Value]]
"""Column to index to value."""
Lookup = Callable[[Oid], Value]
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

DEFAULT = "openwrt"


# --- one place where an agent may tell something ---


def _oid(value: Any) -> Oid:
    if not isinstance(value, str) or not re.fullmatch(r"[0-2](\.[0-9]{1,10}){2,127}", value):
        raise fault("is not an OID", "write it in numbers, without a dot at the start: 1.3.6.1.2.1.1.3.0")
    return tuple(map(int, value.split(".")))


def _pattern(value: Any) -> re.Pattern[str]:
    try:
        return re.compile(value)
    except (re.error, TypeError):
        raise fault("is not a regular expression", "see https://docs.python.org/3/library/re.html") from None


OidText = Annotated[Oid, PlainValidator(_oid)]
Pattern = Annotated[re.Pattern[str], PlainValidator(_pattern)]


class Number(Strict):
    """A number that is not negative, also when told as text. A ``sum`` counts only when all its parts are told."""

    oid: OidText | None = None
    sum: list[OidText] = Field(default_factory=list)
    scale: int | float = 1

    @model_validator(mode="after")
    def _one_of_two(self) -> Number:
        if (self.oid is None) == (not self.sum):
            raise fault("needs either oid or sum", "write one of them", "missing-key")
        return self

    @property
    def oids(self) -> list[Oid]:
        return self.sum if self.oid is None else [self.oid]

    def of(self, values: Sequence[Value]) -> int | float | None:
        """The number; whole numbers stay exact."""
        parts = [number for value in values if (number := _number(value)) is not None]
        return round(sum(parts) * self.scale, 6) if len(parts) == len(values) else None


class Words(Strict):
    """Text; with ``match``, the part of it that matches."""

    oid: OidText
    match: Pattern | None = None

    @property
    def oids(self) -> list[Oid]:
        return [self.oid]

    def of(self, values: Sequence[Value]) -> str | None:
        text = Told(values[0].decode("utf-8", "replace")).text() if isinstance(values[0], bytes) else ""
        if self.match:
            found = self.match.search(text)
            text = found[0] if found else ""
        return text or None


class Switch(Strict):
    """A number that means up or down; any other one means nothing."""

    oid: OidText
    up: list[int]
    down: list[int]

    @property
    def oids(self) -> list[Oid]:
        return [self.oid]

    def of(self, values: Sequence[Value]) -> bool | None:
        if values[0] in self.up:
            return True
        return False if values[0] in self.down else None


class Choice(Protocol[T_co]):
    """What Number, Words and Switch have in common."""

    @property
    def oids(self) -> list[Oid]:
        """What has to be asked for."""

    def of(self, values: Sequence[Value]) -> T_co | None:
        """What the values of these OIDs mean; None: nothing."""


def first(choices: Sequence[Choice[T]], told: Lookup) -> T | None:
    """The first of several choices that is told."""
    meanings = (choice.of([told(oid) for oid in choice.oids]) for choice in choices)
    return next((meaning for meaning in meanings if meaning is not None), None)


def _number(value: Value) -> int | float | None:
    """A number that every store can hold. What programs on a router print comes as text, with a line break."""
    if isinstance(value, bytes):
        text = value.strip()
        if not re.fullmatch(rb"[0-9]{1,18}(\.[0-9]{1,18})?", text):
            return None
        return float(text) if b"." in text else int(text)
    return value if value is not None and 0 <= value <= LARGEST else None


def _whole(number: int | float | None) -> int | None:
    return None if number is None else int(number)


# --- a file ---


class Values(Strict):
    """What an agent tells once. ``uptime`` is in seconds, memory in bytes, ``load`` an average over one minute."""

    uptime: list[Number] = Field(default_factory=list)
    load: list[Number] = Field(default_factory=list)
    memory_total: list[Number] = Field(default_factory=list)
    memory_available: list[Number] = Field(default_factory=list)
    model: list[Words] = Field(default_factory=list)
    firmware: list[Words] = Field(default_factory=list)
    clients: list[Number] = Field(default_factory=list)


class Rows(Strict):
    """A table of an agent. Rows without a name, or with one that matches ``skip``, are left out."""

    name: list[Words]
    skip: Pattern | None = None

    def wanted(self, table: Table) -> list[Oid]:
        """The columns to ask for next: of each key its next choice, as long as none before it was told at all."""
        return [oid for choices in _choices(self) for oid in _next(choices, table)]

    def named(self, table: Table) -> Iterator[tuple[str, Lookup]]:
        """The name of each row, and what gives its value of a column."""
        for index in sorted({index for column in table.values() for index in column}):

            def told(column: Oid, index: Oid = index) -> Value:
                return table.get(column, {}).get(index)

            name = first(self.name, told)
            if name and not (self.skip and self.skip.search(name)):
                yield name, told


class Interfaces(Rows):
    """Network interfaces. Octets and errors are counters."""

    up: list[Switch] = Field(default_factory=list)
    receive_bytes: list[Number] = Field(default_factory=list)
    transmit_bytes: list[Number] = Field(default_factory=list)
    receive_errors: list[Number] = Field(default_factory=list)
    transmit_errors: list[Number] = Field(default_factory=list)

    def measured(self, table: Table) -> tuple[Interface, ...]:
        return tuple(
            Interface(
                name=name,
                up=first(self.up, told),
                receive_bytes=_whole(first(self.receive_bytes, told)),
                transmit_bytes=_whole(first(self.transmit_bytes, told)),
                receive_errors=_whole(first(self.receive_errors, told)),
                transmit_errors=_whole(first(self.transmit_errors, told)),
            )
            for name, told in self.named(table)
        )


class Wifi(Rows):
    """What is on the air: one row for each network of each radio. Asked for only when ``present`` is told.

    ``mhz`` is a frequency, ``busy`` the part of the time that its channel is in use, 0 to 1.
    """

    present: OidText
    ssid: list[Words] = Field(default_factory=list)
    clients: list[Number] = Field(default_factory=list)
    mhz: list[Number] = Field(default_factory=list)
    busy: list[Number] = Field(default_factory=list)

    def measured(self, table: Table) -> tuple[Radio, ...]:
        """The radios: a row's name begins with its radio's, as in ``phy0-ap1`` or ``wlan0-1``."""
        rows = sorted(self.named(table), key=lambda row: _radio(row[0]))
        return tuple(
            self._one(name, [told for _, told in group]) for name, group in groupby(rows, lambda row: _radio(row[0]))
        )

    def _one(self, name: str, rows: Sequence[Lookup]) -> Radio:
        clients = [first(self.clients, told) for told in rows]
        mhz = next(filter(None, (first(self.mhz, told) for told in rows)), None)
        busy = (first(self.busy, told) for told in rows)
        return Radio(
            name=name,
            band=band_of(mhz),
            up=True if mhz else None,  # some drivers do not tell their frequency: that is not down
            ssids=tuple(dict.fromkeys(ssid for told in rows if (ssid := first(self.ssid, told)))),
            clients=None if None in clients else _whole(sum(filter(None, clients))),
            busy=next((part for part in busy if part is not None), None),
        )


class Profile(Strict):
    """One file: what a kind of agent tells."""

    values: Values
    interfaces: Interfaces | None = None
    wifi: Wifi | None = None

    def single(self) -> list[Oid]:
        """Everything that is asked for once."""
        wanted = [oid for choices in _choices(self.values) for choice in choices for oid in choice.oids]
        return [*wanted, self.wifi.present] if self.wifi else wanted

    def measured(self, single: Mapping[Oid, Value], interfaces: Table, wifi: Table | None) -> Measured:
        """What all of this means. ``wifi``: None when the agent does not see the Wi-Fi."""
        values, told = self.values, single.get
        radios = self.wifi.measured(wifi) if self.wifi and wifi is not None else ()
        return Measured(
            boot=Told(first(values.uptime, told)).boot(),
            load=first(values.load, told),
            memory_total=_whole(first(values.memory_total, told)),
            memory_available=_whole(first(values.memory_available, told)),
            model=first(values.model, told) or "",
            firmware=first(values.firmware, told) or "",
            wifi=None if wifi is None else any(radio.ssids for radio in radios),
            clients=_whole(first(values.clients, told)),
            radios=radios,
            interfaces=self.interfaces.measured(interfaces) if self.interfaces else (),
        )


def _choices(part: Values | Rows) -> list[Sequence[Choice[Any]]]:
    """The choices of each key."""
    return [value for name in type(part).model_fields if isinstance(value := getattr(part, name), list)]


def _next(choices: Sequence[Choice[Any]], table: Table) -> list[Oid]:
    for choice in choices:
        if not table.keys() >= set(choice.oids):
            return choice.oids
        columns = [table[oid] for oid in choice.oids]
        if any(choice.of([column.get(index) for column in columns]) is not None for index in columns[0]):
            return []
    return []


def _radio(name: str) -> str:
    return name.partition("-")[0]


@cache
def profile_of(platform: str) -> Profile:
    """The profile of a platform, or that of OpenWrt where it has none of its own."""
    folder = files("wifimgr.sources.profiles")
    name = platform if folder.joinpath(f"{platform}.yaml").is_file() else DEFAULT
    with as_file(folder / f"{name}.yaml") as path:
        return validate(read(path, f"{name}.yaml"), Profile)
