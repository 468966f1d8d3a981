"""Metrics for Prometheus: made of one snapshot at each scrape, so that what is gone from it is gone from the next page.

Routers are polled on timers, not at the scrape: page, command line and metrics share one reading, and routers are weak.
What a poll measured is there only while it is fresh; a poll that failed takes it away. No sample has a timestamp: with
one, Prometheus would not mark a series as stale that has gone.

:data:`FAMILIES` is the whole list. A family takes one number of each thing of its scope.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

import wifimgr
from wifimgr.health import FRESH_INTERVALS, is_fresh, known_of
from wifimgr.hours import known_hours
from wifimgr.model import Failure, Health, Interface, Known, Measured, Radio, Router, Site, State
from wifimgr.store import Beat
from wifimgr.views.snapshot import Snapshot

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The text format that every Prometheus reads, whatever else it asks for."""
ROUTER_STATES = (State.UP, State.DEGRADED, State.DOWN, State.UNKNOWN, State.MAINTENANCE)

Labels = tuple[str, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Seen:
    """One watched router at the time of the scrape."""

    router: Router
    health: Health
    measured: Measured
    known: Mapping[str, Known]
    """By source: those that the inventory names and that were polled."""
    up: bool | None
    """Whether a source answered in the latest poll; None: none was asked for too long."""

    @cached_property
    def told(self) -> Measured:
        """What it last told about itself, by the first source that tells a firmware: such things change rarely."""
        answers = [known.good.measured for known in self.known.values() if known.good and known.good.measured]
        return next((answer for answer in answers if answer.firmware), Measured())


@dataclass(frozen=True)
class Place:
    """One site at the time of the scrape."""

    site: Site
    health: Health
    open: bool | None
    """Whether it is open; None: nobody can tell."""


@dataclass(frozen=True)
class Facts:
    """Everything that one page of metrics is made of."""

    snapshot: Snapshot
    beat: Beat | None
    """The worker's last sign of life."""
    inventory_valid: bool

    @cached_property
    def routers(self) -> list[Seen]:
        """The routers that are watched."""
        return [_seen(self.snapshot, name, health) for name, health in self.snapshot.verdict.routers.items()]

    @cached_property
    def places(self) -> list[Place]:
        """The sites that have a health."""
        return [_place(self.snapshot, slug, health) for slug, health in self.snapshot.verdict.sites.items()]


def _seen(snapshot: Snapshot, name: str, health: Health) -> Seen:
    router = snapshot.inventory.routers[name]
    known, interval = known_of(router, snapshot.known), snapshot.inventory.network.interval(router)
    latest = [each.latest for each in known.values() if is_fresh(each.latest, snapshot.at, interval)]
    asked = [reading.failure for reading in latest if reading.failure is not Failure.SETUP]
    up = None in asked if asked else None
    return Seen(router, health, snapshot.measured(router), known, up)


def _place(snapshot: Snapshot, slug: str, health: Health) -> Place:
    site, calendar = snapshot.inventory.sites[slug], snapshot.inventory.network.calendar
    hours = known_hours(site.opening_hours, calendar)
    return Place(site, health, hours.is_open(snapshot.at) if hours else None)


# ---------------------------------------------------------------- scopes: what there is a number of


@dataclass(frozen=True)
class Scope(Generic[T]):
    """A kind of thing: its labels, and the things of that kind with the values of those labels."""

    labels: Labels
    things: Callable[[Facts], Iterable[tuple[Labels, T]]]


def _router_labels(seen: Seen) -> Labels:
    return (seen.router.name, seen.router.site)


def _router_states(facts: Facts) -> Iterator[tuple[Labels, bool]]:
    for seen in facts.routers:
        for state in ROUTER_STATES:
            yield (*_router_labels(seen), state), seen.health.state is state


def _router_infos(facts: Facts) -> Iterator[tuple[Labels, int]]:
    for seen in facts.routers:
        router = seen.router
        model = seen.told.model or router.model
        yield (*_router_labels(seen), router.role, router.platform, model, seen.told.firmware), 1


def _site_states(facts: Facts) -> Iterator[tuple[Labels, bool]]:
    for place in facts.places:
        for state in State:
            yield (place.site.slug, state), place.health.state is state


def _site_infos(facts: Facts) -> Iterator[tuple[Labels, int]]:
    for place in facts.places:
        site, uplink = place.site, place.site.uplink
        yield (site.slug, site.district, site.kind, uplink.get("provider", ""), uplink.get("gateway", "")), 1


def _sources(facts: Facts) -> Iterator[tuple[Labels, Known]]:
    for seen in facts.routers:
        for source, known in seen.known.items():
            yield (*_router_labels(seen), source), known


def _failures(facts: Facts) -> Iterator[tuple[Labels, int]]:
    """``timeout``, by far the most frequent one, is there from the start, so that increase() sees the first of them."""
    for labels, known in _sources(facts):
        for reason in Failure:
            count = known.failed.get(reason, 0)
            if count or reason is Failure.TIMEOUT:
                yield (*labels, reason), count


def _radios(facts: Facts) -> Iterator[tuple[Labels, Radio]]:
    for seen in facts.routers:
        for radio in seen.measured.radios:
            yield (*_router_labels(seen), radio.name, radio.band), radio


def _interfaces(facts: Facts) -> Iterator[tuple[Labels, Interface]]:
    for seen in facts.routers:
        for interface in seen.measured.interfaces:
            yield (*_router_labels(seen), interface.name), interface


_R = ("router", "site")
WIFIMGR: Scope[Facts] = Scope((), lambda facts: [((), facts)])
BUILD: Scope[int] = Scope(("version",), lambda facts: [((wifimgr.__version__,), 1)])
ROUTER: Scope[Seen] = Scope(_R, lambda facts: [(_router_labels(seen), seen) for seen in facts.routers])
ROUTER_STATE = Scope((*_R, "state"), _router_states)
ROUTER_INFO = Scope((*_R, "role", "platform", "model", "firmware"), _router_infos)
SOURCE = Scope((*_R, "source"), _sources)
FAILED = Scope((*_R, "source", "reason"), _failures)
RADIO = Scope((*_R, "radio", "band"), _radios)
INTERFACE = Scope((*_R, "interface"), _interfaces)
SITE: Scope[Place] = Scope(("site",), lambda facts: [((place.site.slug,), place) for place in facts.places])
SITE_STATE = Scope(("site", "state"), _site_states)
SITE_INFO = Scope(("site", "district", "kind", "provider", "gateway"), _site_infos)


# ---------------------------------------------------------------- families


@dataclass(frozen=True)
class Family(Generic[T]):
    """A family of series: one number of each thing of a scope. A thing without that number (None) has no series."""

    name: str
    kind: str
    """``gauge`` or ``counter``."""
    scope: Scope[T]
    number: Callable[[T], float | None]
    help: str


def _when(time: datetime | None) -> float | None:
    return time.timestamp() if time else None


def _itself(value: float) -> float:
    return value


_POLLED = "Polled on timers, not at the scrape."

FAMILIES: tuple[Family[Any], ...] = (
    # --- wifimgr
    Family("wifimgr_build_info", "gauge", BUILD, _itself, "Always 1; the version of wifimgr. Source: wifimgr."),
    Family(
        "wifimgr_inventory_valid",
        "gauge",
        WIFIMGR,
        lambda facts: facts.inventory_valid,
        "0: the files of the inventory have errors, and the last good ones are used. Source: wifimgr.",
    ),
    Family(
        "wifimgr_worker_last_beat_timestamp_seconds",
        "gauge",
        WIFIMGR,
        lambda facts: facts.beat and _when(facts.beat.at),
        "When the worker, which polls the routers, last gave a sign of life. Source: wifimgr.",
    ),
    Family(
        "wifimgr_worker_lag_seconds",
        "gauge",
        WIFIMGR,
        lambda facts: facts.beat and facts.beat.lag,
        "How late the polls are. Source: wifimgr.",
    ),
    # --- places
    Family(
        "wifimgr_site_info",
        "gauge",
        SITE_INFO,
        _itself,
        "Always 1; what the inventory says about a place. Source: the file of the site.",
    ),
    Family(
        "wifimgr_site_health",
        "gauge",
        SITE_STATE,
        _itself,
        f"1 for the state that a place is in, 0 for the others. Source: wifimgr, from all readings. {_POLLED}",
    ),
    Family(
        "wifimgr_site_open",
        "gauge",
        SITE,
        lambda place: place.open,
        "1: a place is open now; only where its hours are known. Source: opening_hours in the file of the site.",
    ),
    # --- routers
    Family(
        "wifimgr_router_info",
        "gauge",
        ROUTER_INFO,
        _itself,
        "Always 1; what a router is. Source: the inventory; model and firmware as the router last told: "
        f"ubus system board, respondd nodeinfo, SNMP sysDescr (1.3.6.1.2.1.1.1.0). {_POLLED}",
    ),
    Family(
        "wifimgr_router_health",
        "gauge",
        ROUTER_STATE,
        _itself,
        f"1 for the state that a router is in, 0 for the others. Source: wifimgr, from all readings. {_POLLED}",
    ),
    Family(
        "wifimgr_router_up",
        "gauge",
        ROUTER,
        lambda seen: seen.up,
        "1: a source answered in the latest poll, 0: none did; not there when none was asked for "
        f"{FRESH_INTERVALS} intervals. Source: wifimgr. {_POLLED}",
    ),
    Family(
        "wifimgr_router_internet_up",
        "gauge",
        ROUTER,
        lambda seen: seen.measured.internet and seen.measured.internet.works,
        "1: the internet was reached through the router. Source: a name and a web page that the router asked for "
        f"(nslookup, uclient-fetch over SSH), or respondd statistics.gateway and mesh_vpn. {_POLLED}",
    ),
    Family(
        "wifimgr_router_round_trip_seconds",
        "gauge",
        ROUTER,
        lambda seen: seen.measured.round_trip,
        f"Time there and back. Source: ping (ICMP echo). {_POLLED}",
    ),
    Family(
        "wifimgr_router_boot_timestamp_seconds",
        "gauge",
        ROUTER,
        lambda seen: _when(seen.measured.boot),
        "When the router started. Source: SNMP hrSystemUptime (1.3.6.1.2.1.25.1.1.0), ubus system info, "
        f"respondd statistics.uptime. {_POLLED}",
    ),
    Family(
        "wifimgr_router_load1",
        "gauge",
        ROUTER,
        lambda seen: seen.measured.load,
        "Load average over one minute. Source: SNMP laLoadInt.1 (1.3.6.1.4.1.2021.10.1.5.1), ubus system info, "
        f"respondd statistics.loadavg. {_POLLED}",
    ),
    Family(
        "wifimgr_router_memory_total_bytes",
        "gauge",
        ROUTER,
        lambda seen: seen.measured.memory_total,
        "Memory of the router. Source: SNMP memTotalReal (1.3.6.1.4.1.2021.4.5.0), ubus system info, "
        f"respondd statistics.memory. {_POLLED}",
    ),
    Family(
        "wifimgr_router_memory_available_bytes",
        "gauge",
        ROUTER,
        lambda seen: seen.measured.memory_available,
        "Memory that programs can still get. Source: SNMP memSysAvail (1.3.6.1.4.1.2021.4.27.0) or the sum of "
        f"1.3.6.1.4.1.2021.4.6.0, .14.0 and .15.0, ubus system info, respondd statistics.memory. {_POLLED}",
    ),
    Family(
        "wifimgr_router_clients",
        "gauge",
        ROUTER,
        lambda seen: seen.measured.clients,
        "Devices connected over Wi-Fi. Source: ubus hostapd get_clients, SNMP openwrtWirelessClientCount "
        f"(1.3.6.1.4.1.66510.1.10.2.0), respondd statistics.clients. {_POLLED}",
    ),
    Family(
        "wifimgr_radio_clients",
        "gauge",
        RADIO,
        lambda radio: radio.clients,
        "Devices connected to a radio. Source: ubus hostapd get_clients, SNMP (1.3.6.1.4.1.66510.1.10.3.1.4), "
        f"respondd statistics.clients. {_POLLED}",
    ),
    Family(
        "wifimgr_radio_busy_ratio",
        "gauge",
        RADIO,
        lambda radio: radio.busy,
        "Part of the time that the channel of a radio is in use. Source: ubus hostapd get_status, SNMP "
        f"(1.3.6.1.4.1.66510.1.10.3.1.16). {_POLLED}",
    ),
    Family(
        "wifimgr_interface_receive_bytes_total",
        "counter",
        INTERFACE,
        lambda interface: interface.receive_bytes,
        "Received since the router started. Source: SNMP ifHCInOctets (1.3.6.1.2.1.31.1.1.1.6), ubus "
        f"network.device status, respondd statistics.traffic. {_POLLED}",
    ),
    Family(
        "wifimgr_interface_transmit_bytes_total",
        "counter",
        INTERFACE,
        lambda interface: interface.transmit_bytes,
        "Sent since the router started. Source: SNMP ifHCOutOctets (1.3.6.1.2.1.31.1.1.1.10), ubus "
        f"network.device status, respondd statistics.traffic. {_POLLED}",
    ),
    Family(
        "wifimgr_interface_receive_errors_total",
        "counter",
        INTERFACE,
        lambda interface: interface.receive_errors,
        "Broken packets received since the router started. Source: SNMP ifInErrors (1.3.6.1.2.1.2.2.1.14), ubus "
        f"network.device status. {_POLLED}",
    ),
    Family(
        "wifimgr_interface_transmit_errors_total",
        "counter",
        INTERFACE,
        lambda interface: interface.transmit_errors,
        "Packets that could not be sent since the router started. Source: SNMP ifOutErrors (1.3.6.1.2.1.2.2.1.20), "
        f"ubus network.device status. {_POLLED}",
    ),
    # --- polls
    Family(
        "wifimgr_router_polls_total",
        "counter",
        SOURCE,
        lambda known: known.polls,
        "How often a source asked a router. Source: wifimgr.",
    ),
    Family(
        "wifimgr_router_poll_failures_total",
        "counter",
        FAILED,
        _itself,
        "How often it got no answer, and why. Source: wifimgr.",
    ),
    Family(
        "wifimgr_router_poll_duration_seconds",
        "gauge",
        SOURCE,
        lambda known: known.latest.took,
        f"How long the latest poll took. Source: wifimgr. {_POLLED}",
    ),
    Family(
        "wifimgr_router_last_poll_timestamp_seconds",
        "gauge",
        SOURCE,
        lambda known: _when(known.latest.at),
        f"When a source last asked a router. Source: wifimgr. {_POLLED}",
    ),
    Family(
        "wifimgr_router_last_success_timestamp_seconds",
        "gauge",
        SOURCE,
        lambda known: known.good and _when(known.good.at),
        f"When a source last got an answer. Source: wifimgr. {_POLLED}",
    ),
)

_KINDS = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily}


