"""What is only watched is never changed: every command is known by what it touches, and those that change refuse."""

from __future__ import annotations

import pytest

from tests.test_docs import COMMANDS
from wifimgr.cli import run
from wifimgr.lab import Lab

Out = pytest.CaptureFixture[str]

READ = """
check; demo; export; journal list; plan; poll; router list; router show; serve; site explain; site list; status
"""
"""Ask files, routers and the store, and change none of our files and no router. What they find out, they may store."""
EDIT_OUR_FILES = """
import; init; router add; router adopt; router move; router rename; router retire; router set; router trust; schema;
site add
"""
"""Write the files of the network folder and change no router: for watched ones, too (decision 0016)."""
CHANGE_ROUTERS = {"apply": ["radio"], "forget": [], "rollback": []}
"""Change routers, with what else each has to be told besides selectors: these refuse what is only watched."""


def names(text: str) -> set[str]:
    return {name.strip() for name in text.split(";")}


def test_every_command_is_known_by_what_it_touches() -> None:
    sets = {"READ": names(READ), "EDIT_OUR_FILES": names(EDIT_OUR_FILES), "CHANGE_ROUTERS": set(CHANGE_ROUTERS)}
    for command in COMMANDS:
        found = [name for name, commands in sets.items() if command in commands]
        assert len(found) == 1, f"'{command}' has to stand in exactly one of {', '.join(sets)} in {__file__}"
    assert set().union(*sets.values()) - COMMANDS.keys() == set(), "these are no commands any more"


@pytest.mark.parametrize("yes", [[], ["--yes"]], ids=["", "yes"])
@pytest.mark.parametrize(
    "selectors",
    [["haus-node"], ["haus-ap", "operator=community"], ["haus-node", "manage=watch"], ["name=haus-n* platform=gluon"]],
    ids=",".join,
)
@pytest.mark.parametrize("command", CHANGE_ROUTERS)
def test_what_is_only_watched_is_refused(
    lab: Lab, command: str, selectors: list[str], yes: list[str], capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wifimgr.cli.common.need_somebody", lambda yes, hint: None)
    monkeypatch.setattr("typer.confirm", lambda question, **_: True)
    before = lab.routers["haus-node"].inodes()
    words = [word for selector in selectors for word in ("-s", selector)]
    assert run([*command.split(), *CHANGE_ROUTERS[command], *words, *yes]) == 4
    told = capsys.readouterr()
    assert "we watch it and never change it" in told.err
    assert "[watch-only]" in told.err
    assert lab.routers["haus-node"].inodes() == before
