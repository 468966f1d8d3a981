"""The places on a map, as RFC 7946 wants them."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.inventory.exporters.places import HOSTILE, places
from wifimgr.inventory import Inventory
from wifimgr.inventory.exporters import EXPORTERS, WHOLE
from wifimgr.inventory.exporters.base import Exporter
from wifimgr.model import Lifecycle
from wifimgr.views.site import is_shown

PUBLIC, ALL = EXPORTERS["geojson"], WHOLE["geojson"]


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return places(tmp_path)


def features(exporter: Exporter, inventory: Inventory, *names: str) -> dict[str, dict[str, Any]]:
    """The features by their ids, each of a form that the RFC asks for."""
    text = exporter(inventory, [inventory.routers[name] for name in names or inventory.routers])
    found = json.loads(text)
    assert found.keys() == {"type", "features"}
    assert found["type"] == "FeatureCollection"
    for feature in found["features"]:
        assert feature.keys() == {"type", "id", "geometry", "properties"}
        assert feature["type"] == "Feature"
        assert feature["geometry"].keys() == {"type", "coordinates"}
        assert feature["geometry"]["type"] == "Point"
        lon, lat = feature["geometry"]["coordinates"]
        assert -180 <= lon <= 180
        assert -90 <= lat <= 90
    return {feature["id"]: feature for feature in found["features"]}


def test_a_place_stands_where_it_is_and_tells_no_more_than_it_may(inventory: Inventory) -> None:
    [feature] = features(PUBLIC, inventory).values()
    assert feature["geometry"]["coordinates"] == [-6.7741, 51.4652]
    assert feature["properties"] == {
        "slug": "hof",
        "name": HOSTILE,
        "kind": "youth-center",
        "district": HOSTILE,
        "routers": 3,
    }


def test_all_is_said_for_places_that_are_not_public(inventory: Inventory) -> None:
    assert features(PUBLIC, inventory).keys() == {"hof"}
    found = features(ALL, inventory)
    assert found.keys() == {"hof", "knoten"}
    assert found["knoten"]["properties"]["district"] is None


def test_only_places_of_the_chosen_routers_and_only_these_count(inventory: Inventory) -> None:
    assert features(ALL, inventory, "node").keys() == {"knoten"}
    [feature] = features(PUBLIC, inventory, "hof-gw", "hof-old", "hof-soon").values()
    assert feature["properties"]["routers"] == 1


def test_without_a_place_the_collection_is_empty(inventory: Inventory) -> None:
    assert json.loads(PUBLIC(inventory, [])) == {"type": "FeatureCollection", "features": []}


def test_a_place_without_a_position_is_on_no_map(inventory: Inventory) -> None:
    lost = replace(inventory, sites={slug: replace(site, position=None) for slug, site in inventory.sites.items()})
    assert features(ALL, lost) == {}


def test_public_is_what_the_status_page_shows(inventory: Inventory) -> None:
    for public, lifecycle in product((True, False), Lifecycle):
        site = replace(inventory.sites["hof"], public=public, lifecycle=lifecycle)
        found = features(PUBLIC, replace(inventory, sites={**inventory.sites, "hof": site}), "hof-gw")
        assert bool(found) is is_shown(site), (public, lifecycle)
