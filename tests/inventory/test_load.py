"""Loading a network folder: composing, origins, and whole messages for what is wrong in a site's file."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.networks import NETWORK, SITE, write
from wifimgr.errors import ConfigError
from wifimgr.inventory import Inventory, load, select
from wifimgr.inventory.schema import SiteFile, normalised
from wifimgr.model import Lifecycle, Manage, Origin
from wifimgr.settings import SecretRef


def problems(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder)
    return caught.value.lines()


def site(text: str) -> str:
    """A site with one router, whose last lines are ``text``."""
    return "name: Haus\nkind: other\nrouters:\n  r1:\n    addresses: [192.0.2.1]\n" + text


# --- composing ---

LEVELS = """\
name: Haus am See
kind: youth-center
platform: gluon
tags: [see]
lifecycle: maintenance
vars: {ssid: see, channel: 11}
routers:
  r1:
    addresses: [192.0.2.1, "2001:DB8::1"]
  r2:
    addresses: [r2.example.org]
    platform: openwrt
    operator: community
    role: gateway
    ssh: high
    tags: []
    sources: [respondd, map]
    interval: 5m
    model: Modell
    room: Keller
    behind: r1
    ports: {ssh: 2200}
    lifecycle: planned
    vars:
      ssid: keller
      dns: [9.9.9.9, 149.112.112.112]
      open: true
      psk: {file: psk}
