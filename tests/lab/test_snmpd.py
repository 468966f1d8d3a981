"""The lab's SNMP agent: it tells what the router's life says, and answers only whom it shall."""

from __future__ import annotations

import gc
import socket
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.sources import snmp_wire as wire
from tests.sources.snmp_house import COMMUNITY, Asker, house
from tests.sources.snmp_wire import BULK, GET, NEXT, dotted
from wifimgr.errors import LabError
from wifimgr.inventory import load
from wifimgr.lab import Lab, SimulatedRouter
from wifimgr.model import Failure, Measured, Radio
from wifimgr.sources import snmp

SYS_DESCR, SYS_UPTIME, SYS_NAME = (dotted(f"1.3.6.1.2.1.1.{number}.0") for number in (1, 3, 5))
WIRELESS = dotted("1.3.6.1.4.1.66510.1.10")
LONG, SHORT, MOMENT = 30.0, 0.6, 0.3
"""Seconds for what must be answered, and for what must not."""
RADIOS_ON = """
config wifi-device 'radio0'
	option disabled '0'
config wifi-device 'radio1'
config wifi-iface 'guest_radio0'
	option device 'radio0'
	option ssid 'frei für "alle"'
config wifi-iface
	option device 'radio0'
	option ssid 'Büro it'\\''s'
	option disabled '1'
config wifi-iface 'guest_radio1'
	option device 'radio1'
	option ssid 'frei'
"""


@contextmanager
def started(folder: Path, profile: str = "v2c") -> Iterator[SimulatedRouter]:
    """One router of the lab with an agent; the network folder is ``folder``."""
    house(folder, profile)
    inventory = load(folder)
    wanted = [inventory.routers["eins-ap"]]
    with Lab(folder / "lab", wanted, services=("snmp",), snmp=inventory.network.snmp_profile) as lab:
        house(folder, profile, lab.routers["eins-ap"].endpoints()["snmp"])
        yield lab.routers["eins-ap"]


def ask(router: SimulatedRouter, tag: int, *oids: wire.Oid, repetitions: int = 0) -> wire.Message:
    """Asks over SNMP v2c by hand."""
    found = wire.ask(router.ports["snmp"], tag, oids, community=COMMUNITY.encode(), repetitions=repetitions)
    assert found is not None
    return found


def measured(folder: Path) -> Measured:
    """What our own source reads."""
    with Asker(folder) as asker:
        reading = asker.read(LONG)
    assert reading.measured is not None, reading.detail
    return reading.measured


def until(true: Callable[[], object]) -> None:
    """Waits until something holds."""
    end = time.monotonic() + LONG
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


@pytest.mark.parametrize("profile", ["v2c", "auth", "v3", "open", "strong", "old"])
def test_source_reads_what_goes_on_in_the_router(tmp_path: Path, profile: str) -> None:
    with started(tmp_path, profile) as router:
        before = router.life.now()
        found = measured(tmp_path)
        after = router.life.now()
    assert found.boot is not None
    assert abs(found.boot.timestamp() - (time.time() - after.uptime)) < LONG
    assert found.memory_total == before.memory_total
    assert found.memory_available is not None
    assert found.load is not None
    octets = {each.name: (each.receive_bytes, each.transmit_bytes) for each in found.interfaces}
    assert set(octets) == {"br-lan", "wan"}
    for name, (received, sent) in octets.items():
        assert received is not None
        assert sent is not None
        assert before.receive_bytes[name] <= received <= after.receive_bytes[name]
        assert before.transmit_bytes[name] <= sent <= after.transmit_bytes[name]
    assert (found.wifi, found.clients, found.radios) == (None, None, ())


def test_counters_move_and_begin_again_after_a_boot(tmp_path: Path) -> None:
    def octets() -> int:
        return measured(tmp_path).interfaces[0].receive_bytes or 0

    with started(tmp_path) as router:
        first = octets()
        until(lambda: octets() > first)
        router.power_cut()
        router.boot()
        assert octets() < first


def test_wireless_mib_tells_what_is_on_the_air(tmp_path: Path) -> None:
    with started(tmp_path) as router:
        router.wireless_mib = True
        router.life.seat(0)
        off = measured(tmp_path)
        (router.root / "var/run/running/wireless").write_text(RADIOS_ON, encoding="utf-8")
        quiet = measured(tmp_path)
        router.life.seat(20)
        busy = measured(tmp_path)
    assert (off.wifi, off.clients, off.radios) == (False, 0, ())
    assert (quiet.wifi, quiet.clients) == (True, 0)
    names = [(radio.name, radio.band, radio.ssids) for radio in quiet.radios]
    assert names == [("phy0", "2.4", ('frei für "alle"',)), ("phy1", "5", ("frei",))]
    assert busy.clients in (20, 21, 22)
    assert busy.clients == sum(radio.clients or 0 for radio in busy.radios)
    assert isinstance(busy.radios[0], Radio)
    assert {each.name for each in busy.interfaces} == {"br-lan", "wan", "phy0-ap0", "phy1-ap0"}