class SnapshotCollector(Collector):
    """The families of one snapshot. Made anew for each scrape: it remembers nothing."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def collect(self) -> Iterator[Metric]:
        """Every family, also one without any series: so people see what there is."""
        things: dict[Scope[Any], Mapping[Labels, Any]] = {}
        for family in FAMILIES:
            if family.scope not in things:
                things[family.scope] = _distinct(family.scope.things(self._facts))
            metric = _KINDS[family.kind](family.name, family.help, labels=family.scope.labels)
            for labels, thing in things[family.scope].items():
                number = family.number(thing)
                if number is not None:
                    metric.add_metric(labels, number)
            yield metric


def _distinct(things: Iterable[tuple[Labels, T]]) -> Mapping[Labels, T]:
    """The things by their labels. Of two with the same ones the first counts: a double series spoils the scrape."""
    found: dict[Labels, T] = {}
    for labels, thing in things:
        found.setdefault(tuple(map(_label, labels)), thing)
    return found


def _label(text: str) -> str:
    """Any text as a label. All that the format cannot hold is half a character, as hostile files and agents have it."""
    return text.encode(errors="replace").decode()


OURSELVES = CollectorRegistry(auto_describe=False)
"""What there is to tell about this process: memory, time of the processor, open files."""
ProcessCollector(registry=OURSELVES)
PlatformCollector(registry=OURSELVES)
GCCollector(registry=OURSELVES)


def page(facts: Facts) -> bytes:
    """The page of metrics, in the text format 0.0.4."""
    return generate_latest(SnapshotCollector(facts)) + generate_latest(OURSELVES)
