"""What router.sh has to do, one promise a function. Each takes a fresh router and fails by an assertion.

They are functions of their own because mutations.py runs them against broken scripts too, where they must fail.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.push.box import LAB, SLEEP, Box, Paths, changes, runs
from tests.push.powercut import Reboots, Recorder, tree_of
from wifimgr.errors import RouterError
from wifimgr.model import Step
from wifimgr.platforms.edits import Service
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
    answer = box.push(paths or wish(box), tx)
    assert answer[:2] == ["refused", reason], answer
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
    assert box.reboots == 0
    box.advance(1)
    box.until(lambda: box.reboots)
    assert box.state() == ["format", "rebooted.t1", "rolledback.t1"]
    box.power_cut()
    box.boot()
    box.advance(1000)
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
    router.rest()
    assert router.reboots == 0


def router_reboots_never_where_that_is_wished(box: Box) -> None:
    left_alone(box, reboot=0)
    box.advance(1000)
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
    assert box.has("tmp/wifimgr/alone.t1")
    box.advance(30)
    assert box.reboots == 1


def mark_of_a_reboot_goes_with_the_next_confirm(box: Box) -> None:
    router_that_nobody_reaches_after_an_undo_reboots_once(box)
    box.run([*box.shell, str(box.tools / "reload_config"), "boot"])
    box.confirmed(wish(box), "t2")
    assert box.state() == ["confirmed.t2", "format", "tx.t2"]


def undo_ends_a_reload_that_has_not_begun(box: Box) -> None:
    applied(box)
    assert box.take_back().state == "rolledback"
    box.later(lambda: reloads(box))
    box.advance(1)
    assert reloads(box) == 1


MELDER = """#!/bin/sh
echo "melder $1 after $(wc -l <"$WIFIMGR_ROOT/tmp/run/reloads")" >>"$WIFIMGR_ROOT/lab/services"
"""
TAKE_UP = ("service restart melder", "service start melder", "service stop melder", "rest of melder")
FORWARD = ["melder restart after 1", "melder start after 1", "melder stop after 1"]
BACK = ["melder restart after 2", "melder stop after 2", "melder start after 2"]


def reloads(box: Box) -> int:
    """How often it was told to reload."""
    return (box.read("tmp/run/reloads") or b"").count(b"x")


def services(box: Box) -> list[str]:
    """What the one service was told, and after how many reloads."""
    return (box.read("lab/services") or b"").decode().splitlines()


def with_services(box: Box, **times: Any) -> None:
    """Arms and applies a change that a service takes up."""
    box.write("etc/init.d/melder", MELDER)
    (box.root / "etc/init.d/melder").chmod(0o755)
    applied(box, after=TAKE_UP, **times)
    box.settle()
    assert services(box) == FORWARD


def services_take_a_change_up_after_the_reload_and_before_it_may_settle(box: Box) -> None:
    with_services(box)
    box.look()
    assert box.confirm().state == "confirmed"


def services_take_up_the_old_files_when_nobody_confirms(box: Box) -> None:
    with_services(box, within=60)
    box.advance(60)
    box.until(lambda: rolled_back(box))
    box.later(lambda: services(box) == FORWARD + BACK)


def services_take_up_the_old_files_when_a_change_is_taken_back(box: Box) -> None:
    with_services(box)
    assert box.take_back().state == "rolledback"
    box.later(lambda: services(box) == FORWARD + BACK)
    assert list((box.root / "tmp/wifimgr").iterdir()) == []


def services_take_up_the_old_files_of_an_overdue_change(box: Box) -> None:
    with_services(box, within=60)
    box.kill_all()
    box.advance(60)
    box.show("etc/x")
    box.later(lambda: services(box) == FORWARD + BACK)


def undo_ends_what_is_being_taken_up(box: Box) -> None:
    box.write("etc/init.d/melder", MELDER + '[ "$1" != restart ] || sleep 30\n')
    (box.root / "etc/init.d/melder").chmod(0o755)
    applied(box, after=("service restart melder", "service start melder"))
    box.later(lambda: services(box) == FORWARD[:1])
    box.write("etc/init.d/melder", MELDER)
    assert box.take_back().state == "rolledback"
    box.later(lambda: services(box) == [FORWARD[0], BACK[0], "melder stop after 2"])
    box.advance(60)
    box.until(lambda: not box.asleep)
    box.rest()
    assert services(box) == [FORWARD[0], BACK[0], "melder stop after 2"]


def undo_ends_what_a_change_began_whatever_its_name(box: Box) -> None:
    name = "d) S 1 (my d"
    daemon = f'"$WIFIMGR_ROOT/lab/{name}"'
    box.write(f"lab/{name}", '#!/bin/sh\necho $$ >"$WIFIMGR_ROOT/tmp/wifimgr/daemon"\nsleep 30\n')
    (box.root / "lab" / name).chmod(0o755)
    box.write("etc/init.d/melder", f"#!/bin/sh\n{daemon}\n")
    (box.root / "etc/init.d/melder").chmod(0o755)
    applied(box, after=("service restart melder",))
    box.later(lambda: (box.read("tmp/wifimgr/daemon") or b"").endswith(b"\n") and has_process(box, "daemon"))
    assert Path(f"/proc/{int(box.read('tmp/wifimgr/daemon') or 0)}/comm").read_text() == f"{name}\n"
    assert box.take_back().state == "rolledback"
    box.until(lambda: not has_process(box, "daemon"))


def undo_comes_to_an_end_where_a_name_holds_a_line_break(box: Box) -> None:
    box.write("lab/d\nd", '#!/bin/sh\necho $$ >"$WIFIMGR_ROOT/tmp/wifimgr/daemon"\nsleep 30\n')
    (box.root / "lab/d\nd").chmod(0o755)
    box.write("etc/init.d/melder", '#!/bin/sh\n"$WIFIMGR_ROOT/lab/d\nd"\n')
    (box.root / "etc/init.d/melder").chmod(0o755)
    applied(box, after=("service restart melder",))
    box.later(lambda: (box.read("tmp/wifimgr/daemon") or b"").endswith(b"\n") and has_process(box, "daemon"))
    assert box.take_back().state == "rolledback"


def change_that_nobody_could_take_up_again_is_refused(box: Box) -> None:
    box.write("tmp/wifimgr/after.t9/x", "")
    assert_refused(box, "nospace")
    box.put_tool(
        "cat", '#!/bin/sh\ncase "$*" in */after.*) /bin/cat "$@" | /bin/sed 1d ;; *) exec /bin/cat "$@" ;; esac\n'
    )
    assert box.push(wish(box), after=TAKE_UP) == ["refused", "nospace"]


# --- Gluon ---

GLUON = "etc/config/gluon"
NETWORK = "etc/config/network"
RECONFIGURE = ("gluon reconfigure",)
STRANGE = ("etc/config/net work", "etc/config/wireless~")
"""Names that no push handles."""


def node(box: Box) -> Box:
    """Makes it a Gluon node, as an upgrade leaves it."""
    shutil.copytree(LAB / "gluon", box.root, dirs_exist_ok=True)
    for path in box.root.glob("etc/config/*"):
        path.chmod(0o600)
    box.run([*box.shell, str(box.tools / "gluon-reconfigure")])
    box.run([*box.shell, str(box.tools / "reload_config"), "boot"])
    return box


def role(box: Box) -> tuple[Paths, Paths]:
    """The wired mesh is wished on; and all other files, which are kept."""
    names = [f"etc/config/{path.name}" for path in sorted(box.root.glob("etc/config/*")) if path.is_file()]
    files = {name: box.read(name) for name in names if name not in STRANGE and not (box.root / name).is_symlink()}
    gluon = files.pop(GLUON) or b""
    wished = gluon.replace(b"'client'", b"'client'\n\tlist role 'mesh'", 1)
    return {GLUON: (gluon, wished)}, {name: (raw, raw) for name, raw in files.items()}


def reconfigured(box: Box, after: tuple[str, ...] = RECONFIGURE, **times: Any) -> None:
    """A role is pushed to a node, and it has taken it up."""
    paths, kept = role(box)
    assert box.push(paths, kept=kept, after=after, **times) == ["applied"]
    box.settle()


def gluon_makes_its_files_anew_before_a_change_may_settle(box: Box) -> None:
    reconfigured(node(box))
    assert b"mesh_other" in (box.read(NETWORK) or b"")
    assert box.read("tmp/run/gluon-reloads") == b"x\n"
    box.look()
    assert box.confirm().state == "confirmed"
    assert box.reboots == 0


def what_follows_no_gluon_reload_takes_up_what_gluon_made(box: Box) -> None:
    box.put_tool("gluon-reload", "#!/bin/sh\n")
    node(box).write("lab/reconfigure-dropbear", "")
    before = box.read("tmp/run/config.md5")
    reconfigured(box)
    assert box.read("tmp/run/config.md5") != before


def files_of_old_are_taken_up_without_making_them_anew(box: Box) -> None:
    network = node(box).read(NETWORK)
    reconfigured(box, ("gluon reload",))
    assert box.read(NETWORK) == network
    assert box.read("tmp/run/gluon-reloads") == b"x\n"


def node_that_goes_back_has_its_files_again_and_reboots_once(box: Box) -> None:
    flash = node(box).flash()
    reconfigured(box)
    box.write("etc/config/neu", "")
    assert box.take_back().state == "rolledback"
    box.later(lambda: box.reboots)
    assert box.flash() == flash
    box.power_cut()
    box.boot()
    assert box.look().state == "rolledback"
    box.advance(1000)
    assert (box.reboots, box.flash()) == (1, flash)


def file_that_came_to_a_node_after_its_settings_were_swept_is_theirs(box: Box) -> None:
    reconfigured(node(box))
    box.write("etc/config/neu", "")
    box.put_tool("mv", FAILING_MV.format(what=f"/old/{GLUON}"))
    assert box.take_back().state == "undo"
    assert not box.has("etc/config/neu")
    box.write("etc/config/theirs", "")
    box.write("lab/mv-works", "")
    assert box.take_back().state == "rolledback"
    assert box.has("etc/config/theirs")


def node_is_back_only_when_new_files_are_gone(box: Box) -> None:
    flash = node(box).flash()
    reconfigured(box)
    box.write("etc/config/neu", "")
    box.put_tool("rm", FAILING_RM.format(what="etc/config/neu"))
    assert box.take_back().state == "undo"
    box.write("lab/rm-works", "")
    assert box.take_back().state == "rolledback"
    assert box.flash() == flash


def node_that_nobody_confirms_reboots_once(box: Box) -> None:
    flash = node(box).flash()
    reconfigured(box, within=60, reboot=30)
    box.advance(60)
    box.until(lambda: box.reboots)
    assert box.flash() == flash
    assert rolled_back(box)
    box.power_cut()
    box.boot()
    box.look()
    box.advance(1000)
    assert box.reboots == 1


def node_reboots_also_where_a_reload_would_hang(box: Box) -> None:
    reconfigured(node(box))
    box.put_tool("reload_config", "#!/bin/sh\nsleep 9999\n")
    assert box.take_back().state == "rolledback"
    box.later(lambda: box.reboots)


def overdue_node_reboots_when_somebody_comes(box: Box) -> None:
    flash = node(box).flash()
    reconfigured(box, within=60)
    box.kill_all()
    box.advance(100)
    box.show(SYSTEM)
    box.later(lambda: box.reboots)
    assert box.flash() == flash


def node_that_has_taken_up_nothing_does_not_reboot(box: Box) -> None:
    flash = node(box).flash()
    paths, kept = role(box)
    assert box.push(paths, kept=kept, after=RECONFIGURE) == ["applied"]
    assert box.take_back().state == "rolledback"
    box.later(lambda: reloads(box))  # that is what it does in place of a reboot
    box.advance(1000)
    box.until(lambda: not box.asleep)
    assert (box.reboots, box.flash()) == (0, flash)


def node_that_nobody_confirms_in_time_to_take_it_up_does_not_reboot(box: Box) -> None:
    node(box)
    paths, kept = role(box)
    assert box.push(paths, kept=kept, after=RECONFIGURE, within=60) == ["applied"]
    (box.root / "tmp/wifimgr/taken.t1").mkdir()  # it cannot even begin
    box.advance(1)
    box.until(lambda: not has_process(box, "reload.t1"))
    (box.root / "tmp/wifimgr/taken.t1").rmdir()
    box.advance(60)
    box.until(lambda: rolled_back(box))
    box.later(lambda: reloads(box))
    assert box.reboots == 0


def has_process(box: Box, name: str) -> bool:
    """Whether a process that the router has noted still runs."""
    return runs(int(box.read(f"tmp/wifimgr/{name}") or b"0"))


def node_that_lost_power_has_its_files_again_and_does_not_reboot(box: Box) -> None:
    flash = node(box).flash()
    reconfigured(box)
    box.power_cut()
    box.boot()
    assert box.look().state == "rolledback"
    box.advance(1000)
    assert (box.reboots, box.flash()) == (0, flash)


def half_way(box: Box) -> dict[str, tuple[int, bytes]]:
    """A node makes its files anew, and is in the middle of it. Returns what was on flash before."""
    flash = node(box).flash()
    box.write("lab/reconfigure-takes", "5000")
    paths, kept = role(box)
    assert box.push(paths, kept=kept, after=RECONFIGURE, within=9000) == ["applied"]
    box.later(lambda: box.has("etc/config/network_gluon-old"))
    assert not box.has(NETWORK)
    return flash


def undo_ends_a_reconfigure_with_all_that_it_started(box: Box) -> None:
    flash = half_way(box)
    assert box.take_back().state == "rolledback"
    assert box.flash() == flash
    box.advance(9999)
    box.until(lambda: not box.asleep)
    box.rest()
    assert box.flash() == flash


def power_may_go_in_the_middle_of_a_reconfigure(box: Box) -> None:
    flash = half_way(box)
    box.power_cut()
    box.boot()
    assert rolled_back(box)
    assert box.flash() == flash


def reconfigure_that_fails_is_told_and_never_confirmed(box: Box) -> None:
    node(box).write("lab/reconfigure-fails", "")
    reconfigured(box)
    standing = box.look()
    assert (standing.state, standing.failed) == ("pending", "gluon")
    box.advance(1)
    assert box.confirm().state == "pending"


def gluon_reload_that_fails_is_told(box: Box) -> None:
    node(box).put_tool("gluon-reload", "#!/bin/sh\nexit 1\n")
    reconfigured(box)
    assert box.look().failed == "gluon"


def change_that_cannot_be_noted_is_not_taken_up(box: Box) -> None:
    node(box)
    paths, kept = role(box)
    assert box.push(paths, kept=kept, after=RECONFIGURE) == ["applied"]
    (box.root / "tmp/wifimgr/taken.t1").mkdir()
    box.advance(5)
    assert not box.has("tmp/run/gluon-reloads")
    assert box.look().state == "pending"


def file_that_came_to_the_settings_of_a_node_keeps_a_change_out(box: Box) -> None:
    paths, kept = role(node(box))
    box.write("etc/config/neu", "")
    flash = box.flash()
    assert box.push(paths, kept=kept, after=RECONFIGURE) == ["refused", "moved"]
    assert (box.flash(), box.state()) == (flash, [])


def what_no_push_handles_is_left_alone_in_the_settings_of_a_node(box: Box) -> None:
    for path in STRANGE:
        node(box).write(path, "config x\n")
    (box.root / "etc/config/link").symlink_to("network")
    (box.root / "etc/config/folder").mkdir()
    flash = box.flash()
    reconfigured(box)
    assert box.take_back().state == "rolledback"
    assert box.flash() == flash


def other_routers_keep_what_came_to_their_settings(box: Box) -> None:
    applied(box)
    box.write("etc/config/neu", "")
    assert box.take_back().state == "rolledback"
    assert box.has("etc/config/neu")


def show_tells_all_files_of_the_settings(box: Box) -> None:
    for path in STRANGE:
        box.write(path, "config x\n")
    (box.root / "etc/config/link").symlink_to("network")
    (box.root / "etc/config/folder").mkdir()
    found = {f"etc/config/{path.name}" for path in (LAB / "rootfs/etc/config").iterdir()}
    shown = box.show("etc/config/", BANNER, "etc/config/neu")
    assert shown.files.keys() == {*found, BANNER, "etc/config/neu"}
    assert shown.files[NETWORK] == box.read(NETWORK)


# --- links ---

ON, OFF, MOVES = "etc/rc.d/S95neu", "etc/rc.d/K10alt", "etc/rc.d/S50anders"
LINKS: Paths = {
    ON: (None, b"../init.d/neu"),
    OFF: (b"../init.d/alt", None),
    MOVES: (b"../init.d/nirgends", b"../init.d/melder"),
}
"""A link that comes, one that goes, one that leads to somewhere else: from nowhere."""
LINK_MODES = dict.fromkeys(LINKS, script.LINK)


def linked(box: Box, tx: str = "t1", **times: Any) -> Paths:
    """Arms and applies a change of links and of a file."""
    for path, (before, _) in LINKS.items():
        if before and not box.has(path):
            (box.root / path).symlink_to(before.decode())
    paths = {SYSTEM: (box.read(SYSTEM), b"config system\n"), "etc/zuletzt": (None, b"x\n"), **LINKS}
    assert box.push(paths, tx, modes=LINK_MODES, **times) == ["applied"]
    assert_new(box, paths)
    assert all((box.root / path).is_symlink() for path, (_, after) in LINKS.items() if after)
    return paths


def links_are_a_part_of_a_change_and_of_its_undo(box: Box) -> None:
    box.write("etc/init.d/alt", "#!/bin/sh\n")
    linked(box, "t0")
    assert box.take_back("t0").state == "rolledback"
    flash = box.flash()
    paths = linked(box, "t1")
    assert box.take_back("t1").state == "rolledback"
    assert box.flash() == flash
    box.confirmed(paths, "t2", modes=LINK_MODES)
    assert_new(box, paths)
    shown = box.snapshot()
    assert isinstance(shown, script.Shown)
    assert shown.files == {path: before for path, (before, _) in paths.items()}
    assert {path for path, mode in shown.modes.items() if mode == script.LINK} == {OFF, MOVES}


def link_that_changed_in_the_last_second_is_not_overwritten(box: Box) -> None:
    (box.root / MOVES).symlink_to("../init.d/andere")
    assert box.push({MOVES: LINKS[MOVES]}, modes=LINK_MODES) == ["refused", "moved"]
    assert box.read(MOVES) == b"../init.d/andere"


def file_that_became_a_link_in_the_last_second_is_not_overwritten(box: Box) -> None:
    paths = wish(box)
    (box.root / SYSTEM).rename(box.root / "etc/elsewhere")
    (box.root / SYSTEM).symlink_to("../elsewhere")
    assert box.push(paths) == ["refused", "moved"]


def link_that_appeared_in_the_last_second_is_not_overwritten(box: Box) -> None:
    (box.root / ON).symlink_to("../nirgends")
    assert box.push({ON: LINKS[ON]}, modes=LINK_MODES) == ["refused", "moved"]
    assert box.read(ON) == b"../nirgends"


def snapshot_of_a_link_that_leads_elsewhere_is_refused(box: Box) -> None:
    harm = '[ -L "$last" ] && rm -f "$last" && ln -s ../init.d/falsch "$last"'
    box.put_tool(
        "cp",
        '#!/bin/sh\n/bin/cp "$@"\n'
        f'case "$*" in */old/*) for last; do :; done; for last in "$last"*; do {harm}; done ;; esac\n',
    )
    (box.root / OFF).symlink_to("../init.d/alt")
    assert box.push({OFF: LINKS[OFF]}, modes=LINK_MODES) == ["refused", "nospace"]


def rolled_back_is_said_only_when_a_link_leads_where_it_did(box: Box) -> None:
    linked(box)
    snapshot = box.root / "etc/wifimgr/tx.t1/old" / MOVES
    snapshot.unlink()
    snapshot.symlink_to("../init.d/irrtum")
    assert box.take_back().state == "undo"


def rolled_back_is_said_only_when_a_link_is_back(box: Box) -> None:
    (box.root / MOVES).symlink_to("../init.d/nirgends")
    assert box.push({MOVES: LINKS[MOVES]}, modes=LINK_MODES) == ["applied"]
    box.put_tool("mv", FAILING_MV.format(what=f"/old/{MOVES}"))
    assert box.take_back().state == "undo"
    assert not rolled_back(box)


def rolled_back_is_said_only_when_a_new_link_is_gone(box: Box) -> None:
    linked(box)
    box.put_tool("rm", FAILING_RM.format(what=ON))
    assert box.take_back().state == "undo"


def snapshot_keeps_files_that_do_not_change(box: Box) -> None:
    banner = box.read(BANNER)
    paths = {SYSTEM: (box.read(SYSTEM), b"config system\n")}
    assert box.push(paths, kept={BANNER: (banner, banner), NEW: (None, None)}) == ["applied"]
    assert box.read(BANNER) == banner
    box.write(BANNER, "rewritten by what takes the change up")
    box.write("etc/neu/tief/datei", "made by it")
    assert box.take_back().state == "rolledback"
    assert box.read(BANNER) == banner
    assert not box.has(NEW)


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
case "$*" in *{what}*) [ -e "$WIFIMGR_ROOT/lab/rm-works" ] || exit 1 ;; esac
exec /bin/rm "$@"
"""


