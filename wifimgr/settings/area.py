"""Areas on the ground: where the places of a network are, and which ones an import shall take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import PlainValidator, TypeAdapter, ValidationError, WithJsonSchema

from wifimgr.settings.values import POSITION, Position, Shape
from wifimgr.yamlfile import fault

EARTH_METERS = 6_371_000.0
"""Mean radius (IUGG)."""
_METERS = {"m": 1.0, "km": 1000.0}
_POSITION: TypeAdapter[tuple[float, float]] = TypeAdapter(Position)

Point = tuple[float, float]
"""Latitude and longitude in degrees (WGS 84)."""


def meters_between(one: Point, other: Point) -> float:
    """The distance of two positions on the ground, by the haversine formula."""
    south, north = math.radians(one[0]), math.radians(other[0])
    half_up, half_right = (north - south) / 2, math.radians(other[1] - one[1]) / 2
    chord = math.sin(half_up) ** 2 + math.cos(south) * math.cos(north) * math.sin(half_right) ** 2
    return 2 * EARTH_METERS * math.asin(min(1.0, math.sqrt(chord)))


@dataclass(frozen=True, slots=True)
class Circle:
    """Everything within some metres of a point."""

    center: Point
    radius: float
    """Metres."""

    def holds(self, point: Point) -> bool:
        """Whether a position lies in it."""
        return meters_between(self.center, point) <= self.radius


@dataclass(frozen=True, slots=True)
class Polygon:
    """Everything between corners, which stand in their order around it."""

    corners: tuple[Point, ...]

    def holds(self, point: Point) -> bool:
        """Whether a position lies in it: a ray to the east crosses its border an odd number of times."""
        inside = False
        for (lat, lon), (lat2, lon2) in zip(self.corners, (*self.corners[1:], self.corners[0]), strict=True):
            if (lat > point[0]) != (lat2 > point[0]):
                inside ^= point[1] < lon + (lon2 - lon) * (point[0] - lat) / (lat2 - lat)
        return inside


Area = Circle | Polygon


_DISTANCE = Shape(
    r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(m|km)", "is not a distance", "write a number and its unit, like 800m or 15km"
)


def meters(value: Any) -> float:
    """A distance as people write it, ``800m`` or ``15km``, in metres."""
    match = _DISTANCE.match(value)
    if not float(match[1]):
        raise fault(_DISTANCE.what, _DISTANCE.hint)
    return float(match[1]) * _METERS[match[2]]


def area(value: Any) -> Area:
    """``{center: [51.43, 6.76], radius: 15km}``, or at least three corners ``[[51.3, 6.6], ...]``."""
    try:
        if isinstance(value, dict) and set(value) == {"center", "radius"}:
            return Circle(_POSITION.validate_python(value["center"]), meters(value["radius"]))
        if isinstance(value, Sequence) and not isinstance(value, str) and len(value) >= 3:
            return Polygon(tuple(map(_POSITION.validate_python, value)))
    except ValidationError:
        pass
    hint = "write {center: [51.43, 6.76], radius: 15km}, or at least three corners [[51.3, 6.6], ...]"
    raise fault("is not an area", hint)


_AREA = {
    "type": ["object", "array"],
    "properties": {
        "center": {"description": "[latitude, longitude] in degrees.", **POSITION},
        "radius": {"description": "A number and its unit, like 800m or 15km.", **_DISTANCE.schema},
    },
    "required": ["center", "radius"],
    "additionalProperties": False,
    "items": POSITION,
    "minItems": 3,
}
AreaEntry = Annotated[Area, PlainValidator(area), WithJsonSchema(_AREA)]
