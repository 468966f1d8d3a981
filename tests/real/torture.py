"""Power cuts without end, flash of every fill level, and every order in which writes can be lost.

    python -m tests.real.torture [--cuts 1000] [--levels 200] [--routers 6] [--seed SEED]

Cuts and levels are those of real routers (dropbear, busybox, once with dash as shell), several at the same time. The
prefixes are those of :mod:`tests.push.powercut`: every moment of a push, a confirm and an undo at which the power can
go, with all that was not synced by then lost, cut short, or arrived alone.

Prints one line and ends with 1 unless all its counts of harm are 0. The seed is told first, so that a run can be
repeated; on a machine that is as busy as then, the cuts come at the same moments.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, fields
from pathlib import Path

from tests.push.box import Box
from tests.push.powercut import Reboots
from tests.push.scenarios import POWER_CUTS
from tests.real.calls import ask, changes, confirm, done, file_change, push
from tests.real.routers import House, Listing, Router
from wifimgr.errors import RouterError
from wifimgr.model import PathChange
from wifimgr.push import script

KEEP = "lib/upgrade/keep.d/wifimgr"
"""Which paths to keep over a sysupgrade is a list for sysupgrade alone; it goes with the next push."""
SOON, LATE = 0.2, 2.3
"""Seconds: most cuts come while the router is being armed, some until the change is confirmed."""
MOST_FREE = 160
"""KB of free flash with which any change of ours fits."""
LARGEST = 40
"""KB of the largest file that is pushed to a flash that is nearly full."""


@dataclass
class Score:
    """What was tried, and what harm was seen. Scores can be added."""

    cuts: int = 0
    levels: int = 0
    prefixes: int = 0
    mixed: int = 0
    """Some files are old and some are new, or a change was left open."""
    damaged: int = 0
    """A file is neither the old nor the new one."""
    lost: int = 0
    """A change that was called confirmed is not there."""
    new: int = 0
    """How often the change was there in the end."""

    def __iadd__(self, other: Score) -> Score:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        return self

    @property
    def harm(self) -> int:
        """How often anything was wrong."""
        return self.mixed + self.damaged + self.lost

    def __str__(self) -> str:
        return (
            f"{self.cuts} cuts, {self.levels} levels, {self.prefixes} prefixes: "
            f"{self.mixed} mixed, {self.damaged} damaged, {self.lost} lost"
        )


def total(scores: Iterable[Score]) -> Score:
    """All of them together."""
    score = Score()
    for each in scores:
        score += each
    return score


def _tell(score: Score, what: str) -> None:
    """Says what was tried when harm was seen."""
    if score.harm:
        print(f"{what}: {score}", file=sys.stderr)


# ---------------------------------------------------------------- power


def delays(dice: random.Random, number: int) -> list[float]:
    """When the power goes, in seconds after a push began."""
    return [dice.uniform(0, LATE if dice.random() < 0.3 else SOON) for _ in range(number)]


def cut_power(router: Router, moments: Iterable[float]) -> Score:
    """Cuts the power of a router so many seconds into one push after the other, and looks what came of each."""
    score = Score()
    for turn, moment in enumerate(moments):
        paths, old = changes(router, turn=turn), router.flash()
        told: list[str] = []
        controller = threading.Thread(target=push_until_cut, args=(router, paths, told))
        controller.start()
        time.sleep(moment)
        router.power_cut()
        controller.join()
        router.boot()
        one = judged(router, paths, old, told)
        _tell(one, f"{router.name}, cut {moment:.3f} s after the start of push {turn}: told {told}, {router.own()}")
        score += one
    return score


def push_until_cut(router: Router, paths: list[PathChange], told: list[str]) -> None:
    """What a controller does, until it cannot."""
    with suppress(RouterError):
        tx, words = push(router, paths)
        told += words if words != ["applied"] else confirm(router, tx)[1:]


def judged(router: Router, paths: list[PathChange], old: Listing, told: list[str]) -> Score:
    """What a router came up with after a cut."""
    now, was = router.flash(), dict(old)
    for listing in (now, was):
        listing.pop(KEEP, None)
    is_new, is_old = done(router, paths), now == was
    wished = {path.path: path.after for path in paths}
    allowed = {path: {was[path][0] if path in was else None, wished.get(path, b"")} for path in wished}
    whole = all((now[path][0] if path in now else None) in known for path, known in allowed.items())
    others = {path: entry for path, entry in now.items() if path not in wished}
    whole = whole and others == {path: entry for path, entry in was.items() if path not in wished}
    is_open = bool({"pending", "undo"} & set(router.marks()))
    return Score(
        cuts=1,
        mixed=int(whole and (is_open or not (is_new or is_old))),
        damaged=int(not whole),
        lost=int("confirmed" in told and not is_new),
        new=int(is_new),
    )


# ---------------------------------------------------------------- flash


def fill(router: Router, levels: Iterable[tuple[int, int]]) -> Score:
    """Pushes to a router with so many KB of free flash, each time with a new file of so many KB, and takes it back."""
    score = Score()
    for free, size in levels:
        old = router.flash()
        router.fill_flash(free)
        paths = [*changes(router), *([file_change(router, "etc/large", b"x" * (size << 10))] if size else [])]
        tx, words = push(router, paths)
        applied = words == ["applied"]
        is_new = done(router, paths)
        if applied:
            router.fill_flash()  # going back needs no room
            words = ask(router, script.take_back(tx))
        leftovers = [name for name in router.own() if name.startswith(("tx.", "pending.", "undo."))]
        # "io": a file of the image has to be copied before it can be renamed, and there was no room left for that.
        ended = [["state", "rolledback"]] if applied else [["refused", "nospace"], ["refused", "io"]]
        went_back = words in ended and not leftovers
        is_old = router.flash() == old
        one = Score(
            levels=1, mixed=int((applied and not is_new) or not went_back), damaged=int(not is_old), new=int(applied)
        )
        _tell(one, f"{router.name}, {free} KB free, a file of {size} KB: {words}, {leftovers}")
        score += one
    return score


# ---------------------------------------------------------------- what is lost of unsynced writes


def replay(folder: Path) -> Score:
    """Every moment of every kind of change at which the power can go; each different tree once."""
    score = Score()
    for number, (name, scenario) in enumerate(POWER_CUTS.items()):
        box = Box(folder / str(number))
        before = Reboots.all_checked
        try:
            scenario(box)
        except AssertionError as error:
            print(f"{name}: {error}", file=sys.stderr)
            score.mixed += "mixed" in str(error) or "left open" in str(error)
            score.damaged += "damaged" in str(error)
            score.lost += not score.mixed and not score.damaged
        finally:
            box.kill_all()
        score.prefixes += Reboots.all_checked - before
    return score


# ---------------------------------------------------------------- all of it


def torture(house: House, cuts: int, levels: int, routers: int, seed: int) -> Score:
    """All of it, on so many routers at the same time."""
    dice = random.Random(seed)
    moments = delays(dice, cuts)
    steps = [(MOST_FREE * number // max(1, levels - 1), 0) for number in range(levels)]
    steps = [(free, size if 0 < free < MOST_FREE else 0) for free, _ in steps for size in [dice.randrange(LARGEST)]]
    with ExitStack() as stack, ThreadPoolExecutor(2 * routers + 1) as pool:
        work = []
        for number in range(routers):
            shell = ("ash", "dash")[number % 2]
            one, other = (stack.enter_context(house.router(shell, flash_kb=size)) for size in (8192, 1024))
            work.append(pool.submit(cut_power, one, moments[number::routers]))
            work.append(pool.submit(fill, other, steps[number::routers]))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        work.append(pool.submit(replay, folder))
        return total(each.result() for each in work)


def main() -> None:
    """Runs it and tells what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--levels", type=int, default=200)
    parser.add_argument("--routers", type=int, default=6, help="how many are tortured at the same time")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    options = parser.parse_args()
    print(f"seed {options.seed}", file=sys.stderr)
    house = House()
    try:
        score = torture(house, options.cuts, options.levels, options.routers, options.seed)
    finally:
        house.close()
    print(score)
    sys.exit(int(score.harm > 0))


if __name__ == "__main__":
    main()
