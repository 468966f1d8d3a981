"""``--limit-to``: which routers of a file an import shall take."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

from wifimgr.errors import ConfigError
from wifimgr.inventory.importers.base import Found
from wifimgr.settings.area import Circle, Point, Polygon, meters

Limit = Callable[[Found], str]
"""Why a router is not meant; nothing when it is."""

OUTSIDE = "outside of --limit-to"
NOWHERE = "without a position, which --limit-to asks for"
OPTION = "--limit-to"
_HINT = "write a GeoJSON file (area.geojson), a place and a radius (51.43,6.76,15km), or a pattern for names"


def no_limit(found: Found) -> str:
    """Every router is meant."""
    return ""


def parse(text: str) -> Limit:
    """A limit as people write it: a GeoJSON file, ``LATITUDE,LONGITUDE,RADIUS``, or a pattern for names.

    Raises ConfigError ``bad-selector``, and ``unreadable-file`` and ``bad-import`` for the file.
    """
    if text.endswith((".json", ".geojson")):
        return _inside(_Shape(tuple(_polygons(_read(Path(text)), text))))
    if circle := re.fullmatch(r"\s*([-+.\d]+)\s*,\s*([-+.\d]+)\s*,\s*([.\d]+k?m)\s*", text):
        return _inside(_circle(*circle.groups()))
    if not re.sub(r"[-+.,;\s\d]|k?m", "", text):  # meant as a place, and every name would fall out
        raise ConfigError("bad-selector", f"'{text}' is no place with a radius", key=OPTION, hint=_HINT)
    return _named(text)


def _inside(area: Circle | _Shape) -> Limit:
    def limit(found: Found) -> str:
        if found.position is None:
            return NOWHERE
        return "" if area.holds(found.position) else OUTSIDE

    return limit


def _named(text: str) -> Limit:
    try:
        pattern = re.compile(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError):
        raise ConfigError("bad-selector", f"'{text}' is no pattern", key=OPTION, hint=_HINT) from None
    return lambda found: "" if pattern.search(found.name) else OUTSIDE


def _circle(latitude: str, longitude: str, radius: str) -> Circle:
    try:
        center = float(latitude), float(longitude)
        if abs(center[0]) > 90 or abs(center[1]) > 180:
            raise ValueError
        return Circle(center, meters(radius))
    except (ValueError, PydanticCustomError):
        raise ConfigError("bad-selector", "is no place with a radius", key=OPTION, hint=_HINT) from None


# ---------------------------------------------------------------- GeoJSON (RFC 7946)


@dataclass(frozen=True, slots=True)
class _Shape:
    """Polygons, each with its holes."""

    polygons: tuple[tuple[Polygon, ...], ...]

    def holds(self, point: Point) -> bool:
        return any(
            border.holds(point) and not any(hole.holds(point) for hole in holes) for border, *holes in self.polygons
        )


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ConfigError("unreadable-file", f"cannot be read: {reason}", where=str(path), key=OPTION) from None
    except (ValueError, RecursionError):
        raise _no_area(str(path)) from None


def _no_area(name: str) -> ConfigError:
    hint = "draw a Polygon and save it as GeoJSON"
    return ConfigError("bad-import", "holds no area in GeoJSON", where=name, key=OPTION, hint=hint)


def _polygons(data: Any, name: str) -> Iterator[tuple[Polygon, ...]]:
    try:
        found = [tuple(map(_ring, rings)) for rings in _rings(data)]
    except (TypeError, ValueError, LookupError, RecursionError):
        raise _no_area(name) from None
    if not found or not all(found):
        raise _no_area(name)
    yield from found


def _rings(data: Any) -> Iterator[Any]:
    """The rings of every polygon, however deep it stands."""
    match data.get("type") if isinstance(data, dict) else None:
        case "Polygon":
            yield data.get("coordinates")
        case "MultiPolygon":
            yield from data.get("coordinates") or ()
        case "Feature":
            yield from _rings(data.get("geometry"))
        case "FeatureCollection":
            for feature in data.get("features") or ():
                yield from _rings(feature)


def _ring(points: Any) -> Polygon:
    """GeoJSON writes longitude first, and may write a height behind."""
    corners = tuple((float(point[1]), float(point[0])) for point in points)
    if len(corners) < 4:
        raise ValueError
    return Polygon(corners)
