"""``plan --out FILE`` and ``apply FILE`` against simulated routers, run as the program runs them."""

from __future__ import annotations

import json
import os
import pty
import re
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from wifimgr.cli import run
from wifimgr.lab import Lab
from wifimgr.lab.router import SimulatedRouter
from wifimgr.push import planfile

Out = pytest.CaptureFixture[str]
WIRELESS = "etc/config/wireless"
PROGRAM = [sys.executable, "-c", "from wifimgr.cli import main; main()"]


def results(text: str) -> dict[str, str]:
    """Router to result of a JSON document on stdout."""
    document = json.loads(text)
    [rows] = [value for key, value in document.items() if key != "schema_version"]
    return {row["router"]: row["result"] for row in rows}


def keep(*words: str, out: str = "plan.json") -> Path:
    """A plan in a file."""
    assert run(["plan", "radio", "--out", out, "-q", *words]) == 0
    return Path(out)


def applied(out: Out, *words: str) -> tuple[int, dict[str, str], str]:
    """Carries a plan file out: the exit code, router to result, and what was told besides."""
    out.readouterr()
    code = run(["apply", "plan.json", "--yes", "-o", "json", *words])
    told = out.readouterr()
    rows = json.loads(told.out)["outcomes"] if told.out else []
    whys = "".join(f"{row['router']}: {row['why']} [{row['id']}]\n" for row in rows if row["why"])
    return code, {row["router"]: row["result"] for row in rows}, told.err + whys


def edit(router: SimulatedRouter, old: str, new: str, path: str = WIRELESS) -> None:
    """Somebody changes a file by hand."""
    file = router.root / path
    text = file.read_text(encoding="utf-8")
    assert text.count(old) >= 1, text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def edit_file(name: str, old: str, new: str) -> None:
    """Somebody changes a file of the network folder."""
    text = Path(name).read_text(encoding="utf-8")
    assert old in text
    Path(name).write_text(text.replace(old, new), encoding="utf-8")


def untouched(lab: Lab) -> dict[str, object]:
    return {name: router.inodes() for name, router in lab.routers.items()}


# ---------------------------------------------------------------- plan --out


def test_plan_in_a_file_is_told_with_the_command_and_until_when(lab: Lab, capsys: Out) -> None:
    before = untouched(lab)
    assert run(["plan", "radio", "--out", "to night.json", "--exit-code", "-o", "json"]) == 5
    told = capsys.readouterr()
    assert results(told.out) == {"haus-ap": "to change", "haus-ap-2": "to change"}
    line = r"to night\.json: 2 routers to change, until [0-9]{4}-[0-9-]+ [0-9:]{5}: wifimgr apply 'to night\.json'\n"
    assert re.fullmatch(line, told.err)
    assert stat.S_IMODE(Path("to night.json").stat().st_mode) == 0o600
    assert untouched(lab) == before


def test_plan_names_the_network_where_it_was_named(lab: Lab, folder: Path, capsys: Out) -> None:
    assert run(["--network", str(folder), "plan", "radio", "--out", "p.json", "-o", "json"]) == 0
    assert capsys.readouterr().err.endswith(f": wifimgr --network {folder} apply p.json\n")


def test_other_files_are_kept_and_no_router_is_asked(lab: Lab, capsys: Out) -> None:
    for router in lab.routers.values():
        router.link.powered = False
    Path("notes").write_text("important", encoding="utf-8")
    assert run(["plan", "radio", "--out", "notes"]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err) == (
        "",
        "error: notes: is there already and is no plan file; choose another name [already-there]\n",
    )
    assert Path("notes").read_text(encoding="utf-8") == "important"


# ---------------------------------------------------------------- apply FILE


def test_plan_file_is_carried_out_once(lab: Lab, capsys: Out) -> None:
    keep()
    code, outcomes, err = applied(capsys, "--why", "as agreed")
    assert (code, outcomes) == (0, {"haus-ap": "done", "haus-ap-2": "done"})
    assert "2 routers, 1 place, about 40 s without Wi-Fi each." in err
    run(["journal", "list", "-o", "json"])
    entries = json.loads(capsys.readouterr().out)["changes"]
    assert {entry["why"] for entry in entries} == {"as agreed"}
    [what] = {entry["what"] for entry in entries}
    assert re.fullmatch(r"playbook radio, plan file of [0-9-]{10}T[0-9:]{8}Z: /etc/config/wireless", what)
    before = untouched(lab)
    code, outcomes, _ = applied(capsys)
    assert (code, outcomes) == (0, {"haus-ap": "already right", "haus-ap-2": "already right"})
    assert untouched(lab) == before


