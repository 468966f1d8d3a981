"""The ops door: exact numbers, whether wifimgr itself works, and what is said when it does not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest

import wifimgr
from tests.doors import Answer, ask, open_doors
from tests.networks import write
from tests.readings import failed, good
from wifimgr.errors import StoreError
from wifimgr.inventory.live import LiveInventory
from wifimgr.model import Failure, Internet, Reading
from wifimgr.settings import make_state_dir
from wifimgr.store import Beat, Store
from wifimgr.views import ops
from wifimgr.views.snapshot import Snapshot, take

SITE = """\
name: 'Café <script>alert("1")</script> $(id)'
kind: youth-center
sources: [snmp, ping]
routers:
  haus-gw: {addresses: [192.0.2.1], role: gateway}
  haus-ap: {addresses: [192.0.2.2], behind: haus-gw}
  haus-old: {addresses: [192.0.2.3], lifecycle: retired}
"""


class House:
    """A network folder, its store, and its open ops door."""

    def __init__(self, folder: Path) -> None:
        self.folder = write(folder, haus=SITE)
        self.live = LiveInventory(folder)
        self.store = Store(make_state_dir(folder))
        self.broken = False
        self.url = ""

    def look(self) -> Snapshot:
        if self.broken:
            raise StoreError("store-failed", "the store cannot be used: disk full", where="state.db")
        return take(self.live.current, self.store, datetime.now(UTC))

    def ask(self, path: str, **headers: str) -> Answer:
        return ask(self.url + path, **headers)

    def health(self) -> tuple[int, dict[str, object]]:
        answer = self.ask("/healthz")
        assert answer.headers["content-type"] == "application/json"
        return answer.status, json.loads(answer.text)

    def beat(self, age: float = 0, error: str = "") -> None:
        self.store.beat(Beat(datetime.now(UTC) - timedelta(seconds=age), 0.5, error))

    def record(self, *readings: Reading) -> None:
        self.store.record(readings)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    try:
        with open_doors(ops.app(house.look, house.store, house.live)) as (house.url,):
            yield house
    finally:
        house.store.close()


def just_now() -> datetime:
    return datetime.now(UTC)


def shown(page: str) -> str:
    """What a reader of a page sees, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


# ---------------------------------------------------------------- /metrics


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",  # Prometheus 2.42
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5",  # 3.x
        "*/*",
    ],
)
def test_metrics_are_always_text_of_the_oldest_form(house: House, accept: str) -> None:
    house.record(good("haus-gw", "snmp", just_now(), clients=7))
    answer = house.ask("/metrics", accept=accept)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert '\nwifimgr_router_clients{router="haus-gw",site="haus"} 7.0\n' in answer.text
    assert "# EOF" not in answer.text


def test_metrics_of_a_store_that_fails_are_one_line(house: House) -> None:
    house.broken = True
    answer = house.ask("/metrics")
    assert answer.status == 503
    assert answer.text == ("state.db: the store cannot be used: disk full [store-failed]\n")


def test_metrics_tell_that_the_inventory_is_not_the_newest(house: House) -> None:
    for error, number in (("", "1.0"), ("inventory/sites/haus.yaml:1: …", "0.0")):
        house.beat(error=error)
        assert f"\nwifimgr_inventory_valid {number}\n" in house.ask("/metrics").text


# ---------------------------------------------------------------- /healthz


def test_all_is_well_when_the_worker_lives_and_the_inventory_is_right(house: House) -> None:
    house.beat()
    status, answer = house.health()
    assert (status, answer["status"], answer["reasons"]) == (200, "ok", [])
    assert answer["version"] == wifimgr.__version__
    assert answer["worker_lag_seconds"] == 0.5
    assert str(answer["worker_last_beat"]).startswith("20")


def test_a_worker_that_never_lived_is_a_reason(house: House) -> None:
    status, answer = house.health()
    assert (status, answer["status"]) == (503, "failing")
    assert answer["reasons"] == ["no worker has run yet: 'wifimgr serve' keeps on asking"]


def test_a_worker_that_died_is_a_reason_with_its_age(house: House) -> None:
    house.beat(age=7200)
    status, answer = house.health()
    assert status == 503
    assert re.search(r"last sign of life was 7[2-9]\d\d s ago", str(answer["reasons"]))


