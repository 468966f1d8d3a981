"""Settings of a network, secrets, endpoints."""

from __future__ import annotations

import copy
import json
import pickle
import shlex
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.networks import NETWORK, SITE, write
from wifimgr.errors import ConfigError
from wifimgr.hours import Calendar
from wifimgr.inventory import load
from wifimgr.settings import (
    Endpoint,
    PushTimes,
    Rollout,
    Secret,
    SecretRef,
    SnmpProfile,
    SshProfile,
    find_network,
    load_network,
    looks_secret,
    make_state_dir,
    read_network,
    seconds,
)
from wifimgr.settings import secret as secret_module
from wifimgr.settings.files import LocalFile, NetworkFile

# --- secrets ---


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r}".format, "{:>3}".format, "%s".__mod__])
def test_a_secret_does_not_show_itself(show: Callable[[object], str]) -> None:
    assert show(Secret("hunter2")) == "***"


def test_a_secret_is_revealed_only_on_purpose() -> None:
    assert Secret("hunter2").reveal() == "hunter2"


@pytest.mark.parametrize("leave", [pickle.dumps, json.dumps, copy.copy, copy.deepcopy, vars, hash])
def test_a_secret_does_not_leave_by_accident(leave: Callable[[object], object]) -> None:
    with pytest.raises(TypeError):
        leave(Secret("hunter2"))


def test_secrets_are_compared() -> None:
    assert Secret("ä") == Secret("ä")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


@given(st.text())
def test_a_secret_equals_itself_whatever_is_in_it(text: str) -> None:
    assert Secret(text) == Secret(text)


@pytest.mark.parametrize(
    ("written", "secret"),
    [("psk", "psk"), ("psk\n", "psk"), ("psk\r\n", "psk"), ("psk\n\n", "psk\n"), (" a\nb ", " a\nb "), ("ä", "ä")],
)
def test_one_newline_at_the_end_of_a_secret_file_is_none_of_the_secret(
    tmp_path: Path, written: str, secret: str
) -> None:
    (tmp_path / "secret").write_bytes(written.encode())
    assert SecretRef("file", "secret", tmp_path).resolve() == Secret(secret)


def test_a_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SECRET", "hunter2\n")
    assert SecretRef("env", "TEST_SECRET").resolve().reveal() == "hunter2\n"


def test_a_secret_file_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "secret").write_text("hunter2")
    assert SecretRef("file", "~/secret", Path("/nowhere")).resolve().reveal() == "hunter2"


MISSING = {
    "no variable": (
        "env",
        "NOT_SET",
        "the environment variable NOT_SET is not set; set NOT_SET before you start wifimgr",
    ),
    "empty variable": ("env", "EMPTY", "the environment variable EMPTY is empty; set EMPTY before you start wifimgr"),
    "no file": (
        "file",
        "gone",
        "the secret file gone cannot be read: no such file or directory; write the secret into {folder}/gone",
    ),
    "empty file": ("file", "empty", "the secret file empty is empty; write the secret into {folder}/empty"),
    "not text": ("file", "raw", "the secret file raw is not UTF-8 text; write the secret into {folder}/raw"),
}


@pytest.mark.parametrize("case", MISSING)
def test_a_missing_secret_says_where_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.setenv("EMPTY", "")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "raw").write_bytes(b"\xff\xfe")
    kind, name, message = MISSING[case]
    reference = SecretRef("env" if kind == "env" else "file", name, tmp_path, "inventory/network.yaml:7")
    with pytest.raises(ConfigError) as caught:
        reference.resolve()
    text = message.format(folder=tmp_path)
    assert caught.value.lines() == [f"inventory/network.yaml:7: {text} [missing-secret]"]


# --- secrets that a command prints ---


