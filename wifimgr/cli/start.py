"""``init``: a network folder to begin with, from five answers."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from wifimgr.cli import common
from wifimgr.cli.schema import write_schemas
from wifimgr.errors import INVISIBLE, ConfigError

TAKEN = ("inventory", "playbooks")
"""What no folder may hold that shall become a network."""
PLAYBOOKS = ("guest-wifi", "identity", "snmp-monitoring")
"""The ready-made playbooks that need no variable which a new network does not have."""
KEPT = (".gitignore", ".wifimgr")
"""What stays as it is where it is there already; what we would write is not needed then."""


def _line(text: str) -> str:
    """What is wrong with an answer that has to be one line of text; empty: nothing."""
    return "write something on one line" if not text.strip() or INVISIBLE.search(text) else ""


def _region(text: str) -> str:
    from wifimgr.hours import region_hint

    return region_hint(text)


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that has to be known about a new network."""

    text: str
    default: str
    wrong: Callable[[str], str] = _line
    """What to write instead of a wrong answer."""


QUESTIONS: Mapping[str, Question] = {
    "name": Question("What is the network called?", "Our network"),
    "region": Question("Whose public holidays count (such as DE-NW; DE: those of all regions)?", "DE", _region),
    "owner": Question("Who owns the routers that you may change?", "Our community"),
    "site": Question("What is the first place called?", "First place"),
    "key": Question("Where is the SSH key for your routers?", "~/.ssh/wifimgr_ed25519"),
}
"""What is asked, by the option that answers it."""


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    common.command(app, "init")(init)


def init(
    run: common.Run,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; it is made if it is not there.")],
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="What the network is called.")] = "",
    region: Annotated[str, typer.Option("--region", metavar="REGION", help="Whose public holidays count.")] = "",
    owner: Annotated[str, typer.Option("--owner", metavar="TEXT", help="Who owns the routers that you change.")] = "",
    site: Annotated[str, typer.Option("--site", metavar="TEXT", help="What the first place is called.")] = "",
    key: Annotated[str, typer.Option("--key", metavar="PATH", help="Where your private SSH key is.")] = "",
    no_input: Annotated[bool, typer.Option("--no-input", help="Ask nothing; the rest has its default.")] = False,
) -> None:
    """Make a folder for a new network: commented files, ready-made playbooks, schemas for editors."""
    from wifimgr.inventory.starter import Answers, first_files

    _refuse_taken(folder)
    given = {"name": name, "region": region, "owner": owner, "site": site, "key": key}
    asks = not no_input and sys.stdin.isatty() and sys.stderr.isatty()
    files = first_files(Answers(**{option: _answer(run, option, text, asks) for option, text in given.items()}))
    _make(folder, files)
    run.say(f"next: cd {shlex.quote(str(folder))}")
    run.say("then: wifimgr router adopt ADDRESS for a router that runs, wifimgr import FORMAT FILE for a list you have")
    run.say("and after every change: wifimgr check")


def _refuse_taken(folder: Path) -> None:
    for part in TAKEN:
        if os.path.lexists(folder / part):
            hint = "name another folder; nothing was written"
            raise ConfigError("already-there", f"holds {part}/ already", where=str(folder), hint=hint)


def _answer(run: common.Run, option: str, given: str, asks: bool) -> str:
    """What an option says, else what a person answers, else the default."""
    question = QUESTIONS[option]
    if given and (hint := question.wrong(given)):
        raise ConfigError("wrong-type", "cannot be used", key=f"--{option}", hint=hint)
    while asks and not given:
        answer: str = typer.prompt(question.text, default=question.default, err=True)
        if hint := question.wrong(answer):
            run.say(hint)
        else:
            given = answer
    return given or question.default


def _make(folder: Path, files: Mapping[str, str]) -> None:
    """Write all files of a new network and what belongs to it, or nothing."""
    from wifimgr.inventory import load
    from wifimgr.settings import make_state_dir

    with common.example() as example:
        playbooks = {
            f"playbooks/{name}.yaml": (example / f"playbooks/{name}.yaml").read_text(encoding="utf-8")
            for name in PLAYBOOKS
        }
    with _workshop(folder) as workshop:
        for shown, text in {**files, **playbooks}.items():
            (workshop / shown).parent.mkdir(parents=True, exist_ok=True)
            (workshop / shown).write_text(text, encoding="utf-8")
        write_schemas(workshop)
        make_state_dir(workshop)
        load(workshop)
        _refuse_taken(folder)
        _move_in(workshop, folder)


@contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    """A folder inside of the new one, which is gone afterwards; and so is the new one if something goes wrong."""
    missing: list[Path] = []
    workshop = None
    try:
        missing += (path for path in (folder.absolute(), *folder.absolute().parents) if not path.exists())
        folder.mkdir(parents=True, exist_ok=True)
        workshop = Path(tempfile.mkdtemp(prefix=".wifimgr-init-", dir=folder))
        yield workshop
    except BaseException as error:
        _remove(workshop)
        with suppress(OSError):
            for path in missing:
                path.rmdir()
        if not isinstance(error, OSError):
            raise
        reason = (error.strerror or "unknown reason").lower()
        hint = "nothing was written"
        raise ConfigError("unreadable-file", f"cannot be written: {reason}", where=str(folder), hint=hint) from None
    _remove(workshop)


def _remove(workshop: Path | None) -> None:
    if workshop:
        shutil.rmtree(workshop, ignore_errors=True)


def _move_in(workshop: Path, folder: Path) -> None:
    """Everything from one folder into the other, or nothing. Raises OSError."""
    moved: list[str] = []
    try:
        for path in sorted(workshop.iterdir()):
            if path.name not in KEPT or not (folder / path.name).exists():
                path.rename(folder / path.name)
                moved.append(path.name)
    except BaseException:
        for name in moved:
            (folder / name).rename(workshop / name)
        raise
