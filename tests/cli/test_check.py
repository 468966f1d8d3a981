"""The command check, run as the program runs it. What it finds is in tests/inventory/bad and test_findings.py."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.networks import NETWORK, SITE, write
from wifimgr.cli import check, run
from wifimgr.cli.output import Form

Out = pytest.CaptureFixture[str]

PLAYBOOK = """\
name: WLAN
about: One network for all.
where: role=access-point
vars: {psk: {file: secrets/psk}}
uci:
  wireless:
    - section: {type: wifi-iface, name: guest}
      set: {ssid: "{{ ssid }}", key: "{{ psk }}"}
"""
SCHOOL_ENDS = "holidays: {region: DE-NW, school: school.yaml}\n"
WITH_SCHOOL = f'opening_hours: "Mo-Fr 14:00-21:00; SH off"\n{SITE}'
FINE = "1 site, 2 routers, 0 playbooks: no errors\n"


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(write(tmp_path))
    return tmp_path


def add_playbook(network: Path, text: str = PLAYBOOK) -> None:
    (network / "playbooks").mkdir()
    (network / "playbooks/wifi.yaml").write_text(text, encoding="utf-8")


@pytest.mark.usefixtures("network")
def test_what_is_right_is_counted(capsys: Out) -> None:
    assert run(["check"]) == 0
    assert capsys.readouterr() == (FINE, "")


def test_problems_of_sites_and_playbooks_are_told_in_one_run(network: Path, capsys: Out) -> None:
    add_playbook(network, "name: [\n")
    (network / "inventory/sites/eins.yaml").write_text(SITE.replace("library", "libary"), encoding="utf-8")
    assert run(["check", "-q"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "error: inventory/sites/eins.yaml:2: kind: 'libary' is not known; did you mean library? [unknown-name]",
        "error: playbooks/wifi.yaml:1: did not find expected node content; look for a quote, bracket or colon that is "
        "missing or too much, here or in the line above [bad-yaml]",
    ]


def test_problems_are_told_as_data(network: Path, capsys: Out) -> None:
    (network / "inventory/sites/eins.yaml").write_text(SITE.replace("library", "libary"), encoding="utf-8")
    assert run(["check", "-o", "json"]) == 2
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == {
        "schema_version": 1,
        "problems": [
            {
                "severity": "error",
                "id": "unknown-name",
                "where": "inventory/sites/eins.yaml:2",
                "key": "kind",
                "what": "'libary' is not known",
                "hint": "did you mean library?",
            }
        ],
    }


@pytest.mark.usefixtures("network")
def test_the_list_is_empty_when_all_is_right(capsys: Out) -> None:
    assert run(["check", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"schema_version": 1, "problems": []}


@pytest.mark.parametrize("form", Form)
def test_no_form_lets_a_file_steer_the_terminal(network: Path, capsys: Out, form: Form) -> None:
    text = 'name: "a\\e[31mb"\nkind: "\\u202ex"\nrouters: {"\\r\\n": {}, "$(id)": {behind: "\\e[2J"}}\n'
    (network / "inventory/sites/eins.yaml").write_text(text, encoding="utf-8")
    assert run(["check", "-o", form]) == 2
    out, err = capsys.readouterr()
    assert err == ""
    assert not set(out) & set("\x1b\u202e\r")
    assert "inventory/sites/eins.yaml:2" in out


# --- warnings ---


@pytest.fixture
def ending(network: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network whose file of school holidays ends in eighteen days."""
    write(network, SCHOOL_ENDS + NETWORK, eins=WITH_SCHOOL)
    (network / "inventory/school.yaml").write_text("until: 2026-07-19\nholidays: {}\n", encoding="utf-8")
    monkeypatch.setattr(check, "_today", lambda timezone: date(2026, 7, 1))
    return network


WARNING = (
    "warning: inventory/school.yaml:1: until: school holidays are known until this day only; "
    "continue the file: later, hours with SH are neither open nor closed [school-holidays-end]\n"
)


@pytest.mark.usefixtures("ending")
def test_a_warning_changes_no_exit_code(capsys: Out) -> None:
    assert run(["check"]) == 0
    assert capsys.readouterr() == (FINE, WARNING)


@pytest.mark.usefixtures("ending")
def test_a_warning_is_not_told_to_who_wants_errors_only(capsys: Out) -> None:
    assert run(["check", "-q"]) == 0
    assert capsys.readouterr() == (FINE, "")


@pytest.mark.usefixtures("ending")
def test_a_warning_is_told_as_data_with_its_severity(capsys: Out) -> None:
    assert run(["check", "-o", "json"]) == 0
    [problem] = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["severity"], problem["id"], problem["where"]) == (
        "warning",
        "school-holidays-end",
        "inventory/school.yaml:1",
    )


