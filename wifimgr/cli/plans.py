"""What commands share that change routers: show a plan, warn, ask, carry it out, and tell how each router ended."""

from __future__ import annotations

import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from wifimgr.cli import common, output
from wifimgr.errors import visible
from wifimgr.model import Change, Outcome, Result

if TYPE_CHECKING:
    from wifimgr.inventory import Inventory
    from wifimgr.push.plan import Plan
    from wifimgr.settings import Rollout
    from wifimgr.ssh import KnownHosts
    from wifimgr.store import Store

SOME_FAILED = 3
REFUSED = 4
INTERRUPTED = 130
MOST_NAMES = 3
"""Routers that are named where many are alike."""

Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for the journal.")]
Canary = Annotated[
    int | None, typer.Option("--canary", metavar="N", min=0, help="So many go first, one after another; 0: none.")
]
AtOnce = Annotated[int | None, typer.Option("--at-once", metavar="N", min=1, help="So many at the same time.")]
StopAfter = Annotated[
    int | None, typer.Option("--stop-after", metavar="N", min=0, help="Begin nothing new when N went wrong; 0: never.")
]


def rows(made: Plan, inventory: Inventory) -> list[dict[str, Any]]:
    """A plan as data: one row a router."""
    from wifimgr.push import opening
    from wifimgr.push.plan import endpoints

    at = opening.now()

    def row(change: Change, result: str, outcome: Outcome | None = None) -> dict[str, Any]:
        old, new = endpoints(inventory, change) if change.anything else ("", "")
        return {
            "router": change.router,
            "result": result,
            "paths": [f"/{path.path}" for path in change.paths],
            "why": outcome.why if outcome else "",
            "next": outcome.hint if outcome else "",
            "id": outcome.error_id if outcome else "",
            "diff": [line for path in change.paths for line in path.diff],
            "no_undo": [step.what for step in change.steps],
            "takes_up": list(change.after),
            "interrupts": change.interrupts,
            "radar": change.radar,
            "waits": opening.waits(inventory, change, at) if change.anything else "",
            "moves_to": "" if old == new else str(new),
            "secret": change.secret,
        }

    planned = [row(change, "to change" if change.anything else str(Result.ALREADY_RIGHT)) for change in made.changes]
    others = [
        row(Change(router=outcome.router, paths=(), touched=()), str(outcome.result), outcome)
        for outcome in made.outcomes
    ]
    return planned + others


def show(made: Plan, inventory: Inventory, to: TextIO, *, everything: bool = False) -> None:
    """A plan for people; of many routers alike only the first ones are named, unless they want ``everything``."""

    def tell(text: str = "", style: str = "") -> None:
        output.line(text, style, to=to)

    tell(made.job.title, "bold")
    for alike in _same_diffs(made.to_do, inventory):
        tell()
        tell(alike.heading(everything), "bold cyan")
        for line in alike.diff:
            tell(line, output.diff_style(line))
    tell()
    for line in _outcome_lines(made.outcomes, everything):
        tell(line, "yellow")
    tell(_summary(made), "bold")


_OWN = {"name": "\0", "place": "\1"}
"""What is a router's own, and what stands for it where diffs are compared: nothing that a diff could hold."""


@dataclass(slots=True)
class _Alike:
    """Routers with the same diff, but for their own names; ``diff`` is that of the first one."""

    diff: tuple[str, ...]
    own: list[str]
    """In what else they differ: ``name``, ``place``."""
    names: list[str] = field(default_factory=list)

    def heading(self, everything: bool) -> str:
        """Whose diff it is."""
        if len(self.names) == 1:
            return self.names[0]
        own = f", each with its own {' and '.join(self.own)}: this is {self.names[0]}" if self.own else ""
        return f"{some(self.names, everything)}  (the same for all {len(self.names)}{own})"


def _same_diffs(changes: Iterable[Change], inventory: Inventory) -> Iterable[_Alike]:
    """Routers with the same diff stand together, in the order of the first of them."""
    groups: dict[str, _Alike] = {}
    for change in changes:
        lines = (*(line for path in change.paths for line in path.diff), *_undo(change))
        text = "\n".join(lines)
        place = inventory.sites[inventory.routers[change.router].site].name
        for what, own in (("name", change.router), ("place", place)):
            text = re.sub(rf"(?<![\w-]){re.escape(own)}(?![\w-])", _OWN[what], text)
        differing = [what for what, mark in _OWN.items() if mark in text]
        groups.setdefault(text, _Alike(lines, differing)).names.append(change.router)
    return groups.values()


def _undo(change: Change) -> tuple[str, ...]:
    """What of a change has an undo and what has none, where that is not the same for all of it."""
    if not (change.steps or change.after):
        return ()
    undone = ", ".join([*(f"/{path.path}" for path in change.paths), *change.after])
    lines = [f"No undo: {visible(step.what)}" for step in change.steps]
    return (*lines, *([f"Taken back by itself unless confirmed: {undone}"] if undone else []))


def some(names: Sequence[str], everything: bool) -> str:
    """Names on one line: ``a, b, c and 297 more``, unless somebody wants ``everything``."""
    if everything or len(names) <= MOST_NAMES + 1:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMES])} and {len(names) - MOST_NAMES} more"


