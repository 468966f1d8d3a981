"""The command ``check``: everything that is wrong in the files of a network, in one run."""

from __future__ import annotations

import sys
from datetime import date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from wifimgr.cli import common, output
from wifimgr.errors import ConfigError, Problem

COLUMNS = ("severity", "id", "where", "key", "what", "hint")


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    common.command(app, "check")(check)


def check(
    run: common.Run,
    secrets: Annotated[bool, typer.Option("--secrets", help="Also fetch every secret, without showing it.")] = False,
    form: common.Output = None,
) -> None:
    """Read all files of the network and tell everything that is wrong in them."""
    from wifimgr.errors import in_order
    from wifimgr.inventory import survey
    from wifimgr.push import ready
    from wifimgr.push.playbook import load_all

    folder = run.folder()
    seen = survey(folder)
    playbooks, wrong = load_all(folder)
    inventory = seen.inventory
    problems = [*seen.problems, *seen.findings(_today(inventory.network.calendar.timezone)), *wrong]
    problems += ready.problems(inventory, playbooks, seen.sure())
    if secrets:
        problems += seen.missing_secrets((playbook.document, playbook.file) for playbook in playbooks)
    problems = in_order(problems)
    failed = any(problem.severity == "error" for problem in problems)
    if form:
        rows = [{column: getattr(problem, column) for column in COLUMNS} for problem in problems]
        output.show(rows, "problem", COLUMNS, form)
    else:
        _tell(problems, quiet=run.quiet)
        if not failed:
            counts = ((inventory.sites, "site"), (inventory.routers, "router"), (playbooks, "playbook"))
            print(f"{', '.join(_count(len(found), noun) for found, noun in counts)}: no errors")
    raise typer.Exit(ConfigError.exit_code if failed else 0)


def _today(timezone: str) -> date:
    return datetime.now(ZoneInfo(timezone)).date()


def _tell(problems: list[Problem], *, quiet: bool) -> None:
    for problem in problems:
        if problem.severity == "error" or not quiet:
            print(f"{problem.severity}: {problem.line()}", file=sys.stderr)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