def rolled_back_is_said_only_when_the_one_file_is_back(box: Box) -> None:
    assert box.push({SYSTEM: (box.read(SYSTEM), b"config system\n")}) == ["applied"]
    box.put_tool("mv", FAILING_MV.format(what="/old/etc/config/system"))
    assert box.take_back().state == "undo"
    assert not rolled_back(box)


def what_somebody_changed_since_an_undo_is_theirs(box: Box) -> None:
    applied(box)
    box.put_tool("rm", FAILING_RM.format(what=NEW))
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


def folder_in_the_way_of_nothing_does_not_stop_an_undo(box: Box) -> None:
    applied(box)
    (box.root / NEW).unlink()
    box.write(f"{NEW}/theirs", "x")
    assert box.take_back().state == "rolledback"
    assert not box.has(NEW)
    assert box.read(f"{NEW}.in-the-way/theirs") == b"x"


def bad_snapshot_is_seen_also_while_a_new_file_cannot_go(box: Box) -> None:
    applied(box)
    (box.root / "etc/wifimgr/tx.t1/old" / SYSTEM).chmod(0o777)
    box.put_tool("rm", FAILING_RM.format(what=NEW))
    assert box.take_back().state == "undo"
    box.write("lab/rm-works", "")
    assert box.take_back().state == "undo"


