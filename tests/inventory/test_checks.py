"""Checks across files: each with its whole message."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.networks import NETWORK, SITE, write
from wifimgr.errors import ConfigError
from wifimgr.inventory import load


def problems(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder)
    return caught.value.lines()


def site(*routers: str) -> str:
    return "name: Haus\nkind: other\nrouters:\n" + "".join(f"  {router}\n" for router in routers)


EINS, ZWEI = "inventory/sites/eins.yaml", "inventory/sites/zwei.yaml"


def test_a_router_name_used_twice(tmp_path: Path) -> None:
    write(tmp_path, eins=SITE, zwei=site("eins-gw: {addresses: [192.0.2.9]}"))
    assert problems(tmp_path) == [
        f"{ZWEI}:4: routers.eins-gw: the router name 'eins-gw' is used twice; "
        f"the first one is in {EINS}:5; rename one [duplicate-name]"
    ]


def test_an_address_used_twice_in_two_spellings(tmp_path: Path) -> None:
    one, other = 'a: {addresses: ["2001:DB8:0::1"]}', 'b: {addresses: [192.0.2.1, "2001:db8::1"]}'
    assert problems(write(tmp_path, eins=site(one), zwei=site(other))) == [
        f"{ZWEI}:4: routers.b.addresses: the address 2001:db8::1 is used twice; "
        f"a has it in {EINS}:4 [duplicate-address]"
    ]


def test_an_address_twice_at_one_router(tmp_path: Path) -> None:
    assert problems(write(tmp_path, eins=site("a: {addresses: [192.0.2.1, 192.0.2.1]}"))) == [
        f"{EINS}:4: routers.a.addresses: the address 192.0.2.1 is used twice; a has it in {EINS}:4 [duplicate-address]"
    ]


def test_a_retired_router_gives_its_address_free(tmp_path: Path) -> None:
    old = "a: {addresses: [192.0.2.1], lifecycle: retired}"
    assert len(load(write(tmp_path, eins=site(old, "b: {addresses: [192.0.2.1]}"))).routers) == 2


UNKNOWN = {
    "operator": "there is no operator 'x'; known here: city, community",
    "ssh": "there is no SSH profile 'x'; known here: default, high",
    "snmp": "there is no SNMP profile 'x'; known here: monitor",
    "behind": "there is no router 'x'; known here: a",
}


@pytest.mark.parametrize("key", UNKNOWN)
def test_a_router_names_something_unknown(tmp_path: Path, key: str) -> None:
    write(tmp_path, eins=site(f"a: {{addresses: [192.0.2.1], {key}: x}}"))
    assert problems(tmp_path) == [f"{EINS}:4: routers.a.{key}: {UNKNOWN[key]} [unknown-name]"]


def test_a_wrong_default_is_told_once_and_where_it_stands(tmp_path: Path) -> None:
    assert problems(write(tmp_path, NETWORK.replace("operator: city", "operator: town"))) == [
        "inventory/network.yaml:15: defaults.operator: there is no operator 'town'; "
        "known here: city, community [unknown-name]"
    ]


@pytest.mark.parametrize(("kind", "name", "hint"), [("provider", "tunnel", "line"), ("gateway", "line", "tunnel")])
def test_an_uplink_of_another_kind_is_none(tmp_path: Path, kind: str, name: str, hint: str) -> None:
    assert problems(write(tmp_path, eins=site().replace("routers:", f"uplink: {{{kind}: {name}}}\nrouters: {{}}"))) == [
        f"{EINS}:3: uplink.{kind}: there is no {kind} '{name}'; known here: {hint} [unknown-name]"
    ]


def test_an_endpoint_of_a_router_that_is_not_there(tmp_path: Path) -> None:
    assert problems(write(tmp_path, local="endpoints: {eins-gv: {ssh: 'localhost:1'}}\n")) == [
        ".wifimgr/local.yaml:1: endpoints.eins-gv: there is no router 'eins-gv'; did you mean eins-gw? [unknown-name]"
    ]


@pytest.mark.parametrize("key", ["operator", "platform", "role"])
def test_a_key_that_no_level_says(tmp_path: Path, key: str) -> None:
    network = "".join(line for line in NETWORK.splitlines(keepends=True) if not line.startswith(f"  {key}:"))
    assert problems(write(tmp_path, network, eins=site("a: {addresses: [192.0.2.1]}"))) == [
        f"{EINS}:4: routers.a: the router has no {key}; "
        "write it here, at the site, or in defaults of inventory/network.yaml [missing-key]"
    ]


def test_routers_may_stand_behind_one_of_another_site(tmp_path: Path) -> None:
    inventory = load(write(tmp_path, eins=SITE, zwei=site("b: {addresses: [192.0.2.9], behind: eins-ap}")))
    assert inventory.routers["b"].behind == "eins-ap"


def test_a_circle_is_told_once(tmp_path: Path) -> None:
    routers = [
        f"{name}: {{addresses: [192.0.2.{n}], behind: {behind}}}"
        for n, (name, behind) in enumerate([("x", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("y", "x")])
    ]
    assert problems(write(tmp_path, eins=site(*routers))) == [
        f"{EINS}:5: routers.a.behind: routers stand behind each other in a circle: a -> b -> c -> a; "
        "take one behind out [loop]"
    ]


def test_a_router_behind_itself(tmp_path: Path) -> None:
    assert problems(write(tmp_path, eins=site("a: {addresses: [192.0.2.1], behind: a}"))) == [
        f"{EINS}:4: routers.a.behind: routers stand behind each other in a circle: a -> a; take one behind out [loop]"
    ]


def test_a_name_in_a_file_that_is_wrong_elsewhere_is_not_called_unknown(tmp_path: Path) -> None:
    write(tmp_path, eins=SITE + "    room: 1\n", zwei=site("b: {addresses: [192.0.2.9], behind: eins-gw}"))
    assert problems(tmp_path) == [
        f"{EINS}:11: routers.eins-ap.room: must be text, not a number; put it in quotes [wrong-type]"
    ]


def test_no_router_is_called_unknown_while_a_file_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path, eins="name: [\n", zwei=site("b: {addresses: [192.0.2.9], behind: gone, operator: x}"))
    assert [line.rpartition(" ")[2] for line in problems(tmp_path)] == ["[bad-yaml]", "[unknown-name]"]


# --- hours ---

HOURS = "hours cannot be read from 'Mittwoch' on; the days are Mo Tu We Th Fr Sa Su, and PH for public holidays"


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("opening_hours: Mittwoch", "opening_hours"),
        ("power: {switched: Mittwoch}", "power.switched"),
        ("wifi: {schedule: Mittwoch}", "wifi.schedule"),
        ("contact: [{name: Amt, hours: always}, {name: Haus, hours: Mittwoch}]", "contact[1].hours"),
    ],
)
def test_hours_of_a_place_that_cannot_be_read(tmp_path: Path, line: str, key: str) -> None:
    write(tmp_path, eins=f"{line}\n{SITE}")
    assert problems(tmp_path) == [f"{EINS}:1: {key}: {HOURS} [wrong-type]"]


def test_hours_of_the_network_that_cannot_be_read(tmp_path: Path) -> None:
    contact = "contact: {public: {name: Amt, hours: Mittwoch}}\n"
    assert problems(write(tmp_path, contact + NETWORK)) == [
        f"inventory/network.yaml:1: contact.public.hours: {HOURS} [wrong-type]"
    ]


def test_hours_with_holidays_that_nobody_named(tmp_path: Path) -> None:
    text = 'opening_hours: "Mo-Fr 10:00-12:00; PH off"\ncontact: [{name: Amt, hours: "24/7; SH off"}]\n'
    assert problems(write(tmp_path, eins=text + SITE)) == [
        f"{EINS}:1: opening_hours: nobody said whose public holidays PH means; "
        "add holidays: {region: DE-NW} to network.yaml [wrong-type]",
        f"{EINS}:2: contact[0].hours: nobody said when the school holidays SH are; "
        "add holidays: {school: FILE} to network.yaml [wrong-type]",
    ]


def test_hours_that_can_be_read(tmp_path: Path) -> None:
    holidays = "holidays: {region: DE-NW, school: school.yaml}\n"
    write(
        tmp_path,
        holidays + NETWORK,
        eins=f'opening_hours: "Mo-Fr 10:00-12:00; SH,PH off"\nwifi: {{schedule: opening-hours}}\n{SITE}',
        zwei="power: switched\nwifi: {schedule: always}\n" + site("a: {addresses: [192.0.2.9]}"),
    )
    (tmp_path / "inventory" / "school.yaml").write_text("until: 2020-01-01\nholidays: {}\n")
    assert len(load(tmp_path).sites) == 2


def test_a_schedule_after_opening_hours_that_are_not_there(tmp_path: Path) -> None:
    assert problems(write(tmp_path, eins="wifi: {schedule: opening-hours}\n" + SITE)) == [
        f"{EINS}:1: wifi.schedule: this place has no opening_hours; "
        "add opening_hours, or write hours here [missing-key]"
    ]
