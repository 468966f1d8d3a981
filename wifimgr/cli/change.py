"""Commands around a change: ``plan``, ``apply``, ``journal list``, ``router trust``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from wifimgr.cli import common, output, plans
from wifimgr.errors import ConfigError

if TYPE_CHECKING:
    from wifimgr.inventory import Inventory
    from wifimgr.push.plan import Plan
    from wifimgr.ssh import HostKey, KnownHosts, Target

CHANGES_PRESENT = 5

Name = Annotated[str, typer.Argument(metavar="PLAYBOOK", help="A playbook's name, or the path of its file.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    journal = common.noun(app, "journal", "What was changed, when, why, and with which result.")
    router = common.noun(app, "router", "Routers: access points, gateways, mesh nodes.")
    common.command(app, "plan")(plan)
    common.command(app, "apply")(apply)
    common.command(journal, "list")(list_journal)
    common.command(router, "trust")(trust)


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
    wanted = load_playbook(folder, playbook)
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
    yes: plans.Yes = False,
    why: plans.Why = "",
) -> None:
    """Make the changes of a playbook; a router that cannot be confirmed goes back by itself."""
    plans.need_somebody(yes, "look at 'wifimgr plan' first, then say --yes")
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


# ---------------------------------------------------------------- router trust


def trust(
    run: common.Run,
    names: Annotated[list[str] | None, typer.Argument(metavar="[ROUTER]...", help="Routers by name.")] = None,
    select: common.Select = [],  # noqa: B006 (typer makes a new list for each call)
    yes: plans.Yes = False,
    replace: Annotated[bool, typer.Option("--replace", help="Also where another key is trusted now.")] = False,
) -> None:
    """Look at the host keys of routers and trust them, after asking."""
    from wifimgr.inventory import load
    from wifimgr.inventory import select as choose
    from wifimgr.ssh import KnownHosts, target_of

    selectors = [*(f"name={name}" for name in names or ()), *select]
    if not selectors:
        raise ConfigError("nothing-selected", "no router is named", hint="name one, or use -s")
    plans.need_somebody(yes, "compare the fingerprints and say --yes")
    folder = run.folder()
    inventory = load(folder)
    known_hosts = KnownHosts(folder / "inventory/known_hosts")
    targets = [target_of(inventory.network, known_hosts, router) for router in choose(inventory, selectors)]
    codes = {_trust_one(run, known_hosts, target, yes=yes, replace=replace) for target in targets}
    raise typer.Exit(max(codes))


def _trust_one(run: common.Run, known_hosts: KnownHosts, target: Target, *, yes: bool, replace: bool) -> int:
    from wifimgr.errors import RouterError
    from wifimgr.ssh import Deadline, scan_host_key

    try:
        key = scan_host_key(target, Deadline(10.0))
    except RouterError as error:
        print(f"error: {error.line()}", file=sys.stderr)
        return error.exit_code
    if key in target.keys:
        run.say(f"{target.name}: {key.fingerprint} is trusted already")
        return 0
    if target.keys and not replace:
        trusted = ", ".join(known.fingerprint for known in target.keys)
        print(
            f"error: {target.describe()}: HOST KEY CHANGED: it shows {key.fingerprint}, trusted is {trusted}; "
            "if the router was reset or replaced, say --replace [host-key-changed]",
            file=sys.stderr,
        )
        return plans.REFUSED
    return _pin(run, known_hosts, target, key, yes=yes)


def _pin(run: common.Run, known_hosts: KnownHosts, target: Target, key: HostKey, *, yes: bool) -> int:
    run.say(f"{target.describe()} shows {key.type} {key.fingerprint}")
    if not (yes or typer.confirm("Is that the router's own key?", err=True)):
        run.say(f"{target.name}: not trusted")
        return 1
    known_hosts.trust(target.name, key)
    run.say(f"{target.name}: trusted, written to inventory/known_hosts")
    return 0
