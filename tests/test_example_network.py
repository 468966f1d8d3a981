"""The example network: what everybody copies from. It holds every kind of case and nothing that is real."""

from __future__ import annotations

import ipaddress
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from wifimgr.inventory import Inventory, load, select
from wifimgr.model import Lifecycle, Manage, Router
from wifimgr.push.playbook import load as load_playbook
from wifimgr.settings import SecretRef

ROOT = Path(__file__).parent.parent
FILES = sorted([*ROOT.glob("inventory/**/*.yaml"), *ROOT.glob("playbooks/*.yaml")])
PLAYBOOKS = sorted(path.stem for path in ROOT.glob("playbooks/*.yaml"))
WITHOUT_ROUTERS = {"gluon-contact"}
"""Playbooks for which the network has no router that may be changed."""
DOCUMENTATION = [
    ipaddress.ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")  # RFC 5737, RFC 3849
]
LONGEST_SSID = 32  # bytes, IEEE 802.11


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    """The shipped files in a folder of their own: what this machine says in ``.wifimgr`` has no say here."""
    folder = tmp_path_factory.mktemp("network")
    for part in ("inventory", "playbooks"):
        shutil.copytree(ROOT / part, folder / part)
    secrets = folder / ".wifimgr" / "secrets"
    secrets.mkdir(parents=True)
    for name in ("snmp_community", "snmp_auth", "snmp_priv"):
        (secrets / name).write_text("made-up\n", encoding="utf-8")
    return load(folder)


