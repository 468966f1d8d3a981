"""The rules for one router: from what its sources tell, hours, and the routers on our way to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from wifimgr.health.heard import FRESH_INTERVALS, PATIENCE, Heard, first, hear
from wifimgr.hours import known_hours
from wifimgr.inventory import Inventory
from wifimgr.model import Flip, Internet, Known, Lifecycle, Measured, Reason, Router, Site, State
from wifimgr.settings import Network

LINE_ROUTERS, LINE_SITES = 3, 2
"""When so many routers of so many places fall silent together, it is probably our own line."""
SERVES_GUESTS = frozenset({"access-point", "mesh-node"})
"""Roles that need Wi-Fi. A gateway or a switch needs none, but may have some, too."""

WATCHED = frozenset({Lifecycle.ACTIVE, Lifecycle.MAINTENANCE})
"""What is polled and judged."""
_LONGEST_GRACE = 3600.0
"""Seconds that a router may take at most to come up after it was switched on as planned."""


def watched(inventory: Inventory) -> list[Router]:
    """The routers that are polled: ``active`` or in ``maintenance``, with at least one source."""
    return [router for router in inventory.routers.values() if router.lifecycle in WATCHED and router.sources]


# ---------------------------------------------------------------- what is planned


class Plans:
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


def wifi_hours(site: Site) -> str:
    """When the Wi-Fi of a place is on; empty: always."""
    return {"always": "", "opening-hours": site.opening_hours}.get(site.wifi_schedule, site.wifi_schedule)


def _grace(heard: Heard) -> float:
    """Seconds that a router may take to come up after it was switched on as planned."""
    return min(PATIENCE * heard.interval, _LONGEST_GRACE)


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that is judged at one moment."""

    inventory: Inventory
    now: datetime
    last: Mapping[tuple[str, str], Flip]
    plans: Plans

    def site(self, heard: Heard) -> Site:
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
class Judged:
    """What we make of one router, whether somebody works on it or not."""

    heard: Heard
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


def judge_routers(look: Look, known: Mapping[tuple[str, str], Known]) -> dict[str, Judged]:
    """Every watched router by name, each on its own and by the way to it."""
    network, ways = look.inventory.network, _way_first(look.inventory.routers)
    heard = {router.name: hear(network, router, known, look.now) for router in watched(look.inventory)}
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


def _internet(inventory: Inventory, heard: Mapping[str, Heard], ways: Sequence[str]) -> dict[str, Internet]:
    """Whether the internet is reachable through each router, as far as there is evidence.

    It is the router's own; or what got through it from a router behind it; or that of the next router on its way
    that has some. A mesh knows other ways, so what works through a mesh proves nothing about the router ahead.
    """
    own = {name: first(measured.internet for measured in one.told) for name, one in heard.items()}
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


def _judge_present(look: Look, heard: Heard, internet: Internet | None) -> Judged:
    """A router that answers."""
    needs_wifi = heard.router.role in SERVES_GUESTS
    wifi = first(measured.wifi for measured in heard.told) if needs_wifi else True
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
    return Judged(heard, state, (*down, *unknown, *partly), internet)


def _wifi_off(look: Look, heard: Heard) -> Reason | None:
    """The reason where the Wi-Fi is off by its schedule, or was until just now."""
    hours = wifi_hours(look.site(heard))
    off = look.plans.off("wifi-scheduled-off", hours)
    return off or (Reason(id="wifi-scheduled-off") if look.plans.was_off(hours, _grace(heard)) else None)


def _radios_off(told: Sequence[Measured]) -> list[str]:
    """Radios that are off while another one is on."""
    radios = first(measured.radios for measured in told) or ()
    return sorted(radio.name for radio in radios if radio.up is False and any(other.up for other in radios))


class _Silence:
    """What it means that routers do not answer: the way to them, our own line and planned power tell."""

    def __init__(
        self, look: Look, heard: Mapping[str, Heard], present: Mapping[str, Judged], ways: Sequence[str]
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

    def _power_off(self, heard: Heard) -> Reason | None:
        """The reason where power is off as planned, or may be, since nobody wrote down when."""
        site = self._look.site(heard)
        if site.power != "switched":
            return None
        off = self._look.plans.off("power-off", site.power_hours)
        return off if off or self._look.plans.are_known(site.power_hours) else Reason(id="power-off")

    def judge(self, heard: Heard) -> Judged:
        """A router that does not answer."""
        reason = self._reason(heard)
        return Judged(heard, State.DOWN if reason.id == "silent" else State.UNKNOWN, (reason,))

    def _reason(self, heard: Heard) -> Reason:
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

    def _may_be_back(self, heard: Heard) -> bool:
        """Whether its power, or the way to it, has come back and it was not asked since."""
        if self._look.plans.was_off(self._look.site(heard).power_hours, _grace(heard)):
            return True
        ahead = self._ahead[heard.router.name]
        back = self._back.get(ahead) if ahead else self._line_back
        was_unknown = self._look.was(heard.router.name) is State.UNKNOWN
        return bool(was_unknown and back and heard.checked and heard.checked < back)


def changed_at(look: Look, one: Judged) -> datetime:
    """When a router took its state: just now, unless it is because its last answer has become too old."""
    checked, limit = one.heard.checked, FRESH_INTERVALS * one.heard.interval
    if checked and one.reasons and one.reasons[0].id == "stale" and (look.now - checked).total_seconds() > limit:
        return checked + timedelta(seconds=limit)
    return look.now
