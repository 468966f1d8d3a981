"""The commands plan, apply and journal list against simulated routers, run as the program runs them."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.terminal import talk
from wifimgr.cli import run
from wifimgr.lab import Lab
from wifimgr.lab.sshd import make_key

Out = pytest.CaptureFixture[str]
PROGRAM = [sys.executable, "-c", "from wifimgr.cli import main; main()"]
WIRELESS = "etc/config/wireless"


def results(text: str) -> dict[str, str]:
    """Router to result of a JSON document on stdout."""
    document = json.loads(text)
    [rows] = [value for key, value in document.items() if key != "schema_version"]
    return {row["router"]: row["result"] for row in rows}


def write_playbook_for_all() -> None:
    """A playbook ``all`` that is for every router there is."""
    text = Path("playbooks/banner.yaml").read_text(encoding="utf-8").replace("platform=openwrt", "manage!=x")
    Path("playbooks/all.yaml").write_text(text, encoding="utf-8")


# ---------------------------------------------------------------- plan


def test_plan_shows_one_diff_for_routers_that_change_alike(lab: Lab, capsys: Out) -> None:
    before = {name: router.inodes() for name, router in lab.routers.items()}
    assert run(["plan", "radio"]) == 0
    out = capsys.readouterr().out
    assert "haus-ap, haus-ap-2  (the same for all 2)" in out
    assert "+\toption country 'DE'" in out
    assert out.count("+config wifi-iface 'guest'") == 1
    assert "\n2 to change\n2 routers, 1 place, about 40 s without Wi-Fi each.\n" in out
    assert {name: router.inodes() for name, router in lab.routers.items()} == before


def test_plan_without_a_terminal_is_plain_and_not_cut(lab: Lab, capsys: Out) -> None:
    run(["plan", "radio"])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "option ssid 'Jugend'\\''s \"Café\" $(id)'" in out


MOVE = """\
name: Move
about: A radar channel and another port.
where: name=haus-ap
uci:
  wireless:
    - section: {type: wifi-device, name: radio1}
      set: {channel: "124", disabled: false}
  dropbear:
    - section: {type: dropbear, name: main}
      set: {Port: "2222"}