def test_plan_file_asks_the_same_question(lab: Lab) -> None:
    keep("-s", "haus-ap")
    main, side = pty.openpty()
    process = subprocess.Popen([*PROGRAM, "apply", "plan.json"], stdin=side, stdout=side, stderr=side)
    os.close(side)
    seen = b""
    try:
        while b"[y/N]: " not in seen:
            seen += os.read(main, 4096)
        os.write(main, b"n\n")
        while True:
            seen += os.read(main, 4096)
    except OSError:  # the other side is closed
        pass
    assert process.wait(20) == 1
    os.close(main)
    assert b"A country for every radio. (planned " in seen
    assert b"nothing was changed" in seen
    assert b"config wifi-iface 'guest'" not in lab.routers["haus-ap"].read(WIRELESS)


def test_plan_file_without_a_terminal_wants_yes(lab: Lab, capsys: Out) -> None:
    keep()
    assert run(["apply", "plan.json"]) == 2
    assert "[need-terminal]" in capsys.readouterr().err


@pytest.mark.scenario(3)
def test_what_was_edited_by_hand_since_the_plan_is_refused_and_the_others_go_on(lab: Lab, capsys: Out) -> None:
    keep()
    router = lab.routers["haus-ap"]
    edit(router, "\toption band '2g'\n", "\toption band '2g'\n\toption country 'AT'\n")
    before = router.inodes()
    code, outcomes, err = applied(capsys)
    assert (code, outcomes) == (4, {"haus-ap": "refused", "haus-ap-2": "done"})
    assert "haus-ap: changed since the plan: wireless.radio0.country [moved-since-plan]\n" in err
    assert router.inodes() == before
    assert run(["apply", "plan.json", "--yes", "-s", "haus-ap"]) == 4
    line = "haus-ap: refused: changed since the plan: wireless.radio0.country; look at a new plan [moved-since-plan]\n"
    assert line in capsys.readouterr().err


@pytest.mark.scenario(45)
def test_schedule_that_went_on_since_the_plan_is_no_drift(lab: Lab, capsys: Out) -> None:
    keep("-s", "haus-ap")
    assert applied(capsys)[0] == 0
    edit_file("inventory/network.yaml", "country: DE", "country: AT")
    keep("-s", "haus-ap")
    guests = "config wifi-iface 'guest'\n"
    edit(lab.routers["haus-ap"], guests, f"{guests}\toption disabled '1'\n")
    assert applied(capsys)[:2] == (0, {"haus-ap": "done"})
    text = lab.routers["haus-ap"].read(WIRELESS).decode()
    assert f"{guests}\toption disabled '1'\n" in text, "guests stay off"
    assert text.count("option country 'AT'") == 2


def test_what_is_right_by_now_is_left_alone(lab: Lab, capsys: Out) -> None:
    keep()
    assert run(["apply", "radio", "--yes", "-s", "haus-ap"]) == 0
    before = lab.routers["haus-ap"].inodes()
    assert applied(capsys)[:2] == (0, {"haus-ap": "already right", "haus-ap-2": "done"})
    assert lab.routers["haus-ap"].inodes() == before


def test_variable_that_changed_since_the_plan_is_refused(lab: Lab, capsys: Out) -> None:
    keep()
    edit_file("inventory/sites/haus.yaml", "Jugend's", "Kinder")
    before = untouched(lab)
    code, outcomes, err = applied(capsys)
    assert (code, set(outcomes.values())) == (4, {"refused"})
    assert untouched(lab) == before
    assert "haus-ap: changed since the plan: wireless.guest.ssid [moved-since-plan]\n" in err