def _outcome_lines(outcomes: Iterable[Outcome], everything: bool) -> list[str]:
    """A line for each outcome; routers with the same one share it, whose commands then say ``ROUTER``."""
    groups: dict[Outcome, list[Outcome]] = {}
    for outcome in outcomes:
        alike = replace(outcome, router="", hint=outcome.hint.replace(f"-s {outcome.router}'", "-s ROUTER'"))
        groups.setdefault(alike, []).append(outcome)
    return [
        outcome_line(replace(alike, router=some([each.router for each in each_of], everything)))
        if len(each_of) > 1
        else outcome_line(*each_of)
        for alike, each_of in groups.items()
    ]


def _summary(made: Plan) -> str:
    counts = {"to change": len(made.to_do), "already right": len(made.already_right)}
    for outcome in made.outcomes:
        counts[outcome.result] = counts.get(outcome.result, 0) + 1
    told = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    return f"nothing to do: {told}" if made.already_right and not (made.to_do or made.outcomes) else told


def warnings(made: Plan, inventory: Inventory, *, while_open: bool = False, everything: bool = False) -> list[str]:
    """What a person should know before saying yes, the most important first."""
    from wifimgr.push.plan import caution, endpoints

    lines = [_headline(made.to_do, inventory)]
    if not while_open and (waiting := _waiting(made.to_do, inventory)):
        routers = "; ".join(f"{some(names, everything)} ({why})" for why, names in waiting.items())
        lines.append(f"These wait, --while-open changes them too: {routers}.")
    radar = max((change.radar for change in made.to_do), default=0.0)
    if radar:
        number = sum(bool(change.radar) for change in made.to_do)
        lines.append(f"Radar: {counted(number)} may listen for {radar:g} s before the Wi-Fi is back.")
    places = [(change.router, *endpoints(inventory, change)) for change in made.to_do]
    moving = [f"{name} would be reached at {new} instead of {old}." for name, old, new in places if old != new]
    if not everything and len(moving) > MOST_NAMES + 1:
        moving[MOST_NAMES:] = [f"{len(moving) - MOST_NAMES} more routers would be reached elsewhere (-v tells where)."]
    lines += moving
    keyless = [change.router for change in made.to_do if change.loses_key]
    if keyless:
        lines.append(f"{', '.join(keyless)} would not let us in any more with the key that we use now.")
    steps = {step.what: None for change in made.to_do for step in change.steps}
    if steps:
        number = sum(bool(change.steps) for change in made.to_do)
        lines.append(f"No undo on {counted(number)}: {', '.join(steps)}.")
    secret = sum(change.secret for change in made.to_do)
    if secret:
        lines.append(f"A secret changes on {counted(secret)}: once confirmed, no copy of the old files stays there.")
    old = [change.router for change in made.to_do if inventory.routers[change.router].legacy_ssh]
    if old:
        lines.append(f"Old SSH (legacy_ssh), so somebody else may pass for it: {some(old, everything)}.")
    lines += dict.fromkeys(filter(None, (caution(inventory, change) for change in made.to_do)))
    within = inventory.network.push.confirm_within + max((change.longer for change in made.to_do), default=0.0)
    if any(change.paths or change.after for change in made.to_do):
        lines.append(f"A router that cannot be confirmed within {within:g} s goes back by itself.")
    return [visible(line) for line in lines]


def _headline(changes: Sequence[Change], inventory: Inventory) -> str:
    """``12 routers, 5 places, about 40 s without Wi-Fi each; 2 places are open now.``"""
    from wifimgr.push import opening

    noticed = [change for change in changes if opening.is_noticed(change)]
    interrupts: dict[str, float] = {}
    for what, seconds in (item for change in noticed for item in change.interrupts.items()):
        interrupts[what] = max(seconds, interrupts.get(what, 0))
    parts = [
        counted(len(changes)),
        counted(len({inventory.routers[change.router].site for change in changes}), "place"),
    ]
    if interrupts:
        without = " and ".join(f"{seconds:g} s without {opening.NOTICED[what]}" for what, seconds in interrupts.items())
        parts.append(f"about {without}{' each' if len(changes) > 1 else ''}")
    elif noticed and all(_only_login(change, inventory) for change in noticed):
        parts.append("only the login changes: people notice it if that fails")
    elif noticed:
        parts.append("the network may be gone for a moment")
    at = opening.now()
    places = {site.slug for change in noticed for site in opening.open_places(inventory, change.router, at)}
    return f"{', '.join(parts)}{_open_now(places, inventory, at)}."


def _only_login(change: Change, inventory: Inventory) -> bool:
    """Whether a change concerns who logs in and where, and nothing else that people could notice."""
    from wifimgr.platforms import platform_of
    from wifimgr.platforms.programs import may_cut

    platform = platform_of(inventory.routers[change.router])
    others = [each for each in change.paths if not each.path.startswith(platform.LOGIN)]
    return len(others) < len(change.paths) and not (platform.touches_connectivity(others) or may_cut(change.after))


