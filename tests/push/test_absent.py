"""Why a router cannot be reached where that is no surprise."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.networks import write
from wifimgr.inventory import Inventory, load
from wifimgr.model import Outcome, Result
from wifimgr.push.absent import all_explained, explained

NOON = datetime(2026, 11, 25, 11, 0, tzinfo=UTC)
"""A Wednesday; twelve o'clock at the places."""
USUAL = "check power, cable and address"
HOUSE = """\
name: Haus
kind: library
routers:
  gw: {addresses: [192.0.2.1]}
  mid: {addresses: [192.0.2.2], behind: gw}
  leaf: {addresses: [192.0.2.3], behind: mid}
  works: {addresses: [192.0.2.4], lifecycle: maintenance}
"""
SQUARE = """\
name: Platz
kind: square
power: {switched: HOURS}
routers:
  lamp: {addresses: [192.0.2.11], behind: gw}
"""
SHUT = "name: Umbau\nkind: other\nlifecycle: maintenance\nrouters:\n  hut: {addresses: [192.0.2.21]}\n"


def inventory(folder: Path, hours: str = '"Mo-Su 16:00-08:00"') -> Inventory:
    return load(write(folder, haus=HOUSE, platz=SQUARE.replace("HOURS", hours), umbau=SHUT))


def hint(made: Inventory, name: str, *dead: str) -> str:
    return explained(made, Outcome(name, Result.UNREACHABLE, "no answer", USUAL, "unreachable"), dead, NOON).hint


@pytest.mark.parametrize(
    ("name", "dead", "told"),
    [
        ("gw", [], USUAL),
        ("gw", ["leaf", "lamp"], USUAL),
        ("mid", ["gw"], "it is behind gw, which cannot be reached either: look at that one"),
        ("leaf", ["gw", "mid"], "it is behind gw, which cannot be reached either: look at that one"),
        ("leaf", ["mid"], "it is behind mid, which cannot be reached either: look at that one"),
        ("lamp", ["gw"], "its power is off as planned until 16:00; try again when it is on"),
        ("works", [], "it is in maintenance, so it may be off on purpose"),
        ("hut", [], "it is in maintenance, so it may be off on purpose"),
    ],
)
def test_hint_says_what_is_known(tmp_path: Path, name: str, dead: list[str], told: str) -> None:
    assert hint(inventory(tmp_path), name, *dead) == told


@pytest.mark.parametrize(
    ("hours", "told"),
    [
        ('"24/7"', USUAL),
        ("unknown", "its power may be off as planned; try again when it is on"),
        ("off", "its power is off as planned; try again when it is on"),
    ],
)
def test_hint_says_no_more_than_the_hours_do(tmp_path: Path, hours: str, told: str) -> None:
    assert hint(inventory(tmp_path, hours), "lamp") == told


def test_only_what_cannot_be_reached_is_explained_and_by_the_same_run(tmp_path: Path) -> None:
    ended = [
        Outcome("gw", Result.UNREACHABLE, "no answer", USUAL, "unreachable"),
        Outcome("mid", Result.FAILED, "login refused", "look at the key", "login-refused"),
        Outcome("leaf", Result.UNREACHABLE, "no answer", USUAL, "unreachable"),
    ]
    hints = [outcome.hint for outcome in all_explained(inventory(tmp_path), ended, NOON)]
    assert hints == [USUAL, "look at the key", "it is behind gw, which cannot be reached either: look at that one"]
