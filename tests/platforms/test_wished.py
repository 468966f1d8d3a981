"""What is wished off is right to be off: which checks are left out while a network is paused or closed."""

from __future__ import annotations

import pytest

from wifimgr.platforms import openwrt
from wifimgr.platforms.wished import NETWORK, WIRELESS, checks_as_wished, paths_of_checks


def wireless(network: str = "guest", **radios: tuple[str, ...]) -> bytes:
    """A radio each, and on it the network names; a leading - switches off."""
    lines = []
    for radio, networks in radios.items():
        name = radio.removesuffix("_off")
        lines += [f"config wifi-device '{name}'", f"\toption disabled '{int(radio != name)}'"]
        for ssid in networks:
            lines += ["config wifi-iface", f"\toption device '{name}'", f"\toption ssid '{ssid.removeprefix('-')}'"]
            lines += [f"\toption network '{network}'"]
            lines += ["\toption disabled '1'"] * ssid.startswith("-")
    return "\n".join([*lines, ""]).encode()


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (wireless(a=("frei",)), True),
        (wireless(a=("-frei",)), False),
        (wireless(a_off=("frei",)), False),
        (wireless(a=("-frei",), b=("frei",)), True),
        (wireless(a_off=("frei",), b=("-frei",)), False),
        (wireless(a=("andere",)), True),
        (wireless(a=()), True),
        (None, True),
        (b"option broken", True),
    ],
)
def test_network_that_is_wished_off_is_not_looked_for_on_the_air(text: bytes | None, asked: bool) -> None:
    checks = (("ssid", "frei"), ("interface", "lan"))
    assert checks_as_wished(checks, {WIRELESS: text}) == (checks if asked else checks[1:])


def test_options_that_are_lists_count_as_what_they_hold() -> None:
    network = "config wifi-device a\n option disabled {}\nconfig wifi-device b\n option disabled 1\n"
    network += "config wifi-iface\n list device a\n list device b\n list ssid frei\n list ssid x\n"
    checks = (("ssid", "frei"),)
    assert checks_as_wished(checks, {WIRELESS: network.format(1).encode()}) == ()
    assert checks_as_wished(checks, {WIRELESS: network.format(0).encode()}) == checks


ON, OFF = wireless(a=("frei",)), wireless(a=("-frei",))
AIR = "config interface guest\n"
EMPTY = "config interface guest\n option device br-g\nconfig device\n option name br-g\n option type bridge\n"
STAYS = EMPTY + " option bridge_empty 1\n"
WIRED = EMPTY + " list ports lan1\n"
CHECKS = (("interface", "guest"), ("internet", "guest"), ("internet", "1"), ("internet", "router"), ("ping", "guest"))
ROUTER, PING = CHECKS[3:]


@pytest.mark.parametrize(
    ("air", "wires", "asked"),
    [
        (ON, STAYS, CHECKS),
        (OFF, AIR, (ROUTER, ROUTER, PING)),
        (OFF, EMPTY, (ROUTER, ROUTER, PING)),
        (OFF, STAYS, (CHECKS[0], ROUTER, ROUTER, PING)),
        (OFF, WIRED, CHECKS),
        (OFF, "config interface guest\n option device eth0.3\n", CHECKS),
        (OFF, "config interface guest\n option type bridge\n option ifname eth0\n", CHECKS),
        (OFF, "config interface guest\n option type bridge\n", (ROUTER, ROUTER, PING)),
        (OFF, AIR + "config device\n option type bridge\n list ports lan1\n", (ROUTER, ROUTER, PING)),
        (OFF, "config interface lan\n", CHECKS),
        (OFF, "option broken", CHECKS),
        (wireless("lan guest", a=("-frei",)), STAYS, (CHECKS[0], ROUTER, ROUTER, PING)),
        (wireless("guests", a=("-frei",)), STAYS, CHECKS),
        (wireless("lan", a=("-frei",)) + wireless("guest", b=("frei",)), STAYS, CHECKS),
    ],
    ids=[
        "on",
        "air",
        "empty",
        "stays",
        "wired",
        "device",
        "old wired",
        "old",
        "nameless",
        "none",
        "broken",
        "two",
        "other",
        "b",
    ],
)
def test_network_that_is_only_on_the_air_is_not_wanted_while_it_is_off(
    air: bytes, wires: str, asked: tuple[tuple[str, str], ...]
) -> None:
    assert checks_as_wished(CHECKS, {WIRELESS: air, NETWORK: wires.encode()}) == asked


def test_guests_are_where_the_network_says() -> None:
    files = {WIRELESS: wireless("besucher", a=("-frei",)), NETWORK: b"config interface besucher\n"}
    checks = (("internet", "guest"), ("interface", "guest"))
    assert checks_as_wished(checks, files, "besucher") == checks[1:]
    assert checks_as_wished(checks, files) == checks


def test_files_are_read_only_where_a_check_needs_them() -> None:
    assert paths_of_checks([("ping", "192.0.2.1"), ("default-route", "1")]) == ()
    assert paths_of_checks([("ssid", "frei"), ("ssid", "x")]) == (WIRELESS,)
    assert paths_of_checks([("ssid", "frei"), ("internet", "guest")]) == (NETWORK, WIRELESS)
    assert openwrt.paths_of_checks([("interface", "lan")]) == (NETWORK, WIRELESS)
