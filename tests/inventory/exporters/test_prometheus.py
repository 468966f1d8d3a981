"""The file for ``file_sd_configs``. tests/real/test_exports.py shows it to promtool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.inventory.exporters.places import HOSTILE, places
from wifimgr.inventory import Inventory
from wifimgr.inventory.exporters.prometheus import export
from wifimgr.views.metrics import FAMILIES


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return places(tmp_path)


def groups(inventory: Inventory, *names: str) -> list[dict[str, Any]]:
    found = json.loads(export(inventory, [inventory.routers[name] for name in names or inventory.routers]))
    assert isinstance(found, list)
    return found


def test_a_router_is_a_target_with_the_labels_of_our_metrics(inventory: Inventory) -> None:
    [group] = groups(inventory, "hof-ap")
    assert group == {
        "targets": ["fe80::1%eth0.5"],
        "labels": {
            "router": "hof-ap",
            "site": "hof",
            "district": HOSTILE,
            "kind": "youth-center",
            "role": "access-point",
            "platform": "openwrt",
            "operator": "city",
            "__meta_wifimgr_snmp_target": "[fe80::1%eth0.5]:1161",
            "__meta_wifimgr_snmp_profile": "monitor",
        },
    }
    labels = {label for family in FAMILIES for label in family.scope.labels}
    ours = {label for label in group["labels"] if not label.startswith("__")}
    assert ours - labels == {"operator"}  # which no metric has


def test_who_is_not_asked_over_snmp_has_no_target_for_it(inventory: Inventory) -> None:
    [group] = groups(inventory, "node")
    assert [name for name in group["labels"] if name.startswith("__")] == []
    assert "district" not in group["labels"]  # an empty label is none


def test_only_who_is_watched_is_in_it_in_the_order_of_the_inventory(inventory: Inventory) -> None:
    names = [group["labels"]["router"] for group in groups(inventory)]
    assert names == ["hof-gw", "hof-ap", "hof-far", "node", "dns"]


def test_without_a_router_the_list_is_empty(inventory: Inventory) -> None:
    assert export(inventory, []) == "[]\n"


def test_every_machine_gives_the_same(inventory: Inventory, tmp_path: Path) -> None:
    here = places(tmp_path / "here", 'endpoints: {hof-ap: {ssh: "127.0.0.1:40001", snmp: "127.0.0.1:40002"}}\n')
    assert groups(here) == groups(inventory)
