"""Edits of the files of a network: collected, checked as a whole, and written all or none."""

from __future__ import annotations

import codecs
import fcntl
import os
import secrets
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, get_args, get_origin

from wifimgr.errors import INVISIBLE, ConfigError, Refused, did_you_mean
from wifimgr.inventory.load import SITES_FOLDER, Inventory, load
from wifimgr.inventory.schema import FIRST_LINE, ROUTER_NAME, SITE_SLUG, RouterEntry, SiteFile
from wifimgr.model import Lifecycle, Router
from wifimgr.settings import INVENTORY_FOLDER, LOCAL_FILE, NETWORK_FILE, SecretRef, looks_secret
from wifimgr.settings.values import ADDED_VARS
from wifimgr.yamlfile import Document, KeyPath, Strict, decoded, dotted, read, read_bytes, validate
from wifimgr.yamltext import YamlText, inline, value_at

KNOWN_HOSTS = "inventory/known_hosts"
NOT_SHOWN = "***"
"""What is shown for a secret, and for what is private."""


@dataclass(slots=True)
class _File:
    """A file that is edited: what was read (None: it is new), and what shall stand there."""

    read: bytes | None
    content: YamlText | str

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else self.content.text

    @property
    def written(self) -> bytes:
        """The bytes that shall stand there; a mark at the beginning (BOM) stays."""
        mark = codecs.BOM_UTF8 if (self.read or b"").startswith(codecs.BOM_UTF8) else b""
        return mark + self.text.encode()


class Edits:
    """Changes of the files of a network folder: collected, checked as a whole, and written all or none.

    Files are named as people see them: relative to the folder, ``inventory/sites/jz-meiderich.yaml``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, _File] = {}
        self._checked: tuple[Mapping[str, str], Inventory] | None = None

    def file(self, shown: str) -> YamlText:
        """A YAML file that is there, or was created in here; opened once.

        Raises ConfigError: ``unreadable-file``, ``bad-yaml`` and what else is wrong in it.
        """
        if shown not in self._files:
            raw, text = self._read(shown)
            self._files[shown] = _File(raw, YamlText(text, shown))
        content = self._files[shown].content
        assert isinstance(content, YamlText), shown
        return content

    def create(self, shown: str, text: str) -> YamlText:
        """A new YAML file. Raises ConfigError ``already-there``."""
        if self.has(shown):
            raise ConfigError("already-there", "is there already", where=shown, hint="take another name")
        content = YamlText(text, shown)
        self._files[shown] = _File(None, content)
        return content

    def has(self, shown: str) -> bool:
        """Whether a file is there, or was created in here."""
        return shown in self._files or os.path.lexists(self._folder / shown)  # a link to nowhere is there, too

    def lines(self, shown: str) -> list[str]:
        """The lines of a file that is not YAML, each with its end; none when it is not there."""
        if shown not in self._files:
            raw, text = self._read(shown) if self.has(shown) else (None, "")
            self._files[shown] = _File(raw, text)
        return self._files[shown].text.splitlines(keepends=True)

    def set_lines(self, shown: str, lines: Iterable[str]) -> None:
        """What a file shall hold that is not YAML and was read with :meth:`lines`."""
        self._files[shown].content = "".join(lines)

    @property
    def texts(self) -> Mapping[str, str]:
        """The files that differ from what stands there, by name."""
        return {shown: file.text for shown, file in self._files.items() if file.written != (file.read or b"")}

    def check(self) -> Inventory:
        """The inventory as it will be. Raises ConfigError with everything that would be wrong."""
        texts = self.texts
        if self._checked is None or self._checked[0] != texts:
            self._checked = texts, load(self._folder, texts)
        return self._checked[1]

    def write(self) -> None:
        """Check, then write all files that differ, each in one step and with its mode; or, if one cannot be, none.

        Raises ConfigError: what :meth:`check` finds, ``unreadable-file``, and ``file-changed`` when somebody else
        wrote one of these files since it was read.
        """
        self.check()
        changed = {shown: self._files[shown] for shown in self.texts}
        paths = {shown: (self._folder / shown).resolve() for shown in changed}  # a link stays a link
        fresh: dict[str, Path] = {}
        at = ""
        try:
            for at, file in changed.items():
                fresh[at] = _beside(paths[at], file.written)
            with _alone(self._folder / INVENTORY_FOLDER):
                self._refuse_foreign()
                for at in changed:
                    fresh[at].replace(paths[at])
        except BaseException as error:
            undone = [_put_back(paths[shown], file) for shown, file in changed.items()]
            if not isinstance(error, OSError):
                raise
            what = f"cannot be written: {(error.strerror or 'unknown reason').lower()}"
            hint = "nothing was changed" if all(undone) else "some files were changed: look at git diff"
            raise ConfigError("unreadable-file", what, where=at, hint=hint) from None
        finally:
            for left in fresh.values():
                left.unlink(missing_ok=True)
        for file in changed.values():
            file.read = file.written

    def _read(self, shown: str) -> tuple[bytes, str]:
        raw = read_bytes(self._folder / shown, shown)
        return raw, decoded(raw, shown)

    def _refuse_foreign(self) -> None:
        """Raises ConfigError ``file-changed``."""
        for shown in self.texts:
            path = self._folder / shown
            if (path.read_bytes() if path.exists() else None) != self._files[shown].read:
                hint = "nothing was written; say it again to edit what stands there now"
                raise ConfigError("file-changed", "was changed by somebody else meanwhile", where=shown, hint=hint)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keeps every other edit waiting, for as long as the block runs. Raises OSError."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _beside(path: Path, content: bytes) -> Path:
    """A new file beside another one, with its mode and owner, ready to be put in its place. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    old = path.stat() if path.exists() else None
    mode = stat.S_IMODE(old.st_mode) if old else 0o666
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            if old:
                with suppress(OSError):  # only root may give files away
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
                os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    return fresh


