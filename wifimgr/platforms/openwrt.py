"""OpenWrt 21.02 and later: UCI files and plain files on a flash overlay, daemons that reload by themselves."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from wifimgr.errors import ConfigError, Refused, RouterError
from wifimgr.model import PathChange, Touched, Value
from wifimgr.platforms import diff
from wifimgr.platforms.edits import Edit, FileEdit, UciEdit
from wifimgr.platforms.radar import silence
from wifimgr.platforms.reach import endpoint_after
from wifimgr.settings import Secret, looks_secret
from wifimgr.uci import Document, Section, UciError

__all__ = ["endpoint_after"]  # besides what is defined here

GLUON_MARK = "lib/gluon/gluon-version"
IDENTITY = (GLUON_MARK,)
"""Files that tell whether a router is what the inventory says."""

CONNECTIVITY = {f"etc/config/{package}" for package in ("network", "wireless", "firewall", "dropbear")}
"""A mistake in one of these can cut our way to the router."""

SURELY_NO_WORD = 8
"""Characters. A secret of an option that is as long is also covered where it stands in other texts, like comments."""
_COMMENTED = re.compile(r"^([ \t]*#[^\n]*?\b(?:option|list)[ \t]+(\w+)[ \t]+)(.+)", re.MULTILINE)

WIRELESS = "etc/config/wireless"

NEW_CONFIG_MODE = "600"
NEW_FILE_MODE = "644"

_SECRET_OPTION = re.compile(r"(pass|pin|pwd|(api|auth|shared|wpa|wep|crypt|secret|private)key)[0-9]*$|^pincode$")
"""Names of options that hold a secret, besides those that look like one everywhere."""

Facts = Mapping[str, bytes | None]
"""What was read from a router: path without leading slash to bytes, None where there is no such file."""


def paths(edits: Iterable[Edit]) -> tuple[str, ...]:
    """The files that must be read before the edits can be made."""
    return tuple(sorted({_path(edit) for edit in edits}))


def check_identity(router: str, facts: Facts) -> None:
    """Raises Refused (``wrong-platform``) when the router is none of this platform."""
    if facts.get(GLUON_MARK) is not None:
        raise Refused(
            "wrong-platform",
            "it runs Gluon, whose upgrades rewrite plain OpenWrt settings",
            where=router,
            hint="set 'platform: gluon' in its site file",
        )


def touches_connectivity(changes: Iterable[PathChange]) -> bool:
    """Whether a mistake in the changed files can cut our way to the router."""
    return any(change.path in CONNECTIVITY or change.path.startswith("etc/dropbear/") for change in changes)


def radar_seconds(changes: Iterable[PathChange]) -> float:
    """How long a radio listens for radar when these changes take effect, or when they are taken back."""
    wireless = [change for change in changes if change.path == WIRELESS]
    return max((silence(raw) for change in wireless for raw in (change.before, change.after)), default=0.0)


def paths_of_checks(checks: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The files that must be read to know what the checks should find."""
    return (WIRELESS,) if any(name == "ssid" for name, _ in checks) else ()


def checks_as_wished(checks: Iterable[tuple[str, str]], files: Facts) -> tuple[tuple[str, str], ...]:
    """The checks without those of network names that are wished off: a paused network is right to be silent."""
    return tuple(check for check in checks if check[0] != "ssid" or not _is_wished_off(check[1], files.get(WIRELESS)))


def _is_wished_off(ssid: str, wireless: bytes | None) -> bool:
    try:
        sections = Document.parse(_text(wireless or b"")).sections
    except UciError:
        return False
    off = {section.name for section in sections if section.options.get("disabled") == "1"}
    networks = [each for each in sections if each.type == "wifi-iface" and each.options.get("ssid") == ssid]
    silent = [each.options.get("disabled") == "1" or each.options.get("device") in off for each in networks]
    return bool(silent) and all(silent)


def is_hidden(option: str) -> bool:
    """Whether an option of this name holds a secret that no diff may show."""
    name = option.lower()
    return (looks_secret(name) or bool(_SECRET_OPTION.search(name))) and not name.endswith("auth")


def render(
    router: str, edits: Sequence[Edit], facts: Facts, modes: Mapping[str, str] | None = None
) -> tuple[tuple[PathChange, ...], tuple[Touched, ...]]:
    """Makes the edits on what was read. Returns the files that differ, and everything that is wished.

    ``modes`` are the octal modes of the files; without them only a new file gets its mode.

    Raises ConfigError (``bad-wish``) for a wish that does not fit the router, RouterError (``bad-uci``) for a file of
    the router that cannot be understood.
    """
    by_path: dict[str, list[Edit]] = defaultdict(list)
    for edit in edits:
        by_path[_path(edit)].append(edit)
    changes, touched = [], []
    for path, wished in sorted(by_path.items()):
        change, wishes = _render_path(router, path, wished, facts[path], (modes or {}).get(path, ""))
        touched += wishes
        if change.before != change.after or change.diff:
            changes.append(change)
    return tuple(changes), tuple(touched)


