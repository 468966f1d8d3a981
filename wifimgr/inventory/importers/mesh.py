"""What the map files of a mesh have in common: JSON from many writers, and nodes as respondd tells about them.

meshviewer.json tells all about a node side by side. The other formats lay the same things out otherwise; each brings
a node into the shape of meshviewer.json, and :func:`routers` translates from there.
"""

from __future__ import annotations

import ipaddress
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from wifimgr.errors import ConfigError
from wifimgr.inventory.importers.base import Found, Note, Source

Flat = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Brings one node into the shape of meshviewer.json."""

MARKS: Mapping[str, str] = {"meshviewer": "node_id", "nodes": "nodeinfo", "nodelist": "id"}
"""Format to the key that only its nodes have: by it people are told which format they hold in hands."""


def routers(source: Source, format: str, flat: Flat = lambda node: node) -> Iterator[Found | Note]:
    """Every node of a map file. Raises ConfigError ``bad-import``."""
    for where, node in _nodes(source, format):
        if isinstance(node, dict):
            yield from _router(where, flat(node))
        else:
            yield Note(where, "skipped", "is no node")


def _router(where: str, node: Mapping[str, Any]) -> Iterator[Found | Note]:
    told = _items(node.get("addresses"))
    kept = tuple(filter(_is_address, told))
    if len(kept) < len(told):
        yield Note(where, "changed", "what is no address was left out of its addresses")
    location = part(node, "location")
    position = _position(location)
    if position is None and any(text(location.get(key)) for key in ("latitude", "longitude")):
        yield Note(where, "changed", "its position is not two numbers")
    yield Found(
        where=where,
        name=text(node.get("hostname")),
        addresses=kept,
        node_id=text(node.get("node_id")).replace(":", "").lower(),
        platform="gluon" if text(part(node, "firmware").get("base")).startswith("gluon") else "other",
        role="gateway" if node.get("is_gateway") is True else "mesh-node",
        model=text(node.get("model")),
        position=position,
        sources=("respondd",) if kept else ("map",),
        contact=text(node.get("owner")),
    )


# ---------------------------------------------------------------- values: anything may stand anywhere


def part(node: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """The mapping that these keys lead to; an empty one where they lead nowhere."""
    for key in keys:
        inner = node.get(key)
        node = inner if isinstance(inner, dict) else {}
    return node


def text(value: Any) -> str:
    """Text as it is, a number as text, nothing for all else."""
    if isinstance(value, float) and value.is_integer():  # Lua writes whole numbers as floats
        return str(int(value))
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _items(value: Any) -> list[str]:
    """A list of texts; one thing alone is a list, too."""
    return [text(item) for item in (value if isinstance(value, list) else [] if value is None else [value])]


def _is_address(item: str) -> bool:
    try:
        ipaddress.ip_address(item)
    except ValueError:
        return False
    return True


def _position(location: Mapping[str, Any]) -> tuple[float, float] | None:
    """Latitude and longitude as told; None where they are no numbers."""
    latitude, longitude = _number(location.get("latitude")), _number(location.get("longitude"))
    return None if latitude is None or longitude is None else (latitude, longitude)


def _number(value: Any) -> float | None:
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


# ---------------------------------------------------------------- files


def _nodes(source: Source, format: str) -> Iterable[tuple[str, Any]]:
    """Every node and where it stands."""
    data = _json(source)
    nodes = data.get("nodes") if isinstance(data, dict) else None
    if isinstance(nodes, dict):  # the first version of nodes.json: node id to node
        found = [(f"nodes.{name}", node) for name, node in nodes.items()]
    elif isinstance(nodes, list):
        found = [(f"nodes[{index}]", node) for index, node in enumerate(nodes)]
    else:
        raise _not_that(source, "has no list 'nodes'", "an export of a map like meshviewer.json has one")
    if found and not any(isinstance(node, dict) and MARKS[format] in node for _, node in found):
        others = [name for name, mark in MARKS.items() if any(isinstance(n, dict) and mark in n for _, n in found)]
        hint = f"try the format {others[0]}" if others else "look what the file is"
        raise _not_that(source, f"no node in it has a {MARKS[format]}", hint)
    return found


def _json(source: Source) -> Any:
    if len(source.files) != 1:
        raise _not_that(source, "is a folder", "name one file")
    [raw] = source.files.values()
    try:
        return json.loads(raw.decode(json.detect_encoding(raw)))
    except UnicodeDecodeError:
        raise _not_that(source, "is not text in UTF-8", "save it as UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}"
        raise _not_that(source, f"is not JSON from {where} on", "fetch it again, it may be cut off") from None
    except (ValueError, RecursionError):  # a number of thousands of digits, thousands of brackets
        raise _not_that(source, "is not JSON that anybody means", "fetch it again") from None


def _not_that(source: Source, what: str, hint: str) -> ConfigError:
    return ConfigError("bad-import", what, where=source.name, hint=hint)