def program(folder: Path, body: str) -> str:
    """A program in the network folder that notes each of its runs; what it is called."""
    path = folder / "ask"
    path.write_text(f"#!/bin/sh\necho run >> runs\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text().splitlines()) if (folder / "runs").exists() else 0


def printed(folder: Path, body: str, arguments: str = "") -> SecretRef:
    """A reference to what a program prints that may be started."""
    name = program(folder, body)
    return SecretRef("command", f"{name} {arguments}", folder, "inventory/network.yaml:7", frozenset([name]))


def why_not(reference: SecretRef) -> str:
    with pytest.raises(ConfigError) as caught:
        reference.resolve()
    [line] = caught.value.lines()
    return line.replace(reference.name, "COMMAND")


@pytest.mark.parametrize(
    ("output", "secret"), [("psk", "psk"), (r"psk\n", "psk"), (r"a\nb\n\n", "a\nb\n"), ("ä ", "ä ")]
)
def test_a_secret_that_a_command_prints(tmp_path: Path, output: str, secret: str) -> None:
    assert printed(tmp_path, f"printf '{output}'").resolve() == Secret(secret)


def test_a_command_is_started_in_the_network_folder(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store/psk").write_text("hunter2\n")
    assert printed(tmp_path, 'cat "$1"', "store/psk").resolve() == Secret("hunter2")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("show 'a  b' \"c'd\"", ["show", "a  b", "c'd"]),
        ("$(touch gone) `touch gone` $HOME ~ *", ["$(touch", "gone)", "`touch", "gone`", "$HOME", "~", "*"]),
        ("x; touch gone && tee gone > gone &", ["x;", "touch", "gone", "&&", "tee", "gone", ">", "gone", "&"]),
        ("'; touch gone #'", ["; touch gone #"]),
    ],
)
def test_no_shell_reads_a_command(tmp_path: Path, arguments: str, words: list[str]) -> None:
    reference = printed(tmp_path, "for word; do printf '%s\\n' \"$word\"; done", arguments)
    assert reference.resolve().reveal().splitlines() == words
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("line", ["{0}", "{0} show psk", "ask", "./ask", "sh {0}", "env {0}", "'{0} x'"])
def test_only_the_programs_that_this_machine_names_are_started(tmp_path: Path, line: str) -> None:
    name = program(tmp_path, "echo hunter2")
    line = line.format(name)
    allowed = frozenset([f"{name}2", "as"])
    with pytest.raises(ConfigError) as caught:
        SecretRef("command", line, tmp_path, "inventory/network.yaml:7", allowed).resolve()
    first = shlex.split(line)[0]
    assert caught.value.lines() == [
        f"inventory/network.yaml:7: this machine does not let files start {first}; if you trust these files, "
        f"set WIFIMGR_SECRET_COMMANDS={first} on this machine [missing-secret]"
    ]
    assert runs(tmp_path) == 0


FAILING = {
    "it fails": ("echo hunter2; echo oh no >&2; exit 3", "cannot be had: it ended with 3"),
    "it is killed": ("echo hunter2; kill -9 $$", "cannot be had: it ended with -9"),
    "it prints nothing": ("true", "is empty"),
    "it prints a line break": ("echo", "is empty"),
    "it prints no text": (r"printf 'hunter2\377'", "is not UTF-8 text"),
}


@pytest.mark.parametrize("case", FAILING)
def test_a_command_that_prints_no_secret(tmp_path: Path, capfd: pytest.CaptureFixture[str], case: str) -> None:
    body, why = FAILING[case]
    assert why_not(printed(tmp_path, body)) == (
        f"inventory/network.yaml:7: what 'COMMAND' prints {why}; run it yourself to see what is wrong [missing-secret]"
    )
    assert capfd.readouterr() == ("", "oh no\n" if case == "it fails" else "")


@pytest.mark.parametrize(("mode", "why"), [(None, "no such file or directory"), (0o644, "permission denied")])
def test_a_command_that_cannot_be_started(tmp_path: Path, mode: int | None, why: str) -> None:
    reference = printed(tmp_path, "echo hunter2")
    (tmp_path / "ask").chmod(mode) if mode else (tmp_path / "ask").unlink()
    assert f"prints cannot be had: {why};" in why_not(reference)


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_module, "SECONDS_TO_ASK", 0.5)
    assert "prints cannot be had: it took more than 0.5 s;" in why_not(printed(tmp_path, "sleep 4; echo hunter2"))


def test_a_command_is_asked_once_whoever_needs_it(tmp_path: Path) -> None:
    """Also by many threads at once: nobody types a passphrase twice."""
    references = [replace(printed(tmp_path, "echo hunter2"), where=f"x:{line}") for line in range(8)]
    with ThreadPoolExecutor(len(references)) as pool:
        found = list(pool.map(SecretRef.resolve, references))
    assert found == [Secret("hunter2")] * 8
    assert runs(tmp_path) == 1


