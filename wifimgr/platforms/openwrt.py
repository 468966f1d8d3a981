"""OpenWrt 21.02 and later: UCI files and plain files on a flash overlay, daemons that reload by themselves."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import get_args

from wifimgr.errors import ConfigError, Refused, RouterError
from wifimgr.model import Change, PathChange, Touched, Value
from wifimgr.platforms import diff, keys
from wifimgr.platforms.edits import SECTION, Edit, FileEdit, KeysEdit, MenuEdit, UciEdit
from wifimgr.platforms.programs import WITHOUT_FILE, questions, work
from wifimgr.platforms.radar import silence
from wifimgr.platforms.reach import endpoint_after
from wifimgr.platforms.wished import checks_as_wished, paths_of_checks
from wifimgr.settings import Secret, looks_secret
from wifimgr.uci import Document, Section, UciError

__all__ = ["checks_as_wished", "endpoint_after", "paths_of_checks", "questions", "work"]  # besides what is defined here

SAFE_MODE = False
"""A change gets there by a script for the router's shell."""
CARRIES = tuple(kind for kind in get_args(Edit) if kind is not MenuEdit)
"""The kinds of edits that this platform can carry out: all that end in files."""
CAUTION = ""
"""What the platform cannot promise, for plans."""
TAKES, SETTLES = 0.0, 0.0
"""Seconds that a change needs more where there is something in :func:`kept`."""
INTERRUPTS: Mapping[str, float] = {}
"""What people notice then, where a playbook does not say it."""

GLUON_MARK = "lib/gluon/gluon-version"
IDENTITY = (GLUON_MARK,)
"""Files that tell whether a router is what the inventory says."""

CONNECTIVITY = {f"etc/config/{package}" for package in ("network", "wireless", "firewall", "dropbear")}
"""A mistake in one of these can cut our way to the router."""
LOGIN = ("etc/config/dropbear", "etc/dropbear/")
"""How the paths begin that concern nobody but those who log in."""

SURELY_NO_WORD = 8
"""Characters. A secret of an option that is as long is also covered where it stands in other texts, like comments."""
MOST_SEARCHED = 10**8
"""Secrets of a file times its characters. Where that is more, nothing of the file is shown: to look everywhere for each
of them would take many seconds. A usual file is a hundred times smaller."""
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
    return tuple(sorted({_path(edit) for edit in edits if not isinstance(edit, WITHOUT_FILE)}))


def around(paths: Iterable[str]) -> tuple[str, ...]:
    """What must be read besides these paths, when they change: nothing, daemons follow the files that change."""
    return ()


def after(changes: Iterable[PathChange], *, back: bool = False) -> tuple[str, ...]:
    """What takes the changes up besides a reload: nothing."""
    return ()


def kept(changes: Iterable[PathChange], files: Facts, modes: Mapping[str, str]) -> tuple[PathChange, ...]:
    """The files that taking the changes up may rewrite: none."""
    return ()


def rewritten(
    change: Change, files: Facts, modes: Mapping[str, str], secrets: set[str]
) -> tuple[str, tuple[PathChange, ...]]:
    """What taking a change up made of the files: nothing."""
    return "", ()


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


@lru_cache(maxsize=1 << 12)
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
    secrets = {secret for edit in edits if isinstance(edit, UciEdit) for secret in _secrets_of(edit).values()}
    known = {secret for secret in secrets if len(secret) >= SURELY_NO_WORD}
    by_path: dict[str, list[Edit]] = defaultdict(list)
    for edit in edits:
        if not isinstance(edit, WITHOUT_FILE):
            by_path[_path(edit)].append(edit)
    changes, touched = [], []
    for path, wished in sorted(by_path.items()):
        change, wishes = _render_path(router, path, wished, facts[path], (modes or {}).get(path, ""), known)
        touched += wishes
        if change.before != change.after or change.diff:
            changes.append(change)
    return tuple(changes), tuple(touched)


def _path(edit: Edit) -> str:
    if isinstance(edit, UciEdit):
        return f"etc/config/{edit.package}"
    if isinstance(edit, KeysEdit):
        return keys.PATH
    assert isinstance(edit, FileEdit)
    return edit.path.lstrip("/")


def _render_path(
    router: str, path: str, edits: Sequence[Edit], before: bytes | None, mode: str, known: set[str]
) -> tuple[PathChange, list[Touched]]:
    uci = [edit for edit in edits if isinstance(edit, UciEdit)]
    if uci:
        return _render_uci(router, path, uci, before, known)
    if any(type(each) is not type(edits[0]) for each in edits):
        hint = "wish it once"
        raise ConfigError("bad-wish", f"/{path} is wished as a file, too", where=edits[-1].where, hint=hint)
    edit = edits[-1]
    if isinstance(edit, KeysEdit):
        return _render_keys(path, edit, before, mode)
    assert isinstance(edit, FileEdit)
    return _render_file(path, edit, before, mode, known)


