"""The commands rollback and forget against simulated routers, run as the program runs them."""

from __future__ import annotations

import json

import pytest

from wifimgr.cli import run
from wifimgr.lab import Lab

Out = pytest.CaptureFixture[str]


def test_rollback_shows_the_plan_and_brings_the_files_back(lab: Lab, capsys: Out) -> None:
    before = lab.routers["haus-ap"].flash()
    assert run(["apply", "radio", "-s", "haus-ap", "--yes"]) == 0
    after = lab.routers["haus-ap"].flash()
    capsys.readouterr()
    assert run(["rollback", "haus-ap", "--yes", "--why", "too loud"]) == 0
    told = capsys.readouterr()
    assert "Rollback: back to the files from before the last confirmed change" in told.err
    assert "-\toption country 'DE'" in told.err
    assert "A router that cannot be confirmed within 8 s goes back" in told.err
    assert "haus-ap\tdone" in told.out
    assert before == lab.routers["haus-ap"].flash() != after
    assert run(["journal", "list", "-o", "json"]) == 0
    entry = json.loads(capsys.readouterr().out)["changes"][0]
    assert (entry["what"], entry["why"], entry["result"]) == ("rollback: /etc/config/wireless", "too loud", "done")


def test_forget_leaves_no_trace(lab: Lab, capsys: Out) -> None:
    assert run(["apply", "banner", "-s", "haus-ap", "--yes"]) == 0
    root = lab.routers["haus-ap"].root
    assert (root / "etc/wifimgr").exists()
    capsys.readouterr()
    assert run(["forget", "-s", "haus-ap", "--yes", "-o", "json"]) == 0
    told = capsys.readouterr()
    assert "haus-ap at Haus: guard and snapshot would be removed." in told.err
    assert [row["result"] for row in json.loads(told.out)["outcomes"]] == ["done"]
    assert not (root / "etc/wifimgr").exists()
    assert run(["rollback", "haus-ap", "--yes"]) == 4
    assert "wifimgr has confirmed no change on it" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["rollback", "forget"])
def test_watched_router_is_refused(command: str, lab: Lab, capsys: Out) -> None:
    assert run([command, "haus-node", "--yes"]) == 4
    told = capsys.readouterr()
    assert ("[watch-only]" if command == "rollback" else "\twatch-only\n") in told.err + told.out
    assert "would be removed" not in told.err
    assert run(["journal", "list"]) == 0
    assert "haus-node" not in capsys.readouterr().out


@pytest.mark.parametrize("command", ["rollback", "forget"])
def test_somebody_has_to_name_a_router_and_say_yes(command: str, lab: Lab, capsys: Out) -> None:
    assert run([command, "--yes"]) == 2
    assert "no router is named; name one, or use -s [nothing-selected]" in capsys.readouterr().err
    assert run([command, "haus-ap"]) == 2
    assert "[need-terminal]" in capsys.readouterr().err
    assert run([command, "haus-app", "--yes"]) == 2
    assert "[nothing-selected]" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["rollback", "forget"])
def test_no_is_no(command: str, lab: Lab, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["apply", "banner", "-s", "haus-ap", "--yes"]) == 0
    before = lab.routers["haus-ap"].inodes()
    monkeypatch.setattr("wifimgr.cli.common.need_somebody", lambda yes, hint: None)
    monkeypatch.setattr("typer.confirm", lambda question, err: False)
    assert run([command, "haus-ap"]) == 1
    assert "nothing was changed" in capsys.readouterr().err
    tmp = str(lab.routers["haus-ap"].root / "tmp")
    after = lab.routers["haus-ap"].inodes()
    assert {path for path in after if after[path] != before.get(path) and not path.startswith(tmp)} == set()
