"""Routers that cannot be reached where that is no surprise: off as planned, or behind one that is dead."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from wifimgr.errors import ConfigError, Refused
from wifimgr.hours import known_hours
from wifimgr.inventory import Inventory, jumps
from wifimgr.model import Lifecycle, Outcome, Router
from wifimgr.push import opening


def way(inventory: Inventory, name: str) -> set[str]:
    """The routers that lie between us and this one: those it is behind, and those that we log in through."""
    found: set[str] = set()
    ahead = [name]
    while ahead:
        router = inventory.routers[ahead.pop()]
        through = list[str]()
        with suppress(ConfigError, Refused):  # ~/.ssh/config is wrong there: whoever is reached by it is told so
            through = [stop.name for stop in jumps(inventory, router) if isinstance(stop, Router)]
        nearer = {name for name in (router.behind, *through) if name} - found
        found |= nearer
        ahead += nearer
    return found


def all_explained(inventory: Inventory, outcomes: Iterable[Outcome], at: datetime) -> tuple[Outcome, ...]:
    """The outcomes of one run, each as :func:`explained` by all the others."""
    ended = tuple(outcomes)
    dead = {outcome.router for outcome in ended if outcome.error_id == "unreachable"}
    return tuple(explained(inventory, outcome, dead, at) for outcome in ended)


def explained(inventory: Inventory, outcome: Outcome, dead: Collection[str], at: datetime) -> Outcome:
    """The outcome with a hint that fits, where a router that cannot be reached was to be expected so.

    ``dead`` are routers that cannot be reached, as far as this run knows.
    """
    if outcome.error_id != "unreachable":
        return outcome
    router = inventory.routers[outcome.router]
    hint = _off(inventory, router, at) or _behind(inventory, router, dead) or _maintained(inventory, router)
    return replace(outcome, hint=hint or outcome.hint)


def _off(inventory: Inventory, router: Router, at: datetime) -> str:
    site = inventory.sites[router.site]
    if site.power != "switched":
        return ""
    hours = known_hours(site.power_hours, inventory.network.calendar)
    is_on = hours.is_open(at) if hours else None
    if is_on:
        return ""
    back = hours.next_change(at) if hours and is_on is False else None
    until = f" until {opening.clock(inventory, back, at)}" if back else ""
    return f"its power {'may be' if is_on is None else 'is'} off as planned{until}; try again when it is on"


def _behind(inventory: Inventory, router: Router, dead: Collection[str]) -> str:
    hops = sorted(way(inventory, router.name).intersection(dead), key=lambda hop: (len(way(inventory, hop)), hop))
    return f"it is behind {hops[0]}, which cannot be reached either: look at that one" if hops else ""


def _maintained(inventory: Inventory, router: Router) -> str:
    lifecycles = (router.lifecycle, inventory.sites[router.site].lifecycle)
    return "it is in maintenance, so it may be off on purpose" if Lifecycle.MAINTENANCE in lifecycles else ""
