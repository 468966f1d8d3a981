"""A router without wifimgr, against simulated routers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.push.net import Net, network
from wifimgr.errors import StoreError
from wifimgr.model import Outcome, Result
from wifimgr.push import script
from wifimgr.push.leave import REFUSED, Leaver

TRACES = ("etc/wifimgr", "etc/init.d/wifimgr", "etc/rc.d/S09wifimgr", "lib/upgrade/keep.d/wifimgr")
RAM = ("tmp/wifimgr", "tmp/wifimgr.lock")


def leave(net: Net) -> dict[str, Outcome]:
    leaver = Leaver(net.inventory, net.known_hosts, net.store, "given away", lambda name, text: None)
    return {each.router: each for each in leaver.leave_all(net.inventory.routers.values())}


def traces(net: Net, name: str) -> set[str]:
    root = net.router(name).root
    return {path for path in (*TRACES, *RAM) if (root / path).exists() or (root / path).is_symlink()}


def test_nothing_of_wifimgr_stays_and_all_that_it_configured_does(tmp_path: Path) -> None:
    with network(tmp_path, {"ap": {}, "fresh": {}}) as net:
        assert net.push([net.change("ap", of="name")], of="name")["ap"].result is Result.DONE
        assert traces(net, "ap")
        flash = net.router("ap").flash()
        assert leave(net) == {
            "ap": Outcome("ap", Result.DONE),
            "fresh": Outcome("fresh", Result.ALREADY_RIGHT, "no trace of wifimgr was there"),
        }
        assert traces(net, "ap") == traces(net, "fresh") == set()
        assert net.router("ap").flash() == flash
        entry = next(entry for entry in net.store.entries() if entry.router == "ap")
        assert (entry.what, entry.why, entry.result) == ("forget: remove wifimgr", "given away", "done")


def test_each_router_comes_to_its_own_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wifimgr.push.leave.READ_SECONDS", 3.0)
    names = ("open", "newer", "off", "leased")
    with network(tmp_path, {**{name: {} for name in names}, "watched": {"operator": "community"}}) as net:
        for name, mark, text in (("open", "pending.t0", "0 999999999 1 1 0\n"), ("newer", "format", "99\n")):
            (net.router(name).root / "etc/wifimgr").mkdir()
            (net.router(name).root / "etc/wifimgr" / mark).write_text(text)
        (net.router("open").root / "etc/wifimgr/format").write_text("1\n")
        net.router("off").link.powered = False
        with net.store.lease("leased", 60):
            found = leave(net)
        assert {name: (str(each.result), each.error_id) for name, each in found.items()} == {
            "open": ("refused", "router-refused"),
            "newer": ("refused", "router-refused"),
            "off": ("unreachable", "unreachable"),
            "leased": ("refused", "leased"),
            "watched": ("refused", "watch-only"),
        }
        assert found["open"].why == "a change is still open on it; it is confirmed or goes back by itself"
        assert found["newer"].why == "it holds state of a newer wifimgr"
        assert traces(net, "open") >= {"etc/wifimgr"} <= traces(net, "newer")
        assert {entry.router for entry in net.store.entries()} == {"open", "newer", "off"}


def test_journal_that_cannot_be_begun_keeps_hands_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with network(tmp_path, {"ap": {}}) as net:
        net.push([net.change("ap", of="name")], of="name")

        def fail(*_: object, **__: object) -> None:
            raise StoreError("store-failed", "the store cannot be used: disk full")

        monkeypatch.setattr(net.store, "begin", fail)
        assert leave(net)["ap"].error_id == "store-failed"
        assert "etc/wifimgr" in traces(net, "ap")


def test_every_word_of_the_router_has_a_sentence() -> None:
    said = script.ROUTER_SH.partition("\nleave() {")[2].partition("\n}\n")[0]
    words = {part.split()[0] for part in said.split("say nothing ")[1:]}
    assert words - {"there"} == REFUSED.keys()
