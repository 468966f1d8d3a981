"""Commands around a change: ``plan``, ``apply``, ``journal list``."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from wifimgr.cli import common, output
from wifimgr.errors import visible
from wifimgr.model import Change, Outcome, Result

if TYPE_CHECKING:
    from wifimgr.inventory import Inventory
    from wifimgr.push.plan import Plan
    from wifimgr.ssh import KnownHosts

CHANGES_PRESENT = 5
SOME_FAILED = 3
REFUSED = 4
INTERRUPTED = 130

Name = Annotated[str, typer.Argument(metavar="PLAYBOOK", help="A playbook's name, or the path of its file.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for the journal.")]


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
        output.show(_plan_rows(made), "router", ("router", "result", "paths", "why"), form)
    else:
        _print_plan(made, sys.stdout)
        for line in _warnings(made, inventory) if made.to_do else ():
            output.line(line)
    code = _code(made.outcomes)
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
    run.detail(f"reading {_routers(len(routers))}")
    return make_plan(inventory, known_hosts, wanted, routers), inventory, known_hosts


def _plan_rows(made: Plan) -> list[dict[str, Any]]:
    planned = [
        {
            "router": change.router,
            "result": "to change" if change.paths else str(Result.ALREADY_RIGHT),
            "paths": [f"/{path.path}" for path in change.paths],
            "why": "",
            "next": "",
            "id": "",
            "diff": [line for path in change.paths for line in path.diff],
        }
        for change in made.changes
    ]
    others = [
        {
            "router": outcome.router,
            "result": str(outcome.result),
            "paths": [],
            "why": outcome.why,
            "next": outcome.hint,
            "id": outcome.error_id,
            "diff": [],
        }
        for outcome in made.outcomes
    ]
    return planned + others


def _print_plan(made: Plan, to: TextIO) -> None:
    def tell(text: str = "", style: str = "") -> None:
        output.line(text, style, to=to)

    tell(f"{made.playbook.file.name}: {made.playbook.file.about}", "bold")
    for names, diff in _same_diffs(made.to_do):
        tell()
        tell(_together(names), "bold cyan")
        for line in diff:
            tell(line, output.diff_style(line))
    tell()
    for outcome in made.outcomes:
        tell(_outcome_line(outcome), "yellow")
    tell(_summary(made), "bold")


def _same_diffs(changes: Iterable[Change]) -> list[tuple[list[str], tuple[str, ...]]]:
    """Routers with the same diff stand together, in the order of the first of them."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for change in changes:
        diff = tuple(line for path in change.paths for line in path.diff)
        groups.setdefault(diff, []).append(change.router)
    return [(names, diff) for diff, names in groups.items()]


def _together(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names)}  (the same for all {len(names)})"


def _summary(made: Plan) -> str:
    counts = {"to change": len(made.to_do), "already right": len(made.already_right)}
    for outcome in made.outcomes:
        counts[outcome.result] = counts.get(outcome.result, 0) + 1
    told = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    return f"nothing to do: {told}" if made.already_right and not (made.to_do or made.outcomes) else told


def _warnings(made: Plan, inventory: Inventory) -> list[str]:
    """What a person should know before saying yes."""
    places = len({inventory.routers[change.router].site for change in made.to_do})
    lines = [f"{_routers(len(made.to_do))} at {places} {'place' if places == 1 else 'places'} would be changed."]
    for what, seconds in made.playbook.file.interrupts.items():
        lines.append(f"People there would be without {what} for about {seconds:g} s.")
    within = inventory.network.push.confirm_within
    lines.append(f"A router that cannot be confirmed within {within:g} s goes back to its old files by itself.")
    secret = [change.router for change in made.to_do if change.secret]
    if secret:
        lines.append(
            f"A secret changes on {_routers(len(secret))}: once confirmed, no copy of the old files stays there."
        )
    return lines


def _routers(number: int) -> str:
    return f"{number} router" if number == 1 else f"{number} routers"


# ---------------------------------------------------------------- apply


def apply(
    run: common.Run,
    playbook: Name,
    select: common.Select = [],  # noqa: B006 (typer makes a new list for each call)
    form: common.Output = None,
    yes: common.Yes = False,
    why: Why = "",
) -> None:
    """Make the changes of a playbook; a router that cannot be confirmed goes back by itself."""
    from wifimgr.push.apply import Pusher
    from wifimgr.push.fleet import push_all
    from wifimgr.settings import make_state_dir
    from wifimgr.store import Store

    common.need_somebody(yes, "look at 'wifimgr plan' first, then say --yes")
    made, inventory, known_hosts = _plan(run, playbook, select)
    if not (form or run.quiet):
        _print_plan(made, sys.stderr)
    outcomes = [*made.outcomes, *(Outcome(name, Result.ALREADY_RIGHT) for name in made.already_right)]
    stop = threading.Event()
    if made.to_do:
        for line in _warnings(made, inventory):
            run.say(line)
        if not (yes or typer.confirm("Change them?", err=True)):
            run.say("nothing was changed")
            raise typer.Exit(1)
        state = make_state_dir(inventory.network.folder)
        store = Store(state)

        def say(name: str, text: str) -> None:
            if name:
                run.detail(f"{name}: {text}")
            else:
                run.say(text)

        pusher = Pusher(inventory, known_hosts, store, made.playbook, visible(why), stop, say)
        outcomes += push_all(pusher, made.to_do, lambda outcome: run.say(_outcome_line(outcome)))
        store.close()
    _recap(run, outcomes, form, told=bool(made.to_do))
    raise typer.Exit(INTERRUPTED if stop.is_set() else _code(outcomes))


def _recap(run: common.Run, outcomes: Sequence[Outcome], form: output.Form | None, *, told: bool) -> None:
    if form or not sys.stdout.isatty():
        rows = [
            {"router": each.router, "result": str(each.result), "why": each.why, "next": each.hint, "id": each.error_id}
            for each in outcomes
        ]
        output.show(rows, "outcome", ("router", "result", "why", "next"), form)
    if told:
        counts: dict[str, int] = {}
        for outcome in outcomes:
            counts[outcome.result] = counts.get(outcome.result, 0) + 1
        run.say(", ".join(f"{number} {what}" for what, number in counts.items()))


def _outcome_line(outcome: Outcome) -> str:
    text = f"{outcome.router}: {outcome.result}"
    text = f"{text}: {outcome.why}" if outcome.why else text
    text = f"{text}; {outcome.hint}" if outcome.hint else text
    return visible(f"{text} [{outcome.error_id}]" if outcome.error_id else text)


_BAD = (Result.FAILED, Result.ROLLED_BACK, Result.UNREACHABLE)


def _code(outcomes: Iterable[Outcome]) -> int:
    results = {outcome.result for outcome in outcomes}
    if results & set(_BAD):
        return SOME_FAILED
    return REFUSED if Result.REFUSED in results else 0


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
