"""SNMP: what agents tell becomes what is measured, what they break stays theirs, and nothing secret is said."""

from __future__ import annotations

import asyncio
import gc
import random
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pysnmp.proto.api import v2c

from tests.sources import snmp_wire as wire
from tests.sources.snmp_house import COMMUNITY, Asker, house
from tests.sources.snmp_wire import BULK, GET, MISSING, NULL, Message, Oid, Var, WireAgent, dotted, number, text
from wifimgr.inventory import load
from wifimgr.model import Failure, Interface, Measured, Radio
from wifimgr.sources import SourceError
from wifimgr.sources.snmp import MOST_REPETITIONS, MOST_ROWS, Agent, introduce

SYS_NAME = dotted("1.3.6.1.2.1.1.5.0")
SYS_DESCR, SYS_UPTIME, HOST_UPTIME = map(dotted, ("1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.25.1.1.0"))
LOAD, MEMORY = dotted("1.3.6.1.4.1.2021.10.1.5.1"), dotted("1.3.6.1.4.1.2021.4")
IF, IFX = dotted("1.3.6.1.2.1.2.2.1"), dotted("1.3.6.1.2.1.31.1.1.1")
WIRELESS = dotted("1.3.6.1.4.1.66510.1.10")
SHORT = 2.5
"""Seconds for polls that are meant to end without an answer."""

Tree = dict[Oid, bytes]


def interface(index: int, name: str, received: int, sent: int) -> Tree:
    """One network interface, as net-snmp tells of it."""
    return {
        (*IF, 2, index): text(name.encode()),
        (*IF, 8, index): number(1),
        (*IF, 10, index): number(received % 2**32, wire.COUNTER32),
        (*IF, 14, index): number(3, wire.COUNTER32),
        (*IF, 16, index): number(sent % 2**32, wire.COUNTER32),
        (*IF, 20, index): number(4, wire.COUNTER32),
        (*IFX, 1, index): text(name.encode()),
        (*IFX, 6, index): number(received, wire.COUNTER64),
        (*IFX, 10, index): number(sent, wire.COUNTER64),
    }


def stock() -> Tree:
    """A router with stock OpenWrt."""
    return {
        SYS_DESCR: text(b"Linux OpenWrt 5.15.150 #0 Fri Mar 22 22:09:42 2024 mips"),
        SYS_UPTIME: number(100_000, wire.TIME_TICKS),
        HOST_UPTIME: number(360_000, wire.TIME_TICKS),
        LOAD: number(42),
        (*MEMORY, 5, 0): number(120_000),
        (*MEMORY, 6, 0): number(30_000),
        (*MEMORY, 14, 0): number(2_000),
        (*MEMORY, 15, 0): number(8_000),
        **interface(1, "lo", 1, 1),
        **interface(2, "br-lan", 2**40, 2**63 - 1),
    }


def answers(tree: Tree) -> wire.Behave:
    """Behaves as RFC 3416 says."""
    order = sorted(tree)

    def after(name: Oid) -> Var:
        found = next((each for each in order if each > name), None)
        return (found, tree[found]) if found else (name, wire.END)

    def behave(asked: Message) -> Iterable[bytes]:
        if asked.tag == GET:
            return [asked.answer([(name, tree.get(name, MISSING)) for name in asked.oids])]
        row, variables = asked.oids, []
        for _ in range(asked.index):
            new = [after(name) for name in row]
            variables += new
            row = [name for name, _ in new]
        return [asked.answer(variables)]

    return behave


@contextmanager
def asking(folder: Path, behave: wire.Behave) -> Iterator[tuple[Asker, WireAgent]]:
    """Somebody who asks, and an agent that behaves."""
    with WireAgent(behave) as agent:
        house(folder, "v2c", f"127.0.0.1:{agent.port}")
        with Asker(folder) as asker:
            yield asker, agent


