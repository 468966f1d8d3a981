"""What the public may see of one place, ready to print: the page, ``.json``, ``.txt`` and ``site explain`` show this.

A :class:`SiteView` holds public facts only: rooms and never names of routers, bands of guests and never their number.
What came from outside is on one line and without invisible characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from wifimgr.errors import visible
from wifimgr.health import SERVES_GUESTS
from wifimgr.hours import Hours, known_hours
from wifimgr.model import Fault, Health, Lifecycle, Router, Site, State
from wifimgr.views.locale import LANGUAGES
from wifimgr.views.snapshot import Snapshot
from wifimgr.views.words import Speech

SCHEMA_VERSION = 1
"""Of the JSON; grows when a key changes its meaning or goes."""

BANDS = ((5, "<5"), (10, "5-9"), (20, "10-19"), (50, "20-49"))
"""Numbers below the first are shown as the second; the rest is ``50+``."""
MOST_WORDS = 12
"""A sentence that would be longer counts the spots instead of naming them."""
OUTSIDE = {"square"}
"""Kinds of places without walls, and without anybody who could look after a plug."""
PLANNED = {"power-off", "outside-hours", "wifi-scheduled-off"}
"""Reasons why something is off on purpose: that is not "we do not know"."""
NEAR = {Fault.HOUSE, Fault.ROUTER}
"""Faults that people in the house can reach with their hands."""
NOBODY_TO_BLAME = {State.UP, State.PAUSED, State.MAINTENANCE}
"""States in which nobody asks whose fault it is."""
WORKING = (State.UP, State.DEGRADED)
WORST_OF_A_ROOM = (State.DOWN, State.UNKNOWN, State.MAINTENANCE, State.PAUSED, State.CLOSED, State.DEGRADED, State.UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomView:
    """One room, or one spot of a square."""

    name: str
    state: State
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactView:
    """Whom to call. ``number`` is the phone number as a phone dials it."""

    name: str
    phone: str
    number: str
    email: str
    hours: str
    """When somebody answers, in words."""
    answers: bool | None
    """Whether somebody answers right now; None: not known."""
    answers_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteView:
    """One place as everybody may see it, in one language. Times are on the clock of the place."""

    slug: str
    language: str
    name: str
    kind: str
    district: str
    address: str
    state: State
    word: str
    sentence: str
    beneath: str
    """What a closed place would be otherwise, as a sentence; empty: nothing to say."""
    since: datetime | None
    since_text: str
    checked: datetime | None
    checked_text: str
    fault: Fault | None
    fault_text: str
    steps: tuple[str, ...]
    """What people in the house can try, in this order."""
    advice: str
    contacts: tuple[ContactView, ...]
    rooms: tuple[RoomView, ...]
    guests: str | None
    """A band out of :data:`BANDS`; None: nothing is told."""
    guests_text: str
    network_names: tuple[str, ...]
    filter_text: str
    """Which filter applies to what guests can reach, as a sentence; empty: none."""
    hours: str
    """When the place is open, in words."""

    @property
    def outside(self) -> bool:
        """Whether the place has spots and no rooms."""
        return self.kind in OUTSIDE


def view_of(snapshot: Snapshot, slug: str, language: str) -> SiteView | None:
    """One place in one of the languages of the page; None where there is none that the public may see."""
    site = snapshot.inventory.sites.get(slug)
    if site is None or not is_shown(site):
        return None
    speech = Speech(language, ZoneInfo(snapshot.inventory.network.file.timezone), snapshot.at)
    return _view(snapshot, site, speech)


def is_shown(site: Site) -> bool:
    """Whether a place is on the page: it is public, and it is there."""
    return site.public and site.lifecycle in (Lifecycle.ACTIVE, Lifecycle.MAINTENANCE)


def site_json(view: SiteView) -> dict[str, Any]:
    """A place as JSON has it."""
    times = {key: value and value.isoformat() for key, value in (("since", view.since), ("checked", view.checked))}
    return {"schema_version": SCHEMA_VERSION, **asdict(view), **times}


def site_text(view: SiteView) -> str:
    """A place as plain text for people, one fact a line: what the page says, to be read out on the phone."""
    text = LANGUAGES[view.language]
    steps = (f"{number}. {step}" for number, step in enumerate(view.steps, start=1))
    calls = (
        " · ".join(filter(None, (contact.name, contact.phone, contact.email, contact.hours, contact.answers_text)))
        for contact in view.contacts
    )
    rooms = (f"{room.name}: {room.word}" for room in view.rooms)
    parts = (
        (view.name, [view.sentence, view.beneath, view.since_text, view.checked_text]),
        (text["head.fault"], [view.fault_text, *steps, view.advice]),
        (text["head.call"], calls),
        (text["head.rooms.outside" if view.outside else "head.rooms"], rooms),
        (text["head.guests"], [view.guests_text]),
        (text["connect.short"], [*view.network_names, view.filter_text]),
        (text["head.hours"], [view.hours]),
        (text["head.place"], [", ".join(filter(None, (view.address, view.district)))]),
    )
    blocks = ((head, [line for line in lines if line]) for head, lines in parts)
    return "\n\n".join("\n".join([head, *lines]) for head, lines in blocks if lines) + "\n"


# ---------------------------------------------------------------- state


def _view(snapshot: Snapshot, site: Site, speech: Speech) -> SiteView:
    health = _for_guests(snapshot.verdict.sites.get(site.slug) or _unjudged(site))
    healths = snapshot.verdict.routers
    routers = [snapshot.inventory.routers[name] for name in site.routers if name in healths]
    rooms = tuple(_rooms(routers, healths, speech))
    contacts = tuple(_contacts(snapshot, site, speech))
    fault_text, steps, advice = _fault(site, health, rooms, routers, speech)
    guests = _guests(snapshot, site, health, routers)
    return SiteView(
        slug=site.slug,
        language=speech.language,
        name=visible(site.name),
        kind=site.kind,
        district=visible(site.district),
        address=visible(site.address),
        state=health.state,
        word=speech.about("word", health.state, health.reasons),
        sentence=_sentence(health, routers, healths, rooms, speech),
        beneath=_beneath(health, speech),
        since=health.since and health.since.astimezone(speech.zone),
        since_text=_since(health, speech),
        checked=health.checked and health.checked.astimezone(speech.zone),
        checked_text=speech.checked(health.checked),
        fault=health.fault if fault_text else None,
        fault_text=fault_text,
        steps=steps,
        advice=advice or (speech("do.call") if steps and contacts else ""),
        contacts=contacts,
        rooms=rooms,
        guests=guests,
        guests_text=speech(f"guests.{guests}") if guests else "",
        network_names=_network_names(snapshot, routers),
        filter_text=_filter(snapshot, site, speech),
        hours=visible(hours.describe(speech.language)) if (hours := _hours(site.opening_hours, snapshot)) else "",
    )


def _unjudged(site: Site) -> Health:
    return Health(state=State.MAINTENANCE if site.lifecycle is Lifecycle.MAINTENANCE else State.UNKNOWN)


def _for_guests(health: Health) -> Health:
    """A health as it is for guests: off on purpose is no riddle, and a source that fails is our trouble alone."""
    ids = {reason.id for reason in health.reasons}
    if health.state is State.UNKNOWN and ids and ids <= PLANNED:
        return replace(health, state=State.CLOSED)
    if health.state is State.DEGRADED and ids == {"source-failing"}:
        return replace(health, state=State.UP)
    return health


def _sentence(
    health: Health, routers: Sequence[Router], healths: Mapping[str, Health], rooms: Iterable[RoomView], speech: Speech
) -> str:
    states = {router.name: healths[router.name].state for router in routers}
    if health.state is not State.DEGRADED or not set(states.values()) & {State.DOWN, State.UNKNOWN}:
        return speech.about("say", health.state, health.reasons)
    serving = [router for router in routers if router.role in SERVES_GUESTS]
    if not any(states[router.name] is State.DOWN for router in serving):
        return speech("say.degraded.device" if State.DOWN in states.values() else "say.degraded.unsure")
    names = {visible(router.room) for router in serving}
    spots = [room for room in rooms if room.name in names]
    dead = [room.name for room in spots if room.state is State.DOWN]
    if not dead:
        return speech("say.degraded")
    named = speech("say.degraded.here", places="; ".join(dead))
    if len(named.split()) <= MOST_WORDS:
        return named
    return speech("say.degraded.count", working=sum(room.state in WORKING for room in spots), all=len(spots))


def _beneath(health: Health, speech: Speech) -> str:
    """What the Wi-Fi of a closed place does; nothing where there is no power anyway."""
    ids = {reason.id for reason in health.reasons}
    if health.state is not State.CLOSED or health.beneath is None or "power-off" in ids:
        return ""
    if "wifi-scheduled-off" not in ids:
        return speech(f"beneath.{health.beneath}")
    return speech("beneath.scheduled-off") if "outside-hours" in ids else ""


def _since(health: Health, speech: Speech) -> str:
    if health.since is None or health.state is State.CLOSED:
        return ""
    return speech("since", when=speech.moment(health.since, "since"))


def _rooms(routers: Iterable[Router], healths: Mapping[str, Health], speech: Speech) -> Iterator[RoomView]:
    """The rooms in the order of the inventory. A room where only some routers work is working in part."""
    rooms: dict[str, list[Health]] = {}
    for router in routers:
        if router.room:
            rooms.setdefault(visible(router.room), []).append(_for_guests(healths[router.name]))
    for name, there in rooms.items():
        worst = min(there, key=lambda health: WORST_OF_A_ROOM.index(health.state))
        mixed = any(health.state in WORKING for health in there) and worst.state not in WORKING
        health = Health(state=State.DEGRADED) if mixed else worst
        yield RoomView(name=name, state=health.state, word=speech.about("word", health.state, health.reasons))


# ---------------------------------------------------------------- whose it is, and what to do


def _fault(
    site: Site, health: Health, rooms: Iterable[RoomView], routers: Iterable[Router], speech: Speech
) -> tuple[str, tuple[str, ...], str]:
    """Whose fault it is, steps to try, and what else to say about it; empty where nobody asks."""
    if health.fault is None or health.state in NOBODY_TO_BLAME:
        return "", (), ""
    outside = site.kind in OUTSIDE
    text = speech("fault.house.outside" if outside and health.fault is Fault.HOUSE else f"fault.{health.fault}")
    if health.fault is Fault.UNKNOWN:
        return text, (), ""
    silent = any(reason.id == "silent" for reason in health.reasons)
    if outside or not silent or health.fault not in NEAR:
        return text, (), speech("do.nothing")
    if health.fault is Fault.HOUSE:
        here = [visible(router.room) for router in routers if router.role == "gateway" and router.room]
    else:
        here = [room.name for room in rooms if room.state is State.DOWN]
    plug = speech("do.plug.here", places="; ".join(here)) if here else speech("do.plug")
    return text, (plug, speech("do.lamp"), speech("do.wait")), ""


def _contacts(snapshot: Snapshot, site: Site, speech: Speech) -> Iterator[ContactView]:
    """The network's public contact, then the public ones of the place."""
    office = snapshot.inventory.network.file.contact.public
    for contact in [*([office] if office else ()), *(contact for contact in site.contacts if contact.public)]:
        hours = _hours(contact.hours or "", snapshot)
        answers = hours.is_open(snapshot.at) if hours else None
        again = hours.next_change(snapshot.at) if hours and answers is False else None
        texts = {
            True: speech("call.now"),
            False: speech("call.later.until", at=speech.moment(again, "at")) if again else speech("call.later"),
            None: "",
        }
        yield ContactView(
            name=visible(contact.name),
            phone=visible(contact.phone or ""),
            number=_number(contact.phone or ""),
            email=visible(contact.email or ""),
            hours=visible(hours.describe(speech.language)) if hours else "",
            answers=answers,
            answers_text=texts[answers],
        )


