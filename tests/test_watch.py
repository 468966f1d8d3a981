"""Who is asked when, what a source may do without harm, and what is kept of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.watching import FINE, Fake, fine, install, network, never, until
from wifimgr import watch
from wifimgr.errors import ConfigError
from wifimgr.inventory import Inventory
from wifimgr.model import Failure, Measured, Reading, Router, State
from wifimgr.sources import SourceError
from wifimgr.ssh import KnownHosts
from wifimgr.store import Store
from wifimgr.watch import AT_ONCE, Watcher, askable, keep, next_turn, opened, poll_all, poll_router, sources_of

Fakes = dict[str, Fake]
KNOWN_HOSTS = KnownHosts(Path("there-is-none"))


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    return install(monkeypatch, "snmp", "ubus", "ping")


class Clock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def ended(readings: list[Reading]) -> dict[str, Failure | None]:
    return {reading.source: reading.failure for reading in readings}


# --- one router ---


def poll(inventory: Inventory, fakes: Fakes, seconds: float = 60.0) -> list[Reading]:
    return asyncio.run(poll_router(inventory.routers["ap-0"], fakes, seconds))


def test_all_sources_of_a_router_are_asked_at_the_same_time(tmp_path: Path, fakes: Fakes) -> None:
    """Each answers only when all have been asked."""

    async def when_all_are_asked(router: Router) -> Measured:
        await until(lambda: all(fake.asked for fake in fakes.values()))
        return FINE

    for fake in fakes.values():
        fake.answer = when_all_are_asked
    readings = poll(network(tmp_path), fakes)
    assert [(reading.source, reading.measured) for reading in readings] == [
        ("snmp", FINE),
        ("ubus", FINE),
        ("ping", FINE),
    ]
    assert {reading.router for reading in readings} == {"ap-0"}
    assert {seconds for fake in fakes.values() for seconds in fake.seconds} == {60.0}, "one deadline for all"


def test_a_source_that_hangs_is_given_up_and_the_others_count(tmp_path: Path, fakes: Fakes) -> None:
    fakes["ubus"].answer = never
    readings = poll(network(tmp_path), fakes, seconds=0.2)
    assert ended(readings) == {"snmp": None, "ubus": Failure.TIMEOUT, "ping": None}
    assert fakes["ubus"].at_once == 0, "it does not go on in the background"


class Odd(BaseException):
    """What no library should raise."""


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (SourceError(Failure.AUTH, "wrong password"), Failure.AUTH),
        (ConfigError("missing-secret", "there is no secret"), Failure.SETUP),
        (RuntimeError("a bug"), Failure.ANSWER),
        (TimeoutError(), Failure.TIMEOUT),
        (asyncio.CancelledError(), Failure.ANSWER),
        (asyncio.InvalidStateError("x"), Failure.ANSWER),
        (Odd("x"), Failure.ANSWER),
    ],
)
def test_whatever_a_source_raises_is_a_failure_of_that_source_alone(
    tmp_path: Path, fakes: Fakes, error: BaseException, failure: Failure
) -> None:
    async def fail(router: Router) -> Measured:
        raise error

    fakes["ubus"].answer = fail
    readings = poll(network(tmp_path), fakes)
    assert ended(readings) == {"snmp": None, "ubus": failure, "ping": None}
    assert readings[1].detail
    assert readings[1].measured is None


def test_whoever_ends_a_poll_ends_its_sources(tmp_path: Path, fakes: Fakes) -> None:
    inventory = network(tmp_path)
    fakes["ubus"].answer = never

    async def run() -> None:
        task = asyncio.create_task(poll_router(inventory.routers["ap-0"], fakes, 60.0))
        await until(lambda: fakes["ubus"].at_once)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert fakes["ubus"].at_once == 0


def test_only_sources_that_are_there_are_asked_in_the_order_of_the_inventory(tmp_path: Path, fakes: Fakes) -> None:
    router = network(tmp_path, sources="[map, ping, snmp, respondd]").routers["ap-0"]
    assert sources_of(router) == ["ping", "snmp"]
    assert list(askable(router, fakes, ())) == ["ping", "snmp"]


def test_nobody_logs_in_where_somebody_works(tmp_path: Path, fakes: Fakes) -> None:
    inventory = network(tmp_path)
    assert list(askable(inventory.routers["ap-0"], fakes, {"ap-0"})) == ["snmp", "ping"]
    assert list(askable(inventory.routers["ap-1"], fakes, {"ap-0"})) == ["snmp", "ubus", "ping"]


def test_what_is_taken_while_routers_are_asked_comes_once_and_nothing_is_lost(
    tmp_path: Path, fakes: Fakes, clock: Clock
) -> None:
    """One router answers before somebody takes the readings, one after that."""
    inventory = network(tmp_path)
    go_on = asyncio.Event()

    async def answer(router: Router) -> Measured:
        if router.name != "ap-0":
            await go_on.wait()
        return FINE

    for fake in fakes.values():
        fake.answer = answer

    async def run() -> None:
        watcher = Watcher(inventory, fakes, {}, clock)
        taken: list[Reading] = []
        watcher.ask_due()

        def look() -> bool:
            taken.extend(watcher.take())
            return bool(taken)

        await until(look)
        assert {reading.router for reading in taken} == {"ap-0"}
        go_on.set()
        await until(lambda: not watcher._polls)
        taken.extend(watcher.take())
        names = [(reading.router, reading.source) for reading in taken]
        assert sorted(names) == sorted({(name, source) for name in inventory.routers for source in fakes})
        await watcher.close()

    asyncio.run(run())


# --- open and close ---


def test_only_the_sources_that_are_needed_are_opened_and_all_are_closed(tmp_path: Path, fakes: Fakes) -> None:
    inventory = network(tmp_path, sources="[snmp, ping]")

    async def fail_to_close() -> None:
        fakes["snmp"].closed += 1
        raise OSError("already gone")

    fakes["snmp"].close = fail_to_close  # type: ignore[method-assign]

    async def run() -> None:
        async with opened(inventory, KNOWN_HOSTS, inventory.routers.values()) as sources:
            assert list(sources) == ["snmp", "ping"]

    asyncio.run(run())
    assert [(fake.opened, fake.closed) for fake in fakes.values()] == [(1, 1), (0, 0), (1, 1)]


def test_a_source_that_cannot_be_opened_fails_and_the_others_count(
    tmp_path: Path, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(network: object, known_hosts: KnownHosts) -> Fake:
        raise ConfigError("unreadable-file", "the profile cannot be read")

    monkeypatch.setitem(watch.SOURCES, "ubus", fail)  # type: ignore[arg-type]
    inventory = network(tmp_path, 1)
    [readings] = asyncio.run(poll_all(inventory, KNOWN_HOSTS, inventory.routers.values())).values()
    assert ended(readings) == {"snmp": None, "ubus": Failure.SETUP, "ping": None}
    assert readings[1].detail == "it cannot be opened: the profile cannot be read [unreadable-file]"
    assert (fakes["snmp"].closed, fakes["ping"].closed) == (1, 1)


# --- all once ---


def test_polling_all_asks_everybody_once_and_not_too_many_at_the_same_time(tmp_path: Path, fakes: Fakes) -> None:
    inventory = network(tmp_path, 2 * AT_ONCE, "[snmp]")
    said: list[tuple[str, str, str]] = []

    async def slowly(router: Router) -> Measured:
        await asyncio.sleep(0.01)
        return FINE

    fakes["snmp"].answer = slowly
    say = lambda *told: said.append(told)  # noqa: E731
    readings = asyncio.run(poll_all(inventory, KNOWN_HOSTS, inventory.routers.values(), (), say))
    assert list(readings) == list(inventory.routers)
    assert all(len(each) == 1 for each in readings.values())
    assert sorted(fakes["snmp"].asked) == sorted(inventory.routers)
    assert fakes["snmp"].most_at_once == AT_ONCE
    assert ("ap-0", "snmp", "asks ap-0") in said
    assert fakes["snmp"].closed == 1


# --- who is due ---


@pytest.mark.parametrize("interval", [1.0, 60.0, 3600.0])
def test_turns_come_once_an_interval_at_the_place_of_the_name(interval: float) -> None:
    turn = next_turn("ap-0", interval, 1000.0)
    assert 1000.0 + interval / 2 <= turn < 1000.0 + 1.5 * interval
    for late in (0.0, 0.4 * interval):
        assert next_turn("ap-0", interval, turn + late) == pytest.approx(turn + interval)
    assert next_turn("ap-0", interval, turn + 0.6 * interval) == pytest.approx(turn + 2 * interval), (
        "not twice in a row"
    )


def test_turns_of_many_routers_are_spread_over_the_interval() -> None:
    turns = [next_turn(f"jz-{n:03}-ap", 60.0, 0.0) % 60 for n in range(500)]
    seconds = [sum(second <= turn < second + 6 for turn in turns) for second in range(0, 60, 6)]
    assert min(seconds) > 25
    assert max(seconds) < 80


def test_everybody_is_asked_at_the_start_and_then_once_an_interval(tmp_path: Path, fakes: Fakes, clock: Clock) -> None:
    inventory, snmp = network(tmp_path, 20, "[snmp]"), fakes["snmp"]

    async def pass_time(watcher: Watcher, seconds: int) -> list[str]:
        snmp.asked.clear()
        for _ in range(seconds):
            watcher.ask_due()
            await until(lambda: not watcher._polls)
            clock.now += 1
        return sorted(snmp.asked)

    async def run() -> None:
        watcher = Watcher(inventory, fakes, {}, clock)
        assert await pass_time(watcher, 1) == sorted(inventory.routers)
        assert set(await pass_time(watcher, 90)) == inventory.routers.keys()
        for _ in range(5):
            assert await pass_time(watcher, 60) == sorted(inventory.routers)
        await watcher.close()

    asyncio.run(run())


def test_never_too_many_are_asked_at_the_same_time(tmp_path: Path, fakes: Fakes, clock: Clock) -> None:
    inventory, snmp = network(tmp_path, 2 * AT_ONCE, "[snmp]"), fakes["snmp"]
    go = asyncio.Event()

    async def wait(router: Router) -> Measured:
        await go.wait()
        return FINE

    snmp.answer = wait

    async def run() -> None:
        watcher = Watcher(inventory, fakes, {}, clock)
        watcher.ask_due()
        await until(lambda: len(snmp.asked) == AT_ONCE)
        clock.now += 7
        watcher.ask_due()
        await asyncio.sleep(0.05)
        assert len(snmp.asked) == AT_ONCE
        assert watcher.lag == 7.0
        go.set()
        await until(lambda: not watcher._polls)
        assert sorted(snmp.asked) == sorted(inventory.routers), "each once"
        assert watcher.lag == 0.0
        assert len(watcher.take()) == 2 * AT_ONCE
        assert watcher.take() == []
        await watcher.close()

    asyncio.run(run())


def test_a_router_that_is_being_asked_is_not_asked_again(tmp_path: Path, fakes: Fakes, clock: Clock) -> None:
    inventory, snmp = network(tmp_path, 1, "[snmp]"), fakes["snmp"]
    snmp.answer = never

    async def run() -> None:
        watcher = Watcher(inventory, fakes, {}, clock)
        for _ in range(3):
            watcher.ask_due()
            await until(lambda: snmp.at_once == 1)
            clock.now += 1000
        assert snmp.asked == ["ap-0"]
        await watcher.close()

    asyncio.run(run())


@pytest.mark.parametrize(("interval", "seconds"), [("2s", 2.0), ("60s", 10.0)])
def test_sources_have_the_interval_to_answer_but_not_longer_than_ten_seconds(
    tmp_path: Path, fakes: Fakes, clock: Clock, interval: str, seconds: float
) -> None:
    async def run() -> None:
        watcher = Watcher(network(tmp_path, 1, "[snmp]", interval), fakes, {}, clock)
        watcher.ask_due()
        await until(lambda: not watcher._polls)
        await watcher.close()

    asyncio.run(run())
    assert fakes["snmp"].seconds == {seconds}


def test_a_leased_router_is_not_logged_in_to_and_is_asked_again_at_its_next_turn(
    tmp_path: Path, fakes: Fakes, clock: Clock
) -> None:
    async def run() -> None:
        watcher = Watcher(network(tmp_path, 2), fakes, {}, clock)
        watcher.ask_due({"ap-0"})
        await until(lambda: not watcher._polls)
        assert (sorted(fakes["snmp"].asked), fakes["ubus"].asked) == (["ap-0", "ap-1"], ["ap-1"])
        clock.now += 120
        watcher.ask_due()
        await until(lambda: not watcher._polls)
        assert sorted(fakes["ubus"].asked) == ["ap-0", "ap-1", "ap-1"]
        await watcher.close()

    asyncio.run(run())


def test_only_what_is_in_use_and_can_be_asked_is_asked(tmp_path: Path, fakes: Fakes, clock: Clock) -> None:
    inventory = network(tmp_path, 0, "[snmp]")
    site = tmp_path / "inventory/sites/haus.yaml"
    lives = {"a": "active", "b": "planned", "c": "retired", "d": "maintenance"}
    lines = [f"  {n}: {{addresses: [10.0.1.{i}], lifecycle: {life}}}" for i, (n, life) in enumerate(lives.items(), 1)]
    lines += ["  e: {addresses: [10.0.2.1], sources: []}", "  f: {addresses: [10.0.2.2], sources: [map]}"]
    site.write_text(site.read_text().replace("  {}", "\n".join(lines)))
    from wifimgr.inventory import load

    inventory = load(tmp_path)

    async def run() -> None:
        watcher = Watcher(inventory, fakes, {}, clock)
        watcher.ask_due()
        await until(lambda: not watcher._polls)
        await watcher.close()

    asyncio.run(run())
    assert sorted(fakes["snmp"].asked) == ["a", "d"]


def test_another_inventory_goes_on_where_the_last_one_was(tmp_path: Path, fakes: Fakes, clock: Clock) -> None:
    """Who was asked is not asked again at once, who is new is; who left is forgotten; a shorter interval counts."""
    snmp, due = fakes["snmp"], dict[str, float]()

    async def once(inventory: Inventory) -> list[str]:
        snmp.asked.clear()
        watcher = Watcher(inventory, fakes, due, clock)
        watcher.ask_due()
        await until(lambda: not watcher._polls)
        await watcher.close()
        return sorted(snmp.asked)

    async def run() -> None:
        assert await once(network(tmp_path, 3, "[snmp]", "1h")) == ["ap-0", "ap-1", "ap-2"]
        assert await once(network(tmp_path, 4, "[snmp]", "1h")) == ["ap-3"]
        assert await once(network(tmp_path, 1, "[snmp]", "5s")) == []
        assert due.keys() == {"ap-0"}
        clock.now += 5
        assert await once(network(tmp_path, 2, "[snmp]", "5s")) == ["ap-0", "ap-1"]

    asyncio.run(run())


def test_who_was_broken_off_stays_due(tmp_path: Path, fakes: Fakes, clock: Clock) -> None:
    inventory, snmp, due = network(tmp_path, 2 * AT_ONCE, "[snmp]"), fakes["snmp"], dict[str, float]()

    async def run() -> None:
        snmp.answer = never
        watcher = Watcher(inventory, fakes, due, clock)
        watcher.ask_due()
        await until(lambda: snmp.at_once == AT_ONCE)
        await watcher.close()
        assert snmp.at_once == 0
        assert watcher.take() == []
        snmp.answer, snmp.asked = fine, []
        watcher = Watcher(inventory, fakes, due, clock)
        watcher.ask_due()
        await until(lambda: not watcher._polls)
        assert sorted(snmp.asked) == sorted(inventory.routers)
        await watcher.close()

    asyncio.run(run())


# --- what is kept ---


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "state").mkdir()
    with closing(Store(tmp_path / "state")) as store:
        yield store


def reading(router: str, measured: Measured | None) -> Reading:
    failure = None if measured else Failure.TIMEOUT
    return Reading(
        router=router, source="snmp", at=datetime.now(UTC), took=0.1, failure=failure, detail="", measured=measured
    )


def states(store: Store) -> dict[str, State]:
    return {name: flip.after for (kind, name), flip in store.last_flips().items() if kind == "router"}


def test_readings_are_stored_and_what_changes_by_them_is_a_flip(tmp_path: Path, store: Store) -> None:
    inventory = network(tmp_path, 2, "[snmp]")
    keep(store, inventory, [reading("ap-0", FINE), reading("ap-1", FINE)])
    assert store.known().keys() == {("ap-0", "snmp"), ("ap-1", "snmp")}
    assert states(store) == {"ap-0": State.UP, "ap-1": State.UP}
    assert store.last_flips()["site", "haus"].after is State.UP
    keep(store, inventory, [])
    assert len(store.flips("router", "ap-0")) == 1, "nothing changed, so nothing is written"
    for _ in range(5):
        keep(store, inventory, [reading("ap-0", FINE), reading("ap-1", None)])
    assert states(store) == {"ap-0": State.UP, "ap-1": State.DOWN}
    [down, up] = store.flips("router", "ap-1")
    assert (down.before, down.after, up.before, up.after) == (State.UP, State.DOWN, None, State.UP)
