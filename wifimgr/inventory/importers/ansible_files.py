"""The files of an inventory of Ansible, YAML and INI: which hosts and groups they name, and with which variables.

The rules are those of Ansible's plugins ``yaml`` and ``ini``. A line or an entry that they would stumble over is noted
and left out, so that the rest can be used.
"""

from __future__ import annotations

import ast
import itertools
import re
import shlex
import string
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from wifimgr.errors import ConfigError
from wifimgr.inventory.importers import foreign
from wifimgr.inventory.importers.base import Note

MOST_HOSTS = 50_000
"""Hosts of one inventory; a slip in a range like ``ap[001:400]`` names more than memory holds."""
ENDINGS = ("", ".yml", ".yaml", ".json")
"""Of files that Ansible reads as YAML; the first one that is there counts."""
_LONGEST_LITERAL = 4096
"""Characters of a value that may be a Python literal; a longer one is text."""
_IGNORED = re.compile(r"\..*|(group|host)_vars|vars_plugins|.*(~|\.(pyc|pyo|swp|bak|rpm|md|txt|rst|orig|cfg|retry))")
"""Files and folders that Ansible does not take for inventories."""
_PRINTED = "import what 'ansible-inventory --list --yaml' prints"
_NOT_READ: Mapping[str, tuple[str, str]] = {
    "$ANSIBLE_VAULT": ("is encrypted", ""),
    "#!": ("is a program and is not started", _PRINTED),
}
"""How a file starts that is not read, what it is, and what to do."""
_SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?")
_GROUP_NAME = re.compile(r"([^:\]\s]+)\s*(?:#.*)?")
_WITH_PORT = re.compile(r"(?:\[(.+)\]|((?:[^:\[\]]|\[[^\]]*\])*)):([0-9]{1,5})")


@dataclass(slots=True)
class Group:
    """A group, as far as files tell about it."""

    parents: dict[str, None] = field(default_factory=dict)
    """The groups that name it as a child."""
    vars: dict[Any, Any] = field(default_factory=dict)
    leaf: bool = True
    """Whether it holds no other groups."""


@dataclass(slots=True)
class Tree:
    """What the files say about hosts and groups, and what of them cannot be understood."""

    name: str
    """Of all that is imported."""
    hosts: dict[str, dict[Any, Any]] = field(default_factory=dict)
    """Name to the variables of its own."""
    member: dict[str, dict[str, None]] = field(default_factory=dict)
    """Host to the groups that name it."""
    groups: dict[str, Group] = field(default_factory=lambda: {"all": Group(), "ungrouped": Group()})
    notes: list[Note] = field(default_factory=list)

    def group(self, name: str) -> Group:
        """A group by its name, made where it is new."""
        return self.groups.setdefault(name, Group())

    def child(self, parent: str, name: str) -> None:
        """Put a group into another one."""
        self.group(name).parents[parent] = None
        self.group(parent).leaf = False

    def add(self, pattern: str, group: str, own: Mapping[Any, Any]) -> None:
        """Put the hosts of a pattern into a group.

        Raises ValueError with the reason why it is none, ConfigError ``bad-import`` when there are too many.
        """
        names, port = _names(pattern)
        if len(self.hosts) + len(names) > MOST_HOSTS:
            raise foreign.bad(self.name, f"names more than {MOST_HOSTS} hosts")
        for name in names:
            self.hosts.setdefault(name, dict(port)).update(own)
            self.member.setdefault(name, {})[group] = None

    def skip(self, where: str, what: str) -> None:
        """Note what is left out."""
        self.notes.append(Note(where, "skipped", what))


def read_files(tree: Tree, files: Mapping[str, bytes]) -> None:
    """Read a file, or all files of a folder in Ansible's order. Raises ConfigError ``bad-import`` for a single file."""
    if len(files) == 1:
        for name, raw in files.items():
            return _read_file(tree, name, raw, "")
    for name in sorted(files, key=in_order):
        if not any(map(_IGNORED.fullmatch, in_order(name))):
            try:
                _read_file(tree, name, files[name], f"{name} ")
            except ConfigError as error:
                tree.skip(error.where, error.what)
        elif {"group_vars", "host_vars"} & set(in_order(name)[1:-1]):
            tree.skip(name, "is not beside the inventory: import the folder that it is in")
    return None