def _number(phone: str) -> str:
    """A phone number as a phone dials it: ``+49 (0)221 4710-115`` is ``+492214710115``. Empty: it is none."""
    sign = "+" if phone.strip().startswith("+") else ""
    digits = re.sub("[^0-9]", "", phone.replace("(0)", "") if sign else phone)
    return sign + digits if digits else ""


def _hours(text: str, snapshot: Snapshot) -> Hours | None:
    return known_hours(text, snapshot.inventory.network.calendar)


# ---------------------------------------------------------------- Wi-Fi and guests


def _guests(snapshot: Snapshot, site: Site, health: Health, routers: Iterable[Router]) -> str | None:
    """The band of how many guests there are: only while the place is open, and only when every router tells."""
    hours = _hours(site.opening_hours, snapshot)
    if not site.show_guests or health.state not in WORKING or not (hours and hours.is_open(snapshot.at)):
        return None
    counts = [_count(snapshot, router) for router in routers]
    told = [count for count in counts if count is not None]
    return band(sum(told)) if told and len(told) == len(counts) else None


def _count(snapshot: Snapshot, router: Router) -> int | None:
    """How many are connected to one router; a gateway that works and has no Wi-Fi serves none."""
    measured = snapshot.measured(router)
    works = snapshot.verdict.routers[router.name].state in WORKING
    if measured.clients is None and works and router.role not in SERVES_GUESTS and not measured.wifi:
        return 0
    return measured.clients


def band(count: int) -> str:
    """A number of people as the public may know it."""
    return next((name for below, name in BANDS if count < below), "50+")


def _filter(snapshot: Snapshot, site: Site, speech: Speech) -> str:
    profile = snapshot.inventory.network.file.dns_profiles.get(site.dns_profile)
    return speech("filter", name=visible(profile.name)) if profile else ""


def _network_names(snapshot: Snapshot, routers: Iterable[Router]) -> tuple[str, ...]:
    """How the network is called: as it is on the air, those first that the inventory wishes; else as it should be."""
    wished = [name for router in routers if isinstance(name := router.vars.get("ssid"), str)]
    radios = (radio for router in routers for radio in snapshot.measured(router).radios if radio.up is not False)
    on_air = [name for radio in radios for name in radio.ssids if name]
    names = [name for name in wished if name in on_air] or on_air or wished
    return tuple(dict.fromkeys(map(visible, names)))
