"""What OpenWrt's files wish to be off right now: a network that is paused, or closed by its schedule, is right to be.

``disabled`` of a Wi-Fi network belongs to schedules and pauses, never to a playbook. So no check may want it on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from wifimgr.model import Value
from wifimgr.uci import Document, Section, UciError

WIRELESS, NETWORK = "etc/config/wireless", "etc/config/network"
_FILES = {"ssid": (WIRELESS,), "interface": (WIRELESS, NETWORK), "internet": (WIRELESS, NETWORK)}

Check = tuple[str, str]
"""Name of the check, and what it wants."""
Facts = Mapping[str, bytes | None]


def paths_of_checks(checks: Iterable[Check]) -> tuple[str, ...]:
    """The files that must be read to know what the checks should find."""
    return tuple(sorted({path for name, _ in checks for path in _FILES.get(name, ())}))


def checks_as_wished(checks: Iterable[Check], files: Facts, guests: str = "guest") -> tuple[Check, ...]:
    """The checks without those of what is wished off. ``guests`` is the network that guests are in.

    Where guests are off, ``internet: true`` is asked from the router itself.
    """
    wireless, network = _sections(files.get(WIRELESS)), _sections(files.get(NETWORK))
    found = []
    for name, wanted in checks:
        if name == "internet" and wanted != "router" and _is_off(guests, wireless, network):
            if wanted == "guest":
                continue
            wanted = "router"
        if name == "ssid" and _are_silent(wireless, partial(_is_called, wanted)):
            continue
        if name == "interface" and _is_off(wanted, wireless, network) and not _stays_up(_bridge(wanted, network)):
            continue
        found.append((name, wanted))
    return tuple(found)


def _is_off(name: str, wireless: list[Section], network: list[Section]) -> bool:
    """Whether a network is on the air only, and all that would carry it there is wished off."""
    silent = _are_silent(wireless, lambda each: name in _words(each.options.get("network", "")))
    return silent and not _has_wires(name, network)


def _are_silent(wireless: list[Section], those: Callable[[Section], bool]) -> bool:
    """Whether there are such Wi-Fi networks, and all of them are off: themselves, or all radios that carry them."""
    off = {section.name for section in wireless if section.options.get("disabled") == "1"}
    found = [each for each in wireless if each.type == "wifi-iface" and those(each)]
    silent = [each.options.get("disabled") == "1" or off.issuperset(_listed(each, "device")) for each in found]
    return bool(silent) and all(silent)


def _is_called(ssid: str, network: Section) -> bool:
    return ssid in _listed(network, "ssid")


def _listed(section: Section, option: str) -> tuple[str, ...]:
    """The texts of an option: UCI takes a list for one value, too."""
    value = section.options.get(option, "")
    return (value,) if isinstance(value, str) else value


def _words(value: Value) -> Iterable[str]:
    return value.split() if isinstance(value, str) else value


def _has_wires(name: str, network: list[Section]) -> bool:
    """Whether an interface is on anything but the air; true where nobody can tell."""
    interface = _named(name, network)
    if interface is None:
        return True
    bridge = _bridge(name, network)
    if bridge is not None:
        return bool(bridge.options.get("ports"))
    return bool(interface.options.get("device") or interface.options.get("ifname"))


def _bridge(name: str, network: list[Section]) -> Section | None:
    """The bridge that an interface is made of."""
    interface = _named(name, network)
    device = interface.options.get("device") if interface else None
    bridges = [each for each in network if each.type == "device" and each.options.get("type") == "bridge"]
    return next((each for each in bridges if device and each.options.get("name") == device), None)


def _named(name: str, network: list[Section]) -> Section | None:
    return next((each for each in network if each.type == "interface" and each.name == name), None)


def _stays_up(bridge: Section | None) -> bool:
    """Whether a bridge is there also when nothing is joined to it."""
    return bridge is not None and bridge.options.get("bridge_empty") == "1"


def _sections(raw: bytes | None) -> list[Section]:
    try:
        return list(Document.parse((raw or b"").decode("utf-8", "surrogateescape")).sections)
    except UciError:
        return []
