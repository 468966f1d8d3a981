"""Selectors: what they match, and what they say when they match nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.networks import SITE, write
from wifimgr.errors import ConfigError
from wifimgr.inventory import Inventory, Selector, load, select

ZWEI = """\
name: Haus Zwei
kind: youth-center
district: Alt Hamborn
routers:
  zwei-gw: {addresses: [192.0.2.3], role: gateway, model: GL.iNet MT300N, tags: [indoor, old]}
  zwei-ap: {addresses: [192.0.2.4], behind: zwei-gw, tags: [outdoor], lifecycle: retired}
  zwei-ap2: {addresses: [192.0.2.5], behind: zwei-ap}
  zwei-node: {addresses: [192.0.2.6], platform: gluon, operator: community, role: mesh-node}
"""


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    return load(write(tmp_path_factory.mktemp("net"), eins=SITE, zwei=ZWEI))


@pytest.mark.parametrize(
    ("selectors", "names"),
    [
        ([], "eins-gw eins-ap zwei-gw zwei-ap zwei-ap2 zwei-node"),
        (["eins-gw"], "eins-gw"),
        (["zwei"], "zwei-gw zwei-ap zwei-ap2 zwei-node"),
        (["*-gw"], "eins-gw zwei-gw"),
        (["eins,zwei-gw"], "eins-gw eins-ap zwei-gw"),
        (["name=zwei-ap?"], "zwei-ap2"),
        (["site=e*"], "eins-gw eins-ap"),
        (["kind=library"], "eins-gw eins-ap"),
        (["district=MEIDERICH"], "eins-gw eins-ap"),
        (["district='Alt Hamborn' role=gateway"], "zwei-gw"),
        (["role=gateway,mesh-node"], "eins-gw zwei-gw zwei-node"),
        (["role!=gateway,mesh-node"], "eins-ap zwei-ap zwei-ap2"),
        (["platform=openwrt site=zwei role!=gateway"], "zwei-ap zwei-ap2"),
        (["operator=community"], "zwei-node"),
        (["manage=watch"], "zwei-node"),
        (["lifecycle=retired"], "zwei-ap"),
        (["model=gl.inet*"], "zwei-gw"),
        (["tag=indoor"], "zwei-gw"),
        (["tag!=indoor site=zwei"], "zwei-ap zwei-ap2 zwei-node"),
        (["behind=zwei-gw"], "zwei-ap zwei-ap2"),
        (["behind!=*"], "eins-gw zwei-gw zwei-node"),
        (["zwei-gw", "eins-gw"], "eins-gw zwei-gw"),
    ],
)
def test_selecting(inventory: Inventory, selectors: list[str], names: str) -> None:
    assert [router.name for router in select(inventory, selectors)] == names.split()


KEYS = "behind, district, dns, kind, lifecycle, manage, model, name, operator, platform, role, site, tag"


@pytest.mark.parametrize(
    ("selector", "line"),
    [
        ("rol=gateway", "rol=gateway: 'rol' is no key of a selector; did you mean role? [bad-selector]"),
        ("x!=y", f"x!=y: 'x' is no key of a selector; known here: {KEYS} [bad-selector]"),
        ("role=", "role=: a value is missing; write key=value or key!=value [bad-selector]"),
        ("role=a,", "role=a,: a value is missing; write key=value or key!=value [bad-selector]"),
        (" ", "the selector is empty; write a router, a site, or key=value [bad-selector]"),
        ("site='x", "site='x: a quote is not closed; close it [bad-selector]"),
        (
            "eins-gv",
            "eins-gv: matches no router; did you mean eins-gw, eins or eins-ap? 'wifimgr router list' lists all "
            "[nothing-selected]",
        ),
        (
            "behind=qqqq",
            "behind=qqqq: matches no router; known here: eins-gw, zwei-ap, zwei-gw [nothing-selected]",
        ),
        ("site=qqqq", "site=qqqq: matches no router; known here: eins, zwei [nothing-selected]"),
        (
            "role=switch",
            "role=switch: matches no router; known here: access-point, gateway, mesh-node [nothing-selected]",
        ),
        (
            "role=gateway district=Meiderrich",
            "district=Meiderrich: matches no router; did you mean Meiderich? [nothing-selected]",
        ),
        ("tag=indor", "tag=indor: matches no router; did you mean indoor? [nothing-selected]"),
        ("name!=*", "name!=*: matches no router; every router is that [nothing-selected]"),
        (
            "eins platform=gluon",
            "eins platform=gluon: no router matches all parts; "
            "each part alone matches some router; take one out [nothing-selected]",
        ),
    ],
)
def test_refusing(inventory: Inventory, selector: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        select(inventory, [selector])
    assert caught.value.lines() == [line]


def test_a_selector_that_matches_nothing_is_not_passed_over_beside_one_that_does(inventory: Inventory) -> None:
    with pytest.raises(ConfigError, match="nothing-selected"):
        select(inventory, ["eins", "drei"])


def test_an_empty_inventory_says_so(tmp_path: Path) -> None:
    empty = load(write(tmp_path, eins="name: x\nkind: other\nrouters: {}\n"))
    assert select(empty) == []
    with pytest.raises(ConfigError, match="this place has no routers; add one with"):
        select(empty, ["eins"])


def test_a_selector_can_be_asked_about_one_router(inventory: Inventory) -> None:
    selector = Selector.parse("role=gateway")
    assert selector.matches(inventory, inventory.routers["eins-gw"])
    assert not selector.matches(inventory, inventory.routers["eins-ap"])