def test_a_warning_stands_among_errors_in_the_order_of_the_files(ending: Path, capsys: Out) -> None:
    (ending / "inventory/sites/eins.yaml").write_text(f"{WITH_SCHOOL}public: true\n", encoding="utf-8")
    (ending / ".wifimgr").mkdir()
    (ending / ".wifimgr/local.yaml").write_text("x: 1\n", encoding="utf-8")
    assert run(["check"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(": ")[:2] for line in err.splitlines()] == [
        ["error", ".wifimgr/local.yaml:1"],
        ["warning", "inventory/school.yaml:1"],
        ["error", "inventory/sites/eins.yaml:12"],
    ]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_today_is_that_of_the_network(zone: str) -> None:
    """The one is a day ahead of the other at any time."""
    assert (check._today("Pacific/Kiritimati") - check._today("Pacific/Pago_Pago")).days == 1
    assert abs((check._today(zone) - check._today("UTC")).days) <= 1


# --- what is wrong, but stops nobody else ---


def test_half_finished_work_stops_no_other_command(network: Path, capsys: Out) -> None:
    (network / "inventory/sites/zwei.yaml").write_text("name: Neu\nkind: other\nrouters: {}\n", encoding="utf-8")
    assert run(["check"]) == 2
    assert capsys.readouterr().err == (
        "error: inventory/sites/zwei.yaml:3: routers: this place has no routers; "
        "add one with 'wifimgr router add', say lifecycle: planned, or take the file away [no-routers]\n"
    )
    assert run(["router", "list"]) == 0


# --- secrets ---


def test_secrets_are_fetched_only_when_asked_for(network: Path, capsys: Out) -> None:
    add_playbook(network)
    assert run(["check"]) == 0
    assert run(["check", "--secrets"]) == 2
    gone = f"cannot be read: no such file or directory; write the secret into {network}/secrets"
    assert capsys.readouterr().err.splitlines() == [
        "error: inventory/network.yaml:11: profiles.ssh.high.password: the environment variable ROUTER_PASSWORD "
        "is not set; set ROUTER_PASSWORD before you start wifimgr [missing-secret]",
        "error: inventory/network.yaml:13: profiles.snmp.monitor.community: the secret file secrets/community "
        f"{gone}/community [missing-secret]",
        f"error: playbooks/wifi.yaml:4: vars.psk: the secret file secrets/psk {gone}/psk [missing-secret]",
    ]


def test_a_missing_secret_is_told_at_each_place_and_asked_for_once(
    network: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = network / "ask"
    ask.write_text("#!/bin/sh\necho run >> runs\necho hunter2\nexit 1\n", encoding="utf-8")
    ask.chmod(0o755)
    reference = f'{{command: "{ask} psk"}}'
    text = NETWORK.replace("vars: {ssid: frei,", f"vars: {{psk: {reference}, ssid: frei,")
    text = text.replace("{env: ROUTER_PASSWORD}", reference).replace("{file: secrets/community}", reference)
    site = SITE.replace("role: gateway", f"vars: {{psk: {reference}}}")
    monkeypatch.setenv("WIFIMGR_SECRET_COMMANDS", str(ask))
    write(network, text, eins=site)
    add_playbook(network, PLAYBOOK.replace("{file: secrets/psk}", reference))
    assert run(["check", "--secrets"]) == 2
    out, err = capsys.readouterr()
    assert [line.split(": ")[1:3] for line in err.splitlines()] == [
        ["inventory/network.yaml:11", "profiles.ssh.high.password"],
        ["inventory/network.yaml:13", "profiles.snmp.monitor.community"],
        ["inventory/network.yaml:19", "defaults.vars.psk"],
        ["inventory/sites/eins.yaml:7", "routers.eins-gw.vars.psk"],
        ["playbooks/wifi.yaml:4", "vars.psk"],
    ]
    assert "hunter2" not in out + err
    assert (network / "runs").read_text() == "run\n"


def test_secrets_are_asked_for_also_where_files_are_wrong(network: Path, capsys: Out) -> None:
    (network / "inventory/sites/eins.yaml").write_text(SITE + "    room: 5\n    vars: {a: {env: NOWHERE}}\n")
    assert run(["check", "--secrets", "-o", "json"]) == 2
    found = {problem["key"]: problem["id"] for problem in json.loads(capsys.readouterr().out)["problems"]}
    assert found == {
        "profiles.ssh.high.password": "missing-secret",
        "profiles.snmp.monitor.community": "missing-secret",
        "routers.eins-ap.room": "wrong-type",
        "routers.eins-ap.vars.a": "missing-secret",
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    secret=st.text("ghjkqwxz0123456789-!$%&/()?# ", min_size=12, max_size=20).filter(str.strip),
    form=st.sampled_from([None, *Form]),
)
def test_secrets_that_are_there_are_never_shown(
    network: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out, secret: str, form: Form | None
) -> None:
    (network / "secrets").mkdir(exist_ok=True)
    (network / "secrets/community").write_text(secret)
    monkeypatch.setenv("ROUTER_PASSWORD", secret)
    assert run(["check", "--secrets", *(["-o", form] if form else [])]) == 0
    assert secret not in "".join(capsys.readouterr())
