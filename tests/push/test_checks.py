"""Checks before a confirm: judged on what the router's own daemons say and what it tried, whatever that is."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifimgr.model import Internet
from wifimgr.push import checks
from wifimgr.push.checks import CHECKS, Heard
from wifimgr.sources.ubus import Guests


def said(
    *, up: bool = True, pending: bool = False, ssid: str = "frei", route: bool = True, **bss: Any
) -> dict[str, Any]:
    """What ubus says of one radio, one network name and one interface; ``bss`` is what hostapd says."""
    radio = {"up": up, "pending": pending, "interfaces": [{"config": {"ssid": ssid}, "ifname": "phy0-ap0"}]}
    routes = [{"target": "0.0.0.0", "mask": 0}] if route else [{"target": "0.0.0.0", "mask": 8}]  # noqa: S104
    wan = {"interface": "wan", "up": up, "route": routes}
    found: dict[str, Any] = {"network.wireless": {"radio0": radio}, "network.interface": {"interface": [wan]}}
    return found | ({"hostapd.phy0-ap0": bss} if bss else {})


def failing(
    heard: dict[str, Any], wanted: list[tuple[str, str]], probes: dict[tuple[str, str], str] | None = None
) -> str:
    return checks.failing(Heard(heard, probes or {}), wanted)


NO_NETIFD = "its netifd does not answer (ubus call network.interface dump)"
ALL = [("ssid", "frei"), ("interface", "wan"), ("default-route", "1")]


@pytest.mark.parametrize(
    ("heard", "why"),
    [
        (said(), ""),
        (said(ssid=["andere", "frei"]), ""),
        (said(ssid={"frei": 1}), "the network name 'frei' is not on the air"),
        (said(status="ENABLED"), ""),
        (said(pending=True), "radio0 is still being set up"),
        (said(status="HT_SCAN"), "radio0 is still being set up"),
        (
            said(up=False),
            "the network name 'frei' is not on the air; the interface 'wan' is down; there is no default route",
        ),
        (said(ssid="andere"), "the network name 'frei' is not on the air"),
        (said(status="DISABLED"), "the network name 'frei' is not on the air"),
        (said(route=False), "there is no default route"),
        (said() | {"network.interface": {"interface": []}}, "there is no interface 'wan'; there is no default route"),
        ({"network.wireless": said()["network.wireless"]}, NO_NETIFD),
        ({}, NO_NETIFD),
    ],
    ids=[
        "all", "list", "odd", "enabled", "pending", "scan", "down", "other", "disabled", "no-route", "no-interface",
        "no-netifd", "silent",
    ],
)  # fmt: skip
def test_all_reasons_are_told(heard: dict[str, Any], why: str) -> None:
    assert failing(heard, ALL) == why


def test_many_reasons_stay_a_short_line() -> None:
    none = [f"there is no interface '{name}'" for name in "abc"]
    told = failing(said(), [("interface", name) for name in "abcde"])
    assert told == f"{'; '.join(none)}; 2 more checks do not hold"
    assert failing(said(), [("interface", name) for name in "abcd"]).count("there is no interface") == 4


def test_internet_is_looked_for_only_when_the_rest_holds() -> None:
    def internet(_: Guests | None) -> Internet:
        pytest.fail("it was looked for")

    heard = Heard(said(route=False), internet=internet)
    assert checks.failing(heard, [("internet", "router"), ("default-route", "1")]) == "there is no default route"


def test_interface_that_is_down_is_not_one_that_is_missing() -> None:
    assert failing(said(up=False), [("interface", "wan")]) == "the interface 'wan' is down"


def test_route_of_an_interface_that_is_down_is_none() -> None:
    assert failing(said(up=False), [("default-route", "1")]) == "there is no default route"


def test_ipv6_default_route_counts() -> None:
    heard = {"network.interface": {"interface": [{"up": True, "route": [{"target": "::", "mask": 0}]}]}}
    assert failing(heard, [("default-route", "1")]) == ""


def test_without_checks_only_quiet_is_asked() -> None:
    assert failing(said(up=False, route=False), []) == ""
    assert failing({}, []) == NO_NETIFD
    assert failing(said(pending=True), []) == "radio0 is still being set up"


# --- radar ---


def cac(left: Any, active: Any = True) -> dict[str, Any]:
    return said(status="DFS", dfs={"cac_seconds": 60, "cac_active": active, "cac_seconds_left": left})


@pytest.mark.scenario(33)
@pytest.mark.parametrize(
    ("heard", "why", "seconds"),
    [
        (cac(42), "radio0 listens for radar for 42 s more", 42),
        (cac(2**32 - 3), "radio0 listens for radar for 0 s more", 0),
        (cac("x"), "radio0 listens for radar for 0 s more", 0),
        (cac(0, False), "", 0),
        (said(status="ENABLED", dfs=None), "", 0),
    ],
    ids=["listens", "late", "odd", "over", "no radar"],
)
def test_radio_that_listens_for_radar_is_not_quiet(heard: dict[str, Any], why: str, seconds: float) -> None:
    assert failing(heard, []) == why
    assert checks.listening(heard) == seconds


# --- what the router tries ---


@pytest.mark.parametrize(
    ("check", "answer", "why"),
    [
        (("ping", "192.0.2.1"), "yes", ""),
        (("ping", "192.0.2.1"), "no", "192.0.2.1 does not answer when the router pings it"),
        (("ping", "192.0.2.1"), None, "192.0.2.1 does not answer when the router pings it"),
        (("service", "snmpd"), "yes", ""),
        (("service", "snmpd"), "no", "the service 'snmpd' is not running"),
        (("service", "snmpd"), "missing", "there is no service 'snmpd'"),
        (("service", "snmpd"), None, "it could not tell in time whether the service 'snmpd' is running"),
        (("service", "snmpd"), "maybe", "it could not tell in time whether the service 'snmpd' is running"),
        (("neighbours", "2"), "2", ""),
        (("neighbours", "2"), "10", ""),
        (("neighbours", "2"), "1", "it has 1 mesh neighbours, and 2 are wished"),
        (("neighbours", "2"), "none", "it has no mesh whose neighbours can be counted (batman-adv, Babel, OLSR)"),
        (("neighbours", "2"), None, "it could not tell in time how many neighbours it has"),
        (("neighbours", "2"), "²", "it could not tell in time how many neighbours it has"),
    ],
)
def test_what_a_router_tried_is_judged(check: tuple[str, str], answer: str | None, why: str) -> None:
    assert failing(said(), [check], {check: answer} if answer else {}) == why


def test_only_what_the_router_itself_has_to_try_is_a_probe() -> None:
    wanted = [*ALL, ("ping", "192.0.2.1"), ("internet", "guest"), ("service", "snmpd")]
    assert checks.probes(wanted) == (("ping", "192.0.2.1"), ("service", "snmpd"))


def test_patience_is_for_what_takes_long() -> None:
    assert checks.patience(ALL) == 0
    assert checks.patience([("ping", "a"), ("service", "b")]) == checks.PROBE_SECONDS
    assert checks.patience([("internet", "guest"), ("ping", "a")]) == checks.PROBE_SECONDS + checks.INTERNET_SECONDS


# --- the internet ---


GUEST = {
    "interface": "guest",
    "up": True,
    "l3_device": "br-guest",
    "ipv4-address": [{"address": "172.31.64.1", "mask": 22}],
}
THEM = Guests(IPv4Address("172.31.64.1"), IPv4Address("172.31.64.2"), "br-guest")
ANOTHER_WAY = "guests go another way out than the router itself, so nothing shows that they reach the internet"


@pytest.mark.parametrize(
    ("wanted", "guests", "found", "asked_as", "why"),
    [
        ("guest", True, Internet(works=True, asked_from="guest"), THEM, ""),
        ("guest", True, Internet(works=True, asked_from="router"), THEM, ANOTHER_WAY),
        ("guest", True, Internet(works=False, asked_from="guest", why="DNS"), THEM, "the internet is not reached: DNS"),
        ("guest", True, None, THEM, "it could not tell in time whether the internet is reached"),
        ("guest", False, None, "nobody", "it has no network 'guest' with an IPv4 address where guests could be"),
        ("router", True, Internet(works=True, asked_from="router"), None, ""),
        ("1", True, Internet(works=True, asked_from="router"), THEM, ""),
        ("1", False, Internet(works=True, asked_from="router"), None, ""),
        ("1", False, Internet(works=False, asked_from="router", why="x"), None, "the internet is not reached: x"),
    ],
)
def test_internet_is_looked_for_from_whom_the_playbook_says(
    wanted: str, guests: bool, found: Internet | None, asked_as: Any, why: str
) -> None:
    asked: list[Any] = []

    def look(as_whom: Guests | None) -> Internet | None:
        asked.append(as_whom)
        return found

    heard = said()
    heard["network.interface"]["interface"] += [GUEST] if guests else []
    assert checks.failing(Heard(heard, internet=look), [("internet", wanted)]) == why
    assert asked == ([] if asked_as == "nobody" else [asked_as])


def test_internet_is_looked_for_only_when_all_else_holds() -> None:
    def never(guests: Guests | None) -> Internet | None:
        raise AssertionError

    wanted = [("internet", "router"), ("ssid", "anders")]
    assert checks.failing(Heard(said(), internet=never), wanted) == "the network name 'anders' is not on the air"
    assert checks.failing(Heard(said(pending=True), internet=never), wanted) == "radio0 is still being set up"


# --- what a check takes ---

RIGHT = {
    "ssid": ["frei", "it's $(reboot)", "{{ ssid }}"],
    "interface": ["guest"],
    "default-route": [True],
    "service": ["snmpd", "wpa_supplicant.conf-1", "{{ name }}"],
    "ping": ["192.0.2.1", "2001:db8::1", "::1", "fe80::1%br-lan", "www.example.org", "{{ gateway }}", "10.0.{{ x }}.1"],
    "neighbours": [1, 12, "2", "{{ few }}"],
    "internet": ["guest", "router", True, "{{ who }}"],
}
WRONG = {
    "ssid": [5, True, None, ""],
    "interface": [["a"], ""],
    "default-route": [False, 1, "1", "{{ x }}"],
    "service": ["$(reboot)", "-x", "a b", "a/b", '"', "a;b", "ä"],
    "ping": [
        "$(reboot)", "`id`", "-f", "192.0.2.1 -f", "192.0.2.1;id", "a\nb", "fe80::1%br lan", "%lo", "*", "a=b", "", 1,
        "x" * 300, "192.0.2.1/24",
    ],
    "neighbours": [0, -1, 1.5, True, "0", "few", "1 2", 10**6],
    "internet": [False, "mesh", "guest router", 1],
}  # fmt: skip


def test_every_check_is_tried_here() -> None:
    assert CHECKS.keys() == RIGHT.keys() == WRONG.keys()


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in RIGHT.items() for value in values])
def test_check_takes(name: str, value: Any) -> None:
    assert CHECKS[name].value.takes(value)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_check_does_not_take(name: str, value: Any) -> None:
    assert not CHECKS[name].value.takes(value)


@given(st.text(max_size=6) | st.text("a1.:%-$`;'\" \n", max_size=6))
def test_what_a_router_is_asked_to_try_is_one_plain_word(text: str) -> None:
    for name in checks.PROBES:
        if CHECKS[name].value.fits(text):
            assert text
            assert text.isascii()
            assert not set(text) & set(" \t\n\r'\"$`\\;&|<>(){}[]*?!~#=/")
            assert not text.startswith("-")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["interface", "interfaces", "config", "route", "up", "radio0", "ifname", "dfs"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(JSON, JSON, JSON, st.sampled_from(["", "yes", "no", "9" * 5000, "x"]))
def test_no_answer_of_a_router_is_a_bug_of_ours(wireless: Any, interface: Any, point: Any, answer: str) -> None:
    heard = {"network.wireless": wireless, "network.interface": interface, "hostapd.phy0-ap0": point}
    wanted = [*ALL, ("ping", "a"), ("service", "a"), ("neighbours", "1"), ("internet", "1")]
    assert isinstance(failing(heard, wanted, dict.fromkeys(wanted, answer)), str)
    assert checks.listening(heard) >= 0
