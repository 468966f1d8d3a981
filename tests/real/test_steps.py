"""Packages, commands, services and keys on real dropbear and a real shell: what each of them leaves behind."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.real.conftest import HURRY, Connect, Network, Start
from tests.real.routers import Router, wait_for, write
from tests.real.test_push import NASTY, own_files_with, watch_processes
from wifimgr.lab import make_key
from wifimgr.model import Change, Outcome, Result
from wifimgr.push import plan, playbook
from wifimgr.push.apply import Pusher
from wifimgr.store import Store

pytestmark = pytest.mark.real

APK = Path(__file__).parents[1] / "push/standins/apk"
INIT = "#!/bin/sh\nSTART=95\nSTOP=05\n. rc.common\n"


def push(net: Network, name: str, change: Change) -> Outcome:
    """Carries out a change with all that has no undo."""
    store = Store(net.folder / ".wifimgr")
    try:
        job = plan.PlaybookJob(playbook.load(net.folder, name))
        pusher = Pusher(net.inventory, net.known_hosts, store, job, "", net.stop)
        return replace(pusher, allow_no_undo=True).push(change)
    finally:
        store.close()


def feed(router: Router, name: str, path: str, text: str) -> None:
    """A file of a package that can be installed."""
    file = router.tree.parent / "lab/packages" / name / path
    file.parent.mkdir(parents=True, exist_ok=True)
    write(file, text, 0o755 if "init.d" in path else 0o644)


def said(router: Router) -> list[str]:
    """What services were told since the router started."""
    file = router.tree.parent / "lab/service-calls"
    return [line for line in file.read_text().splitlines() if not line.endswith(" boot")] if file.exists() else []


def lock_is_free(router: Router) -> bool:
    return router.run("flock -n /tmp/wifimgr.lock echo free || :") == "free\n"


WISHES = {
    "packages": {"present": ["agent"], "absent": ["old"]},
    "uci": {"agent": [{"section": {"type": "agent"}, "set": {"location": "Haus"}}]},
    "services": {"enabled": ["agentd"], "disabled": ["cron"], "restart_when_changed": ["agentd"]},
    "command": [{"about": "make a mark", "unless": "test -e /etc/mark", "run": "echo x >/etc/mark"}],
}


@pytest.mark.scenario(37)
@pytest.mark.parametrize("manager", ["opkg", "apk"])
def test_what_comes_with_a_package_is_configured_and_started(manager: str, router: Router, network: Connect) -> None:
    if manager == "apk":
        write(router.tree / "sbin/apk", APK.read_text(), 0o755)
    add = {"opkg": "opkg update && opkg install old", "apk": "apk -U add old"}
    router.run(f"{add[manager]} && ln -s ../init.d/cron /etc/rc.d/S50cron && echo cron >/lab/services")
    feed(router, "agent", "etc/config/agent", "config agent\n\toption location 'none'\n")
    feed(router, "agent", "etc/init.d/agentd", INIT)
    net = network(router)
    name = net.write_playbook("agent", **WISHES)
    change = net.change(name, router)
    steps = ["install the package agent", "remove the package old", "make a mark"]
    assert [step.what for step in change.steps] == steps
    before = router.flash()
    refused = net.push(name, change)
    assert (refused.result, refused.error_id, router.flash()) == (Result.REFUSED, "no-undo", before)
    outcome = push(net, name, change)
    assert outcome == Outcome(router.name, Result.DONE, f"this stays: {', '.join(steps)}")
    assert router.read("etc/config/agent") == b"config agent\n\toption location 'Haus'\n"
    assert sorted(path.name for path in (router.tree / "etc/rc.d").iterdir()) == [
        "K05agentd",
        "S09wifimgr",
        "S95agentd",
    ]
    assert said(router) == ["agentd restart", "cron stop"] or said(router) == ["cron stop", "agentd restart"]
    assert lock_is_free(router)
    assert net.plan(name, router).already_right == (router.name,)


def test_services_take_up_the_old_files_when_a_change_goes_back(router: Router, network: Connect) -> None:
    net = network(router, times=HURRY)
    name = net.write_playbook(
        "services",
        services={"enabled": ["cron"], "restart_when_changed": ["snmpd"]},
        uci={"system": [{"section": {"type": "system"}, "set": {"hostname": "x"}}]},
    )
    before, change = router.flash(), net.change(name, router)
    router.misbehave("lockout")
    outcome = net.push(name, change)
    assert outcome.result is Result.ROLLED_BACK, outcome
    wait_for(lambda: said(router)[2:] == ["cron stop", "snmpd restart"])
    assert router.flash() == before
    assert [path.name for path in (router.tree / "etc/rc.d").iterdir()] == ["S09wifimgr"]


def test_links_go_back_before_anything_starts_when_the_power_goes(router: Router, network: Connect) -> None:
    net = network(router, times=HURRY)
    name = net.write_playbook("services", services={"enabled": ["cron"]})
    change = net.change(name, router)
    pushing = threading.Thread(target=net.push, args=(name, change))
    pushing.start()
    wait_for(lambda: (router.tree / "etc/rc.d/S50cron").is_symlink())
    router.power_cut()
    (router.tree.parent / "lab/service-calls").unlink(missing_ok=True)
    router.boot()
    pushing.join()
    assert [path.name for path in (router.tree / "etc/rc.d").iterdir()] == ["S09wifimgr"]
    assert router.marks() == ["rolledback"]
    assert said(router) == []
    assert not (router.tree.parent / "lab/service-calls").exists()


# ---------------------------------------------------------------- commands


@pytest.mark.scenario(26)
def test_commands_arrive_byte_for_byte(router: Router, network: Connect) -> None:
    net = network(router)
    run = [f"printf %s {shell_quoted(value)} >/etc/value-{number}\n" for number, value in enumerate(NASTY)]
    run.append("cat >/etc/document <<'EOF'\n" + 'it\'s $(id) `id` "${HOME}" } \\\nEOF\n')
    tests = [f"test -e /etc/value-{number}" for number in range(len(NASTY))]
    commands = [{"about": "values", "unless": " && ".join([*tests, "test -e /etc/document"]), "run": "".join(run)}]
    name = net.write_playbook("nasty", command=commands)
    assert push(net, name, net.change(name, router)).result is Result.DONE
    for number, value in enumerate(NASTY):
        assert router.read(f"etc/value-{number}") == value.encode()
    assert router.read("etc/document") == b'it\'s $(id) `id` "${HOME}" } \\\n'
    assert net.plan(name, router).already_right == (router.name,)


def shell_quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


SECRET = "sehr-geheim-93c1"


@pytest.mark.scenario(25)
def test_secret_of_a_command_is_in_no_command_line(start: Start, network: Connect) -> None:
    router = start("dash")
    net = network(router, word={"file": "word"})
    (net.folder / "word").write_text(SECRET)
    unless = 'test "$(sed 1d /etc/kept 2>/dev/null)" = {{ word }}'
    run = "{ echo head; echo {{ word }}; } >/etc/kept; sleep 1; echo {{ word }}; exit 4"
    name = net.write_playbook("secret", command=[{"about": "keep it", "unless": unless, "run": run}])
    change = net.change(name, router)
    seen: list[str] = []
    stop = threading.Event()
    watcher = threading.Thread(target=watch_processes, args=(router, seen, stop))
    watcher.start()
    outcome = push(net, name, change)
    stop.set()
    watcher.join()
    assert outcome.why == "keep it failed (exit code 4); no file was changed"
    assert SECRET in router.read("etc/kept").decode()
    assert any(line.startswith("sleep") for line in seen)
    for text in ("\n".join(seen), router.log(), f"{change}{outcome}"):
        assert SECRET not in text
    assert own_files_with(router, SECRET) == []
    assert not Path(f"/proc/{router.init}/root/tmp/wifimgr/step").exists()


def test_command_that_takes_too_long_is_ended_with_all_it_began(router: Router, network: Connect) -> None:
    net = network(router)
    run = "(sleep 600; echo x >/etc/late) & ((sleep 600; echo x >/etc/late) &); sleep 600; echo x >/etc/late"
    name = net.write_playbook("slow", command=[{"about": "wait", "unless": "false", "run": run, "within": "1s"}])
    outcome = push(net, name, net.change(name, router))
    assert outcome.why == "wait failed (it was ended after 1 s); no file was changed"
    assert not any("600" in words for words in router.processes().values())
    assert lock_is_free(router)


def test_daemon_that_a_command_leaves_behind_holds_nobody_up(router: Router, network: Connect) -> None:
    net = network(router)
    run = "(sleep 300 </dev/null) & touch /etc/started"
    name = net.write_playbook("daemon", command=[{"about": "start", "unless": "test -e /etc/started", "run": run}])
    assert push(net, name, net.change(name, router)).result is Result.DONE
    assert any("300" in words for words in router.processes().values())
    assert lock_is_free(router)


# ---------------------------------------------------------------- keys


def with_keys(router: Router) -> str:
    """dropbear of Debian looks for keys at home, OpenWrt's in /etc. Returns the line of the key that we log in with."""
    router.run("mkdir -p /etc/dropbear && mv /root/.ssh/authorized_keys /etc/dropbear/authorized_keys")
    router.run("ln -s /etc/dropbear/authorized_keys /root/.ssh/authorized_keys")
    return router.read("etc/dropbear/authorized_keys").decode().strip()