def test_a_command_that_failed_is_asked_again(tmp_path: Path) -> None:
    """A program that runs on gets its secret as soon as the store is open."""
    reference = printed(tmp_path, "[ -e open ] && echo hunter2")
    assert "it ended with 1" in why_not(reference)
    (tmp_path / "open").touch()
    assert reference.resolve() == Secret("hunter2")


@pytest.mark.parametrize("allowed", [True, False])
def test_this_machine_says_what_references_may_start(
    tmp_path: Path, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = program(tmp_path, 'echo "$1"')
    network = NETWORK.replace("{env: ROUTER_PASSWORD}", f'{{command: "{name} ssh"}}')
    site = SITE.replace("role: gateway", f'role: gateway\n    ssh: high\n    vars: {{psk: {{command: "{name} wifi"}}}}')
    monkeypatch.setenv("WIFIMGR_SECRET_COMMANDS", f"pass {name}" if allowed else "pass")
    inventory = load(write(tmp_path, network, eins=site))
    router = inventory.routers["eins-gw"]
    references = {"ssh": inventory.network.ssh_profile(router).password, "wifi": router.vars["psk"]}
    for secret, reference in references.items():
        assert reference is not None
        if allowed:
            assert reference.resolve() == Secret(secret)
        else:
            assert "this machine does not let files start" in why_not(reference)


def test_no_file_of_the_folder_says_what_references_may_start(tmp_path: Path) -> None:
    """Whoever hands on a folder could hand on .wifimgr/local.yaml, too."""
    with pytest.raises(ConfigError, match="secret_commands: unknown key"):
        load_network(write(tmp_path, local="secret_commands: [sh]\n"))


@pytest.mark.parametrize("written", ["", "   ", "'' x", "pass 'x"])
def test_what_is_no_command(tmp_path: Path, written: str) -> None:
    network = NETWORK.replace("{env: ROUTER_PASSWORD}", f'{{command: "{written}"}}')
    with pytest.raises(ConfigError) as caught:
        load_network(write(tmp_path, network))
    assert caught.value.lines() == [
        "inventory/network.yaml:11: profiles.ssh.high.password: is not a command; "
        "write {env: NAME}, {file: PATH} or {command: LINE} [wrong-type]"
    ]


# --- names of secrets ---


@pytest.mark.parametrize(
    "name", ["password", "wifi_password", "PSK", "snmp_community", "key", "private_key", "wpa_key_1", "api_token"]
)
def test_names_of_secrets(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize("name", ["ssid", "public_key", "ssh_pub_key", "key_holder", "monkey", "secretary", "keyboard"])
def test_names_of_nothing_secret(name: str) -> None:
    assert not looks_secret(name)


# --- durations ---


@pytest.mark.parametrize(("written", "found"), [("500ms", 0.5), ("60s", 60), ("1.5m", 90), ("2h", 7200), ("1d", 86400)])
def test_durations(written: str, found: float) -> None:
    assert seconds(written) == found


@pytest.mark.parametrize(
    "written", ["60", "", "s", "-1s", "1 s", "1h30m", "1w", "infs", "nans", "\uff11s", "9" * 400 + "s"]
)
def test_no_durations(tmp_path: Path, written: str) -> None:
    network = NETWORK + f'push: {{login_gap: "{written}"}}\n'
    with pytest.raises(ConfigError) as caught:
        load_network(write(tmp_path, network))
    assert caught.value.lines() == [
        "inventory/network.yaml:20: push.login_gap: is not a duration; "
        "write a number and its unit, like 60s, 5m or 1h [wrong-type]"
    ]


# --- finding and loading ---


def test_the_network_is_found_from_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WIFIMGR_NETWORK", raising=False)
    write(tmp_path / "net")
    monkeypatch.chdir(tmp_path / "net" / "inventory" / "sites")
    assert find_network() == tmp_path / "net"


def test_the_environment_names_the_network_and_an_argument_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "one")
    write(tmp_path / "two")
    monkeypatch.setenv("WIFIMGR_NETWORK", str(tmp_path / "one"))
    assert find_network() == tmp_path / "one"
    assert find_network(tmp_path / "two") == tmp_path / "two"


def test_a_folder_that_is_not_there_finds_no_network_above_it(tmp_path: Path) -> None:
    folder = write(tmp_path) / "typo"
    with pytest.raises(ConfigError) as caught:
        find_network(folder)
    assert caught.value.lines() == [
        f"no inventory/network.yaml in {folder} or above it; name the folder with --network DIR, "
        "make one with `wifimgr init DIR`, or try `wifimgr demo` [no-network]"
    ]


def test_the_state_folder_is_ours_alone(tmp_path: Path) -> None:
    (tmp_path / ".wifimgr").mkdir(mode=0o755)
    state = make_state_dir(tmp_path)
    assert state == make_state_dir(tmp_path) == tmp_path / ".wifimgr"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert (state / ".gitignore").read_text() == "*\n"


def test_a_small_network_has_built_in_values(tmp_path: Path) -> None:
    network = load_network(write(tmp_path, "name: x\noperators: {}\n"))
    assert (network.name, network.push, network.state_dir) == ("x", PushTimes(), tmp_path / ".wifimgr")
    assert list(network.ssh_profiles) == ["default"]


def test_all_problems_of_both_files_are_told_in_one_run(tmp_path: Path) -> None:
    network = """\
        name: 5
        timezone: Europe/Duisburg
        languages: [deutsch]
        operators: {city: {name: Stadt, manage: pusch}}
        profiles:
          ssh: {default: {port: 70000, password: hunter2, key: ~/.ssh/id}}
          snmp:
            old: {version: v2c}
            new: {version: v3, user: x, priv: {aes128: {env: P}}}
            odd: {version: v3, user: x, auth: {sha256: hunter2}}
        defaults: {interval: 60, vars: {psk: hunter2, site_name: x, Bad: 1, nested: {a: 1}, wrong: {evn: hunter2}}}
        """
    with pytest.raises(ConfigError) as caught:
        load_network(write(tmp_path, network, local="endpoints: {a: {ssh: here, telnet: 'x:1'}}\n"))
    plain = "a secret may not stand here in plain text; write where it is found, {env: NAME}, {file: PATH} or "
    plain += "{command: LINE}, and change the secret: this file is shared [plain-secret]"
    at = "inventory/network.yaml"
    reference = "is not a reference to a secret; write {env: NAME}, {file: PATH} or {command: LINE} [wrong-type]"
    assert sorted(caught.value.lines()) == sorted(
        [
            f"{at}:1: name: must be text, not a number; put it in quotes [wrong-type]",
            f"{at}:2: timezone: is not a known time zone; write it like Europe/Berlin [wrong-type]",
            f"{at}:3: languages[0]: is not a language; write it like de or de-AT [wrong-type]",
            f"{at}:4: operators.city.manage: 'pusch' is not known; did you mean push? [unknown-name]",
            f"{at}:6: profiles.ssh.default.port: is not a port; write a number from 1 to 65535 [wrong-type]",
            f"{at}:6: profiles.ssh.default.password: {plain}",
            f"{at}:6: profiles.ssh.default.key: is not a reference to a key file; write {{file: PATH}} [wrong-type]",
            f"{at}:8: profiles.snmp.old: SNMP v2c needs a community; add community [missing-key]",
            f"{at}:9: profiles.snmp.new: priv works only together with auth; add auth [missing-key]",
            f"{at}:10: profiles.snmp.odd.auth.sha256: {plain}",
            f"{at}:11: defaults.interval: is not a duration; "
            "write a number and its unit, like 60s, 5m or 1h [wrong-type]",
            f"{at}:11: defaults.vars.psk: {plain}",
            f"{at}:11: defaults.vars.site_name: is set by wifimgr itself; choose another name [reserved-name]",
            f"{at}:11: defaults.vars.Bad: is not a name for a variable; use small letters, digits and _ [wrong-type]",
            f"{at}:11: defaults.vars.nested: {reference}",
            f"{at}:11: defaults.vars.wrong: {reference}",
            ".wifimgr/local.yaml:1: endpoints.a.ssh: is not an endpoint; "
            "write address:port or [IPv6 address]:port in quotes [wrong-type]",
            ".wifimgr/local.yaml:1: endpoints.a.telnet: 'telnet' is not a service; "
            "known here: http, ping, respondd, snmp, ssh [unknown-name]",
        ]
    )


def test_a_profile_that_only_this_machine_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_network(write(tmp_path, local="ssh: {defualt: {user: x}}\n"))
    assert caught.value.lines() == [
        ".wifimgr/local.yaml:1: ssh.defualt: no SSH profile 'defualt'; did you mean default? [unknown-name]"
    ]


def test_the_file_models_have_a_json_schema() -> None:
    assert "operators" in NetworkFile.model_json_schema()["properties"]
    assert "endpoints" in LocalFile.model_json_schema()["properties"]


# --- no false alarms where something is wrong ---

ONE_THING_WRONG = {
    "a name without a value": NETWORK.replace("name: Stadt", "name: "),
    "a name of the wrong type": NETWORK.replace("name: Stadt", "name: 5"),
    "an unknown kind of profile": NETWORK.replace("profiles:", "profiles:\n  snpm: {}"),
    "a part of a profile": NETWORK.replace(
        "version: v2c, port: 1161, community: {file: secrets/community}", "version: v3, user: "
    ),
    "times of a push": NETWORK + "push: {confirm_within: 60, settle: {connectivity: 85s}}\n",
    "times of a push, misspelt": NETWORK + "push: {confirmwithin: 90m, settle: {connectivity: 85s}}\n",
    "profiles": NETWORK.replace("  ssh:", "  shs:"),
}


@pytest.mark.parametrize("case", ONE_THING_WRONG)
def test_one_thing_that_is_wrong_is_one_problem(tmp_path: Path, case: str) -> None:
    network, problems = read_network(write(tmp_path, ONE_THING_WRONG[case], local="ssh: {high: {user: x}}\n"))
    assert len(problems) == 1, problems
    assert network.name == "Testnetz"


# --- push times ---


def test_push_times_come_from_the_network_and_then_from_this_machine(tmp_path: Path) -> None:
    network = NETWORK + "push: {confirm_within: 60s, settle: {connectivity: 10s}}\n"
    push = load_network(write(tmp_path, network, local="push: {settle: {connectivity: 1s}, login_gap: 500ms}\n")).push
    assert push == PushTimes(confirm_within=60, settle_connectivity=1, settle_other=3, login_gap=0.5)


def test_care_with_many_routers_comes_from_the_network_and_then_from_this_machine(tmp_path: Path) -> None:
    assert load_network(write(tmp_path)).rollout == Rollout(canary=1, at_once=50, stop_after=3, while_open=False)
    network = NETWORK + "push: {canary: 0, at_once: 8}\n"
    found = load_network(write(tmp_path, network, local="push: {at_once: 2, stop_after: 0}\n"))
    assert found.rollout == Rollout(canary=0, at_once=2, stop_after=0)
    assert found.push == PushTimes()


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("canary: -1", "push.canary: is less than none; write 0 or more"),
        ("stop_after: -1", "push.stop_after: is less than none; write 0 or more"),
        ("at_once: 0", "push.at_once: is less than one; write 1 or more"),
        ("at_once: many", "push.at_once: must be a whole number, not text; write it without quotes"),
    ],
)
def test_care_that_makes_no_sense_is_refused(tmp_path: Path, written: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_network(write(tmp_path, NETWORK + f"push: {{{written}}}\n"))
    assert caught.value.lines() == [f"inventory/network.yaml:20: {what} [wrong-type]"]


@pytest.mark.parametrize(
    ("in_network", "in_local", "where"),
    [("32s", "", "inventory/network.yaml:20"), ("90s", "push: {confirm_within: 32s}", ".wifimgr/local.yaml:1")],
)
def test_a_push_that_could_never_be_confirmed_is_refused(
    tmp_path: Path, in_network: str, in_local: str, where: str
) -> None:
    network = NETWORK + f"push: {{confirm_within: {in_network}}}\n"
    with pytest.raises(ConfigError) as caught:
        load_network(write(tmp_path, network, in_local))
    assert caught.value.lines() == [
        f"{where}: push: confirm_within is 32s, but a push needs more than 32s to be confirmed; "
        "that is 25s to settle, 5s between two logins and 2s to log in; make confirm_within longer [wrong-type]"
    ]


@pytest.mark.parametrize(("written", "found"), [("never", 0), ("10m", 600), ("7.5s", 7.5)])
def test_reboot_after_an_undo_comes_after_a_time_or_never(tmp_path: Path, written: str, found: float) -> None:
    assert load_network(write(tmp_path, NETWORK + f"push: {{reboot_after: {written}}}\n")).push.reboot_after == found


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("7s", "push: reboot_after is 7s: nobody can log in as soon as that; make it longer than 7s, or never"),
        ("0s", "push.reboot_after: is too short; write 1s or more"),
        ("no", "push.reboot_after: is not a duration; write a number and its unit, like 60s, 5m or 1h"),
    ],
)
def test_reboot_that_nobody_could_come_before_is_refused(tmp_path: Path, written: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_network(write(tmp_path, NETWORK + f"push: {{reboot_after: {written}}}\n"))
    assert caught.value.lines() == [f"inventory/network.yaml:20: {what} [wrong-type]"]


# --- endpoints and profiles ---

ROUTERS = """\
name: Haus
kind: other
routers:
  plain: {addresses: ["2001:db8::1", 192.0.2.1]}
  high: {addresses: [192.0.2.2], ssh: high}
  own: {addresses: [router.example.org], ssh: high, ports: {ssh: 2200, http: 8080}}
"""


@pytest.mark.parametrize(
    ("router", "service", "endpoint"),
    [
        ("plain", "ssh", "[2001:db8::1]:22"),
        ("plain", "snmp", "[2001:db8::1]:1161"),
        ("plain", "respondd", "[2001:db8::1]:1001"),
        ("plain", "http", "[2001:db8::1]:80"),
        ("high", "ssh", "192.0.2.2:2222"),
        ("high", "http", "[::1]:40001"),
        ("own", "ssh", "127.0.0.1:40000"),
        ("own", "http", "router.example.org:8080"),
    ],
)
def test_the_nearest_word_about_an_endpoint_wins(tmp_path: Path, router: str, service: str, endpoint: str) -> None:
    local = "endpoints: {own: {ssh: '127.0.0.1:40000'}, high: {http: '[::1]:40001'}}\n"
    inventory = load(write(tmp_path, local=local, haus=ROUTERS))
    assert str(inventory.network.endpoint(inventory.routers[router], service)) == endpoint


def test_the_router_says_its_port_before_the_profile_does(tmp_path: Path) -> None:
    inventory = load(write(tmp_path, haus=ROUTERS))
    assert inventory.network.endpoint(inventory.routers["own"], "ssh") == Endpoint("router.example.org", 2200)


def test_ssh_profiles(tmp_path: Path) -> None:
    inventory = load(write(tmp_path, haus=ROUTERS))
    network, routers = inventory.network, inventory.routers
    assert network.ssh_profile(routers["plain"]) == SshProfile("root", tmp_path / "keys/id", None, 10.0)
    high = network.ssh_profile(routers["high"])
    assert high == SshProfile("admin", None, SecretRef("env", "ROUTER_PASSWORD", tmp_path), 3.0)
    assert high.password is not None
    assert high.password.where == "inventory/network.yaml:11"


def test_this_machine_may_log_in_differently(tmp_path: Path) -> None:
    local = "ssh: {default: {user: guest, key: {file: ~/.ssh/mine}}}\n"
    inventory = load(write(tmp_path, local=local, haus=ROUTERS))
    profile = inventory.network.ssh_profile(inventory.routers["plain"])
    assert (profile.user, profile.key) == ("guest", Path.home() / ".ssh/mine")


def test_a_passphrase_belongs_to_the_key_beside_it(tmp_path: Path) -> None:
    network = NETWORK.replace("key: {file: keys/id}}", "key: {file: keys/id}, passphrase: {env: SHARED}}")
    plain = load(write(tmp_path / "a", network, haus=ROUTERS))
    profile = plain.network.ssh_profile(plain.routers["plain"])
    assert profile.passphrase == SecretRef("env", "SHARED", tmp_path / "a")
    assert profile.passphrase is not None
    assert profile.passphrase.where == "inventory/network.yaml:10"
    for local, wanted in {
        "{key: {file: mine}}": None,
        "{key: {file: mine}, passphrase: {env: MINE}}": SecretRef("env", "MINE", tmp_path / "b"),
    }.items():
        other = load(write(tmp_path / "b", network, f"ssh: {{default: {local}}}\n", haus=ROUTERS))
        assert other.network.ssh_profile(other.routers["plain"]).passphrase == wanted


@pytest.mark.parametrize("where", ["profile", "local"])
def test_a_passphrase_without_a_key_is_an_error(where: str, tmp_path: Path) -> None:
    entry = "{user: admin, passphrase: {env: P}}"
    network = NETWORK.replace("{user: root, key: {file: keys/id}}", entry) if where == "profile" else NETWORK
    local = f"ssh: {{default: {entry}}}\n" if where == "local" else ""
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, network, local, haus=ROUTERS))
    assert "passphrase works only together with key; add key [missing-key]" in caught.value.line()


