"""The table: what a reader of RFC 4180, a spreadsheet, and our own import make of it."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.inventory.exporters.places import HOSTILE, places
from wifimgr.inventory import Inventory
from wifimgr.inventory.exporters.csv_table import COLUMNS, as_text, export, from_text
from wifimgr.inventory.importers import csv_table as importer
from wifimgr.inventory.importers.base import Found, Options, Source


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    return places(tmp_path_factory.mktemp("net"))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_one_router_a_row_with_all_that_a_table_holds(inventory: Inventory) -> None:
    found = rows(export(inventory, list(inventory.routers.values())))
    assert [row["name"] for row in found] == list(inventory.routers)
    assert found[1] == {
        "name": "hof-ap",
        "site": "hof",
        "addresses": "fe80::1%eth0.5 192.168.8.2",
        "model": f"'{HOSTILE}",
        "room": f"'{HOSTILE}",
        "role": "access-point",
        "platform": "openwrt",
        "operator": "city",
        "lifecycle": "active",
        "tags": "",
        "lat": "51.4652",
        "lon": "-6.7741",
        "district": f"'{HOSTILE}",
        "node_id": "",
    }
    assert (found[0]["tags"], found[-2]["node_id"], found[3]["addresses"]) == ("outdoor mesh", "c0ffee", "")


def test_lines_end_as_the_rfc_says(inventory: Inventory) -> None:
    lines = export(inventory, list(inventory.routers.values())).split("\r\n")
    assert lines[0] == ",".join(COLUMNS)
    assert len(lines) == 1 + len(inventory.routers) + 1
    assert lines[-1] == ""
    assert "\n" not in "".join(lines)


def test_a_place_without_a_position_leaves_the_cells_empty(inventory: Inventory) -> None:
    lost = replace(inventory, sites={slug: replace(site, position=None) for slug, site in inventory.sites.items()})
    [row] = rows(export(lost, [inventory.routers["node"]]))
    assert (row["lat"], row["lon"]) == ("", "")


def test_our_own_import_reads_the_same_values(inventory: Inventory) -> None:
    table = Source("routers.csv", {"routers.csv": export(inventory, list(inventory.routers.values())).encode()})
    found = {each.name: each for each in importer.read(table, Options()) if isinstance(each, Found)}
    assert list(found) == list(inventory.routers)
    for name, router in inventory.routers.items():
        site = inventory.sites[router.site]
        for key in ("site", "addresses", "model", "room", "role", "platform", "tags", "node_id"):
            assert getattr(found[name], key) == getattr(router, key), (name, key)
        assert (found[name].position, found[name].district) == (site.position, site.district)


FORMULAS = st.sampled_from("=+-@\t\r")


@given(text=st.text(max_size=20) | st.builds(str.__add__, FORMULAS | st.just("'"), st.text("'=+-@\t\ra1", max_size=5)))
def test_no_cell_is_a_formula_and_none_is_changed_by_that(inventory: Inventory, text: str) -> None:
    [row] = rows(export(inventory, [replace(inventory.routers["node"], model=text)]))
    assert row["model"][:1] not in tuple("=+-@\t\r")
    assert from_text(row["model"]) == text


@pytest.mark.parametrize("text", ["", "'", "''", "'quoted'", "TP-Link", "a=b", "1+1", "Café"])
def test_a_value_that_is_no_formula_stays_as_it_is(text: str) -> None:
    assert (as_text(text), from_text(text)) == (text, text)
