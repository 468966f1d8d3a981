"""Judge health: pure rules from what sources told, opening hours, and what stands behind what. No clock of its own.

Everything that shows health calls :func:`judge` with the same arguments, so page, command line and metrics agree; the
worker calls it too and stores the flips. Because staleness follows from ``now``, health turns ``unknown`` by itself
when nobody polls any more. The rules in words for admins: docs/health.md.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import TypeVar

from wifimgr.hours import known_hours
from wifimgr.inventory import Inventory
from wifimgr.model import (
    Failure,
    Fault,
    Flip,
    Health,
    Interface,
    Internet,
    Known,
    Lifecycle,
    Measured,
    Reading,
    Reason,
    Router,
    Site,
    State,
)
from wifimgr.settings import Network

PATIENCE = 2
"""So many failures in a row make a source count as failing; one lost packet is no news."""
FRESH_INTERVALS = 3
"""A reading is fresh for so many intervals of its router."""
LINE_ROUTERS, LINE_SITES = 3, 2
"""When so many routers of so many places fall silent together, it is probably our own line."""

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
SERVES_GUESTS = frozenset({"access-point", "mesh-node"})
"""Roles that need Wi-Fi. A gateway or a switch needs none, but may have some, too."""

_RANK = {id: rank for rank, id in enumerate(REASONS)}
_WATCHED = frozenset({Lifecycle.ACTIVE, Lifecycle.MAINTENANCE})
_SILENCE = frozenset({Failure.TIMEOUT, Failure.REFUSED})
"""Failures that mean that nobody answered. With the others somebody did, or nobody was asked."""
_LONGEST_GRACE = 3600.0
"""Seconds that a router may take at most to come up after it was switched on as planned."""


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
    look = _Look(inventory, now, last, _Plans(inventory.network, now))
    judged = _judge_routers(look, known)
    here: dict[str, list[_Judged]] = {slug: [] for slug in inventory.sites}
    for name in sorted(judged):
        here[judged[name].heard.router.site].append(judged[name])
    blame = _Blame(inventory.sites, here)
    active = [site for site in inventory.sites.values() if site.lifecycle in _WATCHED]
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


def watched(inventory: Inventory) -> list[Router]:
    """The routers that are polled: ``active`` or in ``maintenance``, with at least one source."""
    return [router for router in inventory.routers.values() if router.lifecycle in _WATCHED and router.sources]


# ---------------------------------------------------------------- what is known of a router


def known_of(router: Router, known: Mapping[tuple[str, str], Known]) -> dict[str, Known]:
    """What is remembered of a router, by source: those that the inventory names and that were polled."""
    return {source: known[router.name, source] for source in router.sources if (router.name, source) in known}


T = TypeVar("T")
Told = TypeVar("Told", Measured, Interface)


def merged(inventory: Inventory, router: Router, known: Mapping[tuple[str, str], Known], now: datetime) -> Measured:
    """What is known of a router right now: of each value the first fresh one, in the order of its ``sources``.

    Only the latest readings count: a source that failed tells nothing, so that no value is ever frozen. Interfaces are
    joined by name. Radios are not: each source calls them something else, and their guests would count twice.
    """
    interval = inventory.network.interval(router)
    latest = [one.latest for one in known_of(router, known).values()]
    told = [reading.measured for reading in latest if reading.measured and is_fresh(reading, now, interval)]
    return replace(_united(told, Measured()), interfaces=_interfaces(told))


def _first(values: Iterable[T | None]) -> T | None:
    """The first value that was told."""
    return next((value for value in values if value is not None and value not in ("", ())), None)


def _united(parts: Sequence[Told], empty: Told) -> Told:
    """Of each field the first value that one of the parts tells."""
    values = {field.name: _first(getattr(part, field.name) for part in parts) for field in fields(empty)}
    return replace(empty, **{name: value for name, value in values.items() if value is not None})


def _interfaces(told: Iterable[Measured]) -> tuple[Interface, ...]:
    """The interfaces of all sources, each name once."""
    found: dict[str, list[Interface]] = defaultdict(list)
    for measured in told:
        for interface in measured.interfaces:
            found[interface.name].append(interface)
    return tuple(_united(parts, Interface(name=name)) for name, parts in found.items())


def is_fresh(reading: Reading, now: datetime, interval: float) -> bool:
    """Whether a reading still counts. One from the future is worth as little as one that is too old."""
    return abs((now - reading.at).total_seconds()) <= FRESH_INTERVALS * interval


class _Word(Enum):
    """What one source tells right now."""

    TELLS = auto()
    """It answered, or failed so few times that its last answer still counts."""
    UNREADABLE = auto()
    """Somebody answered, but refused us or made no sense."""
    PATIENT = auto()
    """Nobody answered, but not often enough to mean something."""
    SILENT = auto()
    """Nobody answered, again and again."""
    UNASKED = auto()
    """Something is missing on our side, so it could not be asked."""
    OLD = auto()
    """It was asked too long ago."""


_ABSENCE = (
    (_Word.UNREADABLE, "unreadable"),
    (_Word.PATIENT, "stale"),
    (_Word.SILENT, "silent"),
    (_Word.UNASKED, "unreadable"),
    (_Word.OLD, "stale"),
)
"""Why a router tells nothing: the first row with a word that one of its sources has."""


def _word(one: Known, now: datetime, interval: float) -> tuple[_Word, Measured | None]:
    """What a source tells, and what its router is judged from."""
    latest, good = one.latest, one.good
    if not is_fresh(latest, now, interval):
        return _Word.OLD, None
    if latest.measured:
        return _Word.TELLS, latest.measured
    if good and good.measured and one.failures < PATIENCE and is_fresh(good, now, interval):
        return _Word.TELLS, good.measured
    if latest.failure is Failure.SETUP:
        return _Word.UNASKED, None
    if latest.failure not in _SILENCE:
        return _Word.UNREADABLE, None
    return _Word.PATIENT if one.failures < PATIENCE else _Word.SILENT, None


@dataclass(frozen=True, slots=True)
class _Heard:
    """What the sources of one router tell right now."""

    router: Router
    interval: float
    """Seconds."""
    told: tuple[Measured, ...]
    """What it is judged from, in the order of its sources; what was told before a failure comes last."""
    failing: tuple[str, ...]
    """Sources that fail."""
    absent: Reason | None
    """Why there is nothing to judge from; None: there is."""
    in_vain: bool | None
    """Whether nobody answered the latest question of any source, be it for the first time; None: not asked lately."""
    answered: datetime | None
    """When it last answered, however long ago."""
    checked: datetime | None
    """When it was last asked."""

    @property
    def silent(self) -> bool:
        return self.absent is not None and self.absent.id == "silent"


def _hear(network: Network, router: Router, known: Mapping[tuple[str, str], Known], now: datetime) -> _Heard:
    interval = network.interval(router)
    sources = known_of(router, known)
    said = {source: _word(one, now, interval) for source, one in sources.items()}
    words = {source: word for source, (word, _) in said.items()}
    by_age = sorted(sources, key=lambda source: sources[source].failures > 0)
    asked = [one.latest for one in sources.values() if one.latest.failure is not Failure.SETUP]
    asked += [one.good for one in sources.values() if one.good]
    # Where the clock was set back, nobody knows when that was.
    asked = [reading for reading in asked if (reading.at - now).total_seconds() <= FRESH_INTERVALS * interval]
    ends = {sources[source].latest.failure for source, word in words.items() if word is not _Word.OLD}
    ends.discard(Failure.SETUP)
    return _Heard(
        router=router,
        interval=interval,
        told=tuple(measured for source in by_age if (measured := said[source][1])),
        failing=tuple(source for source, word in words.items() if word in (_Word.SILENT, _Word.UNREADABLE)),
        absent=_absence(words),
        in_vain=ends <= _SILENCE if ends else None,
        answered=max((reading.at for reading in asked if reading.failure not in _SILENCE), default=None),
        checked=max((reading.at for reading in asked), default=None),
    )


def _absence(words: Mapping[str, _Word]) -> Reason | None:
    """Why there is nothing to judge a router from. ``words``: source to what it tells."""
    if not words:
        return Reason(id="never-polled")
    if _Word.TELLS in words.values():
        return None
    word, id = next(row for row in _ABSENCE if row[0] in words.values())
    about = next(source for source, one in words.items() if one is word)
    return Reason(id=id, about=about if id == "unreadable" else "")


# ---------------------------------------------------------------- what is planned


class _Plans:
    """What hours say. Hours that nobody wrote, or that cannot be read, plan nothing."""

    def __init__(self, network: Network, now: datetime) -> None:
        self._calendar, self._now = network.calendar, now

    def off(self, id: str, text: str) -> Reason | None:
        """The reason with this id where hours say that it is off now, and until when."""
        hours = known_hours(text, self._calendar)
        if hours is None or hours.is_open(self._now) is not False:
            return None
        return Reason(id=id, until=hours.next_change(self._now))

    def was_off(self, text: str, seconds: float) -> bool:
        """Whether hours say that it was off so long ago, so that it may still be starting."""
        hours = known_hours(text, self._calendar)
        return hours is not None and hours.is_open(self._now - timedelta(seconds=seconds)) is False

    def are_known(self, text: str) -> bool:
        """Whether hours say anything about now."""
        hours = known_hours(text, self._calendar)
        return hours is not None and hours.is_open(self._now) is not None


def _wifi_hours(site: Site) -> str:
    """When the Wi-Fi of a place is on; empty: always."""
    return {"always": "", "opening-hours": site.opening_hours}.get(site.wifi_schedule, site.wifi_schedule)


def _grace(heard: _Heard) -> float:
    """Seconds that a router may take to come up after it was switched on as planned."""
    return min(PATIENCE * heard.interval, _LONGEST_GRACE)


@dataclass(frozen=True, slots=True)
class _Look:
    """Everything that is judged at one moment."""

    inventory: Inventory
    now: datetime
    last: Mapping[tuple[str, str], Flip]
    plans: _Plans

    def site(self, heard: _Heard) -> Site:
        return self.inventory.sites[heard.router.site]

    def was(self, router: str) -> State | None:
        """How a router was judged before."""
        flip = self.last.get(("router", router))
        return flip.after if flip else None

    def since(self, kind: str, name: str, state: State, changed: datetime) -> datetime | None:
        """Since when something has its state. ``changed``: when it took it, where nobody stored that yet."""
        flip = self.last.get((kind, name))
        if flip is None:
            return None
        return flip.at if flip.after is state else changed


# ---------------------------------------------------------------- routers


@dataclass(frozen=True, slots=True)
class _Judged:
    """What we make of one router, whether somebody works on it or not."""

    heard: _Heard
    state: State
    reasons: tuple[Reason, ...]
    internet: Internet | None = None
    """The evidence, its own or that of another router on the same way."""

    @property
    def name(self) -> str:
        return self.heard.router.name

    @property
    def is_maintained(self) -> bool:
        return self.heard.router.lifecycle is Lifecycle.MAINTENANCE

    @property
    def answers(self) -> bool:
        return self.heard.absent is None

    @property
    def serves_guests(self) -> bool:
        return self.heard.router.role in SERVES_GUESTS

    @property
    def has_wifi(self) -> bool:
        """Whether there is evidence of its Wi-Fi. Access points that work have it; a gateway may need none."""
        return self.serves_guests or any(measured.wifi for measured in self.heard.told)

    @property
    def is_usable(self) -> bool:
        return self.state in (State.UP, State.DEGRADED)

    @property
    def is_fine(self) -> bool:
        """Whether guests notice nothing. A source that fails is our trouble, not theirs."""
        return all(reason.id == "source-failing" for reason in self.reasons)


def _judge_routers(look: _Look, known: Mapping[tuple[str, str], Known]) -> dict[str, _Judged]:
    network, ways = look.inventory.network, _way_first(look.inventory.routers)
    heard = {router.name: _hear(network, router, known, look.now) for router in watched(look.inventory)}
    internet = _internet(look.inventory, heard, ways)
    present = {name: _judge_present(look, one, internet.get(name)) for name, one in heard.items() if one.absent is None}
    silence = _Silence(look, heard, present, ways)
    return {name: present.get(name) or silence.judge(one) for name, one in heard.items()}


def _way_first(routers: Mapping[str, Router]) -> list[str]:
    """The names of all routers, each one after the one it is behind."""
    ordered: dict[str, None] = {}
    for name in routers:
        way: dict[str, None] = {}
        step = name
        while step in routers and step not in ordered and step not in way:
            way[step] = None
            step = routers[step].behind or ""
        ordered.update(dict.fromkeys(reversed(way)))
    return list(ordered)


def _internet(inventory: Inventory, heard: Mapping[str, _Heard], ways: Sequence[str]) -> dict[str, Internet]:
    """Whether the internet is reachable through each router, as far as there is evidence.

    It is the router's own; or what got through it from a router behind it; or that of the next router on its way
    that has some. A mesh knows other ways, so what works through a mesh proves nothing about the router ahead.
    """
    own = {name: _first(measured.internet for measured in one.told) for name, one in heard.items()}
    found = {name: internet for name, internet in own.items() if internet}
    for name in reversed(ways):
        internet, ahead = found.get(name), _ahead(inventory, name)
        if ahead and internet and internet.works and internet.asked_from != "mesh":
            found.setdefault(ahead, internet)
    for name in ways:
        ahead = _ahead(inventory, name)
        if name not in found and ahead in found:
            found[name] = found[ahead]
    return found


def _ahead(inventory: Inventory, name: str) -> str:
    """The next router on the way to the internet: not one whose place names another uplink."""
    router = inventory.routers[name]
    ahead = inventory.routers.get(router.behind or "")
    if ahead is None:
        return ""
    here, there = inventory.sites[router.site].uplink, inventory.sites[ahead.site].uplink
    return ahead.name if all(there.get(kind, uplink) == uplink for kind, uplink in here.items()) else ""


def _judge_present(look: _Look, heard: _Heard, internet: Internet | None) -> _Judged:
    """A router that answers."""
    needs_wifi = heard.router.role in SERVES_GUESTS
    wifi = _first(measured.wifi for measured in heard.told) if needs_wifi else True
    down = [Reason(id="no-internet")] if internet and not internet.works else []
    unknown: list[Reason] = []
    if wifi is False:
        planned = _wifi_off(look, heard)
        (unknown if planned else down).append(planned or Reason(id="off-air"))
    elif wifi is None:
        unknown.append(Reason(id="wifi-unchecked"))
    elif internet is None:
        unknown.append(Reason(id="internet-unchecked"))
    partly = [Reason(id="radio-off", about=radio) for radio in _radios_off(heard.told) if needs_wifi]
    partly += [Reason(id="source-failing", about=source) for source in heard.failing]
    states = ((down, State.DOWN), (unknown, State.UNKNOWN), (partly, State.DEGRADED))
    state = next((state for reasons, state in states if reasons), State.UP)
    return _Judged(heard, state, (*down, *unknown, *partly), internet)


def _wifi_off(look: _Look, heard: _Heard) -> Reason | None:
    """The reason where the Wi-Fi is off by its schedule, or was until just now."""
    hours = _wifi_hours(look.site(heard))
    off = look.plans.off("wifi-scheduled-off", hours)
    return off or (Reason(id="wifi-scheduled-off") if look.plans.was_off(hours, _grace(heard)) else None)


def _radios_off(told: Sequence[Measured]) -> list[str]:
    """Radios that are off while another one is on."""
    radios = _first(measured.radios for measured in told) or ()
    return sorted(radio.name for radio in radios if radio.up is False and any(other.up for other in radios))


class _Silence:
    """What it means that routers do not answer: the way to them, our own line and planned power tell."""

    def __init__(
        self, look: _Look, heard: Mapping[str, _Heard], present: Mapping[str, _Judged], ways: Sequence[str]
    ) -> None:
        self._look, self._heard = look, heard
        self._ahead: dict[str, str] = {}
        """The nearest router on the way to each that was asked lately; empty: none."""
        self._blocked: dict[str, tuple[str, bool]] = {}
        """Who stands behind routers that do not answer: the one nearest to us, and whether one is surely silent."""
        for name in ways:
            self._follow(name, look.inventory.routers[name].behind or "")
        back = {name: look.since("router", name, one.state, look.now) for name, one in present.items()}
        self._back = {name: at for name, at in back.items() if at}
        """Since when routers that answer are as they are."""
        self._line_back = min(self._back.values(), default=None)
        """Since when at least somebody answers."""
        self._is_line = self._is_our_line()

    def _follow(self, name: str, behind: str) -> None:
        """One step of a way."""
        one = self._heard.get(behind)
        ahead = behind if one and one.in_vain is not None else self._ahead.get(behind, "")
        self._ahead[name] = ahead
        if ahead and self._heard[ahead].in_vain:
            top, is_sure = self._blocked.get(ahead, (ahead, False))
            self._blocked[name] = top, is_sure or self._heard[ahead].silent

    def _is_our_line(self) -> bool:
        """Whether many routers are silent, and nobody answered since. Those without power do not count."""
        vain = [one for one in self._heard.values() if one.in_vain and not self._power_off(one)]
        silent = [one for one in vain if one.silent]
        if not silent or len(vain) < LINE_ROUTERS or len({one.router.site for one in vain}) < LINE_SITES:
            return False
        last = max((one.answered for one in self._heard.values() if one.answered), default=None)
        # A router fell silent at most one interval after its last answer.
        return last is None or any(
            one.answered and (last - one.answered).total_seconds() <= one.interval for one in silent
        )

    def _power_off(self, heard: _Heard) -> Reason | None:
        """The reason where power is off as planned, or may be, since nobody wrote down when."""
        site = self._look.site(heard)
        if site.power != "switched":
            return None
        off = self._look.plans.off("power-off", site.power_hours)
        return off if off or self._look.plans.are_known(site.power_hours) else Reason(id="power-off")

    def judge(self, heard: _Heard) -> _Judged:
        """A router that does not answer."""
        reason = self._reason(heard)
        return _Judged(heard, State.DOWN if reason.id == "silent" else State.UNKNOWN, (reason,))

    def _reason(self, heard: _Heard) -> Reason:
        assert heard.absent
        name = heard.router.name
        if heard.absent.id == "unreadable":
            return heard.absent
        if off := self._power_off(heard):
            return off
        if not heard.silent:
            return heard.absent
        if self._is_line:
            return Reason(id="our-line")
        top, is_sure = self._blocked.get(name, ("", False))
        # A lost packet of a router ahead does not excuse one that was down before.
        if top and (is_sure or self._look.was(name) is not State.DOWN):
            return Reason(id="behind", about=top)
        return Reason(id="stale") if self._may_be_back(heard) else heard.absent

    def _may_be_back(self, heard: _Heard) -> bool:
        """Whether its power, or the way to it, has come back and it was not asked since."""
        if self._look.plans.was_off(self._look.site(heard).power_hours, _grace(heard)):
            return True
        ahead = self._ahead[heard.router.name]
        back = self._back.get(ahead) if ahead else self._line_back
        was_unknown = self._look.was(heard.router.name) is State.UNKNOWN
        return bool(was_unknown and back and heard.checked and heard.checked < back)


def _router_health(look: _Look, one: _Judged, blame: _Blame) -> Health:
    shown = Health(state=one.state, reasons=one.reasons, fault=blame.of_router(one))
    if one.is_maintained:
        shown = Health(state=State.MAINTENANCE, reasons=(Reason(id="maintenance"),), beneath=one.state)
    since = look.since("router", one.name, shown.state, _changed(look, one))
    return replace(shown, since=since, checked=one.heard.checked)


def _changed(look: _Look, one: _Judged) -> datetime:
    """When a router took its state: just now, unless it is because its last answer has become too old."""
    checked, limit = one.heard.checked, FRESH_INTERVALS * one.heard.interval
    if checked and one.reasons and one.reasons[0].id == "stale" and (look.now - checked).total_seconds() > limit:
        return checked + timedelta(seconds=limit)
    return look.now


# ---------------------------------------------------------------- places


def _site_health(look: _Look, site: Site, here: Sequence[_Judged], blame: _Blame) -> Health:
    """``here``: its watched routers, by name."""
    needed = [one for one in here if one.serves_guests] or here
    is_worked_on = bool(needed) and all(one.is_maintained for one in needed)
    routers = [one for one in here if is_worked_on or not one.is_maintained]
    shown = _together(routers, blame)
    changed = look.now
    if shown.state is State.UNKNOWN:
        changed = max((_changed(look, one) for one in routers), default=look.now)
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


def _closed(look: _Look, site: Site) -> tuple[Reason, ...]:
    """Why nobody expects Wi-Fi here now; empty: people do."""
    hours = (
        ("power-off", site.power_hours),
        ("outside-hours", site.opening_hours),
        ("wifi-scheduled-off", _wifi_hours(site)),
    )
    return tuple(reason for id, text in hours if (reason := look.plans.off(id, text)))


def _together(routers: Sequence[_Judged], blame: _Blame) -> Health:
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


def _each(wrong: Iterable[_Judged]) -> tuple[Reason, ...]:
    """Two reasons for each router: that it is this one, and what it has."""
    return tuple(reason for one in wrong for reason in (Reason(id="some-routers", about=one.name), one.reasons[0]))


def _all(routers: Iterable[_Judged]) -> tuple[Reason, ...]:
    """The first reason of each router, each reason once."""
    return tuple(sorted({one.reasons[0] for one in routers}, key=lambda reason: (_RANK[reason.id], reason.about)))


# ---------------------------------------------------------------- whose it is


class _Standing(Enum):
    """How a place stands in comparison with others."""

    ONLINE = auto()
    """Something reaches the internet."""
    OFFLINE = auto()
    """It answers, and the internet was checked and not reached."""
    ANSWERS = auto()
    """It answers; nobody checked the internet."""
    SILENT = auto()
    """Nothing answers, and not because of a router at another place or planned power."""


_BETTER = {
    _Standing.OFFLINE: frozenset({_Standing.ONLINE}),
    _Standing.SILENT: frozenset({_Standing.ONLINE, _Standing.OFFLINE, _Standing.ANSWERS}),
}
"""For each trouble: what a place does that does not have it."""
_WIDEST_FIRST = (Fault.CITY, Fault.GATEWAY, Fault.PROVIDER, Fault.HOUSE, Fault.ROUTER, Fault.UNKNOWN)


def _standing(here: Sequence[_Judged]) -> _Standing | None:
    if answering := [one for one in here if one.answers]:
        checked = [one.internet.works for one in answering if one.internet]
        return _Standing.ANSWERS if not checked else _Standing.ONLINE if any(checked) else _Standing.OFFLINE
    silent = any(one.state is State.DOWN and not one.is_maintained for one in here)
    return _Standing.SILENT if silent else None


class _Blame:
    """Whose a trouble is. Places that share a provider or a gateway are compared."""

    def __init__(self, sites: Mapping[str, Site], here: Mapping[str, Sequence[_Judged]]) -> None:
        self._sites = sites
        self._standings = {slug: standing for slug in sites if (standing := _standing(here[slug]))}
        self._counts: dict[tuple[str, str], Counter[_Standing]] = defaultdict(Counter)
        """(kind, uplink) to how the places behind it stand."""
        self._providers: dict[tuple[str, _Standing], set[str]] = defaultdict(set)
        """(gateway, standing) to the providers of its places that stand so."""
        for slug, standing in self._standings.items():
            uplink = sites[slug].uplink
            for kind, name in uplink.items():
                self._counts[kind, name][standing] += 1
            self._providers[uplink.get("gateway", ""), standing].add(uplink.get("provider", ""))
        self._all = Counter(self._standings.values())
        self._is_city = self._is_citywide()

    def of_router(self, one: _Judged) -> Fault | None:
        """Whose it is that a router is not up; None: it is, or nobody knows."""
        if one.state in (State.UP, State.UNKNOWN):
            return None
        slug, first = one.heard.router.site, one.reasons[0].id
        standing = self._standings.get(slug)
        if first == "no-internet" and one.internet and one.internet.asked_from == "mesh":
            return Fault.GATEWAY
        whole = {"silent": _Standing.SILENT, "no-internet": _Standing.OFFLINE}.get(first)
        return self._of_place(slug, whole) if whole and whole is standing else Fault.ROUTER

    def widest(self, routers: Sequence[_Judged]) -> Fault | None:
        """Of the faults of several routers the one that explains most."""
        faults = {self.of_router(one) for one in routers}
        return next((fault for fault in _WIDEST_FIRST if fault in faults), None)

    def _of_place(self, slug: str, trouble: _Standing) -> Fault:
        uplink = self._sites[slug].uplink
        provider, gateway = ("provider", uplink.get("provider", "")), ("gateway", uplink.get("gateway", ""))
        if self._is_city:
            return Fault.CITY
        if self._fails_whole(gateway, trouble) and len(self._providers[gateway[1], trouble]) > 1:
            return Fault.GATEWAY
        if self._fails_whole(provider, trouble) or trouble is _Standing.OFFLINE:
            return Fault.PROVIDER
        return Fault.HOUSE if self._better(self._counts[provider], trouble) else Fault.UNKNOWN

    def _better(self, counts: Counter[_Standing], trouble: _Standing) -> int:
        """How many places do not have this trouble."""
        return sum(counts[standing] for standing in _BETTER[trouble])

    def _fails_whole(self, uplink: tuple[str, str], trouble: _Standing) -> bool:
        """Whether all places behind an uplink have this trouble, and there are several."""
        counts = self._counts[uplink]
        if counts[trouble] < 2 or self._better(counts, trouble):
            return False
        # Where nobody answers anywhere, there is nothing to compare with.
        return trouble is not _Standing.SILENT or self._better(self._all, trouble) > 0

    def _is_citywide(self) -> bool:
        """Whether at least half of all places are in trouble, and no uplink that they share explains it."""
        troubled = [self._sites[slug].uplink for slug, standing in self._standings.items() if standing in _BETTER]

        def outside(kind: str) -> int:
            """How many of them are not behind the uplink that has most of them."""
            named = Counter(uplink[kind] for uplink in troubled if kind in uplink)
            return named.total() - max(named.values(), default=0)

        has_gateways = any("gateway" in uplink for uplink in troubled)
        is_shared = outside("provider") < 2 or (has_gateways and outside("gateway") < 2)
        return not is_shared and 2 * len(troubled) >= len(self._standings)
