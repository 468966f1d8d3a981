"""Judging health: each rule with an example that a person can follow, and what holds whatever is known."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.networks import write
from wifimgr.health import FRESH_INTERVALS, PATIENCE, REASONS, Verdict, flips, judge, merged, watched
from wifimgr.inventory import Inventory, load
from wifimgr.model import (
    Failure,
    Fault,
    Flip,
    Health,
    Interface,
    Internet,
    Known,
    Measured,
    Radio,
    Reading,
    Reason,
    State,
)

NOW = datetime(2026, 6, 16, 13, 30, tzinfo=UTC)
"""A Tuesday, half past three in Duisburg."""
INTERVAL = 60.0
TOO_OLD = FRESH_INTERVALS * INTERVAL + 1
NETWORK = """\
name: Testnetz
operators: {city: {name: Stadt, manage: push}}
uplinks:
  line-a: {kind: provider, name: Anbieter A}
  line-b: {kind: provider, name: Anbieter B}
  line-c: {kind: provider, name: Anbieter C}
  tunnel-1: {kind: gateway, name: Gateway 1}
  tunnel-2: {kind: gateway, name: Gateway 2}
  tunnel-3: {kind: gateway, name: Gateway 3}
defaults: {operator: city, platform: openwrt, role: access-point, sources: [snmp, ubus, map], interval: 60s}
"""
OFF_NOW, ON_NOW, ON_SINCE_A_MINUTE = "Mo-Su 20:00-06:00", "Mo-Su 06:00-20:00", "Mo-Su 15:29-20:00"
TONIGHT = datetime(2026, 6, 16, 18, 0, tzinfo=UTC)
"""When what is off now is on again."""

GUESTS_REACH_IT = Internet(works=True, asked_from="guest")
GUESTS_DO_NOT = Internet(works=False, asked_from="guest", why="no DNS")
MESH_REACHES_IT = Internet(works=True, asked_from="mesh")
MESH_DOES_NOT = Internet(works=False, asked_from="mesh")


def place(*routers: str, **keys: str) -> str:
    """The file of a place. A router is its name, or its name and keys: ``ap behind: gw, lifecycle: planned``."""
    lines = [f"{key}: {value}" for key, value in ({"name": "Ort", "kind": "youth-center"} | keys).items()]
    lines.append("routers:" if routers else "routers: {}")
    for router in routers:
        name, _, more = router.partition(" ")
        lines.append(f"  {name}: {{addresses: [{name}.example.org]{', ' if more else ''}{more}}}")
    return "\n".join(lines) + "\n"


def house(name: str, provider: str = "", gateway: str = "", **keys: str) -> str:
    """A place with a gateway, ``NAME-gw``, and two access points behind it, ``NAME-ap`` and ``NAME-ap2``."""
    uplinks = {"provider": provider, "gateway": gateway}
    uplink = ", ".join(f"{kind}: {uplink}" for kind, uplink in uplinks.items() if uplink)
    access_points = [f"{name}-{ap} behind: {name}-gw" for ap in ("ap", "ap2")]
    return place(f"{name}-gw role: gateway", *access_points, uplink=f"{{{uplink}}}", **keys)


@dataclass
class World:
    """An inventory, and what is known of its routers at ``now``. All times are seconds ago."""

    inventory: Inventory
    known: dict[tuple[str, str], Known] = field(default_factory=dict)
    last: dict[tuple[str, str], Flip] = field(default_factory=dict)
    now: datetime = NOW

    def _ago(self, seconds: float) -> datetime:
        return self.now - timedelta(seconds=seconds)

    def tells(self, router: str, source: str = "ubus", ago: float = 10, **measured: object) -> None:
        """A source answers."""
        told = Measured(**measured)  # type: ignore[arg-type]
        reading = Reading(router=router, source=source, at=self._ago(ago), took=0.1, measured=told)
        self.known[router, source] = Known(latest=reading, good=reading, failures=0, polls=9, failed={})

    def fails(
        self,
        router: str,
        source: str = "ubus",
        times: int = PATIENCE,
        failure: Failure = Failure.TIMEOUT,
        ago: float = 10,
    ) -> None:
        """A source fails so many times in a row, once in each interval. What it told before that stays known."""
        good = self.known[router, source].good if (router, source) in self.known else None
        good = good and replace(good, at=self._ago(ago + times * INTERVAL))
        latest = Reading(router=router, source=source, at=self._ago(ago), took=1, failure=failure)
        self.known[router, source] = Known(
            latest=latest, good=good, failures=times, polls=times, failed={failure: times}
        )

    def works(self, *routers: str, internet: Internet = GUESTS_REACH_IT, ago: float = 10) -> None:
        """Routers are on the air, and the internet is reachable through them. Without names: all that are watched."""
        for name in routers or [router.name for router in watched(self.inventory)]:
            self.tells(name, ago=ago, wifi=True, internet=internet)

    def was(self, kind: str, name: str, state: State, ago: float = 3600) -> None:
        """The last flip that is stored."""
        self.last[kind, name] = Flip(at=self._ago(ago), kind=kind, name=name, before=None, after=state)

    def verdict(self) -> Verdict:
        return judge(self.inventory, self.known, self.now, self.last)

    def router(self, name: str) -> Health:
        return self.verdict().routers[name]

    def site(self, slug: str) -> Health:
        return self.verdict().sites[slug]


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., World]:
    """Makes a world of places: slug to file."""
    return lambda **sites: World(load(write(tmp_path, NETWORK, **sites)))


@pytest.fixture
def one(make: Callable[..., World]) -> World:
    """One place with one access point, ``ap``."""
    return make(haus=place("ap"))


@pytest.fixture
def haus(make: Callable[..., World]) -> World:
    """One place: ``haus-gw``, and behind it ``haus-ap`` and ``haus-ap2``. All of them work."""
    world = make(haus=house("haus"))
    world.works()
    return world


def said(health: Health) -> str:
    """A health in short: ``down: silent``, ``unknown: behind gw``."""
    return f"{health.state}: {', '.join(f'{reason.id} {reason.about}'.strip() for reason in health.reasons)}".strip(
        ": "
    )


# ---------------------------------------------------------------- a router that answers


def test_a_router_on_the_air_with_internet_is_up(one: World) -> None:
    one.works("ap")
    assert said(one.router("ap")) == "up"


def test_on_the_air_is_not_the_internet(one: World) -> None:
    one.tells("ap", wifi=True)
    assert said(one.router("ap")) == "unknown: internet-unchecked"


def test_a_router_without_internet_is_down(one: World) -> None:
    one.works("ap", internet=GUESTS_DO_NOT)
    assert said(one.router("ap")) == "down: no-internet"


def test_a_router_off_the_air_is_down(one: World) -> None:
    one.tells("ap", wifi=False, internet=GUESTS_REACH_IT)
    assert said(one.router("ap")) == "down: off-air"


def test_a_router_whose_wifi_nobody_sees_is_unknown(one: World) -> None:
    one.tells("ap", internet=GUESTS_REACH_IT)
    assert said(one.router("ap")) == "unknown: wifi-unchecked"


@pytest.mark.parametrize("role", ["gateway", "switch"])
@pytest.mark.parametrize("wifi", [None, False, True])
def test_a_gateway_and_a_switch_need_no_wifi(make: Callable[..., World], role: str, wifi: bool | None) -> None:
    world = make(haus=place(f"box role: {role}"))
    world.tells(
        "box", wifi=wifi, radios=(Radio(name="a", up=True), Radio(name="b", up=False)), internet=GUESTS_REACH_IT
    )
    assert said(world.router("box")) == "up"


def test_a_radio_that_is_off_beside_another_one_is_degraded(one: World) -> None:
    radios = (Radio(name="radio0", up=True), Radio(name="radio1", up=False), Radio(name="radio2"))
    one.tells("ap", wifi=True, radios=radios, internet=GUESTS_REACH_IT)
    assert said(one.router("ap")) == "degraded: radio-off radio1"


def test_radios_that_are_off_together_are_one_reason(one: World) -> None:
    radios = (Radio(name="radio0", up=False), Radio(name="radio1", up=False))
    one.tells("ap", wifi=False, radios=radios, internet=GUESTS_REACH_IT)
    assert said(one.router("ap")) == "down: off-air"


def test_a_source_that_fails_beside_another_one_is_degraded(one: World) -> None:
    one.works("ap")
    one.fails("ap", "snmp")
    assert said(one.router("ap")) == "degraded: source-failing snmp"


def test_several_reasons_stand_together_the_most_important_first(one: World) -> None:
    radios = (Radio(name="radio0", up=True), Radio(name="radio1", up=False))
    one.tells("ap", wifi=False, radios=radios, internet=GUESTS_DO_NOT)
    one.fails("ap", "snmp")
    assert said(one.router("ap")) == "down: no-internet, off-air, radio-off radio1, source-failing snmp"


def test_the_first_source_of_the_inventory_that_tells_counts(one: World) -> None:
    one.tells("ap", "ubus", wifi=False, internet=GUESTS_DO_NOT)
    one.tells("ap", "snmp", wifi=True)
    assert said(one.router("ap")) == "down: no-internet"
    one.tells("ap", "snmp", wifi=True, internet=GUESTS_REACH_IT)
    assert said(one.router("ap")) == "up"


def test_what_comes_from_a_source_that_the_inventory_does_not_name_is_nothing(one: World) -> None:
    one.tells("ap", "respondd", wifi=True, internet=GUESTS_REACH_IT)
    assert said(one.router("ap")) == "unknown: never-polled"


@pytest.mark.parametrize("hours", [OFF_NOW, ON_SINCE_A_MINUTE])
def test_wifi_off_by_its_schedule_is_not_down_also_while_it_is_starting(make: Callable[..., World], hours: str) -> None:
    world = make(haus=place("ap", wifi=f'{{schedule: "{hours}"}}'))
    world.tells("ap", wifi=False, internet=GUESTS_REACH_IT)
    assert said(world.router("ap")) == "unknown: wifi-scheduled-off"
    assert world.router("ap").reasons[0].until == (TONIGHT if hours == OFF_NOW else None)


def test_wifi_off_although_its_schedule_says_on_is_down(make: Callable[..., World]) -> None:
    world = make(haus=place("ap", wifi=f'{{schedule: "{ON_NOW}"}}'))
    world.tells("ap", wifi=False, internet=GUESTS_REACH_IT)
    assert said(world.router("ap")) == "down: off-air"


def test_wifi_on_although_its_schedule_says_off_is_up(make: Callable[..., World]) -> None:
    world = make(haus=place("ap", wifi=f'{{schedule: "{OFF_NOW}"}}'))
    world.works("ap")
    assert said(world.router("ap")) == "up"


def test_a_router_in_maintenance_says_what_it_would_be(make: Callable[..., World]) -> None:
    world = make(haus=place("ap lifecycle: maintenance"))
    world.fails("ap")
    health = world.router("ap")
    assert (said(health), health.beneath, health.fault) == ("maintenance: maintenance", State.DOWN, None)


def test_only_routers_in_use_that_have_a_source_are_watched(make: Callable[..., World]) -> None:
    world = make(
        haus=place("a", "b lifecycle: maintenance", "c lifecycle: planned", "d lifecycle: retired", "e sources: []")
    )
    assert [router.name for router in watched(world.inventory)] == ["a", "b"]
    assert list(world.verdict().routers) == ["a", "b"]


# ---------------------------------------------------------------- a router that does not answer


def test_a_router_that_no_source_reaches_is_down(one: World) -> None:
    one.works("ap")
    one.tells("ap", "snmp")
    one.fails("ap", "ubus", failure=Failure.REFUSED)
    one.fails("ap", "snmp", times=7)
    assert said(one.router("ap")) == "down: silent"


def test_one_lost_packet_is_no_news(one: World) -> None:
    one.works("ap")
    one.fails("ap", times=1)
    assert said(one.router("ap")) == "up"


def test_one_failure_after_an_answer_that_is_too_old_is_not_down_yet(one: World) -> None:
    one.works("ap")
    one.fails("ap", times=1)
    known = one.known["ap", "ubus"]
    assert known.good
    one.known["ap", "ubus"] = replace(known, good=replace(known.good, at=NOW - timedelta(seconds=TOO_OLD)))
    assert said(one.router("ap")) == "unknown: stale"


def test_one_failure_of_a_router_that_never_answered_is_not_down_yet(one: World) -> None:
    one.fails("ap", times=1)
    assert said(one.router("ap")) == "unknown: stale"
    one.fails("ap", times=2)
    assert said(one.router("ap")) == "down: silent"


def test_a_router_that_nobody_polled_is_unknown(one: World) -> None:
    assert said(one.router("ap")) == "unknown: never-polled"
    assert one.router("ap").checked is None


@pytest.mark.parametrize("ago", [TOO_OLD, -TOO_OLD])
@pytest.mark.parametrize("how", ["works", "fails"])
def test_what_is_too_old_or_from_the_future_tells_nothing(one: World, how: str, ago: float) -> None:
    getattr(one, how)("ap", ago=ago)
    assert said(one.router("ap")) == "unknown: stale"


def test_freshness_is_measured_in_intervals_of_the_router(make: Callable[..., World]) -> None:
    world = make(haus=place("fast interval: 10s", "slow interval: 5m"))
    world.works("fast", "slow", ago=60)
    assert {name: said(health) for name, health in world.verdict().routers.items()} == {
        "fast": "unknown: stale",
        "slow": "up",
    }


def test_a_source_that_is_not_asked_any_more_does_not_hide_that_the_others_are_silent(one: World) -> None:
    one.works("ap", ago=TOO_OLD)
    one.fails("ap", "snmp")
    assert said(one.router("ap")) == "down: silent"


@pytest.mark.parametrize("failure", [Failure.AUTH, Failure.ANSWER, Failure.SETUP])
def test_an_answer_that_cannot_be_read_is_no_silence(one: World, failure: Failure) -> None:
    one.fails("ap", failure=failure)
    assert said(one.router("ap")) == "unknown: unreadable ubus"


@pytest.mark.parametrize(
    ("failure", "expected"),
    [(Failure.AUTH, "unknown: unreadable ubus"), (Failure.SETUP, "down: silent")],
    ids=["somebody refused us", "we could not ask"],
)
def test_silence_counts_unless_somebody_answered(one: World, failure: Failure, expected: str) -> None:
    one.fails("ap", "snmp")
    one.fails("ap", "ubus", failure=failure)
    assert said(one.router("ap")) == expected


def test_a_source_that_we_cannot_ask_does_no_harm_beside_another_one(one: World) -> None:
    one.works("ap")
    one.fails("ap", "snmp", failure=Failure.SETUP)
    assert said(one.router("ap")) == "up"


# ---------------------------------------------------------------- whether the internet is reachable through it


def test_an_access_point_takes_the_internet_evidence_of_the_router_ahead(haus: World) -> None:
    haus.tells("haus-ap", wifi=True)
    assert said(haus.router("haus-ap")) == "up"
    haus.works("haus-gw", internet=GUESTS_DO_NOT)
    assert said(haus.router("haus-ap")) == "down: no-internet"


def test_its_own_evidence_counts_more(haus: World) -> None:
    haus.works("haus-gw", internet=GUESTS_DO_NOT)
    assert said(haus.router("haus-ap")) == "up"


def test_the_nearest_evidence_on_the_way_counts(make: Callable[..., World]) -> None:
    world = make(haus=place("far behind: middle", "middle behind: near", "near behind: gw", "gw role: gateway"))
    for name in ("far", "middle", "near", "gw"):
        world.tells(name, wifi=True)
    world.works("gw")
    assert said(world.router("far")) == "up"
    world.works("near", internet=GUESTS_DO_NOT)
    assert said(world.router("far")) == "down: no-internet"


def test_what_gets_through_a_gateway_from_behind_proves_that_the_gateway_works(haus: World) -> None:
    for name in ("haus-gw", "haus-ap2"):
        haus.tells(name, wifi=True)
    assert said(haus.router("haus-gw")) == "up"
    assert said(haus.router("haus-ap2")) == "up"


def test_what_gets_through_proves_that_the_whole_way_works(make: Callable[..., World]) -> None:
    world = make(haus=place("far behind: near", "near behind: gw", "gw role: gateway"))
    for name in ("near", "gw"):
        world.tells(name, wifi=True)
    world.works("far")
    assert said(world.router("gw")) == "up"


def test_what_does_not_get_through_from_behind_proves_nothing_about_the_gateway(haus: World) -> None:
    for name in ("haus-gw", "haus-ap2"):
        haus.tells(name, wifi=True)
    haus.works("haus-ap", internet=GUESTS_DO_NOT)
    assert said(haus.router("haus-gw")) == "unknown: internet-unchecked"
    assert said(haus.router("haus-ap2")) == "unknown: internet-unchecked"


def test_what_gets_through_a_mesh_proves_nothing_about_the_gateway(haus: World) -> None:
    haus.tells("haus-gw")
    haus.tells("haus-ap2", wifi=True)
    haus.works("haus-ap", internet=MESH_REACHES_IT)
    assert said(haus.router("haus-ap")) == "up"
    assert said(haus.router("haus-gw")) == "unknown: internet-unchecked"


def test_a_neighbour_that_is_not_on_the_way_proves_nothing(make: Callable[..., World]) -> None:
    world = make(haus=place("ap", "other"))
    world.works("other")
    world.tells("ap", wifi=True)
    assert said(world.router("ap")) == "unknown: internet-unchecked"


@pytest.mark.parametrize(
    ("uplink", "expected"),
    [
        ("{}", "up"),
        ("{provider: line-a}", "up"),
        ("{provider: line-b}", "unknown: internet-unchecked"),
        ("{provider: line-a, gateway: tunnel-2}", "unknown: internet-unchecked"),
    ],
)
def test_evidence_comes_from_another_place_only_through_the_same_uplink(
    make: Callable[..., World], uplink: str, expected: str
) -> None:
    world = make(haus=house("haus", "line-a", "tunnel-1"), platz=place("lampe behind: haus-gw", uplink=uplink))
    world.works("haus-gw")
    world.tells("lampe", wifi=True)
    assert said(world.router("lampe")) == expected


def test_where_nobody_wrote_down_the_uplink_of_the_router_ahead_it_is_taken_for_the_same(
    make: Callable[..., World],
) -> None:
    world = make(haus=house("haus"), platz=place("lampe behind: haus-gw", uplink="{provider: line-a}"))
    world.works("haus-gw")
    world.tells("lampe", wifi=True)
    assert said(world.router("lampe")) == "up"


def test_evidence_that_is_too_old_is_none(haus: World) -> None:
    haus.works(ago=TOO_OLD)
    haus.tells("haus-ap", wifi=True)
    assert said(haus.router("haus-ap")) == "unknown: internet-unchecked"


# ---------------------------------------------------------------- behind a dead router


def test_a_silent_router_behind_a_silent_one_is_unknown(haus: World) -> None:
    haus.fails("haus-gw")
    haus.fails("haus-ap")
    assert said(haus.router("haus-gw")) == "down: silent"
    assert said(haus.router("haus-ap")) == "unknown: behind haus-gw"


def test_the_dead_router_nearest_to_us_is_named(make: Callable[..., World]) -> None:
    world = make(haus=place("far behind: middle", "middle behind: near", "near behind: gw", "gw role: gateway"))
    world.works("gw")
    for name in ("far", "middle", "near"):
        world.fails(name)
    assert said(world.router("near")) == "down: silent"
    assert said(world.router("middle")) == "unknown: behind near"
    assert said(world.router("far")) == "unknown: behind near"


def test_a_router_that_answers_ends_the_search_for_a_dead_one(make: Callable[..., World]) -> None:
    world = make(haus=place("far behind: near", "near behind: gw", "gw role: gateway"))
    world.fails("gw")
    world.works("near")
    world.fails("far")
    assert said(world.router("far")) == "down: silent"


@pytest.mark.parametrize("between", ["lifecycle: retired", "sources: []", "role: switch"])
def test_a_router_of_which_nothing_is_known_does_not_end_the_search(make: Callable[..., World], between: str) -> None:
    world = make(haus=place("far behind: near", f"near behind: gw, {between}", "gw role: gateway"))
    world.fails("gw")
    world.fails("far")
    assert said(world.router("far")) == "unknown: behind gw"


def test_a_router_that_was_not_asked_lately_does_not_end_the_search(haus: World) -> None:
    haus.fails("haus-gw", ago=TOO_OLD)
    haus.fails("haus-ap")
    assert said(haus.router("haus-ap")) == "down: silent"


def test_a_source_that_we_cannot_ask_does_not_make_a_silent_router_speak(haus: World) -> None:
    haus.fails("haus-gw")
    haus.fails("haus-gw", "snmp", failure=Failure.SETUP)
    haus.fails("haus-ap")
    assert said(haus.router("haus-ap")) == "unknown: behind haus-gw"


def test_a_router_that_was_never_polled_is_that_also_behind_a_dead_one(haus: World) -> None:
    haus.fails("haus-gw")
    del haus.known["haus-ap", "ubus"]
    assert said(haus.router("haus-ap")) == "unknown: never-polled"


def test_a_router_that_refuses_us_hides_nobody(haus: World) -> None:
    haus.fails("haus-gw", failure=Failure.AUTH)
    haus.fails("haus-ap")
    assert said(haus.router("haus-ap")) == "down: silent"


def test_a_router_that_answers_behind_a_silent_one_is_judged_by_itself(haus: World) -> None:
    haus.fails("haus-gw")
    assert said(haus.router("haus-ap")) == "up"


def test_while_the_router_ahead_may_be_dying_those_behind_it_are_not_called_down(haus: World) -> None:
    haus.fails("haus-gw", times=1)
    haus.fails("haus-ap")
    assert said(haus.router("haus-gw")) == "up"
    assert said(haus.router("haus-ap")) == "unknown: behind haus-gw"


def test_a_lost_packet_of_the_router_ahead_does_not_excuse_one_that_was_down_before(haus: World) -> None:
    haus.fails("haus-gw", times=1)
    haus.fails("haus-ap")
    haus.was("router", "haus-ap", State.DOWN)
    assert said(haus.router("haus-ap")) == "down: silent"


def test_of_a_router_that_was_down_nobody_knows_any_more_when_the_one_ahead_dies_too(
    make: Callable[..., World],
) -> None:
    world = make(haus=place("far behind: near", "near behind: gw", "gw role: gateway"))
    world.works()
    world.fails("gw")
    world.fails("near")
    world.fails("far")
    world.was("router", "far", State.DOWN)
    assert said(world.router("far")) == "unknown: behind gw"
    world.fails("near", times=1)
    assert said(world.router("far")) == "unknown: behind gw"


def test_what_changed_at_the_router_ahead_does_not_excuse_one_that_has_just_died(haus: World) -> None:
    haus.fails("haus-ap", ago=40)
    haus.was("router", "haus-ap", State.UP)
    haus.was("router", "haus-gw", State.UP, ago=30)
    assert said(haus.router("haus-ap")) == "down: silent"


def test_when_the_router_ahead_is_back_those_behind_are_asked_again_before_they_are_called_down(haus: World) -> None:
    haus.fails("haus-ap", ago=40)
    haus.was("router", "haus-ap", State.UNKNOWN)
    haus.was("router", "haus-gw", State.DOWN)
    assert said(haus.router("haus-ap")) == "unknown: stale"
    haus.was("router", "haus-gw", State.UP, ago=30)
    assert said(haus.router("haus-ap")) == "unknown: stale"
    haus.fails("haus-ap", ago=20)
    assert said(haus.router("haus-ap")) == "down: silent"


# ---------------------------------------------------------------- our own line


@pytest.fixture
def houses(make: Callable[..., World]) -> World:
    """Two places, ``a`` and ``b``, that work."""
    world = make(a=house("a"), b=house("b"))
    world.works()
    return world


def states(world: World) -> set[str]:
    return {said(health) for health in world.verdict().routers.values()}


def test_when_nobody_answers_any_more_it_is_our_own_line(houses: World) -> None:
    for name in houses.inventory.routers:
        houses.fails(name)
    assert states(houses) == {"unknown: our-line"}
    assert {said(health) for health in houses.verdict().sites.values()} == {"unknown: our-line"}


def test_when_nobody_ever_answered_it_is_our_own_line(make: Callable[..., World]) -> None:
    world = make(a=house("a"), b=house("b"))
    for name in world.inventory.routers:
        world.fails(name)
    assert states(world) == {"unknown: our-line"}


def test_a_router_that_was_not_asked_lately_is_stale_whatever_our_line_does(houses: World) -> None:
    for name in houses.inventory.routers:
        houses.fails(name)
    houses.fails("b-ap", ago=TOO_OLD)
    assert said(houses.router("a-gw")) == "unknown: our-line"
    assert said(houses.router("b-ap")) == "unknown: stale"


@pytest.mark.parametrize("failure", [None, Failure.AUTH])
def test_one_router_that_answers_acquits_our_line(houses: World, failure: Failure | None) -> None:
    for name in houses.inventory.routers:
        houses.fails(name)
    if failure:
        houses.fails("b-gw", failure=failure)
    else:
        houses.works("b-gw")
    assert said(houses.router("a-gw")) == "down: silent"


@pytest.mark.parametrize(
    "sites",
    [{"a": place("a-1", "a-2", "a-3", "a-4")}, {"a": place("a-1"), "b": place("b-1")}],
    ids=["one place", "two routers"],
)
def test_few_silent_routers_say_nothing_about_our_line(make: Callable[..., World], sites: Mapping[str, str]) -> None:
    world = make(**sites)
    world.works()
    for name in world.inventory.routers:
        world.fails(name)
    assert states(world) == {"down: silent"}


def test_routers_without_power_say_nothing_about_our_line(make: Callable[..., World]) -> None:
    world = make(a=place("a-1", "a-2"), b=place("b-1", "b-2", power=f'{{switched: "{OFF_NOW}"}}'))
    world.works()
    for name in world.inventory.routers:
        world.fails(name)
    assert states(world) == {"down: silent", "unknown: power-off"}


def test_while_our_line_may_be_failing_nobody_is_called_down(houses: World) -> None:
    """The first router has failed often enough, the others have only begun to."""
    for name in houses.inventory.routers:
        houses.fails(name, times=1)
    houses.fails("a-gw", times=2)
    assert said(houses.router("a-gw")) == "unknown: our-line"


def test_an_answer_from_before_the_silence_says_nothing_for_our_line(make: Callable[..., World]) -> None:
    """A router that is asked seldom has not been asked since the others fell silent."""
    world = make(a=house("a"), b=house("b"), c=place("slow interval: 5m"))
    world.works()
    for name in world.inventory.routers:
        world.fails(name, ago=10)
    world.works("slow", ago=150)
    assert said(world.router("a-gw")) == "unknown: our-line"
    world.works("slow", ago=30)
    assert said(world.router("a-gw")) == "down: silent"


def test_when_our_line_is_back_routers_are_asked_again_before_they_are_called_down(houses: World) -> None:
    for name in houses.inventory.routers:
        houses.fails(name, ago=40)
        houses.was("router", name, State.UNKNOWN)
    houses.works("b-gw", ago=5)
    assert said(houses.router("a-gw")) == "unknown: stale"
    houses.was("router", "b-gw", State.UP, ago=3)
    assert said(houses.router("a-gw")) == "unknown: stale"
    houses.works("b-ap", ago=2)
    houses.fails("a-gw", ago=2)
    assert said(houses.router("a-gw")) == "down: silent"


# ---------------------------------------------------------------- planned power


def lamps(power: str) -> str:
    return place("lampe", kind="square", power=power)


@pytest.mark.parametrize("how", ["fails", "never", "stale"])
def test_a_router_without_power_as_planned_is_not_down(make: Callable[..., World], how: str) -> None:
    world = make(platz=lamps(f'{{switched: "{OFF_NOW}"}}'))
    if how != "never":
        world.fails("lampe", ago=10 if how == "fails" else TOO_OLD)
    world.was("router", "lampe", State.DOWN)
    assert world.router("lampe").reasons == (Reason(id="power-off", until=TONIGHT),)
    assert world.router("lampe").state is State.UNKNOWN


def test_a_router_that_answers_although_its_power_should_be_off_is_judged_as_ever(make: Callable[..., World]) -> None:
    world = make(platz=lamps(f'{{switched: "{OFF_NOW}"}}'))
    world.works("lampe", internet=GUESTS_DO_NOT)
    assert said(world.router("lampe")) == "down: no-internet"


def test_silence_in_hours_of_power_is_down(make: Callable[..., World]) -> None:
    world = make(platz=lamps(f'{{switched: "{ON_NOW}"}}'))
    world.fails("lampe")
    assert said(world.router("lampe")) == "down: silent"


def test_a_router_may_take_its_time_to_start_when_its_power_comes(make: Callable[..., World]) -> None:
    world = make(platz=lamps(f'{{switched: "{ON_SINCE_A_MINUTE}"}}'))
    world.fails("lampe")
    assert said(world.router("lampe")) == "unknown: stale"
    world.now += timedelta(minutes=2)
    world.fails("lampe")
    assert said(world.router("lampe")) == "down: silent"


def test_silence_where_nobody_wrote_when_power_is_on_may_be_planned(make: Callable[..., World]) -> None:
    world = make(platz=lamps("switched"))
    world.fails("lampe")
    assert world.router("lampe").reasons == (Reason(id="power-off"),)
    assert said(world.site("platz")) == "unknown: power-off"


# ---------------------------------------------------------------- places


def test_a_place_where_everything_works_is_up(haus: World) -> None:
    assert said(haus.site("haus")) == "up"


def test_a_place_where_one_room_has_no_wifi_is_degraded_and_says_why(haus: World) -> None:
    haus.fails("haus-ap2")
    assert said(haus.site("haus")) == "degraded: some-routers haus-ap2, silent"


def test_a_place_names_each_router_that_does_not_work(haus: World) -> None:
    haus.tells("haus-ap2", wifi=False)
    haus.fails("haus-gw")
    assert said(haus.site("haus")) == "degraded: some-routers haus-ap2, off-air, some-routers haus-gw, silent"


def test_a_gateway_that_nobody_can_tell_about_does_not_spoil_a_place(haus: World) -> None:
    haus.works("haus-gw", ago=TOO_OLD)
    assert said(haus.site("haus")) == "up"


def test_an_access_point_that_nobody_can_tell_about_spoils_a_place(haus: World) -> None:
    haus.works("haus-ap", ago=TOO_OLD)
    assert said(haus.site("haus")) == "degraded: some-routers haus-ap, stale"


def test_a_radio_that_is_off_spoils_a_place(haus: World) -> None:
    radios = (Radio(name="radio0", up=True), Radio(name="radio1", up=False))
    haus.tells("haus-ap", wifi=True, radios=radios, internet=GUESTS_REACH_IT)
    assert said(haus.site("haus")) == "degraded: some-routers haus-ap, radio-off radio1"


def test_a_source_that_fails_spoils_no_place_because_guests_notice_nothing(haus: World) -> None:
    haus.fails("haus-ap", "snmp")
    assert said(haus.router("haus-ap")) == "degraded: source-failing snmp"
    assert said(haus.site("haus")) == "up"


def test_a_place_behind_its_own_dead_gateway_is_down(haus: World) -> None:
    for name in haus.inventory.routers:
        haus.fails(name)
    assert [said(health) for health in haus.verdict().routers.values()] == [
        "down: silent",
        "unknown: behind haus-gw",
        "unknown: behind haus-gw",
    ]
    assert said(haus.site("haus")) == "down: silent"


def test_a_place_behind_a_dead_router_of_another_place_is_unknown(make: Callable[..., World]) -> None:
    world = make(haus=place("gw role: gateway"), platz=place("lampe behind: gw"))
    world.fails("gw")
    world.fails("lampe")
    assert said(world.site("platz")) == "unknown: behind gw"


def test_a_place_without_internet_is_down(haus: World) -> None:
    haus.works(internet=GUESTS_DO_NOT)
    assert said(haus.site("haus")) == "down: no-internet"


def test_a_place_on_the_air_whose_internet_nobody_checked_is_unknown(haus: World) -> None:
    for name in haus.inventory.routers:
        haus.tells(name, wifi=True)
    assert said(haus.site("haus")) == "unknown: internet-unchecked"
    haus.fails("haus-ap2")
    assert said(haus.site("haus")) == "unknown: internet-unchecked, some-routers haus-ap2, silent"


def test_a_place_of_gateways_only_is_judged_from_them(make: Callable[..., World]) -> None:
    world = make(haus=place("gw role: gateway"))
    world.works("gw")
    assert said(world.site("haus")) == "up"
    world.fails("gw")
    assert said(world.site("haus")) == "down: silent"


def test_what_is_told_now_counts_more_than_what_another_source_told_before_it_failed(one: World) -> None:
    one.works("ap")
    one.fails("ap", "ubus", times=1)
    one.tells("ap", "snmp", wifi=True)
    assert said(one.router("ap")) == "up"
    one.tells("ap", "snmp", wifi=True, internet=MESH_DOES_NOT)
    assert said(one.router("ap")) == "down: no-internet"


@pytest.mark.parametrize("role", ["gateway", "switch"])
@pytest.mark.parametrize("others", [[], ["ap behind: box, lifecycle: planned"], ["ap behind: box, sources: []"]])
@pytest.mark.parametrize("wifi", [None, False])
def test_a_place_is_not_up_because_its_gateway_is(
    make: Callable[..., World], role: str, others: list[str], wifi: bool | None
) -> None:
    world = make(haus=place(f"box role: {role}", "zwei role: switch", *others))
    world.tells("box", wifi=wifi, internet=GUESTS_REACH_IT)
    world.tells("zwei", wifi=wifi, internet=GUESTS_REACH_IT)
    assert said(world.router("box")) == "up"
    assert said(world.site("haus")) == "unknown: wifi-unchecked"
    world.fails("zwei")
    assert said(world.site("haus")) == "unknown: wifi-unchecked, some-routers zwei, silent"


@pytest.mark.parametrize("routers", [[], ["ap lifecycle: planned"], ["ap sources: []"]])
def test_a_place_without_watched_routers_is_unknown(make: Callable[..., World], routers: list[str]) -> None:
    assert said(make(haus=place(*routers)).site("haus")) == "unknown: no-routers"


def test_places_that_are_planned_or_retired_are_not_judged(make: Callable[..., World]) -> None:
    world = make(a=place("a"), b=place("b", lifecycle="planned"), c=place("c", lifecycle="retired"))
    assert list(world.verdict().sites) == ["a"]


def test_a_router_in_maintenance_is_left_out(make: Callable[..., World]) -> None:
    world = make(haus=place("ap", "ap2 lifecycle: maintenance"))
    world.works("ap")
    world.fails("ap2")
    assert said(world.site("haus")) == "up"


def test_a_place_is_in_maintenance_when_all_that_serve_guests_are(make: Callable[..., World]) -> None:
    world = make(haus=place("gw role: gateway", "ap behind: gw, lifecycle: maintenance"))
    world.tells("gw", internet=GUESTS_REACH_IT)
    health = world.site("haus")
    assert (said(health), health.beneath) == ("maintenance: maintenance", State.UNKNOWN)
    world.fails("gw")
    assert said(world.site("haus")) == "maintenance: maintenance"


@pytest.mark.parametrize(
    "text",
    [place("ap lifecycle: maintenance"), place("ap", lifecycle="maintenance")],
    ids=["its only router", "the place"],
)
def test_a_place_in_maintenance_says_what_it_would_be(make: Callable[..., World], text: str) -> None:
    world = make(haus=text)
    world.works("ap")
    health = world.site("haus")
    assert (said(health), health.beneath) == ("maintenance: maintenance", State.UP)


OPENS = {"opening_hours": f'"{OFF_NOW}"'}
LIT = {"power": f'{{switched: "{OFF_NOW}"}}'}
SENDS = {"wifi": f'{{schedule: "{OFF_NOW}"}}'}


@pytest.mark.parametrize(
    ("keys", "ids"),
    [
        (OPENS, ["outside-hours"]),
        (LIT, ["power-off"]),
        (SENDS, ["wifi-scheduled-off"]),
        (OPENS | {"wifi": "{schedule: opening-hours}"}, ["outside-hours", "wifi-scheduled-off"]),
        (SENDS | LIT | OPENS, ["power-off", "outside-hours", "wifi-scheduled-off"]),
    ],
)
def test_a_place_that_nobody_expects_to_work_is_closed(
    make: Callable[..., World], keys: Mapping[str, str], ids: list[str]
) -> None:
    world = make(haus=place("ap", **keys))
    world.works("ap")
    health = world.site("haus")
    assert (health.state, health.beneath) == (State.CLOSED, State.UP)
    assert health.reasons == tuple(Reason(id=id, until=TONIGHT) for id in ids)


def test_a_closed_place_does_not_say_whose_the_trouble_beneath_is(make: Callable[..., World]) -> None:
    world = make(haus=place("ap", **OPENS))
    world.fails("ap")
    health = world.site("haus")
    assert (health.state, health.beneath, health.fault) == (State.CLOSED, State.DOWN, None)


@pytest.mark.parametrize("hours", ["", "24/7", ON_NOW, 'Mo-Su unknown "nach Absprache"'])
def test_a_place_that_is_open_or_may_be_is_judged(make: Callable[..., World], hours: str) -> None:
    world = make(haus=place("ap", **({"opening_hours": f"'{hours}'"} if hours else {})))
    world.works("ap")
    assert said(world.site("haus")) == "up"


# ---------------------------------------------------------------- whose it is


def silent(world: World, *slugs: str) -> None:
    """Nothing of these places answers."""
    for slug in slugs:
        for name in world.inventory.sites[slug].routers:
            world.fails(name)


def offline(world: World, *slugs: str) -> None:
    """These places answer, but without internet."""
    for slug in slugs:
        world.works(*world.inventory.sites[slug].routers, internet=GUESTS_DO_NOT)


A1, A2, B1, B2, C3 = (
    ("line-a", "tunnel-1"),
    ("line-a", "tunnel-2"),
    ("line-b", "tunnel-1"),
    ("line-b", "tunnel-2"),
    ("line-c", "tunnel-3"),
)


@pytest.mark.parametrize(
    ("uplinks", "trouble", "broken", "fault"),
    [
        # all of one house silent, while another one with the same provider answers
        ([A1, A2, B2], silent, "a", Fault.HOUSE),
        # all houses of a provider silent, while others answer
        ([A1, A2, B1, B2], silent, "a b", Fault.PROVIDER),
        # all houses of a Freifunk gateway silent, with different providers
        ([A1, B1, A2, B2, C3], silent, "a b", Fault.GATEWAY),
        # nobody else with this provider, or nobody wrote down who it is: nothing to compare with
        ([A1, B2, B2], silent, "a", Fault.UNKNOWN),
        ([("", ""), ("", "")], silent, "a", Fault.UNKNOWN),
        # with one provider only, it may be that one
        ([A1, A1, B2], silent, "a b", Fault.PROVIDER),
        ([A1, A1, B2], offline, "a b", Fault.PROVIDER),
        # half of all places, with nothing in common
        ([A1, B2, C3, A1, B2, C3], silent, "a b c", Fault.CITY),
        ([A1, B2, C3, A1, B2, C3], offline, "a b c", Fault.CITY),
        ([("line-a", ""), ("line-b", ""), ("line-c", "")] * 2, silent, "a b c", Fault.CITY),
        # half of all places, but they share a provider or a gateway
        ([A1, A2, ("line-a", "tunnel-3"), A1, A2, B2], silent, "a b c", Fault.HOUSE),
        ([A1, B1, ("line-c", "tunnel-1"), A1, B2, C3], silent, "a b c", Fault.HOUSE),
        # less than half of all places
        ([A1, B2, C3, A1, B2, C3, C3], silent, "a b c", Fault.HOUSE),
        # a whole provider and one house more are not the city
        ([A1, A2, A1, B1, B1], silent, "a b c d", Fault.PROVIDER),
        # internet fails at one place
        ([A1, A1, B1], offline, "a", Fault.PROVIDER),
        # internet fails at all places that share a provider
        ([A1, A2, B1, B2], offline, "a b", Fault.PROVIDER),
        # internet fails at all places that share a gateway, with different providers
        ([A1, B1, A2, B2], offline, "a b", Fault.GATEWAY),
    ],
)
def test_whose_a_trouble_of_whole_places_is(
    make: Callable[..., World],
    uplinks: list[tuple[str, str]],
    trouble: Callable[..., None],
    broken: str,
    fault: Fault,
) -> None:
    world = make(**{name: house(name, *uplink) for name, uplink in zip("abcdefg", uplinks, strict=False)})
    world.works()
    trouble(world, *broken.split())
    health = world.site("a")
    assert (health.state, health.fault) == (State.DOWN, fault)
    assert world.router("a-gw").fault is fault


def test_one_house_more_than_a_whole_provider_has_its_own_trouble(make: Callable[..., World]) -> None:
    world = make(**{name: house(name, *uplink) for name, uplink in zip("abcde", [A1, A2, A1, B1, B1], strict=True)})
    world.works()
    silent(world, *"abcd")
    assert world.site("d").fault is Fault.HOUSE


def test_where_nobody_answers_anywhere_there_is_nothing_to_compare_with(make: Callable[..., World]) -> None:
    world = make(a=place("a-1", uplink="{provider: line-a}"), b=place("b-1", uplink="{provider: line-a}"))
    for name in world.inventory.routers:
        world.fails(name)
    assert world.site("a").fault is Fault.UNKNOWN


def test_a_place_in_maintenance_is_no_evidence_against_its_provider(make: Callable[..., World]) -> None:
    world = make(a=house("a", *A1), b=house("b", *A2, lifecycle="maintenance"), c=house("c", *B2))
    world.works()
    silent(world, "a", "b")
    assert world.site("a").fault is Fault.UNKNOWN


def test_places_whose_internet_nobody_checked_do_not_count_for_the_internet(make: Callable[..., World]) -> None:
    world = make(a=house("a", *A1), b=house("b", *B1), c=house("c", *A1), d=house("d", *A2))
    world.works()
    offline(world, "a", "b")
    for name in world.inventory.sites["c"].routers:
        world.tells(name, wifi=True)
    assert world.site("a").fault is Fault.GATEWAY


def test_one_silent_router_among_others_that_answer_is_its_own_trouble(haus: World) -> None:
    haus.fails("haus-ap")
    assert haus.router("haus-ap").fault is haus.site("haus").fault is Fault.ROUTER


def test_one_router_without_internet_among_others_that_have_it_is_its_own_trouble(haus: World) -> None:
    haus.works("haus-ap", internet=GUESTS_DO_NOT)
    assert haus.router("haus-ap").fault is haus.site("haus").fault is Fault.ROUTER


def test_a_mesh_without_internet_is_the_trouble_of_the_gateway(make: Callable[..., World]) -> None:
    world = make(haus=place("node role: mesh-node", uplink="{provider: line-a}"))
    world.works("node", internet=MESH_DOES_NOT)
    assert world.router("node").fault is world.site("haus").fault is Fault.GATEWAY


@pytest.mark.parametrize("broken", ["off-air", "radio-off", "source-failing"])
def test_what_a_router_does_by_itself_is_its_own_trouble(haus: World, broken: str) -> None:
    radios = (Radio(name="radio0", up=True), Radio(name="radio1", up=False))
    if broken == "source-failing":
        haus.fails("haus-ap", "snmp")
    else:
        haus.tells("haus-ap", wifi=broken != "off-air", radios=radios, internet=GUESTS_REACH_IT)
    health = haus.router("haus-ap")
    assert (health.reasons[0].id, health.fault) == (broken, Fault.ROUTER)


@pytest.mark.parametrize("how", ["works", "never"])
def test_where_nothing_is_wrong_or_nobody_can_tell_it_is_nobodys(haus: World, how: str) -> None:
    if how == "never":
        haus.known.clear()
    verdict = haus.verdict()
    assert {health.fault for health in [*verdict.routers.values(), *verdict.sites.values()]} == {None}


# ---------------------------------------------------------------- since when, and when it was checked


def test_a_state_lasts_since_its_flip(haus: World) -> None:
    for kind, name in (("router", "haus-ap"), ("site", "haus")):
        haus.was(kind, name, State.UP, ago=7200)
    assert haus.router("haus-ap").since == haus.site("haus").since == NOW - timedelta(hours=2)


def test_a_state_that_nobody_stored_yet_lasts_since_now(haus: World) -> None:
    for kind, name in (("router", "haus-ap"), ("site", "haus")):
        haus.was(kind, name, State.DOWN)
    assert haus.router("haus-ap").since == haus.site("haus").since == NOW


def test_of_what_was_never_stored_nobody_knows_since_when(haus: World) -> None:
    assert (haus.router("haus-ap").since, haus.site("haus").since) == (None, None)


def test_what_nobody_polls_any_more_is_unknown_since_the_last_answer_became_too_old(haus: World) -> None:
    haus.was("site", "haus", State.UP)
    for name in haus.inventory.routers:
        haus.was("router", name, State.UP)
    haus.works(ago=600)
    since = NOW - timedelta(seconds=600 - FRESH_INTERVALS * INTERVAL)
    assert haus.router("haus-ap").since == haus.site("haus").since == since
    haus.works("haus-ap", ago=900)
    assert haus.site("haus").since == since


def test_what_waits_for_its_next_answer_does_so_since_now(one: World) -> None:
    for kind, name in (("router", "ap"), ("site", "haus")):
        one.was(kind, name, State.UP)
    one.fails("ap", times=1)
    assert said(one.router("ap")) == "unknown: stale"
    assert one.router("ap").since == one.site("haus").since == NOW


def test_a_place_is_closed_since_it_closed_and_not_since_nobody_polls(make: Callable[..., World]) -> None:
    world = make(haus=place("ap", **OPENS))
    world.was("site", "haus", State.UP)
    world.works("ap", ago=600)
    assert (world.site("haus").state, world.site("haus").since) == (State.CLOSED, NOW)


def test_a_time_from_before_the_clock_was_set_back_tells_nobody_when_it_was_checked(one: World) -> None:
    one.works("ap", ago=-86400)
    assert one.router("ap").checked is None
    one.fails("ap", "snmp", ago=20)
    assert one.router("ap").checked == NOW - timedelta(seconds=20)


def test_a_router_was_checked_when_a_source_was_last_asked(one: World) -> None:
    one.works("ap", ago=50)
    one.fails("ap", "snmp", ago=20)
    assert one.router("ap").checked == NOW - timedelta(seconds=20)
    one.fails("ap", "snmp", failure=Failure.SETUP, ago=5)
    assert one.router("ap").checked == NOW - timedelta(seconds=50)


def test_a_place_was_checked_when_all_its_routers_were_that_ever_were(haus: World) -> None:
    haus.works("haus-gw", ago=90)
    del haus.known["haus-ap", "ubus"]
    assert haus.site("haus").checked == NOW - timedelta(seconds=90)
    haus.known.clear()
    assert haus.site("haus").checked is None


# ---------------------------------------------------------------- flips


def test_every_change_of_state_is_a_flip(haus: World) -> None:
    haus.was("router", "haus-gw", State.UP)
    haus.was("router", "haus-ap", State.UNKNOWN)
    haus.was("site", "haus", State.UP)
    haus.fails("haus-ap", failure=Failure.TIMEOUT)
    found = flips(haus.verdict(), haus.last)
    assert [(flip.kind, flip.name, flip.before, flip.after) for flip in found] == [
        ("router", "haus-ap", State.UNKNOWN, State.DOWN),
        ("router", "haus-ap2", None, State.UP),
        ("site", "haus", State.UP, State.DEGRADED),
    ]
    assert (found[0].at, found[0].reasons, found[0].fault) == (NOW, (Reason(id="silent"),), Fault.ROUTER)


def test_nothing_flips_twice(haus: World) -> None:
    haus.last = {(flip.kind, flip.name): flip for flip in flips(haus.verdict(), {})}
    assert len(haus.last) == 4
    assert flips(haus.verdict(), haus.last) == []


# ---------------------------------------------------------------- values


def values(world: World, router: str = "ap") -> Measured:
    return merged(world.inventory, world.inventory.routers[router], world.known, world.now)


def test_of_each_value_the_first_source_that_tells_it_counts(one: World) -> None:
    one.tells("ap", "ubus", clients=7, load=0.5, model="Ubus", wifi=True)
    one.tells("ap", "snmp", clients=0, model="", boot=NOW)
    assert values(one) == Measured(clients=0, load=0.5, model="Ubus", boot=NOW, wifi=True)


def test_interfaces_are_joined_by_name(one: World) -> None:
    one.tells("ap", "ubus", interfaces=(Interface(name="b", up=True), Interface(name="a", up=False, receive_bytes=3)))
    one.tells("ap", "snmp", interfaces=(Interface(name="a", up=True),))
    assert values(one).interfaces == (Interface(name="a", up=True, receive_bytes=3), Interface(name="b", up=True))


def test_radios_are_those_of_one_source_because_each_calls_them_something_else(one: World) -> None:
    one.tells("ap", "ubus", radios=(Radio(name="radio0", clients=3),))
    assert values(one).radios == (Radio(name="radio0", clients=3),)
    one.tells("ap", "snmp", radios=(Radio(name="phy0", clients=3),))
    assert values(one).radios == (Radio(name="phy0", clients=3),)


@pytest.mark.parametrize("times", [1, PATIENCE])
def test_a_failed_poll_drops_the_values(one: World, times: int) -> None:
    one.tells("ap", clients=7)
    one.fails("ap", times=times)
    assert values(one) == Measured()


def test_values_that_are_too_old_are_dropped(one: World) -> None:
    one.tells("ap", clients=7, ago=TOO_OLD)
    assert values(one) == Measured()


# ---------------------------------------------------------------- whatever is known


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    """Places of every kind, with ways through several of them."""
    sites = {
        "a": house("a", *A1),
        "b": house("b", *B1, **OPENS),
        "c": place("c-1 behind: a-gw", "c-2 behind: c-1", "c-3 behind: c-2, lifecycle: retired", **LIT),
        "d": place("d-1 role: switch", "d-2 role: mesh-node, interval: 5m", "d-3 behind: c-3", power="switched"),
        "e": place("e-1 lifecycle: maintenance", "e-2 sources: []", **SENDS),
        "f": place("f-1 behind: b-ap", uplink="{provider: line-b}"),
    }
    return load(write(tmp_path_factory.mktemp("net"), NETWORK, **sites))


NAMES = [f"{site}-{name}" for site in "ab" for name in ("gw", "ap", "ap2")]
NAMES += ["c-1", "c-2", "c-3", "d-1", "d-2", "d-3", "e-1", "e-2", "f-1"]
MAYBE = st.sampled_from([None, False, True])
INTERNETS = st.sampled_from([None, GUESTS_REACH_IT, GUESTS_DO_NOT, MESH_REACHES_IT, MESH_DOES_NOT])
RADIOS = st.lists(st.builds(Radio, name=st.sampled_from("ab"), up=MAYBE), max_size=3).map(tuple)
TOLD = st.builds(Measured, wifi=MAYBE, internet=INTERNETS, radios=RADIOS)
TIMES = st.integers(-400, 1200).map(lambda seconds: NOW - timedelta(seconds=seconds))


@st.composite
def knowns(draw: st.DrawFn) -> Known:
    reading = partial(Reading, router="", source="", took=0.1)
    failures = draw(st.integers(0, 3))
    good = reading(at=draw(TIMES), measured=draw(TOLD)) if failures == 0 or draw(st.booleans()) else None
    latest = good if failures == 0 else reading(at=draw(TIMES), failure=draw(st.sampled_from(Failure)))
    assert latest
    return Known(latest=latest, good=good, failures=failures, polls=9, failed={})


KNOWN = st.dictionaries(st.tuples(st.sampled_from(NAMES), st.sampled_from(["snmp", "ubus"])), knowns())
LAST = st.dictionaries(
    st.one_of(
        st.tuples(st.just("router"), st.sampled_from(NAMES)), st.tuples(st.just("site"), st.sampled_from("abcdef"))
    ),
    st.builds(Flip, at=TIMES, kind=st.just(""), name=st.just(""), before=st.none(), after=st.sampled_from(State)),
)
ROUTER_STATES = {State.UP, State.DEGRADED, State.DOWN, State.UNKNOWN, State.MAINTENANCE}


def usable(health: Health) -> bool:
    return bool({health.state, health.beneath} & {State.UP, State.DEGRADED})


@given(known=KNOWN, last=LAST)
def test_everything_gets_a_state_with_reasons_that_are_known(
    mixed: Inventory, known: dict[tuple[str, str], Known], last: dict[tuple[str, str], Flip]
) -> None:
    verdict = judge(mixed, known, NOW, last)
    assert verdict.routers.keys() == {router.name for router in watched(mixed)}
    assert verdict.sites.keys() == mixed.sites.keys()
    assert {health.state for health in verdict.routers.values()} <= ROUTER_STATES
    for health in [*verdict.routers.values(), *verdict.sites.values()]:
        assert {reason.id for reason in health.reasons} <= REASONS.keys()
        assert (health.state is State.UP) == (health.reasons == ())
        assert health.fault is None or health.state in (State.DOWN, State.DEGRADED)
        assert (health.beneath is None) == (health.state not in (State.CLOSED, State.MAINTENANCE))


@given(known=KNOWN, last=LAST)
def test_nothing_is_up_without_evidence_of_the_internet(
    mixed: Inventory, known: dict[tuple[str, str], Known], last: dict[tuple[str, str], Flip]
) -> None:
    without = {
        key: replace(
            one,
            latest=_without_success(one.latest),
            good=one.good and _without_success(one.good),
        )
        for key, one in known.items()
    }
    verdict = judge(mixed, without, NOW, last)
    assert not any(usable(health) for health in [*verdict.routers.values(), *verdict.sites.values()])


def _without_success(reading: Reading) -> Reading:
    measured = reading.measured
    if measured and measured.internet and measured.internet.works:
        return replace(reading, measured=replace(measured, internet=None))
    return reading


@given(known=KNOWN, last=LAST, name=st.sampled_from(NAMES))
def test_no_router_is_up_whose_readings_are_all_too_old(
    mixed: Inventory, known: dict[tuple[str, str], Known], last: dict[tuple[str, str], Flip], name: str
) -> None:
    old = NOW - timedelta(days=1)
    aged = {
        key: replace(one, latest=replace(one.latest, at=old), good=one.good and replace(one.good, at=old))
        if key[0] == name
        else one
        for key, one in known.items()
    }
    health = judge(mixed, aged, NOW, last).routers.get(name)
    assert health is None or {health.state, health.beneath} <= {State.UNKNOWN, State.MAINTENANCE, None}


@given(known=KNOWN, last=LAST)
def test_when_nobody_polls_any_more_everything_becomes_unknown(
    mixed: Inventory, known: dict[tuple[str, str], Known], last: dict[tuple[str, str], Flip]
) -> None:
    verdict = judge(mixed, known, NOW + timedelta(days=400), last)
    for health in [*verdict.routers.values(), *verdict.sites.values()]:
        assert (health.beneath or health.state) is State.UNKNOWN


@given(known=KNOWN, last=LAST, seed=st.integers())
def test_the_order_of_files_and_readings_makes_no_difference(
    mixed: Inventory, known: dict[tuple[str, str], Known], last: dict[tuple[str, str], Flip], seed: int
) -> None:
    shuffled = random.Random(seed)

    def other(mapping: Mapping[object, object]) -> dict[object, object]:
        return dict(shuffled.sample(list(mapping.items()), len(mapping)))

    sites = {
        slug: replace(site, routers=tuple(shuffled.sample(site.routers, len(site.routers))))
        for slug, site in mixed.sites.items()
    }
    inventory = replace(mixed, routers=other(mixed.routers), sites=other(sites))  # type: ignore[arg-type]
    assert judge(inventory, other(known), NOW, last) == judge(mixed, known, NOW, last)  # type: ignore[arg-type]


def test_an_interval_longer_than_the_calendar_is_no_trouble(make: Callable[..., World]) -> None:
    world = make(haus=place("ap interval: 999999999d", power=f'{{switched: "{ON_NOW}"}}'))
    world.fails("ap", times=1)
    world.was("router", "ap", State.UP)
    assert said(world.router("ap")) == "unknown: stale"
    world.fails("ap")
    assert said(world.router("ap")) == "down: silent"


def test_a_very_long_way_is_no_trouble(make: Callable[..., World]) -> None:
    routers = [f"r{number} behind: r{number - 1}" if number else "r0 role: gateway" for number in range(1500)]
    world = make(haus=place(*reversed(routers)))
    for name in world.inventory.routers:
        world.fails(name)
    assert said(world.router("r1499")) == "unknown: behind r0"


# ---------------------------------------------------------------- docs


DOC = (Path(__file__).parents[1] / "docs/health.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("heading", "words"),
    [("Reasons", REASONS), ("States", list(State)), ("Whose it is", list(Fault))],
    ids=["reasons", "states", "faults"],
)
def test_tables_of_the_docs_hold_every_word_and_no_other(heading: str, words: list[str]) -> None:
    section = re.split(r"(?m)^## ", DOC)
    [text] = [part for part in section if part.startswith(f"{heading}\n")]
    assert set(re.findall(r"(?m)^\| `([\w-]+)` \|", text)) == set(words)


def test_the_docs_tell_the_numbers() -> None:
    assert f"{PATIENCE} failures in a row" in DOC
    assert f"{FRESH_INTERVALS} intervals" in DOC
