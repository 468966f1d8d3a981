"""What importers need for files that others wrote: their text, their YAML, and their words for what we know."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from wifimgr.errors import ConfigError
from wifimgr.inventory.importers.base import Note
from wifimgr.inventory.importers.mesh import text
from wifimgr.yamlfile import DEEPEST, TAG

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML without libyaml: the same language, ten times slower
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

MOST_VALUES = 500_000
"""Values of one YAML file, aliases counted as often as they are used."""
_LONGEST_NUMBER = 64
"""Characters. YAML 1.1 has numbers like 1:30:00, which take ages to work out when they are long."""
_CONTACT = re.compile(
    r"contact|kontakt|ansprech|owner|besitzer|betreiber|maintainer|nickname|e[-_]?mail|phone|telefon|handy|mobil(e|nummer)"
    r"|\Amail\Z|\Atel\Z"
)
_ROLES: Mapping[str, str] = {
    "accesspoint": "access-point",
    "ap": "access-point",
    "gateway": "gateway",
    "gw": "gateway",
    "corerouter": "gateway",
    "offloader": "gateway",
    "meshnode": "mesh-node",
    "mesh": "mesh-node",
    "node": "mesh-node",
    "knoten": "mesh-node",
    "switch": "switch",
}
_PLATFORMS: Mapping[str, str] = {
    "gluon": "gluon",  # before OpenWrt, which it is made of
    "openwrt": "openwrt",
    "lede": "openwrt",
    "routeros": "routeros",
    "other": "other",
    "andere": "other",
}


def bad(name: str, what: str, hint: str = "") -> ConfigError:
    """The error for a file that is not of its format."""
    return ConfigError("bad-import", what, where=name, hint=hint)


def text_of(raw: bytes, name: str, notes: list[Note]) -> str:
    """The text of a file, also as Windows writes it. Raises ConfigError ``bad-import`` for what is no text."""
    marked = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        decoded = raw.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError:
        decoded = raw.decode("cp1252", "replace")
        notes.append(Note(name, "changed", "is not UTF-8: read as Windows-1252"))
    if "\0" in decoded:
        raise bad(name, "is not text")
    return decoded


def role_of(text: str) -> str:
    """Our role for a word that people and tools use for it; empty when it is not known."""
    return _ROLES.get(letters(text), "")


def platform_of(text: str) -> str:
    """Our platform for the name of a system, with or without a version; empty when it is not known."""
    return next((platform for word, platform in _PLATFORMS.items() if word in letters(text)), "")


def letters(text: str) -> str:
    """The letters and digits of a word, in small: by them words are compared."""
    return re.sub(r"[\W_]+", "", text.casefold())


def number_of(value: Any) -> float | None:
    """A number, also as text and with a comma for the point; None when it is none."""
    if isinstance(value, float):
        return value
    match = re.fullmatch(r"([-+]?[0-9]{1,3})(?:[.,]([0-9]{1,20}))?", text(value))
    return float(f"{match[1]}.{match[2] or 0}") if match else None


def looks_like_contact(name: str) -> bool:
    """Whether a key of this name tells whom to call: ``contact_name``, ``E-Mail``."""
    return bool(_CONTACT.search(name.lower()))


def contact_of(*values: Any) -> str:
    """Everything that is told about whom to call, in one line."""
    told = (" ".join(text(leaf).split()) for value in values for leaf in _leaves(value))
    return ", ".join(filter(None, told))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
    else:
        yield value


# --- YAML of others: version 1.1 with anchors and merge keys, as the tools that made it read it ---


@dataclass(frozen=True, slots=True)
class Tagged:
    """A value with a tag that is not plain YAML, like ``!vault``. What it holds is not kept."""

    tag: str


def yaml_of(written: str, name: str) -> Any:
    """The plain data of one YAML document.

    Nothing of it is run or built but mappings, lists, texts, numbers, booleans and None; a date stays text.
    Raises ConfigError ``bad-import``: no YAML, several documents, too deep, too much.
    """
    reader = _Reader(name)
    try:
        return reader.read(written)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        what = error.problem or "it cannot be read"
    except yaml.reader.ReaderError as error:
        line, what = written.count("\n", 0, error.position) + 1, error.reason
    raise bad(f"{name}:{line}", f"is not YAML: {what}")


@dataclass(slots=True)
class _Open:
    """A collection whose end was not seen yet; of a mapping, keys and values in turn."""

    event: Any = None
    items: list[Any] = field(default_factory=list)
    values: int = 1
    """How many values it holds, also below; an alias counts with all it stands for."""


class _Reader:
    """Builds data from the events of the parser: no recursion that a file could drive, no alias that unfolds."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._open = [_Open()]
        self._anchors: dict[str, tuple[Any, int]] = {}

    def read(self, written: str) -> Any:
        for event in yaml.parse(written, Loader=_Loader):
            if isinstance(event, yaml.ScalarEvent):
                self._add(event, self._scalar(event), 1)
            elif isinstance(event, yaml.AliasEvent):
                if event.anchor not in self._anchors:
                    raise self._bad(event, "an alias (*) stands for nothing that is complete")
                self._add(None, *self._anchors[event.anchor])
            elif isinstance(event, yaml.CollectionStartEvent):
                self._open.append(_Open(event))
                if len(self._open) > DEEPEST:
                    raise self._bad(event, f"is nested deeper than {DEEPEST} levels")
            elif isinstance(event, yaml.CollectionEndEvent):
                done = self._open.pop()
                self._add(done.event, self._collection(done), done.values)
            elif isinstance(event, yaml.DocumentStartEvent) and self._open[0].items:
                raise self._bad(event, "holds more than one document")
        return self._open[0].items[0] if self._open[0].items else None

    def _bad(self, event: Any, what: str) -> ConfigError:
        return bad(f"{self._name}:{event.start_mark.line + 1}", what)

    def _add(self, event: Any, value: Any, values: int) -> None:
        """Put a value into the collection around it; ``event`` tells whether it has an anchor."""
        around = self._open[-1]
        around.items.append(value)
        around.values += values
        if around.values > MOST_VALUES:
            raise bad(self._name, f"holds more than {MOST_VALUES} values")
        if event is not None and event.anchor:
            self._anchors[event.anchor] = value, values

    def _scalar(self, event: Any) -> Any:
        tag = event.tag
        if tag in (None, "!"):
            tag = _RESOLVER.resolve(yaml.ScalarNode, event.value, event.implicit)
        elif tag == "!unsafe":  # Ansible's mark of text that is no template
            tag = TAG + "str"
        around = self._open[-1]
        if tag == _MERGE and isinstance(around.event, yaml.MappingStartEvent) and len(around.items) % 2 == 0:
            return Tagged(_MERGE)
        if tag not in _SCALARS:
            return Tagged(tag)
        try:
            return event.value if len(event.value) > _LONGEST_NUMBER else _SCALARS[tag](event.value)
        except (ValueError, KeyError, IndexError):  # a tag that promises more than the text keeps
            return event.value

    def _collection(self, done: _Open) -> Any:
        if done.event.tag not in (None, "!", TAG + "map", TAG + "seq"):
            return Tagged(done.event.tag)
        if isinstance(done.event, yaml.SequenceStartEvent):
            return done.items
        data: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        for key, value in zip(done.items[::2], done.items[1::2], strict=True):
            if key == Tagged(_MERGE):
                for other in value if isinstance(value, list) else [value]:
                    if not isinstance(other, dict):
                        raise self._bad(done.event, "a merge key (<<) needs a mapping")
                    merged = {**other, **merged}
            elif isinstance(key, dict | list | Tagged):
                raise self._bad(done.event, 'a key must be a word: quote text with "{{ }}" or brackets')
            else:
                data[key] = value
        return {**merged, **data}


_MERGE = TAG + "merge"
_RESOLVER: Any = yaml.resolver.Resolver()
_CONSTRUCTOR: Any = yaml.constructor.SafeConstructor()
_SCALARS: Mapping[str, Callable[[str], Any]] = {
    TAG + "null": lambda text: None,
    TAG + "bool": lambda text: _CONSTRUCTOR.bool_values[text.lower()],
    TAG + "int": lambda text: _CONSTRUCTOR.construct_yaml_int(yaml.ScalarNode(TAG + "int", text)),
    TAG + "float": lambda text: _CONSTRUCTOR.construct_yaml_float(yaml.ScalarNode(TAG + "float", text)),
    TAG + "str": str,
    TAG + "timestamp": str,
    TAG + "merge": str,
    TAG + "value": str,
}
