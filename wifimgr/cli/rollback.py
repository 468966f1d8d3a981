"""Ways back: ``rollback`` to the files that a router kept, ``forget`` to a router without wifimgr."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from wifimgr.cli import common, plans
from wifimgr.errors import ConfigError, visible

if TYPE_CHECKING:
    from wifimgr.inventory import Inventory
    from wifimgr.model import Router
    from wifimgr.ssh import KnownHosts

Names = Annotated[list[str] | None, typer.Argument(metavar="[ROUTER]...", help="Routers by name.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    common.command(app, "rollback")(rollback)
    common.command(app, "forget")(forget)


def _chosen(
    run: common.Run, names: Sequence[str] | None, selectors: Sequence[str]
) -> tuple[Inventory, KnownHosts, list[Router]]:
    """The routers that were named or selected; none by itself."""
    from wifimgr.inventory import load, select
    from wifimgr.settings import make_state_dir
    from wifimgr.ssh import KnownHosts

    wanted = [*(f"name={name}" for name in names or ()), *selectors]
    if not wanted:
        raise ConfigError("nothing-selected", "no router is named", hint="name one, or use -s")
    folder = run.folder()
    inventory = load(folder)
    common.log_to(make_state_dir(folder))
    return inventory, KnownHosts(folder / "inventory/known_hosts"), select(inventory, wanted)


def rollback(
    run: common.Run,
    names: Names = None,
    select: common.Select = [],  # noqa: B006 (typer makes a new list for each call)
    form: common.Output = None,
    yes: common.Yes = False,
    why: plans.Why = "",
    canary: plans.Canary = None,
    at_once: plans.AtOnce = None,
    stop_after: plans.StopAfter = None,
) -> None:
    """Bring back the files from before the last confirmed change, as a change that goes back unless it is confirmed."""
    from wifimgr.push.rollback import plan_back

    inventory, known_hosts, routers = _chosen(run, names, select)
    common.need_somebody(yes, "say --yes")
    run.detail(f"reading {plans.counted(len(routers))}")
    made = plan_back(inventory, known_hosts, routers)
    # It heals, and somebody named these very routers: it does not wait for closing time.
    care = plans.rollout(inventory, canary=canary, at_once=at_once, stop_after=stop_after, while_open=True)
    plans.carry_out(run, made, inventory, known_hosts, why=why, yes=yes, form=form, care=care)


def forget(
    run: common.Run,
    names: Names = None,
    select: common.Select = [],  # noqa: B006 (typer makes a new list for each call)
    form: common.Output = None,
    yes: common.Yes = False,
    why: plans.Why = "",
) -> None:
    """Remove everything that is wifimgr's own from routers; their configuration stays as it is."""
    from wifimgr.push.leave import Leaver, has_traces

    inventory, known_hosts, routers = _chosen(run, names, select)
    common.need_somebody(yes, "say --yes")
    marked = [router for router in routers if has_traces(router)]
    with plans.opened_store(inventory) as store:
        leaver = Leaver(inventory, known_hosts, store, visible(why), plans.teller(run))
        known = leaver.leave_all(router for router in routers if not has_traces(router))  # nobody logs in for that
        for outcome in known:
            run.say(plans.outcome_line(outcome))
        for router in marked:
            run.say(f"{router.name} at {inventory.sites[router.site].name}: guard and snapshot would be removed.")
        if marked:
            run.say("The configuration stays as it is, and there would be nothing to go back to.")
            plans.ask(run, f"Forget {plans.counted(len(marked))}?", yes=yes)
        ended = leaver.leave_all(marked)
    plans.recap(run, known, ended, form)
    raise typer.Exit(plans.code([*known, *ended]))
