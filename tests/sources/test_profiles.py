"""SNMP profiles: the files are read strictly, and values mean what they say or nothing."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from wifimgr.errors import ConfigError
from wifimgr.sources.profiles import Profile, Value, profile_of
from wifimgr.yamlfile import read, validate

UPTIME, TEXT, PARTS = (1, 3, 1, 0), (1, 3, 2, 0), [(1, 3, 3, 1), (1, 3, 3, 2)]
PROFILE = """\
values:
  uptime: [{oid: 1.3.1.0}]
  load: [{oid: 1.3.9.0}, {oid: 1.3.2.0, scale: 0.01}]
  memory_total: [{sum: [1.3.3.1, 1.3.3.2], scale: 1024}]
  model: [{oid: 1.3.2.0, match: 'TP-Link \\S+'}]
interfaces:
  name: [{oid: 1.3.5.1}, {oid: 1.3.5.2}]
  up: [{oid: 1.3.5.3, up: [1], down: [2]}]
  receive_bytes: [{oid: 1.3.5.4}, {oid: 1.3.5.5}]
"""


def profile(folder: Path, text: str = PROFILE) -> Profile:
    """A profile read from a file."""
    path = folder / "profile.yaml"
    path.write_text(text, encoding="utf-8")
    return validate(read(path, "profile.yaml"), Profile)


def test_every_platform_has_a_profile() -> None:
    for platform in ("openwrt", "gluon", "routeros", "other"):
        assert profile_of(platform).single()


def test_every_shipped_profile_is_good() -> None:
    names = [entry.name for entry in files("wifimgr.sources.profiles").iterdir() if entry.name.endswith(".yaml")]
    assert "openwrt.yaml" in names
    for name in names:
        assert profile_of(name.removesuffix(".yaml")).values.uptime, name


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("uptime: [{oid: 1.3.1.0}]", ""),
        ("uptime: [{oid: .1.3.1.0}]", "is not an OID"),
        ("uptime: [{oid: iso.3.1}]", "is not an OID"),
        ("uptime: [{oid: 1.3.1.0, sum: [1.3.1.0]}]", "needs either oid or sum"),
        ("uptime: [{scale: 2}]", "needs either oid or sum"),
        ("uptime: [{oid: 1.3.1.0, factor: 2}]", "unknown key"),
        ("uptimes: [{oid: 1.3.1.0}]", "did you mean uptime?"),
        ("model: [{oid: 1.3.1.0, match: '('}]", "is not a regular expression"),
    ],
)
def test_mistake_in_a_profile_is_told_with_its_line(tmp_path: Path, line: str, problem: str) -> None:
    text = f"values:\n  {line}\n"
    if not problem:
        profile(tmp_path, text)
        return
    with pytest.raises(ConfigError) as caught:
        profile(tmp_path, text)
    assert any(problem in each and each.startswith("profile.yaml:2") for each in caught.value.lines())


@pytest.mark.parametrize(
    ("value", "load"),
    [
        (42, 0.42),
        (0, 0.0),
        (b"42\n", 0.42),
        (b"0.5", 0.005),
        (b"", None),
        (b"error: no such thing", None),
        (b"-1", None),
        (b"1e9", None),
        (b"\xd9\xa3", None),
        (b"9" * 30, None),
        (-1, None),
        (2**63, None),
        (None, None),
    ],
)
def test_number_is_told_or_not_and_never_guessed(tmp_path: Path, value: Value, load: float | None) -> None:
    assert profile(tmp_path).measured({TEXT: value}, {}, None).load == load


def test_large_counter_stays_exact(tmp_path: Path) -> None:
    table = {(1, 3, 5, 1): {(1,): b"eth0"}, (1, 3, 5, 4): {(1,): 2**63 - 1}}
    assert profile(tmp_path).measured({}, table, None).interfaces[0].receive_bytes == 2**63 - 1


def test_sum_needs_all_its_parts(tmp_path: Path) -> None:
    read = profile(tmp_path)
    assert read.measured({PARTS[0]: 3, PARTS[1]: 4}, {}, None).memory_total == 7 * 1024
    assert read.measured({PARTS[0]: 3}, {}, None).memory_total is None


def test_text_is_only_what_matches_and_never_endless(tmp_path: Path) -> None:
    read = profile(tmp_path)
    assert read.measured({TEXT: b"this is a TP-Link EAP225 v3"}, {}, None).model == "TP-Link EAP225"
    assert read.measured({TEXT: b"something else"}, {}, None).model == ""
    assert len(read.measured({TEXT: b"TP-Link " + b"x" * 60000}, {}, None).model) <= 200


def test_router_that_claims_to_be_older_than_it_can_be_has_no_clock(tmp_path: Path) -> None:
    assert profile(tmp_path).measured({UPTIME: 2**62}, {}, None).boot is None


def test_next_choice_of_a_column_is_wanted_only_when_no_row_tells_the_first(tmp_path: Path) -> None:
    interfaces = profile(tmp_path).interfaces
    assert interfaces is not None
    name, other_name, up, wide, narrow = ((1, 3, 5, number) for number in (1, 2, 3, 4, 5))
    assert interfaces.wanted({}) == [name, up, wide]
    assert interfaces.wanted({name: {(1,): b"eth0"}, up: {}, wide: {}}) == [narrow]
    assert interfaces.wanted({name: {(1,): 5}, up: {(1,): 1}, wide: {(1,): 7}}) == [other_name]
    assert interfaces.wanted({name: {}, other_name: {}, up: {}, wide: {}, narrow: {}}) == []


def test_row_without_a_name_is_left_out(tmp_path: Path) -> None:
    table = {(1, 3, 5, 1): {(1,): b"eth0"}, (1, 3, 5, 3): {(1,): 1, (2,): 1}}
    found = profile(tmp_path).measured({}, table, None).interfaces
    assert [(each.name, each.up) for each in found] == [("eth0", True)]
