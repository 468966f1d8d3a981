"""Which changes wait for a place to close, and until when."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks import NETWORK, write
from wifimgr.inventory import Inventory, load
from wifimgr.model import Change, Step
from wifimgr.push import opening
from wifimgr.push.patience import ARM_SECONDS, READ_SECONDS

HOUSE = """\
name: Haus
kind: youth-center
opening_hours: "Mo-Fr 14:00-21:00; Sa 20:00-26:00; PH off"
routers:
  haus-gw: {addresses: [192.0.2.1], role: gateway}
  haus-ap: {addresses: [192.0.2.2], behind: haus-gw}
"""
YARD = """\
name: Hof
kind: square
routers:
  hof-ap: {addresses: [192.0.2.11], behind: haus-ap}
  hof-mast: {addresses: [192.0.2.12], jump: haus-gw}
"""
HOLIDAYS = "holidays: {region: DE-NW}\n"
WEDNESDAY, SATURDAY = datetime(2026, 11, 25, tzinfo=UTC), datetime(2026, 11, 28, tzinfo=UTC)
"""In Germany it is one hour later."""


def inventory(folder: Path, house: str = HOUSE, yard: str = YARD) -> Inventory:
    return load(write(folder, NETWORK + HOLIDAYS, haus=house, hof=yard))


def noticed(name: str, **more: Any) -> Change:
    return Change(router=name, paths=(), touched=(), **{"interrupts": {"wifi": 40.0}, **more})


@pytest.mark.parametrize(
    ("at", "why"),
    [
        (WEDNESDAY.replace(hour=12, minute=57, second=39), ""),
        (WEDNESDAY.replace(hour=12, minute=57, second=41), "about to open, until 21:00"),
        (WEDNESDAY.replace(hour=12, minute=59), "about to open, until 21:00"),
        (WEDNESDAY.replace(hour=13), "open until 21:00"),
        (WEDNESDAY.replace(hour=19, minute=59), "open until 21:00"),
        (WEDNESDAY.replace(hour=20), ""),
        (SATURDAY.replace(hour=20), "open until Sun 02:00"),
        (datetime(2026, 12, 25, 14, tzinfo=UTC), ""),  # Christmas is a Friday
    ],
)
def test_noticed_change_waits_while_the_place_is_open(tmp_path: Path, at: datetime, why: str) -> None:
    assert opening.waits(inventory(tmp_path), noticed("haus-ap"), at) == why


def test_what_opens_before_the_end_of_a_longer_push_counts_as_open(tmp_path: Path) -> None:
    at, slow = WEDNESDAY.replace(hour=12, minute=50), noticed("haus-ap", radar=600.0)
    assert opening.waits(inventory(tmp_path), slow, at) == "about to open, until 21:00"


def test_what_has_no_undo_counts_before_an_opening(tmp_path: Path) -> None:
    at, found = WEDNESDAY.replace(hour=12, minute=40), inventory(tmp_path)
    slow = Step(what="long", script=":", takes=500.0)
    assert opening.waits(found, noticed("haus-ap", steps=(slow,)), at) == ""
    assert opening.waits(found, noticed("haus-ap", steps=(slow, slow)), at) == "about to open, until 21:00"


def test_place_that_opens_and_closes_within_a_push_is_seen(tmp_path: Path) -> None:
    house = HOUSE.replace("Mo-Fr 14:00-21:00; Sa 20:00-26:00; PH off", "Mo-Fr 14:00-14:10")
    at, slow = WEDNESDAY.replace(hour=12, minute=50), Step(what="long", script=":", takes=3000.0)
    assert (
        opening.waits(inventory(tmp_path, house), noticed("haus-ap", steps=(slow,)), at) == "about to open, until 14:10"
    )


def test_only_what_people_notice_waits(tmp_path: Path) -> None:
    found, at = inventory(tmp_path), WEDNESDAY.replace(hour=14)
    assert opening.waits(found, noticed("haus-ap", interrupts={}), at) == ""
    assert opening.waits(found, noticed("haus-ap", interrupts={}, connectivity=True), at) == "open until 21:00"


def test_router_waits_for_every_place_that_has_one_behind_it(tmp_path: Path) -> None:
    yard = YARD.replace("kind: square", 'kind: square\nopening_hours: "Mo-Su 08:00-22:00"')
    found = inventory(tmp_path, yard=yard)
    noon, evening, late = (WEDNESDAY.replace(hour=hour) for hour in (12, 19, 22))
    assert opening.waits(found, noticed("haus-gw"), noon) == "hof: open until 22:00"
    assert opening.waits(found, noticed("haus-gw"), evening) == "hof: open until 22:00"  # the one that closes last
    assert opening.waits(found, noticed("haus-gw"), late) == ""
    assert [site.slug for site in opening.open_places(found, "haus-gw", evening)] == ["haus", "hof"]
    assert opening.waits(found, noticed("hof-ap"), evening) == "open until 22:00"
    assert [site.slug for site in opening.open_places(found, "hof-mast", evening)] == ["hof"]


def test_whom_we_only_log_in_through_is_not_what_people_need(tmp_path: Path) -> None:
    yard = YARD.replace("kind: square", 'kind: square\nopening_hours: "Mo-Su 08:00-22:00"').replace(
        "behind: haus-ap", "jump: haus-gw"
    )
    assert opening.waits(inventory(tmp_path, yard=yard), noticed("haus-gw"), WEDNESDAY.replace(hour=12)) == ""


@pytest.mark.parametrize(
    "house",
    [
        HOUSE.replace('opening_hours: "Mo-Fr 14:00-21:00; Sa 20:00-26:00; PH off"\n', ""),
        HOUSE.replace("Mo-Fr 14:00-21:00; Sa 20:00-26:00; PH off", "24/7"),
        HOUSE.replace("Mo-Fr 14:00-21:00; Sa 20:00-26:00; PH off", "Mo-Su,PH 00:00-24:00"),
        HOUSE.replace("kind: youth-center", "kind: youth-center\nlifecycle: maintenance"),
        HOUSE.replace("kind: youth-center", "kind: youth-center\nlifecycle: planned"),
        HOUSE.replace("Mo-Fr 14:00-21:00; Sa 20:00-26:00; PH off", 'We \\"by appointment\\"'),
    ],
    ids=["no hours", "24/7", "every day", "maintenance", "planned", "nobody can tell"],
)
def test_no_change_waits_for_these_places(tmp_path: Path, house: str) -> None:
    assert opening.waits(inventory(tmp_path, house), noticed("haus-ap"), WEDNESDAY.replace(hour=14)) == ""


def test_place_that_nobody_knows_the_closing_of_is_open_all_the_same(tmp_path: Path) -> None:
    hours = 'Mo-Fr 14:00-18:00; We 18:00-20:00 \\"by appointment\\"'
    house = HOUSE.replace("Mo-Fr 14:00-21:00; Sa 20:00-26:00; PH off", hours.replace("; ", ", "))
    assert opening.waits(inventory(tmp_path, house), noticed("haus-ap"), WEDNESDAY.replace(hour=14)) == "open now"


def test_far_end_is_told_with_its_date(tmp_path: Path) -> None:
    house = HOUSE.replace("Mo-Fr 14:00-21:00; Sa 20:00-26:00; PH off", "2026 Nov 20-2026 Dec 24")
    at = WEDNESDAY.replace(hour=14)
    assert opening.waits(inventory(tmp_path, house), noticed("haus-ap"), at) == "open until 2026-12-25 00:00"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    return inventory(tmp_path_factory.mktemp("house"))


@settings(max_examples=60, deadline=None)
@given(minutes=st.integers(0, 60 * 24 * 365))
def test_change_waits_exactly_while_its_time_and_the_opening_meet(house: Inventory, minutes: int) -> None:
    at = datetime.fromtimestamp(WEDNESDAY.timestamp() + 60 * minutes, UTC)
    within = house.network.push.confirm_within + READ_SECONDS + ARM_SECONDS
    later = datetime.fromtimestamp(at.timestamp() + within, UTC)
    meets = any(opening.open_places(house, "haus-ap", moment) for moment in (at, later))
    assert bool(opening.waits(house, noticed("haus-ap"), at)) is meets