def _path(edit: Edit) -> str:
    return f"etc/config/{edit.package}" if isinstance(edit, UciEdit) else edit.path.lstrip("/")


def _render_path(
    router: str, path: str, edits: Sequence[Edit], before: bytes | None, mode: str
) -> tuple[PathChange, list[Touched]]:
    uci = [edit for edit in edits if isinstance(edit, UciEdit)]
    if uci:
        return _render_uci(router, path, uci, before)
    edit = edits[-1]
    assert isinstance(edit, FileEdit)
    return _render_file(path, edit, before, mode)


def _render_file(path: str, edit: FileEdit, before: bytes | None, has_mode: str) -> tuple[PathChange, list[Touched]]:
    after = None if edit.content is None else _plain(edit.content).encode("utf-8", "surrogateescape")
    if after is not None and b"\0" in after:
        raise ConfigError("bad-wish", "the file would hold a NUL byte", where=edit.where, hint="files are text")
    old, new = (None if raw is None else _text(raw) for raw in (before, after))
    shown = diff.unified(path, old, new)
    if isinstance(edit.content, Secret):  # a text made with a secret is one as a whole
        shown = diff.unified(path, old and f"{diff.MASK}\n", f"{diff.NEW_MASK}\n") if shown else ()
    elif has_mode and not int(has_mode[-1]) & 4:  # kept from other users of the router: what goes may be a secret
        shown = tuple(diff.MASKED_OUT if _goes(line) else line for line in shown)
    secret = before is not None and bool(shown) and (isinstance(edit.content, Secret) or diff.MASKED_OUT in shown)
    mode = edit.mode[-3:] or ("" if before is not None else NEW_FILE_MODE)
    touched = [Touched(f"/{path}", old, new)]
    if edit.mode and has_mode:
        touched.append(Touched(f"/{path} mode", has_mode, mode))
        shown += () if mode == has_mode else (f"-mode of /{path}: {has_mode}", f"+mode of /{path}: {mode}")
    return PathChange(path=path, before=before, after=after, mode=mode, diff=shown, secret=secret), touched


def _goes(line: str) -> bool:
    return line.startswith("-") and not line.startswith("--- ")


def restore(
    path: str, before: bytes | None, after: bytes | None, modes: tuple[str, str], secrets: set[str]
) -> PathChange:
    """What it means to give a file back the bytes it had; ``modes`` are those that it has and shall have.

    Nobody says here what was a secret. Known ``secrets`` are covered, and options with a telling name. A plain file is
    shown only where everybody on the router may read it, and never as a whole.
    """
    if path.startswith("etc/config/") and before != after:
        with suppress(UciError):
            return replace(_uci_change(path, before, after, secrets), mode=_new_mode(before, after, modes))
    old, new = (None if raw is None else _text(raw) for raw in (before, after))
    shown = diff.unified(path, old, new)
    hidden = old is None or new is None or any(int(mode[-1:] or 0) & 4 == 0 for mode in modes)
    hidden = hidden or any(secret in text for secret in secrets for text in (old or "", new or ""))
    if shown and hidden:
        shown = diff.unified(path, old and f"{diff.MASK}\n", new and f"{diff.NEW_MASK}\n")
    secret = bool(shown) and hidden and before is not None
    mode = _new_mode(before, after, modes)
    if mode and before is not None:
        shown += (f"-mode of /{path}: {modes[0]}", f"+mode of /{path}: {mode}")
    return PathChange(path=path, before=before, after=after, mode=mode, diff=shown, secret=secret)


def _new_mode(before: bytes | None, after: bytes | None, modes: tuple[str, str]) -> str:
    """The mode to set; empty: it stays."""
    return "" if after is None or (before is not None and modes[0] == modes[1]) else modes[1]


def _render_uci(
    router: str, path: str, edits: Sequence[UciEdit], before: bytes | None
) -> tuple[PathChange, list[Touched]]:
    old = "" if before is None else _text(before)
    try:
        document = Document.parse(old)
    except UciError as error:
        hint = "repair the file on the router first; nothing was changed"
        where = f"{router}:/{path}:{error.line}"
        raise RouterError(
            "bad-uci", f"this UCI file cannot be understood: {error.what}", where=where, hint=hint
        ) from None
    touched = [wish for edit in edits for wish in _edit_uci(document, edit)]
    new = document.render()
    after = before if new == old else new.encode("utf-8", "surrogateescape")
    if after == before:
        return PathChange(path=path, before=before, after=after), touched
    secrets = {_plain(value) for edit in edits for value in edit.set.values() if isinstance(value, Secret)}
    return _uci_change(path, before, after, secrets), touched