def test_snmp_profiles(tmp_path: Path) -> None:
    network = NETWORK.replace(
        "    monitor:",
        "    v3: {version: v3, user: u, auth: {sha256: {env: A}}, priv: {aes128: {env: B}}}\n    monitor:",
    )
    site = ROUTERS + "  new: {addresses: [192.0.2.9], snmp: v3}\n"
    inventory = load(write(tmp_path, network, haus=site))
    old = inventory.network.snmp_profile(inventory.routers["plain"])
    new = inventory.network.snmp_profile(inventory.routers["new"])
    assert old == SnmpProfile("v2c", community=SecretRef("file", "secrets/community", tmp_path))
    auth, priv = SecretRef("env", "A", tmp_path), SecretRef("env", "B", tmp_path)
    assert new == SnmpProfile("v3", "u", ("sha256", auth), ("aes128", priv))
    assert new is not None
    assert new.priv is not None
    assert new.priv[1].where == "inventory/network.yaml:13"


def test_a_router_without_an_snmp_profile_has_none(tmp_path: Path) -> None:
    network = NETWORK.replace("  snmp: monitor\n", "")
    inventory = load(write(tmp_path, network))
    router = inventory.routers["eins-gw"]
    assert inventory.network.snmp_profile(router) is None
    assert inventory.network.endpoint(router, "snmp").port == 161


