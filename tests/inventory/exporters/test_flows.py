"""Who talks to whom, for the firewall team."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.inventory.exporters.places import NETWORK, places
from wifimgr.inventory import Inventory
from wifimgr.inventory.exporters.flows import COLUMNS, PUSHED, flows
from wifimgr.model import Manage
from wifimgr.platforms import PLATFORMS
from wifimgr.sources import SOURCES


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return places(tmp_path)


def rows(inventory: Inventory, *names: str) -> list[tuple[object, ...]]:
    """The flows without the router and site that they are for, which have to be those of the one that was asked for."""
    found = []
    for name in names:
        router = inventory.routers[name]
        for flow in flows(inventory, [router]):
            assert tuple(flow) == COLUMNS
            assert (flow["router"], flow["site"]) == (name, router.site)
            found.append(tuple(flow.values())[:-2])
    return found


def test_a_router_that_we_reach_straight(inventory: Inventory) -> None:
    assert rows(inventory, "hof-gw") == [
        ("wifimgr", "hof-gw", "203.0.113.7", 22, "tcp", "push, health (ubus)"),
        ("wifimgr", "hof-gw", "203.0.113.7", 1161, "udp", "health (snmp)"),
        ("wifimgr", "hof-gw", "203.0.113.7", None, "icmp", "health (ping)"),
        ("hof-gw", "its resolver", "", 53, "udp", "internet check"),
        ("hof-gw", "www.example.org", "www.example.org", 8080, "tcp", "internet check"),
    ]


def test_only_logins_go_through_other_routers(inventory: Inventory) -> None:
    assert rows(inventory, "hof-ap")[:4] == [
        ("wifimgr", "hof-gw", "203.0.113.7", 22, "tcp", "jump to hof-ap"),
        ("hof-gw", "hof-ap", "fe80::1%eth0.5", 2200, "tcp", "push, health (ubus)"),
        ("wifimgr", "hof-ap", "fe80::1%eth0.5", 1161, "udp", "health (snmp)"),
        ("wifimgr", "hof-ap", "fe80::1%eth0.5", 7, "udp", "health (ping)"),
    ]
    assert rows(inventory, "hof-far") == [
        ("wifimgr", "hof-gw", "203.0.113.7", 22, "tcp", "jump to hof-far"),
        ("hof-gw", "hof-ap", "fe80::1%eth0.5", 2200, "tcp", "jump to hof-far"),
        ("hof-ap", "hof-far", "192.168.9.2", 2222, "tcp", "push"),
    ]


def test_who_is_only_watched_is_not_logged_in_to(inventory: Inventory) -> None:
    assert rows(inventory, "node") == [
        ("wifimgr", "node", "2001:db8::c1", 1001, "udp", "health (respondd)"),
        ("wifimgr", "node", "2001:db8::c1", None, "icmpv6", "health (ping)"),
    ]


@pytest.mark.parametrize(("manage", "platform"), [("watch", "openwrt"), ("push", "other")])
def test_who_is_never_pushed_to_is_logged_in_to_only_to_be_watched(
    inventory: Inventory, manage: str, platform: str
) -> None:
    router = replace(inventory.routers["hof-gw"], manage=Manage(manage), platform=platform)
    [login] = [flow for flow in flows(inventory, [router]) if flow["port"] == 22]
    assert login["purpose"] == "health (ubus)"
    assert flows(inventory, [replace(router, sources=("map",))]) == []


def test_a_map_is_no_flow_and_a_name_has_no_version(inventory: Inventory) -> None:
    assert rows(inventory, "dns")[1:] == [("wifimgr", "dns", "dns.example.org", None, "icmp", "health (ping)")]


def test_who_is_planned_gets_its_rules_in_time_and_who_is_gone_gets_none(inventory: Inventory) -> None:
    assert [row[4:] for row in rows(inventory, "hof-soon")] == [
        ("tcp", "jump to hof-soon"),
        ("tcp", "push"),
        ("udp", "health (snmp)"),
    ]
    assert rows(inventory, "hof-plan", "hof-old") == []


def test_flows_that_are_alike_stay_one_for_each_router(inventory: Inventory) -> None:
    found = Counter(
        flow["router"] for flow in flows(inventory, list(inventory.routers.values())) if flow["to"] == "hof-gw"
    )
    assert found == {"hof-gw": 3, "hof-ap": 1, "hof-far": 1, "hof-soon": 1}


def test_without_something_to_ask_for_nobody_asks_the_internet(tmp_path: Path) -> None:
    quiet = "\n".join(line for line in NETWORK.splitlines() if not line.startswith("internet:"))
    inventory = places(tmp_path, network=quiet)
    assert [row for row in rows(inventory, "hof-gw") if row[0] != "wifimgr"] == []


def test_a_page_is_asked_for_at_its_own_port_or_the_usual_one(tmp_path: Path) -> None:
    inventory = places(tmp_path, network=NETWORK.replace(":8080", ""))
    assert rows(inventory, "hof-gw")[-1][1:4] == ("www.example.org", "www.example.org", 80)


def test_every_machine_gives_the_same(inventory: Inventory, tmp_path: Path) -> None:
    here = places(tmp_path / "here", 'endpoints: {hof-ap: {ssh: "127.0.0.1:40001", snmp: "127.0.0.1:40002"}}\n')
    assert rows(here, *here.routers) == rows(inventory, *inventory.routers)


def test_what_asks_routers_is_told_here() -> None:
    """A new source or platform needs its flow."""
    assert SOURCES.keys() == {"ubus", "snmp", "respondd", "ping"}
    assert PLATFORMS.keys() == set(PUSHED)