def _uci_change(path: str, before: bytes | None, after: bytes | None, secrets: set[str]) -> PathChange:
    """A UCI file before and after, with a diff that shows no secret."""
    parsed = Document.parse(_text(before or b"")), Document.parse(_text(after or b""))
    hidden = tuple(_hidden(each, secrets) for each in parsed)
    lost = bool(hidden[0] - hidden[1])
    veil = diff.Veil(*hidden)
    longer = {value for value in hidden[0] | hidden[1] if isinstance(value, str) and len(value) >= SURELY_NO_WORD}
    veiled = [_veiled(each, veil, secrets, longer) for each in parsed]
    there = [None if raw is None else text for raw, text in zip((before, after), veiled, strict=True)]
    shown = veil.lifted(diff.unified(path, *there))
    mode = "" if before is not None else NEW_CONFIG_MODE
    return PathChange(path=path, before=before, after=after, mode=mode, diff=shown, secret=lost)


def _edit_uci(document: Document, edit: UciEdit) -> list[Touched]:
    """Makes one edit; returns what it wishes, with what was there before."""
    found = _find(document, edit)
    if edit.absent:
        touched = [Touched(f"{edit.package}.{section.ref}", section.type, None) for section in found]
        for section in reversed(found):
            document.remove(section)
        return touched or [Touched(f"{edit.package}.{edit.name or edit.type}", None, None)]
    try:
        targets = found or [_add(document, edit)]
        return [wish for section in targets for wish in _set_options(document, edit, section, new=not found)]
    except ValueError as error:
        raise ConfigError("bad-wish", str(error), where=edit.where, key=f"uci.{edit.package}") from None


def _find(document: Document, edit: UciEdit) -> list[Section]:
    if edit.name:
        named = [section for section in document.sections if section.name == edit.name]
        if named and named[0].type != edit.type:
            what = f"section {edit.name!r} is of type {named[0].type!r} on the router, not {edit.type!r}"
            raise ConfigError("bad-wish", what, where=edit.where, key=f"uci.{edit.package}", hint="choose another name")
        return named
    found = [
        section
        for section in document.sections
        if section.type == edit.type and all(section.options.get(key) == value for key, value in edit.match.items())
    ]
    if edit.each or edit.absent or len(found) <= 1:
        if edit.each and not found and not edit.absent:
            what = f"there is no section of type {edit.type!r} on the router"
            raise ConfigError("bad-wish", what, where=edit.where, key=f"uci.{edit.package}", hint="check its hardware")
        return found
    what = f"{len(found)} sections of type {edit.type!r} fit"
    hint = "say which with name or match, or take all with 'each: true'"
    raise ConfigError("bad-wish", what, where=edit.where, key=f"uci.{edit.package}", hint=hint)


def _add(document: Document, edit: UciEdit) -> Section:
    section = document.add(edit.type, edit.name or None)
    for option, value in edit.match.items():
        document.set(section, option, value)
    return section


def _set_options(document: Document, edit: UciEdit, section: Section, *, new: bool) -> list[Touched]:
    touched = []
    label = f"{edit.package}.{section.ref}"
    if new:
        touched.append(Touched(label, None, edit.type))
    for option, wished in edit.set.items():
        value: Value = _plain(wished) if isinstance(wished, str | Secret) else wished
        touched.append(Touched(f"{label}.{option}", section.options.get(option), value))
        document.set(section, option, value)
    for option in edit.unset:
        touched.append(Touched(f"{label}.{option}", section.options.get(option), None))
        document.unset(section, option)
    return touched


def _is_secret(option: str, value: Value, secrets: set[str]) -> bool:
    """Whether no diff may show this, because of the option's name or because the value is one of these secrets."""
    return is_hidden(option) or (isinstance(value, str) and value in secrets)


def _hidden(document: Document, secrets: set[str]) -> set[Value]:
    options = (pair for section in document.sections for pair in section.options.items())
    return {value for option, value in options if _is_secret(option, value, secrets)}


def _veiled(document: Document, veil: diff.Veil, secrets: set[str], longer: set[str]) -> str:
    """The text without secrets: neither as values, nor in options that were commented out, nor inside other texts."""
    for section in document.sections:
        for option, value in section.options.items():
            if _is_secret(option, value, secrets):
                document.set(section, option, veil.sign(value))
    text = _COMMENTED.sub(lambda match: match[1] + (diff.MASK if is_hidden(match[2]) else match[3]), document.render())
    return veil.over(text, secrets | longer)


def _plain(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