# --- clock and holidays ---

SCHOOL = """\
until: 2027-07-18
holidays:
  Weihnachten: 2026-12-23..2027-01-06
  Herbst: 2026-10-17..2026-10-31
  Pfingsten: 2027-05-18
"""


def with_holidays(folder: Path, holidays: str, school: str | None = None) -> Path:
    write(folder, f"holidays: {holidays}\n{NETWORK}")
    if school is not None:
        (folder / "inventory" / "school.yaml").write_text(school, encoding="utf-8")
    return folder


def calendar_problems(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_network(folder)
    return caught.value.lines()


def test_a_network_has_a_clock_and_holidays(tmp_path: Path) -> None:
    with_holidays(tmp_path, "{region: AT-9, school: school.yaml}\ntimezone: Europe/Vienna", SCHOOL)
    holidays = [("2026-10-17", "2026-10-31"), ("2026-12-23", "2027-01-06"), ("2027-05-18", "2027-05-18")]
    school = tuple((date.fromisoformat(first), date.fromisoformat(last)) for first, last in holidays)
    assert load_network(tmp_path).calendar == Calendar("AT", "9", "Europe/Vienna", school, date(2027, 7, 18))


def test_nobody_guesses_whose_holidays_hold(tmp_path: Path) -> None:
    assert load_network(write(tmp_path, f"country: DE\n{NETWORK}")).calendar == Calendar()
    assert load_network(with_holidays(tmp_path, "{region: DE-BY}")).calendar == Calendar("DE", "BY")


@pytest.mark.parametrize("region", ["DE-NRW", "Duisburg", "de-nw", "DE-"])
def test_holidays_of_an_unknown_region(tmp_path: Path, region: str) -> None:
    with_holidays(tmp_path, f"{{region: {region}}}")
    [line] = calendar_problems(tmp_path)
    assert line.startswith(
        f"inventory/network.yaml:1: holidays.region: the public holidays of '{region}' are not known; "
    )
    assert line.endswith("[unknown-name]")
    assert region != "DE-NRW" or "DE-NW" in line


def test_a_missing_file_of_school_holidays_is_told_where_it_is_named(tmp_path: Path) -> None:
    assert calendar_problems(with_holidays(tmp_path, "{region: DE-NW, school: school.yaml}")) == [
        "inventory/network.yaml:1: holidays.school: there is no inventory/school.yaml; "
        "write it, or take school.yaml out [unreadable-file]"
    ]


WRONG_SCHOOL = {
    "holidays: {}": ["1: until: this key is missing; add it [missing-key]"],
    "until: soon\nholidays: {}": ["1: until: is not a date; write it like 2026-10-17 [wrong-type]"],
    "until: 20270718\nholidays: {}": ["1: until: is not a date; write it like 2026-10-17 [wrong-type]"],
    "until: 2027-07-18\nholidays: [2026-10-17]": [
        "2: holidays: must be a mapping, not a list; write key: value below it [wrong-type]"
    ],
    "until: 2027-07-18\nholidays:\n  Herbst: 2026-10-17 - 2026-10-31\n  Winter: 2026-02-30": [
        "3: holidays.Herbst: is not a date; write it like 2026-10-17 [wrong-type]",
        "4: holidays.Winter: is not a date; write it like 2026-10-17 [wrong-type]",
    ],
    "until: 2027-07-18\nholidays:\n  Herbst: 2026-10-31..2026-10-17": [
        "3: holidays.Herbst: ends before it begins; write the first day first [wrong-type]"
    ],
    "until: 2027-07-18\nholidays:\n  Sommer: 2027-07-19..2027-08-31": [
        "3: holidays.Sommer: ends after 2027-07-18; make until a later day [wrong-type]"
    ],
}


@pytest.mark.parametrize("text", WRONG_SCHOOL)
def test_a_wrong_file_of_school_holidays(tmp_path: Path, text: str) -> None:
    with_holidays(tmp_path, "{region: DE-NW, school: school.yaml}", text)
    assert calendar_problems(tmp_path) == [f"inventory/school.yaml:{line}" for line in WRONG_SCHOOL[text]]


def test_region_and_school_file_are_told_in_one_run(tmp_path: Path) -> None:
    with_holidays(tmp_path, "{region: DE-XX, school: school.yaml}", "until: 1\nholidays: {}")
    assert [line.partition(": ")[0] for line in calendar_problems(tmp_path)] == [
        "inventory/network.yaml:1",
        "inventory/school.yaml:1",
    ]


# --- watching ---


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("http", "https://www.example.org/", "is not a web address that a router can be asked for"),
        ("http", "http://www.example.org/$(reboot)", "is not a web address that a router can be asked for"),
        ("http", "http://www.example.org/ -O /etc/passwd", "is not a web address that a router can be asked for"),
        ("http", "-O/etc/passwd", "is not a web address that a router can be asked for"),
        ("dns", "-type=any", "is not a DNS name"),
        ("dns", "www.example.org; reboot", "is not a DNS name"),
        ("dns", "localhost", "is not a DNS name"),
    ],
)
def test_what_the_internet_is_asked_for_is_nothing_else(tmp_path: Path, key: str, value: str, says: str) -> None:
    asked = {"dns": "www.example.org", "http": "http://www.example.org:8080/a/b?c=1"} | {key: value}
    lines = "".join(f'  {name}: "{text}"\n' for name, text in asked.items())
    with pytest.raises(ConfigError) as caught:
        load_network(write(tmp_path, f"{NETWORK}internet:\n{lines}"))
    [line] = caught.value.lines()
    assert f"internet.{key}: {says}" in line


def test_the_internet_is_asked_for_from_the_network_of_guests(tmp_path: Path) -> None:
    asked = '{dns: www.example.org, http: "http://www.example.org:8080/a/b?c=1"}'
    internet = load_network(write(tmp_path, f"{NETWORK}internet: {asked}\n")).internet
    assert internet
    assert internet.network == "guest"


def test_this_machine_may_ask_at_another_interval(tmp_path: Path) -> None:
    router = load(write(tmp_path / "a")).routers["eins-ap"]
    assert load(tmp_path / "a").network.interval(router) == router.interval == 60.0
    assert load_network(write(tmp_path / "b", local="watch: {interval: 4s}\n")).interval(router) == 4.0
