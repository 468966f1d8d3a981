"""The worker goes on, whatever files, sources and the disk do; and there is only one of it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.networks import write
from tests.watching import FINE, PATIENCE, Fake, install, network, never, until
from wifimgr import watch, worker
from wifimgr.errors import ConfigError
from wifimgr.inventory import load
from wifimgr.inventory.live import LiveInventory
from wifimgr.lab import SERVICES, Lab
from wifimgr.model import Failure, Flip, Measured, Router, State
from wifimgr.settings import make_state_dir
from wifimgr.store import Store
from wifimgr.store.leases import Held
from wifimgr.worker import Worker

Fakes = dict[str, Fake]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECONDS_BETWEEN_LOOKS", "BEAT"):
        monkeypatch.setattr(worker, name, 0.0)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    return install(monkeypatch, "snmp", "ubus", "ping")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    network(tmp_path)
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with closing(Store(make_state_dir(folder))) as store:
        yield store


@asynccontextmanager
async def working(folder: Path, store: Store, said: list[str]) -> AsyncIterator[asyncio.Task[None]]:
    """A worker that is told to stop at the end, and does."""
    stop = asyncio.Event()
    task = asyncio.create_task(Worker(LiveInventory(folder), store, said.append, tick=0.01).run(stop))
    try:
        yield task
        assert not task.done(), "it goes on until it is told to stop"
    finally:
        stop.set()
        await asyncio.wait([task], timeout=PATIENCE)
        await task


def sql(store: Store, statement: str) -> None:
    """Does something to the database without wifimgr."""
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.execute(statement)


def state(store: Store, name: str, kind: str = "router") -> State | None:
    flip = store.last_flips().get((kind, name))
    return flip and flip.after


def test_it_asks_everybody_keeps_what_comes_and_ends_when_told(folder: Path, store: Store, fakes: Fakes) -> None:
    said: list[str] = []

    async def run() -> None:
        async with working(folder, store, said):
            await until(lambda: state(store, "haus", "site") is State.UP)

    began = datetime.now(UTC)
    asyncio.run(run())
    assert {router for router, _ in store.known()} == {"ap-0", "ap-1", "ap-2"}
    beat = store.last_beat()
    assert beat
    assert began < beat.at <= datetime.now(UTC)
    assert (beat.lag, beat.inventory_error, said) == (0.0, "", [])
    assert {(fake.opened, fake.closed) for fake in fakes.values()} == {(1, 1)}
    with store.hold("watch", 60):
        """It has given its duty back."""


def test_a_source_that_hangs_stops_neither_the_others_nor_the_end(folder: Path, store: Store, fakes: Fakes) -> None:
    network(folder, interval="1h")
    fakes["ubus"].answer = never

    async def run() -> None:
        async with working(folder, store, []):
            await until(lambda: fakes["ubus"].at_once == 3 and len(fakes["snmp"].asked) == 3)
            beat = datetime.now(UTC)
            await until(lambda: (last := store.last_beat()) and last.at > beat)

    asyncio.run(run())
    assert fakes["ubus"].at_once == 0


def test_who_cancels_it_finds_everything_closed(folder: Path, store: Store, fakes: Fakes) -> None:
    fakes["ubus"].answer = never

    async def run() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(Worker(LiveInventory(folder), store, print, tick=0.01).run(stop))
        await until(lambda: fakes["ubus"].at_once)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert [fake.closed for fake in fakes.values()] == [1, 1, 1]
    with store.hold("watch", 60):
        pass


def test_a_beat_that_was_under_way_does_not_take_the_duty_again(
    folder: Path, store: Store, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way, go_on, renew = threading.Event(), threading.Event(), Held.renew

    def slow(held: Held) -> None:
        if fakes["ubus"].at_once:  # not when the duty is taken first
            under_way.set()
            go_on.wait(PATIENCE)
        renew(held)

    monkeypatch.setattr(Held, "renew", slow)
    monkeypatch.setattr("wifimgr.worker.BEAT", 0.01)
    fakes["ubus"].answer = never

    async def run() -> None:
        task = asyncio.create_task(Worker(LiveInventory(folder), store, print, tick=0.01).run(asyncio.Event()))
        await until(under_way.is_set)
        task.cancel()
        threading.Timer(0.2, go_on.set).start()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    monkeypatch.undo()
    with store.hold("watch", 60):
        pass


# --- files ---


def test_a_changed_inventory_is_followed(folder: Path, store: Store, fakes: Fakes) -> None:
    """A new router is asked, one that left is forgotten, and whoever stays keeps its turn."""
    network(folder, interval="1h")

    async def run() -> None:
        async with working(folder, store, []):
            await until(lambda: len(store.known()) == 9)
            network(folder, routers=2, sources="[snmp, ping]", interval="1h")
            await until(lambda: store.known().keys() == {(f"ap-{n}", s) for n in range(2) for s in ("snmp", "ping")})
            network(folder, routers=4, sources="[snmp, ping]", interval="1h")
            await until(lambda: len(store.known()) == 8)

    asyncio.run(run())
    assert sorted(fakes["snmp"].asked) == ["ap-0", "ap-1", "ap-2", "ap-2", "ap-3"]
    assert all(fake.opened == fake.closed for fake in fakes.values())
    assert fakes["snmp"].opened >= 3, "with every inventory anew"


def test_a_shorter_interval_counts_at_once(folder: Path, store: Store, fakes: Fakes) -> None:
    network(folder, interval="1h")

    async def run() -> None:
        async with working(folder, store, []):
            await until(lambda: len(fakes["snmp"].asked) == 3)
            network(folder, interval="1s")
            await until(lambda: len(fakes["snmp"].asked) >= 9)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("inventory/sites/haus.yaml", "name: [", "inventory/sites/haus.yaml:1: "),
        ("inventory/known_hosts", "ap-0 ssh-ed25519 nonsense!", "inventory/known_hosts:1: is no host key"),
    ],
)
def test_a_broken_file_is_told_once_and_what_was_good_stays_in_use(
    folder: Path, store: Store, fakes: Fakes, name: str, text: str, says: str
) -> None:
    network(folder, interval="1s")
    said: list[str] = []
    good = (folder / name).read_text(encoding="utf-8") if (folder / name).exists() else ""

    def put(text: str) -> None:
        """Nobody sees half of it."""
        (folder / ".new").write_text(text, encoding="utf-8")
        (folder / ".new").replace(folder / name)

    def error() -> str:
        beat = store.last_beat()
        return beat.inventory_error if beat else "never"

    async def run() -> None:
        async with working(folder, store, said):
            await until(lambda: len(fakes["snmp"].asked) >= 3)
            put(text)
            await until(lambda: says in error())
            fakes["snmp"].asked.clear()
            await until(lambda: set(fakes["snmp"].asked) == {"ap-0", "ap-1", "ap-2"})
            put(good)
            await until(lambda: error() == "")

    asyncio.run(run())
    assert says in said[0]
    assert said[1:] == [
        "until this is right, the inventory as it was before stays in use",
        "the inventory is right again and used from now on",
    ]


def test_broken_host_keys_at_the_start_are_an_error(folder: Path, store: Store) -> None:
    (folder / "inventory/known_hosts").write_text("ap-0 ssh-ed25519 nonsense!\n", encoding="utf-8")
    with pytest.raises(ConfigError):
        Worker(LiveInventory(folder), store)


# --- only one ---


def test_a_second_worker_says_who_has_the_duty_and_takes_over(folder: Path, store: Store, fakes: Fakes) -> None:
    network(folder, interval="1h")
    first_said, second_said = list[str](), list[str]()

    async def run() -> None:
        with closing(Store(store.path.parent)) as other:
            async with working(folder, store, first_said):
                await until(lambda: len(fakes["snmp"].asked) == 3)
                second = working(folder, other, second_said)
                await second.__aenter__()
                await until(lambda: second_said)
                await asyncio.sleep(0.1)
                assert len(fakes["snmp"].asked) == 3, "the second one asks nobody"
            await until(lambda: len(fakes["snmp"].asked) == 6)
            await second.__aexit__(None, None, None)

    asyncio.run(run())
    assert first_said == []
    assert len(second_said) == 2, second_said
    assert second_said[0].startswith("watch: another wifimgr does this (")
    assert f":{os.getpid()})" in second_said[0]
    assert second_said[1] == "the other wifimgr has ended: this one watches now"


def test_a_worker_that_lost_its_duty_stops_asking(folder: Path, store: Store, fakes: Fakes) -> None:
    """As after a long sleep of the machine, when another one has taken over."""
    network(folder, interval="1s")
    said: list[str] = []

    async def run() -> None:
        async with working(folder, store, said):
            await until(lambda: len(fakes["snmp"].asked) >= 3)
            sql(store, "UPDATE lease SET owner = 'anderswo:1:x', expires = '2999-01-01 00:00:00.000000'")
            await until(lambda: said)
            await until(lambda: fakes["snmp"].closed == 1)
            sql(store, "DELETE FROM lease")
            await until(lambda: fakes["snmp"].opened == 2)

    asyncio.run(run())
    assert "another wifimgr does this (anderswo:1)" in said[0]


def test_nobody_logs_in_to_a_router_that_is_pushed_to(folder: Path, store: Store, fakes: Fakes) -> None:
    async def run() -> None:
        with store.lease("ap-1", 600):
            async with working(folder, store, []):
                await until(lambda: len(fakes["snmp"].asked) == 3 and len(fakes["ubus"].asked) >= 2)

    asyncio.run(run())
    assert sorted(fakes["ubus"].asked) == ["ap-0", "ap-2"]


# --- what fails ---


FULL = "CREATE TRIGGER full_{0} BEFORE {0} ON source BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
FULL_BEAT = FULL.replace("full_{0}", "full_beat_{0}").replace("ON source", "ON beat")


def test_a_full_disk_is_told_once_and_watching_goes_on(folder: Path, store: Store, fakes: Fakes) -> None:
    network(folder, interval="1s")
    said: list[str] = []

    async def run() -> None:
        async with working(folder, store, said):
            await until(lambda: store.last_beat() and len(store.known()) == 9)
            for act in ("INSERT", "UPDATE"):
                sql(store, FULL.format(act))
                sql(store, FULL_BEAT.format(act))
            await until(lambda: said)
            fakes["snmp"].asked.clear()
            await until(lambda: len(fakes["snmp"].asked) >= 9)
            assert len(said) == 1
            for act in ("INSERT", "UPDATE"):
                sql(store, f"DROP TRIGGER full_{act}")
                sql(store, f"DROP TRIGGER full_beat_{act}")
            polls = store.known()["ap-0", "snmp"].polls
            await until(lambda: store.known()["ap-0", "snmp"].polls > polls)
            await until(lambda: len(said) == 2)

    asyncio.run(run())
    assert "database or disk is full" in said[0]
    assert said[0].endswith("[store-failed]")
    assert said[1] == "the store works again"


def test_a_store_that_fails_at_the_start_is_told_and_tried_again(folder: Path, store: Store, fakes: Fakes) -> None:
    said: list[str] = []
    sql(store, "ALTER TABLE lease RENAME TO gone")

    async def run() -> None:
        async with working(folder, store, said):
            await until(lambda: said)
            await asyncio.sleep(0.05)
            sql(store, "ALTER TABLE gone RENAME TO lease")
            await until(lambda: len(said) == 2)

    asyncio.run(run())
    assert "no such table: lease" in said[0]
    assert said[1] == "the store works again"


def test_a_bug_of_ours_is_told_once_and_watching_goes_on(
    folder: Path, store: Store, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    network(folder, interval="1s")
    said: list[str] = []

    def fail(*_: object) -> None:
        raise ZeroDivisionError("oh\nno")

    monkeypatch.setattr(watch, "judge", fail)

    async def run() -> None:
        async with working(folder, store, said):
            await until(lambda: len(fakes["snmp"].asked) >= 9 and len(store.known()) == 9)
            await until(store.last_beat)

    asyncio.run(run())
    assert said == ["this is a bug in wifimgr: ZeroDivisionError: oh no [bug]"]


# --- time alone ---


def test_health_changes_by_itself_when_no_answer_comes_any_more(folder: Path, store: Store, fakes: Fakes) -> None:
    """Nobody is asked again for an hour, but what was heard is too old long before."""
    network(folder, routers=1, sources="[snmp]", interval="1h")

    async def run() -> None:
        async with working(folder, store, []):
            await until(lambda: state(store, "ap-0") is State.UP)
            sql(store, 'UPDATE source SET latest = replace(latest, \'"at":"2\', \'"at":"1\'), version = version + 1')
            await until(lambda: state(store, "ap-0") is State.UNKNOWN)

    asyncio.run(run())
    assert len(fakes["snmp"].asked) == 1


def test_old_flips_are_deleted(folder: Path, store: Store, fakes: Fakes) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=366)
    for after in (State.DOWN, State.UP):
        store.flip([Flip(at=long_ago, kind="router", name="ap-0", before=None, after=after)])

    async def run() -> None:
        async with working(folder, store, []):
            await until(store.last_beat)

    asyncio.run(run())
    assert State.DOWN not in [flip.after for flip in store.flips("router", "ap-0")]


def test_a_router_that_falls_silent_is_down_after_some_polls(folder: Path, store: Store, fakes: Fakes) -> None:
    network(folder, routers=2, sources="[snmp]", interval="1s")

    async def answer(router: Router) -> Measured:
        if router.name == "ap-1" and silent:
            raise TimeoutError
        return FINE

    silent = False
    fakes["snmp"].answer = answer

    async def run() -> None:
        nonlocal silent
        async with working(folder, store, []):
            await until(lambda: state(store, "ap-1") is State.UP)
            silent = True
            await until(lambda: state(store, "ap-1") is State.DOWN and state(store, "ap-0") is State.UP)
            silent = False
            await until(lambda: state(store, "ap-1") is State.UP)

    asyncio.run(run())


# --- with simulated routers ---


def test_real_routers_that_lose_and_regain_their_power(tmp_path: Path) -> None:
    house = "name: Haus\nkind: library\ninterval: 2s\nrouters:\n  gw: {addresses: [192.0.2.1], sources: [snmp, ping]}\n"
    house += '  node: {addresses: ["2001:db8::1"], platform: gluon, behind: gw, sources: [respondd]}\n'
    folder = write(tmp_path, haus=house)
    (folder / "secrets").mkdir()
    (folder / "secrets/community").write_text("geheim-4711\n", encoding="ascii")
    inventory = load(folder)
    state_dir = make_state_dir(folder)
    said: list[str] = []
    profile = inventory.network.snmp_profile
    with Lab(state_dir / "lab", inventory.routers.values(), tuple(SERVICES), profile) as lab:
        lab.move_in(folder, inventory.network.ssh_profiles, {})

        async def run() -> None:
            async with working(folder, store, said):
                await until(lambda: state(store, "node") is State.UP)
                lab.routers["gw"].power_cut()
                await until(lambda: state(store, "gw") is State.DOWN)
                await until(lambda: state(store, "node") is State.UNKNOWN)
                await asyncio.to_thread(lab.routers["gw"].boot)
                await until(lambda: state(store, "node") is State.UP)

        with closing(Store(state_dir)) as store:
            asyncio.run(run())
            newest, *older = [flip.after for flip in store.flips("router", "node")]
            assert newest is State.UP
            assert State.UNKNOWN in older
            known = store.known()
    assert said == []
    assert known["node", "respondd"].latest.measured
    assert known["gw", "ping"].failed[Failure.TIMEOUT] >= 2