def _render_keys(path: str, edit: KeysEdit, before: bytes | None, has_mode: str) -> tuple[PathChange, list[Touched]]:
    old = None if before is None else _text(before)
    new, told = keys.wished(edit, old or "")
    touched = [Touched(f"authorized_keys {label}", *lines) for label, *lines in told]
    hidden = keys.secrets_in(old or ""), keys.secrets_in(new)
    veil = diff.Veil(*hidden)
    shown = veil.lifted(diff.unified(path, old and keys.covered(old, veil.sign), keys.covered(new, veil.sign)))
    mode = keys.MODE if before is None or has_mode not in ("", keys.MODE) else ""
    if mode and before is not None:
        touched.append(Touched(f"/{path} mode", has_mode, mode))
        shown += (f"-mode of /{path}: {has_mode}", f"+mode of /{path}: {mode}")
    lost = bool(hidden[0] - hidden[1])
    return PathChange(path=path, before=before, after=_bytes(new), mode=mode, diff=shown, secret=lost), touched


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _render_file(
    path: str, edit: FileEdit, before: bytes | None, has_mode: str, known: set[str]
) -> tuple[PathChange, list[Touched]]:
    after = None if edit.content is None else _plain(edit.content).encode("utf-8", "surrogateescape")
    if after is not None and b"\0" in after:
        raise ConfigError("bad-wish", "the file would hold a NUL byte", where=edit.where, hint="files are text")
    old, new = (None if raw is None else _text(raw) for raw in (before, after))
    veil = diff.Veil((), ())
    cover = veil.cover(known)
    shown = veil.lifted(diff.unified(path, old and cover(old), new and cover(new)))
    if isinstance(edit.content, Secret):  # a text made with a secret is one as a whole
        shown = _unseen(path, old, new) if shown else ()
    elif has_mode and not int(has_mode[-1]) & 4:  # kept from other users of the router: what goes may be a secret
        heads, lines = shown[: diff.HEADS], shown[diff.HEADS :]
        shown = (*heads, *(diff.MASKED_OUT if line.startswith("-") else line for line in lines))
    secret = before is not None and bool(shown) and (isinstance(edit.content, Secret) or diff.MASKED_OUT in shown)
    mode = edit.mode[-3:] or ("" if before is not None else NEW_FILE_MODE)
    touched = [Touched(f"/{path}", old, new)]
    if edit.mode and has_mode:
        touched.append(Touched(f"/{path} mode", has_mode, mode))
        shown += () if mode == has_mode else (f"-mode of /{path}: {has_mode}", f"+mode of /{path}: {mode}")
    return PathChange(path=path, before=before, after=after, mode=mode, diff=shown, secret=secret), touched


def _unseen(path: str, old: str | None, new: str | None) -> tuple[str, ...]:
    """Shows that a file changes, and nothing of it."""
    return diff.unified(path, old and f"{diff.MASK}\n", new and f"{diff.NEW_MASK}\n")


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
    hidden = hidden or (path == keys.PATH and bool(keys.secrets_in(f"{old}\n{new}")))
    if shown and hidden:
        shown = _unseen(path, old, new)
    secret = bool(shown) and hidden and before is not None
    mode = _new_mode(before, after, modes)
    if mode and before is not None:
        shown += (f"-mode of /{path}: {modes[0]}", f"+mode of /{path}: {mode}")
    return PathChange(path=path, before=before, after=after, mode=mode, diff=shown, secret=secret)


def _new_mode(before: bytes | None, after: bytes | None, modes: tuple[str, str]) -> str:
    """The mode to set; empty: it stays."""
    return "" if after is None or (before is not None and modes[0] == modes[1]) else modes[1]


