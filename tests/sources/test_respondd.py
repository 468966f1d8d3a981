"""respondd: what is taken from an answer, what never is, and what happens to answers that are none."""

from __future__ import annotations

import asyncio
import json
import zlib
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.networks import SITE
from tests.sources.asking import ask, listening
from wifimgr.model import Failure, Interface, Internet, Radio
from wifimgr.settings import Endpoint
from wifimgr.sources import SourceError
from wifimgr.sources.respondd import Node, introduce, measured, unpack
from wifimgr.sources.told import Told

NODE: dict[str, Any] = {
    "nodeinfo": {
        "node_id": "02005e000001",
        "hostname": "ff-haus-eins",
        "hardware": {"model": "TP-Link Archer C7 v5", "nproc": 1},
        "network": {
            "mac": "02:00:5e:00:00:01",
            "addresses": ["fe80::5eff:fe00:1", "2001:db8::5eff:fe00:1"],
            "mesh": {"bat0": {"interfaces": {"wireless": ["02:00:5e:00:00:02"], "tunnel": ["02:00:5e:00:00:03"]}}},
        },
        "software": {
            "firmware": {"base": "gluon-v2023.2.4", "release": "2.4.1", "target": "ath79"},
            "batman-adv": {"version": "2023.1", "compat": 15},
            "fastd": {"version": "v22", "enabled": True},
        },
        "location": {"latitude": 51.4187, "longitude": 6.7561},
        "owner": {"contact": "someone@example.org"},
    },
    "statistics": {
        "node_id": "02005e000001",
        "uptime": 86400.52,
        "loadavg": 0.24,
        "memory": {"total": 124320, "free": 61000, "available": 70000, "buffers": 1000, "cached": 9000},
        "clients": {"total": 9, "wifi": 7, "wifi24": 2, "wifi5": 5, "wifi6": 0, "owe": 1, "owe24": 0, "owe5": 1},
        "traffic": {"rx": {"packets": 10, "bytes": 5000000000}, "tx": {"packets": 20, "bytes": 700, "dropped": 1}},
        "gateway": "02:00:5e:00:01:01",
        "gateway_nexthop": "02:00:5e:00:01:02",
        "gateway_tq": 255,
        "mesh_vpn": {"groups": {"backbone": {"peers": {"gw1": {"established": 80000.1}, "gw2": None}}}},
        "wireless": [
            {"frequency": 2437, "active": 100, "busy": 50, "noise": -95},
            {"frequency": 5220.0, "active": 100, "busy": 5, "noise": -100},
        ],
    },
}
PERSONAL = ("someone", "@", ":5e:", "02005e", "2001:db8", "fe80", "51.4", "6.75", "ff-haus", "gw1")


def packed(value: object) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(json.dumps(value).encode()) + stream.flush()


def node(**changes: Any) -> Told:
    """A node whose statistics differ; None takes a key out."""
    told = deepcopy(NODE)
    told["statistics"] |= changes
    told["statistics"] = {key: value for key, value in told["statistics"].items() if value is not None}
    return Told(told)


# --- values ---


def test_values_of_a_gluon_node() -> None:
    found = measured(unpack(packed(NODE)))
    assert found.boot
    assert abs(datetime.now(UTC) - timedelta(days=1) - found.boot) < timedelta(minutes=1)
    assert (found.load, found.memory_total, found.memory_available) == (0.24, 124320 * 1024, 70000 * 1024)
    assert (found.model, found.firmware) == ("TP-Link Archer C7 v5", "2.4.1")
    assert (found.wifi, found.clients) == (True, 7)
    assert found.radios == (
        Radio(name="wifi24", band="2.4", up=True, clients=2),
        Radio(name="wifi5", band="5", up=True, clients=5),
    )
    assert found.interfaces == (Interface(name="bat0", receive_bytes=5000000000, transmit_bytes=700),)
    assert found.internet == Internet(works=True, asked_from="mesh")
    assert found.round_trip is None


def test_nothing_personal_is_taken() -> None:
    assert [word for word in PERSONAL if word not in json.dumps(NODE)] == []
    shown = repr(measured(Told(NODE)))
    assert [word for word in PERSONAL if word in shown] == []


def test_what_is_not_told_is_not_zero() -> None:
    found = measured(unpack(packed({"nodeinfo": {}, "statistics": {}})))
    assert (found.boot, found.load, found.memory_total, found.wifi, found.clients) == (None,) * 5
    assert (found.radios, found.interfaces, found.internet, found.model) == ((), (), None, "")


def test_null_and_nonsense_in_place_of_lists_and_objects() -> None:
    found = measured(
        node(wireless=0, clients=[], traffic=7, memory="x", gateway=[], gateway_nexthop={}, mesh_vpn=1, uptime="long")
    )
    assert (found.wifi, found.clients, found.radios, found.interfaces) == (None, None, (), ())
    assert found.internet == Internet(works=False, asked_from="mesh", why="no gateway in the mesh")
    null = deepcopy(NODE)
    null["statistics"]["wireless"] = null["statistics"]["clients"] = null["nodeinfo"]["network"] = None
    assert measured(Told(null)).interfaces[0].name == "bat0"


