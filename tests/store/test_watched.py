"""What the store remembers of sources and health: exactly, for all processes, with one clear line where it fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wifimgr.errors import StoreError
from wifimgr.model import (
    Failure,
    Fault,
    Flip,
    Interface,
    Internet,
    Known,
    Measured,
    Radio,
    Reading,
    Reason,
    State,
)
from wifimgr.store import Beat, Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NASTY = 'Jugend\'s "Café"\n$(id)\x00\u202e<script>'
EVERYTHING = Measured(
    boot=NOON - timedelta(days=3, microseconds=1),
    load=0.25,
    memory_total=128 << 20,
    memory_available=0,
    model=NASTY,
    firmware="23.05.3",
    wifi=False,
    clients=0,
    radios=(Radio(name="radio0", band="5", up=True, ssids=(NASTY, "frei"), clients=3, busy=0.5), Radio(name="radio1")),
    interfaces=(Interface(name="wan", up=True, receive_bytes=2**64 - 1, transmit_errors=0),),
    internet=Internet(works=False, asked_from="guest", why="no DNS"),
    round_trip=0.0125,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path)) as store:
        yield store


@pytest.fixture
def other(tmp_path: Path, store: Store) -> Iterator[Store]:
    """The same store, as another process has it."""
    with closing(Store(tmp_path)) as other:
        yield other


def good(router: str = "ap", source: str = "snmp", seconds: float = 0, measured: Measured | None = None) -> Reading:
    at = NOON + timedelta(seconds=seconds)
    return Reading(router=router, source=source, at=at, took=0.5, measured=measured or Measured(clients=1))


def bad(failure: Failure = Failure.TIMEOUT, seconds: float = 0, router: str = "ap") -> Reading:
    return replace(good(router, seconds=seconds), failure=failure, detail="no answer", measured=None)


def sql(store: Store, statement: str) -> list[tuple[object, ...]]:
    """Asks the database without wifimgr."""
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


def counts(**failed: int) -> dict[Failure, int]:
    return {failure: failed.get(failure.value, 0) for failure in Failure}


# --- readings ---


def test_nothing_is_known_of_what_was_never_polled(store: Store) -> None:
    assert store.known() == {}
    store.record([])
    assert store.known() == {}


def test_a_reading_comes_back_as_it_was(store: Store, other: Store) -> None:
    reading = good(measured=EVERYTHING)
    store.record([reading])
    expected = {("ap", "snmp"): Known(latest=reading, good=reading, failures=0, polls=1, failed=counts())}
    assert store.known() == expected
    assert other.known() == expected


def test_failures_in_a_row_are_counted_and_the_last_good_reading_is_kept(store: Store) -> None:
    first, second = good(seconds=1), good(seconds=4)
    key = ("ap", "snmp")

    store.record([bad(Failure.AUTH)])
    assert store.known()[key] == Known(latest=bad(Failure.AUTH), good=None, failures=1, polls=1, failed=counts(auth=1))
    store.record([first])
    store.record([bad(Failure.TIMEOUT, 2)])
    store.record([bad(Failure.REFUSED, 3)])
    assert store.known()[key] == Known(
        latest=bad(Failure.REFUSED, 3), good=first, failures=2, polls=4, failed=counts(auth=1, timeout=1, refused=1)
    )
    store.record([second])
    assert store.known()[key] == Known(
        latest=second, good=second, failures=0, polls=5, failed=counts(auth=1, timeout=1, refused=1)
    )


def test_many_readings_at_once_count_one_by_one(store: Store) -> None:
    store.record([good(seconds=1), bad(seconds=2), bad(seconds=3), good(source="ping"), bad(router="gw")])
    known = store.known()
    assert known.keys() == {("ap", "snmp"), ("ap", "ping"), ("gw", "snmp")}
    assert (known["ap", "snmp"].failures, known["ap", "snmp"].polls) == (2, 3)
    assert known["ap", "snmp"].good == good(seconds=1)


def test_what_another_process_records_or_forgets_is_seen(store: Store, other: Store) -> None:
    store.record([good("a"), good("b")])
    assert other.known().keys() == {("a", "snmp"), ("b", "snmp")}
    store.record([good("a", seconds=1)])
    assert other.known()["a", "snmp"].polls == 2
    store.forget([("a", "snmp")])
    assert other.known().keys() == {("a", "snmp")}
    store.forget([])
    store.record([good("c")])
    assert other.known().keys() == {("c", "snmp")}


def test_a_router_that_left_and_came_back_begins_anew_for_everybody(store: Store, other: Store) -> None:
    for seconds in range(5):
        store.record([good(seconds=seconds)])
    assert other.known()["ap", "snmp"].polls == 5
    store.forget([])
    store.record([good(seconds=9)])
    assert other.known()["ap", "snmp"] == Known(
        latest=good(seconds=9), good=good(seconds=9), failures=0, polls=1, failed=counts()
    )


def test_what_is_known_does_not_change_under_whoever_asked(store: Store) -> None:
    store.record([good()])
    before = store.known()
    store.record([good("gw")])
    assert before.keys() == {("ap", "snmp")}


def test_numbers_that_are_none_are_not_told(store: Store) -> None:
    store.record([good(measured=Measured(load=float("nan"), round_trip=float("inf"), clients=2))])
    assert store.known()["ap", "snmp"].latest.measured == Measured(clients=2)


@pytest.mark.parametrize(
    "measured",
    [Measured(model="\udc80"), Measured(clients="many")],  # type: ignore[arg-type]  # what a bug of a source could be
    ids=["no text", "no number"],
)
def test_what_cannot_be_stored_is_a_failure_and_the_others_are_stored(store: Store, measured: Measured) -> None:
    store.record([good("odd", measured=measured), good()])
    known = store.known()
    assert known["odd", "snmp"].latest.failure is Failure.ANSWER
    assert known["odd", "snmp"].latest.measured is None
    assert known["odd", "snmp"].failed == counts(answer=1)
    assert known["ap", "snmp"].latest == good()


@pytest.mark.parametrize(
    "garbage",
    ["", "nonsense", "[]", '{"router": "ap"}', '{"router":"ap","source":"snmp","at":"yesterday","took":"long"}'],
)
@pytest.mark.parametrize("column", ["latest", "good"])
def test_a_row_of_another_form_was_never_polled_and_the_next_poll_repairs_it(
    store: Store, other: Store, column: str, garbage: str
) -> None:
    store.record([good(), bad(seconds=1), good("gw")])
    sql(store, f"UPDATE source SET {column} = '{garbage}', version = version + 1 WHERE router = 'ap'")  # noqa: S608
    wanted = {("gw", "snmp")} if garbage or column == "latest" else {("gw", "snmp"), ("ap", "snmp")}
    assert store.known().keys() == other.known().keys() == wanted
    store.record([good(seconds=2)])
    assert store.known()["ap", "snmp"].latest == other.known()["ap", "snmp"].latest == good(seconds=2)


# --- flips ---


def flip(name: str = "ap", after: State = State.UP, kind: str = "router", **more: object) -> Flip:
    return Flip(**{"at": NOON, "kind": kind, "name": name, "before": None, "after": after, **more})  # type: ignore[arg-type]


def test_flips_come_back_as_they_were_newest_first(store: Store, other: Store) -> None:
    reasons = (Reason(id="behind", about=NASTY), Reason(id="power-off", until=NOON + timedelta(hours=6)))
    first = flip(reasons=reasons, fault=Fault.HOUSE, after=State.UNKNOWN)
    second = flip(before=State.UNKNOWN, at=NOON + timedelta(seconds=1))
    store.flip([first])
    store.flip([second, flip("gw"), flip("ap", kind="site", after=State.CLOSED)])
    assert store.flips("router", "ap") == other.flips("router", "ap") == [second, first]
    assert store.flips("router", "ap", limit=1) == [second]
    assert store.flips("site", "nowhere") == []


def test_last_flips_are_those_of_all_processes(store: Store, other: Store) -> None:
    assert other.last_flips() == {}
    store.flip([flip(), flip("gw"), flip("ap", kind="site")])
    other.flip([flip(after=State.DOWN)])
    wanted = {
        ("router", "ap"): flip(after=State.DOWN),
        ("router", "gw"): flip("gw"),
        ("site", "ap"): flip("ap", kind="site"),
    }
    assert store.last_flips() == other.last_flips() == wanted
    store.flip([flip("gw", State.DOWN)])
    assert other.last_flips()["router", "gw"].after is State.DOWN
    with closing(Store(store.path.parent)) as new:
        assert new.last_flips() == other.last_flips()


def test_a_flip_that_two_processes_saw_is_stored_once(store: Store, other: Store) -> None:
    down = flip(before=State.UP, after=State.DOWN)
    store.flip([flip()])
    store.flip([down])
    other.flip([replace(down, at=NOON + timedelta(seconds=1)), flip("gw", State.DOWN)])
    assert store.flips("router", "ap") == [down, flip()]
    assert store.flips("router", "gw") == [flip("gw", State.DOWN)]


def test_a_time_of_another_zone_is_the_same_moment(store: Store) -> None:
    from zoneinfo import ZoneInfo

    store.flip([flip(at=NOON.astimezone(ZoneInfo("Europe/Berlin")))])
    [stored] = store.flips("router", "ap")
    assert (stored.at, stored.at.tzinfo) == (NOON, UTC)


def test_tidying_deletes_old_flips_but_never_the_last_one_of_a_name(store: Store) -> None:
    old = [flip(after=State.DOWN), flip(after=State.UP, at=NOON + timedelta(hours=1)), flip("gw", State.DOWN)]
    for each in old:
        store.flip([each])
    store.flip([flip("gw", at=NOON + timedelta(days=2))])
    store.tidy(NOON + timedelta(days=1))
    assert store.flips("router", "ap") == [old[1]], "it says since when"
    assert store.flips("router", "gw") == [flip("gw", at=NOON + timedelta(days=2))]


# --- the worker ---


def test_only_the_last_beat_is_remembered(store: Store, other: Store) -> None:
    assert other.last_beat() is None
    store.beat(Beat(NOON, 0.0))
    second = Beat(NOON + timedelta(seconds=10), 2.5, "line 1\nline 2")
    store.beat(second)
    assert other.last_beat() == second
    assert sql(store, "SELECT count(*) FROM beat") == [(1,)]


# --- when it fails ---


@pytest.mark.parametrize(
    ("garbage", "says"),
    [
        ("INSERT INTO flip VALUES (1, '2026-01-01 00:00:00.000000', 'site', 'x', NULL, 'great', '[]', NULL)", "great"),
        (
            "INSERT INTO flip VALUES (1, '2026-01-01 00:00:00.000000', 'site', 'x', NULL, 'up', '{', NULL)",
            "validation error",
        ),
        ("INSERT INTO flip VALUES (1, 'yesterday', 'site', 'x', NULL, 'up', '[]', NULL)", "yesterday"),
        ("INSERT INTO beat VALUES (1, 'yesterday', 0, '')", "yesterday"),
        ("INSERT INTO lease VALUES ('ap', 'nobody', '2999-01-01 00:00:00.000000')", "values to unpack"),
        ("DROP TABLE source", "no such table: source"),
    ],
)
def test_a_row_that_wifimgr_never_wrote_is_one_clear_line(store: Store, garbage: str, says: str) -> None:
    sql(store, garbage)
    with pytest.raises(StoreError) as caught:
        [store.last_flips(), store.last_beat(), store.leased(), store.known()]
    [line] = caught.value.lines()
    assert says in line
    assert line.startswith(f"{store.path}: the store cannot be used: ")


@pytest.mark.parametrize("again", [False, True], ids=["gone", "another one in its place"])
def test_a_file_that_was_taken_away_is_followed(store: Store, tmp_path: Path, again: bool) -> None:
    """What is still open shows nobody else what is written to it: page and command line would disagree."""
    store.record([good(), good("gw")])
    store.flip([flip(), flip("gw")])
    assert (len(store.known()), len(store.last_flips())) == (2, 2)
    for path in tmp_path.glob("state.db*"):
        path.rename(tmp_path / f"old-{path.name}")
    if again:
        with closing(Store(tmp_path)) as fresh:
            fresh.record([bad()])
            fresh.flip([flip(after=State.DOWN)])
    assert [known.failures for known in store.known().values()] == ([1] if again else [])
    assert [each.after for each in store.last_flips().values()] == ([State.DOWN] if again else [])
    store.beat(Beat(NOON, 0.0))
    with closing(Store(tmp_path)) as other:
        assert other.last_beat() == Beat(NOON, 0.0)


def test_a_file_that_comes_back_is_used_again(store: Store, tmp_path: Path) -> None:
    store.record([good()])
    store.path.rename(tmp_path / "away")
    store.path.mkdir()
    with pytest.raises(StoreError):
        store.known()
    store.path.rmdir()
    (tmp_path / "away").rename(store.path)
    store.record([good("gw")])
    assert ("gw", "snmp") in store.known()


def test_what_does_not_fit_on_the_disk_is_told_and_nothing_is_half_done(store: Store) -> None:
    store.record([good()])
    store.flip([flip()])
    [(pages,)] = sql(store, "PRAGMA page_count")
    with closing(Store(store.path.parent)) as full:
        with full._engine.connect() as connection:  # as much as there is now; one connection, which is used again
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        acts = [
            lambda: full.record([good(str(number), measured=EVERYTHING) for number in range(100)]),
            lambda: full.flip([flip(str(number)) for number in range(1000)]),
        ]
        for act in acts:
            with pytest.raises(StoreError) as caught:
                act()
            assert "database or disk is full" in caught.value.line()
        assert full.known().keys() == {("ap", "snmp")}
        assert full.last_flips().keys() == {("router", "ap")}
