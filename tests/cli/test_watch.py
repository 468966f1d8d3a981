"""The commands poll and status, run as the program runs them: with sources of our own, and with simulated routers."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.networks import NETWORK, write
from tests.watching import Fake, fine, install
from wifimgr.cli import run
from wifimgr.health import REASONS
from wifimgr.inventory import load
from wifimgr.lab import SERVICES, Lab
from wifimgr.model import Failure, Internet, Measured, Router, State
from wifimgr.settings import make_state_dir
from wifimgr.sources import SourceError
from wifimgr.store import Beat, Store

Out = pytest.CaptureFixture[str]
Fakes = dict[str, Fake]

HOUSES = """\
name: "Jugend's „Café“"
kind: youth-center
sources: [snmp, ubus]
routers:
  haus-gw: {addresses: [192.0.2.1], role: gateway}
  haus-ap: {addresses: [192.0.2.2], behind: haus-gw}
  haus-planned: {addresses: [192.0.2.3], lifecycle: planned}
  haus-old: {addresses: [192.0.2.4], lifecycle: retired}
  haus-map: {addresses: [192.0.2.5], sources: [map]}
  haus-none: {addresses: [192.0.2.6], sources: []}
"""
SQUARE = "name: Platz\nkind: square\nsources: [snmp]\nrouters: {platz-ap: {addresses: [192.0.2.9]}}\n"
EMPTY = "name: Leer\nkind: other\nrouters: {}\n"


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    return install(monkeypatch, "snmp", "ubus")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fakes: Fakes) -> Path:
    write(tmp_path, haus=HOUSES, platz=SQUARE, leer=EMPTY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with closing(Store(make_state_dir(folder))) as store:
        yield store


def rows(capsys: Out) -> dict[str, dict[str, Any]]:
    """The rows of the one JSON document on stdout, by the name of a router or place."""
    document = json.loads(capsys.readouterr().out)
    assert document.pop("schema_version") == 1
    [found] = document.values()
    return {row.get("router") or f"{row['kind']} {row['name']}": row for row in found}


async def wrong_password(router: Router) -> Measured:
    raise SourceError(Failure.AUTH, "the password is wrong")


async def silence(router: Router) -> Measured:
    raise SourceError(Failure.TIMEOUT, "no answer within 10 s")


async def no_internet(router: Router) -> Measured:
    return Measured(wifi=True, clients=0, internet=Internet(works=False, asked_from="guest", why="DNS: no answer"))


# ---------------------------------------------------------------- poll


def test_poll_asks_stores_and_tells(folder: Path, store: Store, fakes: Fakes, capsys: Out) -> None:
    fakes["ubus"].answer = wrong_password
    assert run(["poll", "-s", "haus-ap", "-o", "json"]) == 0
    row = rows(capsys)["haus-ap"]
    assert row["sources"] == {"snmp": "ok", "ubus": "auth"}
    assert row["details"] == {"ubus": "the password is wrong"}
    assert (row["site"], row["clients"], row["internet"]) == ("haus", 3, "works (guest)")
    assert row["state"] in set(State)
    assert datetime.fromisoformat(row["since"]).tzinfo
    assert store.known().keys() == {("haus-ap", "snmp"), ("haus-ap", "ubus")}
    assert store.last_flips()["router", "haus-ap"].after == row["state"]
    assert fakes["snmp"].closed == 1


def test_poll_without_a_terminal_is_plain_lines(folder: Path, fakes: Fakes, capsys: Out) -> None:
    fakes["snmp"].answer = fakes["ubus"].answer = no_internet
    assert run(["poll", "-s", "haus-ap"]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split("\t") == ["router", "site", "state", "why", "sources", "clients", "internet"]
    assert line.split("\t") == [
        "haus-ap",
        "haus",
        "down",
        REASONS["no-internet"],
        "snmp=ok,ubus=ok",
        "0",
        "does not work (guest): DNS: no answer",
    ]


def test_poll_says_how_to_learn_why_a_source_failed(folder: Path, fakes: Fakes, capsys: Out) -> None:
    assert run(["poll", "-s", "haus-ap"]) == 0
    assert capsys.readouterr().err == ""
    fakes["ubus"].answer = wrong_password
    assert run(["poll", "-s", "haus-ap"]) == 0
    assert capsys.readouterr().err == "why a source failed: the same command with --explain\n"


def test_what_no_source_tells_is_empty_and_not_zero(folder: Path, fakes: Fakes, capsys: Out) -> None:
    fakes["snmp"].answer = silence

    async def little(router: Router) -> Measured:
        return Measured(wifi=True)

    fakes["ubus"].answer = little
    assert run(["poll", "-s", "haus-ap", "-o", "json"]) == 0
    row = rows(capsys)["haus-ap"]
    assert (row["clients"], row["internet"]) == (None, None)


def test_poll_leaves_out_what_is_not_in_use_or_cannot_be_asked_and_says_so(
    folder: Path, fakes: Fakes, capsys: Out
) -> None:
    assert run(["poll"]) == 0
    told = capsys.readouterr()
    assert [line.split("\t")[0] for line in told.out.splitlines()[1:]] == ["haus-gw", "haus-ap", "platz-ap"]
    assert told.err.splitlines() == [
        "haus-planned: not asked, it is planned",
        "haus-old: not asked, it is retired",
        "haus-map: not asked, nothing asks over map yet",
        "haus-none: not asked, it has no sources",
    ]
    assert run(["poll", "-q", "-s", "haus-old"]) == 0
    assert capsys.readouterr().err == ""


def test_a_router_that_gives_no_answer_at_all_makes_the_exit_code_3(folder: Path, fakes: Fakes, capsys: Out) -> None:
    async def answer(router: Router) -> Measured:
        return await (silence if router.name == "haus-ap" else fine)(router)

    fakes["snmp"].answer = answer
    fakes["ubus"].answer = silence
    assert run(["poll", "-s", "haus-gw"]) == 0
    assert run(["poll", "-s", "haus-gw", "-s", "haus-ap", "-o", "json"]) == 3


def test_poll_does_not_log_in_where_somebody_works(folder: Path, store: Store, fakes: Fakes, capsys: Out) -> None:
    with store.lease("haus-ap", 60):
        assert run(["poll", "-s", "haus"]) == 0
    assert fakes["ubus"].asked == ["haus-gw"]
    assert "haus-ap: somebody works on it, so this does not log in" in capsys.readouterr().err


def test_poll_explains_what_was_asked_what_came_and_how_it_was_judged(folder: Path, fakes: Fakes, capsys: Out) -> None:
    fakes["snmp"].answer = no_internet
    fakes["ubus"].answer = silence
    assert run(["poll", "--explain", "-s", "haus-ap"]) == 0
    out = capsys.readouterr().out
    seconds = r"\d+\.\d\d s"
    assert re.fullmatch(
        rf"""haus-ap \(haus\)
  snmp: asks haus-ap
  snmp: ok, {seconds}
  snmp: told wifi true, clients 0, internet does not work \(guest\): DNS: no answer
  ubus: asks haus-ap
  ubus: failed \(timeout\): no answer within 10 s
  ubus: timeout, {seconds}; 1 in a row, and 2 make it count
  judged: down, since \d\d:\d\d
    no-internet: it answers, but the internet is not reachable through it
