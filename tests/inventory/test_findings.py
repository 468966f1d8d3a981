"""What only check tells. Whole messages are in the folder bad; here is what must be found, and what must not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.networks import NETWORK, SITE, write
from wifimgr.errors import Problem
from wifimgr.inventory import load, survey

TODAY = date(2026, 7, 1)


def found(folder: Path, today: date = TODAY) -> list[tuple[str, str]]:
    """Id and key of everything that is found in an inventory that can be used."""
    load(folder)
    return [(problem.id, problem.key) for problem in survey(folder).findings(today)]


def site(head: str = "", *routers: str) -> str:
    body = "".join(f"\n  {router}" for router in routers) or " {}"
    return f"{head}\nname: Haus\nkind: other\nrouters:{body}\n"


def test_in_a_network_that_says_little_there_is_little_to_find(tmp_path: Path) -> None:
    assert found(write(tmp_path)) == []


# --- address ranges ---


def test_an_address_behind_a_jump_router_is_nobodys_range(tmp_path: Path) -> None:
    routers = ["a: {addresses: [192.0.2.1]}", "b: {addresses: [10.0.0.1], jump: a}", "c: {addresses: [10.0.0.2]}"]
    folder = write(tmp_path, NETWORK + "prefixes: [192.0.2.0/24]\n", eins=site("", *routers))
    assert found(folder) == [("foreign-address", "routers.c.addresses[0]")]


RANGES = st.builds(
    lambda bits, length: IPv4Network(((10 << 24) + (bits >> 32 - length << 32 - length) % (1 << 24), length)),
    st.integers(0, (1 << 32) - 1).map(lambda bits: bits & 0x3FF),
    st.integers(22, 32),
)


def spoken_of(problem: Problem) -> tuple[IPv4Network | IPv6Network, ...]:
    """The ranges that a message names."""
    return tuple(ip_network(word) for word in problem.what.split() if "/" in word)


def network_of(folder: Path, ours: Sequence[IPv4Network], sites: Sequence[tuple[Sequence[IPv4Network], str]]) -> Path:
    for old in folder.glob("inventory/sites/*"):
        old.unlink()
    texts = {
        f"s{number}": site(
            f"prefixes: {json.dumps([*map(str, ranges)])}", f"r{number}: {{addresses: [{address}], lifecycle: planned}}"
        )
        for number, (ranges, address) in enumerate(sites)
    }
    return write(folder, NETWORK + f"prefixes: {json.dumps([*map(str, ours)])}\n", **texts)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(RANGES, max_size=3),
    st.lists(
        st.tuples(
            st.lists(RANGES, max_size=3), st.integers(0, 0x3FF).map(lambda bits: str(IPv4Address((10 << 24) + bits)))
        ),
        min_size=2,
        max_size=5,
        unique_by=lambda site: site[1],
    ),
)
def test_ranges_are_judged_as_by_comparing_each_with_each(
    tmp_path: Path, ours: list[IPv4Network], sites: list[tuple[list[IPv4Network], str]]
) -> None:
    problems = survey(network_of(tmp_path, ours, sites)).findings(TODAY)
    owned = [(number, each) for number, (ranges, _) in enumerate(sites) for each in ranges]
    overlaps = {(number, one) for number, one in owned for other, two in owned if number != other and one.overlaps(two)}
    told = [problem for problem in problems if problem.id == "overlapping-prefix"]
    assert bool(told) == bool(overlaps)
    for problem in told:
        inner, outer = spoken_of(problem)
        assert inner.subnet_of(outer)  # type: ignore[arg-type]
        assert {inner, outer} <= {each for _, each in overlaps}

    foreign = {problem.where for problem in problems if problem.id == "foreign-address"}
    for number, (ranges, address) in enumerate(sites):
        ip = ip_address(address)
        holders = {other for other, each in owned if ip in each}
        outside = bool(ours) and not any(ip in each for each in ours)
        assert (f"inventory/sites/s{number}.yaml:5" in foreign) == (
            outside or (holders != set() and number not in holders)
        )
        strangers = bool(ours) and any(not any(each.subnet_of(our) for our in ours) for each in ranges)
        assert (f"inventory/sites/s{number}.yaml:1" in foreign) == strangers


def test_a_place_may_say_a_range_and_a_part_of_it(tmp_path: Path) -> None:
    assert (
        found(write(tmp_path, eins='prefixes: [192.0.2.0/24, 192.0.2.0/28, 192.0.2.0/24, "2001:db8::/32"]\n' + SITE))
        == []
    )


def test_a_part_of_a_range_that_overlaps_is_not_told_again(tmp_path: Path) -> None:
    write(
        tmp_path,
        drei=site("prefixes: [192.0.2.0/24]", "c: {addresses: [192.0.2.129]}"),
        eins="prefixes: [192.0.2.0/26]\n" + SITE,
        zwei=site("prefixes: [192.0.2.0/26, 192.0.2.32/27]", "b: {addresses: [192.0.2.33]}"),
    )
    told = [problem.line().partition(" [")[0] for problem in survey(tmp_path).findings(TODAY)]
    assert told == [
        "inventory/sites/eins.yaml:1: prefixes[0]: the range 192.0.2.0/26 overlaps 192.0.2.0/24 of drei; "
        "see inventory/sites/drei.yaml:1; make one of them smaller",
        "inventory/sites/zwei.yaml:1: prefixes[0]: the range 192.0.2.0/26 overlaps 192.0.2.0/26 of eins; "
        "see inventory/sites/eins.yaml:1; make one of them smaller",
    ]


@pytest.mark.parametrize("line", ["lifecycle: retired", "lifecycle: retird", "lifecyle: retired", "lifecycle: planned"])
def test_a_retired_place_gives_its_ranges_free(tmp_path: Path, line: str) -> None:
    old = site(f"{line}\nprefixes: [192.0.2.0/24, 10.0.0.0/8]", "b: {addresses: [10.0.0.1]}")
    network = NETWORK + "prefixes: [192.0.2.0/24]\n"
    write(tmp_path, network, eins="prefixes: [192.0.2.0/26]\n" + SITE, zwei=old)
    assert bool(survey(tmp_path).findings(TODAY)) == ("planned" in line)


def test_a_range_inside_two_of_another_place_is_told_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        eins="prefixes: [192.0.2.0/24, 192.0.2.0/28]\n" + SITE,
        zwei=site("prefixes: [192.0.2.8/29]", "b: {addresses: [192.0.2.9]}"),
    )
    assert found(tmp_path) == [("overlapping-prefix", "prefixes[0]")]


@pytest.mark.parametrize(
    "address",
    ["zwei.example.org", "fe80::1%eth0", "2001:db8::1", "192.0.2.77"],
    ids=["name", "local", "family", "ours"],
)
def test_addresses_that_nobody_can_call_foreign(tmp_path: Path, address: str) -> None:
    ours = "[192.0.2.0/24]" if address == "2001:db8::1" else '[192.0.2.0/24, "2001:db8:1::/48"]'
    write(tmp_path, f"{NETWORK}prefixes: {ours}\n", zwei=site("", f"b: {{addresses: ['{address}']}}"))
    assert found(tmp_path) == []


def test_an_address_in_two_spellings_is_the_same_address(tmp_path: Path) -> None:
    other = site("", "b: {addresses: ['::ffff:192.0.2.7']}")
    assert found(write(tmp_path, NETWORK + "prefixes: [192.0.2.0/24]\n", zwei=other)) == []
    write(tmp_path, NETWORK + "prefixes: [198.51.100.0/24]\n", zwei=other)
    assert found(tmp_path) == [("foreign-address", "routers.b.addresses[0]")]


# --- places ---


@pytest.mark.parametrize(
    ("area", "ids"),
    [
        ("{center: [51.43, 6.76], radius: 15km}", []),
        ("{center: [51.43, 6.76], radius: 800m}", ["outside-area"]),
        ("[[51.3, 6.6], [51.6, 6.6], [51.6, 6.9], [51.3, 6.9]]", []),
        ("[[51.3, 6.6], [51.6, 6.6], [51.3, 6.9]]", []),
        ("[[51.6, 6.6], [51.6, 6.9], [51.3, 6.9]]", ["outside-area"]),
    ],
)
def test_a_position_is_looked_for_in_the_area(tmp_path: Path, area: str, ids: list[str]) -> None:
    write(tmp_path, NETWORK + f"area: {area}\n", eins="position: [51.44, 6.74]\n" + SITE)
    assert [id for id, _ in found(tmp_path)] == ids


@pytest.mark.parametrize(
    ("lifecycle", "told"), [("active", True), ("maintenance", True), ("planned", False), ("retired", False)]
)
@pytest.mark.parametrize("level", ["site", "network"])
def test_a_place_without_routers_is_told_where_it_should_have_some(
    tmp_path: Path, lifecycle: str, told: bool, level: str
) -> None:
    line = f"lifecycle: {lifecycle}"
    network = NETWORK.replace("defaults:\n", f"defaults:\n  {line}\n") if level == "network" else NETWORK
    write(tmp_path, network, eins=site(line if level == "site" else ""))
    assert found(tmp_path) == ([("no-routers", "routers")] if told else [])


HOURS = "hours: 24/7"


@pytest.mark.parametrize(
    ("of_site", "of_network", "told"),
    [
        ("", "", True),
        (f"contact: [{{name: Amt, {HOURS}}}]", "", True),
        ("contact: [{name: Amt, public: true}]", "", True),
        (f"contact: [{{name: Amt}}, {{name: Haus, public: true, {HOURS}}}]", "", False),
        ("", f"contact: {{public: {{name: Amt, {HOURS}}}}}", False),
        ("", "contact: {public: {name: Amt}}", True),
    ],
)
def test_somebody_must_say_when_a_public_place_can_be_called(
    tmp_path: Path, of_site: str, of_network: str, told: bool
) -> None:
    write(tmp_path, NETWORK + of_network + "\n", eins=f"public: true\n{of_site}\n{SITE}")
    assert found(tmp_path) == ([("no-contact-hours", "public")] if told else [])
    write(tmp_path, NETWORK + of_network + "\n", eins=f"public: false\n{of_site}\n{SITE}")
    assert found(tmp_path) == []


# --- school holidays ---


@pytest.mark.parametrize(
    ("today", "told"), [("2026-07-01", False), ("2026-07-02", True), ("2026-08-01", True), ("2026-08-02", True)]
)
@pytest.mark.parametrize(
    "used",
    [
        "opening_hours: 'SH off; PH off'",
        "power: {switched: 'SH 10:00-12:00'}",
        "wifi: {schedule: 'SH off'}",
        "contact: [{name: Amt, hours: 'SH off'}]",
    ],
)
def test_the_end_of_the_school_file_is_told_thirty_days_before(
    tmp_path: Path, today: str, told: bool, used: str
) -> None:
    write(tmp_path, NETWORK + "holidays: {region: DE-NW, school: school.yaml}\n", eins=f"{used}\n{SITE}")
    (tmp_path / "inventory/school.yaml").write_text("until: 2026-08-01\nholidays: {}\n", encoding="utf-8")
    load(tmp_path)
    problems = survey(tmp_path).findings(date.fromisoformat(today))
    assert [(problem.severity, problem.id) for problem in problems] == [("warning", "school-holidays-end")] * told
    assert all(("were known" in problem.what) == (today > "2026-08-01") for problem in problems)


def test_nobody_waits_for_a_school_file_that_no_hours_need(tmp_path: Path) -> None:
    write(
        tmp_path, NETWORK + "holidays: {region: DE-NW, school: school.yaml}\n", eins=f"opening_hours: 'PH off'\n{SITE}"
    )
    (tmp_path / "inventory/school.yaml").write_text("until: 2020-08-01\nholidays: {}\n", encoding="utf-8")
    assert found(tmp_path) == []


# --- no false alarms ---


@pytest.mark.parametrize(
    ("network", "eins"),
    [
        ("contcat: {public: {name: Amt, hours: 24/7}}\n", "public: true\n" + SITE),
        ("contact: {public: {name: Amt, hours: 24}}\n", "public: true\n" + SITE),
        ("", "public: true\ncontact: [{name: Amt, public: yes, hours: 24/7}]\n" + SITE),
        ("", "lifecyle: planned\nname: Haus\nkind: other\nrouters: {}\n"),
        ("", "name: Haus\nkind: other\nrouter: {}\n"),
        ("prefixes: [all]\n", SITE),
        ("area: here\n", "position: [1, 1]\n" + SITE),
        ("", SITE.replace("[192.0.2.1]", "[192.0.2.64]\n    lifecyle: retired") + "prefixes: []\n"),
    ],
)
def test_what_was_left_out_as_wrong_raises_no_false_alarm(tmp_path: Path, network: str, eins: str) -> None:
    other = site("prefixes: [192.0.2.64/32]", "b: {addresses: [192.0.2.9]}")
    seen = survey(write(tmp_path, NETWORK + network, eins=eins, zwei=other))
    assert seen.problems
    assert seen.findings(TODAY) == []