def _put_back(path: Path, file: _File) -> bool:
    """Where a file holds what we wrote, make it what it was before; whether that worked."""
    try:
        if not path.exists() or path.read_bytes() != file.written:
            return True
        if file.read is None:
            path.unlink()
        else:
            _beside(path, file.read).replace(path)
    except OSError:
        return False
    return True


# ---------------------------------------------------------------- KEY=VALUE

_KEYS = RouterEntry.model_fields
_LISTS = [
    key
    for key, field in _KEYS.items()
    if list in (get_origin(field.annotation), *map(get_origin, get_args(field.annotation)))
]
_PARTS: Mapping[str, str] = {"vars": "vars.NAME", "ports": "ports.SERVICE", "private": "private.NAME"}
"""Keys that hold other keys, and how one of those is named."""
_ELSEWHERE: Mapping[str, str] = {
    "name": "a router gets another name by 'wifimgr router rename'",
    "site": "a router gets to another site by 'wifimgr router move'",
    "manage": "whether we may change a router is said at its operator, in inventory/network.yaml",
}
"""Keys that people look for at a router, and where that is said."""


def read_key(text: str) -> KeyPath:
    """A key of a router as people write it: ``room``, ``vars.ssid``. Raises ConfigError ``unknown-key``."""
    first, *rest = text.split(".")
    if first not in _KEYS:
        raise _unknown_key(text, _ELSEWHERE.get(first) or did_you_mean(text, _KEYS))
    if rest and (first not in _PARTS or not all(rest) or (len(rest) > 1 and first != "private")):
        raise _unknown_key(text, f"write {_PARTS.get(first, first)}")
    return first, *rest


def _unknown_key(text: str, hint: str) -> ConfigError:
    return ConfigError("unknown-key", "unknown key", key=text, hint=hint)


def read_values(words: Iterable[str]) -> dict[KeyPath, Any]:
    """What ``KEY=VALUE`` words say about a router, with the types of the model.

    The items of a list may stand with commas between them. Variables, ports and what is private are read as in a file:
    numbers, ``true``, ``false``, lists and mappings such as ``{env: NAME}``; the rest is text, and so is every other
    value. Raises ConfigError with everything that is wrong. No value is part of a message that could be a secret.
    """
    values: dict[KeyPath, Any] = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign:
            hint = "put a value with spaces in quotes: room='Hof, Tor 2'"
            raise ConfigError("unknown-key", "is not written as KEY=VALUE", key=name, hint=hint)
        key = read_key(name)
        if key in values:
            hint = "put commas between the items of a list"
            raise ConfigError("duplicate-key", "is given twice", key=name, hint=hint)
        values[key] = _read_value(key, text)
    _refuse_wrong(nested(values), RouterEntry)
    return values


