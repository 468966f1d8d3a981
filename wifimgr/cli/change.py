"""Commands around a change: ``plan``, ``apply``, ``journal list``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from wifimgr.cli import common, output, plans

if TYPE_CHECKING:
    from wifimgr.inventory import Inventory
    from wifimgr.push.plan import Plan
    from wifimgr.ssh import KnownHosts

CHANGES_PRESENT = 5

Name = Annotated[str, typer.Argument(metavar="PLAYBOOK", help="A playbook's name, or the path of its file.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    journal = common.noun(app, "journal", "What was changed, when, why, and with which result.")
    common.command(app, "plan")(plan)
    common.command(app, "apply")(apply)
    common.command(journal, "list")(list_journal)


# ---------------------------------------------------------------- plan


def plan(
    run: common.Run,
    playbook: Name,
    select: common.Select = [],  # noqa: B006 (typer makes a new list for each call)
    form: common.Output = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 5 when there is something to do.")] = False,
) -> None:
    """Show what a playbook would change on which router. Nothing is changed."""
    made, inventory, _ = _plan(run, playbook, select)
    if form:
        output.show(plans.rows(made), "router", ("router", "result", "paths", "why"), form)
    else:
        plans.show(made, sys.stdout)
        for line in plans.warnings(made, inventory) if made.to_do else ():
            output.line(line)
    code = plans.code(made.outcomes)
    raise typer.Exit(CHANGES_PRESENT if exit_code and made.to_do and not code else code)


def _plan(run: common.Run, playbook: str, select: Sequence[str]) -> tuple[Plan, Inventory, KnownHosts]:
    from wifimgr.inventory import load
    from wifimgr.push.plan import choose, make_plan
    from wifimgr.push.playbook import load as load_playbook
    from wifimgr.settings import make_state_dir
    from wifimgr.ssh import KnownHosts

    folder = run.folder()
    inventory = load(folder)
    common.log_to(make_state_dir(folder))
    wanted = load_playbook(folder, playbook, inventory.network.secret_commands)
    known_hosts = KnownHosts(folder / "inventory/known_hosts")
    routers = choose(inventory, wanted, select)
    run.detail(f"reading {plans.counted(len(routers))}")
    return make_plan(inventory, known_hosts, wanted, routers), inventory, known_hosts


# ---------------------------------------------------------------- apply


def apply(
    run: common.Run,
    playbook: Name,
    select: common.Select = [],  # noqa: B006 (typer makes a new list for each call)
    form: common.Output = None,
    yes: common.Yes = False,
    why: plans.Why = "",
) -> None:
    """Make the changes of a playbook; a router that cannot be confirmed goes back by itself."""
    common.need_somebody(yes, "look at 'wifimgr plan' first, then say --yes")
    made, inventory, known_hosts = _plan(run, playbook, select)
    plans.carry_out(run, made, inventory, known_hosts, why=why, yes=yes, form=form)


# ---------------------------------------------------------------- journal


def list_journal(
    run: common.Run,
    form: common.Output = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many entries, newest first.")] = 50,
) -> None:
    """List what was changed, newest first."""
    from wifimgr.settings import make_state_dir
    from wifimgr.store import Store

    store = Store(make_state_dir(run.folder()))
    rows = [
        {
            "when": f"{entry.began.astimezone():%Y-%m-%d %H:%M:%S}",
            "router": entry.router,
            "result": entry.result,
            "what": entry.what,
            "why": entry.why,
            "detail": entry.detail,
            "transaction": entry.transaction,
        }
        for entry in store.entries(limit)
    ]
    store.close()
    output.show(rows, "change", ("when", "router", "result", "what", "why", "detail"), form)