"""


def test_plan_tells_of_radar_and_of_a_new_way_in(lab: Lab, capsys: Out) -> None:
    Path("playbooks/move.yaml").write_text(MOVE, encoding="utf-8")
    port = lab.routers["haus-ap"].port
    file = lab.routers["haus-ap"].root / "etc/config/dropbear"
    file.write_text(file.read_text().replace("'22'", f"'{port}'"))
    assert run(["plan", "move"]) == 0
    out = capsys.readouterr().out
    assert "\nRadar: 1 router may listen for 600 s before the Wi-Fi is back.\n" in out
    assert f"\nhaus-ap would be reached at 127.0.0.1:2222 instead of 127.0.0.1:{port}.\n" in out
    assert "\nA router that cannot be confirmed within 608 s goes back" in out


def test_plan_is_silent_of_radar_and_ways_that_stay(lab: Lab, capsys: Out) -> None:
    run(["plan", "radio"])
    out = capsys.readouterr().out
    assert "Radar" not in out
    assert "would be reached" not in out


def test_plan_shows_no_secret_of_the_router(lab: Lab, capsys: Out) -> None:
    run(["plan", "radio"])
    out = capsys.readouterr().out
    assert "option key '***'" in out
    assert "nur für" not in out


def test_plan_as_json_holds_the_diff_and_every_router(lab: Lab, capsys: Out) -> None:
    assert run(["plan", "radio", "-o", "json"]) == 0
    text = capsys.readouterr().out
    assert results(text) == {"haus-ap": "to change", "haus-ap-2": "to change"}
    assert json.loads(text)["schema_version"] == 1


def test_plan_exit_code_tells_that_there_is_something_to_do(lab: Lab, capsys: Out) -> None:
    assert run(["plan", "radio", "--exit-code", "-s", "haus-ap"]) == 5
    assert run(["apply", "radio", "--yes", "-s", "haus-ap"]) == 0
    assert run(["plan", "radio", "--exit-code", "-s", "haus-ap"]) == 0
    assert "nothing to do: 1 already right" in capsys.readouterr().out


def test_what_is_only_watched_is_refused_when_asked_for(lab: Lab, capsys: Out) -> None:
    (Path("playbooks/all.yaml")).write_text(
        Path("playbooks/banner.yaml").read_text().replace("platform=openwrt", "manage!=x")
    )
    before = lab.routers["haus-node"].inodes()
    assert run(["apply", "all", "--yes", "-s", "haus-node", "-s", "haus-gw"]) == 4
    told = capsys.readouterr()
    assert "haus-node: refused: it belongs to Freifunk; we watch it and never change it" in told.err
    assert "haus-gw\tdone" in told.out  # the others go on
    assert lab.routers["haus-node"].inodes() == before


def test_without_a_selector_only_what_is_ours_and_in_use_is_meant(lab: Lab, capsys: Out) -> None:
    (Path("playbooks/all.yaml")).write_text(
        Path("playbooks/banner.yaml").read_text().replace("platform=openwrt", "manage!=x")
    )
    assert run(["plan", "all", "-o", "json"]) == 0
    assert set(results(capsys.readouterr().out)) == {"haus-gw", "haus-ap", "haus-ap-2"}


def test_a_retired_router_is_skipped(lab: Lab, capsys: Out) -> None:
    assert run(["plan", "banner", "-s", "haus-old", "-o", "json"]) == 0
    assert results(capsys.readouterr().out) == {"haus-old": "skipped"}


# ---------------------------------------------------------------- apply


def test_apply_twice_changes_once(lab: Lab, capsys: Out) -> None:
    assert run(["apply", "radio", "--yes", "--why", "first look"]) == 0
    told = capsys.readouterr()
    assert "haus-ap\tdone" in told.out
    assert "2 routers, 1 place, about 40 s without Wi-Fi each." in told.err
    assert "\n1 of 2: haus-ap" in told.err
    before = {name: router.inodes() for name, router in lab.routers.items()}
    assert run(["apply", "radio", "--yes"]) == 0
    assert "nothing to do: 2 already right" in capsys.readouterr().err
    assert {name: router.inodes() for name, router in lab.routers.items()} == before
    assert run(["journal", "list", "-o", "json"]) == 0
    entries = json.loads(capsys.readouterr().out)["changes"]
    assert {entry["router"] for entry in entries} == {"haus-ap", "haus-ap-2"}
    assert {entry["result"] for entry in entries} == {"done"}
    assert {entry["why"] for entry in entries} == {"first look"}
    assert {entry["what"] for entry in entries} == {"playbook radio: /etc/config/wireless"}


def test_apply_without_a_terminal_wants_yes(lab: Lab, capsys: Out) -> None:
    assert run(["apply", "radio"]) == 2
    assert "look at 'wifimgr plan' first, then say --yes [need-terminal]" in capsys.readouterr().err


def test_a_router_that_goes_back_makes_exit_code_3_and_the_others_go_on(lab: Lab, capsys: Out) -> None:
    before = lab.routers["haus-ap"].flash()
    lab.routers["haus-ap"].misbehave("lockout")
    assert run(["apply", "radio", "--yes", "--canary", "0", "-o", "json"]) == 3
    assert results(capsys.readouterr().out) == {"haus-ap": "rolled back", "haus-ap-2": "done"}
    assert lab.routers["haus-ap"].flash() == before


@pytest.mark.parametrize("answer", [b"y\n", b"n\n", b"\n", b"was?\ny\n", b"was?\n\x04"])
def test_apply_asks_on_a_terminal(lab: Lab, answer: bytes) -> None:
    main, side = pty.openpty()
    process = subprocess.Popen([*PROGRAM, "apply", "radio", "-s", "haus-ap"], stdin=side, stdout=side, stderr=side)
    os.close(side)
    seen = b""
    try:
        while b"[y/N]: " not in seen:
            seen += os.read(main, 4096)
        assert b"\x1b[32m+" in seen  # the diff is coloured
        os.write(main, answer)
        while True:
            seen += os.read(main, 4096)
    except OSError:  # the other side is closed
        pass
    code = process.wait(20)
    os.close(main)
    changed = b"config wifi-iface 'guest'" in lab.routers["haus-ap"].read(WIRELESS)
    assert (code, changed) == ((0, True) if answer.endswith(b"y\n") else (1, False))
    assert (b"\r\nnothing was changed\r\n" in seen) is not changed
    assert (b"haus-ap: done" in seen) is changed
    assert b"Aborted" not in seen


def test_end_of_apply_on_a_terminal_tells_each_thing_once(lab: Lab) -> None:
    lab.routers["haus-ap"].misbehave("lockout")
    code, shown = talk(["apply", "radio"], ("[y/N]: ", "y"))
    assert code == 3
    _, asked, end = shown.partition("Change them? [y/N]")
    assert asked
    assert [line.strip() for line in end.splitlines()[-5:]] == [
        "1 of 2: haus-ap: rolled back",
        "2 of 2: haus-ap-2: skipped",
        "haus-ap: rolled back: it could not be reached after the change; the old files are back, byte for byte "
        "[rolled-back]",
        "haus-ap-2: skipped: the first router (haus-ap) was not confirmed; repair that one, then run 'wifimgr plan "
        "radio -s haus-ap-2'",
        "1 rolled back, 1 skipped",
    ]


def test_journal_is_short_as_a_table_alone(lab: Lab, capsys: Out) -> None:
    assert run(["apply", "banner", "--yes", "-s", "haus-ap"]) == 0
    capsys.readouterr()
    shown = []
    for form in ("table", "tsv"):
        assert run(["journal", "list", "-o", form]) == 0
        shown.append(capsys.readouterr().out)
    assert ["playbook banner: /etc/banner" in out for out in shown] == [False, True]
    assert "playbook banner" in shown[0]


def start_apply(router: str) -> subprocess.Popen[bytes]:
    """An apply in a process of its own."""
    command = [*PROGRAM, "apply", "radio", "--yes", "-s", router]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for(what: object, seconds: float = 15.0) -> None:
    """Waits until a condition holds."""
    assert callable(what)
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_killing_apply_in_the_window_leaves_the_router_to_go_back_by_itself(lab: Lab, capsys: Out) -> None:
    router = lab.routers["haus-ap"]
    before = router.flash()
    process = start_apply("haus-ap")
    wait_for(lambda: any(router.root.glob("etc/wifimgr/pending.*")))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wait_for(lambda: router.flash() != before)
    wait_for(lambda: any(router.root.glob("etc/wifimgr/rolledback.*")))
    assert router.flash() == before
    assert run(["plan", "radio", "--exit-code", "-s", "haus-ap"]) == 5  # the lease of the dead one holds nobody up
    run(["journal", "list"])
    assert "\thaus-ap\tunfinished\t" in capsys.readouterr().out


def test_ctrl_c_takes_the_change_back_and_says_so(lab: Lab) -> None:
    router = lab.routers["haus-ap"]
    before = router.flash()
    process = start_apply("haus-ap")
    wait_for(lambda: any(router.root.glob("etc/wifimgr/pending.*")))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"haus-ap\trolled back\tinterrupted" in out
    assert b"Traceback" not in err
    assert router.flash() == before


# ---------------------------------------------------------------- what goes wrong


def test_a_dead_router_does_not_stop_the_others(lab: Lab, capsys: Out) -> None:
    lab.routers["haus-ap"].link.powered = False
    assert run(["apply", "radio", "--yes"]) == 3
    told = capsys.readouterr()
    line = r"haus-ap: unreachable: cannot be reached \(.*\); .* \[unreachable\]"
    assert re.search(line, told.err)
    assert "haus-ap-2\tdone" in told.out


def test_a_silent_router_makes_no_noise_but_its_line(lab: Lab, folder: Path) -> None:
    lab.routers["haus-ap"].link.silent = True
    network = folder / "inventory/network.yaml"
    network.write_text(network.read_text().replace("{user: root,", "{user: root, timeout: 1s,"), encoding="utf-8")
    ended = subprocess.run([*PROGRAM, "plan", "radio", "-s", "haus-ap"], capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    assert ended.stderr == ""
    assert "haus-ap: unreachable: cannot be reached" in ended.stdout


def test_a_refused_login_is_one_line(lab: Lab, folder: Path, capsys: Out) -> None:
    lab.key_file.write_text(make_key()[1], encoding="ascii")
    assert run(["plan", "radio", "-s", "haus-ap"]) == 3
    told = capsys.readouterr().out
    assert "haus-ap: failed: login as 'root' was refused" in told
    assert "[login-refused]" in told


def test_an_unusable_key_is_told_once(lab: Lab, capsys: Out) -> None:
    lab.key_file.write_text("no key", encoding="ascii")
    assert run(["plan", "radio"]) == 2
    err = capsys.readouterr().err
    assert err.count("error: ") == 1
    assert "this SSH key cannot be used" in err


def test_a_missing_variable_names_file_line_and_routers(lab: Lab, capsys: Out) -> None:
    path = Path("playbooks/radio.yaml")
    path.write_text(path.read_text().replace("{{ country }}", "{{ contry }}"))
    assert run(["plan", "radio"]) == 2
    assert capsys.readouterr().err == (
        "error: playbooks/radio.yaml:7: haus-ap, haus-ap-2: no variable 'contry'; set it under vars: for the network, "
        "the site or the router; did you mean country? [missing-variable]\n"
    )


def test_a_missing_secret_names_where_it_was_written(lab: Lab, capsys: Out) -> None:
    path = Path("playbooks/radio.yaml")
    path.write_text(path.read_text().replace("encryption: none", "encryption: psk2, key: '{{ wifi_key }}'"))
    network = Path("inventory/network.yaml")
    network.write_text(network.read_text().replace("country: DE}", "country: DE, wifi_key: {file: secrets/wifi}}"))
    assert run(["plan", "radio"]) == 2
    err = capsys.readouterr().err
    assert "the secret file secrets/wifi cannot be read" in err
    assert "[missing-secret]" in err
    assert "Traceback" not in err


def test_an_unknown_playbook_names_the_closest(lab: Lab, capsys: Out) -> None:
    assert run(["plan", "radoi"]) == 2
    assert capsys.readouterr().err == "error: there is no playbook 'radoi'; did you mean radio? [unknown-name]\n"


@pytest.mark.parametrize("name", ["radio.yaml", "./radio.yaml", "playbooks/radio"])
def test_a_file_name_where_the_name_of_a_playbook_is_meant(name: str, lab: Lab, capsys: Out) -> None:
    assert run(["plan", name]) == 2
    line = f"error: there is no playbook '{name}'; its name is enough: radio [unknown-name]\n"
    assert capsys.readouterr().err == line


def test_a_plan_file_where_a_playbook_is_meant(lab: Lab, capsys: Out) -> None:
    assert run(["plan", "p.json"]) == 2
    assert "p.json: there is no playbook of this name; plans take the name" in capsys.readouterr().err
    assert run(["plan", "radio", "--out", "p.json", "-q"]) == 0
    capsys.readouterr()
    assert run(["plan", "p.json"]) == 2
    hint = "plans take the name of a playbook; a plan is carried out by 'wifimgr apply p.json' [unknown-name]\n"
    assert capsys.readouterr().err == f"error: p.json: this is a plan, and no playbook; {hint}"


def test_a_router_behind_a_dead_one_is_told_so(lab: Lab, capsys: Out) -> None:
    lab.routers["haus-gw"].link.powered = False
    assert run(["plan", "banner", "-o", "json"]) == 3
    hints = {row["router"]: row["next"] for row in json.loads(capsys.readouterr().out)["routers"]}
    assert "behind" not in hints["haus-gw"]
    behind = "it is behind haus-gw, which cannot be reached either: look at that one"
    assert {hints["haus-ap"], hints["haus-ap-2"]} == {behind}


def test_a_broken_file_on_a_router_is_named_with_its_line(lab: Lab, capsys: Out) -> None:
    path = lab.routers["haus-ap"].root / WIRELESS
    path.write_text("config wifi-device 'radio0'\n\toption country 'D\n")
    assert run(["plan", "radio"]) == 3
    told = capsys.readouterr().out
    assert "haus-ap: failed: this UCI file cannot be understood" in told
    assert "[bad-uci]" in told
    assert "1 to change, 1 failed" in told


def test_a_full_flash_refuses_before_anything_is_touched(lab: Lab, capsys: Out) -> None:
    router = lab.routers["haus-ap"]
    before = router.flash()
    router.fill_flash()
    assert run(["apply", "radio", "--yes", "-s", "haus-ap", "-o", "json"]) == 4
    row = json.loads(capsys.readouterr().out)["outcomes"][0]
    assert row["why"] == "its flash has no room for the change and its snapshot; nothing was changed"
    assert router.flash() == before


def test_a_store_that_cannot_be_written_stops_before_any_router(lab: Lab, folder: Path, capsys: Out) -> None:
    (folder / ".wifimgr/state.db").mkdir()
    before = lab.routers["haus-ap"].inodes()
    assert run(["apply", "radio", "--yes", "-s", "haus-ap"]) == 1
    assert "[store-failed]" in capsys.readouterr().err
    assert {key: value for key, value in lab.routers["haus-ap"].inodes().items() if "/etc" in key} == {
        key: value for key, value in before.items() if "/etc" in key
    }
