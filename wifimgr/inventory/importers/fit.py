"""What a file tells, made to fit ours: what does not fit is left out, and people are told."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from wifimgr.errors import INVISIBLE
from wifimgr.inventory.findings import Ranges
from wifimgr.inventory.importers.base import Found
from wifimgr.inventory.importers.names import one_line
from wifimgr.inventory.schema import ip_of, normalised
from wifimgr.model import Origin
from wifimgr.settings import Network, looks_secret
from wifimgr.settings.area import Point
from wifimgr.settings.values import Platform, Role, Source, Vars, Word

_TEXTS = ("name", "model", "room", "site", "district")
_LINK_LOCAL = "is link-local without a zone, which leads nowhere from here"
CONTACT = "the contact was left out; --keep-contacts keeps it"
LINK_LOCAL = "link-local addresses without a zone were left out: they lead nowhere from here"
UNREACHED = "no address is told, so nobody is asked: sources: [map]"
FOREIGN = "an address lies outside of prefixes in network.yaml; 'wifimgr check' names each"
SAID_ONCE = frozenset({CONTACT, LINK_LOCAL, UNREACHED, FOREIGN})
"""What holds for nearly every router of some files, and is told once for all of them."""
_NO_ADDRESS = "is none"
_ZONE = re.compile(r"[A-Za-z0-9_.-]{1,32}")


class Fit:
    """Fits one found router after the other."""

    def __init__(self, network: Network, *, keep_contacts: bool) -> None:
        self._area = network.file.area
        self._prefixes = network.file.prefixes
        self._ours = Ranges((prefix, "", Origin("", 0)) for prefix in self._prefixes)
        self._keep_contacts = keep_contacts

    def __call__(self, found: Found) -> tuple[Found, list[str]]:
        """The router as it fits, and what was changed."""
        notes: list[str] = []
        texts = {key: one_line(getattr(found, key)) for key in _TEXTS}
        notes += [f"{key}: invisible characters were taken out" for key in _TEXTS if _hides(getattr(found, key))]
        notes += [CONTACT] if found.contact and not self._keep_contacts else []
        fits = replace(
            found,
            **texts,
            node_id=_kept("node_id", found.node_id, Word, notes),
            platform=_kept("platform", found.platform, Platform, notes),
            role=_kept("role", found.role, Role, notes),
            tags=tuple(filter(None, (_kept("tags", tag, Word, notes) for tag in found.tags))),
            sources=tuple(filter(None, (_kept("sources", source, Source, notes) for source in found.sources))),
            addresses=self._addresses(found.addresses, notes),
            position=self._position(found.position, notes),
            vars=_variables(found.vars, notes),
            contact=_writable(found.contact) if self._keep_contacts else "",
        )
        return fits, list(dict.fromkeys(notes))

    def _addresses(self, told: tuple[str, ...], notes: list[str]) -> tuple[str, ...]:
        kept: dict[str, None] = {}
        reasons: dict[str, None] = {}
        for address in told:
            same, reason = _usable(address)
            if reason:
                reasons[reason] = None
            else:
                kept[same] = None
        said = {_LINK_LOCAL: LINK_LOCAL} if kept else {}
        notes += [said.get(reason) or f"an address was left out: it {reason}" for reason in reasons]
        notes += [] if kept else [UNREACHED]
        notes += [FOREIGN] if self._prefixes and any(map(self._is_foreign, kept)) else []
        return tuple(kept)

    def _is_foreign(self, address: str) -> bool:
        ip = ip_of(address)
        if ip is None or ip.is_link_local or not self._ours.know(ip.version):
            return False
        return not any(self._ours.around(ip))

    def _position(self, told: Point | None, notes: list[str]) -> Point | None:
        if told is None:
            return None
        reason = _nowhere(told) or ("lies outside the area of the network" if self._is_outside(told) else "")
        if reason:
            notes.append(f"its position was left out: it {reason}")
        return None if reason else told

    def _is_outside(self, point: Point) -> bool:
        return self._area is not None and not self._area.holds(point)


def _hides(text: str) -> bool:
    return bool(INVISIBLE.search(text)) or _writable(text) != text


def _writable(text: str) -> str:
    """Halves of characters, as broken writers leave them, cannot be written as UTF-8."""
    return text.encode("utf-8", "replace").decode()


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _fits(kind: Any, value: Any) -> bool:
    try:
        _adapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


def _kept(key: str, value: str, kind: Any, notes: list[str]) -> str:
    if not value or _fits(kind, value):
        return value
    notes.append(f"{key} was left out: it does not fit there")
    return ""


# ---------------------------------------------------------------- addresses and positions


def _usable(address: str) -> tuple[str, str]:
    """The one spelling of an address, and why nobody can be reached there; no reason where somebody can."""
    ip = ip_of(address)
    if ip is None:
        return _usable_name(address)
    if ip.is_unspecified or ip.is_loopback or ip.is_multicast:
        return "", "is never that of one router"
    bare, _, zone = str(ip).partition("%")
    if not ip.is_link_local:
        return bare, ""  # a zone means something only where an address is link-local
    if zone and not _ZONE.fullmatch(zone):
        return "", _NO_ADDRESS
    return str(ip), "" if zone else _LINK_LOCAL


def _usable_name(address: str) -> tuple[str, str]:
    try:
        return normalised(address), ""
    except ValueError:
        return "", _NO_ADDRESS


def _nowhere(point: Point) -> str:
    """Why nothing stands there; nothing where something can."""
    if not (abs(point[0]) <= 90 and abs(point[1]) <= 180):
        return "is no place on earth"
    return "is 0/0, as of one that was never told" if point == (0, 0) else ""


# ---------------------------------------------------------------- variables


def _variables(told: Mapping[str, Any], notes: list[str]) -> Mapping[str, Any]:
    return dict(_each_variable(told, notes))


def _each_variable(told: Mapping[str, Any], notes: list[str]) -> Iterator[tuple[str, Any]]:
    """Plain values only: a reference to a secret in a foreign file would read from this machine."""
    for name, value in told.items():
        plain = [_plain(item) for item in value] if isinstance(value, list | tuple) else _plain(value)
        if looks_secret(name) and not isinstance(value, bool):
            hint = "write where it is found, and change it: others have seen that file"
            notes.append(f"the variable {one_line(name)} was left out: it is a secret; {hint}")
        elif None in (plain if isinstance(plain, list) else [plain]) or not _fits(Vars, {name: plain}):
            notes.append(f"the variable {one_line(name)} was left out: its name or its value does not fit")
        else:
            yield name, plain


def _plain(value: Any) -> str | int | float | bool | None:
    if isinstance(value, str):
        return _writable(value)
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return None