def test_router_that_moves_between_the_question_and_the_push_is_refused(
    lab: Lab, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep("-s", "haus-ap")
    router = lab.routers["haus-ap"]

    def meanwhile(question: str, **_: object) -> bool:
        edit(router, "\toption band '2g'\n", "\toption band '2g'\n\toption country 'AT'\n")
        return True

    monkeypatch.setattr("wifimgr.cli.common.need_somebody", lambda yes, hint: None)
    monkeypatch.setattr("typer.confirm", meanwhile)
    assert run(["apply", "plan.json"]) == 4
    assert "changed since the plan: wireless.radio0.country" in capsys.readouterr().out
    assert b"config wifi-iface 'guest'" not in router.read(WIRELESS)


def test_router_that_could_not_be_read_is_not_in_the_plan(lab: Lab, capsys: Out) -> None:
    lab.routers["haus-ap"].link.powered = False
    assert run(["plan", "radio", "--out", "plan.json"]) == 3
    assert "plan.json: 1 router to change" in capsys.readouterr().err
    lab.routers["haus-ap"].link.powered = True
    before = lab.routers["haus-ap"].inodes()
    assert applied(capsys)[:2] == (0, {"haus-ap-2": "done"})
    assert lab.routers["haus-ap"].inodes() == before


def test_selector_narrows_a_plan_file(lab: Lab, capsys: Out) -> None:
    keep()
    before = lab.routers["haus-ap-2"].inodes()
    assert applied(capsys, "-s", "haus-ap")[:2] == (0, {"haus-ap": "done"})
    assert lab.routers["haus-ap-2"].inodes() == before
    code, _, err = applied(capsys, "-s", "haus-gw")
    assert (code, err) == (
        2,
        "error: plan.json: the plan changes none of the selected routers; take -s out, or make a new plan "
        "[nothing-selected]\n",
    )


def test_router_that_is_only_watched_now_is_refused_by_a_plan_file(lab: Lab, capsys: Out) -> None:
    keep()
    edit_file("inventory/sites/haus.yaml", "haus-ap-2: {", "haus-ap-2: {operator: community, ")
    before = lab.routers["haus-ap-2"].inodes()
    assert applied(capsys, "-s", "haus-ap-2")[:2] == (4, {"haus-ap-2": "refused"})
    assert applied(capsys)[:2] == (4, {"haus-ap": "done", "haus-ap-2": "refused"})
    assert lab.routers["haus-ap-2"].inodes() == before


@pytest.mark.parametrize("selectors", [["haus-node"], ["operator=community", "haus-ap"], ["manage=watch"]])
def test_what_is_only_watched_is_refused_by_a_plan_file(lab: Lab, capsys: Out, selectors: list[str]) -> None:
    keep()
    before = lab.routers["haus-node"].inodes()
    capsys.readouterr()
    assert run(["apply", "plan.json", "--yes", *(word for each in selectors for word in ("-s", each))]) == 4
    err = capsys.readouterr().err
    assert "haus-node: refused: it belongs to Freifunk; we watch it and never change it" in err
    assert lab.routers["haus-node"].inodes() == before


def test_router_that_left_the_inventory_is_refused(lab: Lab, capsys: Out) -> None:
    keep()
    assert run(["router", "rename", "haus-ap-2", "haus-neu"]) == 0
    code, outcomes, err = applied(capsys)
    assert (code, outcomes) == (4, {"haus-ap": "done", "haus-ap-2": "refused"})
    assert "haus-ap-2: it is not in the inventory any more [moved-since-plan]\n" in err


def test_plan_with_nothing_to_do_does_nothing(lab: Lab, capsys: Out) -> None:
    assert run(["apply", "radio", "--yes"]) == 0
    keep()
    code, outcomes, err = applied(capsys)
    assert (code, outcomes) == (0, {})
    assert "nothing to do: this plan changes no router" in err


# A simulated router sees the files of this machine: a command has to name its tree.
COMMAND = """\
command:
  - about: leave a mark
    unless: test -f "$WIFIMGR_ROOT/etc/mark"
    run: echo {{ wifi_key }} >"$WIFIMGR_ROOT/etc/mark"
"""


def test_steps_without_undo_of_a_plan_file_are_done_when_they_are_allowed(
    lab: Lab, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WIFI_KEY", "hgjkqwxz")
    edit_file("inventory/network.yaml", "country: DE}", "country: DE, wifi_key: {env: WIFI_KEY}}")
    with Path("playbooks/radio.yaml").open("a", encoding="utf-8") as file:
        file.write(COMMAND)
    text = keep("-s", "haus-ap").read_text(encoding="ascii")
    assert "leave a mark" in text
    assert "hgjkqwxz" not in text
    before = lab.routers["haus-ap"].inodes()
    code, outcomes, err = applied(capsys)
    assert (code, outcomes) == (4, {"haus-ap": "refused"})
    assert "[no-undo]" in err
    monkeypatch.setenv("WIFI_KEY", "hgjkqwxz2")
    code, outcomes, err = applied(capsys, "--allow-no-undo")
    assert (code, outcomes) == (4, {"haus-ap": "refused"})
    assert "changed since the plan: leave a mark [moved-since-plan]" in err
    assert lab.routers["haus-ap"].inodes() == before
    monkeypatch.setenv("WIFI_KEY", "hgjkqwxz")
    code, outcomes, err = applied(capsys, "--allow-no-undo")
    assert (code, outcomes) == (0, {"haus-ap": "done"})
    assert lab.routers["haus-ap"].read("etc/mark") == b"hgjkqwxz\n"
    assert "hgjkqwxz" not in err + Path(".wifimgr/state.db").read_bytes().decode("latin-1")


# ---------------------------------------------------------------- what is no plan any more


def refused(lab: Lab, out: Out) -> tuple[int, str]:
    """The exit code and the one line of a plan file that changes nothing anywhere."""
    before = untouched(lab)
    out.readouterr()
    code = run(["apply", "plan.json", "--yes"])
    told = out.readouterr()
    assert told.out == ""
    assert untouched(lab) == before
    return code, told.err


def test_edited_plan_file_is_refused(lab: Lab, capsys: Out) -> None:
    edited = keep("-s", "haus-ap").read_text(encoding="ascii").replace("haus-ap", "haus-gw")
    Path("plan.json").write_text(edited, encoding="ascii")
    assert refused(lab, capsys) == (
        2,
        "error: plan.json: this plan file was edited or damaged; make a new one with 'wifimgr plan PLAYBOOK --out' "
        "[bad-plan-file]\n",
    )


def test_plan_file_of_another_installation_is_refused(lab: Lab, folder: Path, capsys: Out) -> None:
    keep()
    (folder / ".wifimgr/plan.key").unlink()
    code, err = refused(lab, capsys)
    assert (code, "made by another installation" in err) == (2, True)


def test_plan_file_is_refused_after_a_day(lab: Lab, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    keep()
    monkeypatch.setattr(planfile, "LONGEST_AGE", timedelta(seconds=-1))
    code, err = refused(lab, capsys)
    assert (code, "[plan-too-old]" in err) == (4, True)


def test_plan_file_of_a_playbook_that_was_changed_is_refused(lab: Lab, capsys: Out) -> None:
    keep()
    edit_file("playbooks/radio.yaml", "wifi: 40s", "wifi: 41s")
    assert refused(lab, capsys) == (
        4,
        "error: plan.json: the playbook radio was changed since this plan was made; make a new plan "
        "[playbook-changed]\n",
    )


def test_json_that_is_no_plan_file_is_told_so(lab: Lab, capsys: Out) -> None:
    Path("plan.json").write_text("{}", encoding="ascii")
    code, err = refused(lab, capsys)
    assert (code, "plan.json: this is no plan file" in err) == (2, True)


def test_plan_file_that_is_not_there_is_told_so(lab: Lab, capsys: Out) -> None:
    code, err = refused(lab, capsys)
    hint = "make one with 'wifimgr plan PLAYBOOK --out plan.json'"
    assert (code, err) == (2, f"error: plan.json: there is no such file; {hint} [unreadable-file]\n")


def test_playbook_is_no_plan_file_whatever_lies_around(lab: Lab, capsys: Out) -> None:
    Path("radio").write_text("a file of the same name", encoding="utf-8")
    assert run(["apply", "radio", "--yes", "-s", "haus-ap"]) == 0
    assert run(["apply", "playbooks/radio.yaml", "--yes", "-s", "haus-ap-2"]) == 0


# ---------------------------------------------------------------- secrets


def test_no_secret_gets_into_a_plan_file_or_out_of_apply(lab: Lab, folder: Path, capsys: Out) -> None:
    secret = "Zq'7\"x\\u00e4 $(reboot) Zq7"
    Path("secrets").mkdir()
    Path("secrets/wifi").write_text(secret, encoding="utf-8")
    edit_file("inventory/network.yaml", "country: DE}", "country: DE, wifi_key: {file: secrets/wifi}}")
    edit_file("playbooks/radio.yaml", "encryption: none", "encryption: psk2, key: '{{ wifi_key }}'")
    with Path("playbooks/radio.yaml").open("a", encoding="utf-8") as file:
        file.write('files:\n  - {path: /etc/psk, content: "PSK={{ wifi_key }}\\n", mode: "0600"}\n')
    text = keep().read_text(encoding="ascii")
    for form in ([], ["-o", "json"], ["-o", "yaml"], ["-o", "tsv"], ["-o", "table"]):
        assert run(["plan", "radio", "-v", *form]) == 0
    text += "".join(capsys.readouterr())
    assert text.count("etc/psk") > 5
    code, outcomes, err = applied(capsys)
    assert (code, set(outcomes.values())) == (0, {"done"}), err
    assert lab.routers["haus-ap"].read("etc/psk").decode() == f"PSK={secret}\n"
    told = [text, err, *(path.read_bytes().decode("utf-8", "replace") for path in folder.glob(".wifimgr/*.*"))]
    forms = {secret, json.dumps(secret)[1:-1], secret.replace("'", "'\\''"), "reboot", "Zq7", "nur für", "nur f\\u00fc"}
    assert [form for form in forms for each in told if form in each] == []