def rolled_back_is_said_only_when_new_files_are_gone(box: Box) -> None:
    applied(box)
    box.put_tool("rm", FAILING_RM.format(what=NEW))
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
    box.advance(reloaded // 100 + 19 - box.clock)
    assert box.confirm() == script.Standing("pending", 1)
    box.advance(1)
    assert box.confirm() == script.Standing("confirmed")


def confirm_does_not_count_before_the_reload(box: Box) -> None:
    box.write("lab/fault", "hang")
    applied(box)
    box.advance(30)
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


# --- what is asked before a confirm ---

PROBE = ("ping", "192.0.2.1")


def daemons_and_probes_are_asked_only_when_a_login_may_confirm(box: Box) -> None:
    box.put_tool("ping", "#!/bin/sh\necho x >>$WIFIMGR_ROOT/lab/pings\n")
    applied(box, settle=5)
    for _ in range(2):
        early = box.look(probes=[PROBE])
        assert (early.wait > 0, early.ubus, early.probes) == (True, {}, {})
        box.settle()
    box.advance(5)
    assert box.look(aside=True, probes=[PROBE]).ubus == {}
    assert box.read("lab/pings") is None
    settled = box.look(probes=[PROBE])
    assert (settled.wait, settled.probes) == (0, {PROBE: "yes"})
    assert (settled.ubus or {}).keys() == {"network.wireless", "network.interface"}
    assert box.look().probes == {}
    assert box.read("lab/pings") == b"x\n"


def hostapd_is_asked_for_radar(box: Box) -> None:
    text = (box.read("etc/config/wireless") or b"").decode()
    box.write("etc/config/wireless", text.replace("disabled '1'", "disabled '0'"))
    box.run([*box.shell, str(box.tools / "reload_config"), "boot"])
    applied(box)
    box.settle()
    box.look()
    said = box.look().ubus or {}
    assert {name for name in said if name.startswith("hostapd.")} == {
        "hostapd.phy0-ap0",
        "hostapd.phy0-ap1",
        "hostapd.phy1-ap0",
    }
    assert {said[name]["dfs"]["cac_active"] for name in said if name.startswith("hostapd.")} == {False}


def daemons_have_two_seconds_each(box: Box) -> None:
    applied(box)
    box.settle()
    box.look()
    box.put_tool("ubus", '#!/bin/sh\n[ "$1 $2" = "-t 2" ] || [ "$1" = list ] || echo 30\n')  # what it says in the end
    assert box.look().ubus == {"network.wireless": None, "network.interface": None}


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


def change_whose_grounds_have_moved_is_refused(box: Box) -> None:
    """What a change depends on has to be as it was read, too: files, and where none was."""
    for seen in ({BANNER: b"other"}, {SYSTEM: box.read(SYSTEM), BANNER: None}, {NEW: b"gone"}):
        assert box.push({"etc/more": (None, b"x")}, seen=seen) == ["refused", "moved"]
        assert box.state() == []
    grounds = {SYSTEM: box.read(SYSTEM), BANNER: box.read(BANNER), NEW: None}
    for paths in ({"etc/more": (None, b"x")}, {SYSTEM: (box.read(SYSTEM), b"config system\n")}):
        seen = {path: raw for path, raw in grounds.items() if path not in paths}
        assert box.push(paths, seen=seen) == ["applied"]
        assert box.take_back().state == "rolledback"


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
    harm = 'sed -i s/OpenWrt/0penWrt/ "$last"'
    box.put_tool(
        "cp",
        '#!/bin/sh\n/bin/cp "$@"\n'
        f'case "$*" in */old/*) for last; do :; done; for last in "$last"*; do {harm}; done ;; esac\n',
    )
    assert_refused(box, "nospace")


def snapshot_with_other_modes_is_refused(box: Box) -> None:
    box.put_tool(
        "cp", '#!/bin/sh\n/bin/cp "$@"\ncase "$*" in */old/*) for last; do :; done; /bin/chmod 777 "$last"* ;; esac\n'
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
        assert "pending.t1" in box.state()
    finally:
        holder.kill()
        holder.wait()
    box.advance(2)
    box.until(lambda: rolled_back(box))


def dead_man_does_not_need_the_lock_for_ever(box: Box) -> None:
    applied(box, within=60)
    (box.root / "tmp/wifimgr.lock").unlink()
    (box.root / "tmp/wifimgr.lock").mkdir()
    box.advance(60)
    for _ in range(30):
        box.advance(1)
    assert rolled_back(box)


def reload_that_hangs_after_an_undo_keeps_nobody_out(box: Box) -> None:
    applied(box, within=60)
    box.settle()
    box.write("lab/fault", "hang")
    box.advance(60)
    box.until(lambda: rolled_back(box) and not box.has("etc/wifimgr/tx.t1"))
    box.rest()
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
    (box.root / "etc/nowhere").symlink_to("no such/file")
    shown = box.show(SYSTEM, "etc/leer", "etc/nie/da", "etc/link", "etc/nowhere")
    assert shown.files == {
        SYSTEM: box.read(SYSTEM),
        "etc/leer": b"",
        "etc/nie/da": None,
        "etc/link": b"banner",
        "etc/nowhere": b"no such/file",
    }
    assert shown.modes == {SYSTEM: "600", "etc/leer": "755", "etc/link": "link", "etc/nowhere": "link"}
    assert box.ask(lambda: script.show(["etc/config"])).line() == ["other", "etc/config"]


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
    box.rest()
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


def lock_that_somebody_who_leaves_takes_along_is_none(box: Box) -> None:
    real = shutil.which("flock")
    box.put_tool("flock", f'#!/bin/sh\n/bin/rm -f "$WIFIMGR_ROOT/tmp/wifimgr.lock"\nexec {real} "$@"\n')
    assert_refused(box, "busy")
    box.put_tool(
        "flock",
        f'#!/bin/sh\n/bin/rm -f "$WIFIMGR_ROOT/tmp/wifimgr.lock"\n'
        f': >"$WIFIMGR_ROOT/tmp/wifimgr.lock"\nexec {real} "$@"\n',
    )
    assert_refused(box, "busy")


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


# --- questions and steps ---


def step(code: str, takes: float = 60.0) -> Step:
    return Step(what="a step", script=code, takes=takes)


def failing(box: Box, wanted: Step) -> tuple[str, str]:
    """The exit code of a step that does not end well, and its last words."""
    try:
        words = box.step(wanted)
    except script.StepFailed as failed:
        return failed.code, failed.said
    raise AssertionError(words)


def packages_are_asked_for_by_opkg(box: Box) -> None:
    assert box.step(step("opkg update; opkg install snmpd")) == []
    told = box.told(packages=["snmpd", "snmp", "snmpd-x"])
    assert (told.manager, told.packages) == ("opkg", {"snmpd": True, "snmp": False, "snmpd-x": False})


APK = (Path(__file__).parent / "standins/apk").read_text(encoding="utf-8")


def packages_are_asked_for_by_apk_where_there_is_one(box: Box) -> None:
    box.put_tool("apk", APK)
    assert box.step(step("apk -U add snmpd")) == []
    told = box.told(packages=["snmpd", "snmp"])
    assert (told.manager, told.packages) == ("apk", {"snmpd": True, "snmp": False})


def router_without_packages_says_so(box: Box) -> None:
    (box.tools / "opkg").unlink()
    assert (box.told(packages=["snmpd"]).manager, box.told(packages=["snmpd"]).packages) == ("", {"snmpd": False})


def opkg_that_cannot_tell_is_no_answer(box: Box) -> None:
    box.put_tool("opkg", "#!/bin/sh\nexit 255\n")
    assert not_told(box, packages=["snmpd"]) == "it cannot say whether the package snmpd is installed"


def not_told(box: Box, **questions: Sequence[str]) -> str:
    """Why it has no answer to questions."""
    try:
        return str(box.told(**questions))
    except RouterError as error:
        return error.what


def services_are_told_with_their_links(box: Box) -> None:
    for path, target in {
        "etc/rc.d/S50cron": "../init.d/cron",
        "etc/rc.d/K9cron": "nowhere",
        "etc/rc.d/S50xcron": "../init.d/xcron",
        "etc/rc.d/S98sysntpd": "../init.d/sysntpd",
    }.items():
        (box.root / path).symlink_to(target)
    box.write("etc/init.d/quoted", "#!/bin/sh\nSTART='7' \nSTOP=\"08\"\nSTART_NOT=9\nexit 1\n")
    box.write("etc/init.d/bare", "#!/bin/sh\n#START=20\nSTART=$X\nexit 1\n")
    box.write("lab/services", "sysntpd\n")
    told = box.told(services=["cron", "sysntpd", "quoted", "bare", "missing"]).services
    assert told == {
        "cron": Service(
            "50",
            "10",
            False,
            {"etc/rc.d/S50cron": "../init.d/cron", "etc/rc.d/K10cron": None, "etc/rc.d/K9cron": "nowhere"},
        ),
        "sysntpd": Service("98", "10", True, {"etc/rc.d/S98sysntpd": "../init.d/sysntpd", "etc/rc.d/K10sysntpd": None}),
        "quoted": Service("7", "08", False, {"etc/rc.d/S7quoted": None, "etc/rc.d/K08quoted": None}),
        "bare": Service(),
        "missing": None,
    }


ODD = "$(touch x) `touch x` \"$HOME\" 'x' \\\\ \n} EOF\nüß😀"
"""What a shell might trip over."""


def tests_of_commands_are_asked(box: Box) -> None:
    box.write("etc/there", ODD)
    tests = ["true", "false", "exit 3", 'test "$(cat "$WIFIMGR_ROOT/etc/there")" = ' + shlex.quote(ODD), "exit 2"]
    assert box.told(unless=tests).unless == ("yes", "no", "no", "yes", "no")
    assert box.told(unless=["read -r x", "cat | grep -q ."]).unless == ("no", "no")


def test_of_a_command_that_is_written_wrong_is_no_answer(box: Box) -> None:
    box.write("etc/there", "")
    tests = ["if then", "unheard-of --check", '"$WIFIMGR_ROOT/etc/there"', "! unheard-of", "echo 'x"]
    assert box.told(unless=tests).unless == ("broken", "missing", "missing", "yes", "broken")


def test_of_a_command_that_takes_too_long_is_no_answer(box: Box) -> None:
    assert while_it_is_slow(box, 5, lambda: box.told(unless=["slow 1000", "true"]).unless) == [("late", "yes")]
    box.until(lambda: not box.asleep)


def while_it_is_slow(box: Box, seconds: int, do: Callable[[], Any], sleepers: int = 2) -> list[Any]:
    """What becomes of something that waits for the program "slow", and for no longer than this."""
    ended = list[Any]()

    def work() -> None:
        with suppress(Exception):  # the router may be gone by now
            ended.append(do())

    box.put_tool("slow", SLEEP)
    working = threading.Thread(target=work)
    working.start()
    box.until(lambda: box.sleepers == sleepers)
    box.advance(seconds)
    box.until(lambda: ended)
    working.join()
    return ended


def step_is_done_and_one_that_fails_says_why(box: Box) -> None:
    assert box.step(step(f'printf %s {shlex.quote(ODD)} >"$WIFIMGR_ROOT/etc/odd"')) == []
    assert box.read("etc/odd") == ODD.encode()
    fails = step("seq=1; while [ $seq -le 9 ]; do echo line $seq; seq=$((seq + 1)); done; echo why >&2; exit 7")
    assert failing(box, fails) == ("7", "line 8\nline 9\nwhy")
    assert not box.has("tmp/wifimgr/step")
    box.until(lambda: not box.asleep)


def step_that_says_a_lot_is_quoted_in_short(box: Box) -> None:
    more = "word=xxxxxxxxxx; while [ ${#word} -lt 9000 ]; do word=$word$word; done; echo $word; exit 1"
    code, said = failing(box, step(more))
    assert (code, len(said)) == ("1", 3999)


def step_that_takes_too_long_is_ended_with_all_it_began(box: Box) -> None:
    late = 'echo x >"$WIFIMGR_ROOT/lab/late"'
    slow = step(f"unset WIFIMGR_STEP; (slow 5000; {late}); {late}", 30)
    assert while_it_is_slow(box, 30, lambda: failing(box, slow)) == [("137", "")]
    box.until(lambda: not box.asleep)
    box.rest()
    assert not box.has("lab/late")


def step_that_takes_too_long_is_ended_with_what_lost_its_parent(box: Box) -> None:
    orphan = '((slow 5000; echo x >"$WIFIMGR_ROOT/lab/late") &); sh -c "slow 5000 &"; slow 5000'
    assert while_it_is_slow(box, 30, lambda: failing(box, step(orphan, 30)), sleepers=4) == [("137", "")]
    box.until(lambda: not box.asleep)
    box.rest()
    assert not box.has("lab/late")


def daemon_that_a_step_leaves_behind_holds_nobody_up(box: Box) -> None:
    box.put_tool("slow", SLEEP)
    assert box.step(step("slow 300 & echo started")) == []
    box.until(lambda: box.asleep)
    assert box.push({NEW: (None, b"x")}) == ["applied"]


def step_reads_nothing(box: Box) -> None:
    assert box.step(step('cat >"$WIFIMGR_ROOT/lab/read"; ! read -r x')) == []
    assert box.read("lab/read") == b""


def steps_wait_for_what_keeps_a_change_out(box: Box) -> None:
    traces = step('true >"$WIFIMGR_ROOT/lab/x"')
    holder = holding_the_lock(box)
    try:
        assert box.step(traces) == ["refused", "busy"]
    finally:
        holder.kill()
        holder.wait()
    box.write("tmp/sysupgrade.tgz", "")
    assert box.step(traces) == ["refused", "upgrade"]
    (box.root / "tmp/sysupgrade.tgz").unlink()
    applied(box, within=60)
    assert box.step(traces) == ["refused", "pending", "pending.t1"]
    box.kill_all()
    box.advance(61)
    assert box.step(step('test ! -e "$WIFIMGR_ROOT/etc/neu"')) == []
    shutil.rmtree(box.root / "tmp/wifimgr")
    box.write("tmp/wifimgr", "")
    assert box.step(traces) == ["refused", "nospace"]
    assert not box.has("lab/x")


def steps_lock_others_out(box: Box) -> None:
    others = 'exec 8>>"$WIFIMGR_ROOT/tmp/wifimgr.lock"; ! flock -n 8 || exit 9'
    assert box.step(step(others)) == []


# --- power cuts ---


def power_may_go_while_a_change_is_applied(box: Box) -> None:
    old = tree_of(box.root)
    with Recorder(box) as recorder:
        applied(box)
    assert len(recorder.cuts) > 30, "the steps were seen"
    reboots = Reboots(box, old, tree_of(box.root))
    reboots.check_all(recorder)
    assert reboots.booted > 5


def power_may_go_while_links_are_applied_and_taken_back(box: Box) -> None:
    for path, (before, _) in LINKS.items():
        if before:
            (box.root / path).symlink_to(before.decode())
    old = tree_of(box.root)
    with Recorder(box) as recorder:
        linked(box)
        new = tree_of(box.root)
        assert box.take_back().state == "rolledback"
    Reboots(box, old, new).check_all(recorder)


def power_may_go_while_links_are_confirmed(box: Box) -> None:
    for path, (before, _) in LINKS.items():
        if before:
            (box.root / path).symlink_to(before.decode())
    old = tree_of(box.root)
    with Recorder(box) as recorder:
        linked(box)
        box.settle()
        box.look()
        assert box.confirm().state == "confirmed"
    Reboots(box, old, tree_of(box.root)).check_all(recorder)


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


def power_may_go_while_a_node_goes_back(box: Box) -> None:
    paths, kept = role(node(box))
    old = tree_of(box.root)
    with Recorder(box) as recorder:
        assert box.push(paths, kept=kept, after=RECONFIGURE) == ["applied"]
        new = tree_of(box.root)
        for path in ("etc/config/neu", "etc/config/neuer"):
            box.write(path, "")
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
