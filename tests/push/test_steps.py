"""What has no undo, and what is started and stopped: pushes to simulated routers, from the plan to the journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.push.net import Net, network
from tests.push.test_apply import Loss
from wifimgr.errors import Refused, RouterError
from wifimgr.model import Change, Outcome, Result
from wifimgr.platforms.programs import PACKAGE_SECONDS
from wifimgr.push import fleet, plan
from wifimgr.push.apply import LONGEST_RETURN
from wifimgr.push.patience import ARM_SECONDS, READ_SECONDS
from wifimgr.push.rollback import Rollback
from wifimgr.push.script import LONGEST_QUOTE
from wifimgr.settings import SecretRef
from wifimgr.ssh import Connection, Deadline

HEAD = {"name": "Fall", "about": "Ein Fall.", "where": "platform=openwrt"}
CONFIG = "config agent\n\toption location 'none'\n"


@contextmanager
def one(folder: Path, **wishes: Any) -> Iterator[Net]:
    """A network with one router and one playbook."""
    with network(folder, {"ap": {}}) as net:
        wish(net, **wishes)
        yield net


def wish(net: Net, **wishes: Any) -> None:
    text = yaml.safe_dump({**HEAD, **wishes}, allow_unicode=True)
    (net.folder / "playbooks/fall.yaml").write_text(text, encoding="utf-8")


def push(net: Net, change: Change | None = None, *, allow_no_undo: bool = True) -> Outcome:
    pusher = replace(net.pusher("fall"), allow_no_undo=allow_no_undo)
    return pusher.push(change or net.change("ap", "fall"))


def packaged(net: Net, name: str, files: Mapping[str, str]) -> None:
    """What a package of the lab's feed holds: path to content."""
    for path, text in files.items():
        file = net.router("ap").root / f"lab/packages/{name}" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(0o755 if "init.d" in str(file) else 0o644)


def installed(net: Net) -> list[str]:
    status = net.router("ap").root / "usr/lib/opkg/status"
    lines = status.read_text().splitlines() if status.exists() else []
    return [line.removeprefix("Package: ") for line in lines if line.startswith("Package: ")]


def calls(net: Net) -> list[str]:
    """What services were told, the start of the router left out."""
    file = net.router("ap").root / "lab/service-calls"
    return [line for line in file.read_text().splitlines() if not line.endswith(" boot")] if file.exists() else []


def exists(net: Net, path: str) -> bool:
    return (net.router("ap").root / path).is_symlink() or (net.router("ap").root / path).exists()


# --- packages ---

SNMP = {
    "packages": {"present": ["agent", "nano"], "absent": ["old"]},
    "uci": {"agent": [{"section": {"type": "agent"}, "set": {"location": "Haus"}}]},
    "services": {"enabled": ["agentd"], "restart_when_changed": ["agentd"]},
}
INIT = "#!/bin/sh\nSTART=95\n. rc.common\n"


def test_packages_come_first_and_what_they_bring_is_read_before_the_change(tmp_path: Path) -> None:
    with one(tmp_path, packages={"present": ["old"]}) as net:
        assert push(net) == Outcome("ap", Result.DONE, "this stays: install the package old")
        packaged(net, "agent", {"etc/config/agent": CONFIG, "etc/init.d/agentd": INIT})
        wish(net, **SNMP)
        change = net.change("ap", "fall")
        assert [step.what for step in change.steps] == [
            "install the package agent",
            "install the package nano",
            "remove the package old",
        ]
        outcome = push(net, change)
        assert (outcome.result, installed(net)) == (Result.DONE, ["agent", "nano"]), outcome
        assert net.router("ap").read("etc/config/agent") == CONFIG.replace("none", "Haus").encode()
        assert exists(net, "etc/rc.d/S95agentd")
        assert calls(net) == ["agentd restart"]
        assert net.plan(of="fall").already_right == ("ap",)
        [entry, *_] = net.store.entries()
        assert entry.what.startswith("playbook fall: install the package agent, install the package nano, remove the")
        assert "this stays: install the package agent" in entry.detail