def playbook(name: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((ROOT / "playbooks" / f"{name}.yaml").read_text(encoding="utf-8"))
    return data


def way(network: Inventory, router: Router) -> list[Router]:
    """The router itself and every router between it and us."""
    steps = [router]
    while steps[-1].behind:
        steps.append(network.routers[steps[-1].behind])
    return steps


def is_documentation(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    return any(ip in prefix for prefix in DOCUMENTATION)


# --- its size and variety ---


def test_has_twelve_sites_and_forty_routers(network: Inventory) -> None:
    assert (len(network.sites), len(network.routers)) == (12, 40)


def test_has_many_kinds_of_places(network: Inventory) -> None:
    kinds = Counter(site.kind for site in network.sites.values())
    assert kinds == {"youth-center": 6, "library": 3, "square": 2, "school": 1}


def test_squares_have_power_in_stated_hours_only(network: Inventory) -> None:
    squares = [site for site in network.sites.values() if site.kind == "square"]
    assert all(site.power == "switched" and site.power_hours for site in squares)


def test_other_places_always_have_power(network: Inventory) -> None:
    assert {site.power for site in network.sites.values() if site.kind != "square"} == {"always"}


def test_every_place_has_hours_and_both_uplinks(network: Inventory) -> None:
    for site in network.sites.values():
        assert site.opening_hours, site.slug
        assert set(site.uplink) == {"provider", "gateway"}, site.slug


def test_both_providers_and_both_gateways_carry_places(network: Inventory) -> None:
    used = {name for site in network.sites.values() for name in site.uplink.values()}
    assert used == set(network.network.uplinks)
    kinds = Counter(uplink.kind for uplink in network.network.uplinks.values())
    assert kinds == {"provider": 2, "gateway": 2}


def test_places_lie_in_duisburg(network: Inventory) -> None:
    for site in network.sites.values():
        assert site.position is not None, site.slug
        latitude, longitude = site.position
        assert 51.33 < latitude < 51.57, site.slug
        assert 6.62 < longitude < 6.84, site.slug


def test_one_router_is_planned_and_one_retired(network: Inventory) -> None:
    lives = Counter(router.lifecycle for router in network.routers.values())
    assert (lives[Lifecycle.PLANNED], lives[Lifecycle.RETIRED], lives[Lifecycle.ACTIVE]) == (1, 1, 38)


def test_a_router_is_named_after_its_place(network: Inventory) -> None:
    assert [r.name for r in network.routers.values() if not r.name.startswith(f"{r.site}-")] == []


def test_every_router_has_a_model_and_a_room(network: Inventory) -> None:
    assert [router.name for router in network.routers.values() if not (router.model and router.room)] == []


def test_one_router_is_logged_in_to_through_another(network: Inventory) -> None:
    assert [(router.name, router.jump) for router in network.routers.values() if router.jump] == [
        ("jz-walsum-ap-eg", "jz-walsum-gw")
    ]


# --- whose routers they are ---


def test_gluon_nodes_belong_to_the_community_and_are_only_watched(network: Inventory) -> None:
    nodes = select(network, ["platform=gluon"])
    assert len(nodes) == 5
    assert {(node.operator, node.manage, node.sources) for node in nodes} == {
        ("community", Manage.WATCH, ("respondd",))
    }


def test_everything_else_belongs_to_the_city(network: Inventory) -> None:
    others = select(network, ["platform!=gluon"])
    assert {(router.operator, router.manage) for router in others} == {("city", Manage.PUSH)}


# --- the way to a router ---


def test_every_way_ends_at_a_gateway_or_at_a_watched_node(network: Inventory) -> None:
    ends = [way(network, router)[-1] for router in network.routers.values()]
    assert [end.name for end in ends if end.role != "gateway" and end.manage is not Manage.WATCH] == []


def test_no_way_leads_over_a_router_that_is_not_in_use(network: Inventory) -> None:
    for router in network.routers.values():
        assert {step.lifecycle for step in way(network, router)[1:]} <= {Lifecycle.ACTIVE}, router.name


def test_no_way_leads_over_a_router_of_somebody_else(network: Inventory) -> None:
    """What we push to must not hang on what we cannot repair."""
    for router in network.routers.values():
        assert {step.manage for step in way(network, router)[1:]} <= {Manage.PUSH}, router.name


def test_a_house_has_three_routers_in_a_row(network: Inventory) -> None:
    names = [step.name for step in way(network, network.routers["jz-meiderich-ap-og"])]
    assert names == ["jz-meiderich-ap-og", "jz-meiderich-ap-eg", "jz-meiderich-gw"]


def test_a_whole_square_is_reached_through_a_library(network: Inventory) -> None:
    square = [network.routers[name] for name in network.sites["platz-altstadt"].routers]
    assert {way(network, router)[-1].name for router in square} == {"bib-altstadt-gw"}
    assert {router.name for router in square} <= {r.name for r in select(network, ["behind=bib-altstadt-gw"])}


# --- network names ---


def test_network_names_fit_the_air(network: Inventory) -> None:
    for router in network.routers.values():
        assert 1 <= len(router.vars["ssid"].encode()) <= LONGEST_SSID, router.name


def test_one_network_name_is_hard_on_quoting(network: Inventory) -> None:
    assert network.routers["jz-marxloh-ap-buehne"].vars["ssid"] == """Jugend's "Café" & Bühne: 0 $"""


# --- nothing real, nothing secret ---


def test_routers_have_documentation_addresses(network: Inventory) -> None:
    addresses = [address for router in network.routers.values() for address in router.addresses]
    assert [address for address in addresses if not is_documentation(address)] == []


def test_every_address_in_the_inventory_is_for_documentation() -> None:
    """Also those in variables and comments."""
    for path in ROOT.glob("inventory/**/*.yaml"):
        found = re.findall(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", path.read_text(encoding="utf-8"))
        assert [address for address in found if not is_documentation(address)] == [], path.name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nobody_is_behind_a_phone_number_or_mail_address(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    phones = re.findall(r"\+\d[\d ]+\d", text)
    # The Federal Network Agency keeps 0221 4710 000 to 999 free for films and books.
    assert [phone for phone in phones if not re.fullmatch(r"\+49 221 4710 \d{3}", phone)] == []
    assert [mail for mail in re.findall(r"\S+@\S+", text) if not re.search(r"@example\.org\b", mail)] == []


def test_secrets_are_found_in_the_state_folder_only(network: Inventory) -> None:
    """It is ignored by git, and a demo can put its own secrets there."""
    monitor, secure = (network.network.snmp_profiles[name] for name in ("monitor", "secure"))
    refs = [monitor.community, *secure.auth.values(), *secure.priv.values()]
    refs += [router.vars["snmp_community"] for router in network.routers.values()]
    for ref in refs:
        assert isinstance(ref, SecretRef)
        assert ref.kind == "file"
        assert ref.name.startswith(".wifimgr/secrets/")


def test_routers_are_asked_with_the_community_that_they_get(network: Inventory) -> None:
    asked = network.network.snmp_profiles["monitor"].community
    assert asked is not None
    assert {router.vars["snmp_community"].name for router in network.routers.values()} == {asked.name}


def test_no_host_key_is_shipped() -> None:
    """A key belongs to one machine: who copies the example trusts routers of their own."""
    assert not (ROOT / "inventory" / "known_hosts").exists()


# --- the playbooks fit the network ---


def test_three_playbooks_are_shipped_at_least() -> None:
    assert {"guest-wifi", "identity", "snmp-monitoring"} <= set(PLAYBOOKS)


@pytest.mark.parametrize("name", sorted({*PLAYBOOKS} - WITHOUT_ROUTERS))
def test_playbook_never_meets_a_watched_router(network: Inventory, name: str) -> None:
    assert {router.manage for router in select(network, [playbook(name)["where"]])} == {Manage.PUSH}


def test_guest_wifi_is_for_access_points_and_the_others_for_all_of_openwrt(network: Inventory) -> None:
    openwrt = [router for router in network.routers.values() if router.platform == "openwrt"]
    points = [router for router in openwrt if router.role == "access-point"]
    assert 0 < len(points) < len(openwrt)
    assert select(network, [playbook("guest-wifi")["where"]]) == points
    assert select(network, [playbook("identity")["where"]]) == openwrt
    assert select(network, [playbook("snmp-monitoring")["where"]]) == openwrt


@pytest.mark.parametrize("name", sorted({*PLAYBOOKS} - WITHOUT_ROUTERS))
def test_playbook_can_be_made_ready_for_every_router_it_is_for(network: Inventory, name: str) -> None:
    book = load_playbook(network.network.folder, name)
    for router in select(network, [book.file.where]):
        assert book.wishes(router).edits, router.name


def test_hard_network_name_reaches_the_wishes_unchanged(network: Inventory) -> None:
    router = network.routers["jz-marxloh-ap-buehne"]
    wishes = load_playbook(network.network.folder, "guest-wifi").wishes(router)
    assert ("ssid", router.vars["ssid"]) in wishes.checks


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_playbook_never_uses_a_section_name_twice(name: str) -> None:
    """UCI merges two sections of one name, and refuses the file when their types differ."""
    for package, wishes in playbook(name).get("uci", {}).items():
        names = [wish["section"]["name"] for wish in wishes if "name" in wish["section"]]
        assert len(names) == len(set(names)), package


def test_guest_networks_hang_together() -> None:
    """Each name that one section gives is the one that others use."""
    uci = playbook("guest-wifi")["uci"]
    wished = {
        (package, wish["section"].get("name")): wish.get("set", {})
        for package, wishes in uci.items()
        for wish in wishes
    }
    iface = wished["wireless", "guest_{{ section }}"]
    assert (iface["device"], iface["network"]) == ("{{ section }}", "guest")
    assert iface["isolate"] is iface["bridge_isolate"] is True
    assert ("wireless", "default_{{ section }}") in wished
    assert wished["network", "guest"]["device"] == wished["network", "guest_bridge"]["name"]
    assert wished["dhcp", "guest"]["interface"] == "guest"
    assert wished["firewall", "guest"]["network"] == ["guest"]
    assert wished["firewall", "guest_wan"] == {"src": "guest", "dest": "wan"}


def test_guests_do_not_reach_the_house() -> None:
    rules = {wish["section"]["name"]: wish["set"] for wish in playbook("guest-wifi")["uci"]["firewall"]}
    assert (rules["guest"]["input"], rules["guest"]["forward"]) == ("REJECT", "REJECT")
    closed = [ipaddress.ip_network(prefix) for prefix in rules["guest_no_house"]["dest_ip"]]
    assert rules["guest_no_house"]["target"] == "REJECT"
    for house in ("10.77.0.20", "172.16.0.1", "192.168.178.1"):
        assert any(ipaddress.ip_address(house) in prefix for prefix in closed)


def test_guest_addresses_fit_their_network() -> None:
    data = playbook("guest-wifi")
    guests = ipaddress.ip_interface(f"{data['vars']['guest_address']}/{data['vars']['guest_netmask']}")
    pool = next(wish["set"] for wish in data["uci"]["dhcp"])
    assert guests.ip.is_private
    assert pool["start"] + pool["limit"] < guests.network.num_addresses
    assert int(guests.ip) - int(guests.network.network_address) < pool["start"]  # not given to a guest


def test_snmp_shows_no_table_of_devices() -> None:
    """Address tables (ARP, bridge, DHCP) tell who is in the house: no view may include them."""
    wishes = playbook("snmp-monitoring")["uci"]["snmpd"]
    views = [wish["set"]["oid"] for wish in wishes if wish["section"]["type"] == "view"]
    tables = {
        "ipNetToMediaTable": ".1.3.6.1.2.1.4.22",
        "ipNetToPhysicalTable": ".1.3.6.1.2.1.4.35",
        "tcpConnTable": ".1.3.6.1.2.1.6.13",
        "udpTable": ".1.3.6.1.2.1.7.5",
        "dot1dTpFdbTable": ".1.3.6.1.2.1.17.4.3",
        "hrSWRunTable": ".1.3.6.1.2.1.25.4.2",
    }
    assert views
    for name, oid in tables.items():
        assert not [view for view in views if f"{oid}.".startswith(f"{view}.")], name