def measured(folder: Path, tree: Tree) -> Measured:
    """What is made of what an agent tells."""
    with asking(folder, answers(tree)) as (asker, _):
        reading = asker.read()
    assert reading.measured is not None, reading.detail
    return reading.measured


# --- who it is ---


def introduced(folder: Path, tree: Tree, profile: str = "v2c") -> Agent:
    """What an agent says about itself."""
    with WireAgent(answers(tree)) as agent:
        house(folder, profile, f"127.0.0.1:{agent.port}")
        inventory = load(folder)
        return asyncio.run(introduce(inventory.network, inventory.routers["eins-ap"], 20.0))


@pytest.mark.parametrize("profile", ["v1", "v2c"])
def test_an_agent_introduces_itself(tmp_path: Path, profile: str) -> None:
    tree = stock() | {SYS_NAME: text(b"K\xc3\xbcche \xff" + b"x" * 500)}
    found = introduced(tmp_path, tree, profile)
    assert found.description == "Linux OpenWrt 5.15.150 #0 Fri Mar 22 22:09:42 2024 mips"
    assert (found.name[:8], len(found.name)) == ("Küche \ufffdx", 200)


def test_an_agent_that_says_half_of_it_or_nothing(tmp_path: Path) -> None:
    assert introduced(tmp_path, {SYS_NAME: text(b"ap")}) == Agent("ap", "")
    assert introduced(tmp_path, {SYS_NAME: text(b"ap"), SYS_DESCR: number(7)}) == Agent("ap", "")
    with pytest.raises(SourceError) as caught:
        introduced(tmp_path, {})
    assert caught.value.failure is Failure.ANSWER
    assert "does not say who it is" in caught.value.detail


# --- what is measured ---


def test_stock_openwrt_tells_all_but_its_wifi(tmp_path: Path) -> None:
    found = measured(tmp_path, stock())
    assert found.boot is not None
    assert abs(datetime.now(UTC) - timedelta(hours=1) - found.boot) < timedelta(minutes=2)
    assert found.load == 0.42
    assert found.memory_total == 120_000 * 1024
    assert found.memory_available == 40_000 * 1024
    octets = {"receive_bytes": 2**40, "transmit_bytes": 2**63 - 1}
    assert found.interfaces == (Interface(name="br-lan", up=True, **octets, receive_errors=3, transmit_errors=4),)
    assert (found.wifi, found.clients, found.radios, found.internet) == (None, None, (), None)
    assert found.firmware == "", "what a kernel is called says nothing about OpenWrt"


def test_what_an_agent_does_not_tell_is_none_and_never_zero(tmp_path: Path) -> None:
    assert measured(tmp_path, {LOAD: number(0)}) == Measured(load=0.0)


def test_newer_agent_tells_the_available_memory_itself(tmp_path: Path) -> None:
    tree = stock() | {(*MEMORY, 27, 0): number(50_000, wire.COUNTER64)}
    assert measured(tmp_path, tree).memory_available == 50_000 * 1024


def test_sum_with_a_missing_part_is_not_told(tmp_path: Path) -> None:
    tree = stock()
    del tree[(*MEMORY, 15, 0)]
    assert measured(tmp_path, tree).memory_available is None


def test_agent_without_host_resources_tells_its_own_uptime(tmp_path: Path) -> None:
    tree = stock()
    del tree[HOST_UPTIME]
    boot = measured(tmp_path, tree).boot
    assert boot is not None
    assert timedelta(seconds=990) < datetime.now(UTC) - boot < timedelta(seconds=1200)


def test_release_counts_as_firmware_where_somebody_wrote_it_down(tmp_path: Path) -> None:
    tree = stock() | {SYS_DESCR: text(b"OpenWrt 23.05.5 at the town hall")}
    assert measured(tmp_path, tree).firmware == "OpenWrt 23.05.5"