@pytest.mark.scenario(37)
def test_what_has_no_undo_is_refused_before_any_router_is_touched_unless_it_is_allowed(tmp_path: Path) -> None:
    with one(tmp_path, **SNMP) as net:
        made = net.plan(of="fall")
        before = net.router("ap").inodes()
        refused = plan.with_undo(made)
        assert (refused.to_do, [each.error_id for each in refused.outcomes]) == ((), ["no-undo"])
        [outcome] = fleet.push_all(net.pusher("fall"), made.to_do, lambda outcome: None)
        assert (outcome.result, outcome.error_id) == (Result.REFUSED, "no-undo")
        assert "install the package agent" in outcome.why
        after = net.router("ap").inodes()
        assert {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)} <= {
            path for path in before.keys() | after.keys() if "/tmp" in path
        }


def test_step_that_fails_ends_the_push_and_says_what_was_done(tmp_path: Path) -> None:
    wishes = {"packages": {"present": ["nano", "missing-one", "later"]}, "files": [{"path": "/etc/x", "content": "x"}]}
    with one(tmp_path, **wishes) as net:
        outcome = push(net)
        assert (outcome.result, outcome.error_id) == (Result.FAILED, "step-failed")
        assert outcome.why == (
            "install the package missing-one failed (exit code 255); "
            "this stays: install the package nano; no file was changed"
        )
        assert outcome.hint == "see what it says with -v; look at the router, then at a new plan"
        assert ("ap", "Unknown package 'missing-one'.") in net.said
        assert installed(net) == ["nano"]
        assert not exists(net, "etc/x")


def test_step_that_ends_well_without_effect_has_failed(tmp_path: Path) -> None:
    with one(tmp_path, packages={"present": ["old"]}) as net:
        push(net)
        (net.router("ap").root / "lab/needed").write_text("old\n")
        wish(net, packages={"absent": ["old"]}, files=[{"path": "/etc/x", "content": "x"}])
        outcome = push(net)
        assert (outcome.result, outcome.error_id) == (Result.FAILED, "step-failed")
        assert outcome.why.startswith("what ended well had no effect: remove the package old; this stays")
        assert not exists(net, "etc/x")


def test_no_step_is_done_where_the_router_is_not_any_more_what_the_plan_says(tmp_path: Path) -> None:
    with one(tmp_path, packages={"present": ["nano"]}, files=[{"path": "/etc/banner", "content": "x"}]) as net:
        change = net.change("ap", "fall")
        (net.router("ap").root / "etc/banner").write_text("by somebody")
        assert push(net, change).error_id == "moved-since-plan"
        assert installed(net) == []


def test_change_that_goes_back_after_its_steps_says_that_they_stay(tmp_path: Path) -> None:
    wishes = {
        "packages": {"present": ["nano"]},
        "uci": {"system": [{"section": {"type": "system"}, "set": {"hostname": "x"}}]},
    }
    with one(tmp_path, **wishes) as net:
        before = net.router("ap").read("etc/config/system")
        net.router("ap").misbehave("lockout")
        outcome = push(net)
        assert outcome.result is Result.ROLLED_BACK
        assert outcome.why.endswith("this stays: install the package nano")
        assert (net.router("ap").read("etc/config/system"), installed(net)) == (before, ["nano"])


def test_refusal_after_the_steps_says_that_they_stay(tmp_path: Path) -> None:
    wishes = {"packages": {"present": ["nano"]}, "files": [{"path": "/etc/x", "content": "x"}]}
    with one(tmp_path, **wishes) as net:
        packaged(net, "nano", {"tmp/.uci/system": "system.x.y='z'\n"})
        outcome = push(net)
        assert (outcome.result, outcome.error_id) == (Result.FAILED, "step-failed")
        assert "unsaved changes" in outcome.why
        assert "this stays: install the package nano" in outcome.why


