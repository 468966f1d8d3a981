"""The playbooks that come with wifimgr, each carried out on a simulated router of the example network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.push import place as places
from tests.push.place import ROOT, SECRETS, Place
from wifimgr.model import Result
from wifimgr.push import playbook

WITHOUT_ROUTERS = {"gluon-contact"}
"""Playbooks for which the example network has no router that may be changed."""
PLAYBOOKS = sorted({path.stem for path in ROOT.glob("playbooks/*.yaml")} - WITHOUT_ROUTERS)
FIRST = {"guest-wifi-owe": ["guest-wifi"]}
"""What a playbook builds on."""


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A router that the playbook of a test is for."""
    where = playbook.load(ROOT, request.node.callspec.params["name"]).file.where
    with places.place(tmp_path, where) as made:
        yield made


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_playbook_is_carried_out_and_then_there_is_nothing_to_do(place: Place, name: str) -> None:
    for earlier in FIRST.get(name, []):
        assert place.apply(earlier).result is Result.DONE
    planned = place.change(name)
    outcome = place.apply(name)
    expected = Result.DONE if planned.anything else Result.ALREADY_RIGHT
    assert (outcome.result, outcome.why) == (expected, "")
    assert not place.change(name).anything
    shown = "\n".join(line for path in planned.paths for line in path.diff)
    assert not any(secret in shown for secret in SECRETS.values())


@pytest.mark.parametrize("name", ["guest-wifi"])
def test_every_radio_gets_a_guest_network_and_keeps_its_own(place: Place, name: str) -> None:
    assert place.apply(name).result is Result.DONE
    wireless = place.uci("wireless")
    radios = {name for name, options in wireless.items() if "band" in options}
    assert {f"guest_{radio}" for radio in radios} <= wireless.keys()
    assert all(wireless[f"guest_{radio}"]["device"] == radio for radio in radios)
    assert not any(name.startswith("default_") for name in wireless)
    assert wireless["wifi-iface"]["ssid"] == "Büro intern"
    assert {wireless[radio]["channel"] for radio in radios} == {"auto", "36"}


@pytest.mark.parametrize("name", ["guest-wifi-owe"])
def test_the_open_and_the_encrypted_network_name_each_other(place: Place, name: str) -> None:
    assert [place.apply(each).result for each in ("guest-wifi", name)] == [Result.DONE, Result.DONE]
    wireless = place.uci("wireless")
    pairs = [(wireless[f"guest_{radio}"], wireless[f"owe_{radio}"]) for radio in ("radio0", "radio1")]
    assert all(plain["ifname"] == owe["owe_transition_ifname"] for plain, owe in pairs)
    assert all(owe["ifname"] == plain["owe_transition_ifname"] for plain, owe in pairs)
    assert {owe["encryption"] for _, owe in pairs} == {"owe"}
    assert max(len(str(plain["ifname"])) for plain, _ in pairs) < 16, "Linux takes no longer name (IFNAMSIZ)"


@pytest.mark.parametrize("name", ["dns-profile"])
def test_a_place_gets_its_filter_and_loses_it_again(place: Place, name: str) -> None:
    before = place.uci("dhcp")
    assert place.apply(name).result is Result.DONE
    assert place.uci("dhcp")["dnsmasq"]["server"] == ("203.0.113.53", "203.0.113.54")
    assert place.uci("firewall")["guest_dns_here"]["target"] == "DNAT"
    site = place.folder / f"inventory/sites/{place.router.site}.yaml"
    lines = site.read_text(encoding="utf-8").splitlines(keepends=True)
    site.write_text("".join(line for line in lines if not line.startswith("dns_profile:")), encoding="utf-8")
    assert place.apply("dns-plain").result is Result.DONE
    assert place.uci("dhcp") == before
    assert "guest_dns_here" not in place.uci("firewall")


@pytest.mark.parametrize("name", ["time-and-log"])
def test_no_device_of_a_guest_gets_into_the_log(place: Place, name: str) -> None:
    assert place.apply(name).result is Result.DONE
    assert place.uci("dhcp")["dnsmasq"] | {"quietdhcp": "1", "logqueries": "0"} == place.uci("dhcp")["dnsmasq"]
    assert {place.uci("wireless")[radio]["log_level"] for radio in ("radio0", "radio1")} == {"4"}