(    fault: \w+
)?
""",
        out,
    )


def test_the_explanation_is_in_the_json_too(folder: Path, fakes: Fakes, capsys: Out) -> None:
    assert run(["poll", "--explain", "-s", "haus-ap", "-o", "json"]) == 0
    told = rows(capsys)["haus-ap"]["explained"]
    assert told[:2] == ["haus-ap (haus)", "  snmp: asks haus-ap"]
    assert "  judged: up" in told[-1]


def test_what_routers_say_cannot_steer_a_terminal(folder: Path, fakes: Fakes, capsys: Out) -> None:
    async def nasty(router: Router) -> Measured:
        return Measured(wifi=True, model="\x1b[2J\u202eevil", internet=Internet(works=True, asked_from="router"))

    async def nasty_error(router: Router) -> Measured:
        raise SourceError(Failure.ANSWER, "\x1b]0;title\x07\nsecond line")

    fakes["snmp"].answer, fakes["ubus"].answer = nasty, nasty_error
    for form in ([], ["-o", "table"], ["-o", "tsv"], ["-o", "json"], ["-o", "yaml"]):
        run(["poll", "--explain", "-v", "-s", "haus-ap", *form])
        told = capsys.readouterr()
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", told.out + told.err), form


def test_an_unknown_selector_is_an_error_and_nobody_is_asked(folder: Path, fakes: Fakes, capsys: Out) -> None:
    assert run(["poll", "-s", "haus-app"]) == 2
    assert "did you mean" in capsys.readouterr().err
    assert fakes["snmp"].opened == 0


def test_a_store_that_fails_is_one_line(folder: Path, store: Store, fakes: Fakes, capsys: Out) -> None:
    with store._engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE source")
    for command in ("poll", "status"):
        assert run([command, "-q"]) == 1
        [line] = capsys.readouterr().err.splitlines()
        assert line.endswith("[store-failed]")


# ---------------------------------------------------------------- status


def test_status_of_a_network_that_nobody_watches(folder: Path, capsys: Out) -> None:
    assert run(["status"]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[0].split("\t")[:5] == ["kind", "name", "site", "state", "since"]
    assert "nothing was asked yet: 'wifimgr poll' asks once, 'wifimgr serve' keeps on asking" in told.err
    assert run(["status", "-o", "json"]) == 0
    assert rows(capsys)["router haus-ap"]["state"] == "unknown"


def test_status_tells_places_and_routers_and_asks_nobody(folder: Path, fakes: Fakes, capsys: Out) -> None:
    run(["poll"])
    fakes["snmp"].asked.clear()
    capsys.readouterr()
    assert run(["status", "-o", "json"]) == 0
    told = rows(capsys)
    assert fakes["snmp"].asked == []
    assert (told["site haus"]["state"], told["site haus"]["up"], told["site haus"]["of"]) == ("degraded", 2, 3)
    assert told["router haus-map"]["reasons"] == [{"id": "never-polled", "about": "", "until": None}]
    assert told["site leer"]["reasons"][0]["id"] == "no-routers"
    assert {key for key in told if key.startswith("router ")} == {
        "router haus-gw",
        "router haus-ap",
        "router haus-map",
        "router platz-ap",
    }, "what is not in use is not there"


def test_status_is_what_poll_said(folder: Path, fakes: Fakes, capsys: Out) -> None:
    fakes["snmp"].answer = no_internet
    run(["poll", "-o", "json"])
    polled = rows(capsys)
    run(["status", "-o", "json"])
    told = rows(capsys)
    for name, row in polled.items():
        same = ("site", "state", "why", "since", "fault", "reasons")
        assert [told[f"router {name}"][key] for key in same] == [row[key] for key in same]


def test_status_with_a_selector_is_about_those_routers_and_their_places(
    folder: Path, fakes: Fakes, capsys: Out
) -> None:
    run(["poll"])
    capsys.readouterr()
    assert run(["status", "-s", "haus-ap", "-o", "json"]) == 0
    told = rows(capsys)
    assert told.keys() == {"site haus", "router haus-ap"}
    assert told["site haus"]["of"] == 3, "a place is judged as a whole"


def test_the_overview_begins_with_the_worst_and_names_only_routers_that_are_not_up(
    folder: Path, fakes: Fakes, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(router: Router) -> Measured:
        return await (no_internet if router.name == "platz-ap" else fine)(router)

    fakes["snmp"].answer = answer
    run(["poll"])
    capsys.readouterr()
    assert run(["status", "-o", "table"]) == 0
    told = capsys.readouterr()
    lines = [re.split(r"\s{2,}", line.rstrip()) for line in told.out.splitlines()]
    assert lines[0] == ["Testnetz: 0 of 3 places are up, 1 down, 1 degraded, 1 unknown"]
    names = [line[1] if line[0] == "" else line[0] for line in lines[4:] if line != [""]]
    assert names == ["platz", "platz-ap", "haus", "haus-map", "leer"]
    assert lines[4][1] == "down"
    assert lines[4][3:] == ["0 of 1", REASONS["no-internet"]]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    assert run(["status"]) == 0
    assert "Testnetz: 0 of 3 places are up" in capsys.readouterr().out


def test_what_is_off_as_planned_is_told_by_the_place_alone(folder: Path, fakes: Fakes, capsys: Out) -> None:
    closed_now = f"{datetime.now() + timedelta(days=2):%a}"[:2]
    write(folder, haus=HOUSES, leer=EMPTY, platz=SQUARE + f'power: {{switched: "{closed_now} 10:00-11:00"}}\n')
    fakes["snmp"].answer = silence
    for _ in range(3):
        run(["poll", "-s", "platz"])
    capsys.readouterr()
    run(["status", "-s", "platz", "-o", "table"])
    told = capsys.readouterr().out
    assert "platz-ap" not in told
    assert REASONS["power-off"] in told
    run(["status", "-s", "platz"])
    assert "platz-ap\tplatz\tunknown" in capsys.readouterr().out


def test_a_router_in_use_at_a_place_that_is_not_is_told(folder: Path, fakes: Fakes, capsys: Out) -> None:
    planned = "name: Bau\nkind: other\nlifecycle: planned\nsources: [snmp]\n"
    planned += "routers: {bau-ap: {addresses: [192.0.2.99], lifecycle: active}}\n"
    write(folder, haus=HOUSES, bau=planned)
    fakes["snmp"].answer = no_internet
    assert run(["poll", "-s", "bau-ap"]) == 0
    capsys.readouterr()
    assert run(["status", "-s", "bau-ap", "-o", "json"]) == 0
    assert rows(capsys).keys() == {"router bau-ap"}
    assert run(["status", "-o", "table"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"bau +0 of 1 *\n +bau-ap +down", out)
    assert "0 of 3 places" in out


def test_status_says_how_old_it_is_and_whether_somebody_watches(
    folder: Path, store: Store, fakes: Fakes, capsys: Out
) -> None:
    def remarks() -> str:
        capsys.readouterr()
        run(["status"])
        return capsys.readouterr().err

    run(["poll"])
    assert re.search(r"last poll: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\nno worker has run yet", remarks())
    store.beat(Beat(datetime.now(UTC) - timedelta(hours=1), 0.0))
    assert "no worker runs: its last sign of life was" in remarks()
    store.beat(Beat(datetime.now(UTC), 0.0))
    assert len(remarks().splitlines()) == 1
    store.beat(Beat(datetime.now(UTC), 42.4, "x.yaml:1: wrong [bad-yaml]\ny.yaml:2: wrong [bad-yaml]"))
    assert remarks().splitlines()[1:] == [
        "polls are 42 s late: there is more to ask than can be asked in time",
        "the worker still uses an older inventory: x.yaml:1: wrong [bad-yaml]",
        "the worker still uses an older inventory: y.yaml:2: wrong [bad-yaml]",
    ]


def test_status_goes_on_while_somebody_else_writes(folder: Path, store: Store, fakes: Fakes, capsys: Out) -> None:
    run(["poll"])
    with store._writing() as connection:
        connection.exec_driver_sql("DELETE FROM source")
        capsys.readouterr()
        assert run(["status", "-s", "haus-ap", "-o", "json"]) == 0
        assert rows(capsys)["router haus-ap"]["state"] == "up"


# ---------------------------------------------------------------- with simulated routers


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """Three routers that answer as real ones do; one of them is a Freifunk node."""
    house = """\