def test_router_is_ours_for_as_long_as_its_steps_may_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with one(tmp_path, packages={"present": ["nano"]}) as net:
        lease, seconds = net.store.lease, list[float]()
        monkeypatch.setattr(
            net.store, "lease", lambda name, longest: [seconds.append(longest), lease(name, longest)][1]
        )
        assert push(net).result is Result.DONE
        connected, times = list[float](), net.inventory.network.push
        monkeypatch.setattr("wifimgr.push.apply.connect", lambda target, deadline: connected.append(deadline.left()))
        (net.router("ap").root / "usr/lib/opkg/status").unlink()
        push(net)
        returns = times.confirm_within + LONGEST_RETURN
        assert seconds[1] >= connected[0] + returns > PACKAGE_SECONDS + 2 * (READ_SECONDS + ARM_SECONDS) + returns


# --- commands ---


def test_command_is_done_once_and_its_test_says_that_it_was(tmp_path: Path) -> None:
    odd = 'it\'s "$HOME" `x` $(y) \\ ü\nsecond line'
    run = f"cat >\"$WIFIMGR_ROOT/etc/made\" <<'END'\n{odd}\nEND\n"
    commands = [{"about": "make a file", "unless": 'test -e "$WIFIMGR_ROOT/etc/made"', "run": run}]
    with one(tmp_path, command=commands) as net:
        change = net.change("ap", "fall")
        assert [step.what for step in change.steps] == ["make a file"]
        assert push(net, change) == Outcome("ap", Result.DONE, "this stays: make a file")
        assert net.router("ap").read("etc/made") == f"{odd}\n".encode()
        assert net.plan(of="fall").already_right == ("ap",)


def test_secret_of_a_command_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEHEIM", "sehr'geheim\"$x")
    commands = [
        {"about": "set it", "unless": "test {{ key }} = x", "run": "printf %s {{ word }}; echo {{ key }}; exit 3"},
    ]
    with one(tmp_path, command=commands, vars={"key": {"env": "GEHEIM"}, "word": "word"}) as net:
        change = net.change("ap", "fall")
        outcome = push(net, change)
        assert outcome.why == "set it failed (exit code 2); no file was changed" or "exit code 3" in outcome.why
        shown = f"{change}{outcome}{net.plan(of='fall')}{list(net.store.entries())}{net.said}"
        assert "geheim" not in shown


