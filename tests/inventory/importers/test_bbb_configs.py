"""Locations of bbb-configs: hosts, SNMP devices, and the addresses that their networks give them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wifimgr.errors import ConfigError, Problem, collecting
from wifimgr.inventory.importers.base import Found, Note, Options, Source
from wifimgr.inventory.importers.bbb_configs import read

DATA = Path(__file__).parents[2] / "data" / "import" / "bbb-configs"
LOST = "has no address that can be worked out from the networks of its location"

Files = Mapping[str, str | bytes]


def entries(files: Files) -> list[Found | Note]:
    raw = {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
    return list(read(Source("net", raw), Options()))


def hosts(files: Files) -> dict[str, Found]:
    return {found.name: found for found in entries(files) if isinstance(found, Found)}


def notes(files: Files) -> list[tuple[str, str, str]]:
    return [(note.where, note.kind, note.what) for note in entries(files) if isinstance(note, Note)]


def folder(path: Path) -> dict[str, bytes]:
    return {each.relative_to(path).as_posix(): each.read_bytes() for each in path.rglob("*") if each.is_file()}


def one(name: str) -> dict[str, bytes]:
    return {name: (DATA / "locations" / name).read_bytes()}


def test_hosts_and_snmp_devices_of_a_location_are_told_in_our_words() -> None:
    found = hosts(one("jz-hof.yml"))
    shared: dict[str, Any] = {
        "position": (51.4652, 6.7741),
        "site": "jz-hof",
        "contact": "Hausmeisterei, Büro 2, buero@jz-hof.example, https://config.example/contact/1/abc",
    }
    assert list(found.values()) == [
        Found(
            where="jz-hof.yml jz-hof-core",
            name="jz-hof-core",
            addresses=("192.0.2.1",),
            platform="openwrt",
            role="gateway",
            model="linksys_e8450-ubi",
            **shared,
        ),
        *(
            Found(
                where=f"jz-hof.yml jz-hof-ap{number}",
                name=f"jz-hof-ap{number}",
                addresses=(f"192.0.2.{3 + number}",),
                platform="openwrt",
                role="access-point",
                model="mikrotik_sxtsq-5-ac",
                **shared,
            )
            for number in (1, 2)
        ),
        *(
            Found(
                where=f"jz-hof.yml {name}",
                name=name,
                addresses=(address,),
                platform="other",
                role=role,
                sources=("snmp",),
                **shared,
            )
            for name, address, role in [
                ("jz-hof-switch", "192.0.2.2", "switch"),
                ("jz-hof-turm", "192.0.2.3", "mesh-node"),
            ]
        ),
    ]
    assert notes(one("jz-hof.yml")) == [
        ("jz-hof.yml jz-hof-cam", "skipped", "has an address, but is neither a host nor an SNMP device")
    ]


def test_a_gateway_has_its_address_from_its_own_keys() -> None:
    found = hosts(one("turm.yml"))
    assert [(each.name, each.addresses, each.role, each.platform, each.position) for each in found.values()] == [
        ("turm-gw", ("198.51.100.65",), "gateway", "openwrt", None),
        ("turm-60", ("198.51.100.66",), "mesh-node", "routeros", None),
    ]
    assert notes(one("turm.yml")) == []


def test_the_wild_is_told() -> None:
    found = hosts(one("odd.yml"))
    assert [(each.name, each.addresses, each.role, each.model) for each in found.values()] == [
        ("odd-core", ("203.0.113.1",), "gateway", "siemens_ws-ap3610"),
        ("odd-ap1", ("203.0.113.135",), "access-point", "siemens_ws-ap3610"),
        ("odd-far", ("203.0.113.136",), "", "siemens_ws-ap3610"),
        ("odd-lost", (), "access-point", "siemens_ws-ap3610"),
        ("odd-off", (), "access-point", "siemens_ws-ap3610"),
        ("odd-mast", (), "mesh-node", ""),
    ]
    assert {(each.site, each.position) for each in found.values()} == {("odd", (51.4, 6.7))}
    assert notes(one("odd.yml")) == [
        ("odd.yml odd-far", "changed", "its role is none that is known here"),
        ("odd.yml hosts[3]", "skipped", "has no hostname"),
        ("odd.yml hosts[4]", "skipped", "has no hostname"),
        ("odd.yml odd-lost", "changed", LOST),
        ("odd.yml odd-off", "changed", LOST),
        ("odd.yml odd-mast", "changed", "has no address"),
    ]


@pytest.mark.parametrize("inner", ["", "locations"])
def test_a_folder_of_locations_or_the_whole_repository_is_read(inner: str) -> None:
    files = folder(DATA / inner)
    assert len(hosts(files)) == 13
    [cut] = [note for note in notes(files) if "cut.yml" in note[0]]
    assert cut[1:] == ("skipped", "is not YAML: found unexpected end of stream")
    assert not [note for note in notes(files) if "general.yml" in note[0]]


ADDRESSES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "the management network comes before all others": (
        "[{role: dhcp, prefix: 192.0.2.0/25, assignments: {x: 1}},"
        " {role: mgmt, prefix: 192.0.2.128/25, assignments: {x: 2}}]",
        ("192.0.2.130",),
    ),
    "without one every network with the host counts": (
        "[{role: mesh, prefix: 192.0.2.0/29, assignments: {x: 1}}, {role: mesh, prefix: 192.0.2.9/32},"
        " {role: dhcp, prefix: 192.0.2.128/25, assignments: {x: 2}}]",
        ("192.0.2.1", "192.0.2.130"),
    ),
    "a prefix may be IPv6": ('[{role: mgmt, prefix: "2001:db8::/64", assignments: {x: 16}}]', ("2001:db8::10",)),
    "a prefix may have bits of a host": ("[{role: mgmt, prefix: 192.0.2.9/24, assignments: {x: 1}}]", ("192.0.2.1",)),
    "a number may be counted from the end": (
        "[{role: mgmt, prefix: 192.0.2.0/24, assignments: {x: -2}}]",
        ("192.0.2.254",),
    ),
    "a number may be text or end in a zero": (
        "[{role: mgmt, prefix: 192.0.2.0/24, assignments: {x: '3'}},"
        " {role: mgmt, prefix: 198.51.100.0/24, assignments: {x: 4.0}}]",
        ("192.0.2.3", "198.51.100.4"),
    ),
    "a number that the prefix does not have": ("[{role: mgmt, prefix: 192.0.2.0/30, assignments: {x: 4}}]", ()),
    "a number that is none": ("[{role: mgmt, prefix: 192.0.2.0/30, assignments: {x: 1.5}}]", ()),
    "a prefix that is none": ("[{role: mgmt, prefix: 7, assignments: {x: 1}}, {role: mgmt, assignments: {x: 1}}]", ()),
    "no networks": ("~", ()),
    "assignments that are a list": ("[{role: mgmt, prefix: 192.0.2.0/24, assignments: [x]}]", ()),
}


@pytest.mark.parametrize("case", ADDRESSES)
def test_addresses_come_from_networks(case: str) -> None:
    networks, addresses = ADDRESSES[case]
    files = {"a.yml": f"hosts: [{{hostname: x, role: ap}}]\nnetworks: {networks}\n"}
    assert hosts(files)["x"].addresses == addresses
    assert notes(files) == ([] if addresses else [("a.yml x", "changed", LOST)])


def test_only_a_core_router_has_the_addresses_of_links() -> None:
    others = "{role: mesh, prefix: 192.0.2.16/29, assignments: {z: 1}}, {role: tunnel, prefix: 192.0.2.11/32}"
    networks = f"networks: [{{role: mesh, prefix: 192.0.2.9/32}}, {{role: mesh, prefix: 192.0.2.10/32}}, {others}]"
    found = hosts({"a.yml": f"hosts: [{{hostname: c, role: corerouter}}, {{hostname: x, role: ap}}]\n{networks}\n"})
    assert (found["c"].addresses, found["x"].addresses) == (("192.0.2.9", "192.0.2.10"), ())


def test_a_host_may_say_else_than_its_location() -> None:
    text = (
        "location: a\nlatitude: 1\nlongitude: 2\nhosts: [{hostname: x, latitude: 3.5}, {hostname: y, latitude: here}]\n"
    )
    assert [found.position for found in hosts({"b.yml": text}).values()] == [(3.5, 2.0), None]
    assert ("b.yml y", "changed", "its position is not two numbers") in notes({"b.yml": text})


def test_a_position_that_is_none_is_told_once_for_a_location() -> None:
    text = "latitude: 51° 27'\nlongitude: 6\nhosts: [{hostname: x}, {hostname: y}]\n"
    told = [note for note in notes({"a.yml": text}) if "position" in note[2]]
    assert told == [("a.yml", "changed", "its position is not two numbers")]


REFUSED: Mapping[str, tuple[Files, str]] = {
    "nothing": ({"a.yml": ""}, "a.yml: is no location of bbb-configs: it has no list 'hosts' [bad-import]"),
    "another file of theirs": (
        {"general.yml": "zonename: Europe/Berlin\n"},
        "general.yml: is no location of bbb-configs: it has no list 'hosts' [bad-import]",
    ),
    "an inventory of Ansible": (
        {"a.yml": "all: {hosts: {x: }}\n"},
        "a.yml: is no location of bbb-configs: it has no list 'hosts' [bad-import]",
    ),
    "a folder of something else": (
        {"a.yml": "- 1\n", "b.txt": "hosts: []"},
        "net: holds no location of bbb-configs: a.yml: is no location of bbb-configs: it has no list 'hosts'; "
        "give the folder locations/ [bad-import]",
    ),
    "an empty folder": ({}, "net: holds no location of bbb-configs; give the folder locations/ [bad-import]"),
    "bytes": ({"a.yml": b"\0"}, "a.yml: is not text [bad-import]"),
    "brackets": ({"a.yml": "hosts: " + "[" * 100_000}, "a.yml:1: is nested deeper than 40 levels [bad-import]"),
    "a bomb of aliases": (
        {"a.yml": "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}, *a{n}]\n" for n in range(20))},
        "a.yml: holds more than 500000 values [bad-import]",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_location_is_refused(case: str) -> None:
    files, line = REFUSED[case]
    with pytest.raises(ConfigError) as caught:
        entries(files)
    assert (caught.value.id, caught.value.line()) == ("bad-import", line)


# --- whatever somebody writes ---

KEYS = [
    "hosts",
    "hostname",
    "role",
    "mgmt",
    "networks",
    "assignments",
    "prefix",
    "snmp_devices",
    "address",
    "ap",
    "latitude",
]
WORDS = ["x", "ap", "corerouter", "mgmt", "mesh", "192.0.2.0/24", "2001:db8::/56", "198.51.100.1"]
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.integers(), inner, max_size=5)
    ),
    max_leaves=30,
)
HOSTS = st.lists(
    TREES | st.fixed_dictionaries({"hostname": st.sampled_from("xyz")}, optional={"role": TREES}), max_size=5
)


@given(hosts=HOSTS, devices=HOSTS | TREES, networks=st.lists(TREES) | TREES, mgmt=TREES, latitude=TREES)
def test_every_host_is_found_or_told(hosts: list[Any], devices: Any, networks: Any, mgmt: Any, latitude: Any) -> None:
    location = {"hosts": hosts, "snmp_devices": devices, "networks": networks, "mgmt": mgmt, "latitude": latitude}
    told = entries({"a.yml": yaml.safe_dump(location)})
    found = sum(isinstance(each, Found) for each in told)
    skipped = sum(isinstance(each, Note) and each.what == "has no hostname" for each in told)
    assert found + skipped == len(hosts) + (len(devices) if isinstance(devices, list) else 0)


@given(st.dictionaries(st.sampled_from(["a.yml", "locations/b.yaml", "c.md"]), st.binary() | st.text()))
def test_any_files_are_told_or_refused(files: dict[str, bytes | str]) -> None:
    problems: list[Problem] = []
    with collecting(problems):
        entries(files)
    assert all(problem.id == "bad-import" and "\n" not in problem.line() for problem in problems)


@given(
    contact=st.text("abcdefghij", min_size=8),
    key=st.sampled_from(["contact_name", "contact_nickname", "contacts", "contact_email"]),
    hosts=st.lists(st.sampled_from(["{hostname: x}", "{hostname: y, role: odd}", "{}", "7"]), min_size=1),
)
def test_a_contact_is_in_no_note(contact: str, key: str, hosts: list[str]) -> None:
    text = f"{key}: [{contact}]\nhosts: [{', '.join(['{hostname: z}', *hosts])}]\n"
    assert contact not in repr(entries({"a.yml": text}))
    assert all(found.contact == contact for found in entries({"a.yml": text}) if isinstance(found, Found))
