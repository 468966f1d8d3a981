"""What is told, made to fit."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests.networks import NETWORK, write
from wifimgr.inventory import load
from wifimgr.inventory.importers.base import Found
from wifimgr.inventory.importers.fit import CONTACT, FOREIGN, LINK_LOCAL, UNREACHED, Fit

AREA = "area: {center: [51.4, 6.7], radius: 20km}\nprefixes: [2001:db8:ff::/48]\n"
REACHED = {"name": "ap", "addresses": ("2001:db8:ff::1",)}


def fitted(
    folder: Path, network: str = NETWORK, *, keep_contacts: bool = False, **told: Any
) -> tuple[Found, list[str]]:
    fit = Fit(load(write(folder, network)).network, keep_contacts=keep_contacts)
    return fit(Found(where="here", **{**REACHED, **told}))


def test_what_fits_stays_as_it_is(tmp_path: Path) -> None:
    told = {
        "platform": "gluon",
        "role": "mesh-node",
        "model": "Modell \"1\" <b> $(id) 'x'",
        "room": "Saal",
        "site": "Haus",
        "district": "Süd",
        "node_id": "c4e984000001",
        "position": (51.4, 6.7),
        "tags": ("outdoor",),
        "sources": ("respondd", "map"),
        "vars": {"ssid": "frei", "rates": [1, 2.5, "x", True], "public_key": "x", "token_refresh": False},
    }
    found, notes = fitted(tmp_path, NETWORK + AREA, **told)
    assert (found, notes) == (Found(where="here", **REACHED, **told), [])


@pytest.mark.parametrize("key", ["name", "model", "room", "site", "district"])
@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("a\nb", "a b"),
        ("\x1b[31mrot\x1b[0m", "[31mrot [0m"),
        ("um\u202egedreht", "um gedreht"),
        ("halb\ud800", "halb?"),
    ],
)
def test_invisible_characters_are_taken_out_and_told(tmp_path: Path, key: str, told: str, kept: str) -> None:
    found, notes = fitted(tmp_path, **{key: told})
    assert (getattr(found, key), notes) == (kept, [f"{key}: invisible characters were taken out"])


@pytest.mark.parametrize(
    ("key", "told", "kept"),
    [
        ("node_id", "a b", ""),
        ("node_id", "$(id)", ""),
        ("platform", "Gluon", ""),
        ("role", "router", ""),
        ("tags", ("a b", "indoor", "\n"), ("indoor",)),
        ("sources", ("zabbix", "ping"), ("ping",)),
    ],
)
def test_words_that_do_not_fit_are_left_out_and_told(tmp_path: Path, key: str, told: object, kept: object) -> None:
    found, notes = fitted(tmp_path, **{key: told})
    assert (getattr(found, key), notes) == (kept, [f"{key} was left out: it does not fit there"])


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("2001:DB8:FF:0::C1", "2001:db8:ff::c1"),
        ("2001:db8:ff::c1%eth0", "2001:db8:ff::c1"),
        ("fe80::1%br-lan", "fe80::1%br-lan"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("AP1.Example.Org.", "ap1.example.org"),
    ],
)
def test_each_address_has_one_spelling(tmp_path: Path, told: str, kept: str) -> None:
    assert fitted(tmp_path, addresses=(told,)) == (Found(where="here", name="ap", addresses=(kept,)), [])


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("fe80::1", "is link-local without a zone, which leads nowhere from here"),
        ("169.254.1.1", "is link-local without a zone, which leads nowhere from here"),
        ("fe80::1%$(id)", "is none"),
        ("192.0.2.1/24", "is none"),
        ("a b", "is none"),
        ("", "is none"),
        ("::1", "is never that of one router"),
        ("::", "is never that of one router"),
        ("ff02::1", "is never that of one router"),
    ],
)
def test_addresses_that_lead_nowhere_are_left_out_and_told(tmp_path: Path, told: str, why: str) -> None:
    found, notes = fitted(tmp_path, addresses=(told, told))
    assert (found.addresses, notes) == ((), [f"an address was left out: it {why}", UNREACHED])


def test_a_link_local_address_beside_others_is_told_once_for_all(tmp_path: Path) -> None:
    found, notes = fitted(tmp_path, addresses=("fe80::1", "2001:db8:ff::1", "2001:DB8:FF::1"))
    assert (found.addresses, notes) == (("2001:db8:ff::1",), [LINK_LOCAL])


@pytest.mark.parametrize(
    ("address", "notes"),
    [("2001:db8:ee::1", [FOREIGN]), ("192.0.2.1", []), ("fe80::1%br0", []), ("a.example", []), ("2001:db8:ff::1", [])],
)
def test_addresses_outside_of_ours_are_kept_and_told(tmp_path: Path, address: str, notes: list[str]) -> None:
    found, told = fitted(tmp_path, NETWORK + AREA, addresses=(address,))
    assert (found.addresses, told) == ((address,), notes)


# ---------------------------------------------------------------- positions


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ((0.0, 0.0), "is 0/0, as of one that was never told"),
        ((0.0, -0.0), "is 0/0, as of one that was never told"),
        ((91.0, 6.7), "is no place on earth"),
        ((51.4, -181.0), "is no place on earth"),
        ((math.nan, 6.7), "is no place on earth"),
        ((51.4, math.inf), "is no place on earth"),
        ((6.7, 51.4), "lies outside the area of the network"),
    ],
)
def test_positions_where_nothing_stands_are_left_out_and_told(
    tmp_path: Path, told: tuple[float, float], why: str
) -> None:
    found, notes = fitted(tmp_path, NETWORK + AREA, position=told)
    assert (found.position, notes) == (None, [f"its position was left out: it {why}"])


# ---------------------------------------------------------------- variables and contacts


@pytest.mark.parametrize("name", ["wifi_password", "psk", "api_token", "private_key", "snmp_community"])
def test_a_secret_in_plain_text_is_left_out_and_not_shown(tmp_path: Path, name: str) -> None:
    found, notes = fitted(tmp_path, vars={"ssid": "frei", name: "hunter2"})
    assert found.vars == {"ssid": "frei"}
    [note] = notes
    assert note.startswith(f"the variable {name} was left out: it is a secret;")
    assert "hunter2" not in note


@pytest.mark.parametrize(
    "told",
    [
        {"Name": 1},
        {"router_name": "x"},
        {"x": None},
        {"x": {"env": "HOME"}},
        {"x": {"command": "id"}},
        {"x": [{"file": "/etc/passwd"}]},
        {"x": [None]},
        {"x": [[1]]},
        {"x": math.nan},
        {"": 1},
    ],
)
def test_variables_that_do_not_fit_are_left_out_and_told(tmp_path: Path, told: dict[str, Any]) -> None:
    found, notes = fitted(tmp_path, vars=told)
    assert (found.vars, notes) == (
        {},
        [f"the variable {next(iter(told))} was left out: its name or its value does not fit"],
    )


def test_contacts_are_kept_only_when_somebody_says_so(tmp_path: Path) -> None:
    found, notes = fitted(tmp_path, contact="me@example.org")
    assert (found.contact, notes) == ("", [CONTACT])
    found, notes = fitted(tmp_path, contact="me@example.org\ud800", keep_contacts=True)
    assert (found.contact, notes) == ("me@example.org?", [])