def _read_value(key: KeyPath, text: str) -> Any:
    if key[0] in _LISTS and not text.startswith("["):
        return [item.strip() for item in text.split(",")] if text.strip() else []
    if key[0] not in (*_LISTS, *_PARTS):
        return text
    value = _as_in_a_file(text)
    if text.startswith(("{", "[")) and isinstance(value, str):
        hint = "write [one, two] or {env: NAME}, and text that begins like this in quotes"
        raise ConfigError("wrong-type", "cannot be understood", key=dotted(key), hint=hint)
    if len(key) == 1 and key[0] in _PARTS and not isinstance(value, dict):
        raise ConfigError("wrong-type", "must be a mapping", key=dotted(key), hint=f"write {_PARTS[key[0]]}=VALUE")
    return value


def _as_in_a_file(text: str) -> Any:
    """What the reader makes of a value. Text that needs quotes in a file needs none here."""
    if INVISIBLE.search(text):
        return text
    try:
        value = read(Path(), "", f"k: {text}").data["k"]
    except ConfigError:
        return text
    return text if isinstance(value, str) and not text.startswith(("'", '"')) else value


def nested(values: Mapping[KeyPath, Any]) -> dict[str, Any]:
    """Values by their keys as one mapping: ``vars.ssid`` stands in ``vars``."""
    data: dict[str, Any] = {}
    for (*way, last), value in values.items():
        mapping = data
        for part in way:
            mapping = mapping.setdefault(str(part), {})
            if not isinstance(mapping, dict):
                hint = "write one of both"
                raise ConfigError(
                    "duplicate-key", "is given as a value and with keys", key=dotted((*way, last)), hint=hint
                )
        mapping[str(last)] = value
    return data


def _refuse_wrong(data: Mapping[str, Any], model: type[Strict]) -> None:
    """Raises ConfigError with everything that no file may hold. Nothing is written yet, so no line is named."""
    try:
        validate(Document(Path(), "", data, {}), model)
    except ConfigError as error:
        raise ConfigError.of(replace(problem, where="") for problem in error.problems) from None


def showable(key: KeyPath, value: Any) -> Any:
    """A value of a router as it may be shown: ``***`` for a secret, and for all that is private. None stays None."""
    if value is None:
        return None
    if key[0] == "private":
        return NOT_SHOWN
    if key == ("vars",):
        return {name: showable((*key, name), item) for name, item in value.items()}
    if key[0] == "vars" and not isinstance(value, bool):
        return NOT_SHOWN if isinstance(value, dict | SecretRef) or looks_secret(str(key[1])) else value
    return value


# ---------------------------------------------------------------- what commands do


@dataclass(frozen=True, slots=True)
class Edited:
    """One value of a router that an edit changes, as it may be shown. None: there is no value."""

    router: str
    key: str
    before: Any
    after: Any
    where: str
    """``file:line``, as it will be; ``built in`` for what no file says."""


def site_file(slug: str) -> str:
    """The file of a site, as people see it."""
    return f"{SITES_FOLDER}/{slug}.yaml"


def known(name: str, names: Collection[str], noun: str) -> None:
    """Raises ConfigError ``unknown-name`` when a name is none of these."""
    if name not in names:
        hint = did_you_mean(name, names, f"'wifimgr {noun} list'")
        raise ConfigError("unknown-name", f"there is no {noun} '{name}'", hint=hint)


_SITE_KEYS: Mapping[str, tuple[str, str]] = {
    "name": ("", ""),
    "kind": ("", "youth-center, library, school, square, office, shelter or other"),
    "public": ("false", "true: may be on public pages, feeds and maps"),
    "district": ("Meiderich", ""),
    "address": ("Beispielstraße 12, 47137 Duisburg", ""),
    "position": ("[51.4652, 6.7741]", "latitude, longitude"),
    "opening_hours": ('"Mo-Fr 14:00-21:00; PH off"', ""),
}
"""What a new file of a site says or could say, in this order: an example, and what is told about it."""
_COMMENTS_AT = 44


def add_site(edits: Edits, slug: str, values: Mapping[str, Any]) -> YamlText:
    """A new file for a site, without routers. The usual keys that are not given stand there as comments.

    Raises ConfigError: ``already-there``, ``wrong-type`` for the slug, and everything that is wrong with the values.
    """
    if not SITE_SLUG.fullmatch(slug):
        hint = "use small letters, digits and -, like jz-meiderich"
        raise ConfigError("wrong-type", "is no name for a site", key=slug, hint=hint)
    _refuse_wrong({**values, "routers": {}}, SiteFile)
    lines = [FIRST_LINE, f"# The name of this file, {slug}, is what commands call the place.", ""]
    for key in {**_SITE_KEYS, **values}:
        example, about = _SITE_KEYS.get(key, ("", ""))
        line = f"{key}: {inline(values[key])}" if key in values else f"# {key}: {example}"
        lines.append(f"{line:<{_COMMENTS_AT - 1}} # {about}" if about else line)
    return edits.create(site_file(slug), "\n".join([*lines, "", "routers: {}", ""]))