def test_agent_with_old_counters_only_is_asked_for_those(tmp_path: Path) -> None:
    tree = {name: value for name, value in stock().items() if name[: len(IFX)] != IFX}
    tree |= {(*IF, 8, 2): number(7), (*IF, 2, 2): text(b"eth0")}
    octets = {"receive_bytes": 0, "transmit_bytes": 2**32 - 1}
    expected = Interface(name="eth0", up=False, **octets, receive_errors=3, transmit_errors=4)
    assert measured(tmp_path, tree).interfaces == (expected,)


def test_wireless_mib_tells_radios_and_guests(tmp_path: Path) -> None:
    rows = {
        7: ("phy0-ap0", "freifunk", 3, 2437, 40),
        8: ("phy0-ap1", "freifunk-test", 1, 2437, 40),
        9: ("phy0-mesh0", "mesh", 2, 2437, 40),
        10: ("phy1-ap0", "freifunk", 5, 5180, None),
        11: ("phy2-ap0", "freifunk", 0, 6115, 0),
    }
    tree = stock() | {(*WIRELESS, 1, 0): number(5, wire.GAUGE32), (*WIRELESS, 2, 0): number(8, wire.GAUGE32)}
    for index, (name, ssid, clients, mhz, busy) in rows.items():
        column = (*WIRELESS, 3, 1)
        tree |= {(*column, 2, index): text(name.encode()), (*column, 3, index): text(ssid.encode())}
        tree |= {(*column, 4, index): number(clients, wire.GAUGE32), (*column, 5, index): number(mhz, wire.GAUGE32)}
        tree |= {} if busy is None else {(*column, 16, index): number(busy, wire.GAUGE32)}
    found = measured(tmp_path, tree)
    assert (found.wifi, found.clients) == (True, 8)
    assert found.radios == (
        Radio(name="phy0", band="2.4", up=True, ssids=("freifunk", "freifunk-test"), clients=4, busy=0.4),
        Radio(name="phy1", band="5", up=True, ssids=("freifunk",), clients=5),
        Radio(name="phy2", band="6", up=True, ssids=("freifunk",), clients=0, busy=0.0),
    )


def test_wireless_mib_without_networks_means_that_nothing_is_on_the_air(tmp_path: Path) -> None:
    tree = stock() | {(*WIRELESS, 1, 0): number(0, wire.GAUGE32), (*WIRELESS, 2, 0): number(0, wire.GAUGE32)}
    found = measured(tmp_path, tree)
    assert (found.wifi, found.clients, found.radios) == (False, 0, ())


@pytest.mark.parametrize(
    "value",
    [text(b"soon"), number(-5), number(2**64 - 1, wire.COUNTER64), text(b"\xff\x00"), wire.element(6, b"\x2b\x06")],
    ids=["text", "negative", "too large", "octets", "an OID"],
)
def test_value_of_a_wrong_type_is_not_told(tmp_path: Path, value: bytes) -> None:
    names = (HOST_UPTIME, SYS_UPTIME, LOAD, (*MEMORY, 5, 0), (*IFX, 6, 2), (*IF, 8, 2))
    found = measured(tmp_path, stock() | dict.fromkeys(names, value))
    assert (found.boot, found.load, found.memory_total) == (None, None, None)
    assert (found.interfaces[0].receive_bytes, found.interfaces[0].up) == (None, None)
    assert found.interfaces[0].transmit_bytes == 2**63 - 1


def test_names_from_outside_pass_through_unharmed(tmp_path: Path) -> None:
    name = '<script>\n"$(id)" \' \u202e ä'
    tree = stock() | {(*IFX, 1, 2): text(name.encode())}
    with asking(tmp_path, answers(tree)) as (asker, _):
        reading = asker.read()
    assert reading.measured is not None
    assert reading.measured.interfaces[0].name == name
    assert all(line.isprintable() for line in asker.said), "what is said goes to a terminal"


# --- how it is asked ---


