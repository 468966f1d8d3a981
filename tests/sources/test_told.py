"""JSON of routers, read without trust."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifimgr.sources.told import LARGEST, LONGEST_LIST, LONGEST_TEXT, Told

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def test_paths_can_be_followed_where_nothing_is() -> None:
    told = Told({"a": {"b": 1}, "list": [1, 2]})
    assert told["a"]["b"].whole() == 1
    assert told["a"]["b"]["c"]["d"].whole() is None
    assert told["list"]["b"].text() == ""
    assert [each.whole() for each in told["list"]] == [1, 2]
    assert list(told["a"]) == list(told["nothing"]) == list(told["nothing"].items()) == []
    assert "a" in told
    assert "b" not in told["list"]


@pytest.mark.parametrize(
    ("value", "number", "whole"),
    [
        (7, 7.0, 7),
        (7.9, 7.9, 7),
        (0, 0.0, 0),
        (LARGEST, float(LARGEST), LARGEST),
        (LARGEST + 1, None, None),
        (10**400, None, None),
        (-1, None, None),
        (float("nan"), None, None),
        (float("inf"), None, None),
        (True, None, None),
        ("7", None, None),
        ([], None, None),
        (None, None, None),
    ],
)
def test_numbers(value: object, number: float | None, whole: int | None) -> None:
    assert (Told(value).number(), Told(value).whole()) == (number, whole)


def test_units_do_not_grow_a_number_beyond_what_can_be_stored() -> None:
    assert Told(2).whole(1024) == 2048
    assert Told(LARGEST).whole(1024) is None


def test_text_is_kept_as_it_is_but_can_always_be_stored() -> None:
    assert Told('Büro "intern"\n$(id)<script>').text() == 'Büro "intern"\n$(id)<script>'
    assert Told("x" * 1000).text() == "x" * LONGEST_TEXT
    assert Told.read(b'"a\\ud800b"').text().encode() == b"a?b"
    assert Told(7).text() == ""


def test_flags() -> None:
    assert [Told(each).flag() for each in (True, False, 1, "true", None)] == [True, False, None, None, None]


def test_boot_is_the_uptime_before_now() -> None:
    boot = Told(3600.4).boot()
    assert boot
    assert timedelta(0) <= datetime.now(UTC) - timedelta(hours=1) - boot < timedelta(minutes=1)
    assert boot.tzinfo is UTC
    assert [Told(each).boot() for each in (-1, 10**12, "1", None)] == [None] * 4


def test_longer_lists_than_any_router_has_are_cut() -> None:
    assert len(list(Told(list(range(1000))))) == LONGEST_LIST
    assert len(list(Told({str(each): each for each in range(1000)}).items())) == LONGEST_LIST


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100_000, b"\xff", b"1" * 10_000])
def test_what_is_no_document_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):
        Told.read(text)


@given(ANYTHING)
def test_nothing_that_a_router_says_is_an_accident(value: object) -> None:
    told = Told.read(json.dumps(value).encode())
    for each in (told, told["a"], *told, *(inner for _, inner in told.items())):
        each.text().encode()
        number, whole, boot = each.number(), each.whole(), each.boot()
        assert number is None or 0 <= number <= LARGEST
        assert whole is None or 0 <= whole <= LARGEST
        assert boot is None or boot.tzinfo is UTC
        assert each.flag() in (True, False, None)
