"""What router.sh has to do, one promise a function. Each takes a fresh router and fails by an assertion.

They are functions of their own because mutations.py runs them against broken scripts too, where they must fail.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any

from tests.push.box import Box, Paths, changes
from tests.push.powercut import Reboots, Recorder, tree_of
from wifimgr.push import script

SYSTEM = "etc/config/system"
BANNER = "etc/banner"
NEW = "etc/neu/tief/datei"
KEEP = "lib/upgrade/keep.d/wifimgr"


def wish(box: Box) -> Paths:
    """A change of one file, a new file in new folders, and a file that goes."""
    old = box.read(SYSTEM) or b""
    return {
        SYSTEM: (old, old.replace(b"OpenWrt", b"neu")),
        BANNER: (box.read(BANNER), None),
        NEW: (None, b"neu\n"),
    }


def applied(box: Box, tx: str = "t1", **times: Any) -> Paths:
    """Arms and applies :func:`wish`."""
    paths = wish(box)
    assert box.push(paths, tx, **times) == ["applied"]
    assert_new(box, paths)
    return paths


def assert_new(box: Box, paths: Paths) -> None:
    assert {path: box.read(path) for path in paths} == {path: after for path, (_, after) in paths.items()}


def assert_refused(box: Box, reason: str, paths: Paths | None = None, tx: str = "t9") -> None:
    """A push is refused for this reason and leaves no trace."""
    flash, state = box.flash(), box.state()
    assert box.push(paths or wish(box), tx)[:2] == ["refused", reason]
    assert (box.flash(), box.state()) == (flash, state)


def rolled_back(box: Box, tx: str = "t1") -> bool:
    return f"rolledback.{tx}" in box.state()


# --- the way it should go ---


def change_is_applied_and_confirmed(box: Box) -> None:
    paths = applied(box)
    assert "pending.t1" in box.state()
    box.settle()
    assert box.look().state == "pending"
    assert box.confirm() == script.Standing("confirmed")
    assert_new(box, paths)
    assert box.state() == ["confirmed.t1", "format", "tx.t1"]
    assert box.read(f"etc/wifimgr/tx.t1/old/{SYSTEM}") == paths[SYSTEM][0]
    assert not box.has("etc/wifimgr/tx.t1/new")
    assert list((box.root / "tmp/wifimgr").iterdir()) == []


def confirm_can_be_asked_again(box: Box) -> None:
    box.confirmed(wish(box))
    assert box.confirm() == script.Standing("confirmed")
    assert box.look() == script.Standing("confirmed")


def dead_man_does_nothing_to_a_confirmed_change(box: Box) -> None:
    paths = wish(box)
    box.confirmed(paths)
    box.advance(1000)
    time.sleep(0.15)
    assert_new(box, paths)
    assert box.state() == ["confirmed.t1", "format", "tx.t1"]


def only_the_newest_snapshot_stays(box: Box) -> None:
    box.confirmed(wish(box), "t1")
    box.confirmed({SYSTEM: (box.read(SYSTEM), b"config system\n")}, "t2")
    assert box.state() == ["confirmed.t2", "format", "tx.t2"]


def modes_are_kept_and_set(box: Box) -> None:
    (box.root / SYSTEM).chmod(0o640)
    (box.root / BANNER).chmod(0o604)
    paths = {
        SYSTEM: (box.read(SYSTEM), b"config system\n"),
        BANNER: (box.read(BANNER), b"x"),
        NEW: (None, b"x"),
    }
    flash = box.flash()
    assert box.push(paths, modes={BANNER: "0755", NEW: "0644"}) == ["applied"]
    modes = {path: (box.root / path).stat().st_mode & 0o7777 for path in paths}
    assert modes == {SYSTEM: 0o640, BANNER: 0o755, NEW: 0o644}
    assert box.take_back().state == "rolledback"
    assert box.flash() == flash


def new_folders_can_be_entered_by_all(box: Box) -> None:
    applied(box)
    assert (box.root / "etc/neu/tief").stat().st_mode & 0o777 == 0o755


def our_folder_is_closed_to_others(box: Box) -> None:
    (box.root / "etc/wifimgr").mkdir(mode=0o755)
    applied(box)
    assert (box.root / "etc/wifimgr").stat().st_mode & 0o777 == 0o700


def old_secret_leaves_the_flash_once_confirmed(box: Box) -> None:
    box.confirmed(wish(box), forget=True)
    assert box.state() == ["confirmed.t1", "format"]


# --- taking it back ---


def dead_man_undoes_what_nobody_confirms(box: Box) -> None:
    flash = box.flash()
    applied(box, within=60)
    box.advance(58)
    time.sleep(0.1)
    assert not rolled_back(box)
    box.advance(2)
    box.until(lambda: rolled_back(box) and not box.has("etc/wifimgr/tx.t1"))
    assert box.flash() == flash
    assert box.state() == ["format", "rolledback.t1"]


def daemons_take_up_the_old_files_after_an_undo(box: Box) -> None:
    baseline = box.read("tmp/run/config.md5")
    applied(box, within=60)
    box.settle()
    assert box.read("tmp/run/config.md5") != baseline
    box.advance(60)
    box.until(lambda: box.read("tmp/run/config.md5") == baseline)


def router_that_nobody_reaches_after_an_undo_reboots_once(box: Box) -> None:
    left_alone(box)
    box.advance(29)
    time.sleep(0.15)
    assert box.reboots == 0
    box.advance(1)
    box.until(lambda: box.reboots)
    assert box.state() == ["format", "rebooted.t1", "rolledback.t1"]
    box.power_cut()
    box.boot()
    box.advance(1000)
    time.sleep(0.1)
    assert box.reboots == 1


def left_alone(box: Box, reboot: int = 30) -> None:
    """The dead man took a change back, and waits for somebody to come."""
    applied(box, within=60, reboot=reboot)
    box.settle()
    box.advance(60)
    box.until(lambda: rolled_back(box) and (box.has("tmp/wifimgr/alone.t1") or not reboot))
    box.until(lambda: box.asleep or not reboot)


def any_login_after_an_undo_keeps_a_router_from_rebooting(box: Box) -> None:
    calls = (lambda: box.look("t1"), lambda: box.show("etc/x"), lambda: box.confirm("t1"))
    for call in calls:
        left_alone(box)
        box.advance(20)
        call()
        box.advance(20)
        does_not_reboot(box)


def does_not_reboot(router: Box) -> None:
    """Its time is over."""
    router.until(lambda: not router.asleep)
    time.sleep(0.15)
    assert router.reboots == 0


def router_reboots_never_where_that_is_wished(box: Box) -> None:
    left_alone(box, reboot=0)
    box.advance(1000)
    time.sleep(0.15)
    assert box.reboots == 0


def router_that_has_rebooted_for_a_change_does_not_do_so_again(box: Box) -> None:
    left_alone(box)
    box.write("etc/wifimgr/rebooted.t1", "")
    box.advance(31)
    does_not_reboot(box)


def router_that_cannot_note_its_reboot_does_not_reboot(box: Box) -> None:
    left_alone(box)
    (box.root / "etc/wifimgr/rebooted.t1").symlink_to("/nowhere/at/all")
    box.advance(31)
    does_not_reboot(box)


def router_that_is_being_pushed_to_does_not_reboot(box: Box) -> None:
    left_alone(box)
    holder = holding_the_lock(box)
    try:
        box.advance(31)
        does_not_reboot(box)
    finally:
        holder.kill()
        holder.wait()


def router_reboots_also_when_the_reload_after_an_undo_hangs(box: Box) -> None:
    applied(box, within=60, reboot=30)
    box.settle()
    box.write("lab/fault", "hang")
    box.advance(60)
    box.until(lambda: box.has("tmp/wifimgr/alone.t1"))

    def rebooted() -> int:
        box.advance(1)
        return box.reboots

    box.until(rebooted)


def mark_of_a_reboot_goes_with_the_next_confirm(box: Box) -> None:
    router_that_nobody_reaches_after_an_undo_reboots_once(box)
    box.run([*box.shell, str(box.tools / "reload_config"), "boot"])
    box.confirmed(wish(box), "t2")
    assert box.state() == ["confirmed.t2", "format", "tx.t2"]


def undo_ends_a_reload_that_has_not_begun(box: Box) -> None:
    def reloads() -> int:
        box.advance(1)
        return (box.read("tmp/run/reloads") or b"").count(b"x")

    applied(box)
    assert box.take_back().state == "rolledback"
    box.until(reloads)
    time.sleep(0.1)
    assert reloads() == 1


def take_back_undoes_at_once_and_can_be_asked_again(box: Box) -> None:
    flash = box.flash()
    applied(box)
    assert box.take_back().state == "rolledback"
    assert box.flash() == flash
    assert not box.has(NEW.split("/tief")[0])
    assert box.take_back() == script.Standing("rolledback")
    assert box.confirm() == script.Standing("rolledback")


def folder_that_was_there_before_stays(box: Box) -> None:
    (box.root / "etc/neu").mkdir(mode=0o755)
    flash = box.flash()
    applied(box)
    assert box.take_back().state == "rolledback"
    assert box.flash() == flash


def late_confirm_is_told_that_the_router_went_back(box: Box) -> None:
    flash = box.flash()
    applied(box, within=60)
    box.settle()
    box.look()
    box.kill_all()
    box.advance(60)
    assert box.confirm() == script.Standing("rolledback")
    assert box.flash() == flash


def any_later_call_undoes_an_overdue_change(box: Box) -> None:
    for number, call in enumerate([lambda: box.show("etc/x"), lambda: box.look("other")]):
        flash = box.flash()
        applied(box, f"t{number}", within=60)
        box.kill_all()
        box.advance(59)
        call()
        assert f"pending.t{number}" in box.state()
        box.advance(1)
        call()
        assert rolled_back(box, f"t{number}")
        assert box.flash() == flash


def next_push_undoes_an_overdue_change_first(box: Box) -> None:
    paths = applied(box, "t1", within=60)
    box.kill_all()
    box.advance(61)
    assert box.push({NEW: (None, b"x")}, "t2") == ["applied"]
    assert box.read(SYSTEM) == paths[SYSTEM][0]
    assert box.read(NEW) == b"x"
    assert {"rolledback.t1", "pending.t2"} < set(box.state())


def change_from_before_a_reboot_is_undone_by_the_next_call(box: Box) -> None:
    flash = box.flash()
    applied(box, within=60)
    box.power_cut()
    box.show("etc/x")
    assert rolled_back(box)
    assert box.flash() == flash


def reboot_undoes_before_the_network_starts(box: Box) -> None:
    flash = box.flash()
    applied(box)
    box.power_cut()
    box.boot()
    assert box.flash() == flash
    assert box.state() == ["format", "rolledback.t1"]
    box.boot()
    assert box.flash() == flash


def reboot_keeps_what_is_confirmed(box: Box) -> None:
    paths = wish(box)
    box.confirmed(paths)
    box.power_cut()
    box.boot()
    assert_new(box, paths)


def older_guard_is_replaced(box: Box) -> None:
    box.write("etc/init.d/wifimgr", "#!/bin/sh\nexit 0\n")
    reboot_undoes_before_the_network_starts(box)


def guard_that_cannot_run_any_more_is_repaired(box: Box) -> None:
    box.confirmed(wish(box))
    (box.root / "etc/init.d/wifimgr").chmod(0o644)
    assert box.push({NEW: (box.read(NEW), b"x")}, "t2") == ["applied"]
    assert (box.root / "etc/init.d/wifimgr").stat().st_mode & 0o100


def secret_that_a_power_cut_left_goes_at_the_next_boot(box: Box) -> None:
    cut_right_after_the_confirm(box)
    box.power_cut()
    box.boot()
    assert box.state() == ["confirmed.t1", "format"]


def secret_that_a_lost_connection_left_goes_at_the_next_look(box: Box) -> None:
    cut_right_after_the_confirm(box)
    assert box.look() == script.Standing("confirmed")
    assert box.state() == ["confirmed.t1", "format"]


def cut_right_after_the_confirm(box: Box, *, forget: bool = True) -> None:
    """The marker is there, and nothing of what follows it."""
    applied(box, forget=forget)
    (box.root / "etc/wifimgr/pending.t1").rename(box.root / "etc/wifimgr/confirmed.t1")
    assert "tx.t1" in box.state()


def boot_clears_the_list_for_sysupgrade(box: Box) -> None:
    cut_right_after_the_confirm(box, forget=False)
    box.power_cut()
    box.boot()
    assert box.read(KEEP) is None
    assert "tx.t1" in box.state(), "what holds no secret stays"


def sysupgrade_keeps_the_snapshot_only_inside_the_window(box: Box) -> None:
    listed = b"/etc/wifimgr/\n/etc/init.d/wifimgr\n/etc/rc.d/S09wifimgr\n"
    applied(box, "t1")
    assert box.read(KEEP) == listed
    box.take_back("t1")
    assert box.read(KEEP) is None
    applied(box, "t2")
    box.settle("t2")
    box.look("t2")
    assert box.confirm("t2").state == "confirmed"
    assert box.read(KEEP) is None


FAILING_MV = """#!/bin/sh
case "$*" in *{what}*) [ -e "$WIFIMGR_ROOT/lab/mv-works" ] || exit 1 ;; esac
exec /bin/mv "$@"
"""


def rolled_back_is_said_only_when_the_files_are_back(box: Box) -> None:
    flash = box.flash()
    applied(box)
    box.put_tool("mv", FAILING_MV.format(what="/old/etc/config/system"))
    assert box.take_back().state == "undo"
    assert "undo.t1" in box.state()
    assert not rolled_back(box)
    assert_refused(box, "pending", {NEW: (None, b"x")})
    box.write("lab/mv-works", "")
    box.show("etc/x")
    assert rolled_back(box)
    assert box.flash() == flash


FAILING_RM = """#!/bin/sh
case "$*" in *neu/tief/datei*) [ -e "$WIFIMGR_ROOT/lab/rm-works" ] || exit 1 ;; esac
exec /bin/rm "$@"
"""


def rolled_back_is_said_only_when_the_one_file_is_back(box: Box) -> None:
    assert box.push({SYSTEM: (box.read(SYSTEM), b"config system\n")}) == ["applied"]
    box.put_tool("mv", FAILING_MV.format(what="/old/etc/config/system"))
    assert box.take_back().state == "undo"
    assert not rolled_back(box)


def what_somebody_changed_since_an_undo_is_theirs(box: Box) -> None:
    applied(box)
    box.put_tool("rm", FAILING_RM)
    assert box.take_back().state == "undo"
    box.write(SYSTEM, "config system 'theirs'\n")
    box.write("lab/rm-works", "")
    assert box.take_back().state == "rolledback"
    assert box.read(SYSTEM) == b"config system 'theirs'\n"


def folder_in_the_way_does_not_stop_an_undo(box: Box) -> None:
    paths = applied(box)
    (box.root / SYSTEM).unlink()
    (box.root / SYSTEM).mkdir()
    assert box.take_back().state == "rolledback"
    assert box.read(SYSTEM) == paths[SYSTEM][0]


def rolled_back_is_said_only_when_new_files_are_gone(box: Box) -> None:
    applied(box)
    box.put_tool("rm", FAILING_RM)
    assert box.take_back().state == "undo"
    box.write("lab/rm-works", "")
    assert box.take_back().state == "rolledback"
    assert not box.has(NEW)


def rolled_back_is_said_only_when_modes_are_back(box: Box) -> None:
    applied(box)
    (box.root / "etc/wifimgr/tx.t1/old" / SYSTEM).chmod(0o777)
    assert box.take_back().state == "undo"


def rolled_back_is_said_only_when_contents_are_back(box: Box) -> None:
    applied(box)
    snapshot = f"etc/wifimgr/tx.t1/old/{SYSTEM}"
    box.write(snapshot, (box.read(snapshot) or b"").decode().replace("OpenWrt", "0penWrt"))
    assert box.take_back().state == "undo"
    assert box.look().state == "undo"  # asking again makes a bad snapshot no better
    box.boot()
    assert box.look().state == "undo"


def rolled_back_is_never_said_without_a_snapshot(box: Box) -> None:
    applied(box)
    shutil.rmtree(box.root / "etc/wifimgr/tx.t1")
    assert box.take_back().state == "undo"


def swap_that_fails_is_put_back(box: Box) -> None:
    flash = box.flash()
    box.put_tool("mv", FAILING_MV.format(what=f"/new/{NEW}"))
    assert box.push(wish(box)) == ["refused", "io"]
    assert box.flash() == flash
    assert "pending.t1" not in box.state()


# --- when a confirm counts ---


def confirm_counts_only_from_a_second_connection(box: Box) -> None:
    applied(box)
    box.settle()
    with box.one_connection():
        assert box.look().wait == 1
        assert box.confirm() == script.Standing("pending", 1)
        box.advance(10)
        assert box.confirm() == script.Standing("pending", 1)
    assert box.confirm() == script.Standing("confirmed")


def confirm_counts_only_some_seconds_after_the_first_login(box: Box) -> None:
    applied(box, gap=5)
    box.settle()
    assert box.confirm() == script.Standing("pending", 5)
    box.advance(4)
    assert box.confirm() == script.Standing("pending", 1)
    box.advance(1)
    assert box.confirm() == script.Standing("confirmed")


def confirm_counts_only_when_the_effects_had_time(box: Box) -> None:
    applied(box, settle=20)
    box.settle()
    reloaded = int((box.read("tmp/wifimgr/reloaded.t1") or b"").split()[0])
    box.look()
    box.advance(reloaded + 19 - box.clock)
    assert box.confirm() == script.Standing("pending", 1)
    box.advance(1)
    assert box.confirm() == script.Standing("confirmed")


def confirm_does_not_count_before_the_reload(box: Box) -> None:
    box.write("lab/fault", "hang")
    applied(box)
    box.advance(30)
    time.sleep(0.1)
    assert box.look() == script.Standing("pending", 1, box.look().ubus)
    assert box.confirm() == script.Standing("pending", 1)
    box.advance(30)
    box.until(lambda: rolled_back(box))


def half_a_note_of_the_reload_is_none(box: Box) -> None:
    applied(box)
    box.write("tmp/wifimgr/reloaded.t1", "10")
    assert box.confirm() == script.Standing("pending", 1)
    assert box.confirm() == script.Standing("pending", 1)


def login_before_the_reload_is_not_the_first_of_two(box: Box) -> None:
    applied(box, gap=5)
    box.look()
    box.settle()
    assert box.confirm() == script.Standing("pending", 5)


def look_from_aside_is_not_the_first_of_two_logins(box: Box) -> None:
    applied(box)
    box.settle()
    assert (box.look(aside=True).state, box.look(aside=True).wait) == ("pending", 1)
    assert box.confirm() == script.Standing("pending", 1)
    assert box.look(aside=True).wait == 1
    assert box.confirm() == script.Standing("confirmed")
    assert box.look(aside=True) == script.Standing("confirmed")


# --- refusals ---


def refused_push_leaves_the_last_snapshot(box: Box) -> None:
    box.confirmed(wish(box))
    before = (box.root / "etc/wifimgr/tx.t1/old" / SYSTEM).read_bytes()
    assert_refused(box, "moved", {SYSTEM: (b"not this", b"x")})
    assert (box.root / "etc/wifimgr/tx.t1/old" / SYSTEM).read_bytes() == before
    assert box.state() == ["confirmed.t1", "format", "tx.t1"]


def refused_push_after_begin_leaves_the_last_snapshot(box: Box) -> None:
    box.confirmed(wish(box))
    assert_refused(box, "badconf", {SYSTEM: (box.read(SYSTEM), b"config system 'x\n")})
    assert box.state() == ["confirmed.t1", "format", "tx.t1"]


def file_that_changed_in_the_last_second_is_not_overwritten(box: Box) -> None:
    assert_refused(box, "moved", {SYSTEM: (b"not this", b"x")})


def file_that_appeared_in_the_last_second_is_not_overwritten(box: Box) -> None:
    assert_refused(box, "moved", {BANNER: (None, b"x")})


def unsaved_uci_changes_of_somebody_are_not_overrun(box: Box) -> None:
    box.write("tmp/.uci/system", "system.cfg01e48a.hostname='x'\n")
    assert_refused(box, "staged")


def unsaved_changes_in_luci_are_not_overrun(box: Box) -> None:
    box.write("tmp/run/rpcd/uci-0123/system", "system.cfg01e48a.hostname='x'\n")
    assert_refused(box, "staged")


def router_without_a_reload_baseline_is_refused(box: Box) -> None:
    (box.root / "tmp/run/config.md5").unlink()
    assert_refused(box, "baseline")


def firmware_upgrade_at_work_keeps_a_change_out(box: Box) -> None:
    for path in ("tmp/sysupgrade", "tmp/sysupgrade.tgz", "tmp/sysupgrade.conffiles"):
        box.write(path, "")
        assert_refused(box, "upgrade")
        (box.root / path).unlink()
    for program in ("sysupgrade", "upgraded"):
        box.put_tool("pidof", RUNNING.format(program=program))
        assert_refused(box, "upgrade")


RUNNING = """#!/bin/sh
for name; do [ "$name" != {program} ] || exit 0; done
exit 1
"""


def what_an_upgrade_left_at_boot_is_in_nobodys_way(box: Box) -> None:
    box.write("tmp/sysupgrade.tar", "")
    applied(box)


def automatic_updater_at_work_keeps_a_change_out(box: Box) -> None:
    box.put_tool("pidof", RUNNING.format(program="autoupdater"))
    assert_refused(box, "autoupdate")


def gluon_in_reconfigure_keeps_a_change_out(box: Box) -> None:
    box.write("etc/config/network_gluon-old", "config interface 'lan'\n")
    assert_refused(box, "reconfigure")


def confirm_waits_while_a_firmware_upgrade_runs(box: Box) -> None:
    applied(box)
    box.settle()
    box.look()
    box.write("tmp/sysupgrade.tgz", "")
    assert box.confirm() == script.Standing("busy")
    assert "pending.t1" in box.state()
    (box.root / "tmp/sysupgrade.tgz").unlink()
    assert box.confirm() == script.Standing("confirmed")


FLASH = "/dev/mtdblock6 /overlay jffs2 rw,noatime 0 0"
OVER = "overlayfs:/overlay / overlay rw,noatime,lowerdir=/,upperdir=/overlay/upper,workdir=/overlay/work 0 0"
IMAGE = "/dev/root /rom squashfs ro,relatime 0 0"
MOUNTS = {
    "rootfs / rootfs rw 0 0": "ram",
    "tmpfs / tmpfs rw,relatime 0 0": "ram",
    f"{IMAGE}\ntmpfs /tmp tmpfs rw 0 0\n{OVER.replace('/overlay', '/tmp/root')}": "ram",
    f"{IMAGE}\n{FLASH}\n{OVER}\ntmpfs /etc tmpfs rw 0 0": "ram",
    "": "ram",
    "/dev/root / squashfs ro,relatime 0 0": "readonly",
    f"{IMAGE}\n{FLASH.replace('rw', 'ro')}\n{OVER}": "readonly",
    f"{IMAGE}\n{FLASH}\n{OVER.replace(' rw', ' ro')}": "readonly",
    f"rootfs / rootfs rw 0 0\n{IMAGE}\n{FLASH}\n{OVER}": "",
    f"{IMAGE}\n{FLASH.replace('jffs2', 'ubifs')}\ntmpfs /tmp tmpfs rw 0 0\ntmpfs /et tmpfs rw 0 0\n{OVER}": "",
    "/dev/root / ext4 rw,noatime 0 0": "",
}
"""What is mounted on a router, and what a push has to say to it."""


def router_that_forgets_or_cannot_write_is_refused(box: Box) -> None:
    for number, (mounts, reason) in enumerate(MOUNTS.items()):
        box.write("proc/mounts", f"{mounts}\n" if mounts else "")
        if reason:
            assert_refused(box, reason)
        else:
            applied(box, tx := f"t{number}")
            box.until(lambda tx=tx: box.take_back(tx).state == "rolledback")  # type: ignore[misc]


def router_that_tells_no_mounts_is_refused(box: Box) -> None:
    (box.root / "proc/mounts").unlink()
    assert box.push(wish(box))[0] == "refused"


FREE = """#!/bin/sh
case "$*" in "-k $WIFIMGR_ROOT/etc") ;; *) exit 1 ;; esac
echo "Filesystem           1K-blocks      Used Available Use% Mounted on"
echo "overlayfs:/overlay-with-a-long-name"
echo "                         {total}      1000 {free}  90% /"
"""


def flash_with_too_little_room_is_refused_before_anything_is_written(box: Box) -> None:
    need = 2 * 4 * 2 + 32  # two files come, two are kept, each in one block of 4 KB; and what has to stay free
    box.put_tool("df", FREE.format(total=9999, free=need - 1))
    assert_refused(box, "nospace")
    box.put_tool("df", "#!/bin/sh\nexit 1\n")
    assert_refused(box, "nospace")
    box.put_tool("df", FREE.format(total=9999, free=need))
    applied(box)


def snapshot_goes_with_the_firmware_it_was_taken_from(box: Box) -> None:
    box.confirmed(wish(box))
    box.boot()
    assert "tx.t1" in box.state()
    box.write("etc/openwrt_release", "DISTRIB_RELEASE='99'\n")
    box.boot()
    assert box.state() == ["confirmed.t1", "format"]


def snapshot_goes_with_the_gluon_it_was_taken_from(box: Box) -> None:
    box.confirmed(wish(box))
    box.write("lib/gluon/release", "2026.1\n")
    box.look()
    assert box.state() == ["confirmed.t1", "format"]


def snapshot_of_an_older_wifimgr_is_in_nobodys_way(box: Box) -> None:
    box.confirmed(wish(box))
    (box.root / "etc/wifimgr/tx.t1/release").unlink()
    box.confirmed({SYSTEM: (box.read(SYSTEM), b"config system\n")}, "t2")
    assert box.state() == ["confirmed.t2", "format", "tx.t2"]


def state_of_another_format_is_left_alone(box: Box) -> None:
    box.write("etc/wifimgr/format", "2\n")
    assert_refused(box, "format")


def open_change_of_another_format_is_left_to_its_own_guard(box: Box) -> None:
    paths = applied(box, within=60)
    box.kill_all()
    box.write("etc/wifimgr/format", "2\n")
    box.advance(100)
    box.look()
    assert_new(box, paths)
    assert "pending.t1" in box.state()


def open_change_keeps_another_one_out(box: Box) -> None:
    applied(box)
    assert_refused(box, "pending", {"etc/anderes": (None, b"x")})
    assert box.take_back().state == "rolledback"


def file_that_the_uci_of_the_router_cannot_read_is_refused(box: Box) -> None:
    assert_refused(box, "badconf", {SYSTEM: (box.read(SYSTEM), b"config system 'x\n")})


def sent_file_that_arrives_changed_is_refused(box: Box) -> None:
    assert_refused_when_sent(box, lambda text: text.replace("\nnew etc/banner - Hallo", "\nnew etc/banner - Ha"))


def assert_refused_when_sent(box: Box, harm: Callable[[str], str]) -> None:
    flash = box.flash()
    made = changes({BANNER: (box.read(BANNER), b"Hallo")})

    def call() -> script.Call:
        whole = script.push("t1", made, within=60, settle=0, gap=0, forget=False)
        harmed = script.Call(whole.nonce, harm(whole.text))
        assert harmed.text != whole.text
        return harmed

    assert box.ask(call).line() == ["refused", "nospace"]
    assert box.flash() == flash
    assert box.state() == []


def snapshot_that_is_not_whole_is_refused(box: Box) -> None:
    harm = 'text=$(sed s/OpenWrt/0penWrt/ "$last") && printf "%s\\n" "$text" >"$last"'
    box.put_tool("cp", f'#!/bin/sh\n/bin/cp "$@"\ncase "$*" in */old/*) for last; do :; done; {harm} ;; esac\n')
    assert_refused(box, "nospace")


def snapshot_with_other_modes_is_refused(box: Box) -> None:
    box.put_tool(
        "cp", '#!/bin/sh\n/bin/cp "$@"\ncase "$*" in */old/*) for last; do :; done; /bin/chmod 777 "$last" ;; esac\n'
    )
    assert_refused(box, "nospace")


def full_flash_is_refused_or_takes_everything(box: Box) -> None:
    shell = box.shell
    for blocks in (0, 1, 2, 4, 8, 16, 24, 32, 40):
        flash, paths = box.flash(), {**wish(box), "etc/gross": (None, b"x" * 6000)}
        box.shell = ["/bin/sh", "-c", f'trap "" XFSZ; ulimit -f {blocks}; exec "$@"', "sh", *shell]
        words = box.push(paths, f"t{blocks}")
        box.shell = shell
        if words == ["applied"]:
            assert_new(box, paths)
            assert box.take_back(f"t{blocks}").state == "rolledback"
        else:
            assert words == ["refused", "nospace"]
        assert {path: entry for path, entry in box.flash().items() if path in flash} == flash
        assert not any(name.startswith(("pending", "undo", "tx.")) for name in box.state())
        box.kill_all()


def holding_the_lock(box: Box) -> subprocess.Popen[bytes]:
    """Another push that is running on the router right now."""
    lock = box.root / "tmp/wifimgr.lock"
    program = f'exec 9>"{lock}"; flock -n 9 && echo held && exec /bin/sleep 30 9>&9'
    holder = subprocess.Popen(["/bin/sh", "-c", program], stdout=subprocess.PIPE)
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    holder.stdout.close()
    return holder


def second_push_at_the_same_time_is_told_to_wait(box: Box) -> None:
    holder = holding_the_lock(box)
    try:
        assert_refused(box, "busy")
    finally:
        holder.kill()
        holder.wait()
    assert box.push(wish(box)) == ["applied"]


def confirm_and_take_back_wait_for_each_other(box: Box) -> None:
    applied(box)
    box.settle()
    box.look()
    holder = holding_the_lock(box)
    try:
        assert box.confirm() == script.Standing("busy")
        assert box.take_back() == script.Standing("busy")
        assert "pending.t1" in box.state()
    finally:
        holder.kill()
        holder.wait()
    assert box.confirm() == script.Standing("confirmed")


def undo_at_the_deadline_waits_for_a_confirm_in_progress(box: Box) -> None:
    applied(box, within=60)
    holder = holding_the_lock(box)
    try:
        box.advance(60)
        time.sleep(0.15)
        assert "pending.t1" in box.state()
    finally:
        holder.kill()
        holder.wait()
    box.advance(2)
    box.until(lambda: rolled_back(box))


def dead_man_does_not_need_the_lock_for_ever(box: Box) -> None:
    def undone() -> bool:
        box.advance(1)
        return rolled_back(box)

    applied(box, within=60)
    (box.root / "tmp/wifimgr.lock").unlink()
    (box.root / "tmp/wifimgr.lock").mkdir()
    box.advance(60)
    box.until(undone)


def reload_that_hangs_after_an_undo_keeps_nobody_out(box: Box) -> None:
    applied(box, within=60)
    box.settle()
    box.write("lab/fault", "hang")
    box.advance(60)
    box.until(lambda: rolled_back(box) and not box.has("etc/wifimgr/tx.t1"))
    time.sleep(0.1)
    assert box.push(wish(box), "t2") == ["applied"]


def leftovers_of_a_push_that_was_cut_are_cleared(box: Box) -> None:
    box.confirmed(wish(box))
    box.write("etc/wifimgr/tx.cut/old/etc/config/system", "geheim")
    box.confirmed({SYSTEM: (box.read(SYSTEM), b"config system\n")}, "t2")
    assert box.state() == ["confirmed.t2", "format", "tx.t2"]


# --- reading ---


def show_tells_what_each_path_is(box: Box) -> None:
    box.write("etc/leer", "")
    (box.root / "etc/leer").chmod(0o755)
    (box.root / "etc/link").symlink_to("banner")
    shown = box.show(SYSTEM, "etc/leer", "etc/nie/da")
    assert shown.files == {SYSTEM: box.read(SYSTEM), "etc/leer": b"", "etc/nie/da": None}
    assert shown.modes == {SYSTEM: "600", "etc/leer": "755"}
    for path in ("etc/link", "etc/config"):
        answer = box.ask(lambda path=path: script.show([path]))  # type: ignore[misc]
        assert answer.line() == ["other", path]


def show_tells_of_an_open_change_and_writes_nothing(box: Box) -> None:
    assert box.show(SYSTEM).open_change == ""
    assert box.state() == []
    applied(box)
    assert box.show(SYSTEM).open_change == "pending.t1"


def unknown_change_is_unknown(box: Box) -> None:
    assert box.look("nie") == script.Standing("unknown")
    assert box.confirm("nie") == script.Standing("unknown")
    assert box.take_back("nie") == script.Standing("unknown")
    applied(box)
    assert box.confirm("nie") == script.Standing("unknown")
    assert "pending.t1" in box.state()


def unknown_is_said_only_when_nobody_is_about_to_arm(box: Box) -> None:
    holder = holding_the_lock(box)
    try:
        assert box.look("t1") == script.Standing("busy")
    finally:
        holder.kill()
        holder.wait()


def secrets_never_stand_in_a_process_list(box: Box) -> None:
    seen = box.root / "lab/argv"
    for name in ("cp", "mv", "sha256sum", "ls", "mkdir", "cat"):
        real = shutil.which(name, path="/usr/bin:/bin")
        box.put_tool(name, f'#!/bin/sh\necho "$0 $*" >>{seen}\nexec {real} "$@"\n')
    assert box.push({SYSTEM: (box.read(SYSTEM), b"config system\n\toption key 'sehr-geheim'\n")}) == ["applied"]
    listed = seen.read_text()
    assert "etc/config/system" in listed
    assert "sehr-geheim" not in listed


def own_files_are_not_written_again(box: Box) -> None:
    box.confirmed(wish(box))
    own = ["etc/wifimgr/format", "etc/init.d/wifimgr", "etc/rc.d/S09wifimgr"]
    before = [(box.root / path).lstat() for path in own]
    box.confirmed({SYSTEM: (box.read(SYSTEM), b"config system\n")}, "t2")
    after = [(box.root / path).lstat() for path in own]
    assert [(each.st_ino, each.st_ctime_ns) for each in before] == [(each.st_ino, each.st_ctime_ns) for each in after]


# --- the snapshot, to go back to ---


def snapshot_tells_what_was_there_before_the_last_confirmed_change(box: Box) -> None:
    (box.root / BANNER).chmod(0o640)
    paths = wish(box)
    box.confirmed(paths)
    shown = box.snapshot()
    assert isinstance(shown, script.Shown)
    assert shown.files == {path: before for path, (before, _) in paths.items()}
    assert shown.modes == {SYSTEM: "600", BANNER: "640"}
    assert box.state() == ["confirmed.t1", "format", "tx.t1"]


def snapshot_of_the_newest_change_is_told_where_a_cut_left_two(box: Box) -> None:
    box.confirmed({NEW: (None, b"x")}, "t1")
    shutil.copytree(box.root / "etc/wifimgr", box.root / "keep")
    box.confirmed({NEW: (b"x", b"y")}, "t2")
    shutil.copytree(box.root / "keep", box.root / "etc/wifimgr", dirs_exist_ok=True)
    assert {"confirmed.t1", "confirmed.t2"} < set(box.state())
    shown = box.snapshot()
    assert isinstance(shown, script.Shown)
    assert shown.files == {NEW: b"x"}


def without_a_snapshot_it_is_said_why(box: Box) -> None:
    assert box.snapshot() == "never"
    assert box.state() == []
    box.confirmed(wish(box), "t1", forget=True)
    assert box.snapshot() == "secret"
    box.confirmed({NEW: (b"neu\n", b"x")}, "t2")
    box.write("etc/wifimgr/format", "2\n")
    assert box.snapshot() == "format"
    box.write("etc/wifimgr/format", "1\n")
    box.write("etc/openwrt_release", "DISTRIB_RELEASE='99'\n")
    assert box.snapshot() == "release"
    box.boot()
    assert box.snapshot() == "release"


def snapshot_that_is_not_what_it_was_is_not_told(box: Box) -> None:
    box.confirmed(wish(box))
    box.write(f"etc/wifimgr/tx.t1/old/{SYSTEM}", "config system\n")
    assert box.snapshot() == "damaged"


def open_change_has_no_snapshot_to_go_back_to(box: Box) -> None:
    box.confirmed(wish(box), "t1")
    assert box.push({NEW: (b"neu\n", b"x")}, "t2") == ["applied"]
    assert box.snapshot() == "pending"


def snapshot_of_an_older_wifimgr_is_of_an_unknown_firmware(box: Box) -> None:
    box.confirmed(wish(box))
    (box.root / "etc/wifimgr/tx.t1/release").unlink()
    assert box.snapshot() == "release"


# --- leaving ---


def leaving_takes_every_trace_along_and_no_configuration(box: Box) -> None:
    before = {path.relative_to(box.root).as_posix() for path in box.root.rglob("*")}
    box.confirmed(wish(box))
    box.write(KEEP, "/etc/wifimgr/\n")
    flash = box.flash()
    assert box.leave() == ""
    assert box.flash() == flash
    after = {path.relative_to(box.root).as_posix() for path in box.root.rglob("*")}
    assert {path for path in after - before if not path.startswith(RAM_OF_OTHERS)} == {NEW, "etc/neu", "etc/neu/tief"}
    assert box.leave() == "there"
    box.advance(1000)
    box.until(lambda: not box.asleep)
    time.sleep(0.1)
    assert not box.has("tmp/wifimgr.lock"), "the dead man of the confirmed change leaves nothing, too"


RAM_OF_OTHERS = ("proc/", "lab/", "tmp/run/")


def nobody_leaves_while_a_change_is_open(box: Box) -> None:
    applied(box)
    state = box.state()
    assert box.leave() == "pending"
    assert box.state() == state
    assert box.has("etc/rc.d/S09wifimgr")


def overdue_change_is_taken_back_before_leaving(box: Box) -> None:
    flash = box.flash()
    applied(box, within=60)
    box.kill_all()
    box.advance(61)
    assert box.leave() == ""
    assert box.flash() == flash
    assert not box.has("etc/wifimgr")


def nobody_leaves_while_another_works(box: Box) -> None:
    box.confirmed(wish(box))
    holder = holding_the_lock(box)
    try:
        assert box.leave() == "busy"
    finally:
        holder.kill()
        holder.wait()
    assert box.has("etc/wifimgr/confirmed.t1")


def state_of_another_format_is_left_by_its_own_wifimgr(box: Box) -> None:
    box.write("etc/wifimgr/format", "2\n")
    assert box.leave() == "format"
    assert box.state() == ["format"]


def leaving_is_said_only_when_all_is_gone(box: Box) -> None:
    box.confirmed(wish(box))
    box.put_tool("rm", '#!/bin/sh\ncase "$*" in *init.d*) exit 1 ;; esac\nexec /bin/rm "$@"\n')
    assert box.leave() == "io"


# --- power cuts ---


def power_may_go_while_a_change_is_applied(box: Box) -> None:
    old = tree_of(box.root)
    with Recorder(box) as recorder:
        applied(box)
    assert len(recorder.cuts) > 30, "the steps were seen"
    reboots = Reboots(box, old, tree_of(box.root))
    reboots.check_all(recorder)
    assert reboots.booted > 5


def power_may_go_while_a_change_is_confirmed(box: Box) -> None:
    box.confirmed({SYSTEM: (box.read(SYSTEM), b"config system 'erste'\n")}, "t0")
    old = tree_of(box.root)
    with Recorder(box) as recorder:
        paths = {SYSTEM: (box.read(SYSTEM), b"config system 'neu'\n"), NEW: (None, b"neu\n")}
        assert box.push(paths, forget=True) == ["applied"]
        box.settle()
        box.look()
        assert box.confirm().state == "confirmed"
    new = tree_of(box.root)
    Reboots(box, old, new).check_all(recorder)
    assert "etc/wifimgr/confirmed.t1" in recorder.safe, "what was answered is safe"
    assert not any("tx." in path for path in recorder.safe), "no secret comes back"


def power_may_go_while_a_change_is_taken_back(box: Box) -> None:
    old = tree_of(box.root)
    with Recorder(box) as recorder:
        applied(box)
        new = tree_of(box.root)
        assert box.take_back().state == "rolledback"
    Reboots(box, old, new).check_all(recorder)


def power_may_go_again_while_the_router_boots(box: Box) -> None:
    old = tree_of(box.root)
    applied(box)
    new = tree_of(box.root)
    box.power_cut()
    with Recorder(box) as recorder:
        box.boot()
    assert len(recorder.cuts) > 5, "the steps were seen"
    Reboots(box, old, new).check_all(recorder)


Scenario = Callable[[Box], None]

_ALL: dict[str, Scenario] = {
    name: each
    for name, each in list(globals().items())
    if getattr(each, "__annotations__", None) == {"box": "Box", "return": "None"}
}
"""Every function above that takes a router and nothing else."""
POWER_CUTS = {name: each for name, each in _ALL.items() if name.startswith("power_may_go_")}
SCENARIOS = {name: each for name, each in _ALL.items() if name not in POWER_CUTS}
