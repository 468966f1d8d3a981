"""Gluon v2022.1 and later: OpenWrt that makes most of ``/etc/config`` anew, at each upgrade and when it is told to.

Only wishes that Gluon keeps are carried out. A change of what it makes its files from is taken up by
``gluon-reconfigure``, which rewrites more files than the change names, and ``gluon-reload``, which restarts the
network. So all of ``/etc/config`` is in the snapshot, and a router that goes back reboots. Facts are from
freifunk-gluon/gluon, tags v2022.1 to v2025.1.3; three-digit names are its scripts in ``/lib/gluon/upgrade``:

- 001-reset-uci moves network and system away and has them generated anew; 200-wireless removes every ``wifi-iface``
  (before v2025.1 only those of Gluon) and sets channel, width and country of each radio by site.conf.
- 997-migrate-preserved brings back sections of network, system and (since v2025.1) wireless that have a name of their
  own and ``option gluon_preserve '1'``, unless the same name was generated.
- 002-migrate-system and 110-network keep what :data:`LASTS` lists. The names in ``/etc/config/gluon`` are told in
  docs/features/wired-mesh.rst, wlan-configuration.rst and private-wlan.rst: ``iface_lan.role``, ``band_2g.role`` …
- 100-authorized-keys adds keys of site.conf, 105-harden-dropbear switches passwords, or all of dropbear, on and off.
- 500-autoupdater makes the branches from site.conf and keeps ``settings``.
- gluon-node-info (``@owner[0].contact``, ``@location[0]``, ``@system[0].role``) is read by respondd at each question
  (package/gluon-node-info/src/respondd.c), so it needs no reload.
- gluon-reload stops and starts network, firewall, dnsmasq and mesh (``/lib/gluon/reload.d``), so a wired role needs no
  reboot; dropbear is not among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from wifimgr.errors import ConfigError, Refused
from wifimgr.model import Change, PathChange, Touched, Value
from wifimgr.platforms import openwrt
from wifimgr.platforms.edits import SECTION, CommandEdit, Edit, FileEdit, KeysEdit, PackageEdit, ServiceEdit, UciEdit
from wifimgr.platforms.openwrt import (
    GLUON_MARK,
    IDENTITY,
    SAFE_MODE,
    Facts,
    checks_as_wished,
    endpoint_after,
    hidden_values,
    paths_of_checks,
    questions,
    radar_seconds,
    restore,
    work,
)
from wifimgr.uci import Document, Section, UciError

__all__ = [
    "IDENTITY",
    "SAFE_MODE",
    "checks_as_wished",
    "endpoint_after",
    "hidden_values",
    "paths_of_checks",
    "questions",
    "radar_seconds",
    "restore",
    "work",
]  # as OpenWrt has them

CARRIES = (UciEdit, FileEdit, KeysEdit)
"""The kinds of edits that this platform can carry out."""
REASONS = {
    PackageEdit: "the next upgrade of Gluon drops packages: build them into its image",
    ServiceEdit: "the next upgrade of Gluon forgets which services start",
    CommandEdit: "nobody knows what of a command's effects Gluon would rewrite",
}
"""Why it carries no others."""
CAUTION = (
    "Gluon: the next upgrade, which its automatic updater may bring any night, makes its files anew and keeps only "
    "what Gluon itself keeps; where roles change, the network restarts, and a router that goes back reboots."
)

FOLDER = "etc/config/"
KEYS = "etc/dropbear/authorized_keys"
WAY_IN = ("etc/config/dropbear", KEYS)
"""What lets us in. Whatever rewrites one of these is taken back, whether we can still log in or not."""
QUIET = ("etc/config/gluon-node-info", "etc/config/autoupdater", "etc/config/system")
"""Nothing is made from these: they need no ``gluon-reconfigure``, and nobody notices their change."""

TAKES = 90.0
"""Seconds more until a confirm: reconfigure and reload on a slow router. As long as one needs to reboot."""
SETTLES = 20.0
"""Seconds more that effects get to show: the mesh and its tunnel come up after the network."""

LOGIN = ()
"""There are none: whatever changes, the network restarts."""
INTERRUPTS = {"wifi": 60.0}
"""What people notice of a restart of the network and for how many seconds, where a playbook does not say it."""

PRESERVE = "gluon_preserve"
LASTS: Mapping[tuple[str, str], Sequence[str]] = {
    ("system", "system"): (),
    ("system", "ntp"): (),
    ("system", "gpio_switch"): ("value",),
    ("network", "wan"): ("proto", "ipaddr", "netmask", "gateway"),
    ("network", "wan6"): ("proto", "ip6addr", "ip6gw"),
    ("wireless", "wifi-device"): ("txpower",),
    ("autoupdater", "autoupdater"): (),
}
"""Of the sections that Gluon makes: package and type, or name, to the options that it keeps; none listed: all."""
CHANNELS = ("channel", "htmode")
"""What a radio keeps besides, where ``gluon.wireless.preserve_channels`` is on (200-wireless)."""
INSTEAD = {
    "network": "wish a role under uci.gluon (section {type: interface, name: iface_lan}), or a section with a new name",
    "system": "wish a section with a new name",
    "wireless": (
        "wish a role under uci.gluon (section {type: wireless_band, name: band_2g}), private_ssid or preserve_channels "
        "there (section {type: wireless, name: wireless}), or a section with a new name"
    ),
    "autoupdater": "wish branch and enabled of its section settings; mirrors and keys belong into site.conf",
}
"""Package that Gluon makes anew to what to write in place of a wish that would not last."""


def paths(edits: Iterable[Edit]) -> tuple[str, ...]:
    """The files that must be read before the edits can be made."""
    wanted = openwrt.paths(edits)
    channels = ("etc/config/gluon",) if openwrt.WIRELESS in wanted else ()
    return tuple(sorted({*wanted, *channels, *around(wanted)}))


def around(paths: Iterable[str]) -> tuple[str, ...]:
    """What must be read besides these paths, when they change. A folder ends with a slash: all files in it."""
    return (FOLDER, KEYS) if any(map(_makes_anew, paths)) else ()


def _makes_anew(path: str) -> bool:
    """Whether a change of this file is taken up by ``gluon-reconfigure``."""
    return path.startswith((FOLDER, "etc/dropbear/")) and path not in QUIET


def check_identity(router: str, facts: Facts) -> None:
    """Raises Refused (``wrong-platform``) when the router is none of this platform."""
    if facts.get(GLUON_MARK) is None:
        what = f"it does not run Gluon (there is no /{GLUON_MARK})"
        raise Refused("wrong-platform", what, where=router, hint="set 'platform: openwrt' in its site file")


def touches_connectivity(changes: Iterable[PathChange]) -> bool:
    """Whether a mistake in the changed files can cut our way to the router: whenever Gluon restarts its network."""
    return any(_makes_anew(change.path) for change in changes)


def after(changes: Iterable[PathChange], *, back: bool = False) -> tuple[str, ...]:
    """What takes the changes up besides a reload. ``back``: they bring files of old, and nothing is to be made anew."""
    if not any(_makes_anew(change.path) for change in changes):
        return ()
    return ("gluon reload",) if back else ("gluon reconfigure",)


def kept(changes: Iterable[PathChange], files: Facts, modes: Mapping[str, str]) -> tuple[PathChange, ...]:
    """The files that taking the changes up may make or rewrite: what was read of them and does not change itself."""
    changed = {change.path for change in changes}
    if not any(map(_makes_anew, changed)):
        return ()
    return tuple(
        PathChange(path=path, before=raw, after=raw, link=modes.get(path) == "link")
        for path, raw in sorted(files.items())
        if path not in changed and (path == KEYS or (raw is not None and path.startswith(FOLDER)))
    )


# ---------------------------------------------------------------- what lasts


def render(
    router: str, edits: Sequence[Edit], facts: Facts, modes: Mapping[str, str] | None = None
) -> tuple[tuple[PathChange, ...], tuple[Touched, ...]]:
    """Makes the edits on what was read, as :func:`wifimgr.platforms.openwrt.render` does.

    A section with a name of its own gets :data:`PRESERVE` along. Raises Refused (``gluon-drops``) for a wish that the
    next upgrade would drop.
    """
    lasting = [_lasting(edit, edits, facts) if isinstance(edit, UciEdit) else edit for edit in edits]
    return openwrt.render(router, lasting, facts, modes)


def _lasting(edit: UciEdit, edits: Iterable[Edit], facts: Facts) -> UciEdit:
    """The edit in a form that Gluon keeps."""
    if edit.package == "gluon" and edit.type == "interface":
        _check_interface(edit, facts)
    if edit.package not in INSTEAD or _lasts(edit, edits, facts):
        return edit
    if edit.package == "autoupdater":
        raise _drops(edit, f"sections of type {edit.type!r} are made from site.conf")
    if not edit.name:
        raise _drops(edit, "it keeps no section without a name of its own")
    made = [section.name for section in _meant(edit, facts) if section.options.get(PRESERVE) != "1"]
    if made:
        raise _drops(edit, f"section {made[0]!r} is made by Gluon, or lacks 'option {PRESERVE}' on the router")
    if edit.absent:
        return edit
    if PRESERVE in edit.unset or edit.set.get(PRESERVE, "1") != "1":
        what = f"without 'option {PRESERVE}' Gluon drops the section"
        hint = "leave it out: it is set by itself"
        raise ConfigError("bad-wish", what, where=edit.where, key=f"uci.{edit.package}", hint=hint)
    return replace(edit, set={**edit.set, PRESERVE: "1"})


def _check_interface(edit: UciEdit, facts: Facts) -> None:
    """An interface that does not name its ports would break ``gluon-reconfigure`` (gluon.util, get_role_interfaces)."""
    if not (edit.absent or edit.each or "name" in {*edit.set, *edit.match} or _meant(edit, facts)):
        what = f"the router has no {edit.name or 'such interface'} that could have a role"
        hint = (
            "routers with a single port have iface_single; an interface of its own needs the option name, like eth0.8"
        )
        raise ConfigError("bad-wish", what, where=edit.where, key="uci.gluon", hint=hint)


def _lasts(edit: UciEdit, edits: Iterable[Edit], facts: Facts) -> bool:
    """Whether Gluon itself keeps all that is wished."""
    options = LASTS.get((edit.package, edit.name), LASTS.get((edit.package, edit.type)))
    if options is None or edit.absent:
        return False
    if edit.type == "wifi-device" and _preserves_channels(edits, facts):
        options = (*options, *CHANNELS)
    return not options or {*edit.set, *edit.unset} <= {*options}


def _preserves_channels(edits: Iterable[Edit], facts: Facts) -> bool:
    """Whether Gluon leaves channels alone, as things are on the router and as is wished along."""
    wish = "preserve_channels"
    there = [section.options.get(wish) for section in _sections("gluon", facts) if section.type == "wireless"]
    wished = [
        edit.set[wish] for edit in edits if isinstance(edit, UciEdit) and edit.package == "gluon" and wish in edit.set
    ]
    return "1" in (wished or there)


def _meant(edit: UciEdit, facts: Facts) -> list[Section]:
    """The sections of that name which are there; with ``per`` those of all names that it may become."""
    sections = _sections(edit.package, facts)
    pers = [section.name or "" for section in sections if section.type == edit.per] if edit.per else [""]
    names = {edit.name.replace(SECTION, per) for per in pers}
    return [section for section in sections if section.name in names]


def _sections(package: str, facts: Facts) -> list[Section]:
    """What a package holds; nothing where it cannot be understood, which is told when it is edited."""
    with suppress(UciError):
        return list(Document.parse(_text(facts.get(f"{FOLDER}{package}") or b"")).sections)
    return []


def _drops(edit: UciEdit, why: str) -> Refused:
    what = f"the next upgrade of Gluon would drop what is wished in uci.{edit.package}: {why}"
    return Refused("gluon-drops", what, where=edit.where, hint=INSTEAD[edit.package])


# ---------------------------------------------------------------- what gluon-reconfigure made of it


def rewritten(
    change: Change, files: Facts, modes: Mapping[str, str], secrets: set[str]
) -> tuple[str, tuple[PathChange, ...]]:
    """What is in ``files`` now, compared with what a change meant to leave there. Comments count for nothing.

    Returns why the change must go back (empty: it may stay), and the files that are not as they were left.
    """
    left = {each.path: each.after for each in (*change.paths, *change.kept)}
    both = {path: (left.get(path), files.get(path)) for path in sorted({*left, *files}) if path != GLUON_MARK}
    said = {path: (_said(path, before), _said(path, now)) for path, (before, now) in both.items()}
    moved = {path: both[path] for path, (before, now) in said.items() if before != now}
    made = tuple(restore(path, *moved[path], _modes(path, modes), secrets) for path in moved)
    lost = [touched.what for touched in change.touched if _is_lost(touched.what, {path: said[path] for path in moved})]
    if lost:
        return f"Gluon does not keep what was wished: {', '.join(dict.fromkeys(lost))}", made
    shut = [f"/{path}" for path in moved if path in WAY_IN]
    return f"Gluon has rewritten {', '.join(shut)}, which is our way in" if shut else "", made


def _is_lost(what: str, moved: Mapping[str, tuple[Mapping[str, Value], Mapping[str, Value]]]) -> bool:
    """Whether something that was wished is in a file that was rewritten, and is another now."""
    path = what.lstrip("/") if what.startswith("/") else f"{FOLDER}{what.partition('.')[0]}"
    if path not in moved:
        return False
    before, now = moved[path]
    return what.startswith("/") or before.get(what) != now.get(what)


def _said(path: str, raw: bytes | None) -> Mapping[str, Value]:
    """What a file says: by the names that plans use for options, or as a whole."""
    text = _text(raw or b"")
    if not path.startswith(FOLDER):
        return {} if raw is None else {"": text}
    try:
        sections = Document.parse(text).sections
    except UciError:
        return {"": text}
    package = path.removeprefix(FOLDER)
    said: dict[str, Value] = {f"{package}.{section.ref}": section.type for section in sections}
    for section in sections:
        said |= {f"{package}.{section.ref}.{option}": value for option, value in section.options.items()}
    return said


def _modes(path: str, modes: Mapping[str, str]) -> tuple[str, str]:
    mode = modes.get(path, "")
    return mode, mode


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