def add_router(edits: Edits, site: str, name: str, values: Mapping[KeyPath, Any]) -> None:
    """A new router, the last one of its site.

    Raises ConfigError: ``unknown-name``, ``already-there``, ``wrong-type`` for its name.
    """
    inventory = edits.check()
    known(site, inventory.sites, "site")
    _refuse_name(inventory, name)
    refuse_trusted(edits, name)
    edits.file(site_file(site)).add(("routers",), {name: nested(values)})


def _refuse_name(inventory: Inventory, name: str) -> None:
    """Raises ConfigError when no new router can be called this."""
    if not ROUTER_NAME.fullmatch(name):
        hint = "use up to 63 small letters, digits, and . - between them"
        raise ConfigError("wrong-type", "is not a router name", key=name, hint=hint)
    if name in inventory.routers:
        where = str(inventory.routers[name].origins["name"])
        raise ConfigError("already-there", "is there already", where=where, key=name, hint="take another name")


def trusted_names(folder: Path) -> set[str]:
    """The routers that a host key is trusted for, in the inventory or not."""
    edits = Edits(folder)
    return {words[0] for line in edits.lines(KNOWN_HOSTS) if (words := line.split("#")[0].split())}


def refuse_trusted(edits: Edits, name: str) -> None:
    """Raises ConfigError when a host key is trusted for a name that is to be somebody's from now on."""
    names = [line.split("#")[0].split()[:1] for line in edits.lines(KNOWN_HOSTS)]
    if [name] in names:
        where, hint = f"{KNOWN_HOSTS}:{names.index([name]) + 1}", "take that line out, or choose another name"
        raise ConfigError("already-there", f"a key of another {name} is trusted already", where=where, hint=hint)


def set_values(
    edits: Edits, routers: Iterable[Router], values: Mapping[KeyPath, Any], unset: Iterable[KeyPath] = ()
) -> list[Edited]:
    """Give routers values, and take others away from them; returns what that changes."""
    wanted = [*values.items(), *((key, None) for key in unset)]
    changes = [
        (router, _set_one(edits.file(site_file(router.site)), router.name, key, value))
        for router in routers
        for key, value in wanted
    ]
    made = [(router, change) for router, change in changes if change]
    told = [_as_written(edits, router, change) for router, change in made]
    if any(change.key == "operator" for change in told):
        with suppress(ConfigError):  # what is wrong then is told by who writes
            after = edits.check().routers
            told += [each for router, _ in made for each in _managed(router, after[router.name])]
    return told


def _managed(before: Router, after: Router) -> list[Edited]:
    """Whether we may change a router from now on: nobody shall have to work that out from the name of an operator."""
    where = str(after.origins.get("manage", ""))
    different = before.manage is not after.manage
    return [Edited(after.name, "manage", str(before.manage), str(after.manage), where)] if different else []


def _as_written(edits: Edits, router: Router, change: Edited) -> Edited:
    """A change with the line where it stands when all are made."""
    key = ("routers", router.name, *change.key.split("."))
    return replace(change, where=str(edits.file(site_file(router.site)).origin(key)))


def _set_one(text: YamlText, router: str, key: KeyPath, value: Any) -> Edited | None:
    """Give one router one value, or with None take it away."""
    here: KeyPath = ("routers", router, *key)
    before, was = value_at(text.data, here), text.text
    if value is not None:
        text.set(here, value)
    elif before is not None:
        while len(here) > 3 and len(value_at(text.data, here[:-1])) == 1:  # no empty vars: is left behind
            here = here[:-1]
        text.remove(here)
    if text.text == was:
        return None
    return Edited(router, dotted(key), showable(key, before), showable(key, value), str(text.origin(here)))


