"""Checks across files: each with its whole message."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.networks import NETWORK, SITE, write
from wifimgr.errors import ConfigError
from wifimgr.inventory import load
from wifimgr.inventory.checks import MOST_HINTS


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


def test_of_many_unknown_names_only_some_are_looked_for(tmp_path: Path) -> None:
    """Each costs a look at all names."""
    routers = [f"r{number}: {{addresses: [10.0.{number}.1], behind: rr{number}}}" for number in range(120)]
    told = problems(write(tmp_path, eins=site(*routers)))
    assert len(told) == 120
    assert sum("did you mean" in line for line in told) == MOST_HINTS


def test_behind_each_jump_router_lies_a_network_of_its_own(tmp_path: Path) -> None:
    routers = ["a: {addresses: [192.0.2.1]}", "b: {addresses: [192.0.2.2]}"]
    inner = ["c: {addresses: [10.0.0.1], jump: a}", "d: {addresses: [10.0.0.1], jump: b}"]
    assert len(load(write(tmp_path, eins=site(*routers, *inner))).routers) == 4
    same = "e: {addresses: [10.0.0.1], jump: b}"
    assert problems(write(tmp_path, eins=site(*routers, *inner, same))) == [
        f"{EINS}:8: routers.e.addresses: the address 10.0.0.1 is used twice; d has it in {EINS}:7 [duplicate-address]"
    ]


def test_a_retired_router_gives_its_address_free(tmp_path: Path) -> None:
    old = "a: {addresses: [192.0.2.1], lifecycle: retired}"
    assert len(load(write(tmp_path, eins=site(old, "b: {addresses: [192.0.2.1]}"))).routers) == 2


UNKNOWN = {
    "operator": "there is no operator 'x'; known here: city, community",
    "ssh": "there is no SSH profile 'x'; known here: default, high",
    "snmp": "there is no SNMP profile 'x'; known here: monitor",
    "behind": "there is no router 'x'; known here: a",
    "jump": "there is no router 'x'; known here: a",
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


def test_a_jump_said_for_all_routers_of_a_place_is_no_circle(tmp_path: Path) -> None:
    inventory = load(write(tmp_path, eins=SITE + "jump: eins-gw\n"))
    assert {name: router.jump for name, router in inventory.routers.items()} == {"eins-gw": None, "eins-ap": "eins-gw"}


def test_two_places_that_jump_through_each_other_are_a_circle(tmp_path: Path) -> None:
    """Told once, where the circle is met first, whichever of its routers jump through it."""
    write(tmp_path, eins=SITE + "jump: zwei-gw\n", zwei=site("zwei-gw: {addresses: [192.0.2.9]}") + "jump: eins-ap\n")
    assert problems(tmp_path) == [
        f"{ZWEI}:5: jump: routers are logged in to through each other in a circle: zwei-gw -> eins-ap -> zwei-gw; "
        "take one jump out [loop]"
    ]


def test_a_wrong_name_for_all_routers_is_told_once(tmp_path: Path) -> None:
    assert problems(write(tmp_path, eins="jump: gone\n" + SITE)) == [
        f"{EINS}:1: jump: there is no router 'gone'; known here: eins-ap, eins-gw [unknown-name]"
    ]


# --- files that are wrong somewhere ---


def ids(folder: Path) -> list[str]:
    """Place and key of each problem."""
    return [": ".join(line.split(": ")[:2]) for line in problems(folder)]


def test_a_name_in_a_file_that_is_wrong_elsewhere_is_not_called_unknown(tmp_path: Path) -> None:
    write(tmp_path, eins=SITE + "    room: 1\n", zwei=site("b: {addresses: [192.0.2.9], behind: eins-gw}"))
    assert problems(tmp_path) == [
        f"{EINS}:11: routers.eins-ap.room: must be text, not a number; put it in quotes [wrong-type]"
    ]


def test_no_router_is_called_unknown_while_a_file_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path, eins="name: [\n", zwei=site("b: {addresses: [192.0.2.9], behind: gone, operator: x}"))
    assert [line.rpartition(" ")[2] for line in problems(tmp_path)] == ["[bad-yaml]", "[unknown-name]"]


def test_what_is_right_in_a_wrong_file_is_judged(tmp_path: Path) -> None:
    text = SITE.replace("kind: library", "public: 1").replace("behind: eins-gw", "room: 5\n    behind: gone")
    write(
        tmp_path,
        eins="kind: libary\nopening_hours: Mittwoch\n" + text,
        zwei=site("b: {addresses: [192.0.2.1], operator: x}", "eins-ap: {}"),
    )
    assert ids(tmp_path) == [
        f"{EINS}:1: kind",
        f"{EINS}:2: opening_hours",
        f"{EINS}:4: public",
        f"{EINS}:12: routers.eins-ap.room",
        f"{EINS}:13: routers.eins-ap.behind",
        f"{ZWEI}:4: routers.b.addresses",
        f"{ZWEI}:4: routers.b.operator",
        f"{ZWEI}:5: routers.eins-ap",
        f"{ZWEI}:5: routers.eins-ap",
    ]


NETWORKS = {
    "not YAML": "operators: [\n",
    "not a mapping": "- x\n",
    "a wrong value of its own": NETWORK + "languages: 5\n",
    "misspelt": NETWORK.replace("operators:", "oprators:").replace("uplinks:", "uplnks:").replace("  ssh:", "  shs:"),
    "wrong types": NETWORK.replace("profiles:", "profiles: []\nprivate:").replace("uplinks:", "uplinks: 5\nx:"),
}


@pytest.mark.parametrize("case", NETWORKS)
def test_places_are_judged_also_where_the_network_is_wrong(tmp_path: Path, case: str) -> None:
    head = 'opening_hours: "Mo-Fr 10:00-12:00; SH off"\nwifi: {schedule: Mittwoch}\n'
    eins = SITE.replace("eins-gw\n", "gone\n").replace("role: gateway", "ssh: high\n    snmp: monitor")
    write(
        tmp_path,
        NETWORKS[case] + "holiday: {region: DE-NW}\n",
        eins=head + eins,
        zwei=site("b: {addresses: [192.0.2.1]}"),
    )
    assert [line for line in ids(tmp_path) if "network.yaml" not in line] == [
        f"{EINS}:2: wifi.schedule",
        f"{EINS}:13: routers.eins-ap.behind",
        f"{ZWEI}:4: routers.b.addresses",
    ]


LEFT_OUT = {
    "the key": ("    addresses: 5\n", ""),
    "misspelt": ("    adresses: [192.0.2.2]\n", ""),
    "another one that decides": ("    lifecycle: retird\n", ""),
    "for the whole place": ("", "lifecyle: planned\n"),
    "no value": ("    addresses:\n", ""),
    "in a merge": ("    <<: {addresses: [192.0.2.2]}\n", ""),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_was_left_out_as_wrong_is_not_called_missing(tmp_path: Path, case: str) -> None:
    router, place = LEFT_OUT[case]
    [line] = problems(write(tmp_path, eins=SITE.replace("    addresses: [192.0.2.2]\n", router) + place))
    assert "has no addresses" not in line


@pytest.mark.parametrize("line", ["  roll: gateway\n", "  role: 5\n"])
def test_what_was_left_out_of_the_defaults_is_not_called_missing(tmp_path: Path, line: str) -> None:
    assert len(problems(write(tmp_path, NETWORK.replace("  role: access-point\n", line)))) == 1


def test_what_is_missing_at_one_router_is_told_whatever_is_wrong_at_another(tmp_path: Path) -> None:
    write(tmp_path, eins=site("a: {adresses: [192.0.2.1]}", "b: {room: Keller}"))
    assert ids(tmp_path) == [f"{EINS}:4: routers.a.adresses", f"{EINS}:5: routers.b"]


@pytest.mark.parametrize("line", ["lifecycle: retird", "lifecyle: retired"])
def test_a_router_that_may_be_retired_is_not_said_to_share_its_address(tmp_path: Path, line: str) -> None:
    write(tmp_path, eins=SITE.replace("role: gateway", line), zwei=site("b: {addresses: [192.0.2.1]}"))
    assert ids(tmp_path) == [f"{EINS}:7: routers.eins-gw.{line.partition(':')[0]}"]


def test_an_address_used_twice_is_told_whatever_else_is_wrong_there(tmp_path: Path) -> None:
    eins = SITE.replace("role: gateway", "colour: blue\n    room: 5") + "sponsor: x\n"
    write(tmp_path, "x: 1\n" + NETWORK, eins=eins, zwei=site("b: {addresses: [192.0.2.1], x: 1}"))
    assert ids(tmp_path)[-2:] == [f"{ZWEI}:4: routers.b.addresses", f"{ZWEI}:4: routers.b.x"]


def test_an_uplink_whose_kind_is_wrong_may_be_any(tmp_path: Path) -> None:
    write(tmp_path, NETWORK.replace("kind: provider", "kind: 5"), eins=SITE + "uplink: {provider: line}\n")
    assert ids(tmp_path) == ["inventory/network.yaml:6: uplinks.line.kind"]


def test_opening_hours_that_are_wrong_are_not_called_missing(tmp_path: Path) -> None:
    write(tmp_path, eins="opening_hours: 24\nwifi: {schedule: opening-hours}\n" + SITE)
    assert ids(tmp_path) == [f"{EINS}:1: opening_hours"]


@pytest.mark.parametrize("region", ["DE-XX", "XX", "Nirgendwo"])
def test_hours_are_read_also_where_the_region_is_wrong(tmp_path: Path, region: str) -> None:
    hours = 'opening_hours: "Fr 18:00-02:00, PH 18:00-02:00; SH off"\n'
    write(tmp_path, f"holidays: {{region: {region}, school: gone.yaml}}\n{NETWORK}", eins=hours + SITE)
    assert ids(tmp_path) == ["inventory/network.yaml:1: holidays.region", "inventory/network.yaml:1: holidays.school"]


@pytest.mark.parametrize("text", ["routers: []\n", "router: {}\n", "routers: {}\nrouters: {}\n"])
def test_no_router_is_called_unknown_while_those_of_a_place_are_wrong(tmp_path: Path, text: str) -> None:
    write(tmp_path, eins="name: Haus\nkind: other\n" + text, zwei=site("b: {addresses: [192.0.2.9], behind: gone}"))
    assert all(line.startswith(EINS) for line in ids(tmp_path))


# --- hours ---

HOURS = "hours cannot be read from 'Mittwoch' on; the days are Mo Tu We Th Fr Sa Su, and PH for public holidays"
OF_A_CONTACT = HOURS.replace(" from 'Mittwoch' on", "")
"""Nothing of a contact is repeated."""


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
    assert problems(tmp_path) == [f"{EINS}:1: {key}: {HOURS if 'contact' not in key else OF_A_CONTACT} [wrong-type]"]


def test_hours_of_the_network_that_cannot_be_read(tmp_path: Path) -> None:
    contact = "contact: {public: {name: Amt, hours: Mittwoch}}\n"
    assert problems(write(tmp_path, contact + NETWORK)) == [
        f"inventory/network.yaml:1: contact.public.hours: {OF_A_CONTACT} [wrong-type]"
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