def _render_uci(
    router: str, path: str, edits: Sequence[UciEdit], before: bytes | None, known: set[str]
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
    each = [one for edit in edits for one in _spread(document, edit)]
    touched = [wish for one in each for wish in _edit_uci(document, one)]
    new = old if document.is_as_read else document.render()
    if new == old:
        return PathChange(path=path, before=before, after=before), touched
    after = new.encode("utf-8", "surrogateescape")
    secrets = known.union(*(_secrets_of(one).values() for one in each))
    options = {(one.type, option) for one in each for option in _secrets_of(one)}
    return _uci_change(path, before, after, secrets, options), touched


def _secrets_of(edit: UciEdit) -> dict[str, str]:
    """Option to the secret that it shall hold."""
    return {option: value.reveal() for option, value in edit.set.items() if isinstance(value, Secret)}


def _uci_change(
    path: str, before: bytes | None, after: bytes | None, secrets: set[str], options: Collection[tuple[str, str]] = ()
) -> PathChange:
    """A UCI file before and after, with a diff that shows no secret.

    ``options`` are those that shall hold a secret, by the type of their section: what they held until now was one.
    """
    parsed = Document.parse(_text(before or b"")), Document.parse(_text(after or b""))

    def hides(section: Section, option: str, value: Value) -> bool:
        return is_hidden(option) or (section.type, option) in options or value in secrets

    hidden = tuple(_hidden(each, hides) for each in parsed)
    lost = bool(hidden[0] - hidden[1])
    veil = diff.Veil(*hidden)
    longer = {value for value in hidden[0] | hidden[1] if isinstance(value, str) and len(value) >= SURELY_NO_WORD}
    there = [None if raw is None else _text(raw) for raw in (before, after)]
    if len(longer) * sum(map(len, filter(None, there))) > MOST_SEARCHED:
        shown = _unseen(path, *there)
    else:
        cover = veil.cover(secrets | longer)
        veiled = (_veiled(each, veil, hides, cover) for each in parsed)
        shown = veil.lifted(diff.unified(path, *(raw and text for raw, text in zip(there, veiled, strict=True))))
    mode = "" if before is not None else NEW_CONFIG_MODE
    return PathChange(path=path, before=before, after=after, mode=mode, diff=shown, secret=lost)


def _spread(document: Document, edit: UciEdit) -> list[UciEdit]:
    """The edit as it is; with ``per`` one for each section of that type, with its name put in."""
    if not edit.per:
        return [edit]
    names = [section.name for section in document.sections if section.type == edit.per]
    if not all(names):
        what = f"a section of type {edit.per!r} has no name on the router"
        raise ConfigError("bad-wish", what, where=edit.where, key=f"uci.{edit.package}", hint="name it there")
    if not (names or edit.absent):
        raise _none_there(edit, edit.per)
    return [
        replace(
            edit,
            per="",
            name=edit.name.replace(SECTION, name),
            set={option: _put(name, value) for option, value in edit.set.items()},
        )
        for name in map(str, names)
    ]


def _put(name: str, value: Value | Secret) -> Value | Secret:
    if isinstance(value, Secret):
        return Secret(value.reveal().replace(SECTION, name))
    if isinstance(value, str):
        return value.replace(SECTION, name)
    return tuple(item.replace(SECTION, name) for item in value)


def _none_there(edit: UciEdit, kind: str) -> ConfigError:
    what = f"there is no section of type {kind!r} on the router"
    return ConfigError("bad-wish", what, where=edit.where, key=f"uci.{edit.package}", hint="check its hardware")


def _edit_uci(document: Document, edit: UciEdit) -> list[Touched]:
    """Makes one edit; returns what it wishes, with what was there before."""
    found = _find(document, edit)
    if edit.absent:
        touched = [Touched(f"{edit.package}.{section.ref}", _whole(edit.package, section), None) for section in found]
        for section in reversed(found):
            document.remove(section)
        return touched or [Touched(f"{edit.package}.{edit.name or edit.type}", None, None)]
    try:
        targets = found if edit.each else found or [_add(document, edit)]
        return [wish for section in targets for wish in _set_options(document, edit, section, new=not found)]
    except ValueError as error:
        raise ConfigError("bad-wish", str(error), where=edit.where, key=f"uci.{edit.package}") from None


def _whole(package: str, section: Section) -> tuple[str, ...]:
    """All that goes with a section. Whether a Wi-Fi is off right now belongs to schedules and pauses: not that."""
    options = [each for each in section.options.items() if (package, each[0]) != ("wireless", "disabled")]
    return section.type, *(f"{name}={value!r}" for name, value in sorted(options))


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
        if edit.each and not found and not (edit.absent or edit.match):
            raise _none_there(edit, edit.type)
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


def hidden_values(changes: Iterable[PathChange]) -> set[str]:
    """The secrets of the UCI files that change, before and after, as far as their options tell. Not those that may be
    words: see :data:`SURELY_NO_WORD`."""
    found = set[Value]()
    uci = [change for change in changes if change.path.startswith("etc/config/")]
    for raw in filter(None, (raw for change in uci for raw in (change.before, change.after))):
        with suppress(UciError):
            found |= _hidden(Document.parse(_text(raw)), lambda section, option, value: is_hidden(option))
    return {value for value in found if isinstance(value, str) and len(value) >= SURELY_NO_WORD}


_Hides = Callable[[Section, str, Value], bool]
"""Whether no diff may show the value that an option of a section has."""


def _hidden(document: Document, hides: _Hides) -> set[Value]:
    """The values that no diff may show, and what is in those that are lists."""
    options = ((section, *pair) for section in document.sections for pair in section.options.items())
    values = {value for section, option, value in options if hides(section, option, value)}
    return values | {item for value in values if isinstance(value, tuple) for item in value}


def _veiled(document: Document, veil: diff.Veil, hides: _Hides, cover: Callable[[str], str]) -> str:
    """The text without secrets: neither as values, nor in options that were commented out, nor inside other texts."""

    def stand_in(section: Section, option: str, value: Value) -> Value:
        if hides(section, option, value):
            return veil.sign(value)
        return _cover(cover, value)  # here and not in the text alone: there are many ways to quote a value

    shown = document.shown(stand_in)
    text = _COMMENTED.sub(lambda match: match[1] + (diff.MASK if is_hidden(match[2]) else match[3]), shown)
    return cover(text)


def _cover(cover: Callable[[str], str], value: Value) -> Value:
    return cover(value) if isinstance(value, str) else tuple(map(cover, value))


def _plain(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
