"""The inventory of a program that runs on: the newest good one, whatever people do to the files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.networks import NETWORK, SITE, write
from wifimgr.errors import ConfigError
from wifimgr.inventory import live as live_module
from wifimgr.inventory.live import LiveInventory

SITE_FILE = "inventory/sites/eins.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path)


def put(path: Path, text: str) -> None:
    """Saves a file as an editor does that replaces it."""
    fresh = path.with_name(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def test_it_is_loaded_at_the_start(folder: Path) -> None:
    live = LiveInventory(folder)
    assert (list(live.current.routers), live.error) == (["eins-gw", "eins-ap"], "")


def test_a_network_that_is_wrong_at_the_start_is_an_error(folder: Path) -> None:
    (folder / SITE_FILE).write_text("name: [", encoding="utf-8")
    with pytest.raises(ConfigError):
        LiveInventory(folder)


def test_without_a_change_nothing_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveInventory(folder)
    before = live.current
    monkeypatch.setattr(live_module, "load", lambda folder: pytest.fail("was read"))
    assert not live.refresh()
    assert live.current is before


def change_site(folder: Path) -> None:
    put(folder / SITE_FILE, SITE.replace("Haus Eins", "Haus Zwei"))


def add_site(folder: Path) -> None:
    (folder / "inventory/sites/zwei.yaml").write_text("name: Haus Zwei\nkind: library\nrouters: {}\n", encoding="utf-8")


def remove_site(folder: Path) -> None:
    (folder / SITE_FILE).unlink()


def change_network(folder: Path) -> None:
    put(folder / "inventory/network.yaml", NETWORK.replace("Testnetz", "Haus Zwei"))


def add_local(folder: Path) -> None:
    (folder / ".wifimgr").mkdir()
    (folder / ".wifimgr/local.yaml").write_text("watch: {interval: 5s}\n", encoding="utf-8")


def trust(folder: Path) -> None:
    (folder / "inventory/known_hosts").write_text("", encoding="utf-8")


@pytest.mark.parametrize("change", [change_site, add_site, remove_site, change_network, add_local, trust])
def test_a_change_is_seen_once(folder: Path, change: Callable[[Path], None]) -> None:
    live = LiveInventory(folder)
    before = live.current
    change(folder)
    assert live.refresh()
    assert live.current is not before
    assert not live.refresh()


def test_what_changed_is_there(folder: Path) -> None:
    live = LiveInventory(folder)
    change_site(folder)
    add_local(folder)
    live.refresh()
    assert live.current.sites["eins"].name == "Haus Zwei"
    assert live.current.network.interval(live.current.routers["eins-ap"]) == 5.0


def test_a_change_of_the_same_length_at_the_same_time_is_seen(folder: Path) -> None:
    """What a restored backup or a careless editor makes of a file."""
    live = LiveInventory(folder)
    path = folder / SITE_FILE
    stat = path.stat()
    path.write_text(SITE.replace("Eins", "Zwei"), encoding="utf-8")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert live.refresh()
    assert live.current.sites["eins"].name == "Haus Zwei"


def test_files_of_editors_are_no_change(folder: Path) -> None:
    live = LiveInventory(folder)
    (folder / "inventory/sites/.eins.yaml.swp").write_text("x", encoding="utf-8")
    assert not live.refresh()


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (SITE_FILE, "name: [\n", "inventory/sites/eins.yaml:"),
        (SITE_FILE, "name: x\nkind: castle\nrouters: {}\n", "castle"),
        ("inventory/network.yaml", "name: x\n", "operators"),
        (".wifimgr/local.yaml", "watch: {interval: soon}\n", ".wifimgr/local.yaml:1"),
        (SITE_FILE, "[" * 5000, "[bad-yaml]"),
        (SITE_FILE, "\x00\x01", "[bad-yaml]"),
    ],
)
def test_while_a_file_is_wrong_the_last_good_inventory_stays(folder: Path, name: str, text: str, says: str) -> None:
    live = LiveInventory(folder)
    before = live.current
    (folder / ".wifimgr").mkdir()
    (folder / name).write_text(text, encoding="utf-8")
    assert not live.refresh()
    assert live.current is before
    assert says in live.error
    told = live.error
    assert not live.refresh()
    assert live.error == told

    write(folder, NETWORK.replace("Testnetz", "Wieder da"), local="watch: {}\n")
    assert live.refresh()
    assert (live.current.network.name, live.error) == ("Wieder da", "")


def test_all_problems_are_told_a_line_each(folder: Path) -> None:
    live = LiveInventory(folder)
    put(folder / SITE_FILE, "name: x\nkind: castle\nrouters: {x: {addresses: 5}}\n")
    live.refresh()
    assert [line.split(": ")[1] for line in live.error.splitlines()] == ["kind", "routers.x.addresses"]


def test_a_folder_that_is_gone_and_comes_back(folder: Path) -> None:
    live = LiveInventory(folder)
    (folder / "inventory").rename(folder / "away")
    assert not live.refresh()
    assert "inventory/network.yaml" in live.error
    assert len(live.current.routers) == 2
    (folder / "away").rename(folder / "inventory")
    live.refresh()
    assert live.error == ""


def test_a_bug_in_reading_is_told_and_ends_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveInventory(folder)
    before = live.current

    def fail(folder: Path) -> None:
        raise RecursionError("too\ndeep")

    monkeypatch.setattr(live_module, "load", fail)
    change_site(folder)
    assert not live.refresh()
    assert (live.current, live.error) == (before, "this is a bug in wifimgr: RecursionError: too\\ndeep [bug]")
