"""What --limit-to takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wifimgr.errors import ConfigError
from wifimgr.inventory.importers.base import Found
from wifimgr.inventory.importers.limits import NOWHERE, OUTSIDE, no_limit, parse
from wifimgr.settings.area import Point

RING = [[6.6, 51.3], [6.9, 51.3], [6.9, 51.6], [6.6, 51.6], [6.6, 51.3]]
HOLE = [[6.7, 51.4], [6.8, 51.4], [6.8, 51.5], [6.7, 51.5], [6.7, 51.4]]
POLYGON = {"type": "Polygon", "coordinates": [RING, HOLE]}
OTHER = {"type": "MultiPolygon", "coordinates": [[[[0, 0], [1, 0, 25.0], [1, 1], [0, 0]]]]}
POINT = {"type": "Point", "coordinates": [6.7, 51.4]}


def found(position: Point | None = None, name: str = "ap") -> Found:
    return Found(where="", name=name, position=position)


def feature(geometry: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": {}, "geometry": geometry}


def test_without_a_limit_everybody_is_meant() -> None:
    assert no_limit(found()) == ""


@pytest.mark.parametrize("text", ["51.43,6.76,15km", " 51.43 , 6.76 , 15000m ", "+51.43,6.76,15.0km"])
def test_a_radius_is_around_a_place(text: str) -> None:
    limit = parse(text)
    assert limit(found((51.5, 6.76))) == ""
    assert limit(found((51.6, 6.76))) == OUTSIDE
    assert limit(found(None)) == NOWHERE


@pytest.mark.parametrize(
    "data",
    [
        POLYGON,
        feature(POLYGON),
        {"type": "FeatureCollection", "features": [feature(POINT), feature(OTHER), feature(POLYGON)]},
    ],
    ids=["polygon", "feature", "collection"],
)
@pytest.mark.parametrize("name", ["area.json", "area.geojson"])
def test_an_area_is_drawn_with_its_holes(tmp_path: Path, data: Any, name: str) -> None:
    (tmp_path / name).write_text("\ufeff" + json.dumps(data), encoding="utf-8")
    limit = parse(str(tmp_path / name))
    assert limit(found((51.35, 6.65))) == ""
    assert limit(found((51.45, 6.75))) == OUTSIDE, "the hole"
    assert limit(found((6.65, 51.35))) == OUTSIDE, "longitude stands first in GeoJSON"
    assert limit(found(None)) == NOWHERE


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        POINT,
        feature(None),
        {"type": "Polygon"},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[[6, 51], [7, 51]]]},
        {"type": "Polygon", "coordinates": [[{"a": 1}] * 4]},
        {"type": "Polygon", "coordinates": [["ab"] * 4]},
        {"type": "FeatureCollection", "features": 7},
    ],
)
def test_what_holds_no_area_is_an_error(tmp_path: Path, data: Any) -> None:
    path = tmp_path / "area.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        parse(str(path))
    assert caught.value.line() == (
        f"{path}: --limit-to: holds no area in GeoJSON; draw a Polygon and save it as GeoJSON [bad-import]"
    )


def test_a_file_of_an_area_that_is_not_there_or_no_json(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: no such file or directory \[unreadable-file\]"):
        parse(str(tmp_path / "area.json"))
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(ConfigError, match="bad-import"):
        parse(str(tmp_path / "deep.json"))


def test_anything_else_is_a_pattern_for_names() -> None:
    limit = parse("^jz-.*(hof|saal)")
    assert [limit(found(name=name)) for name in ("JZ-Walsum-Hof", "jz-x", "a-jz-hof")] == ["", OUTSIDE, OUTSIDE]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("ap[", "'ap[' is no pattern"),
        ("a{99999999999999999999}", "'a{99999999999999999999}' is no pattern"),
        ("91,6.76,15km", "is no place with a radius"),
        ("51.43,6.76,0km", "is no place with a radius"),
        ("51.4.3,6.76,1km", "is no place with a radius"),
    ],
)
def test_a_limit_that_means_nothing_is_an_error(text: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert caught.value.id == "bad-selector"
    assert caught.value.line().startswith(f"--limit-to: {what}; write a GeoJSON file")
