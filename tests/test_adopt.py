"""What is made of what a device tells: platform, name, sources, whose it is; and text from it does no harm."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.networks import NETWORK, SITE, write
from wifimgr import adopt
from wifimgr.adopt import Candidate, Device, Proposal, Wish, candidate, likely_sites, propose, refuse_known, refuse_met
from wifimgr.cli.output import cell
from wifimgr.errors import INVISIBLE, ConfigError
from wifimgr.inventory import load
from wifimgr.inventory.schema import ROUTER_NAME
from wifimgr.model import Measured
from wifimgr.settings import Endpoint
from wifimgr.sources import respondd, snmp, ubus
from wifimgr.ssh import HostKey, KnownHosts, Shown

KEY = HostKey("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIKjg2jdu8ySh1HYZzlWQD1JQ0hSzSCSvM8sHaxf6JVVS")
NOBODY = KnownHosts(Path("there-is-none"))
SOMEBODY = Shown(KEY, "SSH-2.0-dropbear")
ADDRESS = "192.0.2.99"


def shown(banner: str = "SSH-2.0-dropbear") -> Shown:
    return Shown(KEY, banner)


def board(**told: Any) -> ubus.Board:
    return ubus.Board(**{"hostname": "", "model": "", "name": "", "firmware": "", "gluon": False, **told})


def node(**told: Any) -> respondd.Node:
    return respondd.Node(**{"node_id": "", "hostname": "", "model": "", "firmware": "", "gluon": False, **told})


def wanted(folder: Path, network: str = NETWORK, site: str = SITE, **said: Any) -> Candidate:
    """A candidate for the one site of a network."""
    return candidate(load(write(folder, network, eins=site)), Wish(**{"address": ADDRESS, "site": "eins", **said}))


def proposal(folder: Path, device: Device, **said: Any) -> Proposal:
    return propose(wanted(folder, **said), device)


def entry(made: Proposal) -> dict[str, Any]:
    return {".".join(map(str, key)): value for key, value in made.values.items()}


# --- what it is ---


@pytest.mark.parametrize(
    ("device", "platform"),
    [
        (Device(), "other"),
        (Device(shown=SOMEBODY), "other"),
        (Device(shown=SOMEBODY, entered=True), "other"),
        (Device(shown=SOMEBODY, entered=True, board=board()), "openwrt"),
        (Device(board=board(gluon=True)), "gluon"),
        (Device(board=board(), node=node(gluon=True)), "gluon"),
        (Device(node=node(gluon=True)), "gluon"),
        (Device(node=node()), "other"),
        (Device(agent=snmp.Agent("x", "OpenWrt 23.05.5 r24106")), "openwrt"),
        (Device(agent=snmp.Agent("x", "Linux x 5.15")), "other"),
        (Device(agent=snmp.Agent("x", "RouterOS RB750")), "routeros"),
        (Device(shown=shown("SSH-2.0-ROSSSH")), "routeros"),
    ],
)
def test_platform_is_what_it_tells(device: Device, platform: str) -> None:
    assert device.platform == platform


def test_sources_are_those_that_answered(tmp_path: Path) -> None:
    device = Device(board=board(), node=node(), agent=snmp.Agent("", ""), round_trip=0.0)
    assert device.sources == ["ubus", "respondd", "snmp", "ping"]
    assert entry(proposal(tmp_path / "a", device))["sources"] == device.sources
    network = NETWORK.replace("  role:", "  sources: [ping, map, snmp, ubus]\n  role:")
    assert entry(proposal(tmp_path / "b", device, network=network))["sources"] == (
        ["ping", "map", "snmp", "ubus", "respondd"]
    ), "those that are asked everywhere keep their order"
    assert entry(proposal(tmp_path / "c", Device(shown=SOMEBODY)))["sources"] == ["ping"]


def test_nothing_is_written_that_its_site_says_already(tmp_path: Path) -> None:
    device = Device(
        shown=SOMEBODY, entered=True, board=board(hostname="neu"), agent=snmp.Agent("", ""), profile="monitor"
    )
    site = SITE.replace("district: Meiderich", "sources: [ubus, snmp]\nssh: high")
    made = proposal(tmp_path, device, site=site, ssh="high", port=2222)
    assert entry(made) == {"addresses": [ADDRESS]}
    assert (made.name, list(made.notes), made.new_operator) == ("neu", [], "")


def test_what_was_said_is_written(tmp_path: Path) -> None:
    device = Device(shown=SOMEBODY, entered=True, board=board(model="Ein Modell"), round_trip=0.1)
    made = proposal(tmp_path, device, ssh="high", port=22, jump="eins-gw", name="neu")
    assert entry(made) == {
        "model": "Ein Modell",
        "addresses": [ADDRESS],
        "ports.ssh": 22,
        "ssh": "high",
        "jump": "eins-gw",
        "sources": ["ubus", "ping"],
    }
    assert made.name == "neu"


def test_what_no_level_says_is_written(tmp_path: Path) -> None:
    network = NETWORK[: NETWORK.index("defaults:")]
    site = "name: x\nkind: library\nrouters: {}\n"
    device = Device(entered=True, board=board())
    assert entry(proposal(tmp_path, device, network=network, site=site)) == {
        "operator": "city",
        "platform": "openwrt",
        "role": "access-point",
        "addresses": [ADDRESS],
        "sources": ["ubus"],
    }
    assert entry(proposal(tmp_path, Device(node=node(gluon=True)), network=network, site=site))["role"] == "mesh-node"


# --- whose it is ---


@pytest.mark.parametrize(
    ("device", "operator"),
    [
        (Device(shown=SOMEBODY, entered=True, board=board()), "city"),
        (Device(shown=SOMEBODY, entered=True, board=board(gluon=True)), "city"),
        (Device(shown=SOMEBODY, entered=True), "city"),
        (Device(shown=SOMEBODY, agent=snmp.Agent("", "OpenWrt 23.05.5")), "city"),
        (Device(shown=SOMEBODY), "community"),
        (Device(shown=SOMEBODY, node=node(gluon=True)), "community"),
        (Device(node=node(gluon=True)), "community"),
        (Device(agent=snmp.Agent("", "a switch")), "community"),
    ],
)
def test_who_cannot_be_logged_in_to_and_is_no_openwrt_is_only_watched(
    device: Device, operator: str, tmp_path: Path
) -> None:
    made = proposal(tmp_path, device)
    assert entry(made).get("operator", "city") == operator
    assert bool(made.notes) is not device.entered, "why is told"


def test_the_operator_of_its_site_stays_where_it_is_only_watched(tmp_path: Path) -> None:
    network = NETWORK.replace("operator: city", "operator: community")
    assert "operator" not in entry(proposal(tmp_path, Device(node=node(gluon=True)), network=network))


# --- what it is called ---


@pytest.mark.parametrize(
    ("device", "name"),
    [
        (Device(board=board(hostname="Büro 1.OG"), node=node(hostname="x")), "buero-1.og"),
        (Device(board=board(hostname="OpenWrt"), node=node(hostname="Keller")), "keller"),
        (Device(agent=snmp.Agent("eins-ap", "")), "eins-ap-2"),
        (Device(board=board(hostname="OpenWrt")), "eins-openwrt"),
        (Device(agent=snmp.Agent("MikroTik", "")), "eins-mikrotik"),
        (Device(shown=SOMEBODY), "eins-router"),
        (Device(board=board(hostname="中文")), "eins-router"),
        (Device(board=board(hostname="x" * 200)), "x" * 63),
    ],
)
def test_a_name_follows_from_the_host_name(device: Device, name: str, tmp_path: Path) -> None:
    assert proposal(tmp_path, device).name == name


# --- text from outside ---


def harmful(**told: str) -> Device:
    """A device that says the same everywhere, and can be logged in to."""
    text = told["text"]
    return Device(
        shown=shown(text),
        node=node(node_id=text, hostname=text, model=text, firmware=text),
        board=board(hostname=text, model=text, name=text, firmware=text),
        agent=snmp.Agent(text, text),
        profile="monitor",
        entered=True,
        silent={"ping": text},
    )


@settings(max_examples=60)
@example("a\"b'c: #{}[]&*!|>%@`")
@example("$(reboot); `id` && x\n\x1b[31mred\x07\u202e")
@example("- yes\n- null: ~")
@example("0777")
@example("x" * 300)
@given(st.text(max_size=80))
def test_any_text_is_written_safely_and_shown_without_steering(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        here = wanted(Path(folder))
        device = harmful(text=text)
        for fact in device.facts():
            assert not INVISIBLE.search(cell(fact.value))
        made = propose(here, device)
        assert ROUTER_NAME.fullmatch(made.name)
        before = load(Path(folder)).routers
        adopt.write(here, made, KEY)
        after = load(Path(folder)).routers
        assert after.keys() - before.keys() == {made.name}
        assert {name: after[name] for name in before} == before
        assert not INVISIBLE.search(after[made.name].model)
        assert after[made.name].model == device.model
        assert after[made.name].node_id in ("", text)
        assert KnownHosts(Path(folder) / "inventory/known_hosts").of(made.name) == (KEY,)


def test_a_node_id_that_is_no_word_is_left_out_and_told(tmp_path: Path) -> None:
    made = proposal(tmp_path, Device(node=node(node_id="02:00 $(id)", gluon=True)))
    assert "node_id" not in entry(made)
    assert "its node_id is left out: it is no plain word" in made.notes


def test_the_key_is_added_and_other_lines_stay(tmp_path: Path) -> None:
    here = wanted(tmp_path)
    hosts = tmp_path / "inventory/known_hosts"
    hosts.write_text("# ours\neins-ap ssh-rsa AAAA # Keller")
    adopt.write(here, Proposal(name="neu", values=here.values, notes=()), KEY)
    assert hosts.read_text() == f"# ours\neins-ap ssh-rsa AAAA # Keller\nneu {KEY.type} {KEY.base64}\n"


def test_a_stale_key_of_the_same_name_is_for_a_person_to_see(tmp_path: Path) -> None:
    here = wanted(tmp_path)
    hosts = tmp_path / "inventory/known_hosts"
    hosts.write_text("neu ssh-rsa AAAA\n")
    with pytest.raises(ConfigError, match="a key of another neu is trusted already"):
        adopt.write(here, Proposal(name="neu", values=here.values, notes=()), KEY)
    assert hosts.read_text() == "neu ssh-rsa AAAA\n"
    assert "neu" not in load(tmp_path).routers


# --- who is there already ---


def test_a_router_is_known_by_its_address_however_it_is_written(tmp_path: Path) -> None:
    inventory = load(write(tmp_path, eins=SITE.replace("192.0.2.2", "2001:db8::2, AP.example.org")))
    for address in ("192.0.2.1", "2001:DB8:0::2", "ap.EXAMPLE.org."):
        with pytest.raises(ConfigError) as caught:
            refuse_known(inventory, address)
        assert caught.value.id == "already-there"
    refuse_known(inventory, "192.0.2.2")


def test_a_device_is_known_by_host_key_and_node_id_of_any_router(tmp_path: Path) -> None:
    site = SITE.replace("role: gateway", "role: gateway\n    lifecycle: retired\n    node_id: 02005E000001")
    here = wanted(tmp_path, site=site)
    hosts = KnownHosts(tmp_path / "inventory/known_hosts")
    hosts.trust({"gone": KEY})
    refuse_met(here, hosts, Device(shown=SOMEBODY, node=node(node_id="02005e000002")))
    with pytest.raises(ConfigError) as caught:
        refuse_met(here, hosts, Device(node=node(node_id="02005e000001")))
    assert "eins-gw: is in the inventory already: it has the node_id 02005e000001" in caught.value.line()
    hosts.trust({"eins-ap": KEY})
    with pytest.raises(ConfigError) as caught:
        refuse_met(here, hosts, Device(shown=SOMEBODY))
    assert "eins-ap: is in the inventory already: it has this host key" in caught.value.line()


def test_the_site_of_an_address_is_that_of_its_range_or_of_its_way(tmp_path: Path) -> None:
    zwei = "name: Zwei\nkind: library\nprefixes: [198.51.100.0/24, '2001:db8:2::/48']\nrouters: {}\n"
    inventory = load(write(tmp_path, eins=SITE, zwei=zwei))
    assert likely_sites(inventory, "198.51.100.7") == likely_sites(inventory, "2001:db8:2::1") == ["zwei"]
    assert likely_sites(inventory, "192.0.2.7") == likely_sites(inventory, "router.example.org") == []
    assert likely_sites(inventory, "198.51.100.7", jump="eins-gw") == ["eins"]


# --- time ---


async def forever(*_: object) -> Any:
    await asyncio.Event().wait()


def test_what_does_not_answer_costs_a_bounded_time_and_the_rest_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = wanted(tmp_path)
    monkeypatch.setattr(adopt, "LOOK_SECONDS", 0.5)
    monkeypatch.setattr(adopt, "scan", lambda target, deadline: shown("SSH-2.0-x"))
    monkeypatch.setattr(respondd, "introduce", forever)
    monkeypatch.setattr(snmp, "introduce", forever)

    async def echo(*_: object) -> Measured:
        return Measured(round_trip=0.25)

    monkeypatch.setattr(adopt.Ping, "ask", echo)
    device = asyncio.run(adopt.look(here, NOBODY))
    assert (device.shown, device.round_trip) == (shown("SSH-2.0-x"), 0.25)
    assert device.silent == {"respondd": "no answer in time"}
    monkeypatch.setattr(adopt, "connect", lambda target, deadline: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(adopt.ask(here, NOBODY, device, over_snmp=True))  # a bug of ours is no answer of a device


def test_everything_is_asked_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answers only when all have been asked."""
    here = wanted(tmp_path)
    barrier = threading.Barrier(3, timeout=adopt.LOOK_SECONDS)

    def greet(target: object, deadline: object) -> Shown:
        barrier.wait()
        return SOMEBODY

    async def introduce(endpoint: Endpoint, seconds: float) -> respondd.Node:
        await asyncio.to_thread(barrier.wait)
        return node(hostname="neu")

    async def echo(*_: object) -> Measured:
        await asyncio.to_thread(barrier.wait)
        return Measured(round_trip=time.monotonic())

    monkeypatch.setattr(adopt, "scan", greet)
    monkeypatch.setattr(respondd, "introduce", introduce)
    monkeypatch.setattr(adopt.Ping, "ask", echo)
    device = asyncio.run(adopt.look(here, NOBODY))
    assert device.silent == {}
    assert device.answers
