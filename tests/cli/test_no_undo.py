"""What has no undo, on the command line: told in plans, refused by apply unless it is allowed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from paramiko import PKey

from wifimgr.cli import run
from wifimgr.lab import Lab, make_key

Out = pytest.CaptureFixture[str]
PLAYBOOK = """\
name: Editor
about: An editor and a banner.
where: name=haus-ap,haus-ap-2
packages: {present: [nano]}
files: [{path: /etc/banner, content: "nano\\n"}]
command:
  - {about: make a mark, unless: test -e "$WIFIMGR_ROOT/etc/mark", run: touch "$WIFIMGR_ROOT/etc/mark"}
services: {restart_when_changed: [cron]}
"""
TOLD = """\
No undo: install the package nano
No undo: make a mark
Taken back by itself unless confirmed: /etc/banner, service restart cron
"""


@pytest.fixture
def editor(lab: Lab) -> Lab:
    """A playbook with steps, which one of the routers does not need any more."""
    Path("playbooks/editor.yaml").write_text(PLAYBOOK, encoding="utf-8")
    root = lab.routers["haus-ap-2"].root
    (root / "usr/lib/opkg").mkdir(parents=True)
    (root / "usr/lib/opkg/status").write_text("Package: nano\nVersion: 1-1\nStatus: install user installed\n\n")
    (root / "etc/mark").touch()
    return lab


def rows(text: str) -> dict[str, dict[str, object]]:
    document = json.loads(text)
    [found] = [value for key, value in document.items() if key != "schema_version"]
    return {row["router"]: row for row in found}


def test_plan_tells_what_has_an_undo_and_what_has_none(editor: Lab, capsys: Out) -> None:
    assert run(["plan", "editor"]) == 0
    out = capsys.readouterr().out
    assert TOLD in out
    assert out.count("No undo: install") == 1, "the other one has it already"
    assert "\nNo undo on 1 router: install the package nano, make a mark.\n" in out


def test_plan_as_json_holds_the_steps(editor: Lab, capsys: Out) -> None:
    assert run(["plan", "editor", "-o", "json"]) == 0
    found = rows(capsys.readouterr().out)
    assert found["haus-ap"]["no_undo"] == ["install the package nano", "make a mark"]
    assert found["haus-ap"]["takes_up"] == ["service restart cron"]
    assert found["haus-ap-2"]["no_undo"] == []


def test_apply_refuses_what_has_no_undo_and_changes_the_others(editor: Lab, capsys: Out) -> None:
    before = editor.routers["haus-ap"].inodes()
    assert run(["apply", "editor", "--yes", "-o", "json"]) == 4
    captured = capsys.readouterr()
    found = rows(captured.out)
    assert (found["haus-ap"]["result"], found["haus-ap"]["id"]) == ("refused", "no-undo")
    assert found["haus-ap"]["next"] == "say --allow-no-undo if you want it even so"
    assert found["haus-ap-2"]["result"] == "done"
    flash = {path: inode for path, inode in editor.routers["haus-ap"].inodes().items() if "/tmp" not in path}
    assert flash == {path: inode for path, inode in before.items() if "/tmp" not in path}


def test_apply_asks_nothing_where_all_is_refused(editor: Lab, capsys: Out) -> None:
    assert run(["apply", "editor", "--yes", "-s", "haus-ap"]) == 4
    assert "Change them?" not in capsys.readouterr().err


def test_apply_does_it_where_that_is_allowed_and_journal_and_outcome_say_so(editor: Lab, capsys: Out) -> None:
    assert run(["apply", "editor", "--yes", "--allow-no-undo", "-s", "haus-ap", "-o", "json"]) == 0
    found = rows(capsys.readouterr().out)
    told = "this stays: install the package nano, make a mark"
    assert (found["haus-ap"]["result"], found["haus-ap"]["why"]) == ("done", told)
    assert run(["journal", "list"]) == 0
    assert "install the package nano" in capsys.readouterr().out
    assert run(["plan", "editor", "-s", "haus-ap", "--exit-code"]) == 0


def test_plan_file_with_steps_is_carried_out_where_that_is_allowed(editor: Lab, capsys: Out) -> None:
    assert run(["plan", "editor", "-s", "haus-ap", "--out", "kept.json"]) == 0
    assert run(["apply", "kept.json", "--yes"]) == 4
    assert run(["apply", "kept.json", "--yes", "--allow-no-undo"]) == 0
    assert (editor.routers["haus-ap"].root / "etc/mark").exists()


def test_plan_warns_where_the_key_that_we_use_would_go(lab: Lab, capsys: Out) -> None:
    ours, other = PKey.from_path(lab.key_file), make_key()[0]
    lines = [f"{key.get_name()} {key.get_base64()}" for key in (ours, other)]
    file = lab.routers["haus-ap"].root / "etc/dropbear/authorized_keys"
    file.parent.mkdir(parents=True)
    file.write_text(f"{lines[0]} office\n", encoding="utf-8")
    head = "name: K\nabout: Keys.\nwhere: name=haus-ap\n"
    warning = "haus-ap would not let us in any more with the key that we use now."
    for wished, warns in ((f"only: ['{lines[1]}']", True), (f"present: ['{lines[1]}']", False)):
        Path("playbooks/keys.yaml").write_text(f"{head}authorized_keys: {{{wished}}}\n", encoding="utf-8")
        assert run(["plan", "keys"]) == 0
        assert (warning in capsys.readouterr().out) == warns
