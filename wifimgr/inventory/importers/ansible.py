"""Inventories of Ansible, in YAML and INI: one file, or a folder with ``group_vars`` and ``host_vars``.

Who is in which group and which variable wins is decided as Ansible does. Nothing is evaluated, nothing is decrypted,
nothing is started.
"""

from __future__ import annotations

import graphlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from pydantic import TypeAdapter, ValidationError

from wifimgr.errors import ConfigError
from wifimgr.inventory.importers import foreign
from wifimgr.inventory.importers.ansible_files import ENDINGS, Tree, in_order, read_files, text_of
from wifimgr.inventory.importers.base import Found, Note, Options, Source
from wifimgr.inventory.schema import normalised
from wifimgr.settings.secret import looks_secret
from wifimgr.settings.values import Vars, Word

DEEPEST = 40
"""Groups inside groups."""
_ADDRESSES = ("ansible_host", "ansible_ssh_host")
_UNDERSTOOD = (*_ADDRESSES, "ansible_network_os", "ansible_connection")
_SAYING: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "site": ("site", str),
    "location": ("site", str),
    "place": ("site", str),
    "role": ("role", foreign.role_of),
    "platform": ("platform", foreign.platform_of),
}
"""How the name of a group starts that says something, as ``keyed_groups`` and our own export name them."""
_VARS: TypeAdapter[dict[str, Any]] = TypeAdapter(Vars)
_WORD: TypeAdapter[str] = TypeAdapter(Word)


def read(source: Source, options: Options) -> Iterator[Found | Note]:
    """The hosts of an inventory, after what must be told about it. Raises ConfigError ``bad-import``."""
    tree = Tree(source.name)
    read_files(tree, source.files)
    if not tree.hosts:
        why = next((f": {note.where}: {note.what}" for note in tree.notes if note.kind == "skipped"), "")
        raise foreign.bad(source.name, f"holds no hosts{why}", "give a file or a folder that Ansible reads")
    found = _Translation(tree, _Variables(tree, source.files)).found()
    yield from tree.notes
    yield from found


class _Variables:
    """The variables of each host, from all places that set some."""

    def __init__(self, tree: Tree, files: Mapping[str, bytes]) -> None:
        self._tree, self._contents = tree, files
        self._files = _var_files(files)
        self._above: dict[str, set[str]] = {}
        """Group to all groups that hold it."""
        self._ranks: dict[str, tuple[int, int, str]] = {}
        """Group to its place in the order in which variables win: the last one does."""
        self._rank()
        self._of_groups = {name: self._read("group_vars", name) for name in tree.groups}

    def _rank(self) -> None:
        groups = self._tree.groups
        parents = {name: group.parents or ({} if name == "all" else {"all": None}) for name, group in groups.items()}
        try:
            order = list(graphlib.TopologicalSorter(parents).static_order())
        except graphlib.CycleError as error:
            what = f"its groups hold each other in a circle: {', '.join(error.args[1])}"
            raise foreign.bad(self._tree.name, what) from None
        for name in order:
            self._above[name] = set(parents[name]).union(*(self._above[parent] for parent in parents[name]))
            depth = max((self._ranks[parent][0] + 1 for parent in parents[name]), default=0)
            if depth > DEEPEST:
                raise foreign.bad(self._tree.name, f"its groups are nested deeper than {DEEPEST} levels")
            priority = groups[name].vars.pop("ansible_group_priority", 1)
            self._ranks[name] = depth, priority if isinstance(priority, int) else 1, name

    def _read(self, folder: str, entity: str) -> dict[Any, Any]:
        """What the files of a group or of a host say."""
        together: dict[Any, Any] = {}
        names = (self._files.get((folder, entity + ending)) for ending in ENDINGS)
        for name in next(filter(None, names), ()):
            try:
                data = foreign.yaml_of(text_of(self._tree, name, self._contents[name]), name)
            except ConfigError as error:
                self._tree.skip(error.where, error.what)
                continue
            if isinstance(data, dict):
                together |= data
            elif data is not None:
                self._tree.skip(name, "holds no variables")
        return together

    def groups(self, host: str) -> list[str]:
        """The groups of a host, those first whose variables lose."""
        direct = self._tree.member[host]
        groups = {"all"}.union(direct, *(self._above[group] for group in direct)) - {"ungrouped"}
        return sorted(groups if len(groups) > 1 else groups | {"ungrouped"}, key=self._ranks.__getitem__)

    def values(self, host: str, groups: list[str]) -> Mapping[Any, Any]:
        """All variables of a host: a host wins over its groups, the inner group over the outer, files over all else."""
        values: dict[Any, Any] = {}
        for group in groups:
            values |= self._tree.groups[group].vars
        for group in groups:
            values |= self._of_groups[group]
        return values | self._tree.hosts[host] | self._read("host_vars", host)


def _var_files(files: Mapping[str, bytes]) -> Mapping[tuple[str, str], list[str]]:
    """The files with variables: ``group_vars`` or ``host_vars`` and the word below it, to the files of that word."""
    found: dict[tuple[str, str], list[str]] = {}
    for name in sorted(files, key=in_order):
        folder, *below = in_order(name) or ("",)
        hidden = any(part.startswith(".") or part.endswith("~") for part in below)
        other_kind = len(below) > 1 and PurePosixPath(name).suffix not in ENDINGS
        if folder in ("group_vars", "host_vars") and below and not hidden and not other_kind:
            found.setdefault((folder, below[0]), []).append(name)
    return found