name: Haus
kind: youth-center
sources: [snmp, ubus, ping]
routers:
  haus-gw: {addresses: [192.0.2.1], role: gateway}
  haus-ap: {addresses: [192.0.2.2], behind: haus-gw, sources: [snmp, ping]}
  haus-node: {addresses: ["2001:db8::c1"], platform: gluon, operator: community, sources: [respondd]}
"""
    internet = "internet: {dns: www.example.org, http: http://www.example.org/}\n"
    folder = write(tmp_path, NETWORK + internet, haus=house)
    (folder / "secrets").mkdir()
    (folder / "secrets/community").write_text("geheim-4711\n", encoding="ascii")
    monkeypatch.chdir(folder)
    inventory = load(folder)
    profile = inventory.network.snmp_profile
    with Lab(make_state_dir(folder) / "lab", inventory.routers.values(), tuple(SERVICES), profile) as lab:
        lab.move_in(folder, inventory.network.ssh_profiles, {})
        yield lab


def test_real_answers_real_silence_and_no_secret(lab: Lab, capsys: Out) -> None:
    assert run(["poll", "-o", "json"]) == 0
    told = rows(capsys)
    assert told["haus-gw"]["sources"] == {"snmp": "ok", "ubus": "ok", "ping": "ok"}, told["haus-gw"]["details"]
    assert (told["haus-gw"]["state"], told["haus-gw"]["internet"]) == ("up", "works (router)")
    assert (told["haus-node"]["state"], told["haus-node"]["internet"]) == ("up", "works (mesh)")

    lab.routers["haus-gw"].set_internet(False)
    assert run(["poll", "--explain", "-v", "-s", "haus-gw"]) == 0
    explained = capsys.readouterr()
    assert "geheim-4711" not in explained.out + explained.err
    assert "    no-internet: " in explained.out
    assert run(["status", "-s", "haus-gw", "-o", "json"]) == 0
    assert rows(capsys)["router haus-gw"]["state"] == "down"

    lab.routers["haus-ap"].silent |= {"snmp", "ping"}
    lab.move_in(Path.cwd(), ["default"], {}, {"interval": "1s"})  # so that nobody waits for long
    assert run(["poll", "-s", "haus-ap", "-o", "json"]) == 3
    assert rows(capsys)["haus-ap"]["sources"] == {"snmp": "timeout", "ping": "timeout"}
