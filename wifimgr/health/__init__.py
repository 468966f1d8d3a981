"""Judge health: pure rules from what sources told, opening hours, and what stands behind what. No clock of its own.

Everything that shows health calls :func:`judge` with the same arguments, so page, command line and metrics agree; the
worker calls it too and stores the flips. Because staleness follows from ``now``, health turns ``unknown`` by itself
when nobody polls any more. The rules in words for admins: docs/health.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from wifimgr.health.blame import Blame
from wifimgr.health.heard import FRESH_INTERVALS, PATIENCE, is_fresh, known_of, merged
from wifimgr.health.routers import (
    SERVES_GUESTS,
    WATCHED,
    Judged,
    Look,
    Plans,
    changed_at,
    judge_routers,
    watched,
    wifi_hours,
)
from wifimgr.inventory import Inventory
from wifimgr.model import Flip, Health, Known, Lifecycle, Reason, Site, State

__all__ = [
    "FRESH_INTERVALS",
    "PATIENCE",
    "REASONS",
    "SERVES_GUESTS",
    "WORST_FIRST",
    "Verdict",
    "flips",
    "is_fresh",
    "judge",
    "known_of",
    "merged",
    "watched",
]

REASONS: Mapping[str, str] = {
    # why a router does not work
    "silent": "no source gets an answer",
    "no-internet": "it answers, but the internet is not reachable through it",
    "off-air": "it answers, but no network for guests is on the air",
    # why it works only in part
    "radio-off": "one of its radios is not on the air",
    "source-failing": "one source fails while another one answers",
    # why we do not know
    "never-polled": "it was not polled yet",
    "stale": "there is no fresh answer",
    "unreadable": "it could not be asked, or what it answers cannot be read",
    "internet-unchecked": "it answers, but nobody checked the internet",
    "wifi-unchecked": "it answers, but no source can see its Wi-Fi",
    "behind": "a router on our way to it is down",
    "our-line": "nothing at all answers, so it is probably our own line",
    # on purpose
    "power-off": "its power is off as planned",
    "outside-hours": "the place is closed",
    "wifi-scheduled-off": "the Wi-Fi is switched off by its schedule",
    "maintenance": "somebody works on it",
    # why a place is not up
    "some-routers": "some of its routers do not work",
    "no-routers": "it has no router that is watched",
}
"""Every id of a :class:`~wifimgr.model.Reason`, and what it means; of each kind the most important one first."""

WORST_FIRST = (
    State.DOWN,
    State.DEGRADED,
    State.UNKNOWN,
    State.MAINTENANCE,
    State.PAUSED,
    State.CLOSED,
    State.UP,
)
"""In this order admins look at things."""

_RANK = {id: rank for rank, id in enumerate(REASONS)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The health of everything at one moment."""

    at: datetime
    routers: Mapping[str, Health]
    """Watched routers by name: those that are ``active`` or in ``maintenance``."""
    sites: Mapping[str, Health]
    """Active sites by slug."""


def judge(
    inventory: Inventory,
    known: Mapping[tuple[str, str], Known],
    now: datetime,
    last: Mapping[tuple[str, str], Flip],
) -> Verdict:
    """The health of every router and every place at ``now`` (UTC).

    ``known``: (router, source) to what is remembered of it. ``last``: (kind, name) to its last flip, for ``since``.
    """
    look = Look(inventory, now, last, Plans(inventory.network, now))
    judged = judge_routers(look, known)
    here: dict[str, list[Judged]] = {slug: [] for slug in inventory.sites}
    for name in sorted(judged):
        here[judged[name].heard.router.site].append(judged[name])
    blame = Blame(inventory.sites, here)
    active = [site for site in inventory.sites.values() if site.lifecycle in WATCHED]
    return Verdict(
        at=now,
        routers={name: _router_health(look, one, blame) for name, one in judged.items()},
        sites={site.slug: _site_health(look, site, here[site.slug], blame) for site in active},
    )


