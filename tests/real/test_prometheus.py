"""A real Prometheus scrapes the ops door, and stores what was meant."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.conftest import find_program, require_real
from tests.doors import PATIENCE, ask, open_doors
from tests.networks import write
from tests.readings import failed, good, seen
from wifimgr.inventory import Inventory, load
from wifimgr.inventory.live import LiveInventory
from wifimgr.model import Interface, Internet, Radio, Reading
from wifimgr.settings import make_state_dir
from wifimgr.store import Store
from wifimgr.views import ops, pages
from wifimgr.views.snapshot import Snapshot

require_real("prometheus", "promtool")

HOSTILE = 'Süd "am\\Ufer"\\n $(id) <b> {x="1"} #'
SITE = f"""\
name: Haus
kind: youth-center
district: '{HOSTILE}'
sources: [snmp, ping]
routers:
  haus-gw: {{addresses: [192.0.2.1], role: gateway}}
  haus-ap: {{addresses: [192.0.2.2], behind: haus-gw}}
"""
NAME = 'a"b\\c\nd ä \x00 €'
"""Of an interface, as an agent may tell it."""


class World:
    """What the ops door shows, made by hand, and the Prometheus that looks at it."""

    def __init__(self, folder: Path) -> None:
        self.inventory: Inventory = load(write(folder, haus=SITE))
        self.readings: Callable[[datetime], list[Reading]] = lambda at: []
        self.url = self.prometheus = ""

    def look(self) -> Snapshot:
        now = datetime.now(UTC)
        return seen(self.inventory, now, *self.readings(now - timedelta(seconds=1)))

    def query(self, expression: str) -> dict[tuple[str, ...], float]:
        """The answer of Prometheus now: values of all labels but those of the scrape, in their order, to the number."""
        answer = ask(f"{self.prometheus}/api/v1/query?query={quote(expression)}")
        content = json.loads(answer.text)
        assert content["status"] == "success", content
        assert not content.get("warnings"), content
        ours = ("__name__", "instance", "job")
        return {
            tuple(result["metric"][label] for label in sorted(result["metric"]) if label not in ours): float(
                result["value"][1]
            )
            for result in content["data"]["result"]
        }

    def expect(self, expression: str, wanted: dict[tuple[str, ...], float]) -> None:
        """Asks until the answer is the wanted one: a scrape may be late, or even fail, on a busy machine."""
        end = time.monotonic() + PATIENCE
        while (found := self.query(expression)) != wanted:
            assert time.monotonic() < end, (expression, found)
            time.sleep(0.1)

    def expect_nothing(self, series: str) -> None:
        """Asks until a good scrape has none of these series."""
        self.expect(f'up{{job="wifimgr"}} == 1 unless on () {series}', {(): 1})


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """A Prometheus that scrapes one door; yields where it answers."""
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [{"job_name": "wifimgr", "static_configs": [{"targets": [urlsplit(target).netloc]}]}],
    }
    path = folder / "prometheus.yml"
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [
        str(find_program("prometheus")),
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_until_ready(process, address, folder / "prometheus.log")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(PATIENCE)
    assert "ingesting" not in (folder / "prometheus.log").read_text(), "samples were dropped"


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        try:
            if ask(f"http://{address}/-/ready").status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    live, store = LiveInventory(tmp_path), Store(make_state_dir(tmp_path))
    try:
        with (
            open_doors(ops.app(world.look, store, live)) as (world.url,),
            prometheus(tmp_path, world.url) as world.prometheus,
        ):
            yield world
    finally:
        store.close()


def whole(at: datetime) -> list[Reading]:
    """Everything that a source can tell of both routers."""
    measured: dict[str, Any] = {
        "boot": at - timedelta(days=1),
        "load": 0.25,
        "memory_total": 128 << 20,
        "memory_available": 64 << 20,
        "firmware": "23.05",
        "clients": 7,
        "radios": (Radio(name="radio0", band="5", clients=7, busy=0.5),),
        "interfaces": (
            Interface(name="wan", receive_bytes=2**53, transmit_bytes=1, receive_errors=0, transmit_errors=0),
            Interface(name=NAME, receive_bytes=1),
        ),
        "internet": Internet(works=True, asked_from="guest"),
    }
    snmp = [good(router, "snmp", at, **measured) for router in ("haus-gw", "haus-ap")]
    return [*snmp, good("haus-gw", "ping", at, round_trip=0.0125), failed("haus-ap", "ping", at)]


def gateway_only(inventory: Inventory) -> Inventory:
    """The inventory without the access point."""
    site = replace(inventory.sites["haus"], routers=("haus-gw",))
    return replace(inventory, sites={"haus": site}, routers={"haus-gw": inventory.routers["haus-gw"]})


def test_prometheus_stores_what_was_meant_and_forgets_what_is_gone(world: World) -> None:
    gw, ap = ("haus-gw", "haus"), ("haus-ap", "haus")
    world.readings = whole
    world.expect('up{job="wifimgr"}', {(): 1})
    world.expect("wifimgr_router_up", {gw: 1, ap: 1})
    world.expect("wifimgr_router_clients", {gw: 7, ap: 7})
    world.expect("wifimgr_router_round_trip_seconds", {gw: 0.0125})
    world.expect("sum by (router, site) (wifimgr_router_health)", {gw: 1, ap: 1})
    world.expect('wifimgr_interface_receive_bytes_total{router="haus-gw"}', {("wan", *gw): 2**53, (NAME, *gw): 1})
    world.expect(
        'wifimgr_router_poll_failures_total{source="ping"}',
        {("timeout", *gw, "ping"): 0, ("timeout", *ap, "ping"): 1},
    )
    world.expect("wifimgr_site_info", {(HOSTILE, "youth-center", "haus"): 1})  # empty labels are no labels
    world.expect("wifimgr_inventory_valid", {(): 1})

    # A failed poll: what was measured goes stale, the rest stays.
    world.readings = lambda at: [*whole(at), *(failed("haus-gw", source, at) for source in ("snmp", "ping"))]
    world.expect("wifimgr_router_up", {gw: 0, ap: 1})
    world.expect("wifimgr_router_clients", {ap: 7})
    world.expect_nothing('{__name__=~"wifimgr_(interface|radio)_.*", router="haus-gw"}')
    world.expect(
        'count by (router, source) (wifimgr_router_last_success_timestamp_seconds{router="haus-gw"})',
        {("haus-gw", "ping"): 1, ("haus-gw", "snmp"): 1},
    )

    # A router that left the inventory is gone altogether.
    world.inventory = gateway_only(world.inventory)
    world.expect_nothing('{router="haus-ap"}')
    world.expect("wifimgr_router_up", {gw: 0})


def test_promtool_has_nothing_to_complain_about(world: World) -> None:
    world.readings = whole
    page = ask(world.url + "/metrics").text
    assert "wifimgr_interface_receive_bytes_total{" in page
    promtool = str(find_program("promtool"))
    done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_public_door_has_no_metrics(world: World) -> None:
    with open_doors(pages.app(world.look)) as (public,):
        assert [ask(public + path).status for path in ("/", "/metrics", "/healthz")] == [200, 404, 404]
