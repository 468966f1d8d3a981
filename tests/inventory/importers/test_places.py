"""Where newcomers shall stand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.networks import NETWORK, write
from wifimgr.inventory import load
from wifimgr.inventory.importers.base import Found
from wifimgr.inventory.importers.places import NEAR, UNPLACED, Near, Newcomer, Place, middle, place
from wifimgr.settings.area import EARTH_METERS, Point, meters_between

METER = math.degrees(1 / EARTH_METERS)
"""Degrees of latitude."""

HOUSE = """\
name: Haus Eins
kind: library
position: [51.4, 6.7]
prefixes: [192.0.2.0/24]
routers: {eins-ap: {addresses: [192.0.2.1]}}
"""
OLD = """\
name: Altes Haus
kind: library
lifecycle: retired
position: [51.5, 6.7]
routers: {alt-ap: {addresses: [198.51.100.1]}}
"""


def placed(folder: Path, *newcomers: Newcomer, **sites: str) -> list[Place]:
    return place(load(write(folder, NETWORK, **(sites or {"eins": HOUSE}))), newcomers)


def new(name: str, position: Point | None = None, site: str = "", *addresses: str, told: str = "") -> Newcomer:
    found = Found(where=name, name=told or name, position=position, site=site, addresses=addresses)
    return Newcomer(name, found)


def shown(places: list[Place]) -> dict[str, list[str]]:
    return {each.slug: [router.name for router in each.routers] for each in places}


# ---------------------------------------------------------------- near each other


@given(
    st.lists(st.tuples(st.floats(-80, 80), st.floats(-179, 179)), min_size=1, max_size=12),
    st.floats(0, 2 * NEAR),
    st.floats(0, 2 * math.pi),
)
def test_the_grid_finds_what_looking_at_everything_finds(points: list[Point], meters: float, way: float) -> None:
    near: Near[int] = Near()
    for number, point in enumerate(points):
        near.add(point, number)
    lat, lon = points[0]
    east = METER / math.cos(math.radians(lat))
    asked = lat + meters * METER * math.sin(way), lon + meters * east * math.cos(way)
    distances = [meters_between(asked, point) for point in points]
    found = near.nearest(asked)
    assert (found is None) == (min(distances) > NEAR)
    assert found is None or distances[found] == min(distances)


@pytest.mark.parametrize("lat", [-80.0, 0.0, 51.4])
def test_nothing_is_passed_over_wherever_the_lines_of_the_grid_are(lat: float) -> None:
    east = METER / math.cos(math.radians(lat))
    for step in range(80):
        point = lat + step * METER, 6.7 + step * east
        near: Near[str] = Near()
        near.add(point, "there")
        for up, right in ((1, 0), (-1, 0), (0, 1), (0, -1), (0.7, 0.7), (-0.7, 0.7)):
            other = point[0] + up * 0.999 * NEAR * METER, point[1] + right * 0.998 * NEAR * east
            assert near.nearest(other) == "there", (step, up, right)


def test_the_middle_is_not_moved_by_one_that_is_far_off() -> None:
    assert middle([(51.4, 6.7), (51.400001, 6.7000014), (0.5, 0.5)]) == (51.4, 6.7)


# ---------------------------------------------------------------- places that are there


def test_a_site_that_is_told_is_known_by_slug_or_name(tmp_path: Path) -> None:
    routers = [new("a", site="eins"), new("b", site="haus eins"), new("c", site="Eins"), new("d", (51.4, 6.7), "zwei")]
    assert shown(placed(tmp_path, *routers)) == {"eins": ["a", "b", "c"], "zwei": ["d"]}


def test_who_is_near_a_place_or_has_its_addresses_stands_there(tmp_path: Path) -> None:
    at_70, at_80 = (51.4 + 70 * METER, 6.7), (51.4 + 80 * METER, 6.7)
    routers = [new("a", at_70), new("b", at_80), new("c", None, "", "2001:db8::1", "192.0.2.9")]
    places = placed(tmp_path, *routers)
    assert shown(places) == {"eins": ["a", "c"], "b": ["b"]}
    assert [each.new for each in places] == [False, True]


def test_being_near_a_public_place_puts_nobody_onto_its_page(tmp_path: Path) -> None:
    public = HOUSE.replace("kind:", "public: true\nkind:").replace("51.4", "51.6")
    routers = [new("a", (51.6, 6.7)), new("jz-park-hof")]
    assert shown(placed(tmp_path, *routers, jz_park=public)) == {"a": ["a"], UNPLACED: ["jz-park-hof"]}


def test_a_retired_place_takes_nobody_in(tmp_path: Path) -> None:
    routers = [new("a", (51.5, 6.7)), new("alt-ap-1"), new("alt-ap-2")]
    assert shown(placed(tmp_path, *routers, alt=OLD)) == {"a": ["a"], "alt-ap": ["alt-ap-1", "alt-ap-2"]}


def test_who_is_called_like_a_place_of_two_words_stands_there(tmp_path: Path) -> None:
    site = HOUSE.replace("position: [51.4, 6.7]\n", "")
    routers = [new("jz-eins-saal-1"), new("haus-zwei-1", (51, 6)), new("haus-zwei-2", (51, 6)), new("haus-zwei-ap")]
    assert shown(placed(tmp_path, *routers, jz_eins=site)) == {
        "haus-zwei": ["haus-zwei-1", "haus-zwei-2", "haus-zwei-ap"],
        "jz-eins": ["jz-eins-saal-1"],
    }


def test_who_is_called_like_a_place_of_one_word_may_stand_anywhere(tmp_path: Path) -> None:
    assert shown(placed(tmp_path, new("eins-saal-1"))) == {UNPLACED: ["eins-saal-1"]}


# ---------------------------------------------------------------- new places


def test_those_near_each_other_are_one_place_with_the_start_of_their_names(tmp_path: Path) -> None:
    routers = [
        new("jz-süd-1", (51.0, 6.0), told="JZ Süd 1"),
        new("far", (51.1, 6.0)),
        new("jz-sued-2", (51.0 + 60 * METER, 6.0), told="jz_sued_2"),
    ]
    first, second = placed(tmp_path, *routers)
    assert shown([first, second]) == {"jz-sued": ["jz-süd-1", "jz-sued-2"], "far": ["far"]}
    assert (first.name, first.new, first.position) == ("JZ Süd", True, middle([(51.0, 6.0), (51.0 + 60 * METER, 6.0)]))
    assert (second.name, second.position) == ("far", (51.1, 6.0))


def test_a_row_of_routers_is_no_single_place(tmp_path: Path) -> None:
    row = [new(f"lamp{number}", (51.0 + 50 * number * METER, 6.0)) for number in range(40)]
    places = placed(tmp_path, *row)
    assert len(places) == 20
    for each in places:
        points = [router.found.position for router in each.routers if router.found.position]
        assert meters_between(min(points), max(points)) <= 2 * NEAR


def test_places_are_the_same_each_time_and_every_newcomer_stands_once(tmp_path: Path) -> None:
    routers = [new(f"n{number}", (51 + number % 7 * 30 * METER, 6 + number % 11 * 40 * METER)) for number in range(300)]
    first = shown(placed(tmp_path, *routers))
    assert first == shown(placed(tmp_path, *routers))
    assert sorted(name for names in first.values() for name in names) == sorted(router.name for router in routers)


def test_places_that_would_be_called_the_same_are_called_after_their_first_router(tmp_path: Path) -> None:
    houses = [[new(f"ff-{letter}{number}", (51.0 + number / 100, 6.0)) for letter in "ab"] for number in range(3)]
    places = placed(tmp_path, *(router for house in houses for router in house))
    assert [(each.slug, each.name) for each in places] == [("ff", "ff"), ("ff-a1", "ff-a1"), ("ff-a2", "ff-a2")]


def test_a_told_site_is_one_place_however_it_is_spelled(tmp_path: Path) -> None:
    [place] = placed(tmp_path, new("a", (51, 6), "Haus Ä"), new("b", site="haus ae"), new("c", site="HAUS Ä"))
    assert (place.slug, place.name, len(place.routers), place.position) == ("haus-ae", "Haus Ä", 3, (51, 6))


@pytest.mark.parametrize("site", ["Кафе", "***"])
def test_a_site_without_any_letter_of_ours_is_a_place_all_the_same(tmp_path: Path, site: str) -> None:
    [place] = placed(tmp_path, new("a", site=site), new("b", site=site))
    assert (place.slug, place.name) == ("place", site)


def test_without_a_position_two_words_in_common_make_a_place(tmp_path: Path) -> None:
    names = ["jz-nord-ap1", "jz-nord-ap-og", "jz-nord", "jz-west-ap1", "solo", "ff-1", "ff-2"]
    places = placed(tmp_path, *map(new, names))
    assert shown(places) == {
        "jz-nord": ["jz-nord-ap1", "jz-nord-ap-og", "jz-nord"],
        UNPLACED: ["jz-west-ap1", "solo", "ff-1", "ff-2"],
    }
    assert places[1].name == "Ohne Ort"
    assert places[0].position is None


def test_thousands_without_a_place_come_to_one(tmp_path: Path) -> None:
    places = placed(tmp_path, *(new(f"n{number}") for number in range(3000)))
    assert [(each.slug, len(each.routers)) for each in places] == [(UNPLACED, 3000)]


def test_who_is_still_to_be_sorted_comes_to_those_who_are_already(tmp_path: Path) -> None:
    unplaced = HOUSE.replace("Haus Eins", "Noch zu sortieren").replace("position: [51.4, 6.7]\n", "")
    [place] = placed(tmp_path, new("solo"), unplaced=unplaced)
    assert (place.slug, place.new, place.name) == (UNPLACED, False, "Noch zu sortieren")


def test_the_district_is_the_first_that_is_told(tmp_path: Path) -> None:
    routers = [
        Newcomer(name, Found(where="", name=name, site="x", district=district))
        for name, district in [("a", ""), ("b", "Walsum"), ("c", "Ruhrort")]
    ]
    [place] = placed(tmp_path, *routers)
    assert place.district == "Walsum"


def test_places_that_cannot_be_called_otherwise_have_a_number(tmp_path: Path) -> None:
    there = {"ap": HOUSE.replace("[51.4, 6.7]", "[1, 1]")}
    routers = [new("ap", (51, 6)), new("aa", (52, 6), told="Кафе"), new("bb", site="Кафе"), new("cc", site="Кофе")]
    places = placed(tmp_path, *routers, **there)
    assert [(each.slug, each.name) for each in places] == [
        ("place", "Кафе"),
        ("place-2", "Кофе"),
        ("ap-2", "ap-2"),
        ("aa", "aa"),
    ]
