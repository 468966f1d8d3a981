"""What commands share that change routers: show a plan, warn, ask, carry it out, and tell how each router ended."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from wifimgr.cli import common, output
from wifimgr.errors import visible
from wifimgr.model import Change, Outcome, Result

if TYPE_CHECKING:
    from wifimgr.inventory import Inventory
    from wifimgr.push.plan import Plan
    from wifimgr.ssh import KnownHosts
    from wifimgr.store import Store

SOME_FAILED = 3
REFUSED = 4
INTERRUPTED = 130

Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for the journal.")]


def rows(made: Plan) -> list[dict[str, Any]]:
    """A plan as data: one row a router."""
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


def show(made: Plan, to: TextIO) -> None:
    """A plan for people."""

    def tell(text: str = "", style: str = "") -> None:
        output.line(text, style, to=to)

    tell(made.job.title, "bold")
    for names, diff in _same_diffs(made.to_do):
        tell()
        tell(_together(names), "bold cyan")
        for line in diff:
            tell(line, output.diff_style(line))
    tell()
    for outcome in made.outcomes:
        tell(outcome_line(outcome), "yellow")
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


def warnings(made: Plan, inventory: Inventory) -> list[str]:
    """What a person should know before saying yes."""
    from wifimgr.push.plan import endpoints

    places = len({inventory.routers[change.router].site for change in made.to_do})
    lines = [f"{counted(len(made.to_do))} at {places} {'place' if places == 1 else 'places'} would be changed."]
    interrupts = {what: seconds for change in made.to_do for what, seconds in change.interrupts.items()}
    for what, seconds in interrupts.items():
        lines.append(f"People there would be without {what} for about {seconds:g} s.")
    radar = max((change.radar for change in made.to_do), default=0.0)
    if radar:
        number = sum(bool(change.radar) for change in made.to_do)
        lines.append(
            f"A radio of {counted(number)} uses radar channels: it listens for up to {radar:g} s before it is on air, "
            "and the push takes that much longer."
        )
    for change in made.to_do:
        old, new = endpoints(inventory, change)
        if old != new:
            lines.append(f"{change.router} would be reached at {new} instead of {old}.")
    within = inventory.network.push.confirm_within + radar
    lines.append(f"A router that cannot be confirmed within {within:g} s goes back to its old files by itself.")
    secret = [change.router for change in made.to_do if change.secret]
    if secret:
        lines.append(
            f"A secret changes on {counted(len(secret))}: once confirmed, no copy of the old files stays there."
        )
    return lines


def counted(number: int) -> str:
    """``3 routers``."""
    return f"{number} router" if number == 1 else f"{number} routers"


def carry_out(
    run: common.Run,
    made: Plan,
    inventory: Inventory,
    known_hosts: KnownHosts,
    *,
    why: str,
    yes: bool,
    form: output.Form | None,
) -> None:
    """Shows a plan, asks, and pushes it. Raises typer.Exit with the exit code."""
    from wifimgr.push.apply import Pusher
    from wifimgr.push.fleet import push_all

    if not (form or run.quiet):
        show(made, sys.stderr)
    outcomes = [*made.outcomes, *(Outcome(name, Result.ALREADY_RIGHT) for name in made.already_right)]
    stop = threading.Event()
    if made.to_do:
        for line in warnings(made, inventory):
            run.say(line)
        ask(run, "Change them?", yes=yes)
        with opened_store(inventory) as store:
            pusher = Pusher(inventory, known_hosts, store, made.job, visible(why), stop, teller(run))
            outcomes += push_all(pusher, made.to_do, lambda outcome: run.say(outcome_line(outcome)))
    recap(run, outcomes, form, told=bool(made.to_do))
    raise typer.Exit(INTERRUPTED if stop.is_set() else code(outcomes))


def ask(run: common.Run, question: str, *, yes: bool) -> None:
    """Raises typer.Exit when somebody says no."""
    if not (yes or typer.confirm(question, err=True)):
        run.say("nothing was changed")
        raise typer.Exit(1)


@contextmanager
def opened_store(inventory: Inventory) -> Iterator[Store]:
    """The store of a network."""
    from wifimgr.settings import make_state_dir
    from wifimgr.store import Store

    store = Store(make_state_dir(inventory.network.folder))
    try:
        yield store
    finally:
        store.close()


def teller(run: common.Run) -> Callable[[str, str], None]:
    """Tells what happens to one router with ``-v``, and what happens to all of them always."""

    def say(name: str, text: str) -> None:
        if name:
            run.detail(f"{name}: {text}")
        else:
            run.say(text)

    return say


def recap(run: common.Run, outcomes: Sequence[Outcome], form: output.Form | None, *, told: bool) -> None:
    """How each router ended: as data where that is asked for or piped, and in one line for people if ``told``."""
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


def outcome_line(outcome: Outcome) -> str:
    """How one router ended, why, and what to do next."""
    text = f"{outcome.router}: {outcome.result}"
    text = f"{text}: {outcome.why}" if outcome.why else text
    text = f"{text}; {outcome.hint}" if outcome.hint else text
    return visible(f"{text} [{outcome.error_id}]" if outcome.error_id else text)


_BAD = (Result.FAILED, Result.ROLLED_BACK, Result.UNREACHABLE)


def code(outcomes: Iterable[Outcome]) -> int:
    """The exit code that all outcomes together make."""
    results = {outcome.result for outcome in outcomes}
    if results & set(_BAD):
        return SOME_FAILED
    return REFUSED if Result.REFUSED in results else 0
