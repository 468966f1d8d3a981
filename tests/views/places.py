"""Places for tests of the views: the example network on a Tuesday afternoon, and places of any state, made by hand."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.networks import write
from wifimgr.health import Verdict
from wifimgr.inventory import Inventory, load
from wifimgr.model import Fault, Health, Known, Lifecycle, Measured, Radio, Reading, Reason, State
from wifimgr.views.snapshot import Snapshot

TOP = Path(__file__).parents[2]
NOW = datetime(2026, 6, 16, 13, 30, tzinfo=UTC)
"""A Tuesday, half past three in Duisburg."""
CHECKED = NOW - timedelta(seconds=75)
HOUSE = """\
name: Haus
kind: youth-center
public: true
district: Meiderich
address: Beispielstraße 1, 47137 Duisburg
opening_hours: "Mo-Fr 14:00-21:00; Sa 15:00-22:00; PH off"
page: {show_guests: true}
routers:
  haus-gw: {addresses: [192.0.2.1], role: gateway, room: Serverschrank}
  haus-ap-eg: {addresses: [192.0.2.2], behind: haus-gw, room: Offener Treff}
  haus-ap-og: {addresses: [192.0.2.3], behind: haus-gw, room: Werkraum}
"""
NETWORK = """\
name: Freies WLAN Duisburg
country: DE
holidays: {region: DE-NW}
contact: {public: {name: WLAN-Telefon, phone: "+49 221 4710 115", hours: "Mo-Fr 08:00-16:00", email: wlan@example.org}}
operators: {city: {name: Stadt, manage: push}}
defaults: {operator: city, platform: openwrt, role: access-point, sources: [snmp], vars: {ssid: freifunk-haus}}
"""


def health(state: State, *reasons: str | Reason, hours: float = 2, **more: object) -> Health:
    """A health that has lasted for some hours; a text is the id of a reason."""
    given = tuple(reason if isinstance(reason, Reason) else Reason(id=reason) for reason in reasons)
    times = {"since": NOW - timedelta(hours=hours), "checked": CHECKED}
    return Health(state=state, reasons=given, **(times | more))  # type: ignore[arg-type]


def told(router: str, *, clients: int | None, ssids: Iterable[str] = (), at: datetime = CHECKED) -> Known:
    """What SNMP told of a router, just now."""
    radio = Radio(name="radio0", band="5", up=True, ssids=tuple(ssids), clients=clients)
    measured = Measured(wifi=True, clients=clients, radios=(radio,))
    reading = Reading(router=router, source="snmp", at=at, took=0.1, measured=measured)
    return Known(latest=reading, good=reading, failures=0, polls=1, failed={})


def snapshot(
    inventory: Inventory,
    sites: Mapping[str, Health],
    routers: Mapping[str, Health] | None = None,
    known: Mapping[tuple[str, str], Known] | None = None,
    at: datetime = NOW,
) -> Snapshot:
    """A look at an inventory. A router of which nothing is said does what its place does, as far as a router can."""
    there = (Lifecycle.ACTIVE, Lifecycle.MAINTENANCE)
    healths = {
        name: (routers or {}).get(name) or _router(sites[router.site])
        for name, router in inventory.routers.items()
        if router.lifecycle in there and router.site in sites
    }
    return Snapshot(at, inventory, known or {}, Verdict(at, healths, sites))


def _router(of_site: Health) -> Health:
    state = of_site.beneath or of_site.state
    return Health(state=state, reasons=of_site.reasons, since=of_site.since, checked=of_site.checked)


def house(folder: Path, site: str = HOUSE, network: str = NETWORK, **sites: str) -> Inventory:
    """An inventory of one place, ``haus``, and others."""
    return load(write(folder, network=network, haus=site, **sites))


def of_house(inventory: Inventory, of_site: Health, **routers: Health) -> Snapshot:
    """A look at the one place; routers are named ``gw``, ``eg`` and ``og``."""
    names = {"gw": "haus-gw", "eg": "haus-ap-eg", "og": "haus-ap-og"}
    sites = dict.fromkeys(inventory.sites, of_site)
    return snapshot(inventory, sites, {names[name]: state for name, state in routers.items()})


def example(folder: Path) -> Snapshot:
    """The example network on a Tuesday afternoon on which most is well."""
    shutil.copytree(TOP / "inventory", folder / "inventory")
    inventory = load(folder)
    opens = Reason(id="outside-hours", until=datetime(2026, 6, 17, 13, 0, tzinfo=UTC))
    lit = Reason(id="power-off", until=datetime(2026, 6, 16, 14, 0, tzinfo=UTC))
    sites = {slug: health(State.UP, hours=70) for slug in inventory.sites} | {
        "jz-meiderich": health(State.DEGRADED, "some-routers", "silent", fault=Fault.ROUTER),
        "jz-ruhrort": health(State.DOWN, "silent", hours=0.6, fault=Fault.HOUSE),
        "jz-walsum": health(State.CLOSED, opens, beneath=State.UP),
        "bib-homberg": health(State.UNKNOWN, "internet-unchecked"),
        "bib-neudorf": health(State.MAINTENANCE, "maintenance"),
        "platz-hamborn": health(State.CLOSED, lit),
    }
    routers = {
        "jz-meiderich-gw": health(State.UP, hours=70),
        "jz-meiderich-ap-eg": health(State.UP, hours=70),
        "jz-meiderich-ap-og": health(State.DOWN, "silent"),
        "jz-meiderich-node": health(State.UP, hours=70),
        "platz-hamborn-lampe-1": health(State.UNKNOWN, lit),
        "platz-hamborn-lampe-2": health(State.UNKNOWN, lit),
    }
    guests = {"bib-altstadt": 9, "jz-marxloh": 4, "jz-rheinhausen": 3}
    known = {
        (name, router.sources[0]): told(name, clients=guests[router.site], ssids=[str(router.vars["ssid"])])
        for name, router in inventory.routers.items()
        if router.site in guests
    }
    return snapshot(inventory, sites, routers, known)


LONG = """\
name: "Donaudampfschifffahrtsgesellschaftskapitänsmützenmuseum <b>&amp;</b> Jugendfreizeiteinrichtung"
kind: youth-center
public: true
district: Friedrich-Wilhelms-Hütten-Siedlungsgenossenschaft
address: Rechtsschutzversicherungsgesellschaftenstraße 12345, 47137 Duisburg
opening_hours: "Mo-Fr 14:00-21:00; Sa 15:00-22:00; PH off"
page: {show_guests: true}
vars: {ssid: WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW}
contact:
  - {name: Jugendfreizeiteinrichtungsleitungsbürokraft, phone: "+49 203 12345678901234567890", public: true,
     email: jugendfreizeiteinrichtungsleitungsbuero@jugendfreizeiteinrichtung.example.org}
routers:
  lang-gw: {addresses: [192.0.2.201], role: gateway, room: Jugendfreizeiteinrichtungsleitungsbüro}
  lang-ap: {addresses: [192.0.2.202], behind: lang-gw, room: Veranstaltungstechnikaufbewahrungsraum hinter der Bühne}
"""


def everything(folder: Path) -> Snapshot:
    """The example network, and a place with names that are longer than any screen."""
    look = example(folder)
    write(folder, network=(TOP / "inventory/network.yaml").read_text(encoding="utf-8"), lang=LONG)
    sites = {**look.verdict.sites, "lang": health(State.DOWN, "silent", fault=Fault.HOUSE)}
    return snapshot(load(folder), sites, look.verdict.routers, look.known)