def test_a_sign_of_life_from_before_the_clock_was_set_back_is_none(house: House) -> None:
    house.beat(age=-7200)
    assert house.health()[0] == 503


def test_a_broken_inventory_is_a_reason_with_its_lines(house: House) -> None:
    house.beat()
    site = house.folder / "inventory/sites/haus.yaml"
    site.write_text(SITE.replace("kind:", "knid:"), encoding="utf-8")
    house.live.refresh()
    house.beat(error=house.live.error)
    status, answer = house.health()
    assert status == 503
    assert [line.split(":")[0] for line in answer["reasons"]] == ["inventory/sites/haus.yaml"] * 2  # type: ignore[attr-defined]
    assert "knid" in str(answer["reasons"])
    assert house.ask("/metrics").text.count("\nwifimgr_inventory_valid 0.0\n") == 1
    site.write_text(SITE, encoding="utf-8")
    house.live.refresh()
    house.beat()
    assert house.health()[0] == 200


def test_a_store_that_fails_is_a_reason(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise StoreError("store-failed", "the store cannot be used: disk full")

    monkeypatch.setattr(house.store, "last_beat", fail)
    status, answer = house.health()
    assert (status, answer["reasons"]) == (503, ["the store cannot be used: disk full [store-failed]"])
    assert answer["worker_last_beat"] is None


# ---------------------------------------------------------------- the page


def test_the_page_shows_exact_numbers(house: House) -> None:
    house.beat()
    house.record(
        good("haus-gw", "snmp", just_now(), clients=7),
        good("haus-ap", "snmp", just_now(), clients=3),
        failed("haus-ap", "ping", just_now(), Failure.REFUSED, "port <closed>"),
    )
    page = shown(house.ask("/").text)
    assert re.search(r"haus Café .{0,200} 2 10 ", page), page
    assert "wifimgr itself has a problem" not in page
    assert "ping: 1 failed in a row (refused: port <closed>)" in page
    assert "snmp: answers" in page
    assert "haus-old" not in page


def test_a_gateway_without_wifi_leaves_no_doubt_about_the_number(house: House) -> None:
    house.record(good("haus-gw", "ping", just_now()), good("haus-ap", "snmp", just_now(), clients=7))
    assert re.search(r" 2 7 (?!or more)", shown(house.ask("/").text))


def test_clients_that_nobody_counts_are_no_zero(house: House) -> None:
    house.record(good("haus-gw", "snmp", just_now(), clients=7), good("haus-ap", "ping", just_now()))
    assert re.search(r" 2 7 or more ", shown(house.ask("/").text))
    house.record(failed("haus-gw", "snmp", just_now()))
    assert re.search(r" 2 – ", shown(house.ask("/").text))


def test_what_does_not_work_comes_first(house: House) -> None:
    fine = Internet(works=True, asked_from="guest")
    at = just_now()
    house.record(good("haus-ap", "snmp", at, wifi=True, internet=fine))
    house.record(*[failed("haus-gw", source, at) for source in ("snmp", "ping", "snmp", "ping")])
    page = shown(house.ask("/").text)
    assert page.index("haus-gw haus down") < page.index("haus-ap haus ")


def test_the_page_says_what_is_wrong_with_wifimgr_itself(house: House) -> None:
    page = shown(house.ask("/").text)
    assert "wifimgr itself has a problem no worker has run yet" in page


def test_the_page_of_a_store_that_fails_is_one_line(house: House) -> None:
    house.broken = True
    answer = house.ask("/")
    assert (answer.status, answer.text.count("\n")) == (503, 1)


def test_names_do_no_harm_on_the_page(house: House) -> None:
    page = house.ask("/").text
    assert "<script" not in page
    assert 'Café <script>alert("1")</script> $(id)' in unescape(page)


def test_links_of_the_page_lead_somewhere(house: House) -> None:
    links = re.findall(r'(?:href|src)="([^"]+)"', house.ask("/").text)
    assert {"/metrics", "/healthz"} <= set(links)
    house.beat()
    assert [house.ask(link).status for link in links] == [200] * len(links)


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/ops.css"])
def test_nothing_is_stored_framed_or_loaded_from_elsewhere(house: House, path: str) -> None:
    headers = house.ask(path).headers
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_nothing_can_be_sent_to_the_door(house: House) -> None:
    assert [ask(house.url + path, "POST").status for path in ("/", "/metrics", "/healthz")] == [405] * 3
