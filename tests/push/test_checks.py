"""Checks before a confirm: judged on what the router's own daemons say, whatever they say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifimgr.push import checks


def said(*, up: bool = True, pending: bool = False, ssid: str = "frei", route: bool = True) -> dict[str, Any]:
    """What ubus says of one radio, one network name and one interface."""
    radio = {"up": up, "pending": pending, "interfaces": [{"config": {"ssid": ssid}}]}
    routes = [{"target": "0.0.0.0", "mask": 0}] if route else [{"target": "0.0.0.0", "mask": 8}]  # noqa: S104
    wan = {"interface": "wan", "up": up, "route": routes}
    return {"network.wireless": {"radio0": radio}, "network.interface": {"interface": [wan]}}


NO_NETIFD = "its netifd does not answer (ubus call network.interface dump)"
ALL = [("ssid", "frei"), ("interface", "wan"), ("default-route", "1")]


@pytest.mark.parametrize(
    ("heard", "why"),
    [
        (said(), ""),
        (said(pending=True), "radio0 is still being set up"),
        (said(up=False), "the network name 'frei' is not on the air"),
        (said(ssid="andere"), "the network name 'frei' is not on the air"),
        (said(route=False), "there is no default route"),
        (said() | {"network.interface": {"interface": []}}, "there is no interface 'wan'"),
        ({"network.wireless": said()["network.wireless"]}, NO_NETIFD),
        ({}, NO_NETIFD),
    ],
    ids=["all", "pending", "down", "other", "no-route", "no-interface", "no-netifd", "silent"],
)
def test_first_reason_is_told(heard: dict[str, Any], why: str) -> None:
    assert checks.failing(heard, ALL) == why


def test_interface_that_is_down_is_not_one_that_is_missing() -> None:
    assert checks.failing(said(up=False), [("interface", "wan")]) == "the interface 'wan' is down"


def test_route_of_an_interface_that_is_down_is_none() -> None:
    assert checks.failing(said(up=False), [("default-route", "1")]) == "there is no default route"


def test_ipv6_default_route_counts() -> None:
    heard = {"network.interface": {"interface": [{"up": True, "route": [{"target": "::", "mask": 0}]}]}}
    assert checks.failing(heard, [("default-route", "1")]) == ""


def test_without_checks_only_quiet_is_asked() -> None:
    assert checks.failing(said(up=False, route=False), []) == ""
    assert checks.failing({}, []) == NO_NETIFD
    assert checks.failing(said(pending=True), []) == "radio0 is still being set up"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["interface", "interfaces", "config", "route", "up", "radio0"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(JSON, JSON)
def test_no_answer_of_a_router_is_a_bug_of_ours(wireless: Any, interface: Any) -> None:
    assert isinstance(checks.failing({"network.wireless": wireless, "network.interface": interface}, ALL), str)
