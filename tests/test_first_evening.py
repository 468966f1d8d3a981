"""docs/first-evening.md does what it says: its commands run in their order, and print what it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import wifimgr
from tests.conftest import require_real
from wifimgr.inventory import load
from wifimgr.model import Manage

TOP = Path(wifimgr.__file__).parent.parent
TEXT = (TOP / "docs/first-evening.md").read_text(encoding="utf-8")
WAITS = re.compile(r" # (needs a router|needs the internet)\b.*$")
"""How a command is marked that not everybody can run right now."""
NETWORKED = re.compile(r"wifimgr (router (trust|adopt)|plan|apply|poll|serve)\b|https?://")


def steps() -> list[tuple[str, str]]:
    """Every command of the page, and what it shows to come of it; empty: nothing is shown."""
    blocks = "".join(re.findall(r"(?ms)^```console\n(.*?)^```$", TEXT))
    pieces = re.split(r"(?m)^\$ (.*)\n", blocks)
    return list(zip(pieces[1::2], pieces[2::2], strict=True))


class Shell:
    """A terminal in a folder: where one command goes, the next one starts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        programs = folder / ".programs"
        programs.mkdir()
        program = programs / "wifimgr"
        program.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(TOP)!r})\nfrom wifimgr.cli import main\nmain()\n",
            encoding="utf-8",
        )
        program.chmod(0o755)
        someone = {
            f"GIT_{who}_{what}": "somebody@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        self._environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(folder / ".home"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "LC_ALL": "C.UTF-8",
            **someone,
        }
        self.at = folder

    def run(self, line: str) -> tuple[int, str]:
        """The exit code of a command and all that it printed."""
        where = self._folder / ".where"
        done = subprocess.run(
            ["sh", "-c", f'{line}\ncode=$?\npwd >"{where}"\nexit $code'],
            cwd=self.at,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        self.at = Path(where.read_text(encoding="utf-8").strip())
        return done.returncode, done.stdout


def nothing_of_this_machine_is_committed(shell: Shell) -> None:
    secret = shell.at / ".wifimgr/secrets/snmp_community"
    secret.parent.mkdir()
    secret.write_text("made-up", encoding="utf-8")
    assert shell.run("git status --short --ignored")[1].splitlines()[-1] == "!! .wifimgr/"
    names = shell.run("git add . && git ls-files")[1].splitlines()
    assert {"inventory/network.yaml", "inventory/schema/site.json", "playbooks/identity.yaml", ".gitignore"} <= {*names}
    assert not [name for name in names if name.startswith(".wifimgr")]


def a_public_place_needs_the_contact_that_is_prepared(shell: Shell) -> None:
    site, network = shell.at / "inventory/sites/jz-nord.yaml", shell.at / "inventory/network.yaml"
    before = site.read_text("utf-8"), network.read_text("utf-8")
    site.write_text(before[0].replace("public: false", "public: true"), encoding="utf-8")
    assert "[no-contact-hours]" in shell.run("wifimgr check")[1]
    network.write_text(before[1].replace("# contact:\n#   public:", "contact:\n  public:"), encoding="utf-8")
    assert shell.run("wifimgr check") == (0, "2 sites, 2 routers, 3 playbooks: no errors\n")
    site.write_text(before[0], encoding="utf-8")
    network.write_text(before[1], encoding="utf-8")


def the_hook_refuses_what_is_wrong_and_nothing_else(shell: Shell) -> None:
    site = shell.at / "inventory/sites/jz-nord.yaml"
    text = site.read_text("utf-8")
    site.write_text(f"{text}nonsense: 1\n", encoding="utf-8")
    code, printed = shell.run("git commit --quiet --all -m wrong")
    assert (code, "[unknown-key]" in printed) == (1, True)
    site.write_text(f"{text}    # right\n", encoding="utf-8")
    assert shell.run("git commit --quiet --all -m right")[0] == 0


def what_is_imported_is_watched(shell: Shell) -> None:
    assert load(shell.at).routers["jz-nord-hof"].manage is Manage.WATCH


CLAIMS = {
    "git add .": nothing_of_this_machine_is_committed,
    "printf '#!": a_public_place_needs_the_contact_that_is_prepared,
    "wifimgr import": the_hook_refuses_what_is_wrong_and_nothing_else,
    "wifimgr router set jz-nord-hof": what_is_imported_is_watched,
}
"""What the page says besides, and before which line that can be seen."""


@pytest.mark.slow
@pytest.mark.timeout(400)  # it starts some thirty programs, one after the other
def test_everything_happens_as_it_is_shown(tmp_path: Path) -> None:
    require_real("git")
    shell, claims = Shell(tmp_path), dict(CLAIMS)
    ran = 0
    for line, shown in steps():
        for start in [start for start in claims if line.startswith(start)]:
            claims.pop(start)(shell)
        if not WAITS.search(line):
            code, printed = shell.run(line)
            assert code == (2 if shown.startswith("error: ") else 0), f"{line}\n{printed}"
            assert shown in ("", printed), line
            ran += 1
    assert (ran >= 20, claims) == (True, {})
    inventory = load(shell.at)
    assert set(inventory.sites) == {"jz-nord", "bib-mitte"}
    assert {name: router.manage for name, router in inventory.routers.items()} == dict.fromkeys(
        ("bib-mitte-gw", "jz-nord-ap", "jz-nord-hof"), Manage.PUSH
    )
    assert shell.run("git status --short")[1] == ""


def test_what_needs_a_router_or_the_internet_is_marked_and_nothing_else() -> None:
    for line, _ in steps():
        assert bool(WAITS.search(line)) == bool(NETWORKED.search(line)), line
    assert len([line for line, _ in steps() if WAITS.search(line)]) >= 5


def test_configuration_of_pre_commit_is_right() -> None:
    [block] = re.findall(r"(?ms)^```yaml\n(.*?)^```$", TEXT)
    [repository] = yaml.safe_load(block)["repos"]
    [hook] = repository["hooks"]
    assert repository["repo"] == "local"
    assert (hook["entry"], hook["language"], hook["pass_filenames"]) == ("wifimgr check", "system", False)


def test_programs_that_the_page_names_are_told_before() -> None:
    """What somebody has to have besides wifimgr stands at the top."""
    used = {word for line, _ in steps() for word in re.findall(r"^(?:.* && )?([a-z]+)", line)}
    assert used - {"wifimgr", "cd", "git", "sed", "printf", "chmod"} == set()
    assert "`git`" in TEXT.split("## Install")[0]
    assert shutil.which("sed")
