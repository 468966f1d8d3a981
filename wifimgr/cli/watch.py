"""Commands about health: ``poll`` asks routers now, ``status`` tells what is known."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from wifimgr.cli import common, output
from wifimgr.model import Health, Lifecycle, Measured, Reading, Reason, Router, State

if TYPE_CHECKING:
    from wifimgr.store import Beat
    from wifimgr.views.snapshot import Snapshot

SOME_FAILED = 3
LATE = 10.0
"""Seconds that polls may be late without a word about it."""

Explain = Annotated[bool, typer.Option("--explain", help="Tell what was asked, what came, and how it was judged.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    common.command(app, "poll")(poll)
    common.command(app, "status")(status)


# ---------------------------------------------------------------- poll


def poll(run: common.Run, select: common.Select = [], form: common.Output = None, explain: Explain = False) -> None:  # noqa: B006
    """Ask routers now, once, and show how they are."""
    import asyncio

    from wifimgr.health import watched
    from wifimgr.inventory import load
    from wifimgr.inventory import select as choose
    from wifimgr.settings import make_state_dir
    from wifimgr.ssh import KnownHosts
    from wifimgr.store import Store
    from wifimgr.views.snapshot import take
    from wifimgr.watch import LOGINS, keep, poll_all, sources_of

    folder = run.folder()
    inventory = load(folder)
    known_hosts = KnownHosts(folder / "inventory/known_hosts")
    chosen = choose(inventory, select)
    in_use = {router.name for router in watched(inventory) if sources_of(router)}
    asked = [router for router in chosen if router.name in in_use]
    for router in chosen:
        if router.name not in in_use:
            run.say(f"{router.name}: not asked, {_why_not(router)}")
    steps: dict[tuple[str, str], list[str]] = {}

    def note(router: str, source: str, text: str) -> None:
        steps.setdefault((router, source), []).append(text)
        run.detail(f"{router}: {source}: {text}")

    state = make_state_dir(folder)
    common.log_to(state)
    with closing(Store(state)) as store:
        leased = store.leased()
        for router in asked:
            if router.name in leased and LOGINS & set(router.sources):
                run.say(f"{router.name}: somebody works on it, so this does not log in")
        readings = asyncio.run(poll_all(inventory, known_hosts, asked, leased, note))
        keep(store, inventory, [each for of_one in readings.values() for each in of_one])
        snapshot = take(inventory, store, datetime.now(UTC))
    polls = [_Poll(router, readings[router.name], snapshot, steps) for router in asked]
    if explain and not form:
        for each in polls:
            for line, style in each.explained():
                output.line(line, style)
            output.line()
    else:
        columns = ("router", "site", "state", "why", "sources", "clients", "internet")
        output.show([each.row(explain) for each in polls], "router", columns, form)
        if form is None and any(reading.failure for each in polls for reading in each.readings):
            run.say("why a source failed: the same command with --explain")
    silent = any(each.readings and all(reading.failure for reading in each.readings) for each in polls)
    raise typer.Exit(SOME_FAILED if silent else 0)


def _why_not(router: Router) -> str:
    if router.lifecycle in (Lifecycle.PLANNED, Lifecycle.RETIRED):
        return f"it is {router.lifecycle}"
    return f"nothing asks over {', '.join(router.sources)} yet" if router.sources else "it has no sources"


@dataclass(frozen=True, slots=True)
class _Poll:
    """One router that was asked."""

    router: Router
    readings: Sequence[Reading]
    snapshot: Snapshot
    steps: Mapping[tuple[str, str], Sequence[str]]
    """(router, source) to what the source did."""

    @property
    def health(self) -> Health:
        return self.snapshot.verdict.routers[self.router.name]

    def row(self, explain: bool) -> output.Row:
        """What was found, in one line; with ``explain`` also how."""
        measured = self.snapshot.measured(self.router)
        row = {
            "router": self.router.name,
            "site": self.router.site,
            **_judged(self.health),
            "sources": {reading.source: _ended(reading) for reading in self.readings},
            "details": {reading.source: reading.detail for reading in self.readings if reading.failure},
            "clients": measured.clients,
            "internet": _internet(measured),
        }
        return row | {"explained": [line for line, _ in self.explained()]} if explain else row

    def explained(self) -> Iterator[tuple[str, str]]:
        """How it was found, for people: lines with their styles."""
        yield f"{self.router.name} ({self.router.site})", "bold cyan"
        told = {reading.source: reading for reading in self.readings}
        for source in self.router.sources:
            for step in self.steps.get((self.router.name, source), ()):
                yield f"  {source}: {step}", "dim"
            if source not in told:
                yield f"  {source}: not asked", "dim"
                continue
            yield f"  {source}: {_ended(told[source])}, {told[source].took:.2f} s{self._in_a_row(source)}", ""
            if measured := told[source].measured:
                yield f"  {source}: told {_numbers(measured) or 'nothing'}", ""
        since = f", since {_clock(self.health.since)}" if self.health.since else ""
        yield f"  judged: {self.health.state}{since}", output.state_style(self.health.state)
        for reason in self.health.reasons:
            yield f"    {reason.id}: {_meaning(reason)}", ""
        if self.health.fault:
            yield f"    fault: {self.health.fault}", ""

    def _in_a_row(self, source: str) -> str:
        from wifimgr.health import PATIENCE

        failures = self.snapshot.known[self.router.name, source].failures
        return f"; {failures} in a row, and {PATIENCE} make it count" if failures else ""


def _ended(reading: Reading) -> str:
    return reading.failure or "ok"


def _internet(measured: Measured) -> str | None:
    found = measured.internet
    if found is None:
        return None
    return f"works ({found.asked_from})" if found.works else f"does not work ({found.asked_from}): {found.why}"


def _numbers(measured: Measured) -> str:
    """What one source told, on one line; what it did not tell is not in there."""
    told = {field.name: getattr(measured, field.name) for field in fields(measured)}
    told["internet"] = _internet(measured)
    told["radios"] = [radio.name for radio in measured.radios]
    told["interfaces"] = [interface.name for interface in measured.interfaces]
    told["boot"] = measured.boot and _clock(measured.boot)
    return ", ".join(f"{name} {output.cell(value)}" for name, value in told.items() if value not in (None, "", []))


# ---------------------------------------------------------------- status


def status(run: common.Run, select: common.Select = [], form: common.Output = None) -> None:  # noqa: B006
    """Show how places and routers are, as last heard; no router is asked."""
    from wifimgr.inventory import load
    from wifimgr.inventory import select as choose
    from wifimgr.settings import make_state_dir
    from wifimgr.store import Store
    from wifimgr.views.snapshot import take

    folder = run.folder()
    inventory = load(folder)
    chosen = {router.name for router in choose(inventory, select)} if select else None
    state = make_state_dir(folder)
    common.log_to(state)
    with closing(Store(state)) as store:
        snapshot = take(inventory, store, datetime.now(UTC))
        beat = store.last_beat()
    places = _places(snapshot, chosen)
    if output.is_table(form):
        output.line(f"{inventory.network.name}: {_summary(places)}", "bold")
        output.line()
        rows = [row for place in places for row in place.overview()]
        output.show(rows, "place", ("place", "state", "since", "up", "why"), output.Form.TABLE)
        output.line(to=sys.stderr)
    else:
        columns = ("kind", "name", "site", "state", "since", "up", "of", "why", "fault", "checked")
        output.show([row for place in places for row in place.rows()], "state", columns, form)
    for line in _remarks(snapshot, beat):
        run.say(line)


@dataclass(frozen=True, slots=True)
class _Place:
    """One place and those of its routers that were selected."""

    slug: str
    health: Health | None
    """None: the place itself is not watched, only a router there."""
    routers: Mapping[str, Health]
    up: int
    """So many of all its routers are up."""
    of: int

    def overview(self) -> Iterator[output.Row]:
        """For people: the place, and its routers that are not up. What is off as planned is told by the place alone."""
        yield {"place": self.slug, "up": f"{self.up} of {self.of}", **(_line(self.health) if self.health else {})}
        for name, health in self.routers.items():
            planned = health.reasons and all(reason.until for reason in health.reasons)
            if health.state is not State.UP and not planned:
                yield {"place": f"  {name}", **_line(health)}

    def rows(self) -> Iterator[output.Row]:
        """For programs: the place, and all its routers."""
        if self.health:
            numbers = {"up": self.up, "of": self.of}
            yield {"kind": "site", "name": self.slug, "site": self.slug, **_judged(self.health), **numbers}
        for name, health in self.routers.items():
            yield {"kind": "router", "name": name, "site": self.slug, **_judged(health), "up": None, "of": None}


def _places(snapshot: Snapshot, chosen: Collection[str] | None) -> list[_Place]:
    """The places of the chosen routers (None: all places), the worst first."""
    places = []
    for slug, site in snapshot.inventory.sites.items():
        health = snapshot.verdict.sites.get(slug)
        routers = [name for name in site.routers if name in snapshot.verdict.routers]
        healths = {name: snapshot.verdict.routers[name] for name in routers}
        up = sum(each.state is State.UP for each in healths.values())
        shown = {name: each for name, each in healths.items() if chosen is None or name in chosen}
        if shown or (health and chosen is None):
            places.append(_Place(slug, health, shown, up, len(healths)))
    return sorted(places, key=lambda place: _badness(place.health))


def _badness(health: Health | None) -> tuple[int, int]:
    """Sorts the worst first; of two that are closed the one that would not work."""
    from wifimgr.health import WORST_FIRST

    if health is None:
        return len(WORST_FIRST), 0
    return WORST_FIRST.index(health.state), WORST_FIRST.index(health.beneath or State.UP)


def _summary(places: Sequence[_Place]) -> str:
    from wifimgr.health import WORST_FIRST

    counts = Counter(place.health.state for place in places if place.health)
    others = (f", {counts[state]} {state}" for state in WORST_FIRST if state is not State.UP and counts[state])
    return f"{counts[State.UP]} of {counts.total()} places are up{''.join(others)}"


def _remarks(snapshot: Snapshot, beat: Beat | None) -> Iterator[str]:
    """What a person should know about how old and how complete this is."""
    from wifimgr.views.admins import worker_trouble

    polls = [known.latest.at for known in snapshot.known.values()]
    if not polls:
        yield "nothing was asked yet: 'wifimgr poll' asks once, 'wifimgr serve' keeps on asking"
        return
    yield f"last poll: {max(polls).astimezone():%Y-%m-%d %H:%M:%S}"
    trouble = worker_trouble(beat, snapshot.at)
    yield from trouble
    if beat and not trouble:
        if beat.lag > LATE:
            yield f"polls are {beat.lag:.0f} s late: there is more to ask than can be asked in time"
        for line in beat.inventory_error.splitlines():
            yield f"the worker still uses an older inventory: {line}"


# ---------------------------------------------------------------- health in words


def _line(health: Health) -> output.Row:
    """A health for people, to be shown beside others."""
    return {"state": health.state, "since": health.since and _clock(health.since), "why": _why(health)}


def _judged(health: Health) -> output.Row:
    """A health for programs; times with their offset from UTC."""
    return {
        "state": health.state,
        "since": _exactly(health.since),
        "why": _why(health),
        "fault": health.fault,
        "beneath": health.beneath,
        "checked": _exactly(health.checked),
        "reasons": [
            {"id": reason.id, "about": reason.about, "until": _exactly(reason.until)} for reason in health.reasons
        ],
    }


def _why(health: Health) -> str:
    """All reasons in words, and what would be without them."""
    otherwise = [f"otherwise {health.beneath}"] if health.beneath else []
    return "; ".join([*map(_meaning, health.reasons), *otherwise])


def _meaning(reason: Reason) -> str:
    from wifimgr.views.admins import told

    return told(reason, _clock)


def _clock(time: datetime) -> str:
    """Local time as people read it: without the date when it is today."""
    here = time.astimezone()
    today = here.date() == datetime.now().astimezone().date()
    return f"{here:%H:%M}" if today else f"{here:%Y-%m-%d %H:%M}"


def _exactly(time: datetime | None) -> str | None:
    return time.astimezone().isoformat(timespec="seconds") if time else None
