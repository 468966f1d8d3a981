"""The safe push against real dropbear and a real shell: what must hold on a router, whatever happens to it."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.real.conftest import HURRY, PATIENT, TOP, Connect, Network, Start
from tests.real.routers import Router, wait_for, write
from wifimgr.lab import make_key
from wifimgr.model import Change, Outcome, Result
from wifimgr.settings import Endpoint, PushTimes
from wifimgr.ssh import Connection, Deadline, connect
from wifimgr.store import Store

pytestmark = pytest.mark.real


def wifimgr(network: Network, *arguments: str) -> subprocess.Popen[str]:
    """The real program, started on this network."""
    program = "from wifimgr.cli import main; main()"
    command = [sys.executable, "-c", program, "--network", str(network.folder), *arguments]
    env = {**os.environ, "PYTHONPATH": str(TOP), "COLUMNS": "200"}
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def has(router: Router, change: Change) -> bool:
    """Whether a router has exactly what a change wished."""
    return all(router.read(path.path) == path.after for path in change.paths)


def wait_until_quiet(router: Router) -> None:
    """Returns when nothing runs on a router but its first process and its SSH server. Dead men are woken up first."""
    router.run("kill $(pidof sleep) 2>/dev/null || :")
    wait_for(lambda: len(router.processes()) == 2)


def is_left_alone_by(network: Network, router: Router, name: str) -> None:
    """Runs a playbook that has nothing to do, with the real program; not even a date of a file may change."""
    wait_until_quiet(router)
    before = router.inodes()
    done = wifimgr(network, "apply", name, "-s", router.name, "--yes")
    output, errors = done.communicate(timeout=30)
    assert (done.returncode, "nothing to do" in output + errors) == (0, True), errors
    wait_until_quiet(router)
    assert router.inodes() == before


# ---------------------------------------------------------------- lateness (first: this one takes longest)

LATE = {1: (3, 7), 5: (7, 11), 20: (22, 26)}
"""Seconds that a reload bites late, to how long a push lets it settle, and how long the router waits for a confirm."""


@pytest.mark.scenario(39)
def test_a_lockout_that_comes_late_is_never_confirmed(start: Start, network: Connect) -> None:
    def push(late: int, router: Router) -> tuple[Outcome, Router, bool]:
        settle, within = LATE[late]
        times = PushTimes(confirm_within=within, settle_connectivity=settle, settle_other=settle, login_gap=1)
        net = network(router, times=times, folder=f"late-{late}")
        change = net.change("guest-wifi", router)
        router.misbehave("lockout", late=late, hidden=True)
        before = router.flash()
        recovery = threading.Thread(target=recover_at_once, args=(router,))
        recovery.start()
        outcome = net.push("guest-wifi", change)
        recovery.join()
        return outcome, router, router.flash() == before

    routers = [start() for _ in LATE]
    with ThreadPoolExecutor(len(LATE)) as pool:
        for outcome, router, is_back in pool.map(push, LATE, routers):
            assert outcome.result is Result.ROLLED_BACK, outcome
            assert is_back
            assert router.marks() == ["rolledback"]


def recover_at_once(router: Router) -> None:
    """The reload that comes with the rollback need not be late, too."""
    wait_for(lambda: router.link() == "down", 60)
    router.be_late(0)


# ---------------------------------------------------------------- what goes well


@pytest.mark.scenario(1)
@pytest.mark.scenario(2)
def test_a_push_is_confirmed_and_the_next_one_touches_nothing(router: Router, network: Connect) -> None:
    net = network(router)
    before, change = router.flash(), net.change("guest-wifi", router)
    outcome = net.push("guest-wifi", change)
    assert outcome.result is Result.DONE, outcome
    assert router.marks() == ["confirmed"]
    expected = dict(before)
    for path in change.paths:
        expected[path.path] = (path.after or b"", *before[path.path][1:])
    assert router.flash() == expected
    is_left_alone_by(net, router, "guest-wifi")


def test_files_come_with_their_mode_and_go(start: Start, network: Connect) -> None:
    router = start("dash")
    net = network(router)
    wishes = [
        {"path": "/etc/one/two/new.conf", "content": "new\n", "mode": "0640"},
        {"path": "/etc/one/other.conf", "content": "other"},
        {"path": "/etc/banner", "absent": True},
    ]
    name = net.write_playbook("files", files=wishes)
    assert net.push(name, net.change(name, router)).result is Result.DONE
    after = router.flash()
    assert after["etc/one/two/new.conf"] == (b"new\n", 0o640, 0, 0)
    assert after["etc/one/other.conf"] == (b"other", 0o644, 0, 0)
    assert "etc/banner" not in after
    is_left_alone_by(net, router, name)


@pytest.mark.scenario(37)
def test_folders_that_a_change_made_go_with_it(start: Start, network: Connect) -> None:
    router = start("ash")
    net = network(router, times=HURRY)
    uci = {"system": [{"section": {"type": "system"}, "set": {"hostname": "anders"}}]}
    files = [{"path": "/etc/one/two/new.conf", "content": "new"}, {"path": "/etc/banner", "absent": True}]
    name = net.write_playbook("files", uci=uci, files=files)
    router.misbehave("lockout")
    before, change = router.flash(), net.change(name, router)
    assert net.push(name, change).result is Result.ROLLED_BACK
    assert router.flash() == before
    assert not (router.tree / "etc/one").exists()


def test_one_connection_carries_script_after_script(start: Start) -> None:
    # Where the next channel opens before the last one's process was collected, dropbear closes it at once.
    routers = [start("dash") for _ in range(4)]

    def talk(router: Router) -> list[bytes]:
        deadline = Deadline(30)
        with connect(router.target, deadline) as connection:
            return [connection.run("{ echo hi; exit; } </dev/null\n", deadline) for _ in range(50)]

    with ThreadPoolExecutor(len(routers)) as pool:
        assert list(pool.map(talk, routers)) == [[b"hi\n"] * 50] * len(routers)


# ---------------------------------------------------------------- lockouts


@pytest.mark.scenario(7)
def test_a_router_that_locks_us_out_goes_back_by_itself(router: Router, network: Connect) -> None:
    net = network(router, times=HURRY)
    router.run("chmod 640 /etc/config/wireless; chown 12:34 /etc/config/wireless; chmod 444 /etc/config/dhcp")
    router.misbehave("lockout")
    before, change = router.flash(), net.change("guest-wifi", router)
    assert before["etc/config/wireless"][1:] == (0o640, 12, 34)
    outcome = net.push("guest-wifi", change)
    assert outcome.result is Result.ROLLED_BACK, outcome
    assert outcome.error_id == "rolled-back"
    assert router.flash() == before
    assert router.marks() == ["rolledback"]
    router.misbehave("")
    net = network(router, folder="again")
    assert net.push("guest-wifi", net.change("guest-wifi", router)).result is Result.DONE
    assert has(router, change)
    assert router.flash()["etc/config/wireless"][1:] == (0o640, 12, 34)


@pytest.mark.scenario(39)
def test_one_good_login_after_the_reload_proves_nothing(start: Start, network: Connect) -> None:
    router = start("ash")
    net = network(router, times=HURRY)
    router.misbehave("lockout-login")
    before, change = router.flash(), net.change("guest-wifi", router)
    logins = router.log().count("auth succeeded")
    outcome = net.push("guest-wifi", change)
    assert outcome.result is Result.ROLLED_BACK, outcome
    assert router.flash() == before
    assert router.log().count("auth succeeded") >= logins + 3  # the push, the last good login, the one that hears of it


@pytest.mark.scenario(18)
def test_a_reload_that_hangs_is_no_reload(start: Start, network: Connect) -> None:
    router = start("dash")
    net = network(router, times=HURRY)
    router.misbehave("hang")
    before, change = router.flash(), net.change("guest-wifi", router)
    outcome = net.push("guest-wifi", change)
    assert outcome.result is Result.ROLLED_BACK, outcome
    assert router.flash() == before


def test_a_router_that_only_a_reboot_brings_back_reboots_by_itself_and_once(start: Start, network: Connect) -> None:
    router = start("ash")
    net = network(router, times=replace(HURRY, reboot_after=4))
    router.misbehave("stuck")
    before, change = router.flash(), net.change("guest-wifi", router)
    outcome = net.push("guest-wifi", change)
    assert outcome.result is Result.ROLLED_BACK, outcome
    assert router.cuts == 1
    assert router.flash() == before
    assert router.marks() == ["rolledback"]
    assert any(name.startswith("rebooted.") for name in router.own())


def test_a_router_that_we_reach_after_an_undo_does_not_reboot(start: Start, network: Connect) -> None:
    router = start("dash")
    net = network(router, times=replace(HURRY, reboot_after=4))
    router.misbehave("lockout")
    assert net.push("guest-wifi", net.change("guest-wifi", router)).result is Result.ROLLED_BACK
    wait_until_quiet(router)  # its dead man was woken up, and found that somebody came
    assert router.cuts == 0
    assert not any(name.startswith("rebooted.") for name in router.own())


# ---------------------------------------------------------------- a change of the way in

# What procd and netifd do on a router: SSH listens where the files say, some seconds after a reload.
FOLLOW = """#!/bin/sh
/sbin/reload_config.standin "$@"
(
	sleep 1
	wanted=$(uci get network.lan.ipaddr):$(uci get dropbear.main.Port)
	[ "$wanted" != "$(cat /tmp/run/sshd.at 2>/dev/null)" ] || exit 0
	echo "$wanted" >/tmp/run/sshd.at
	kill "$(cat /tmp/run/sshd.pid)"
	dropbear -F -E -s -p "$wanted" -r /etc/dropbear/dropbear_ed25519_host_key &
	echo $! >/tmp/run/sshd.pid
) </dev/null >/dev/null 2>&1 &
"""
NEW_WAY = {
    "port": {"dropbear": [{"section": {"type": "dropbear", "name": "main"}, "set": {"Port": "{{ new_port }}"}}]},
    "address": {"network": [{"section": {"type": "interface", "name": "lan"}, "set": {"ipaddr": "{{ new_address }}"}}]},
}


def moving(router: Router, network: Connect, what: str) -> tuple[Network, Endpoint, str]:
    """A router whose files say where its SSH listens, where it shall listen, and a playbook that wishes so."""
    now = router.endpoint
    with socket.create_server((now.address, 0)) as free:
        port = free.getsockname()[1]
    address = str(ipaddress.IPv4Address(now.address) + (1 << 20))
    router.run(f"sed -i 's/10.77.0.1/{now.address}/' /etc/config/network")
    router.run(f"sed -i \"s/Port '22'/Port '{now.port}'/\" /etc/config/dropbear; reload_config boot")
    times = PushTimes(confirm_within=20, settle_connectivity=3, settle_other=3, login_gap=1)
    net = network(router, times=times, new_port=str(port), new_address=address)
    new = Endpoint(address, now.port) if what == "address" else Endpoint(now.address, port)
    return net, new, net.write_playbook("move", uci=NEW_WAY[what])


def follow_the_files(router: Router) -> None:
    """From now on its SSH listens where its files say."""
    router.run(f"mv /sbin/reload_config /sbin/reload_config.standin; echo {router.endpoint} >/tmp/run/sshd.at")
    write(router.tree / "sbin/reload_config", FOLLOW, 0o755)


@pytest.mark.scenario(21)
@pytest.mark.scenario(22)
@pytest.mark.parametrize(("what", "key"), [("port", "ports.ssh"), ("address", "addresses")])
def test_a_change_of_the_way_in_is_confirmed_over_the_new_one(
    what: str, key: str, start: Start, network: Connect
) -> None:
    router = start("dash")
    net, new, name = moving(router, network, what)
    follow_the_files(router)
    outcome = net.push(name, net.change(name, router))
    assert outcome.result is Result.DONE, outcome
    assert outcome.why == f"it is reached at {new} now"
    value = new.port if what == "port" else new.address
    assert outcome.hint == f"write it into the inventory: wifimgr router set {router.name} {key}={value}"
    with connect(replace(router.target, endpoint=new), Deadline(10)) as connection:
        assert connection.run("{ echo in; exit; }\n", Deadline(10)) == b"in\n"


@pytest.mark.scenario(21)
def test_a_new_way_in_that_nobody_can_use_is_undone(
    start: Start, network: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    run = Connection.run
    monkeypatch.setattr(
        Connection, "run", lambda self, text, *more, **most: sent.append(text) or run(self, text, *more, **most)
    )
    router = start("ash")
    net, new, name = moving(router, network, "port")  # its SSH goes on listening at the old port
    before, change = router.flash(), net.change(name, router)
    outcome = net.push(name, change)
    assert (outcome.result, outcome.error_id) == (Result.ROLLED_BACK, "rolled-back")
    assert outcome.why == f"nobody could log in at {new}, where it should be reached after the change"
    looks = [line for text in sent for line in text.splitlines() if line.startswith("look 2")]
    assert looks
    assert all(line.endswith(" aside") for line in looks)
    assert router.flash() == before


@pytest.mark.scenario(21)
def test_a_way_in_that_closes_without_a_new_one_is_undone(start: Start, network: Connect) -> None:
    router = start("ash")
    net, new, name = moving(router, network, "port")
    follow_the_files(router)
    with socket.create_server((new.address, new.port)):  # the port is taken: dropbear cannot start there
        before, change = router.flash(), net.change(name, router)
        outcome = net.push(name, change)
        assert outcome.result is Result.ROLLED_BACK, outcome
    assert router.flash() == before


@pytest.mark.scenario(40)
def test_a_key_that_locks_us_out_is_undone(start: Start, network: Connect) -> None:
    router = start("dash")
    net = network(router, times=HURRY)
    other = make_key()[0]
    router.run("mkdir -p /etc/dropbear && cp -p /root/.ssh/authorized_keys /etc/dropbear/authorized_keys")
    router.run("rm /root/.ssh/authorized_keys && ln -s /etc/dropbear/authorized_keys /root/.ssh/authorized_keys")
    keys = {"path": "/etc/dropbear/authorized_keys", "content": f"{other.get_name()} {other.get_base64()}\n"}
    name = net.write_playbook("keys", files=[keys])
    before, change = router.flash(), net.change(name, router)
    assert change.connectivity
    outcome = net.push(name, change)
    assert outcome.result is Result.ROLLED_BACK, outcome
    assert router.flash() == before


# ---------------------------------------------------------------- the controller dies, the power goes


@contextmanager
def applied(net: Network, router: Router, name: str) -> Iterator[subprocess.Popen[str]]:
    """The real program, at the point where it has applied a change and not confirmed it."""
    process = wifimgr(net, "apply", name, "-s", router.name, "--yes")
    try:
        change = net.change(name, router) if not router.marks() else None
        wait_for(lambda: router.marks() == ["pending"], 30)
        wait_for(lambda: change is None or has(router, change))
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.scenario(8)
def test_a_router_goes_back_when_the_controller_is_killed(start: Start, network: Connect) -> None:
    router = start("dash")
    net = network(router, times=HURRY)
    before, change = router.flash(), net.change("guest-wifi", router)
    with applied(net, router, "guest-wifi") as process:
        began = time.monotonic()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert has(router, change)
        wait_for(lambda: router.marks() == ["rolledback"], HURRY.confirm_within + 30)
        assert HURRY.confirm_within - 2 < time.monotonic() - began
        assert router.flash() == before
    assert net.change("guest-wifi", router).paths == change.paths


@pytest.mark.scenario(35)
def test_an_interrupted_controller_takes_its_change_back(start: Start, network: Connect) -> None:
    router = start("ash")
    net = network(router)
    before = router.flash()
    with applied(net, router, "guest-wifi") as process:
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=20)
        assert process.returncode == 130, errors
        assert "rolled back" in output + errors
        assert router.flash() == before
        assert router.marks() == ["rolledback"]


@pytest.mark.scenario(10)
def test_a_power_cut_in_the_window_brings_the_old_files_before_anything_starts(
    router: Router, network: Connect
) -> None:
    net = network(router)
    before, began = router.flash(), time.monotonic()
    with applied(net, router, "guest-wifi"):
        router.power_cut()
        assert router.flash() != before
        router.boot()
        assert router.flash() == before
        assert router.marks() == ["rolledback"]
    assert time.monotonic() - began < PATIENT.confirm_within


def test_a_change_that_makes_the_router_lose_power_is_undone_and_reported(start: Start, network: Connect) -> None:
    router = start("dash")
    net = network(router)
    router.misbehave("power-cut")
    before, change = router.flash(), net.change("guest-wifi", router)
    outcome = net.push("guest-wifi", change)
    assert outcome.result is Result.ROLLED_BACK, outcome
    assert router.cuts == 1
    assert router.flash() == before


# ---------------------------------------------------------------- ways back


def test_rollback_brings_the_snapshot_back_as_a_push(router: Router, network: Connect) -> None:
    net = network(router)
    before = router.flash()
    assert net.push("guest-wifi", net.change("guest-wifi", router)).result is Result.DONE
    done = wifimgr(net, "rollback", router.name, "--yes")
    output, errors = done.communicate(timeout=60)
    assert done.returncode == 0, errors
    assert f"{router.name}\tdone" in output
    assert router.flash() == before
    assert router.marks() == ["confirmed"]


def test_rollback_that_locks_us_out_is_undone(start: Start, network: Connect) -> None:
    router = start("dash")
    net = network(router)
    assert net.push("guest-wifi", net.change("guest-wifi", router)).result is Result.DONE
    net = network(router, times=HURRY, folder="again")
    router.misbehave("lockout")
    now = router.flash()
    done = wifimgr(net, "rollback", router.name, "--yes")
    _, errors = done.communicate(timeout=60)
    assert done.returncode == 3, errors
    assert router.flash() == now


def test_forget_leaves_the_router_as_if_wifimgr_had_never_been_there(router: Router, network: Connect) -> None:
    net = network(router)
    wait_until_quiet(router)
    names = set(router.inodes())
    assert net.push("guest-wifi", net.change("guest-wifi", router)).result is Result.DONE
    flash = router.flash()
    done = wifimgr(net, "forget", router.name, "--yes")
    output, errors = done.communicate(timeout=60)
    assert done.returncode == 0, errors
    assert f"{router.name}\tdone" in output
    wait_until_quiet(router)
    assert router.flash() == flash
    left = {path for path in set(router.inodes()) - names if "/flash/upper" not in path}
    assert {path for path in left if "wifimgr" in path} == set()


# ---------------------------------------------------------------- refusals


@pytest.mark.scenario(43)
def test_a_full_flash_refuses_and_keeps_the_last_snapshot(start: Start, network: Connect) -> None:
    router = start("dash")
    net = network(router)
    assert net.push("identity", net.change("identity", router)).result is Result.DONE
    before, own, change = router.flash(), router.own(), net.change("guest-wifi", router)
    assert [name.partition(".")[0] for name in own] == ["confirmed", "format", "tx"]
    router.fill_flash()
    outcome = net.push("guest-wifi", change)
    assert outcome.result is Result.REFUSED, outcome
    assert "no room" in outcome.why
    assert router.flash() == before
    assert router.own() == own


@pytest.mark.scenario(12)
def test_of_two_pushes_at_once_exactly_one_wins(start: Start, network: Connect) -> None:
    router = start("ash")
    net = network(router)
    change, before = net.change("guest-wifi", router), router.flash()
    states, ready = ("one", "two"), threading.Barrier(2)

    for state in states:
        (net.folder / state).mkdir()
        Store(net.folder / state).close()

    def push(state: str) -> Outcome:
        ready.wait()
        return net.push("guest-wifi", change, state)

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(push, states), key=lambda outcome: outcome.result)
    assert [outcome.result for outcome in outcomes] == [Result.DONE, Result.REFUSED], outcomes
    assert outcomes[1].error_id in ("router-refused", "moved-since-plan")  # came while the other worked, or after it
    assert has(router, change)
    assert set(router.flash()) == set(before)


@pytest.mark.scenario(24)
def test_a_router_with_another_host_key_gets_nothing(start: Start, network: Connect) -> None:
    router = start()
    net = network(router)
    change = net.change("guest-wifi", router)
    router.power_cut()
    router.new_host_key()
    router.boot()
    before, read = router.flash(), len(router.log())
    for outcome in (net.push("guest-wifi", change), *net.plan("guest-wifi", router).outcomes):
        assert (outcome.result, outcome.error_id) == (Result.REFUSED, "host-key-changed")
        assert router.host_key.fingerprint in outcome.why
    wait_for(lambda: router.log()[read:].count("Exit before auth") >= 2)
    assert "root" not in router.log()[read:]  # where somebody tried to log in, dropbear says as whom
    assert router.flash() == before


def test_a_key_that_the_router_does_not_know_is_a_refused_login(start: Start, network: Connect, tmp_path: Path) -> None:
    router = start()
    net = network(router)
    other = tmp_path / "other"
    other.write_text(make_key()[1], encoding="ascii")
    settings = net.folder / "inventory/network.yaml"
    settings.write_text(settings.read_text().replace(str(router.target.key_file), str(other)))
    [outcome] = net.plan("guest-wifi", router).outcomes
    assert (outcome.result, outcome.error_id) == (Result.FAILED, "login-refused")


# ---------------------------------------------------------------- values and secrets

NASTY = [
    "it's",
    "\"double\" and 'single' and '\\''",
    "two\nlines\n\nand\ttabs ",
    "$(id >/tmp/pwned) `id` ${HOME} $$ !! \\ \\\\ \\n",
    "EOF\nEOF\n'EOF'\n",
    "Büro – Gäste ☕ 🛜 ß",
    "# no comment; no end | & < > * ? [a-z] ~ %s %d",
    "'\n\toption disabled '1",
    "-n",
    "\u0081\u0082\u0088 ÿ",
]


@pytest.mark.scenario(26)
def test_values_arrive_byte_for_byte(router: Router, network: Connect) -> None:
    net = network(router, **{f"value_{number}": value for number, value in enumerate(NASTY)})
    holes = [f"{{{{ value_{number} }}}}" for number in range(len(NASTY))]
    options = {f"option_{number}": hole for number, hole in enumerate(holes)}
    text = "\n".join(holes)
    name = net.write_playbook(
        "nasty",
        uci={"system": [{"section": {"type": "nasty", "name": "nasty"}, "set": {**options, "all": holes}}]},
        files=[{"path": "/etc/nasty", "content": text}, {"path": "/etc/banner", "content": NASTY[4]}],
    )
    change = net.change(name, router)
    outcome = net.push(name, change)
    assert outcome.result is Result.DONE, outcome
    assert has(router, change)
    assert router.read("etc/nasty") == "\n".join(NASTY).encode()
    assert router.read("etc/banner") == NASTY[4].encode()
    for number, value in enumerate(NASTY):
        assert router.run(f"uci get system.nasty.option_{number}") == f"{value}\n"
    assert not Path(f"/proc/{router.init}/root/tmp/pwned").exists()
    is_left_alone_by(net, router, name)


OLD, NEW = "old-community-1f9e", "new-community-77ab"

# Writes down what each command is called with, which is what "ps" would show.
TELLTALE = """#!/bin/dash
printf '%s\\n' "$0 $*" >>/tmp/arguments
exec /bin/busybox "${0##*/}" "$@"
"""


@pytest.mark.scenario(25)
@pytest.mark.scenario(46)
def test_no_secret_is_in_a_command_line_or_stays_in_a_snapshot(start: Start, network: Connect) -> None:
    router = start("dash")
    net = network(router, monitoring_source="192.0.2.7", snmp_community={"file": "community"})
    (net.folder / "community").write_text(OLD)
    assert net.push("snmp-monitoring", net.change("snmp-monitoring", router)).result is Result.DONE
    assert OLD in router.read("etc/config/snmpd").decode()

    # Every applet is a command of its own in dash, and now tells how it was called.
    write(router.tree / "bin/telltale", TELLTALE, 0o755)
    for applet in (router.tree / "bin").iterdir():
        if applet.is_symlink() and applet.readlink() == Path("busybox"):
            applet.unlink()
            applet.symlink_to("telltale")
    (net.folder / "community").write_text(NEW)
    change = net.change("snmp-monitoring", router)
    assert change.secret
    seen: list[str] = []
    stop = threading.Event()
    watcher = threading.Thread(target=watch_processes, args=(router, seen, stop))
    watcher.start()
    outcome = net.push("snmp-monitoring", change)
    stop.set()
    watcher.join()
    assert outcome.result is Result.DONE, outcome

    called = Path(f"/proc/{router.init}/root/tmp/arguments").read_text()
    assert "/bin/sha256sum etc/config/snmpd" in called
    assert any("sh -s" in line for line in seen)
    for text in (called, "\n".join(seen), router.log()):
        assert OLD not in text
        assert NEW not in text
    assert NEW in router.read("etc/config/snmpd").decode()
    assert own_files_with(router, OLD) == own_files_with(router, NEW) == []
    assert (router.tree / "etc/wifimgr").stat().st_mode & 0o777 == 0o700


def test_a_secret_that_was_rolled_back_leaves_no_trace(start: Start, network: Connect) -> None:
    router = start("dash")
    net = network(router, monitoring_source="192.0.2.7", snmp_community={"file": "community"}, times=HURRY)
    (net.folder / "community").write_text(NEW)
    router.misbehave("lockout")
    assert net.push("snmp-monitoring", net.change("snmp-monitoring", router)).result is Result.ROLLED_BACK
    assert [path for path, (content, *_) in router.flash().items() if NEW.encode() in content] == []
    assert own_files_with(router, NEW) == []


def watch_processes(router: Router, seen: list[str], stop: threading.Event) -> None:
    """Collects the command lines of all processes of a router, as often as can be."""
    while not stop.is_set():
        seen += [" ".join(words) for words in router.processes().values()]


def own_files_with(router: Router, text: str) -> list[str]:
    """Names of wifimgr's own files on a router that hold a text."""
    files = (path for path in (router.tree / "etc/wifimgr").rglob("*") if path.is_file())
    return [path.name for path in files if text.encode() in path.read_bytes()]
