"""CSV: any table with one router a row, as spreadsheets and other programs write it.

Which column holds what is told, or recognised by the headings that German and English tables usually have.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence

from wifimgr.errors import ConfigError, did_you_mean
from wifimgr.inventory.exporters.csv_table import from_text
from wifimgr.inventory.importers import foreign
from wifimgr.inventory.importers.base import Found, Note, Options, Source
from wifimgr.inventory.schema import is_address

HEADINGS: Mapping[str, tuple[str, ...]] = {
    "name": (
        "name",
        "hostname",
        "host",
        "router",
        "gerät",
        "geraet",
        "device",
        "knoten",
        "node",
        "bezeichnung",
        "gerätename",
        "geraetename",
        "routername",
        "knotenname",
        "nodename",
        "device name",
        "router name",
    ),
    "addresses": ("addresses", "address", "ip", "ip-adresse", "ip-adressen", "ip-address", "ipv4", "ipv6"),
    "model": ("model", "modell", "hardware", "typ", "type"),
    "room": ("room", "raum", "ort im haus"),
    "site": ("site", "place", "einrichtung", "haus"),
    "lat": ("lat", "latitude", "breitengrad", "breite"),
    "lon": ("lon", "lng", "long", "longitude", "längengrad", "laengengrad", "länge"),
    "position": ("position", "koordinaten", "coordinates", "gps"),
    "district": ("district", "stadtteil", "ortsteil", "bezirk"),
    "tags": ("tags", "schlagworte"),
    "role": ("role", "rolle", "funktion"),
    "platform": ("platform", "plattform", "firmware", "system", "betriebssystem", "os"),
    "node_id": ("node_id", "knoten-id", "mac", "mac-adresse", "mac-address"),
    "contact": ("contact", "kontakt", "ansprechpartner", "owner", "e-mail", "mail", "telefon", "phone"),
}
"""Our key to the headings that mean it, the surest one first; case, blanks and signs do not matter."""
EITHER = ("standort", "ort", "location")
"""Headings that mean the site, or the room where another column is the site."""
MANY = ("addresses", "tags", "contact")
"""Keys that several columns may tell together."""
_MEANING = {
    foreign.letters(heading): (rank, key) for key, headings in HEADINGS.items() for rank, heading in enumerate(headings)
}
_EITHER = frozenset(map(foreign.letters, EITHER))
_DELIMITERS = ",;\t"
_OPTION = "--column"
_ZIP = b"PK\x03\x04"
"""How .xlsx and .ods begin."""
_END = "\0"
"""Stands in no text."""
_NUMBER = r"[-+]?[0-9]{1,3}(?:[.,][0-9]{1,20})?"
_POSITION = re.compile(rf"({_NUMBER})°?(?:\s*[;/]\s*|\s*,\s+|\s+|,)({_NUMBER})°?")
_MAC = re.compile(r"([0-9A-Fa-f]{2}[:.-]?){5}[0-9A-Fa-f]{2}")

Row = tuple[int, list[str]]
"""The line where a row begins, and its cells."""


def read(source: Source, options: Options) -> Iterator[Found | Note]:
    """The rows of a table. Raises ConfigError ``bad-import``, and ``unknown-name`` for a column that is not there."""
    if len(source.files) != 1:
        raise foreign.bad(source.name, "is a folder", "name one file")
    [raw] = source.files.values()
    if raw.startswith(_ZIP):
        raise foreign.bad(source.name, "is a workbook, not CSV", "save it as CSV in your spreadsheet program")
    notes: list[Note] = []
    text = foreign.text_of(raw, source.name, notes)
    told = re.match(r"sep=([,;|\t])\r?\n", text, re.IGNORECASE)  # Excel's own first line
    delimiter = told[1] if told else _delimiter(source.name, text, options)
    *rows, last = list(_rows(source.name, text, delimiter))[1 if told else 0 :]
    line, header = rows[0] if rows else (1, [])
    columns = _columns(source.name, header, options.columns)
    yield from notes
    yield from _unread(line, header, columns)
    for row in rows[1:]:
        yield from _entry(row, len(header), columns)
    if last[1] != [_END]:
        yield Note(f"line {last[0]}", "skipped", "a quote has no end: nothing from here on is read")


def _rows(name: str, text: str, delimiter: str) -> Iterator[Row]:
    """The rows that hold something, and a last one that is the end, unless a quote has swallowed it."""
    reader = csv.reader(io.StringIO(f"{text}\n{_END}", newline=""), delimiter=delimiter)
    line = 1
    try:
        for row in reader:
            cells = [from_text(cell.strip()) for cell in row]
            if any(cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error:
        raise foreign.bad(f"{name}:{line}", "has a cell without end", "look for a quote that is not closed") from None


def _delimiter(name: str, text: str, options: Options) -> str:
    """The delimiter by which the heading has most columns that mean something, else most columns."""

    def columns(delimiter: str) -> tuple[int, int]:
        _, header = next(_rows(name, text, delimiter))
        meant = _MEANING.keys() | _EITHER | set(map(foreign.letters, options.columns.values()))
        return sum(foreign.letters(heading) in meant for heading in header), len(header)

    return max(_DELIMITERS, key=columns)


# --- columns ---


def _columns(name: str, header: Sequence[str], told: Mapping[str, str]) -> Mapping[str, list[int]]:
    """Our keys to the columns that tell them."""
    columns = {key: [_told(name, header, key, heading)] for key, heading in told.items()}
    taken = {index for indexes in columns.values() for index in indexes}
    words = {index: foreign.letters(heading) for index, heading in enumerate(header) if index not in taken}
    by_rank = sorted((_MEANING[word][0], index) for index, word in words.items() if word in _MEANING)
    for _, index in by_rank:
        key = _MEANING[words[index]][1]
        if key not in columns or (key in MANY and key not in told):
            columns.setdefault(key, []).append(index)
    for index in (index for index, word in words.items() if word in _EITHER):
        columns.setdefault("room" if "site" in columns else "site", [index])
    if not columns.keys() & {"name", "addresses", "node_id"}:
        hint = "say which column is the name: --column name=HEADING"
        raise foreign.bad(name, "has no column with a name, an address or a node_id that we know", hint)
    return columns


def _told(name: str, header: Sequence[str], key: str, heading: str) -> int:
    """Where a column stands that somebody named. Raises ConfigError ``unknown-name``."""
    if key not in HEADINGS:
        what = f"'{key}' is no key that a column can tell"
        raise ConfigError("unknown-name", what, key=_OPTION, hint=did_you_mean(key, HEADINGS))
    alike = [index for index, other in enumerate(header) if foreign.letters(other) == foreign.letters(heading)]
    index = header.index(heading) if heading in header else alike[0] if alike else None
    if index is None:
        hint = did_you_mean(heading, filter(None, header))
        raise ConfigError("unknown-name", f"'{heading}' is no column of {name}", key=_OPTION, hint=hint)
    return index


def _unread(line: int, header: Sequence[str], columns: Mapping[str, list[int]]) -> Iterator[Note]:
    taken = {index for indexes in columns.values() for index in indexes}
    for index, heading in enumerate(header):
        if index not in taken:
            which = f"column '{heading}'" if heading else f"column {index + 1}, which has no heading,"
            yield Note(f"line {line}", "changed", f"{which} is not read")


# --- rows ---


def _entry(row: Row, width: int, columns: Mapping[str, list[int]]) -> Iterator[Found | Note]:
    line, cells = row
    where = f"line {line}"
    told = {key: [cells[index] for index in indexes if index < len(cells)] for key, indexes in columns.items()}
    one = {key: next(filter(None, values), "") for key, values in told.items()}
    addresses = tuple(_address(word) for word in _words(told.get("addresses")))
    node_id = _node_id(one.get("node_id", ""))
    name = one.get("name") or next(filter(is_address, addresses), "") or node_id
    if not name:
        yield Note(where, "skipped", "has no name and no address that is one")
        return
    role, platform = foreign.role_of(one.get("role", "")), foreign.platform_of(one.get("platform", ""))
    position = _position(one)
    for is_lost, what in (
        (not one.get("name"), "has no name: it is called by its address"),
        (any(cells[width:]), "has more cells than the heading: they are left out"),
        (one.get("role") and not role, "its role is none that is known here"),
        (one.get("platform") and not platform, "its platform is none that is known here"),
        (
            position is None and any(one.get(key) for key in ("lat", "lon", "position")),
            "its position is not two numbers",
        ),
    ):
        if is_lost:
            yield Note(where, "changed", what)
    yield Found(
        where=where,
        name=name,
        addresses=addresses,
        node_id=node_id,
        platform=platform,
        role=role,
        model=one.get("model", ""),
        room=one.get("room", ""),
        position=position,
        site=one.get("site", ""),
        district=one.get("district", ""),
        tags=_words(told.get("tags")),
        contact=foreign.contact_of(told.get("contact")),
    )


def _words(cells: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, re.split(r"[\s,;]+", " ".join(cells or ())))))


def _address(word: str) -> str:
    """Without brackets, and without the length of its network."""
    return re.sub(r"/[0-9]{1,3}\Z", "", word).removeprefix("[").removesuffix("]")


def _node_id(cell: str) -> str:
    """A MAC address as meshes write it in a node_id; anything else as it is."""
    return re.sub(r"[:.-]", "", cell).lower() if _MAC.fullmatch(cell) else cell


def _position(one: Mapping[str, str]) -> tuple[float, float] | None:
    """Latitude and longitude of two columns, else of one; a comma may stand for the point."""
    text = f"{one['lat']} {one['lon']}" if one.get("lat") and one.get("lon") else one.get("position", "")
    match = _POSITION.fullmatch(text)
    latitude, longitude = map(foreign.number_of, match.groups()) if match else (None, None)
    return None if latitude is None or longitude is None else (latitude, longitude)
