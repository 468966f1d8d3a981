"""The demo tells the truth: it ends well on a good day, and names the part that is broken on a bad one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.networks import write
from wifimgr.cli import run, stage
from wifimgr.cli.story_push import ALL_AT_ONCE, PushStory
from wifimgr.cli.story_watch import WatchStory
from wifimgr.hours import known_hours
from wifimgr.inventory import load
from wifimgr.lab import SimulatedRouter
from wifimgr.model import Change
from wifimgr.push import fleet, opening, script
from wifimgr.sources import ubus
from wifimgr.views import metrics, pages

Out = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

NETWORK = """\
name: Netz [bold]fett[/]
operators:
  city: {name: Stadt, manage: push}
  community: {name: Freifunk, manage: watch}
profiles:
  snmp:
    monitor: {version: v2c, community: {file: .wifimgr/secrets/community}}
internet: {dns: www.example.org, http: "http://www.example.org/", network: guest}
defaults:
  operator: city
  platform: openwrt
  role: access-point
  snmp: monitor
  sources: [snmp, ubus, ping]
  vars: {ssid: frei}
"""

HOUSE = """\
name: Haus [bold]fett[/] "$(id)"
kind: youth-center
public: true
opening_hours: "Mo-Fr 14:00-21:00"
page: {show_guests: true}
routers:
  haus-gw: {addresses: [192.0.2.1], role: gateway}
  haus-ap-1: {addresses: [192.0.2.2], behind: haus-gw, room: Saal}
  haus-ap-2: {addresses: [192.0.2.3], behind: haus-gw}
"""

OTHER = """\
name: <b>Treff</b>
kind: youth-center
public: true
routers:
  treff-gw: {addresses: [192.0.2.11], role: gateway}
  treff-ap-1: {addresses: [192.0.2.12], behind: treff-gw}
  treff-ap-2: {addresses: [192.0.2.13], behind: treff-gw}
  treff-ap-3: {addresses: [192.0.2.14], behind: treff-gw}
"""

LIBRARY = """\
name: Bücherei
kind: library
public: true
opening_hours: "Mo-Fr 10:00-18:00"
page: {show_guests: true}
routers:
  buch-node: {addresses: ["2001:db8::c1"], platform: gluon, operator: community, role: mesh-node, sources: [respondd]}
"""

CAFE = LIBRARY.replace("Bücherei", "Café").replace("library", "other").replace("buch-", "cafe-").replace("c1", "c2")

SQUARE = """\
name: Platz
kind: square
public: true
power: {switched: "Mo-Su 16:00-08:00"}
routers:
  platz-lampe: {addresses: [192.0.2.31]}
"""

PLAYBOOK = """\
name: Gast
about: A guest network.
where: role=access-point platform=openwrt
uci:
  wireless:
    - section: {type: wifi-device, each: true}
      set: {disabled: false}
    - section: {type: wifi-iface, name: guest}
      set: {device: radio0, mode: ap, network: guest, ssid: "{{ ssid }}", encryption: none}
    - section: {type: wifi-iface, name: guest1}
      set: {device: radio1, mode: ap, network: guest, ssid: "{{ ssid }}", encryption: none}
  network:
    - section: {type: interface, name: guest}
      set: {proto: static, ipaddr: 172.31.64.1, netmask: 255.255.252.0}