def flips(verdict: Verdict, last: Mapping[tuple[str, str], Flip]) -> list[Flip]:
    """What changed since the last flips, routers first. The first state of all is a change, too."""
    kinds = (("router", verdict.routers), ("site", verdict.sites))
    return [
        Flip(
            at=verdict.at,
            kind=kind,
            name=name,
            before=before,
            after=health.state,
            reasons=health.reasons,
            fault=health.fault,
        )
        for kind, healths in kinds
        for name, health in healths.items()
        if (before := last[kind, name].after if (kind, name) in last else None) is not health.state
    ]


# ---------------------------------------------------------------- routers


def _router_health(look: Look, one: Judged, blame: Blame) -> Health:
    shown = Health(state=one.state, reasons=one.reasons, fault=blame.of_router(one))
    if one.is_maintained:
        shown = Health(state=State.MAINTENANCE, reasons=(Reason(id="maintenance"),), beneath=one.state)
    since = look.since("router", one.name, shown.state, changed_at(look, one))
    return replace(shown, since=since, checked=one.heard.checked)


# ---------------------------------------------------------------- places


def _site_health(look: Look, site: Site, here: Sequence[Judged], blame: Blame) -> Health:
    """``here``: its watched routers, by name."""
    needed = [one for one in here if one.serves_guests] or here
    is_worked_on = bool(needed) and all(one.is_maintained for one in needed)
    routers = [one for one in here if is_worked_on or not one.is_maintained]
    shown = _together(routers, blame)
    changed = look.now
    if shown.state is State.UNKNOWN:
        changed = max((changed_at(look, one) for one in routers), default=look.now)
    over = None
    if site.lifecycle is Lifecycle.MAINTENANCE or is_worked_on:
        over = Health(state=State.MAINTENANCE, reasons=(Reason(id="maintenance"),))
    elif planned := _closed(look, site):
        over = Health(state=State.CLOSED, reasons=planned)
    if over:
        shown, changed = replace(over, beneath=shown.state), look.now
    since = look.since("site", site.slug, shown.state, changed)
    checked = min((one.heard.checked for one in routers if one.heard.checked), default=None)
    return replace(shown, since=since, checked=checked)


def _closed(look: Look, site: Site) -> tuple[Reason, ...]:
    """Why nobody expects Wi-Fi here now; empty: people do."""
    hours = (
        ("power-off", site.power_hours),
        ("outside-hours", site.opening_hours),
        ("wifi-scheduled-off", wifi_hours(site)),
    )
    return tuple(reason for id, text in hours if (reason := look.plans.off(id, text)))


def _together(routers: Sequence[Judged], blame: Blame) -> Health:
    """What routers of one place are worth together."""
    serving = [one for one in routers if one.serves_guests] or routers
    down = [one for one in routers if one.state is State.DOWN]
    if not routers:
        return Health(state=State.UNKNOWN, reasons=(Reason(id="no-routers"),))
    if any(one.is_usable and one.has_wifi for one in serving):
        wrong = [one for one in routers if one in down or (one in serving and not one.is_fine)]
        state = State.DEGRADED if wrong else State.UP
        return Health(state=state, reasons=_each(wrong), fault=blame.widest(wrong))
    if any(one.is_usable for one in serving):
        return Health(state=State.UNKNOWN, reasons=(Reason(id="wifi-unchecked"), *_each(down)))
    if unchecked := [one for one in serving if one.state is State.UNKNOWN and one.answers]:
        return Health(state=State.UNKNOWN, reasons=(*_all(unchecked), *_each(down)))
    if down:
        return Health(state=State.DOWN, reasons=_all(down), fault=blame.widest(down))
    return Health(state=State.UNKNOWN, reasons=_all(serving))


def _each(wrong: Iterable[Judged]) -> tuple[Reason, ...]:
    """Two reasons for each router: that it is this one, and what it has."""
    return tuple(reason for one in wrong for reason in (Reason(id="some-routers", about=one.name), one.reasons[0]))


def _all(routers: Iterable[Judged]) -> tuple[Reason, ...]:
    """The first reason of each router, each reason once."""
    return tuple(sorted({one.reasons[0] for one in routers}, key=lambda reason: (_RANK[reason.id], reason.about)))