def in_order(name: str) -> tuple[str, ...]:
    """The parts of a file's name: Ansible takes the files of a folder in their order."""
    return PurePosixPath(name).parts


def _read_file(tree: Tree, name: str, raw: bytes, prefix: str) -> None:
    """Read one inventory; ``prefix`` stands before its places in notes. Raises ConfigError ``bad-import``."""
    text = text_of(tree, name, raw)
    ending = PurePosixPath(name).suffix
    if ending not in ENDINGS:
        return _Ini(tree, prefix).read(text)
    try:
        data = foreign.yaml_of(text, name)
    except ConfigError:
        if ending:
            raise
        data = None
    if not ending and not isinstance(data, dict):
        return _Ini(tree, prefix).read(text)
    return _read_yaml(tree, name, data, prefix)


def text_of(tree: Tree, name: str, raw: bytes) -> str:
    """The text of a file. Raises ConfigError ``bad-import`` for one that is encrypted, a program or no text."""
    text = foreign.text_of(raw, name, tree.notes)
    for start, (what, hint) in _NOT_READ.items():
        if text.startswith(start):
            raise foreign.bad(name, what, hint)
    return text


# --- YAML ---


def _read_yaml(tree: Tree, name: str, data: Any, prefix: str) -> None:
    if isinstance(data, dict) and ("plugin" in data or "_meta" in data):
        raise foreign.bad(name, "is made for a plugin or by one", _PRINTED)
    groups = data.values() if isinstance(data, dict) else ()
    if not any(isinstance(group, dict) and {"hosts", "children", "vars"} & set(group) for group in groups):
        raise foreign.bad(name, "is no inventory: no group of it has hosts, children or vars")
    for group, content in data.items():
        _read_group(tree, group, content, prefix)


def _read_group(tree: Tree, name: Any, content: Any, prefix: str) -> None:
    where = f"{prefix}groups.{name}"
    if not isinstance(name, str) or not isinstance(content, dict | None):
        return tree.skip(where, "is no group: it needs a name that is text, and hosts, children or vars below it")
    tree.group(name)
    for key, section in (content or {}).items():
        if isinstance(section, str):  # a single word without a colon behind it
            section = {section: None}
        if key not in _SECTIONS or not isinstance(section, dict | None):
            tree.skip(f"{where}.{key}", "is not hosts, children or vars with names below it")
        else:
            _SECTIONS[key](tree, name, section or {}, prefix)
    return None


def _read_hosts(tree: Tree, group: str, hosts: dict[Any, Any], prefix: str) -> None:
    for pattern, own in hosts.items():
        where = f"{prefix}hosts.{pattern}"
        if not isinstance(own, dict | None):
            tree.skip(where, "its variables are no mapping")
            continue
        try:
            tree.add(pattern if isinstance(pattern, str) else "", group, own or {})
        except ValueError as error:
            tree.skip(where, str(error))


def _read_children(tree: Tree, group: str, children: dict[Any, Any], prefix: str) -> None:
    for name, content in children.items():
        _read_group(tree, name, content, prefix)
        if name in tree.groups:
            tree.child(group, name)


def _read_vars(tree: Tree, group: str, values: dict[Any, Any], prefix: str) -> None:
    tree.group(group).vars.update(values)


_SECTIONS = {"hosts": _read_hosts, "children": _read_children, "vars": _read_vars}


# --- INI ---