HOSTILE = [
    "x; touch $M #", "$(touch $M)", "`touch $M`", "'; touch $M; '", '"; touch $M; "', "a\ntouch $M\n", "\\'$(touch $M)",
    "$M' \"b\"  c * ~ ü", "", "-n", "x'\\''`touch $M`", "a}$(touch $M)${b",
]  # fmt: skip
PLACES = [
    "printf %s {{ x }}", "v=a{{ x }}b; printf %s \"$v\"", "echo $(echo {{ x }})", "echo `echo {{ x }}`",
    "echo $(( {{ x }} ))", "# {{ x }}\necho", "echo ${{ x }}", "case {{ x }} in *) echo;; esac",
    "echo ${y:-{{ x }}}",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
def test_variable_of_a_command_is_one_word_and_never_code(value: str, tmp_path: Path) -> None:
    """Neither while a plan is made, nor while the command is carried out, wherever somebody puts it."""
    made, text = tmp_path / "made-by-a-variable", value.replace("$M", str(tmp_path / "made-by-a-variable"))
    commands = []
    for number, code in enumerate([*PLACES, "printf %s {{ x }} >$WIFIMGR_ROOT/etc/made"]):
        mark = f"$WIFIMGR_ROOT/etc/mark-{number}"
        done = f"(\n{code}\n)\ntrue >{mark}"
        commands.append({"about": str(number), "unless": f"(\n{code}\n)\ntest -e {mark}", "run": done})
    with one(tmp_path, command=commands, vars={"x": text}) as net:
        change = net.change("ap", "fall")
        assert len(change.steps) == len(commands)
        assert push(net, change).result is Result.DONE
        assert net.router("ap").read("etc/made") == text.encode()
    assert not made.exists()


def test_what_a_failed_step_said_is_written_nowhere_and_its_known_secrets_not_even_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEHEIM", "unser-wort")
    monkeypatch.setenv("EIGENES", "sein-eigenes")
    run = 'echo unser-wort sein-eigenes; cat "$WIFIMGR_ROOT/etc/config/wireless" | grep key; echo unbekannt; exit 3'
    wishes = {
        "command": [{"about": "say it", "unless": "false", "run": run}],
        "uci": {"wireless": [{"section": {"type": "wifi-iface", "name": "guest"}, "set": {"ssid": "neu"}}]},
        "vars": {"own": {"env": "EIGENES"}},
    }
    with one(tmp_path, **wishes) as net:
        by_variable = replace(net.inventory.routers["ap"], vars={"word": SecretRef("env", "GEHEIM")})
        net.inventory = replace(net.inventory, routers={"ap": by_variable})
        file = net.router("ap").root / "etc/config/wireless"
        file.write_text("config wifi-iface 'guest'\n\toption key 'lang-und-geheim'\n")
        outcome = push(net)
        assert outcome.why == "say it failed (exit code 3); no file was changed"
        assert [text for _, text in net.said[-3:]] == ["*** ***", "\toption key '***'", "unbekannt"]
        written = f"{outcome}{list(net.store.entries())}"
        assert not any(word in written for word in ("unser-wort", "sein-eigenes", "lang-und-geheim", "unbekannt"))


def test_secret_at_the_place_where_the_words_of_a_step_are_cut_is_masked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEHEIM", "unser-langes-wort")
    run = f"echo unser-langes-wort{'x' * (LONGEST_QUOTE - 8)}; exit 3"
    with one(tmp_path, command=[{"about": "say it", "unless": "false", "run": run}]) as net:
        by_variable = replace(net.inventory.routers["ap"], vars={"word": SecretRef("env", "GEHEIM")})
        net.inventory = replace(net.inventory, routers={"ap": by_variable})
        push(net)
        assert net.said[-1] == ("ap", "***" + "x" * (LONGEST_QUOTE - 8))


def test_test_of_a_command_that_is_written_wrong_names_its_line(tmp_path: Path) -> None:
    commands = [{"about": "make it", "unless": "unheard-of -e /x", "run": 'true >"$WIFIMGR_ROOT/etc/made"'}]
    with one(tmp_path, command=commands) as net:
        [outcome] = net.plan(of="fall").outcomes
        assert (outcome.error_id, outcome.why) == (
            "bad-wish",
            "playbooks/fall.yaml:3: command: the test ('unless') of 'make it' calls a program that is not on the "
            "router, or may not be run",
        )


def marks(*names: str) -> list[dict[str, str]]:
    """Commands that make files of these names."""
    path = '"$WIFIMGR_ROOT/etc/{}"'
    return [
        {"about": f"make {name}", "unless": f"test -e {path.format(name)}", "run": f"true >{path.format(name)}"}
        for name in names
    ]


@pytest.mark.parametrize("arrives", [True, False])
def test_no_step_is_begun_once_the_connection_is_lost(
    arrives: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with one(tmp_path, command=marks("one", "two", "three"), files=[{"path": "/etc/x", "content": "x"}]) as net:
        change, run = net.change("ap", "fall"), Connection.run

        def lossy(connection: Connection, text: str, deadline: Deadline) -> bytes:
            if "\ntake_step 60 " in text and "etc/two" in text:
                if arrives:
                    run(connection, text, deadline)
                raise RouterError("unreachable", "cannot be reached (the cable)")
            return run(connection, text, deadline)

        monkeypatch.setattr(Connection, "run", lossy)
        outcome = push(net, change)
        assert (outcome.result, outcome.error_id) == (Result.FAILED, "step-failed")
        assert outcome.why == (
            "cannot be reached (the cable), amid what has no undo (make two); whether it was done is not known; "
            "this stays: make one; no file was changed"
        )
        assert [exists(net, f"etc/{name}") for name in ("one", "two", "three", "x")] == [True, arrives, False, False]


def test_push_that_is_stopped_between_its_steps_begins_no_other(tmp_path: Path) -> None:
    with one(tmp_path, command=marks("one", "two")) as net:
        pusher = replace(net.pusher("fall"), allow_no_undo=True)
        pusher = replace(pusher, say=lambda name, text: pusher.stop.set())
        outcome = pusher.push(net.change("ap", "fall"))
        assert outcome.why == "interrupted; this stays: make one; no file was changed"
        assert [exists(net, f"etc/{name}") for name in ("one", "two")] == [True, False]


@pytest.mark.parametrize("before", [0, 1, 2])
def test_push_that_runs_into_an_opening_stops_between_its_steps_and_before_its_change(
    before: int, tmp_path: Path
) -> None:
    asked: list[int] = []

    def ask_again(change: Change) -> None:
        asked.append(len(change.steps))
        if len(asked) > before:
            raise Refused("open-now", "open until 18:00", where="ap", hint="later")

    with one(tmp_path, command=marks("one", "two"), files=[{"path": "/etc/x", "content": "x"}]) as net:
        pusher = replace(net.pusher("fall"), allow_no_undo=True, ask_again=ask_again)
        outcome = pusher.push(net.change("ap", "fall"))
        skipped, failed = (Result.SKIPPED, "open-now"), (Result.FAILED, "step-failed")
        assert (outcome.result, outcome.error_id) == (failed if before else skipped)
        done = ", ".join(f"make {name}" for name in ("one", "two")[:before])
        assert outcome.why == "open until 18:00" + (f"; this stays: {done}; no file was changed" if done else "")
        assert asked == [2, 1, 0][: before + 1]
        assert [exists(net, f"etc/{name}") for name in ("one", "two", "x")] == [before > 0, before > 1, False]


def test_what_somebody_changes_while_steps_are_done_is_told_and_not_overwritten(tmp_path: Path) -> None:
    meanwhile = "config system\n\toption hostname 'by-hand'\n"
    command = {"about": "wait", "unless": 'test -e "$WIFIMGR_ROOT/etc/made"'}
    command["run"] = f'true >"$WIFIMGR_ROOT/etc/made"; printf %s "{meanwhile}" >"$WIFIMGR_ROOT/etc/config/system"'
    wishes = {"command": [command], "uci": {"system": [{"section": {"type": "system"}, "set": {"hostname": "neu"}}]}}
    with one(tmp_path, **wishes) as net:
        outcome = push(net)
        assert (outcome.result, outcome.error_id) == (Result.REFUSED, "moved-since-plan")
        assert outcome.why == (
            "changed since the plan: system.@system[0].hostname; this stays: wait; no file was changed"
        )
        assert net.router("ap").read("etc/config/system") == meanwhile.encode()


def test_change_that_never_arrives_after_its_steps_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with one(tmp_path, command=marks("one"), files=[{"path": "/etc/x", "content": "x"}]) as net:
        change = net.change("ap", "fall")
        Loss(monkeypatch, "arm", arrives=False)
        outcome = push(net, change)
        assert (outcome.result, outcome.error_id) == (Result.FAILED, "unreachable")
        assert outcome.why == (
            "the connection broke before the change was armed; no file was changed; this stays: make one"
        )
        assert not exists(net, "etc/x")


def test_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    commands = [{"about": "wait", "unless": "false", "run": "sleep 60", "within": "1s"}]
    with one(tmp_path, command=commands) as net:
        assert push(net).why == "wait failed (it was ended after 1 s); no file was changed"


def test_push_that_is_stopped_after_its_steps_changes_no_file(tmp_path: Path) -> None:
    wishes = {"packages": {"present": ["nano"]}, "files": [{"path": "/etc/x", "content": "x"}]}
    with one(tmp_path, **wishes) as net:
        pusher = replace(net.pusher("fall"), allow_no_undo=True)
        pusher = replace(pusher, say=lambda name, text: pusher.stop.set())
        outcome = pusher.push(net.change("ap", "fall"))
        assert outcome.why == "interrupted; this stays: install the package nano; no file was changed"
        assert not exists(net, "etc/x")


# --- services ---


def test_service_is_enabled_and_started_and_both_are_undone(tmp_path: Path) -> None:
    with one(tmp_path, services={"enabled": ["cron"]}) as net:
        change = net.change("ap", "fall")
        assert [(path.path, path.link) for path in change.paths] == [
            ("etc/rc.d/K10cron", True),
            ("etc/rc.d/S50cron", True),
        ]
        assert (change.steps, change.after, change.connectivity) == ((), ("service start cron",), True)
        assert push(net, change, allow_no_undo=False) == Outcome("ap", Result.DONE)
        assert calls(net) == ["cron start"]
        assert net.plan(of="fall").already_right == ("ap",)
        wish(net, services={"disabled": ["cron"]})
        assert push(net) == Outcome("ap", Result.DONE)
        assert calls(net) == ["cron start", "cron stop"]
        assert not exists(net, "etc/rc.d/S50cron")
        assert not exists(net, "etc/rc.d/K10cron")
        assert net.plan(of="fall").already_right == ("ap",)


def test_service_that_runs_is_stopped_where_it_shall_not_start(tmp_path: Path) -> None:
    with one(tmp_path, services={"disabled": ["cron", "unheard-of"]}) as net:
        assert net.plan(of="fall").already_right == ("ap",)
        (net.router("ap").root / "lab/services").write_text("cron\n")
        change = net.change("ap", "fall")
        assert (change.paths, change.after) == ((), ("service stop cron",))
        assert push(net, change) == Outcome("ap", Result.DONE)
        assert calls(net) == ["cron stop"]
        assert net.plan(of="fall").already_right == ("ap",)


def test_service_is_told_to_take_the_old_files_up_when_a_change_goes_back(tmp_path: Path) -> None:
    wishes = {
        "services": {"enabled": ["cron"], "restart_when_changed": ["snmpd"]},
        "uci": {"system": [{"section": {"type": "system"}, "set": {"hostname": "x"}}]},
    }
    with one(tmp_path, **wishes) as net:
        before = net.router("ap").flash()
        net.router("ap").misbehave("lockout")
        assert push(net).result is Result.ROLLED_BACK
        assert net.router("ap").flash() == before
        assert not exists(net, "etc/rc.d/S50cron")
        assert calls(net) == ["cron start", "snmpd restart", "cron stop", "snmpd restart"]


def test_service_is_restarted_only_when_something_changes(tmp_path: Path) -> None:
    wishes = {
        "services": {"restart_when_changed": ["snmpd"]},
        "files": [{"path": "/etc/snmp.conf", "content": "x\n"}],
    }
    with one(tmp_path, **wishes) as net:
        assert push(net) == Outcome("ap", Result.DONE)
        assert calls(net) == ["snmpd restart"]
        assert net.plan(of="fall").already_right == ("ap",)


def test_rollback_takes_links_back_and_stops_what_they_started(tmp_path: Path) -> None:
    with one(tmp_path, services={"enabled": ["cron"]}) as net:
        push(net)
        made = plan.plan_of(Rollback(), net.inventory, net.known_hosts, [net.inventory.routers["ap"]])
        [change] = made.to_do
        assert change.after == ("service stop cron",)
        pusher = replace(net.pusher("fall"), job=Rollback())
        assert pusher.push(change) == Outcome("ap", Result.DONE)
        assert not exists(net, "etc/rc.d/S50cron")
        assert calls(net) == ["cron start", "cron stop"]


def test_service_that_does_not_exist_is_a_bad_wish(tmp_path: Path) -> None:
    with one(tmp_path, services={"enabled": ["unheard-of"]}) as net:
        [outcome] = net.plan(of="fall").outcomes
        assert (outcome.error_id, outcome.why) == (
            "bad-wish",
            "playbooks/fall.yaml:5: services: there is no service 'unheard-of' on the router",
        )


def test_file_at_the_place_of_a_link_is_not_overwritten(tmp_path: Path) -> None:
    with one(tmp_path, services={"enabled": ["cron"]}) as net:
        (net.router("ap").root / "etc/rc.d/S50cron").write_text("#!/bin/sh\n")
        [outcome] = net.plan(of="fall").outcomes
        assert (outcome.error_id, outcome.why) == (
            "bad-answer",
            "what starts or stops the service cron is no link in /etc/rc.d",
        )
