"""Page, command line and metrics say the same about every place and every router, and what they say is true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.doors import ask, open_doors
from tests.networks import write
from tests.readings import failed, good
from wifimgr.cli import run
from wifimgr.inventory.live import LiveInventory
from wifimgr.model import Internet, Reading
from wifimgr.store import Store
from wifimgr.views import ops, pages
from wifimgr.views.snapshot import take

NETWORK = """\
name: Netz
operators: {city: {name: Stadt, manage: push}}
defaults: {operator: city, platform: openwrt, role: access-point, sources: [snmp, ubus], interval: 10m}
"""
PLACE = """\
name: Ort
kind: youth-center
public: true
opening_hours: "24/7"
routers:
  {slug}-gw: {{addresses: [192.0.2.{number}], role: gateway}}
  {slug}-ap: {{addresses: [192.0.2.1{number}], behind: {slug}-gw, room: Saal}}
"""
REACHED = Internet(works=True, asked_from="guest")
LOST = Internet(works=False, asked_from="guest", why="DNS: no answer")

PLACES = {
    "gut": ("up", "up", "up"),
    "offline": ("down", "down", "down"),
    "dunkel": ("down", "down", "unknown"),
    "laternen": ("closed", "unknown", "unknown"),
    "zu": ("closed", "up", "down"),
    "ungeprueft": ("unknown", "unknown", "unknown"),
    "alt": ("unknown", "unknown", "unknown"),
    "teils": ("up", "up", "degraded"),  # one source that fails is no matter for guests
}
"""Slug to what the place, its gateway and its access point are."""


def told(at: datetime) -> Iterator[Reading]:
    """What happened at each place."""
    for slug in PLACES:
        for name in (f"{slug}-gw", f"{slug}-ap"):
            internet = {"offline": LOST, "ungeprueft": None}.get(slug, REACHED)
            silent = slug in ("dunkel", "laternen") or name == "zu-ap"
            for _ in range(2):  # one lost answer is no news
                when = at - timedelta(hours=2) if slug == "alt" else at
                if silent:
                    yield failed(name, "snmp", when)
                    yield failed(name, "ubus", when)
                else:
                    yield failed(name, "snmp", when) if name == "teils-ap" else good(name, "snmp", when, load=0.5)
                    yield good(name, "ubus", when, wifi=True, clients=3, internet=internet)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sites = {slug: PLACE.format(slug=slug, number=number) for number, slug in enumerate(PLACES, start=1)}
    sites["laternen"] += 'power: {switched: "Mo-Su off"}\n'
    sites["zu"] = sites["zu"].replace("24/7", "Mo-Su off")
    return write(tmp_path, NETWORK, **sites)


def by_metric(text: str) -> dict[str, str]:
    found = {}
    for kind, labels in re.findall(r"(?m)^wifimgr_(site|router)_health\{(.*)\} 1\.0$", text):
        label = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        found[label[kind]] = label["state"]
    return found


def test_page_command_line_and_metrics_say_the_same_and_it_is_true(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    live = LiveInventory(folder)
    (folder / ".wifimgr").mkdir(exist_ok=True)
    with closing(Store(folder / ".wifimgr")) as store:
        store.record(told(datetime.now(UTC)))

        def look() -> object:
            return take(live.current, store, datetime.now(UTC))

        with open_doors(pages.app(look), ops.app(look, store, live)) as [public, private]:  # type: ignore[arg-type]
            metrics = by_metric(ask(f"{private}/metrics").text)
            page = {slug: json.loads(ask(f"{public}/s/{slug}.json").text) for slug in PLACES}
            read = {slug: ask(f"{public}/s/{slug}").text for slug in PLACES}
    assert run(["status", "-o", "json", "--network", str(folder)]) == 0
    command = {row["name"]: row["state"] for row in json.loads(capsys.readouterr().out)["states"]}
    expected = {}
    for slug, (site, gateway, access_point) in PLACES.items():
        expected |= {slug: site, f"{slug}-gw": gateway, f"{slug}-ap": access_point}
    assert command == expected
    assert metrics == expected
    assert {slug: said["state"] for slug, said in page.items()} == {slug: states[0] for slug, states in PLACES.items()}
    assert all(said["sentence"] in read[slug] for slug, said in page.items())
    assert [slug for slug, said in page.items() if said["word"] == "läuft"] == ["gut", "teils"]
    assert "(behind dunkel-gw)" not in read["dunkel"]


def test_the_command_line_says_why(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / ".wifimgr").mkdir(exist_ok=True)
    with closing(Store(folder / ".wifimgr")) as store:
        store.record(told(datetime.now(UTC)))
    assert run(["status", "-o", "json", "--network", str(folder)]) == 0
    reasons = {
        row["name"]: [(reason["id"], reason["about"]) for reason in row["reasons"]]
        for row in json.loads(capsys.readouterr().out)["states"]
    }
    assert reasons["dunkel-ap"] == [("behind", "dunkel-gw")]
    assert reasons["laternen-gw"] == [("power-off", "")]
    assert reasons["offline-gw"] == [("no-internet", "")]
    assert reasons["ungeprueft-ap"] == [("internet-unchecked", "")]
    assert reasons["teils-ap"] == [("source-failing", "snmp")]
