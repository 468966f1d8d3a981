"""Typed edits: what tasks ask for and platforms carry out. A platform refuses the kinds it cannot carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Literal

from wifimgr.model import Value
from wifimgr.settings import Secret

SECTION = f"section-{token_hex(16)}"
"""Stands for the name of a section that is known only when a router was read. No value holds it by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UciEdit:
    """Some sections of one UCI package shall hold these options, or shall not be there.

    Which sections: the one called ``name``; else all of ``type`` (``each``), with ``match`` only those whose options
    equal it; else the one whose options equal ``match``; else the only one of its type. One that should be there and is
    not is added, but never for ``each``.

    With ``per`` it is one wish for each section of that type, whose name stands wherever :data:`SECTION` does.
    """

    package: str
    type: str
    name: str = ""
    each: bool = False
    per: str = ""
    match: Mapping[str, str] = field(default_factory=dict)
    set: Mapping[str, Value | Secret] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    absent: bool = False
    where: str = ""
    """``file:line`` of the wish, for messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEdit:
    """A file shall hold exactly this; None: it shall not be there. ``mode`` is octal; empty: as it is."""

    path: str
    content: str | Secret | None = field(repr=False)
    mode: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuEdit:
    """Some options of one menu of RouterOS shall be as in ``set``.

    Without ``match`` the menu holds settings. With it, it is about the one item whose options equal ``match``, which is
    added where it is missing, or with ``absent`` shall not be there.
    """

    menu: str
    """``ip/firewall/filter``."""
    match: Mapping[str, str] = field(default_factory=dict)
    set: Mapping[str, Value | Secret] = field(default_factory=dict)
    absent: bool = False
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysEdit:
    """These public keys may log in over SSH (``present``), those may not; with ``only`` nobody else may."""

    present: tuple[str, ...] = ()
    """Lines as in an ``authorized_keys`` file of OpenSSH."""
    absent: tuple[str, ...] = ()
    only: bool = False
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageEdit:
    """A package shall be installed, or not."""

    name: str
    present: bool
    where: str = ""


ServiceWishKind = Literal["enabled", "disabled", "restart_when_changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEdit:
    """A service shall start with the router, or not; or take up what changes by being restarted."""

    name: str
    wish: ServiceWishKind
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandEdit:
    """``run`` shall be carried out by the router's shell unless ``unless`` says that all is right already."""

    run: str | Secret = field(repr=False)
    unless: str | Secret = field(repr=False)
    about: str
    """For people: what it does."""
    within: float
    """Seconds that it may take."""
    where: str = ""


Edit = UciEdit | FileEdit | MenuEdit | KeysEdit | PackageEdit | ServiceEdit | CommandEdit


# --- what has to be known of a router besides its files ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What a router is asked while it is read."""

    packages: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    unless: tuple[str, ...] = field(default=(), repr=False)
    """Tests for its shell."""

    def __bool__(self) -> bool:
        return bool(self.packages or self.services or self.unless)


@dataclass(frozen=True, slots=True)
class Service:
    """What a router says of one of its services."""

    start: str = ""
    """Its place in the order of the start, as its init script has it; empty: the router does not start it."""
    stop: str = ""
    runs: bool = False
    links: Mapping[str, str | None] = field(default_factory=dict)
    """The paths of the links that start and stop it, or would, to where they lead: ``etc/rc.d/S50snmpd``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a router answers."""

    manager: str = ""
    """The program that manages its packages: ``opkg`` or ``apk``; empty: there is none."""
    packages: Mapping[str, bool] = field(default_factory=dict)
    """Package to whether it is installed."""
    services: Mapping[str, Service | None] = field(default_factory=dict)
    """Service to what is known of it; None: there is no such service."""
    unless: tuple[str, ...] = ()
    """What became of each test: ``yes``, all is right already; ``no``; or why there is no answer: ``late``, ``missing``
    (the shell found no program of that name, or may not run it), ``broken`` (the shell cannot read it)."""


NOTHING_ASKED = Questions()
NOTHING_TOLD = Told()