"""

pytestmark = [pytest.mark.timeout(400), pytest.mark.slow]


@pytest.fixture
def network(tmp_path: Path) -> Path:
    write(tmp_path, NETWORK, haus=HOUSE, treff=OTHER, buch=LIBRARY, cafe=CAFE, platz=SQUARE)
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks/guest-wifi.yaml").write_text(PLAYBOOK, encoding="utf-8")
    return tmp_path


def left_behind() -> set[str]:
    return {path.name for path in Path(tempfile.gettempdir()).glob("wifimgr-demo-*")}


def test_demo_ends_well_and_leaves_nothing_behind(
    network: Path, capsys: Out, monkeypatch: Patch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("tmp")))
    before = sorted(network.rglob("*"))
    assert run(["demo", "--once", "--network", str(network)]) == 0
    told = capsys.readouterr().out
    assert "everything as promised" in told
    assert "    ✗ " not in told
    assert "✓ haus-ap-1, haus-ap-2 not touched: open until" in told
    assert told.count("✓") == 29
    assert left_behind() == set()
    assert sorted(network.rglob("*")) == before


BROKEN = {
    "the guard did not bring": ('ln -sf ../init.d/wifimgr "$LINK"', ":"),
    "the dead man's switch did not save": ('dead_man "$WITHIN"', ":"),
    "the second login did not save": ("settled=$((N + 100 * settle - NOW))", "WAIT=0; return 0"),
}


@pytest.mark.parametrize("named", BROKEN)
def test_demo_names_the_part_of_the_push_that_is_broken(
    named: str, network: Path, capsys: Out, monkeypatch: Patch
) -> None:
    good, bad = BROKEN[named]
    assert script.ROUTER_SH.count(good) == 1
    text = script.ROUTER_SH.replace(good, bad)
    if "LINK" in good:
        text = text.replace('[ -x "$LINK" ] || refuse nospace', ":")  # what makes sure that the guard is there
    monkeypatch.setattr(script, "ROUTER_SH", text)
    monkeypatch.setattr(WatchStory, "tell", lambda story: None)
    assert run(["demo", "--once", "--network", str(network)]) == 1
    told = capsys.readouterr()
    assert named in told.err
    assert "[lab-failed]" in told.err
    assert f"✗ {named}" in told.out


def _silent_agents(monkeypatch: Patch) -> None:
    answers = SimulatedRouter.answers
    monkeypatch.setattr(SimulatedRouter, "answers", lambda router, name: name != "snmp" and answers(router, name))


def _no_probe(monkeypatch: Patch) -> None:
    monkeypatch.setattr(ubus, "internet", lambda *_: None)


def _broken_page(monkeypatch: Patch) -> None:
    monkeypatch.setattr(pages, "view_of", lambda *_: 1 / 0)


def _broken_metrics(monkeypatch: Patch) -> None:
    monkeypatch.setattr(metrics, "page", lambda *_: 1 / 0)


def _lying_metrics(monkeypatch: Patch) -> None:
    states = metrics._site_states
    monkeypatch.setattr(metrics, "_site_states", lambda facts: ((at, not value) for at, value in states(facts)))


def test_demo_names_a_place_that_was_not_waited_for(network: Path, capsys: Out, monkeypatch: Patch) -> None:
    monkeypatch.setattr(fleet, "held_back", lambda *_: None)
    monkeypatch.setattr(PushStory, "_push_with_trouble", lambda *_: None)
    monkeypatch.setattr(PushStory, "_push_after_trouble", lambda *_: None)
    monkeypatch.setattr(WatchStory, "tell", lambda story: None)
    assert run(["demo", "--once", "--network", str(network)]) == 1
    assert "✗ a place is open, but haus-ap-1, haus-ap-2 did not wait" in capsys.readouterr().out


@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 6, 15, 0, 0),
        datetime(2026, 6, 15, 3, 59, 59),
        datetime(2026, 6, 15, 12, 30),
        datetime(2026, 6, 15, 23, 59, 59),
        datetime(2026, 3, 29, 1, 59, 59),
        datetime(2026, 3, 29, 3, 0),
        datetime(2026, 10, 25, 2, 30),
        datetime(2026, 10, 25, 2, 30, fold=1),
        datetime(2026, 12, 24, 23, 0),
        datetime(2026, 12, 31, 23, 59),
    ],
    ids=str,
)
def test_one_place_is_open_for_some_hours_and_one_closed_whatever_the_clock_says(
    network: Path, monkeypatch: Patch, now: datetime
) -> None:
    moment = now.replace(tzinfo=ZoneInfo("Europe/Berlin"))

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return moment

    monkeypatch.setattr(stage, "datetime", Clock)
    stage._set_the_scene(network)
    inventory = load(network)
    calendar = inventory.network.calendar
    hours = {slug: known_hours(site.opening_hours, calendar) for slug, site in inventory.sites.items()}
    change = Change(router="haus-ap-1", paths=(), touched=(), connectivity=True)
    for minutes in (0, 30, 60):
        at = moment.astimezone(UTC) + timedelta(minutes=minutes)
        assert opening.waits(inventory, change, at).startswith("open until")
        assert {slug for slug, each in hours.items() if each and not each.is_open(at)} == {"buch"}
    assert opening.waits(inventory, replace(change, router="treff-ap-1"), moment) == ""


SABOTAGE: dict[str, Callable[[Patch], None]] = {
    "SNMP: 7 of 7 routers do not tell": _silent_agents,
    "internet reading: 7 of 7 routers do not tell": _no_probe,
    "page: /s/": _broken_page,
    "metrics: /metrics cannot be read": _broken_metrics,
}


@pytest.mark.parametrize("named", SABOTAGE)
def test_demo_names_the_part_of_the_watch_that_is_broken(
    named: str, network: Path, capsys: Out, monkeypatch: Patch
) -> None:
    def push_at_once(story: PushStory) -> None:
        story._apply(list(story._plan().to_do), ALL_AT_ONCE)

    monkeypatch.setattr(PushStory, "tell", push_at_once)
    monkeypatch.setattr(stage, "PATIENCE", 20.0)
    SABOTAGE[named](monkeypatch)
    assert run(["demo", "--once", "--network", str(network)]) == 1
    told = capsys.readouterr()
    assert named in told.err
    assert "[lab-failed]" in told.err


def test_demo_stays_until_somebody_ends_it(network: Path) -> None:
    command = [sys.executable, "-c", "from wifimgr.cli import main; main()", "demo", "--network", str(network)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "journal list" in line and "--network" in line:
                break
        assert "--network" in lines[-1], "".join(lines)
        words = lines[-1].split()
        folder = Path(words[words.index("--network") + 1])
        listed = subprocess.run(
            [*command[:3], "--network", str(folder), "plan", "guest-wifi", "-o", "tsv"],
            capture_output=True,
            text=True,
            check=False,
        )
        addresses = [word for line in lines for word in line.split() if word.startswith("http://127")]
        shown = [urllib.request.urlopen(address).status for address in addresses]  # noqa: S310 (our own addresses)
        process.send_signal(2)
        out, err = process.communicate(timeout=60)
    assert listed.stdout.count("already right") == 2  # the others are without power, or behind a dead gateway
    assert shown == [200, 200]
    assert process.returncode == 0, err
    assert "nothing is left behind" in out
    assert not folder.exists()
