"""What must hold on a router before a change is confirmed, judged on what its own daemons say over ubus.

A check says why it does not hold, or an empty text. The sources are ``ubus call network.wireless status`` and
``ubus call network.interface dump`` of OpenWrt's netifd.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Said = Mapping[str, Any]
"""Name of a ubus object to what it said; None where it said nothing."""


def quiet(said: Said) -> str:
    """Whether nothing is still on its way to take effect: netifd is there, and no radio is being set up."""
    if said.get("network.interface") is None:
        return "its netifd does not answer (ubus call network.interface dump)"
    busy = [name for name, radio in _radios(said).items() if radio.get("pending")]
    return f"{', '.join(sorted(busy))} is still being set up" if busy else ""


def ssid(said: Said, wanted: str) -> str:
    """Whether the network name is on the air."""
    names = {
        _mapping(interface.get("config")).get("ssid")
        for radio in _radios(said).values()
        if radio.get("up")
        for interface in _mappings(radio.get("interfaces"))
    }
    return "" if wanted in names else f"the network name {wanted!r} is not on the air"


def interface(said: Said, wanted: str) -> str:
    """Whether an interface of this name is up."""
    found = next((each for each in _interfaces(said) if each.get("interface") == wanted), None)
    if found is None:
        return f"there is no interface {wanted!r}"
    return "" if found.get("up") else f"the interface {wanted!r} is down"


def default_route(said: Said, wanted: str) -> str:
    """Whether there is a way to the internet's addresses."""
    routes = [route for each in _interfaces(said) if each.get("up") for route in _mappings(each.get("route"))]
    found = any(route.get("target") in ("0.0.0.0", "::") and route.get("mask") == 0 for route in routes)  # noqa: S104
    return "" if found else "there is no default route"


CHECKS: dict[str, Callable[[Said, str], str]] = {
    "ssid": ssid,
    "interface": interface,
    "default-route": default_route,
}
"""The key in a playbook, and the check."""


def failing(said: Said, checks: Iterable[tuple[str, str]]) -> str:
    """Why the change cannot be confirmed yet; empty when everything holds."""
    return quiet(said) or next(filter(None, (CHECKS[name](said, wanted) for name, wanted in checks)), "")


def _radios(said: Said) -> Mapping[str, Any]:
    radios = said.get("network.wireless")
    return {name: _mapping(radio) for name, radio in _mapping(radios).items()}


def _interfaces(said: Said) -> list[Mapping[str, Any]]:
    return _mappings(_mapping(said.get("network.interface")).get("interface"))


def _mapping(data: Any) -> Mapping[str, Any]:
    """What should be a mapping; an empty one where a router says something else."""
    return data if isinstance(data, Mapping) else {}


def _mappings(data: Any) -> list[Mapping[str, Any]]:
    return [_mapping(each) for each in data] if isinstance(data, list) else []