@pytest.mark.parametrize(
    ("clients", "expected"),
    [
        ({"wifi": 0.0, "wifi24": 0}, 0),
        ({"wifi24": 2, "wifi6": 1}, 3),
        ({"total": 4}, None),
        ({"wifi": None, "wifi5": 3.0}, 3),
        ({}, None),
    ],
)
def test_clients_are_those_on_wifi(clients: dict[str, object], expected: int | None) -> None:
    assert measured(node(clients=clients)).clients == expected


def test_wifi_is_not_known_without_a_radio_in_use_or_anybody_on_it() -> None:
    assert measured(node(wireless=[], clients={"wifi": 0})).wifi is None
    assert measured(node(wireless=[{"frequency": 2412}], clients={"wifi": 0})).wifi is True
    assert measured(node(wireless=None, clients={"wifi": 1})).wifi is True


def test_radios_have_names_of_their_own_and_the_first_of_a_band_has_its_clients() -> None:
    radios = measured(
        node(wireless=[{"frequency": each} for each in (5180, 2472, 5745, 6135, 60480, None)], clients={"wifi5": 4})
    ).radios
    assert [(radio.name, radio.band, radio.clients) for radio in radios] == [
        ("wifi5", "5", 4),
        ("wifi24", "2.4", None),
        ("wifi5-2", "5", None),
        ("wifi6", "6", None),
    ]


PEER = {"established": 12.5}


@pytest.mark.parametrize(
    ("changes", "works", "why"),
    [
        ({}, True, ""),
        ({"gateway_tq": None}, True, ""),
        ({"gateway_tq": 0}, False, "its gateway is out of reach"),
        ({"gateway": None, "gateway6": "2001:db8::1"}, True, ""),
        ({"gateway": None, "mesh_vpn": {"groups": {"a": {"peers": {"gw1": None}}}}}, False, "no VPN peer"),
        ({"gateway": None, "mesh_vpn": {"groups": {"a": {"peers": None}, "b": None}}}, False, "no VPN peer"),
        (
            {"gateway": None, "mesh_vpn": {"groups": {"a": {"groups": {"b": {"peers": {"x": PEER}}}}}}},
            False,
            "no gateway",
        ),
        ({"gateway": "", "mesh_vpn": None}, False, "no gateway in the mesh"),
    ],
)
def test_internet_by_gateway_and_vpn(changes: dict[str, Any], works: bool, why: str) -> None:
    internet = measured(node(**changes)).internet
    assert internet
    assert (internet.works, internet.asked_from) == (works, "mesh")
    assert internet.why.startswith(why)
    assert bool(internet.why) is not works


def test_internet_is_unknown_where_a_node_would_not_tell_its_gateway() -> None:
    told = deepcopy(NODE)
    del told["statistics"]["gateway"], told["statistics"]["mesh_vpn"], told["nodeinfo"]["software"]["batman-adv"]
    assert measured(Told(told)).internet is None
    assert measured(Told({"nodeinfo": NODE["nodeinfo"]})).internet is None


@given(st.data())
def test_any_value_anywhere_is_no_accident(data: st.DataObject) -> None:
    told = deepcopy(NODE)
    at = told
    while True:
        key = data.draw(st.sampled_from(list(at)))
        if not isinstance(at[key], dict) or not at[key] or data.draw(st.booleans()):
            break
        at = at[key]
    at[key] = data.draw(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.just([])
        | st.just({})
        | st.just([None])
    )
    measured(Told.read(json.dumps(told).encode()))


# --- answers ---


def test_unfinished_streams_are_read() -> None:
    stream = zlib.compressobj(wbits=-15)
    unfinished = stream.compress(json.dumps(NODE).encode()) + stream.flush(zlib.Z_SYNC_FLUSH)
    assert not unfinished.endswith(packed(NODE)[-4:])
    assert measured(unpack(unfinished)).clients == 7


def test_long_answers_are_read() -> None:
    long = NODE | {"more": [str(zlib.crc32(str(each).encode())) for each in range(11000)]}
    assert 40_000 < len(packed(long)) < 65_000
    assert measured(unpack(packed(long))).clients == 7


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff\xff\xff",
        json.dumps(NODE).encode(),
        packed(NODE)[:200],
        packed([NODE]),
        packed({"neighbours": {}}),
        packed({"nodeinfo": 1, "statistics": None}),
        packed({"nodeinfo": {"hardware": {"model": "x" * (1 << 21)}}}),
        packed("[" * 100_000),
        zlib.compress(json.dumps(NODE).encode()),
    ],
    ids=["empty", "garbage", "plain", "cut", "list", "other", "null", "bomb", "deep", "zlib"],
)
def test_answers_that_are_none_say_so(answer: bytes) -> None:
    with pytest.raises(SourceError) as caught:
        unpack(answer)
    assert caught.value.failure is Failure.ANSWER
    assert "respondd" in caught.value.detail


# --- over the network ---