"""


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return load(write(tmp_path, haus=LEVELS))


def test_a_router_takes_what_it_does_not_say_from_site_and_defaults(inventory: Inventory) -> None:
    router = inventory.routers["r1"]
    assert (router.site, router.addresses) == ("haus", ("192.0.2.1", "2001:DB8::1"))
    assert (router.platform, router.role, router.operator) == ("gluon", "access-point", "city")
    assert (router.manage, router.lifecycle, router.tags) == (Manage.PUSH, Lifecycle.MAINTENANCE, ("see",))
    assert (router.ssh, router.snmp, router.interval, router.behind) == ("default", "monitor", 60.0, None)


def test_the_nearest_value_wins(inventory: Inventory) -> None:
    router = inventory.routers["r2"]
    assert (router.platform, router.role, router.operator) == ("openwrt", "gateway", "community")
    assert (router.manage, router.lifecycle, router.tags) == (Manage.WATCH, Lifecycle.PLANNED, ())
    assert (router.ssh, router.sources, router.interval) == ("high", ("respondd", "map"), 300.0)
    assert (router.model, router.room, router.behind, router.ports) == ("Modell", "Keller", "r1", {"ssh": 2200})


def test_variables_are_merged_key_by_key(inventory: Inventory) -> None:
    own = {"router_name": "r1", "site_name": "Haus am See"}
    assert inventory.routers["r1"].vars == {"ssid": "see", "country": "DE", "channel": 11, **own}
    variables = dict(inventory.routers["r2"].vars)
    assert isinstance(variables.pop("psk"), SecretRef)
    dns = ("9.9.9.9", "149.112.112.112")
    own = {"router_name": "r2", "site_name": "Haus am See"}
    assert variables == {"ssid": "keller", "country": "DE", "channel": 11, "dns": dns, "open": True, **own}


def test_every_value_knows_where_it_comes_from(inventory: Inventory) -> None:
    origins = inventory.routers["r2"].origins
    network, haus = "inventory/network.yaml", "inventory/sites/haus.yaml"
    assert {key: str(origins[key]) for key in sorted(origins)} == {
        "addresses": f"{haus}:11",
        "behind": f"{haus}:21",
        "interval": f"{haus}:18",
        "lifecycle": f"{haus}:23",
        "manage": f"{network}:4",
        "model": f"{haus}:19",
        "name": f"{haus}:10",
        "operator": f"{haus}:13",
        "platform": f"{haus}:12",
        "ports": f"{haus}:22",
        "role": f"{haus}:14",
        "room": f"{haus}:20",
        "site": f"{haus}:10",
        "snmp": f"{network}:18",
        "sources": f"{haus}:17",
        "ssh": f"{haus}:15",
        "tags": f"{haus}:16",
        "vars.channel": f"{haus}:6",
        "vars.country": f"{network}:19",
        "vars.dns": f"{haus}:26",
        "vars.open": f"{haus}:27",
        "vars.psk": f"{haus}:28",
        "vars.router_name": f"{haus}:10",
        "vars.site_name": f"{haus}:1",
        "vars.ssid": f"{haus}:25",
    }


def test_a_secret_knows_its_folder_and_line(inventory: Inventory, tmp_path: Path) -> None:
    reference = inventory.routers["r2"].vars["psk"]
    assert (reference.folder, reference.where) == (tmp_path, "inventory/sites/haus.yaml:28")
    with pytest.raises(ConfigError, match=r"^inventory/sites/haus.yaml:28: the secret file psk cannot be read"):
        reference.resolve()


def test_a_site_with_everything(tmp_path: Path) -> None:
    text = """\
        name: Platz
        kind: square
        public: true
        district: Hamborn
        address: Markt 1
        position: [51, 6.77]
        opening_hours: 24/7
        power: {switched: "Mo-Su 18:00-06:00"}
        uplink: {provider: line, gateway: tunnel}
        wifi: {schedule: opening-hours}
        page: {show_guests: true}
        contact: [{name: Anlaufstelle, phone: "0203 0"}]
        private: {key_holder: Hausmeisterei, floors: [1, 2], alarm: {password: {env: X}}}
        routers: {}
        """
    found = load(write(tmp_path, platz_1=text)).sites["platz-1"]
    assert (found.slug, found.name, found.kind, found.public) == ("platz-1", "Platz", "square", True)
    assert (found.district, found.address, found.position) == ("Hamborn", "Markt 1", (51.0, 6.77))
    assert (found.opening_hours, found.power, found.power_hours) == ("24/7", "switched", "Mo-Su 18:00-06:00")
    assert found.uplink == {"provider": "line", "gateway": "tunnel"}
    assert (found.wifi_schedule, found.show_guests, found.routers) == ("opening-hours", True, ())
    assert found.private["key_holder"] == "Hausmeisterei"
    assert found.origin == Origin("inventory/sites/platz-1.yaml", 1)
    assert "Hausmeisterei" not in repr(found)


def test_a_site_is_private_until_someone_says_otherwise(tmp_path: Path) -> None:
    assert not load(write(tmp_path)).sites["eins"].public


HOSTILE = ['"; rm -rf / #', "$(reboot)", "`id`", "<script>alert(1)</script>", "{{ ssid }}", "' OR 1=1 --", "ä 🛜 \\"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_only_text(tmp_path: Path, name: str) -> None:
    quoted = "'" + name.replace("'", "''") + "'"
    text = f"name: {quoted}\nkind: other\nrouters:\n  r1:\n    addresses: [192.0.2.1]\n"
    text += f"    room: {quoted}\n    vars: {{ssid: {quoted}}}\n"
    found = load(write(tmp_path, haus=text))
    router = found.routers["r1"]
    assert found.sites["haus"].name == router.room == router.vars["ssid"] == router.vars["site_name"] == name


def test_the_file_model_has_a_json_schema() -> None:
    assert "routers" in SiteFile.model_json_schema()["properties"]


# --- what is wrong in a site's file ---

PLAIN = (
    "a secret may not stand here in plain text; write where it is found, {env: NAME}, {file: PATH} or {command: LINE}, "
    "and change the secret: this file is shared [plain-secret]"
)
AT = "inventory/sites/haus.yaml"
WRONG = {
    "unknown key": (
        site("    adresses: [192.0.2.1]\n"),
        [f"{AT}:6: routers.r1.adresses: unknown key; did you mean addresses? [unknown-key]"],
    ),
    "duplicate key": (
        site("    room: a\n    room: b\n"),
        [f"{AT}:7: routers.r1.room: this key stands twice; the first one is in line 6; keep one [duplicate-key]"],
    ),
    "router twice in a file": (
        site("  r1: {addresses: [192.0.2.2]}\n"),
        [f"{AT}:6: routers.r1: this key stands twice; the first one is in line 4; keep one [duplicate-key]"],
    ),
    "number for text": (
        site("    room: 101\n"),
        [f"{AT}:6: routers.r1.room: must be text, not a number; put it in quotes [wrong-type]"],
    ),
    "unknown platform": (
        site("    platform: openwtr\n"),
        [f"{AT}:6: routers.r1.platform: 'openwtr' is not known; did you mean openwrt? [unknown-name]"],
    ),
    "unknown role": (
        site("    role: core\n"),
        [
            f"{AT}:6: routers.r1.role: 'core' is not known; "
            "known here: access-point, gateway, mesh-node, switch [unknown-name]"
        ],
    ),
    "unknown kind": (
        "name: Haus\nkind: libary\nrouters: {}\n",
        [f"{AT}:2: kind: 'libary' is not known; did you mean library? [unknown-name]"],
    ),
    "missing keys": (
        "routers:\n  r1:\n    room: x\n",
        [
            f"{AT}:1: kind: this key is missing; add it [missing-key]",
            f"{AT}:1: name: this key is missing; add it [missing-key]",
            f"{AT}:2: routers.r1: the router has no addresses; add them, or say lifecycle: planned, "
            "or sources: [map] for one that is only watched [missing-key]",
        ],
    ),
    "plain secrets": (
        site("    vars: {wifi_password: hunter2}\n") + "private:\n  notes:\n    - alarm_psk: hunter2\n",
        [f"{AT}:6: routers.r1.vars.wifi_password: {PLAIN}", f"{AT}:9: private.notes[0].alarm_psk: {PLAIN}"],
    ),
    "secret that is a number or a list": (
        site("    vars: {pin_secret: 1234, psks: [a, b]}\n"),
        [f"{AT}:6: routers.r1.vars.pin_secret: {PLAIN}", f"{AT}:6: routers.r1.vars.psks: {PLAIN}"],
    ),
    "router name": (
        "name: Haus\nkind: other\nrouters:\n  R1: {addresses: [192.0.2.1]}\n",
        [
            f"{AT}:4: routers.R1: is not a router name; "
            "use up to 63 small letters, digits, and . - between them [wrong-type]"
        ],
    ),
    "line break in a name": (
        'name: "a\\nb"\nkind: other\nrouters: {}\n',
        [f"{AT}:1: name: holds a line break or an invisible character; write it on one line [wrong-type]"],
    ),
    "control character in a room": (
        site('    room: "\\e[31m"\n'),
        [f"{AT}:6: routers.r1.room: holds a line break or an invisible character; write it on one line [wrong-type]"],
    ),
    "empty name": (
        "name: ' '\nkind: other\nrouters: {}\n",
        [f"{AT}:1: name: is empty; write something or take the key out [wrong-type]"],
    ),
    "no address": (
        "name: Haus\nkind: other\nrouters:\n  r1: {addresses: []}\n",
        [
            f"{AT}:4: routers.r1: the router has no addresses; add them, or say lifecycle: planned, "
            "or sources: [map] for one that is only watched [missing-key]"
        ],
    ),
    "position": (
        "name: Haus\nkind: other\nposition: [6.77, 151.4]\npower: off\nrouters: {}\n",
        [
            f"{AT}:3: position: is not a position; "
            "write [latitude, longitude] in degrees, like [51.46, 6.77]"
            " [wrong-type]",
            f"{AT}:4: power: is not a kind of power; "
            'write always, switched or {switched: "Mo-Su 18:00-06:00"} [wrong-type]',
        ],
    ),
}
WRONG["position"] = (WRONG["position"][0].replace("151.4", "181.4"), WRONG["position"][1])


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_site_is_told_whole(tmp_path: Path, case: str) -> None:
    text, lines = WRONG[case]
    assert problems(write(tmp_path, haus=text)) == lines


@pytest.mark.parametrize(
    "address", ["192.0.2.300", "192.0.2.01", "192.0.2.1:22", "http://x", "a b", "", "-x", "1", "[::1]", "a..b"]
)
def test_what_is_no_address(tmp_path: Path, address: str) -> None:
    text = site("").replace("[192.0.2.1]", f"['{address}']")
    assert problems(write(tmp_path, haus=text)) == [
        f"{AT}:5: routers.r1.addresses[0]: is not an address; "
        "write an IPv4 or IPv6 address or a DNS name, without a port [wrong-type]"
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("Router.Example.org.", "router.example.org"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_one_address_in_two_spellings(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


def test_link_local_addresses_differ_by_zone() -> None:
    assert normalised("fe80::1%eth0") != normalised("fe80::1%eth1")


@pytest.mark.parametrize("name", ["Haus", "haus_1", "-haus"])
def test_a_file_name_that_is_no_slug(tmp_path: Path, name: str) -> None:
    write(tmp_path)
    (tmp_path / f"inventory/sites/{name}.yaml").write_text(SITE)
    assert problems(tmp_path) == [
        f"inventory/sites/{name}.yaml: the file name is not the name of a site; "
        "use small letters, digits and -, like jz-meiderich.yaml [wrong-type]"
    ]


def test_a_site_with_the_wrong_ending_is_not_passed_over(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "inventory/sites/zwei.yml").write_text(SITE)
    assert [line.split(":")[0] for line in problems(tmp_path)] == ["inventory/sites/zwei.yml"]


def test_hidden_files_are_none_of_ours(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "inventory/sites/.eins.yaml").write_text("::")
    assert list(load(tmp_path).sites) == ["eins"]


def test_an_unreadable_file_is_told_and_the_others_are_still_checked(tmp_path: Path) -> None:
    write(tmp_path, eins=SITE, haus=site("    room: 1\n").replace("192.0.2.1", "192.0.2.99"))
    (tmp_path / "inventory/sites/kaputt.yaml").symlink_to("nowhere")
    assert problems(tmp_path) == [
        f"{AT}:6: routers.r1.room: must be text, not a number; put it in quotes [wrong-type]",
        "inventory/sites/kaputt.yaml: cannot be read: no such file or directory [unreadable-file]",
    ]


def test_all_files_are_told_in_one_run_by_file_and_line(tmp_path: Path) -> None:
    write(
        tmp_path,
        NETWORK.replace("name: Testnetz", "name: 1"),
        eins="name: x\nkind: y\nrouters: {}\n",
        zwei="name: [\n",
        drei="name: 5\nkind: other\nrouters: {}\n",
    )
    assert [line.split(" ")[0] for line in problems(tmp_path)] == [
        "inventory/network.yaml:1:",
        "inventory/sites/drei.yaml:1:",
        "inventory/sites/eins.yaml:2:",
        "inventory/sites/zwei.yaml:1:",
    ]


@given(st.text("abc:.-0129 /%", max_size=20))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert normalised(normalised(text)) == normalised(text)


def test_routers_of_a_place_with_a_dns_profile_know_its_servers(tmp_path: Path) -> None:
    network = f'{NETWORK}dns_profiles: {{young: {{name: Jugend, servers: [192.0.2.53, "2001:db8::53#5353"]}}}}\n'
    filtered = SITE.replace("kind:", "dns_profile: young\nkind:", 1)
    plain = "name: Zwei\nkind: other\nrouters: {zwei-ap: {addresses: [192.0.2.9]}}\n"
    inventory = load(write(tmp_path, network=network, eins=filtered, zwei=plain))
    assert inventory.routers["eins-gw"].vars["dns_servers"] == ("192.0.2.53", "2001:db8::53#5353")
    assert str(inventory.routers["eins-gw"].origins["vars.dns_servers"]).startswith("inventory/sites/eins.yaml:")
    assert "dns_servers" not in inventory.routers["zwei-ap"].vars
    assert [router.name for router in select(inventory, ["dns=young"])] == ["eins-gw", "eins-ap"]
    assert [router.name for router in select(inventory, ["dns!=?*"])] == ["zwei-ap"]
