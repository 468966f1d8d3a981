"""router.sh on a real shell, call by call: cuts, full flash, locks, and the seconds around the deadline."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import IN_CI
from tests.real.conftest import Start
from tests.real.routers import PATIENCE, Listing, Router, wait_for
from wifimgr.errors import RouterError
from wifimgr.model import PathChange
from wifimgr.push import script
from wifimgr.push.apply import new_transaction
from wifimgr.ssh import Connection, Deadline, connect

pytestmark = pytest.mark.real

KEEP = "lib/upgrade/keep.d/wifimgr"
PACKAGES = ("dhcp", "firewall", "network", "system", "wireless")


def ask(router: Router, call: script.Call, connection: Connection | None = None) -> list[str]:
    """The first words that a router answers to one call."""
    if connection is None:
        with connect(router.target, Deadline(PATIENCE)) as connection:
            return ask(router, call, connection)
    return script.Answer(router.name, call, connection.run(call.text, Deadline(PATIENCE))).line()


def changes(router: Router, *, turn: int = 1) -> list[PathChange]:
    """A change of five packages, a new file, and a file that goes or comes back."""
    paths = [
        PathChange(path=path, before=before, after=re.sub(rb"# turn .*\n|\Z", b"# turn %d\n" % turn, before, count=1))
        for path, before in ((f"etc/config/{name}", router.read(f"etc/config/{name}")) for name in PACKAGES)
    ]
    new, banner = (router.tree / path for path in ("etc/new/folder/file", "etc/banner"))
    has_new = new.exists()
    paths.append(file_change(router, "etc/new/folder/file", None if has_new else b"new\n"))
    paths.append(file_change(router, "etc/banner", None if banner.exists() else b"banner\n"))
    return paths


def file_change(router: Router, path: str, after: bytes | None) -> PathChange:
    """A change of one file to these bytes; None: it goes."""
    there = (router.tree / path).exists()
    before = router.read(path) if there else None
    return PathChange(path=path, before=before, after=after, mode="" if there else "640")


def push(
    router: Router, paths: list[PathChange], *, within: float = 60, gap: float = 0, tx: str = ""
) -> tuple[str, list[str]]:
    """Applies a change that can be confirmed as soon as its reload was asked for; returns its name and the answer."""
    tx = tx or new_transaction()
    return tx, ask(router, script.push(tx, paths, within=within, settle=0, gap=gap, forget=False))


def confirm(router: Router, tx: str) -> list[str]:
    """Asks for a confirm until it is more than 'not yet'."""

    def answer() -> list[str]:
        words = ask(router, script.confirm(tx))
        return [] if words[1] in ("pending", "busy") else words

    return wait_for(answer)


def done(router: Router, paths: list[PathChange]) -> bool:
    """Whether a router has exactly these files."""
    return all(
        router.read(path.path) == path.after if path.after is not None else not (router.tree / path.path).exists()
        for path in paths
    )


# ---------------------------------------------------------------- power


def test_random_power_cuts_never_leave_a_mixture(start: Start) -> None:
    seed = 0 if IN_CI else random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    delays = [[dice.uniform(0, 0.2) for _ in range(7)] + [dice.uniform(0, 2.3) for _ in range(3)] for _ in range(2)]
    routers = [start("ash"), start("dash")]
    with ThreadPoolExecutor(2) as pool:
        ends = [end for found in pool.map(cut_and_look, routers, delays) for end in found]
    assert len(ends) == 20
    assert "old" in ends


def cut_and_look(router: Router, delays: list[float]) -> list[str]:
    """Cuts the power of a router so many seconds into one push after the other; returns how each ended."""
    ends = []
    for turn, delay in enumerate(delays):
        paths, old = changes(router, turn=turn), router.flash()
        told: list[str] = []
        controller = threading.Thread(target=push_until_cut, args=(router, paths, told))
        controller.start()
        time.sleep(delay)
        router.power_cut()
        controller.join()
        router.boot()
        assert not {"pending", "undo"} & set(router.marks()), (turn, delay)
        is_new = done(router, paths)
        # Which paths to keep over a sysupgrade is a list for sysupgrade alone; it goes with the next push.
        assert is_new or without(router.flash(), KEEP) == without(old, KEEP), (turn, delay, told)
        assert is_new or "confirmed" not in told, (turn, delay)
        ends.append("new" if is_new else "old")
    return ends


def push_until_cut(router: Router, paths: list[PathChange], told: list[str]) -> None:
    """What a controller does, until it cannot."""
    with suppress(RouterError):
        tx, words = push(router, paths)
        assert words == ["applied"]
        told.append(confirm(router, tx)[1])


def without(listing: Listing, *paths: str) -> Listing:
    return {path: entry for path, entry in listing.items() if path not in paths}


def test_a_power_cut_while_going_back_is_no_harm(router: Router) -> None:
    old, paths = router.flash(), changes(router)
    for turn in range(3):
        tx, words = push(router, paths)
        assert words == ["applied"]
        assert done(router, paths)
        undo = threading.Thread(target=take_back_until_cut, args=(router, tx))
        undo.start()
        time.sleep(0.03 * (turn + 1))
        router.power_cut()
        undo.join()
        router.boot()
        assert router.flash() == old
        assert ask(router, script.look(tx)) == ["state", "rolledback", "0"]


def take_back_until_cut(router: Router, tx: str) -> None:
    with suppress(RouterError):
        ask(router, script.take_back(tx))


# ---------------------------------------------------------------- flash


def test_a_flash_of_any_fill_level_refuses_or_carries_the_change_whole(start: Start) -> None:
    router = start("dash", flash_kb=1024)
    old, answers = router.flash(), []
    for free in range(0, 161, 8):
        router.fill_flash(free)
        paths = changes(router)
        tx, words = push(router, paths)
        answers.append(words)
        if words == ["applied"]:
            assert done(router, paths)
            router.fill_flash()  # going back needs no room
            assert ask(router, script.take_back(tx)) == ["state", "rolledback"]
        assert router.flash() == old, free
        assert [name for name in router.own() if name.startswith(("tx.", "pending."))] == []
    assert answers[0] == ["refused", "nospace"]
    assert answers[-1] == ["applied"]


def test_a_flash_that_fills_up_inside_the_window_does_not_keep_a_router_from_going_back(router: Router) -> None:
    old = router.flash()
    tx, words = push(router, changes(router), within=2)
    assert words == ["applied"]
    router.fill_flash()
    wait_for(lambda: router.marks() == ["rolledback"])
    assert router.flash() == old
    assert ask(router, script.confirm(tx)) == ["state", "rolledback"]


# ---------------------------------------------------------------- what is refused


def test_a_file_that_uci_cannot_read_is_refused(router: Router) -> None:
    old = router.flash()
    tx, words = push(router, [file_change(router, "etc/config/system", b"config system\n\toption hostname 'x\n")])
    assert words[:2] == ["refused", "badconf"]
    assert "unterminated" in " ".join(words)
    assert router.flash() == old
    assert router.own() == []
    assert ask(router, script.confirm(tx)) == ["state", "unknown"]


def test_staged_bytes_that_are_not_the_wished_ones_are_refused(start: Start) -> None:
    router = start("dash")
    old = router.flash()
    call = script.push(new_transaction(), changes(router), within=60, settle=0, gap=0, forget=False)
    spoilt = script.Call(call.nonce, call.text.replace("# turn 1", "# turn 7", 1))
    assert ask(router, spoilt) == ["refused", "nospace"]
    assert router.flash() == old


SPOIL: dict[str, Callable[[Router], object]] = {
    "moved": lambda router: router.run("echo '# by hand' >>/etc/config/wireless"),
    "staged": lambda router: router.run("mkdir /tmp/.uci && echo \"-wireless.radio0.channel='6'\" >/tmp/.uci/wireless"),
    "baseline": lambda router: router.run("rm /var/run/config.md5"),
    "format": lambda router: router.run("mkdir /etc/wifimgr && echo 99 >/etc/wifimgr/format"),
    "upgrade": lambda router: run_program(router, "sysupgrade"),
    "autoupdate": lambda router: run_program(router, "autoupdater"),
    "reconfigure": lambda router: router.run("echo >/etc/config/network_gluon-old"),
    "readonly": lambda router: router.run("mount -o remount,ro /"),
    "ram": lambda router: router.run("cp -a /etc /tmp/etc; mount -t tmpfs ram /etc; cp -a /tmp/etc/. /etc"),
    "nospace": lambda router: router.fill_flash(60),
}


def run_program(router: Router, name: str) -> str:
    """Something of this name runs, as a script that calls another program does."""
    return router.run(
        f"printf '#!/bin/sh\\nsleep 60\\ntrue\\n' >/tmp/{name}; chmod +x /tmp/{name}; /tmp/{name} >/dev/null 2>&1 &"
    )


@pytest.mark.parametrize("reason", SPOIL)
def test_what_a_push_must_not_run_over_is_refused(start: Start, reason: str) -> None:
    router = start("dash")
    paths = changes(router)
    SPOIL[reason](router)
    old, own = router.flash(), router.own()
    _, words = push(router, paths)
    assert words[:2] == ["refused", reason]
    assert router.flash() == old
    assert router.own() == own


def test_a_file_that_appeared_meanwhile_is_not_overwritten(start: Start) -> None:
    router = start("dash")
    paths = changes(router)
    router.run("mkdir -p /etc/new/folder && echo mine >/etc/new/folder/file")
    assert push(router, paths)[1] == ["refused", "moved"]
    assert router.read("etc/new/folder/file") == b"mine\n"


def test_a_second_change_waits_until_the_first_is_closed(router: Router) -> None:
    tx, _ = push(router, changes(router))
    again = changes(router, turn=2)
    assert push(router, again)[1] == ["refused", "pending", f"pending.{tx}"]
    assert confirm(router, tx) == ["state", "confirmed"]
    assert push(router, again)[1] == ["applied"]


# ---------------------------------------------------------------- an upload that is cut


def test_an_upload_that_is_cut_runs_nothing(router: Router) -> None:
    tx, old = new_transaction(), router.inodes()
    call = script.push(tx, changes(router), within=60, settle=0, gap=0, forget=False)
    raw = call.text.encode()
    for size in (len(raw) // 3, len(raw) - 200, len(raw) - 3):
        logins = router.log().count("auth succeeded")
        send_and_break(router, raw[:size])
        assert router.log().count("auth succeeded") == logins + 1
        wait_for(lambda: len(router.processes()) == 2)
        assert router.inodes() == old
    assert ask(router, call) == ["applied"]


def send_and_break(router: Router, raw: bytes) -> None:
    """Sends the beginning of a script; when all of it has arrived, the connection breaks."""
    with connect(router.target, Deadline(PATIENCE)) as connection:
        transport = connection._transport
        channel = transport.open_session(timeout=PATIENCE)
        channel.exec_command("sh -s")
        channel.sendall(raw)
        transport.global_request("is-it-all-there", wait=True)
        transport.sock.close()


# ---------------------------------------------------------------- one holder of the lock


def test_of_three_contenders_for_a_stale_lock_one_wins(router: Router) -> None:
    router.run("echo 4711 >/tmp/wifimgr.lock")  # what a holder leaves that lost its life
    ready = threading.Barrier(3)

    def contend(number: int) -> list[str]:
        paths = [file_change(router, f"etc/contender-{number}", b"me\n")]
        call = script.push(new_transaction(), paths, within=60, settle=0, gap=0, forget=False)
        with connect(router.target, Deadline(PATIENCE)) as connection:
            ready.wait()
            return ask(router, call, connection)

    for _ in range(4):
        with ThreadPoolExecutor(3) as pool:
            answers = sorted(pool.map(contend, range(3)))
        assert answers[0] == ["applied"]
        assert [words[:2] for words in answers[1:] if words[1] not in ("busy", "pending")] == []
        assert [mark for mark in router.marks() if mark == "pending"] == ["pending"]
        [tx] = [name.partition(".")[2] for name in router.own() if name.startswith("pending")]
        assert ask(router, script.take_back(tx)) == ["state", "rolledback"]


def test_the_lock_of_a_holder_that_is_killed_is_free(router: Router) -> None:
    paths = changes(router)
    hold = script._call("lock && say held", "echo $$ >/tmp/holder", "while :; do sleep 1 9>&-; done")
    with connect(router.target, Deadline(PATIENCE)) as connection:
        channel = connection._transport.open_session(timeout=PATIENCE)
        channel.exec_command("sh -s")
        channel.sendall(hold.text.encode())
        wait_for(lambda: Path(f"/proc/{router.init}/root/tmp/holder").exists())
        assert push(router, paths)[1] == ["refused", "busy"]
        assert ask(router, script.confirm("nothing")) == ["state", "busy"]
        router.run("kill -9 $(cat /tmp/holder)")
        assert push(router, paths)[1] == ["applied"]


# ---------------------------------------------------------------- confirm, rollback, and the deadline


def test_a_confirm_needs_two_logins_some_time_apart(router: Router) -> None:
    tx, _ = push(router, changes(router), gap=2)
    time.sleep(2.2)  # the reload was asked for, and nothing has to settle
    with connect(router.target, Deadline(PATIENCE)) as first:
        assert ask(router, script.confirm(tx), first) == ["state", "pending", "2"]
        time.sleep(2.1)
        assert ask(router, script.confirm(tx), first) == ["state", "pending", "1"]  # it is still the same login
    assert ask(router, script.confirm(tx)) == ["state", "confirmed"]


def test_a_confirm_can_be_asked_again_and_a_late_one_hears_the_truth(router: Router) -> None:
    old, paths = router.flash(), changes(router)
    tx, _ = push(router, paths)
    assert confirm(router, tx) == confirm(router, tx) == ["state", "confirmed"]
    assert ask(router, script.take_back(tx)) == ["state", "confirmed"]
    router.run("kill $(pidof sleep)")  # its dead man wakes up and has nothing to do
    wait_for(lambda: len(router.processes()) == 2)
    assert done(router, paths)

    back = changes(router, turn=2)
    tx, _ = push(router, back, within=2)
    assert done(router, back)
    wait_for(lambda: "rolledback" in router.marks())
    assert done(router, paths)
    assert ask(router, script.confirm(tx)) == ["state", "rolledback"]
    assert ask(router, script.look(tx)) == ["state", "rolledback", "0"]
    assert set(router.flash()) == (set(old) | {"etc/new/folder/file"}) - {"etc/banner"}


def test_confirm_and_rollback_in_the_same_second_have_one_winner(start: Start) -> None:
    within = 3
    routers = [start(shell) for shell in ("ash", "dash") * 3]
    offsets = [-1.2, -0.9, -0.6, -0.3, -0.1, 0.1]

    def race(router: Router, offset: float) -> str:
        old, paths = router.flash(), changes(router)
        tx = new_transaction()
        began = time.monotonic()
        assert push(router, paths, within=within, tx=tx)[1] == ["applied"]
        ask(router, script.look(tx))
        ready, told = threading.Barrier(3), list[str]()

        def ask_then(after: float) -> None:
            with connect(router.target, Deadline(PATIENCE)) as connection:
                ready.wait()
                time.sleep(max(0.0, began + within + offset + after - time.monotonic()))
                told.append(ask(router, script.confirm(tx), connection)[1])

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(ask_then, (0, 0.05, 0.1)))
        end = confirm(router, tx)[1]
        assert {*told, end} - {"busy", "pending"} == {end}
        assert (router.flash() == old, done(router, paths)) == (end == "rolledback", end == "confirmed")
        return end

    with ThreadPoolExecutor(len(routers)) as pool:
        ends = list(pool.map(race, routers, offsets))
    assert set(ends) <= {"confirmed", "rolledback"}


def test_a_dead_man_that_is_killed_is_replaced_by_the_next_login(router: Router) -> None:
    old = router.flash()
    tx, _ = push(router, changes(router), within=2)
    # The shell that waits, not its sleep: as when memory runs out.
    router.run("for p in $(pidof sleep); do kill -9 $(awk '{ print $4 }' /proc/$p/stat); done; kill -9 $(pidof sleep)")
    time.sleep(3)
    assert router.marks() == ["pending"]
    assert router.flash() != old
    assert ask(router, script.show(["etc/banner"]))[0] == "file"
    assert router.flash() == old
    assert ask(router, script.look(tx)) == ["state", "rolledback", "0"]


def test_every_byte_a_shell_can_carry_arrives(router: Router) -> None:
    raw = bytes(range(1, 256)) * 40 + b"\n\n"
    assert push(router, [file_change(router, "etc/bytes", raw)])[1] == ["applied"]
    assert router.read("etc/bytes") == raw
    shown = script.show(["etc/bytes"])
    with connect(router.target, Deadline(PATIENCE)) as connection:
        output = connection.run(shown.text, Deadline(PATIENCE))
    assert script.read_show(script.Answer(router.name, shown, output)).files == {"etc/bytes": raw}
