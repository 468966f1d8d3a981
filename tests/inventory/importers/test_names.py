"""Names from any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifimgr.errors import INVISIBLE
from wifimgr.inventory.importers.names import Unique, one_line, router_name, slug, start
from wifimgr.inventory.schema import ROUTER_NAME, SITE_SLUG


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("jz-meiderich-ap1", "jz-meiderich-ap1"),
        ("ap1.meiderich.example", "ap1.meiderich.example"),
        ("JZ Meiderich  AP_1", "jz-meiderich-ap-1"),
        ("Bücherei Süd", "buecherei-sued"),
        ("Bu\u0308cherei", "buecherei"),
        ("Straße ÄÖÜ ẞ", "strasse-aeoeue-ss"),
        ("Café Łódź", "cafe-odz"),
        ("--ap--1--", "ap-1"),
        ("$(reboot)", "reboot"),
        ("<script>alert(1)</script>", "script-alert-1-script"),
        ('"quoted"\n\x1b[31m', "quoted-31m"),
        ("x" * 300, "x" * 63),
        ("a" * 62 + "-b", "a" * 62),
        ("Кафе", ""),
        ("", ""),
    ],
)
def test_router_names_are_the_nearest_valid_ones(told: str, name: str) -> None:
    assert router_name(told) == name


@given(st.text(max_size=100))
def test_every_router_name_and_slug_is_valid_or_empty(told: str) -> None:
    name, place = router_name(told), slug(told)
    assert not name or ROUTER_NAME.fullmatch(name)
    assert not place or SITE_SLUG.fullmatch(place)
    assert bool(name) == bool(place)


@given(st.from_regex(ROUTER_NAME, fullmatch=True))
def test_a_valid_name_stays_when_it_ends_like_a_word(name: str) -> None:
    if not name.endswith(("-", ".")) and "--" not in name:
        assert router_name(name) == name


@given(st.text(st.characters(), max_size=40))
def test_one_line_is_visible_and_can_be_written(told: str) -> None:
    line = one_line(told)
    assert not INVISIBLE.search(line)
    line.encode()
    assert one_line(line) == line


@pytest.mark.parametrize(
    ("told", "same"),
    [
        (["jz-walsum-ap1", "jz-walsum-ap2"], "jz-walsum"),
        (["JZ Walsum 1", "jz-walsum-2"], "JZ Walsum"),
        (["Bücherei-Süd-1", "Buecherei-Sued-2"], "Bücherei-Süd"),
        (["jz-walsum", "jz-walsum-2"], "jz-walsum"),
        (["ap1", "ap2"], ""),
        (["ap1"], "ap1"),
        (["", "a"], ""),
    ],
)
def test_names_start_alike_in_whole_words(told: list[str], same: str) -> None:
    assert start(told) == same


def test_the_second_of_a_name_has_a_number_that_nobody_has() -> None:
    names = Unique({"ap", "ap-2"})
    assert [names.take("ap") for _ in range(2)] == ["ap-3", "ap-4"]
    assert [names.take("gw") for _ in range(2)] == ["gw", "gw-2"]
    assert names.take("ap", "hall") == "hall"


def test_a_numbered_name_is_no_longer_than_others() -> None:
    names = Unique(())
    taken = [names.take("x" * 63) for _ in range(12)]
    assert len(set(taken)) == 12
    assert {len(name) for name in taken} == {63}


def test_a_name_that_is_cut_for_its_number_ends_like_a_word() -> None:
    names = Unique(())
    assert [names.take("x" * 60 + "-yz") for _ in range(2)] == ["x" * 60 + "-yz", "x" * 60 + "-2"]
