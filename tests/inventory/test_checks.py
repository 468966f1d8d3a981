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