@dataclass(slots=True)
class _Ini:
    """Reads one file, line by line; what stands before the first section is in no group."""

    tree: Tree
    prefix: str
    group: str = "ungrouped"
    kind: str = "hosts"

    def read(self, text: str) -> None:
        for number, line in enumerate(map(str.strip, text.splitlines()), 1):
            if line and line[0] not in "#;":
                try:
                    self._line(line)
                except ValueError as error:
                    self.tree.skip(f"{self.prefix}line {number}", str(error))

    def _line(self, line: str) -> None:
        """Read one line. Raises ValueError with the reason why it cannot be understood, without its text."""
        if header := _SECTION.fullmatch(line):
            self.group, self.kind = header[1], header[2] or "hosts"
            self.tree.group(self.group)
            if self.kind not in _LINES:
                raise ValueError("is a section of an unknown kind: nothing below it is read")
        elif line.startswith("[") and line.endswith("]"):
            self.kind = ""
            raise ValueError("is no name of a section: nothing below it is read")
        elif self.kind in _LINES:
            _LINES[self.kind](self.tree, self.group, line)


def _host_line(tree: Tree, group: str, line: str) -> None:
    try:
        pattern, *words = shlex.split(line, comments=True)
    except ValueError:
        raise ValueError("a quote or an escape has no end") from None
    pairs = [word.partition("=") for word in words]
    if not all(equals for _, equals, _ in pairs):
        raise ValueError("holds a word that is not key=value")
    tree.add(pattern, group, {key: _literal(value) for key, _, value in pairs})


def _child_line(tree: Tree, group: str, line: str) -> None:
    name = _GROUP_NAME.fullmatch(line)
    if not name:
        raise ValueError("is not the name of a group")
    tree.child(group, name[1])


def _var_line(tree: Tree, group: str, line: str) -> None:
    key, equals, value = line.partition("=")
    if not equals:
        raise ValueError("is not key=value")
    tree.group(group).vars[key.strip()] = _literal(value.strip())


_LINES = {"hosts": _host_line, "children": _child_line, "vars": _var_line}


def _literal(text: str) -> Any:
    """A value of an INI file: what Python would read, else text."""
    if len(text) > _LONGEST_LITERAL:
        return text
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


# --- what a pattern of hosts stands for ---


def _names(pattern: str) -> tuple[list[str], dict[Any, Any]]:
    """``ap[01:03]:22`` is ap01, ap02 and ap03, at a port. Raises ValueError with the reason why it is no pattern."""
    port: dict[Any, Any] = {}
    if with_port := _WITH_PORT.fullmatch(pattern):
        pattern, port = with_port[1] or with_port[2], {"ansible_port": int(with_port[3])}
    if not pattern.strip() or pattern == "---" or pattern.endswith(":"):
        raise ValueError("is not the name of a host")
    names = [""]
    for part in re.split(r"(\[[^\]]*\])", pattern):
        choices = _range(part[1:-1]) if part.startswith("[") and part.endswith("]") else [part]
        if "[" in part and choices == [part]:
            raise ValueError("a range [ has no end")
        if len(names) * len(choices) > MOST_HOSTS:
            raise ValueError(f"stands for more than {MOST_HOSTS} hosts")
        names = [name + choice for name, choice in itertools.product(names, choices)]
    return names, port


def _range(text: str) -> list[str]:
    match = re.fullmatch(r"(?:([a-zA-Z]):([a-zA-Z])|([0-9]{0,9}):([0-9]{1,9}))(?::([0-9]{1,9}))?", text)
    step = int(match[5] or 1) if match else 0
    if not match or not step:
        raise ValueError("holds a range that is not [first:last] or [first:last:step]")
    if match[1]:
        first, last = map(string.ascii_letters.index, match.groups()[:2])
        chosen = string.ascii_letters[first : last + 1 : step]
        if not chosen:
            raise ValueError("holds a range that ends before it begins")
        return list(chosen)
    first_text, last_text = match[3] or "0", match[4]
    width = len(first_text) if first_text.startswith("0") and len(first_text) > 1 else 0
    if width and width != len(last_text):
        raise ValueError("holds a range whose ends are not equally long")
    numbers = range(int(first_text), int(last_text) + 1, step)
    if len(numbers) > MOST_HOSTS:
        raise ValueError(f"stands for more than {MOST_HOSTS} hosts")
    return [str(number).zfill(width) for number in numbers]
