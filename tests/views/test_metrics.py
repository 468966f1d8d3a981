"""The page of metrics: every number of a snapshot, nothing that is gone, nobody counted by name, any name unharmed."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

import wifimgr
from tests.networks import write
from tests.readings import failed, good, seen
from wifimgr.inventory import Inventory, load
from wifimgr.model import Failure, Interface, Internet, Radio, Reading, State
from wifimgr.store import Beat
from wifimgr.views.metrics import FAMILIES, ROUTER_STATES, Facts, page

TOP = Path(__file__).parents[2]
NOW = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)
"""A Wednesday, 17:00 in the youth centre."""
THEN = NOW - timedelta(seconds=30)
SITES = {
    "haus": """\
        name: Haus
        kind: youth-center
        district: Süd "am Ufer" \\ alt
        opening_hours: "Mo-Fr 14:00-21:00"
        uplink: {provider: line, gateway: tunnel}
        sources: [snmp, ubus, ping]
        routers:
          haus-gw: {addresses: [192.0.2.1], role: gateway, model: Alt}
          haus-ap: {addresses: [192.0.2.2], behind: haus-gw}
          haus-old: {addresses: [192.0.2.3], lifecycle: retired}
        """,
    "platz": """\
        name: Platz
        kind: square
        routers:
          platz-1: {addresses: ["2001:db8::7"], sources: [ping]}
        """,
}
WHOLE: dict[str, Any] = {
    "boot": datetime(2026, 6, 1, tzinfo=UTC),
    "load": 0.25,
    "memory_total": 128 << 20,
    "memory_available": 64 << 20,
    "model": "Modell",
    "firmware": "23.05",
    "wifi": True,
    "clients": 7,
    "radios": (Radio(name="radio0", band="2.4", up=True, clients=3, busy=0.5), Radio(name="radio1", band="5")),
    "interfaces": (
        Interface(name="wan", receive_bytes=2**40 + 1, transmit_bytes=5, receive_errors=1, transmit_errors=0),
        Interface(name="br-lan", receive_bytes=9),
    ),
    "internet": Internet(works=True, asked_from="guest"),
    "round_trip": 0.0125,
}
"""Everything that a source can tell."""


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    return load(write(tmp_path_factory.mktemp("net"), **SITES))


def samples(text: str) -> list[Sample]:
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def text_of(inventory: Inventory, *readings: Reading, beat: Beat | None = None, valid: bool = True) -> str:
    return page(Facts(seen(inventory, NOW, *readings), beat, valid)).decode()


def ours(text: str) -> dict[tuple[str, ...], float]:
    """Name and values of the labels, in the order of the family, to the number; what is there twice fails."""
    labels = {family.name: family.scope.labels for family in FAMILIES}
    found: dict[tuple[str, ...], float] = {}
    for sample in samples(text):
        if sample.name in labels:
            assert sample.labels.keys() == set(labels[sample.name]), sample
            key = (sample.name, *(sample.labels[label] for label in labels[sample.name]))
            assert key not in found, key
            found[key] = sample.value
    return found


def told(text: str, router: str) -> dict[tuple[str, ...], float]:
    """Family without ``wifimgr_`` and further labels to the number, for one router."""
    return {
        (key[0].removeprefix("wifimgr_"), *key[3:]): number
        for key, number in ours(text).items()
        if key[1:2] == (router,) and not key[0].startswith("wifimgr_site")
    }


# ---------------------------------------------------------------- what is told


def test_everything_that_was_measured_is_told(inventory: Inventory) -> None:
    text = text_of(inventory, good("haus-gw", "snmp", THEN, **WHOLE))
    found = told(text, "haus-gw")
    health = {key: found.pop(key) for key in list(found) if key[0] == "router_health"}
    assert sum(health.values()) == 1
    assert found == {
        ("router_info", "gateway", "openwrt", "Modell", "23.05"): 1,
        ("router_up",): 1,
        ("router_internet_up",): 1,
        ("router_round_trip_seconds",): 0.0125,
        ("router_boot_timestamp_seconds",): 1780272000,
        ("router_load1",): 0.25,
        ("router_memory_total_bytes",): 128 << 20,
        ("router_memory_available_bytes",): 64 << 20,
        ("router_clients",): 7,
        ("radio_clients", "radio0", "2.4"): 3,
        ("radio_busy_ratio", "radio0", "2.4"): 0.5,
        ("interface_receive_bytes_total", "wan"): 2**40 + 1,
        ("interface_receive_bytes_total", "br-lan"): 9,
        ("interface_transmit_bytes_total", "wan"): 5,
        ("interface_receive_errors_total", "wan"): 1,
        ("interface_transmit_errors_total", "wan"): 0,
        ("router_polls_total", "snmp"): 1,
        ("router_poll_failures_total", "snmp", "timeout"): 0,
        ("router_poll_duration_seconds", "snmp"): 0.25,
        ("router_last_poll_timestamp_seconds", "snmp"): THEN.timestamp(),
        ("router_last_success_timestamp_seconds", "snmp"): THEN.timestamp(),
    }


def test_a_router_that_was_never_polled_tells_nothing_but_that(inventory: Inventory) -> None:
    found = told(text_of(inventory), "haus-ap")
    assert found == {
        ("router_info", "access-point", "openwrt", "", ""): 1,
        **{("router_health", state): float(state is State.UNKNOWN) for state in ROUTER_STATES},
    }


def test_a_failed_poll_drops_what_was_measured_and_keeps_times_and_counts(inventory: Inventory) -> None:
    earlier = THEN - timedelta(seconds=60)
    found = told(
        text_of(inventory, good("haus-gw", "snmp", earlier, **WHOLE), failed("haus-gw", "snmp", THEN)), "haus-gw"
    )
    assert {key: number for key, number in found.items() if key[0] != "router_health"} == {
        ("router_info", "gateway", "openwrt", "Modell", "23.05"): 1,
        ("router_up",): 0,
        ("router_polls_total", "snmp"): 2,
        ("router_poll_failures_total", "snmp", "timeout"): 1,
        ("router_poll_duration_seconds", "snmp"): 5,
        ("router_last_poll_timestamp_seconds", "snmp"): THEN.timestamp(),
        ("router_last_success_timestamp_seconds", "snmp"): earlier.timestamp(),
    }


def test_failures_are_counted_by_reason(inventory: Inventory) -> None:
    polls = [failed("haus-gw", "snmp", THEN, reason) for reason in (Failure.AUTH, Failure.AUTH, Failure.ANSWER)]
    found = told(text_of(inventory, *polls), "haus-gw")
    assert {key[2]: number for key, number in found.items() if key[0] == "router_poll_failures_total"} == {
        "timeout": 0,
        "auth": 2,
        "answer": 1,
    }


def test_a_router_is_up_while_one_source_answers(inventory: Inventory) -> None:
    text = text_of(inventory, failed("haus-gw", "snmp", THEN), good("haus-gw", "ping", THEN, round_trip=0.5))
    assert ours(text)["wifimgr_router_up", "haus-gw", "haus"] == 1
    assert ours(text)["wifimgr_router_round_trip_seconds", "haus-gw", "haus"] == 0.5


@pytest.mark.parametrize("made", [good, failed])
def test_when_nobody_polls_any_more_nothing_is_frozen(inventory: Inventory, made: Any) -> None:
    old = NOW - timedelta(seconds=181)
    found = told(text_of(inventory, made("haus-gw", "ping", old)), "haus-gw")
    assert ("router_up",) not in found
    assert ("router_round_trip_seconds",) not in found
    assert found["router_health", "unknown"] == 1
    assert found["router_last_poll_timestamp_seconds", "ping"] == old.timestamp()


def test_a_router_that_we_could_not_ask_is_neither_up_nor_down(inventory: Inventory) -> None:
    """A secret is missing on our side: that says nothing about the router."""
    missing = failed("haus-gw", "snmp", THEN, Failure.SETUP)
    assert ("router_up",) not in told(text_of(inventory, missing), "haus-gw")
    assert told(text_of(inventory, missing, failed("haus-gw", "ping", THEN)), "haus-gw")[("router_up",)] == 0


def test_numbers_that_a_source_does_not_tell_are_not_zero(inventory: Inventory) -> None:
    found = told(text_of(inventory, good("haus-gw", "ping", THEN, round_trip=0.1)), "haus-gw")
    assert not {"router_clients", "router_load1", "router_internet_up"} & {key[0] for key in found}


def test_internet_that_does_not_work_is_zero(inventory: Inventory) -> None:
    internet = Internet(works=False, asked_from="guest", why="no DNS")
    assert (
        told(text_of(inventory, good("haus-gw", "ubus", THEN, internet=internet)), "haus-gw")[("router_internet_up",)]
        == 0
    )


def test_places_are_told(inventory: Inventory) -> None:
    found = ours(text_of(inventory))
    district = 'Süd "am Ufer" \\ alt'
    assert found["wifimgr_site_info", "haus", district, "youth-center", "line", "tunnel"] == 1
    assert found["wifimgr_site_info", "platz", "", "square", "", ""] == 1
    for slug in ("haus", "platz"):
        states = {key[2]: number for key, number in found.items() if key[:2] == ("wifimgr_site_health", slug)}
        assert states.keys() == set(State)
        assert sorted(states.values()) == [0] * 6 + [1]


def test_whether_a_place_is_open_is_told_only_where_its_hours_are_known(inventory: Inventory) -> None:
    snapshot = seen(inventory, NOW)
    night = replace(snapshot, at=NOW + timedelta(hours=6))
    for at, number in ((snapshot, 1), (night, 0)):
        found = ours(page(Facts(at, None, True)).decode())
        assert found["wifimgr_site_open", "haus"] == number
        assert ("wifimgr_site_open", "platz") not in found


def test_wifimgr_tells_about_itself(inventory: Inventory) -> None:
    text = text_of(inventory, beat=Beat(THEN, 1.5), valid=False)
    found = ours(text)
    assert found["wifimgr_build_info", wifimgr.__version__] == 1
    assert found[("wifimgr_inventory_valid",)] == 0
    assert found[("wifimgr_worker_last_beat_timestamp_seconds",)] == THEN.timestamp()
    assert found[("wifimgr_worker_lag_seconds",)] == 1.5
    names = {sample.name for sample in samples(text)}
    assert {"process_resident_memory_bytes", "process_open_fds", "python_info"} <= names


def test_a_worker_that_was_never_there_has_no_time(inventory: Inventory) -> None:
    found = ours(text_of(inventory))
    assert found[("wifimgr_inventory_valid",)] == 1
    assert not [key for key in found if key[0].startswith("wifimgr_worker")]


# ---------------------------------------------------------------- what is not told


def test_a_router_or_source_that_left_the_inventory_vanishes(inventory: Inventory, tmp_path: Path) -> None:
    readings = [good(name, source, THEN, **WHOLE) for name in ("haus-gw", "haus-ap") for source in ("snmp", "ping")]
    assert told(text_of(inventory, *readings), "haus-ap")
    smaller = SITES["haus"].replace("sources: [snmp, ubus, ping]", "sources: [ping]")
    smaller = "\n".join(line for line in smaller.splitlines() if "haus-ap:" not in line)
    text = text_of(load(write(tmp_path, haus=smaller)), *readings)
    assert "haus-ap" not in text
    assert "snmp" not in {sample.labels.get("source") for sample in samples(text)}
    assert told(text, "haus-gw")["router_polls_total", "ping"] == 1


def test_routers_that_are_not_in_use_are_not_told(inventory: Inventory) -> None:
    assert "haus-old" not in text_of(inventory, good("haus-old", "ping", THEN))


def test_no_line_has_a_timestamp(inventory: Inventory) -> None:
    text = text_of(inventory, good("haus-gw", "snmp", THEN, **WHOLE))
    assert [sample for sample in samples(text) if sample.timestamp is not None] == []
    assert "exemplar" not in text
    assert " # {" not in text


ADDRESS = re.compile(
    r"(?i)(?<![0-9a-f])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![0-9a-f])"  # MAC
    r"|(?<![0-9.])(?:\d{1,3}\.){3}\d{1,3}(?![0-9.])"  # IPv4
    r"|(?<![0-9a-z:])[0-9a-f]{1,4}:(?:[0-9a-f]{0,4}:)+[0-9a-f]{0,4}"  # IPv6
)


@pytest.mark.parametrize("address", ["02:00:5e:00:53:01", "02-00-5E-00-53-01", "192.0.2.1", "2001:db8::7", "fe80::1"])
def test_an_address_would_be_found(address: str) -> None:
    assert ADDRESS.search(f'{{router="{address}"}}')


def test_there_is_no_address_and_no_contact_on_the_page(inventory: Inventory) -> None:
    """Neither of clients nor of routers: also not out of the example network, which has contacts and phones."""
    example = load(TOP)
    for network in (inventory, example):
        readings = [good(name, source, THEN, **WHOLE) for name in network.routers for source in ("snmp", "ping")]
        lines = [line for line in text_of(network, *readings).splitlines() if not line.startswith("#")]
        assert len(lines) > 50
        assert [line for line in lines if ADDRESS.search(line)] == []
        assert [line for line in lines if "@" in line or "+49" in line or "Jugendzentrum" in line] == []


# ---------------------------------------------------------------- form


def hostile(inventory: Inventory, name: str, firmware: str, district: str) -> Facts:
    """A look at a router with two radios, and two interfaces, of the same name."""
    radios = (Radio(name=name, clients=4), Radio(name=name, clients=9))
    interfaces = (Interface(name=name, receive_bytes=5), Interface(name=name, receive_bytes=6))
    told_by_router = {"radios": radios, "interfaces": interfaces, "firmware": firmware}
    snapshot = seen(inventory, NOW, good("haus-gw", "snmp", THEN, **told_by_router))
    sites = {**inventory.sites, "haus": replace(inventory.sites["haus"], district=district)}
    return Facts(replace(snapshot, inventory=replace(inventory, sites=sites)), None, True)


HALF = "\udc80"
"""Half a character, as text has it that was read from broken bytes."""
NAMES = ('a"b', "a\\b", "a\\", "a\nb", "a\r\nb", "\\n", "ä€☃", "{x} 1 # y", "\x00", "\u2028", "", " ", HALF)


@given(name=st.text(max_size=20) | st.sampled_from(NAMES), other=st.text(max_size=20) | st.sampled_from(NAMES))
def test_any_name_passes_through_unharmed(inventory: Inventory, name: str, other: str) -> None:
    found = ours(page(hostile(inventory, name, other, other)).decode())
    name, other = (text.replace(HALF, "?") for text in (name, other))
    assert found["wifimgr_radio_clients", "haus-gw", "haus", name, ""] == 4
    assert found["wifimgr_interface_receive_bytes_total", "haus-gw", "haus", name] == 5
    assert ("wifimgr_site_info", "haus", other, "youth-center", "line", "tunnel") in found
    assert [key[-1] for key in found if key[:2] == ("wifimgr_router_info", "haus-gw")] == [other]


def test_series_of_a_router_are_few(inventory: Inventory) -> None:
    """Few enough for a city: 5,000 routers make a quarter of a million series."""
    radios = tuple(Radio(name=f"radio{number}", band="5", clients=1, busy=0.1) for number in range(2))
    interfaces = tuple(
        Interface(name=name, receive_bytes=1, transmit_bytes=1, receive_errors=1, transmit_errors=1)
        for name in ("br-lan", "wan", "phy0-ap0", "phy1-ap0")
    )
    measured = WHOLE | {"radios": radios, "interfaces": interfaces}
    readings = [good("haus-gw", source, THEN, **measured) for source in ("snmp", "ubus", "ping")]
    found = told(text_of(inventory, *readings), "haus-gw")
    assert len(found) == 14 + 5 * len(readings) + 2 * len(radios) + 4 * len(interfaces) == 49


def test_every_series_of_a_router_names_router_and_site() -> None:
    for family in FAMILIES:
        if re.match(r"wifimgr_(router|radio|interface)_", family.name):
            assert family.scope.labels[:2] == ("router", "site"), family.name
        elif family.name.startswith("wifimgr_site_"):
            assert family.scope.labels[0] == "site", family.name


def test_families_have_good_names_and_say_where_their_numbers_come_from() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    for family in FAMILIES:
        assert re.fullmatch(r"wifimgr_[a-z_]+1?", family.name), family.name
        assert family.name.endswith("_total") == (family.kind == "counter"), family.name
        assert not re.search(r"_(ms|milli|kb|bits?|percent|minutes|age|uptime)(_|$)", family.name), family.name
        assert "Source: " in family.help, family.name
        assert "\n" not in family.help, family.name


def test_every_family_is_on_the_page_with_its_kind_and_help(inventory: Inventory) -> None:
    lines = text_of(inventory).splitlines()
    for family in FAMILIES:
        assert lines.count(f"# TYPE {family.name} {family.kind}") == 1
        assert lines.count(f"# HELP {family.name} {family.help}") == 1


def test_the_docs_list_every_family() -> None:
    text = (TOP / "docs/metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(wifimgr_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", text, re.M)
    assert rows == [
        (family.name, family.kind, ", ".join(f"`{label}`" for label in family.scope.labels), family.help)
        for family in FAMILIES
    ]