class _Translation:
    """Says each host in our words; what must be told goes to the notes of the tree."""

    def __init__(self, tree: Tree, variables: _Variables) -> None:
        self._tree, self._variables = tree, variables
        self._says = {name: said for name, group in tree.groups.items() if group.leaf and (said := _said_by(name))}
        """Group to the key of ours that its name is about, and the value. A group that holds groups is no place."""
        self._tags = {name for name in tree.groups.keys() - {"all", "ungrouped", *self._says} if _is_word(name)}
        self._not_taken: dict[tuple[str, str], list[str]] = {}
        """Variable and why it is not taken, to the hosts that have it."""

    def found(self) -> list[Found]:
        """The hosts that are routers."""
        found = list(filter(None, map(self._router, self._tree.hosts)))
        for name in sorted(self._tree.groups.keys() - {"all", "ungrouped", *self._says} - self._tags):
            self._change(f"groups.{name}", "becomes no tag: it is not a plain word")
        for (name, why), hosts in self._not_taken.items():
            which = hosts[0] if len(hosts) == 1 else f"{len(hosts)} hosts, like {hosts[0]}"
            self._change(f"vars.{name}", f"is not taken at {which}: {why}")
        return found

    def _change(self, where: str, what: str) -> None:
        self._tree.notes.append(Note(where, "changed", what))

    def _router(self, host: str) -> Found | None:
        groups = self._variables.groups(host)
        values = self._variables.values(host, groups)
        if host == "localhost" or values.get("ansible_connection") == "local":
            self._tree.skip(f"hosts.{host}", "is the machine that Ansible runs on")
            return None
        said = self._said(host, groups)
        taken, contact = self._vars(host, values)
        return Found(
            where=f"hosts.{host}",
            name=host,
            addresses=self._addresses(host, values),
            platform=said.get("platform") or foreign.platform_of(str(values.get("ansible_network_os", ""))),
            role=said.get("role", ""),
            site=said.get("site", ""),
            tags=tuple(group for group in groups if group in self._tags),
            vars=taken,
            contact=contact,
        )

    def _said(self, host: str, groups: list[str]) -> Mapping[str, str]:
        """What the names of groups say about a host, where they agree."""
        said: dict[str, set[str]] = {}
        for key, value in filter(None, map(self._says.get, groups)):
            said.setdefault(key, set()).add(value)
        for key, values in said.items():
            if len(values) > 1:
                self._change(f"hosts.{host}", f"gets no {key}: its groups say {' and '.join(sorted(values))}")
        return {key: values.pop() for key, values in said.items() if len(values) == 1}

    def _addresses(self, host: str, values: Mapping[Any, Any]) -> tuple[str, ...]:
        told = next((values[key] for key in _ADDRESSES if key in values), host)
        if not _is_template(told) and _is_address(told):
            return (told,)
        why = "it is a template, which is not evaluated" if _is_template(told) else "what it has is none"
        self._change(f"hosts.{host}", f"gets no address: {why}")
        return ()

    def _vars(self, host: str, values: Mapping[Any, Any]) -> tuple[dict[str, Any], str]:
        """The variables that we take, and whom to call."""
        taken, contacts = {}, []
        for name, value in values.items():
            if name in _UNDERSTOOD:
                continue
            if why := _why_not(name, value):
                self._not_taken.setdefault((str(name), why), []).append(host)
            elif foreign.looks_like_contact(name):
                contacts.append(value)
            else:
                taken[name] = value
        return taken, foreign.contact_of(*contacts)


def _said_by(group: str) -> tuple[str, str] | None:
    """The key of ours that the name of a group like ``role_ap`` is about, and the value; None: it is about none."""
    start, _, rest = group.partition("_")
    key, value_of = _SAYING.get(start.removesuffix("s"), ("", str))
    value = value_of(rest)
    return (key, value) if key and value else None


def _is_word(text: str) -> bool:
    try:
        return bool(_WORD.validate_python(text))
    except ValidationError:
        return False


def _is_address(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(normalised(value))
    except ValueError:
        return False


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_template(value: Any) -> bool:
    return any(isinstance(item, str) and re.search(r"\{[{%#]", item) for item in _items(value))


def _is_plain(value: Any) -> bool:
    return all(isinstance(item, str | bool | int | float) for item in _items(value))


def _why_not(name: Any, value: Any) -> str:
    """Why a variable is none of ours, in words that do not show its value; empty when we take it."""
    if not isinstance(name, str):
        return "its name is no text"
    why = next((why for applies, why in _REASONS if applies(name, value)), "")
    if why or foreign.looks_like_contact(name):
        return why
    if not _is_plain(value):
        return "it is not text, a number, true, false or a list of those"
    try:
        _VARS.validate_python({name: value})
    except ValidationError as error:
        return f"it {error.errors()[0]['ctx']['what']}"
    return ""


_REASONS: tuple[tuple[Callable[[str, Any], bool], str], ...] = (
    (lambda name, value: name.startswith("ansible_"), "it is a setting of Ansible"),
    (lambda name, value: value is None, "it has no value"),
    (lambda name, value: isinstance(value, foreign.Tagged), "it has a tag, as what is encrypted has"),
    (lambda name, value: looks_secret(name) and not isinstance(value, bool), "it looks like a secret"),
    (lambda name, value: name.startswith("vault_"), "it is called like a secret"),
    (lambda name, value: _is_template(value), "it is a template, which is not evaluated"),
)
