"""router.sh on a real shell, call by call: cuts, full flash, locks, and the seconds around the deadline."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import IN_CI
from tests.real import torture
from tests.real.calls import ask, changes, confirm, done, file_change, push
from tests.real.conftest import TOP, Start
from tests.real.routers import OWN, PATIENCE, Listing, Router, wait_for, write
from wifimgr.errors import RouterError
from wifimgr.push import script
from wifimgr.push.apply import new_transaction
from wifimgr.ssh import Deadline, connect

pytestmark = pytest.mark.real

KEEP = torture.KEEP


# ---------------------------------------------------------------- power


@pytest.mark.scenario(13)
def test_random_power_cuts_never_leave_a_mixture(start: Start) -> None:
    seed = 0 if IN_CI else random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    routers = [start("ash"), start("dash")]
    with ThreadPoolExecutor(2) as pool:
        score = torture.total(pool.map(torture.cut_power, routers, [torture.delays(dice, 10) for _ in routers]))
    assert (score.cuts, score.harm) == (20, 0), score
    assert score.new < 20, "some came in time"


@pytest.mark.scenario(13)
@pytest.mark.scenario(14)
@pytest.mark.scenario(41)
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_torture_finds_no_harm_and_says_so_in_one_line(start: Start) -> None:
    start()  # where real routers cannot be had, this skips
    command = [sys.executable, "-m", "tests.real.torture", "--cuts=40", "--levels=20", "--routers=2", "--seed=0"]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True)
    pattern = r"40 cuts, 20 levels, [1-9]\d{2,} prefixes: 0 mixed, 0 damaged, 0 lost\n"
    assert re.fullmatch(pattern, done.stdout), done.stdout + done.stderr
    assert (done.returncode, done.stderr) == (0, "seed 0\n")


def test_torture_finds_out_a_router_without_its_guard(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    assert script.ROUTER_SH.count("\tinstall_guard\n") == 1
    monkeypatch.setattr(script, "ROUTER_SH", script.ROUTER_SH.replace("\tinstall_guard\n", ""))
    router = start("ash")
    assert any(torture.cut_power(router, [0.2 * number]).harm for number in range(1, 20))


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


@pytest.mark.scenario(14)
def test_a_flash_of_any_fill_level_refuses_or_carries_the_change_whole(start: Start) -> None:
    router = start("dash", flash_kb=1024)
    for free in range(0, 161, 8):
        score = torture.fill(router, [(free, 0)])
        assert score.harm == 0, free
        assert free not in (0, 160) or score.new == (free == 160)


@pytest.mark.scenario(15)
def test_a_flash_that_fills_up_inside_the_window_does_not_keep_a_router_from_going_back(router: Router) -> None:
    old = router.flash()
    tx, words = push(router, changes(router), within=2)
    assert words == ["applied"]
    router.fill_flash()
    wait_for(lambda: router.marks() == ["rolledback"])
    assert router.flash() == old
    assert ask(router, script.confirm(tx)) == ["state", "rolledback"]


LIAR = """#!/bin/sh
echo "Filesystem 1K-blocks Used Available Use% Mounted on"
echo "overlay 9999 0 9999 0% /"
"""


@pytest.mark.scenario(16)
def test_a_flash_that_is_full_all_of_a_sudden_empties_no_file(start: Start) -> None:
    # What plain "uci commit" does there: it replaces the file by one of 0 bytes and says that all is well.
    router = start("dash", flash_kb=1024)
    (router.tree / "bin/df").unlink()
    write(router.tree / "bin/df", LIAR, 0o755)
    old = router.flash()
    for free in (0, 4, 12, 20, 28, 36):
        router.fill_flash(free)
        assert push(router, changes(router))[1] == ["refused", "nospace"]
        assert router.flash() == old, free


# ---------------------------------------------------------------- firmware upgrades, clocks


def upgrade(router: Router) -> None:
    """A sysupgrade: only etc/config stays, and what the lists in lib/upgrade/keep.d name; then it boots."""
    listed = [line for file in (router.tree / "lib/upgrade/keep.d").iterdir() for line in file.read_text().split()]
    router.power_cut()
    for path in [*OWN, KEEP]:
        if f"/{path}" not in listed and f"/{path}/" not in listed:
            shutil.rmtree(router.tree / path, ignore_errors=True)
            (router.tree / path).unlink(missing_ok=True)
    write(router.tree / "etc/openwrt_release", "DISTRIB_RELEASE='99.01'\n")
    router.boot()


def configuration(router: Router) -> Listing:
    """The files that a sysupgrade keeps."""
    return {path: entry for path, entry in router.flash().items() if path.startswith("etc/config/")}


@pytest.mark.scenario(34)
def test_after_a_sysupgrade_between_two_pushes_the_guard_is_there_again(router: Router) -> None:
    tx, _ = push(router, changes(router))
    assert confirm(router, tx) == ["state", "confirmed"]
    confirmed = configuration(router)
    write(router.tree / KEEP, "")  # a list of somebody else
    upgrade(router)
    assert configuration(router) == confirmed
    assert [path for path in OWN if os.path.lexists(router.tree / path)] == []
    assert push(router, changes(router, turn=2))[1] == ["applied"]
    assert configuration(router) != confirmed
    router.power_cut()
    router.boot()
    assert configuration(router) == confirmed
    assert router.marks() == ["rolledback"]


@pytest.mark.scenario(44)
def test_a_sysupgrade_in_the_window_brings_the_old_files_back(router: Router) -> None:
    old = configuration(router)
    assert push(router, changes(router))[1] == ["applied"]
    assert configuration(router) != old
    upgrade(router)
    assert configuration(router) == old
    assert router.marks() == ["rolledback"]
    assert push(router, changes(router, turn=2))[1] == ["applied"]


@pytest.mark.scenario(20)
@pytest.mark.parametrize("year", ["1970", "2036"])
def test_a_clock_that_jumps_by_years_moves_no_deadline(start: Start, year: str) -> None:
    # The clock itself belongs to the whole machine. What a router has of it are the dates of its files, and "date".
    router = start("dash")
    (router.tree / "bin/date").unlink()
    old, began = router.flash(), time.monotonic()
    tx, words = push(router, changes(router), within=4)
    assert words == ["applied"]
    router.run(f"find /etc /tmp -exec touch -h -d {year}-06-01 {{}} +")
    assert ask(router, script.look(tx))[:2] == ["state", "pending"]
    assert router.marks() == ["pending"]
    wait_for(lambda: router.marks() == ["rolledback"])
    assert time.monotonic() - began >= 3
    assert router.flash() == old


# ---------------------------------------------------------------- what is refused


@pytest.mark.scenario(5)
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


@pytest.mark.scenario(3)
@pytest.mark.scenario(4)
@pytest.mark.scenario(32)
@pytest.mark.scenario(36)
@pytest.mark.scenario(44)
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


@pytest.mark.scenario(6)
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


@pytest.mark.scenario(42)
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


def test_a_shell_that_is_kept_does_not_keep_the_lock(router: Router) -> None:
    call = script.look("nothing")  # which takes it, to see whether somebody is about to arm
    with connect(router.target, Deadline(PATIENCE)) as connection:
        output = connection.run(call.text, Deadline(PATIENCE), keep=call.end)
        assert script.Answer(router.name, call, output).line() == ["state", "unknown"]
        assert not connection.is_kept
        assert ask(router, script.confirm("nothing")) == ["state", "unknown"]


# ---------------------------------------------------------------- confirm, rollback, and the deadline


def test_a_confirm_needs_two_logins_some_time_apart(router: Router) -> None:
    tx, _ = push(router, changes(router), gap=2)
    time.sleep(2.2)  # the reload was asked for, and nothing has to settle
    with connect(router.target, Deadline(PATIENCE)) as first:
        assert ask(router, script.confirm(tx), first) == ["state", "pending", "200"]
        time.sleep(2.1)
        assert ask(router, script.confirm(tx), first) == ["state", "pending", "100"]  # it is still the same login
    assert ask(router, script.confirm(tx)) == ["state", "confirmed"]


@pytest.mark.scenario(9)
@pytest.mark.scenario(11)
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


@pytest.mark.scenario(17)
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


@pytest.mark.scenario(19)
def test_a_dead_man_that_is_killed_is_replaced_by_the_next_login(router: Router) -> None:
    old = router.flash()
    tx, _ = push(router, changes(router), within=2)
    # The shell that waits, not its sleep: as when memory runs out.
    router.run("for p in $(pidof sleep); do kill -9 $(awk '{ print $4 }' /proc/$p/stat); done; kill -9 $(pidof sleep)")
    time.sleep(3)
    assert router.marks() == ["pending"]
    assert router.flash() != old
    assert ask(router, script.show(["etc/banner"])) == ["files"]
    assert router.flash() == old
    assert ask(router, script.look(tx)) == ["state", "rolledback", "0"]


@pytest.mark.scenario(26)
def test_every_byte_a_shell_can_carry_arrives(router: Router) -> None:
    raw = bytes(range(1, 256)) * 40 + b"\n\n"
    assert push(router, [file_change(router, "etc/bytes", raw)])[1] == ["applied"]
    assert router.read("etc/bytes") == raw
    shown = script.show(["etc/bytes"])
    with connect(router.target, Deadline(PATIENCE)) as connection:
        output = connection.run(shown.text, Deadline(PATIENCE))
    assert script.read_show(script.Answer(router.name, shown, output)).files == {"etc/bytes": raw}