@pytest.mark.scenario(40)
def test_keys_that_lock_us_out_are_undone(router: Router, network: Connect) -> None:
    with_keys(router)
    other = make_key()[0]
    net = network(router, times=HURRY)
    name = net.write_playbook("keys", authorized_keys={"only": [f"{other.get_name()} {other.get_base64()} new"]})
    before, change = router.flash(), net.change(name, router)
    assert change.connectivity
    assert change.loses_key
    outcome = net.push(name, change)
    assert outcome.result is Result.ROLLED_BACK, outcome
    assert router.flash() == before


def test_keys_come_and_go_and_ours_stays(router: Router, network: Connect) -> None:
    ours = with_keys(router)
    new, old = (f"{key.get_name()} {key.get_base64()}" for key in (make_key()[0], make_key()[0]))
    router.run(f"echo '{old} somebody' >>/etc/dropbear/authorized_keys; chmod 644 /etc/dropbear/authorized_keys")
    net = network(router, admins=[f"{ours} again", f"restrict {new} office"])
    name = net.write_playbook("keys", authorized_keys={"only": "{{ admins }}"})
    change = net.change(name, router)
    assert not change.loses_key
    outcome = net.push(name, change)
    assert outcome.result is Result.DONE, outcome
    content, mode, *_ = router.flash()["etc/dropbear/authorized_keys"]
    assert (content.decode().splitlines(), mode) == ([ours, f"restrict {new} office"], 0o600)
    assert net.plan(name, router).already_right == (router.name,)