def move(edits: Edits, name: str, site: str) -> list[Edited]:
    """Move a router's entry, as it is written, to the end of another site.

    Returns the values that it has otherwise then: those that its old site said for all its routers, and those that the
    new one says. Its operator stays: where the sites say different ones, it is written at the router, so that no move
    makes one ours that was only watched. Raises ConfigError: ``unknown-name``, ``already-there``.
    """
    inventory = edits.check()
    known(name, inventory.routers, "router")
    known(site, inventory.sites, "site")
    before = inventory.routers[name]
    if before.site == site:
        raise ConfigError("already-there", f"stands in {site} already", key=name, hint="name another site")
    new_file, old_file = edits.file(site_file(site)), edits.file(site_file(before.site))  # rather twice than lost
    new_file.paste(("routers", name), old_file.cut(("routers", name)))
    said_there = new_file.data.get("operator", inventory.network.file.defaults.operator)
    differs = "operator" not in new_file.data["routers"][name] and said_there != before.operator
    kept = _set_one(new_file, name, ("operator",), before.operator) if differs else None
    return [*([kept] if kept else []), *_differences(before, edits.check().routers[name])]


def _differences(before: Router, after: Router) -> list[Edited]:
    """What a router has otherwise at another site."""
    old, new = _composed(before), _composed(after)
    return [
        Edited(after.name, written, showable(key, old.get(key)), showable(key, new.get(key)), origin)
        for key in {**old, **new}
        for written in [dotted(key)]
        for origin in [str(after.origins.get(written, "built in"))]
        if old.get(key) != new.get(key)
    ]


def _composed(router: Router) -> dict[KeyPath, Any]:
    """Every value of a router that its site can be the reason for."""
    passed_over = ("name", "site", "origins", "vars")
    values: dict[KeyPath, Any] = {
        (field.name,): getattr(router, field.name) for field in fields(router) if field.name not in passed_over
    }
    values |= {("vars", name): value for name, value in router.vars.items() if name not in ADDED_VARS}
    return {key: value for key, value in values.items() if value not in (None, "", ())}


REFERENCES = ("behind", "jump")
"""Keys whose value is the name of a router."""


def rename(edits: Edits, old: str, new: str) -> None:
    """Give a router another name, in every file that calls it by name.

    Raises ConfigError: ``unknown-name``, ``wrong-type``, ``already-there``.
    """
    inventory = edits.check()
    known(old, inventory.routers, "router")
    _refuse_name(inventory, new)
    edits.file(site_file(inventory.routers[old].site)).rename(("routers", old), new)
    for text, key in _references(edits, inventory, old):
        text.set(key, new)
    if old in inventory.network.local.endpoints:
        edits.file(LOCAL_FILE).rename(("endpoints", old), new)
    _rename_host_keys(edits, old, new)


def _references(edits: Edits, inventory: Inventory, name: str) -> list[tuple[YamlText, KeyPath]]:
    """Where a file calls a router by its name: the file, and the key."""
    places: list[tuple[YamlText, KeyPath]] = [(edits.file(NETWORK_FILE), ("defaults",))]
    for slug in inventory.sites:
        text = edits.file(site_file(slug))
        places += [(text, ()), *((text, ("routers", router)) for router in text.data["routers"])]
    return [
        (text, (*key, reference))
        for text, key in places
        for reference in REFERENCES
        if value_at(text.data, (*key, reference)) == name
    ]


def _rename_host_keys(edits: Edits, old: str, new: str) -> None:
    """The keys that are trusted for a router are trusted under its new name; every other line stays."""
    refuse_trusted(edits, new)
    lines = edits.lines(KNOWN_HOSTS)
    names = [line.split("#")[0].split()[:1] for line in lines]
    named = zip(lines, names, strict=True)
    edits.set_lines(KNOWN_HOSTS, (line.replace(old, new, 1) if name == [old] else line for line, name in named))


def retire(edits: Edits, routers: Sequence[Router]) -> list[Edited]:
    """Take routers out of use; their entries stay.

    Raises Refused ``still-needed`` while another router, which is not retired, is reached through one of them.
    """
    going = {router.name for router in routers}
    staying = [
        router
        for router in edits.check().routers.values()
        if router.name not in going and router.lifecycle is not Lifecycle.RETIRED
    ]
    for name in sorted(going):
        needing = [router.name for router in staying if name in (router.behind, router.jump)]
        if needing:
            hint = "retire them too, or say first what they are behind"
            raise Refused("still-needed", f"{name} is the way to {', '.join(needing)}", hint=hint)
    return set_values(edits, routers, {("lifecycle",): Lifecycle.RETIRED.value})