def _open_now(places: Collection[str], inventory: Inventory, at: datetime) -> str:
    """``; 3 places are open now, 2 of them always``: nothing waits for a place that never closes."""
    from wifimgr.push import opening

    if not places:
        return ""
    always = sum(opening.never_closes(inventory, inventory.sites[slug], at) for slug in places)
    of_them = "always" if always == len(places) else f"{always} of them always" if always else ""
    text = f"; {counted(len(places), 'place')} {'is' if len(places) == 1 else 'are'} open now"
    return f"{text}, {of_them}" if of_them else text


def _waiting(changes: Iterable[Change], inventory: Inventory) -> dict[str, list[str]]:
    """The routers that wait, by why they do."""
    from wifimgr.push import opening

    at, found = opening.now(), dict[str, list[str]]()
    for change in changes:
        if why := opening.waits(inventory, change, at):
            found.setdefault(why, []).append(change.router)
    return found


def counted(number: int, what: str = "router") -> str:
    """``3 routers``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def rollout(
    inventory: Inventory,
    *,
    canary: int | None = None,
    at_once: int | None = None,
    stop_after: int | None = None,
    while_open: bool = False,
) -> Rollout:
    """How carefully the routers are changed: as the network says, unless an option says otherwise."""
    usual = inventory.network.rollout
    return replace(
        usual,
        canary=usual.canary if canary is None else canary,
        at_once=at_once or usual.at_once,
        stop_after=usual.stop_after if stop_after is None else stop_after,
        while_open=while_open,
    )


def carry_out(
    run: common.Run,
    made: Plan,
    inventory: Inventory,
    known_hosts: KnownHosts,
    *,
    why: str,
    yes: bool,
    form: output.Form | None,
    care: Rollout | None = None,
    allow_no_undo: bool = False,
) -> None:
    """Shows a plan, asks, and pushes it. Raises typer.Exit with the exit code.

    Nobody is asked where all routers have to wait for their places to close.
    """
    from wifimgr.push import opening
    from wifimgr.push.apply import Pusher
    from wifimgr.push.fleet import held_back, push_all

    if not (form or run.quiet):
        show(made, inventory, sys.stderr, everything=run.verbose)
    known = [*made.outcomes, *(Outcome(name, Result.ALREADY_RIGHT) for name in made.already_right)]
    stop = threading.Event()
    ended: list[Outcome] = []
    care, at = care or inventory.network.rollout, opening.now()
    waiting = [] if care.while_open else [held_back(inventory, made.job, change, at) for change in made.to_do]
    if waiting and all(waiting):
        ended += filter(None, waiting)
    elif made.to_do:
        for line in warnings(made, inventory, while_open=care.while_open, everything=run.verbose):
            run.say(line)
        ask(run, "Change them?", yes=yes)
        with opened_store(inventory) as store:
            pusher = Pusher(
                inventory, known_hosts, store, made.job, visible(why), stop, teller(run), allow_no_undo=allow_no_undo
            )
            ended += push_all(pusher, made.to_do, _progress(run, len(made.to_do)), care)
    recap(run, known, ended, form)
    raise typer.Exit(INTERRUPTED if stop.is_set() else code([*known, *ended]))


def _progress(run: common.Run, total: int) -> Callable[[Outcome], None]:
    """Tells how each of several routers ended, and how many of them have; why, and what to do, is told at the end."""
    ended = 0

    def tell(outcome: Outcome) -> None:
        nonlocal ended
        ended += 1
        if total > 1:
            run.say(f"{ended} of {total}: {outcome.router}: {outcome.result}")

    return tell


def ask(run: common.Run, question: str, *, yes: bool) -> None:
    """Raises typer.Exit when somebody says no."""
    try:
        agreed = yes or typer.confirm(question, err=True)
    except typer.Abort:  # Ctrl-C, Ctrl-D, or nobody there any more: the line of the question is still open
        agreed = False
        print(file=sys.stderr)
    if not agreed:
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


def recap(run: common.Run, known: Sequence[Outcome], ended: Sequence[Outcome], form: output.Form | None) -> None:
    """How each router ended: as data where that is asked for or piped, else what there is to say of them, in numbers.

    ``known`` was told before the question, so that data and numbers alone hold it.
    """
    outcomes = [*known, *ended]
    is_data = bool(form) or not sys.stdout.isatty()
    if is_data:
        rows = [
            {"router": each.router, "result": str(each.result), "why": each.why, "next": each.hint, "id": each.error_id}
            for each in outcomes
        ]
        output.show(rows, "outcome", ("router", "result", "why", "next", "id"), form)
    if not is_data or sys.stderr.isatty() != sys.stdout.isatty():  # else the data is read where this would stand
        for line in _outcome_lines([each for each in ended if each.why or len(ended) == 1], run.verbose):
            run.say(line)
    if ended and len(outcomes) > 1:
        counts = Counter(str(outcome.result) for outcome in outcomes)
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
    ended = list(outcomes)
    if any(outcome.result in _BAD for outcome in ended):
        return SOME_FAILED
    return REFUSED if any(each.result is Result.REFUSED or each.error_id == "open-now" for each in ended) else 0