@pytest.mark.parametrize(("listen", "host"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("127.0.0.1", "localhost")])
def test_asks_for_what_it_uses_and_nothing_else(tmp_path: Path, listen: str, host: str) -> None:
    async def main() -> None:
        async with listening(lambda back, data, addr: back.sendto(packed(NODE), addr), listen) as (node, port):
            reading = await ask(tmp_path, f"{host}:{port}")
            assert reading.measured
            assert (reading.failure, reading.measured.clients) == (None, 7)
            assert node.asked == [b"GET nodeinfo statistics"]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("known", "told", "same"),
    [
        ("02005e000001", "02005e000001", True),
        ("02005E000001", "02005e000001", True),
        ("", "02005e000001", True),
        ("02005e000001", "", True),
        ("02005e000001", "02005e00\n\x1b[31m2", False),
        ("02005e000001", "02005e000002", False),
    ],
)
def test_another_node_at_the_address_is_no_answer_of_this_one(
    known: str, told: str, same: bool, tmp_path: Path
) -> None:
    """A node whose id the inventory does not know may be any."""
    answer = deepcopy(NODE)
    answer["nodeinfo"]["node_id"] = answer["statistics"]["node_id"] = told
    site = SITE + (f'    node_id: "{known}"\n' if known else "")

    async def main() -> None:
        async with listening(lambda back, data, addr: back.sendto(packed(answer), addr)) as (_, port):
            reading = await ask(tmp_path, f"127.0.0.1:{port}", site=site)
            assert (reading.failure is None) is same
            if not same:
                assert reading.failure is Failure.ANSWER
                assert reading.detail.isprintable()
                assert reading.detail.startswith("another node answers at this address: its node_id is 02005e00")
                assert reading.detail.endswith(f", the inventory has {known}")

    asyncio.run(main())


def test_a_node_introduces_itself_without_its_owner(tmp_path: Path) -> None:
    async def main() -> None:
        async with listening(lambda back, data, addr: back.sendto(packed(NODE), addr)) as (node, port):
            found = await introduce(Endpoint("127.0.0.1", port), 30.0)
            assert found == Node("02005e000001", "ff-haus-eins", "TP-Link Archer C7 v5", "2.4.1", True)
            assert node.asked == [b"GET nodeinfo"]
            assert "someone" not in repr(found)

    asyncio.run(main())


@pytest.mark.parametrize("info", [None, 1, {"software": {"firmware": []}}, {"hostname": {"a": 1}, "hardware": "x"}])
def test_a_node_that_tells_nonsense_introduces_nobody(info: Any) -> None:
    async def main() -> None:
        answer = {"nodeinfo": info, "statistics": {}}
        async with listening(lambda back, data, addr: back.sendto(packed(answer), addr)) as (_, port):
            assert await introduce(Endpoint("127.0.0.1", port), 30.0) == Node("", "", "", "", False)

    asyncio.run(main())


def test_a_lost_datagram_is_asked_again(tmp_path: Path) -> None:
    asked = []

    def second_time(back: asyncio.DatagramTransport, data: bytes, addr: Any) -> None:
        asked.append(addr)
        if len(asked) > 1:
            back.sendto(packed(NODE), addr)

    async def main() -> None:
        async with listening(second_time) as (_, port):
            assert (await ask(tmp_path, f"127.0.0.1:{port}", 3.0)).failure is None

    asyncio.run(main())


def test_answers_from_somebody_else_are_ignored(tmp_path: Path) -> None:
    async def main() -> None:
        async with listening(lambda *_: None) as (other, _):
            answered = []

            def from_another(back: asyncio.DatagramTransport, data: bytes, addr: Any) -> None:
                other.transport.sendto(packed(NODE), addr)
                answered.append(addr)

            async with listening(from_another) as (_, port):
                assert (await ask(tmp_path, f"127.0.0.1:{port}", 1.5)).failure is Failure.TIMEOUT
                assert answered

    asyncio.run(main())


def test_silence_is_a_timeout(tmp_path: Path) -> None:
    async def main() -> None:
        async with listening(lambda *_: None) as (node, port):
            reading = await ask(tmp_path, f"127.0.0.1:{port}", 1.5)
            assert (reading.failure, reading.measured) == (Failure.TIMEOUT, None)
            assert len(node.asked) > 1

    asyncio.run(main())


def test_nobody_there_is_refused(tmp_path: Path) -> None:
    async def main() -> int:
        async with listening(lambda *_: None) as (_, port):
            return port

    reading = asyncio.run(ask(tmp_path, f"127.0.0.1:{asyncio.run(main())}"))
    assert reading.failure is Failure.REFUSED
    assert "Connection refused" in reading.detail


def test_an_impossible_name_is_refused(tmp_path: Path) -> None:
    assert asyncio.run(ask(tmp_path, f"{'x' * 80}.example:1001")).failure is Failure.REFUSED


def test_garbage_is_an_answer_that_is_none(tmp_path: Path) -> None:
    async def main() -> None:
        async with listening(lambda back, data, addr: back.sendto(b"\x00garbage\n\x1b[31m", addr)) as (_, port):
            reading = await ask(tmp_path, f"127.0.0.1:{port}")
            assert reading.failure is Failure.ANSWER
            assert reading.detail.isprintable()

    asyncio.run(main())