def test_poll_takes_two_datagrams(tmp_path: Path) -> None:
    with asking(tmp_path, answers(stock())) as (asker, agent):
        asker.read()
    assert [asked.tag for asked in agent.asked] == [GET, BULK]


def test_answers_stay_within_one_datagram_that_no_link_cuts(tmp_path: Path) -> None:
    tree = stock()
    for index in range(3, 30):
        tree |= interface(index, f"wlan{index}-some-long-name", 2**62, 2**62)
    sizes: list[int] = []
    good = answers(tree)

    def behave(asked: Message) -> Iterable[bytes]:
        found = list(good(asked))
        sizes.extend(map(len, found))
        return found

    with asking(tmp_path, behave) as (asker, agent):
        reading = asker.read()
    assert reading.measured is not None
    assert len(reading.measured.interfaces) == 28
    assert max(sizes) < 1472
    assert all(asked.index <= MOST_REPETITIONS for asked in agent.asked if asked.tag == BULK)


def test_explaining_names_each_value_and_no_secret(tmp_path: Path) -> None:
    with asking(tmp_path, answers(stock())) as (asker, _):
        asker.read()
    said = "\n".join(asker.said)
    assert "SNMP v2c to 127.0.0.1:" in said
    assert "asking for 11 single values\n8 values came\n" in said
    assert "  1.3.6.1.4.1.2021.10.1.5.1 = 42\n" in said
    assert "  1.3.6.1.2.1.31.1.1.1.1.2 = br-lan\n" in said
    assert COMMUNITY not in said


def test_routers_are_asked_at_the_same_time(tmp_path: Path) -> None:
    """The first agent answers only when the second one was asked."""
    asked_too = threading.Event()
    good = answers(stock())

    def waits(asked: Message) -> Iterable[bytes]:
        assert asked_too.wait(20)
        return good(asked)

    def tells(asked: Message) -> Iterable[bytes]:
        asked_too.set()
        return good(asked)

    with WireAgent(waits) as first, WireAgent(tells) as second:
        house(tmp_path, "v2c", f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}")
        with Asker(tmp_path) as asker:
            readings = asker.read_both(20)
    assert [reading.failure for reading in readings] == [None, None]


def test_same_agent_asked_twice_at_once_answers_both(tmp_path: Path) -> None:
    with WireAgent(answers(stock())) as agent:
        house(tmp_path, "v2c", *[f"127.0.0.1:{agent.port}"] * 2)
        with Asker(tmp_path) as asker:
            assert [reading.failure for reading in asker.read_both()] == [None, None]


def test_changed_community_is_used_at_the_next_poll(tmp_path: Path) -> None:
    with asking(tmp_path, answers(stock())) as (asker, agent):
        asker.read()
        (tmp_path / "secrets/community").write_text("another", encoding="utf-8")
        assert asker.read().failure is None
    assert {asked.community for asked in agent.asked} == {COMMUNITY.encode(), b"another"}


@pytest.mark.parametrize("address", ["localhost", "[::1]", "[::1%1]"])
def test_names_ipv6_and_zones_work(tmp_path: Path, address: str) -> None:
    (family, *_), *_ = socket.getaddrinfo(address.strip("[]"), 161, type=socket.SOCK_DGRAM)
    with WireAgent(answers(stock()), family) as agent:
        house(tmp_path, "v2c", f"{address}:{agent.port}")
        with Asker(tmp_path) as asker:
            assert asker.read().failure is None


