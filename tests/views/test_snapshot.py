"""A look that is shared: one at a time, however many ask, and a failing one too."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.networks import write
from tests.readings import good, seen
from wifimgr.errors import StoreError
from wifimgr.inventory import load
from wifimgr.settings import make_state_dir
from wifimgr.store import Store
from wifimgr.views.snapshot import Looker, Snapshot, take

NOW = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)


@pytest.fixture
def one(tmp_path: Path) -> Snapshot:
    return seen(load(write(tmp_path)), NOW)


def test_a_look_takes_everything_at_one_moment(tmp_path: Path) -> None:
    inventory = load(write(tmp_path))
    store = Store(make_state_dir(tmp_path))
    try:
        store.record([good("eins-gw", "ping", NOW)])
        found = take(inventory, store, NOW)
    finally:
        store.close()
    assert (found.at, found.inventory) == (NOW, inventory)
    assert found.known.keys() == {("eins-gw", "ping")}
    assert found.verdict.sites.keys() == {"eins"}


def test_one_look_is_shared_by_all_who_ask_meanwhile_and_soon_after(one: Snapshot) -> None:
    looks = 0
    everybody_asks = threading.Barrier(8)

    def look() -> Snapshot:
        nonlocal looks
        looks += 1
        return one

    looker = Looker(look, 3600)

    def ask() -> Snapshot:
        everybody_asks.wait(60)
        return looker()

    with ThreadPoolExecutor(8) as threads:
        answers = [asked.result() for asked in [threads.submit(ask) for _ in range(8)]]
    assert answers == [one] * 8
    assert looker() is one
    assert looks == 1


def test_an_old_look_is_not_shown_again(one: Snapshot) -> None:
    looks: list[Snapshot] = []

    def look() -> Snapshot:
        looks.append(one)
        return one

    looker = Looker(look, 0)
    looker()
    looker()
    assert len(looks) == 2


def test_a_failing_look_is_shared_too_and_tried_again_later(one: Snapshot) -> None:
    outcomes: list[Snapshot | StoreError] = [StoreError("store-failed", "disk full"), one]

    def look() -> Snapshot:
        outcome = outcomes.pop(0)
        if isinstance(outcome, StoreError):
            raise outcome
        return outcome

    looker = Looker(look, 3600)
    for _ in range(3):
        with pytest.raises(StoreError, match="disk full"):
            looker()
    assert outcomes == [one]
    looker._until = 0.0  # an hour later
    assert looker() is one


def test_a_bug_is_not_kept(one: Snapshot) -> None:
    outcomes: list[Snapshot] = []
    looker = Looker(lambda: outcomes.pop(), 3600)
    with pytest.raises(IndexError):
        looker()
    outcomes.append(one)
    assert looker() is one
