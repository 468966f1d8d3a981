"""Commands around a change: ``plan``, ``apply``, ``journal list``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wifimgr.cli import common, output, plans
from wifimgr.errors import ConfigError

if TYPE_CHECKING:
    from wifimgr.inventory import Inventory
    from wifimgr.push.plan import Plan
    from wifimgr.ssh import KnownHosts

CHANGES_PRESENT = 5

Name = Annotated[str, typer.Argument(metavar="PLAYBOOK", help="A playbook's name, or the path of its file.")]
NameOrPlan = Annotated[
    str,
    typer.Argument(metavar="PLAYBOOK|FILE", help="A playbook's name, the path of its file, or a file of 'plan --out'."),
]


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
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Keep the plan, for 'apply FILE'.")] = None,
) -> None:
    """Show what a playbook would change on which router. Nothing is changed."""
    _no_plan(playbook)
    if out:
        from wifimgr.push.planfile import check_free

        check_free(out)
    made, inventory, _ = _plan(run, playbook, select)
    if form:
        output.show(plans.rows(made, inventory), "router", ("router", "result", "paths", "why"), form)
    else:
        plans.show(made, inventory, sys.stdout, everything=run.verbose)
        for line in plans.warnings(made, inventory, everything=run.verbose) if made.to_do else ():
            output.line(line)
    if out:
        _keep(run, made, inventory, select, out)
    code = plans.code(made.outcomes)
    raise typer.Exit(CHANGES_PRESENT if exit_code and made.to_do and not code else code)


def _no_plan(name: str) -> None:
    """Raises ConfigError ``unknown-name`` where somebody names a plan file instead of a playbook."""
    from wifimgr.push.planfile import is_planfile

    if is_planfile(Path(name)):
        what = "this is a plan, and no playbook" if Path(name).exists() else "there is no playbook of this name"
        hint = f"plans take the name of a playbook; a plan is carried out by 'wifimgr apply {shlex.quote(name)}'"
        raise ConfigError("unknown-name", what, where=name, hint=hint)


def _keep(run: common.Run, made: Plan, inventory: Inventory, select: Sequence[str], out: Path) -> None:
    from wifimgr.push import planfile

    until = planfile.write(out, made, inventory.network.folder, select)
    network = f"--network {shlex.quote(str(run.network))} " if run.network else ""
    what = f"{plans.counted(len(made.to_do))} to change, until {until.astimezone():%Y-%m-%d %H:%M}"
    run.say(f"{out}: {what}: wifimgr {network}apply {shlex.quote(str(out))}")


def _network(run: common.Run) -> tuple[Inventory, KnownHosts]:
    from wifimgr.inventory import load
    from wifimgr.settings import make_state_dir
    from wifimgr.ssh import KnownHosts

    folder = run.folder()
    inventory = load(folder)
    common.log_to(make_state_dir(folder))
    return inventory, KnownHosts(folder / "inventory/known_hosts")


def _plan(run: common.Run, playbook: str, select: Sequence[str]) -> tuple[Plan, Inventory, KnownHosts]:
    from wifimgr.push.plan import choose, make_plan
    from wifimgr.push.playbook import load as load_playbook

    inventory, known_hosts = _network(run)
    network = inventory.network
    wanted = load_playbook(network.folder, playbook, network.secret_commands)
    routers = choose(inventory, wanted, select)
    run.detail(f"reading {plans.counted(len(routers))}")
    return make_plan(inventory, known_hosts, wanted, routers), inventory, known_hosts


# ---------------------------------------------------------------- apply


def apply(
    run: common.Run,
    playbook: NameOrPlan,
    select: common.Select = [],  # noqa: B006 (typer makes a new list for each call)
    form: common.Output = None,
    yes: common.Yes = False,
    why: plans.Why = "",
    canary: plans.Canary = None,
    at_once: plans.AtOnce = None,
    stop_after: plans.StopAfter = None,
    while_open: Annotated[
        bool, typer.Option("--while-open", help="Also change what people notice where a place is open.")
    ] = False,
    allow_no_undo: Annotated[
        bool, typer.Option("--allow-no-undo", help="Also do what no router takes back: packages, commands.")
    ] = False,
) -> None:
    """Make the changes of a playbook, or those of a plan; a router that cannot be confirmed goes back by itself."""
    from wifimgr.push.plan import with_undo
    from wifimgr.push.planfile import is_planfile

    common.need_somebody(yes, "look at 'wifimgr plan' first, then say --yes")
    planned = is_planfile(Path(playbook))
    made, inventory, known_hosts = (_plan_again if planned else _plan)(run, playbook, select)
    care = plans.rollout(inventory, canary=canary, at_once=at_once, stop_after=stop_after, while_open=while_open)
    made = made if allow_no_undo else with_undo(made)
    plans.carry_out(
        run, made, inventory, known_hosts, why=why, yes=yes, form=form, care=care, allow_no_undo=allow_no_undo
    )


def _plan_again(run: common.Run, file: str, select: Sequence[str]) -> tuple[Plan, Inventory, KnownHosts]:
    """What of a plan file is still to be done."""
    from wifimgr.push import planfile

    inventory, known_hosts = _network(run)
    network = inventory.network
    planned = planfile.read(Path(file), network.folder)
    made = planned.plan(inventory, known_hosts, planned.playbook(network.folder, network.secret_commands), select)
    if not (made.changes or made.outcomes):
        run.say("nothing to do: this plan changes no router")
    return made, inventory, known_hosts


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
    short = output.is_table(form)
    rows = [
        {
            "when": f"{entry.began.astimezone():{'%m-%d %H:%M' if short else '%Y-%m-%d %H:%M:%S'}}",
            "router": entry.router,
            "result": entry.result,
            "what": entry.what.partition(": ")[0] if short else entry.what,
            "why": entry.why,
            "detail": entry.detail,
            "transaction": entry.transaction,
        }
        for entry in store.entries(limit)
    ]
    store.close()
    output.show(rows, "change", ("when", "router", "result", "what", "why", "detail"), form, least=("why", "what"))