def test_snmp_v1_finds_what_there_is_and_leaves_out_what_is_missing(tmp_path: Path) -> None:
    """RFC 1157: no GETBULK, no Counter64, and one missing OID spoils the whole answer."""
    tree = {name: value for name, value in stock().items() if value[0] != wire.COUNTER64}
    order = sorted(tree)

    def behave(asked: Message) -> Iterable[bytes]:
        found = asked.oids
        if asked.tag == wire.NEXT:
            found = [next((each for each in order if each > name), ()) for name in asked.oids]
        missing = next((index for index, name in enumerate(found, 1) if name not in tree), 0)
        variables = [(name, NULL) for name in asked.oids] if missing else [(name, tree[name]) for name in found]
        return [asked.answer(variables, status=2 if missing else 0, index=missing)]

    with WireAgent(behave) as agent:
        house(tmp_path, "v1", f"127.0.0.1:{agent.port}")
        with Asker(tmp_path) as asker:
            found = asker.read().measured
    assert found is not None
    assert (found.load, found.memory_total) == (0.42, 120_000 * 1024)
    octets = {"receive_bytes": 0, "transmit_bytes": 2**32 - 1}
    assert found.interfaces == (Interface(name="br-lan", up=True, **octets, receive_errors=3, transmit_errors=4),)


# --- what goes wrong ---


def test_silent_agent_is_asked_twice_and_then_given_up(tmp_path: Path) -> None:
    with asking(tmp_path, lambda asked: []) as (asker, agent):
        reading = asker.read(SHORT)
    assert reading.failure is Failure.TIMEOUT
    assert reading.detail == "no answer: wrong community, a firewall, or snmpd is not running"
    assert len(agent.asked) == 2


def test_lost_datagram_is_asked_for_again(tmp_path: Path) -> None:
    good = answers(stock())
    with asking(tmp_path, lambda asked: []) as (asker, agent):
        agent.behave = lambda asked: good(asked) if len(agent.asked) > 1 else []
        assert asker.read(4).failure is None


def test_late_answer_to_the_first_question_counts(tmp_path: Path) -> None:
    """A slow agent answers the first question while the second one is on its way."""
    good = answers(stock())

    def behave(asked: Message) -> Iterable[bytes]:
        if len(agent.asked) <= 2:
            return good(agent.asked[0]) if len(agent.asked) == 2 else []
        return good(asked)

    with asking(tmp_path, behave) as (asker, agent):
        assert asker.read(4).failure is None