def test_router_is_called_by_its_name(tmp_path: Path) -> None:
    with started(tmp_path) as router:
        assert ask(router, GET, SYS_NAME).variables == [(SYS_NAME, 4, b"eins-ap")]


def test_agent_that_is_silent_or_out_of_reach_gives_no_answer(tmp_path: Path) -> None:
    def answers() -> bool:
        found = wire.ask(router.ports["snmp"], GET, [SYS_NAME], community=COMMUNITY.encode(), seconds=MOMENT)
        return found is not None

    with started(tmp_path) as router:
        until(answers)
        router.silent.add("snmp")
        assert not answers()
        router.silent.clear()
        until(answers)
        router.power_cut()
        assert not answers()
        router.boot()
        until(answers)


def test_agents_are_still_understood_when_what_is_known_of_them_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent may say that it is another one each time, and pysnmp remembers all of them."""
    made: list[weakref.ref[object]] = []

    class Manager(snmp._Manager):
        def __init__(self, credentials: snmp.Credentials) -> None:
            super().__init__(credentials)
            made.append(weakref.ref(self))

    monkeypatch.setattr(snmp, "MOST_KNOWN", 0)
    monkeypatch.setattr(snmp, "_Manager", Manager)
    with started(tmp_path, "v3"), Asker(tmp_path) as asker:
        assert [asker.read(LONG).failure for _ in range(3)] == [None, None, None]
        gc.collect()
        assert len(made) > 1
        assert sum(each() is not None for each in made) == 1


@pytest.mark.parametrize(("profile", "failure"), [("v2c", Failure.TIMEOUT), ("v3", Failure.AUTH)])
def test_wrong_secret_is_not_let_in(tmp_path: Path, profile: str, failure: Failure) -> None:
    with started(tmp_path, profile) as router:
        house(tmp_path, profile, router.endpoints()["snmp"], community="mistaken", auth="mistaken")
        with Asker(tmp_path) as asker:
            assert asker.read(SHORT if failure is Failure.TIMEOUT else LONG).failure is failure


def test_user_below_the_level_of_the_profile_may_not_read(tmp_path: Path) -> None:
    with started(tmp_path, "v3") as router:
        house(tmp_path, "auth", router.endpoints()["snmp"])
        with Asker(tmp_path) as asker:
            assert asker.read(LONG).failure is Failure.AUTH


@pytest.mark.parametrize("profile", ["v2c", "v3"])
def test_garbage_is_ignored(tmp_path: Path, profile: str) -> None:
    with started(tmp_path, profile) as router:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            for data in (b"", b"\x30", b"\x30\x82\xff\xff", bytes(range(256)), b"\x30\x03\x02\x01\x01"):
                line.sendto(data, ("127.0.0.1", router.ports["snmp"]))
        measured(tmp_path)


def test_agents_speak_as_rfc_3416_says(tmp_path: Path) -> None:
    with started(tmp_path) as router:
        missing = dotted("1.3.6.1.2.1.1.99.0")
        got = ask(router, GET, SYS_NAME, missing)
        assert [(name, tag) for name, tag, _ in got.variables] == [(SYS_NAME, 4), (missing, 0x81)]
        assert ask(router, NEXT, dotted("1.3.6.1.2.1.1"), SYS_UPTIME).oids[0] == SYS_DESCR
        rows = ask(router, BULK, dotted("1.3.6.1.2.1.2.2.1.1"), dotted("1.3.6.1.2.1.2.2.1.2"), repetitions=2)
        assert [(name[-2], name[-1]) for name in rows.oids] == [(1, 1), (2, 1), (1, 2), (2, 2)]
        end = ask(router, BULK, dotted("1.3.6.1.5"), repetitions=3)
        assert {(name, tag) for name, tag, _ in end.variables} == {(dotted("1.3.6.1.5"), 0x82)}


def test_walk_comes_to_an_end_and_finds_each_value_once(tmp_path: Path) -> None:
    with started(tmp_path) as router:
        seen: list[wire.Oid] = [dotted("1.3")]
        while True:
            ((name, tag, _),) = ask(router, NEXT, seen[-1]).variables
            if tag == 0x82:
                break
            seen.append(name)
    assert seen == sorted(set(seen))
    assert SYS_NAME in seen
    assert not [name for name in seen if name[: len(WIRELESS)] == WIRELESS], "stock OpenWrt tells nothing of its Wi-Fi"


@pytest.mark.parametrize("profile", ["v1", ""])
def test_what_the_lab_does_not_speak_is_told(tmp_path: Path, profile: str) -> None:
    with pytest.raises(LabError, match="the lab's agents speak v2c and v3"), started(tmp_path, profile):
        pass
    assert not (tmp_path / "lab").exists()
