"""Locations of bbb-configs, the configuration of Freifunk Berlin's backbone: one YAML file a location.

Source of the fields: ``DEVELOPER.md``, ``locations/`` and the templates in ``roles/cfg_openwrt/`` of
freifunk-berlin/bbb-configs. What a location says holds for its hosts, too, where they say nothing else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from wifimgr.errors import ConfigError
from wifimgr.inventory.importers import foreign
from wifimgr.inventory.importers.base import Found, Note, Options, Source
from wifimgr.inventory.importers.mesh import text

FOLDER = "locations"
"""Where the locations are when the whole repository is imported."""
_POSITION = ("latitude", "longitude")
_NO_POSITION = "its position is not two numbers"
_SNMP_ROLES: Mapping[str, str] = {
    "edgerouter": "gateway",
    "edgeswitch": "switch",
    "netgear": "switch",
    "swos": "switch",
    "swos_lite": "switch",
    "tplink": "switch",
    "zyxel": "switch",
}
"""SNMP profile to role. The devices of all other profiles are antennas between roofs: mesh nodes."""
_SNMP_PLATFORMS: Mapping[str, str] = {"routeros": "routeros", "mikrotik_60g": "routeros"}
"""SNMP profile to platform; all others run what their maker put on them."""


def read(source: Source, options: Options) -> Iterator[Found | Note]:
    """The hosts and SNMP devices of all locations. Raises ConfigError ``bad-import``."""
    if len(source.files) == 1:
        for name, raw in source.files.items():
            yield from _location(name, raw)
        return
    entries: list[Found | Note] = []
    for name in _location_files(source):
        try:
            entries += _location(name, source.files[name])
        except ConfigError as error:
            entries.append(Note(error.where, "skipped", error.what))
    if not any(isinstance(entry, Found) for entry in entries):
        why = next((f": {note.where}: {note.what}" for note in entries if isinstance(note, Note)), "")
        raise foreign.bad(source.name, f"holds no location of bbb-configs{why}", f"give the folder {FOLDER}/")
    yield from entries


def _location_files(source: Source) -> list[str]:
    names = sorted(name for name in source.files if PurePosixPath(name).suffix in (".yml", ".yaml"))
    return [name for name in names if FOLDER in PurePosixPath(name).parts[:-1]] or names


def _location(name: str, raw: bytes) -> list[Found | Note]:
    """What one file tells. Raises ConfigError ``bad-import``."""
    notes: list[Note] = []
    data = foreign.yaml_of(foreign.text_of(raw, name, notes), name)
    if not isinstance(data, dict) or not isinstance(data.get("hosts"), list):
        raise foreign.bad(name, "is no location of bbb-configs: it has no list 'hosts'")
    return [*notes, *_entries(name, data)]


def _entries(file: str, location: Mapping[Any, Any]) -> Iterator[Found | Note]:
    shared = {key: value for key, value in location.items() if key != "hosts"}
    shared["location"] = text(location.get("location")) or PurePosixPath(file).stem
    if _is_lost(shared):
        yield Note(file, "changed", _NO_POSITION)
    told: set[str] = set()
    for key, one in (("hosts", _host), ("snmp_devices", _snmp_device)):
        for index, entry in enumerate(_list(location.get(key))):
            name = text(entry.get("hostname")) if isinstance(entry, dict) else ""
            if not name:
                yield Note(f"{file} {key}[{index}]", "skipped", "has no hostname")
                continue
            told.add(name)
            keys = shared | entry
            if _is_lost(keys) and not _is_lost(shared):
                yield Note(f"{file} {name}", "changed", _NO_POSITION)
            yield from one(f"{file} {name}", name, keys)
    for name in {name: None for network in _networks(location) for name in network["assignments"] if name not in told}:
        yield Note(f"{file} {name}", "skipped", "has an address, but is neither a host nor an SNMP device")


def _host(where: str, name: str, keys: Mapping[Any, Any]) -> Iterator[Found | Note]:
    role = foreign.role_of(text(keys.get("role")))
    addresses = _addresses(name, keys)
    if text(keys.get("role")) and not role:
        yield Note(where, "changed", "its role is none that is known here")
    if not addresses:
        yield Note(where, "changed", "has no address that can be worked out from the networks of its location")
    yield _found(where, name, keys, addresses=addresses, platform="openwrt", role=role, model=text(keys.get("model")))


def _snmp_device(where: str, name: str, keys: Mapping[Any, Any]) -> Iterator[Found | Note]:
    profile = text(keys.get("snmp_profile"))
    address = text(keys.get("address"))
    if not address:
        yield Note(where, "changed", "has no address")
    yield _found(
        where,
        name,
        keys,
        addresses=(address,) if address else (),
        platform=_SNMP_PLATFORMS.get(profile, "other"),
        role=_SNMP_ROLES.get(profile, "mesh-node"),
        sources=("snmp",),
    )


def _found(where: str, name: str, keys: Mapping[Any, Any], **more: Any) -> Found:
    contacts = [value for key, value in keys.items() if isinstance(key, str) and foreign.looks_like_contact(key)]
    return Found(
        where=where,
        name=name,
        position=_position(keys),
        site=text(keys["location"]),
        contact=foreign.contact_of(*contacts),
        **more,
    )


def _position(keys: Mapping[Any, Any]) -> tuple[float, float] | None:
    latitude, longitude = (foreign.number_of(keys.get(key)) for key in _POSITION)
    return None if latitude is None or longitude is None else (latitude, longitude)


def _is_lost(keys: Mapping[Any, Any]) -> bool:
    """Whether a position is told, but not as one."""
    return _position(keys) is None and any(keys.get(key) is not None for key in _POSITION)


# --- addresses ---


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _networks(keys: Mapping[Any, Any]) -> Iterator[Mapping[Any, Any]]:
    """The networks of a location, each with a mapping of assignments. A gateway has one, under ``mgmt``."""
    mgmt = keys.get("mgmt")
    of_a_gateway = [{**mgmt, "role": "mgmt", "prefix": mgmt.get("ipv4")}] if isinstance(mgmt, dict) else []
    for network in [*of_a_gateway, *_list(keys.get("networks"))]:
        if isinstance(network, dict):
            assignments = network.get("assignments")
            yield {**network, "assignments": assignments if isinstance(assignments, dict) else {}}


def _addresses(name: str, keys: Mapping[Any, Any]) -> tuple[str, ...]:
    """Where a host is managed: in a network for that, else in another one, else at the ends of its own links."""
    networks = list(_networks(keys))
    assigned = [network for network in networks if name in network["assignments"]]
    links = [network for network in networks if network.get("role") == "mesh" and not network["assignments"]]
    ways = (
        [_nth(network, network["assignments"][name]) for network in assigned if network.get("role") == "mgmt"],
        [_nth(network, network["assignments"][name]) for network in assigned],
        [_own(network) for network in links if keys.get("role") == "corerouter"],
    )
    return next(filter(None, (tuple(filter(None, way)) for way in ways)), ())


def _nth(network: Mapping[Any, Any], number: Any) -> str:
    """The address with a number in a network; empty when there is none."""
    try:
        return str(ipaddress.ip_network(text(network.get("prefix")), strict=False)[int(text(number))])
    except (ValueError, IndexError):
        return ""


def _own(network: Mapping[Any, Any]) -> str:
    """The address of a core router on a link, which is written as the prefix."""
    try:
        return str(ipaddress.ip_interface(text(network.get("prefix"))).ip)
    except ValueError:
        return ""