def test_closed_port_is_told_at_once(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    house(tmp_path, "v2c", f"127.0.0.1:{port}")
    with Asker(tmp_path) as asker:
        reading = asker.read(60)
    assert reading.failure is Failure.REFUSED
    assert "nothing listens on its SNMP port" in reading.detail


def test_name_that_does_not_exist_is_told(tmp_path: Path) -> None:
    house(tmp_path, "v2c", "no-such-router.invalid:161")
    with Asker(tmp_path) as asker:
        reading = asker.read(20)
    assert reading.failure is Failure.REFUSED
    assert "there is no way to it" in reading.detail


def test_router_without_a_profile_is_not_asked(tmp_path: Path) -> None:
    house(tmp_path, "")
    with Asker(tmp_path) as asker:
        reading = asker.read()
    assert reading.failure is Failure.SETUP
    assert "it has no SNMP profile" in reading.detail


def test_missing_secret_is_told_with_the_place_where_it_is_named(tmp_path: Path) -> None:
    house(tmp_path, "v2c", "127.0.0.1:9")
    (tmp_path / "secrets/community").unlink()
    with Asker(tmp_path) as asker:
        reading = asker.read()
    assert reading.failure is Failure.SETUP
    assert "inventory/network.yaml:7" in reading.detail
    assert "secrets/community" in reading.detail


@pytest.mark.parametrize("profile", ["v2c", "v3"])
@pytest.mark.parametrize("size", [1, 60, 1400])
def test_random_octets_are_no_answer(tmp_path: Path, profile: str, size: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        line.settimeout(30)
        house(tmp_path, profile, f"127.0.0.1:{line.getsockname()[1]}")

        def answer_once() -> None:
            _, client = line.recvfrom(65535)
            line.sendto(random.Random(size).randbytes(size), client)

        thread = threading.Thread(target=answer_once)
        thread.start()
        with Asker(tmp_path) as asker:
            reading = asker.read(SHORT)
        thread.join()
    assert reading.failure is Failure.ANSWER
    assert "no answer to our question" in reading.detail


def test_truncated_answer_is_no_answer(tmp_path: Path) -> None:
    good = answers(stock())
    with asking(tmp_path, lambda asked: [datagram[:-5] for datagram in good(asked)]) as (asker, _):
        assert asker.read(SHORT).failure is Failure.ANSWER


BAD: dict[str, Callable[[Message], bytes]] = {
    "garbage": lambda asked: b"\x30",
    "truncated": lambda asked: asked.answer([(LOAD, number(99))])[:-1],
    "other request": lambda asked: replace(asked, request_id=asked.request_id + 1).answer([(LOAD, number(99))]),
    "other community": lambda asked: replace(asked, community=b"other").answer([(LOAD, number(99))]),
    "a question": lambda asked: asked.answer([(LOAD, NULL)], tag=GET),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_good_answer_after_a_bad_datagram_counts(tmp_path: Path, bad: Callable[[Message], bytes]) -> None:
    good = answers(stock())
    with asking(tmp_path, lambda asked: [bad(asked), *good(asked)]) as (asker, _):
        reading = asker.read()
    assert reading.measured is not None, reading.detail
    assert reading.measured.load == 0.42


def test_report_is_no_answer_in_v2c(tmp_path: Path) -> None:
    report = [(LOAD, number(99))]
    with asking(tmp_path, lambda asked: [asked.answer(report, tag=wire.REPORT)]) as (asker, _):
        assert asker.read(SHORT).failure is Failure.ANSWER


def test_answer_from_another_port_is_not_taken(tmp_path: Path) -> None:
    good = answers(stock() | {LOAD: number(99)})

    def behave(asked: Message) -> Iterable[bytes]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            for datagram in good(asked):
                other.sendto(datagram, agent.client)
        return []

    with asking(tmp_path, behave) as (asker, agent):
        assert asker.read(SHORT).failure is Failure.TIMEOUT


@pytest.mark.parametrize(
    ("status", "failure"), [(5, Failure.ANSWER), (16, Failure.AUTH)], ids=["genErr", "authorizationError"]
)
def test_error_status_is_a_failure(tmp_path: Path, status: int, failure: Failure) -> None:
    with asking(tmp_path, lambda asked: [asked.answer([], status=status)]) as (asker, _):
        assert asker.read().failure is failure


def test_value_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    """genErr (RFC 3416) names the OID that the agent stumbles over."""
    good = answers(stock())

    def behave(asked: Message) -> Iterable[bytes]:
        if LOAD in asked.oids:
            variables = [(name, NULL) for name in asked.oids]
            return [asked.answer(variables, status=5, index=asked.oids.index(LOAD) + 1)]
        return good(asked)

    with asking(tmp_path, behave) as (asker, _):
        found = asker.read().measured
    assert found is not None
    assert (found.load, found.memory_total) == (None, 120_000 * 1024)


def test_agent_that_can_say_only_little_is_asked_for_less(tmp_path: Path) -> None:
    """tooBig (RFC 3416): the answer would not fit."""
    good = answers(stock())

    def behave(asked: Message) -> Iterable[bytes]:
        values = len(asked.oids) * max(asked.index, 1)
        return good(asked) if values <= 6 else [asked.answer([], status=1)]

    with asking(tmp_path, behave) as (asker, _):
        found = asker.read().measured
    assert found is not None
    assert (found.load, found.interfaces[0].receive_bytes) == (0.42, 2**40)


@pytest.mark.parametrize("behave", [answers({}), lambda asked: [asked.answer([])]], ids=["nothing there", "no values"])
def test_agent_that_shows_nothing_is_told(tmp_path: Path, behave: wire.Behave) -> None:
    with asking(tmp_path, behave) as (asker, _):
        reading = asker.read()
    assert reading.failure is Failure.ANSWER
    assert "look at its view" in reading.detail


# --- tables that lead astray ---


def table_astray(folder: Path, rows: wire.Behave) -> tuple[Measured, WireAgent]:
    """What is made of an agent that answers a GETBULK as it likes."""
    good = answers(stock())
    with asking(folder, lambda asked: rows(asked) if asked.tag == BULK else good(asked)) as (asker, agent):
        reading = asker.read(60)
    assert reading.measured is not None, reading.detail
    return reading.measured, agent


def test_endless_table_is_cut(tmp_path: Path) -> None:
    names = (*IFX, 1)

    def behave(asked: Message) -> Iterable[bytes]:
        index = next((name[-1] for name in asked.oids if name[: len(names)] == names and len(name) > len(names)), 0)
        return [asked.answer([((*names, index + more), text(b"eth0")) for more in range(1, asked.index + 1)])]

    found, agent = table_astray(tmp_path, behave)
    assert len(found.interfaces) == MOST_ROWS
    assert len(agent.asked) < MOST_ROWS


def test_table_that_goes_round_in_circles_ends(tmp_path: Path) -> None:
    circle = [((*IFX, 1, index), text(b"eth%d" % index)) for index in (1, 2, 3)]
    found, agent = table_astray(tmp_path, lambda asked: [asked.answer(circle)])
    assert [each.name for each in found.interfaces] == ["eth1", "eth2", "eth3"]
    assert len(agent.asked) < 10


def test_table_that_goes_back_ends(tmp_path: Path) -> None:
    def behave(asked: Message) -> Iterable[bytes]:
        return [asked.answer([((*name[:-1], name[-1] - 1), number(1)) for name in asked.oids])]

    found, agent = table_astray(tmp_path, behave)
    assert found.interfaces == ()
    assert len(agent.asked) < 10


def test_table_is_put_together_by_oid_and_not_by_place(tmp_path: Path) -> None:
    """Some agents answer a long GETBULK out of order."""
    good = answers(stock())

    def behave(asked: Message) -> Iterable[bytes]:
        (datagram,) = good(asked)
        variables = [(name, wire.element(kind, value)) for name, kind, value in Message.read(datagram).variables]
        return [asked.answer(reversed(variables))]

    found, _ = table_astray(tmp_path, behave)
    octets = [(each.name, each.receive_bytes, each.transmit_bytes) for each in found.interfaces]
    assert octets == [("br-lan", 2**40, 2**63 - 1)]


def test_columns_of_different_length_end_one_by_one(tmp_path: Path) -> None:
    tree = stock() | {(*IFX, 1, index): text(b"eth%d" % index) for index in range(3, 40)}
    found = measured(tmp_path, tree)
    assert len(found.interfaces) == 38
    assert {each.receive_bytes for each in found.interfaces[1:]} == {None}


# --- what pysnmp cannot do ---


def test_counter_without_its_zero_octet_is_refused_by_pysnmp(tmp_path: Path) -> None:
    """Some agents write 4294967295 as ff ff ff ff. pysnmp takes it for -1 and drops the whole answer."""
    tree = stock() | {(*IF, 14, 2): wire.element(wire.COUNTER32, b"\xff" * 4)}
    with asking(tmp_path, answers(tree)) as (asker, _):
        assert asker.read(SHORT).failure is Failure.ANSWER


# --- nothing is left behind ---


def test_no_socket_stays_open(tmp_path: Path) -> None:
    with asking(tmp_path, answers(stock())) as (asker, _):
        asker.read()
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(5):
            asker.read()
        assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_question_that_was_given_up_is_forgotten(tmp_path: Path) -> None:
    def remembered() -> int:
        gc.collect()
        return sum(isinstance(each, v2c.GetRequestPDU) for each in gc.get_objects())

    with asking(tmp_path, lambda asked: []) as (asker, _):
        asker.read(0.2)
        before = remembered()
        for _ in range(5):
            asker.read(0.2)
        assert remembered() <= before
