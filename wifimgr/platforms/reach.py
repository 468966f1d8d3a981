"""Where OpenWrt's SSH server is reached after a change, read from the change itself."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from wifimgr.model import PathChange, Value
from wifimgr.settings import Endpoint
from wifimgr.uci import Document, Section, UciError

DROPBEAR, NETWORK = "etc/config/dropbear", "etc/config/network"
DEFAULT_PORT = "22"

Places = Mapping[str, tuple[str, ...]]
"""Section to what it offers there: ports, or addresses."""


def endpoint_after(changes: Iterable[PathChange], endpoint: Endpoint) -> Endpoint:
    """Where a router is reached once the changes have taken effect; the same endpoint where that cannot be told.

    It can be told when the old place was written in a file that changes: a port of dropbear that is none any more,
    an address of an interface that no interface has any more. An address that DHCP gives, or a port that somebody
    forwards, stands in no file.
    """
    files = {change.path: (change.before, change.after) for change in changes}
    port = _moved(files.get(DROPBEAR), _ports, str(endpoint.port))
    address = _moved(files.get(NETWORK), _addresses, _plain(endpoint.address))
    return Endpoint(address or endpoint.address, int(port or endpoint.port))


def _moved(file: tuple[bytes | None, bytes | None] | None, read: Callable[[Section], Iterable[str]], old: str) -> str:
    """What took the place of an old port or address; empty: it is still there, or nobody can tell."""
    before, after = (_places(raw, read) for raw in file or (None, None))
    found = next((name for name, places in before.items() if old in places), None)
    if found is None or any(old in places for places in after.values()):
        return ""
    new = [place for place in after.get(found, ()) if (":" in place) == (":" in old)]
    return next((place for place in new if place not in before[found]), next(iter(new), ""))


def _places(raw: bytes | None, read: Callable[[Section], Iterable[str]]) -> Places:
    try:
        sections = Document.parse((raw or b"").decode("utf-8", "surrogateescape")).sections
    except UciError:
        return {}
    return {section.ref: tuple(read(section)) for section in sections}


def _ports(section: Section) -> Iterable[str]:
    if section.type == "dropbear" and section.options.get("enable") != "0":
        port = section.options.get("Port", DEFAULT_PORT)
        if isinstance(port, str) and port.isdigit() and 0 < int(port) <= 0xFFFF:
            yield port


def _addresses(section: Section) -> Iterable[str]:
    if section.type == "interface" and section.options.get("disabled") != "1":
        for option in ("ipaddr", "ip6addr"):
            yield from (_plain(word) for value in _values(section.options.get(option)) for word in value.split())


def _values(value: Value | None) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else value


def _plain(address: str) -> str:
    """An address in one spelling, without the length of its network."""
    with suppress(ValueError):
        return str(ipaddress.ip_interface(address).ip)
    return address
