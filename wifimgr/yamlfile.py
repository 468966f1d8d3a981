"""The strict reader: one YAML file in, plain data with the line of every key out.

Unknown and duplicate keys are errors, every message names file, line and key, and all problems of a file are
told in one run. Plain words mean what they look like: only ``true`` and ``false`` are booleans, ``no`` and
``12:30`` are text, a number with a leading zero is text. YAML's machinery that hides where a value comes from
(tags, merge keys, several documents) is refused; aliases are allowed as long as they do not blow up.
"""

from __future__ import annotations

import math
import re
import stat
import types
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from wifimgr.errors import ConfigError, Problem, closest, did_you_mean
from wifimgr.model import Origin

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML without libyaml: the same language, ten times slower
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

KeyPath = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

LARGEST = 16 << 20
"""Bytes of a file that somebody wrote."""
DEEPEST = 40
"""Nesting that no honest file reaches."""
MOST_VALUES = 200_000
"""Values of one file, aliases counted as often as they are used."""
SURELY_SHALLOW = 8_000
"""Characters. libyaml recurses in C: a longer file is looked at for its nesting before it is composed."""

TAG = "tag:yaml.org,2002:"
_PLAIN: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("null", re.compile(r"(~|null|Null|NULL|)\Z")),
    ("bool", re.compile(r"(true|True|TRUE|false|False|FALSE)\Z")),
    ("int", re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")),
    ("float", re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")),
)
_STARTS = frozenset("~nNtTfF+-.0123456789")
"""Characters a plain value that is not text can start with."""

_HINTS = {
    "found character that cannot start any token": "indent with spaces, no tabs; quote text with @ or %",
    "mapping values are not allowed in this context": 'quote text that holds ": "; indent equal keys equally',
    "but found another document": "keep one document in a file: take out the line ---",
    "could not find expected ':'": "write key: value",
    "found undefined alias": "quote text that starts with *",
    "control characters are not allowed": "take the invisible character out",
    "found unexpected end of stream": "close the quote",
    "did not find expected ',' or '}'": "close the bracket, and quote text that holds a comma or a bracket",
    "did not find expected ',' or ']'": "close the bracket, and quote text that holds a comma or a bracket",
    "did not find expected key": "indent equal keys equally",
    "did not find expected '-' indicator": "begin each item of the list with - , equally indented",
}
_SOMETHING = "look for a quote, bracket or colon that is missing or too much, here or in the line above"


class Strict(BaseModel):
    """What a mapping of a file may hold. No unknown keys, no guessing between text and numbers."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_no_value(cls, data: Any) -> Any:
        """A key that may be missing has a value where it stands: ``snmp: null`` would not mean what it looks like."""
        if isinstance(data, dict) and None in data.values():
            return {key: _NULL if value is None else value for key, value in data.items()}
        return data


class _Null:
    """Stands for null where no value can be null, so that every type refuses it."""


_NULL = _Null()


def fault(what: str, hint: str = "", id: str = "wrong-type") -> PydanticCustomError:
    """What a validator of a file model raises: a problem with its own id and hint."""
    return PydanticCustomError(id, "{what}", {"what": what, "hint": hint})


class Gaps:
    """What was left out of a file because it is wrong, so that the rest can still be judged without false alarms."""

    def __init__(self, left_out: Iterable[KeyPath] = (), odd: Iterable[KeyPath] = ()) -> None:
        self.left_out = frozenset(left_out)
        """Keys that were left out with all below them, also those that misspelt ones mean; ``()``: the whole file."""
        self.odd = frozenset(odd)
        """Mappings with a key that nobody knows: it may be any of their keys, misspelt."""
        self._parts = frozenset(path[:end] for path in self.left_out for end in range(1, len(path) + 1))

    def concern(self, key: KeyPath) -> bool:
        """Whether a key was left out, or something below it, or a key that looks like it."""
        return key in self._parts

    def sure(self, at: KeyPath, *names: str) -> bool:
        """Whether a mapping surely says no more than it seems to under these names."""
        if not self.left_out and not self.odd:
            return True
        ways = {at[:end] for end in range(len(at) + 1)}
        return not (ways & self.left_out or ways & self.odd or any((*at, name) in self._parts for name in names))

    def wider(self, paths: Iterable[KeyPath], odd: Iterable[KeyPath]) -> Gaps:
        """Also without these keys; where one of them is out already, without what it stands in."""
        found = set(self.left_out)
        for path in paths:
            while path and path in self.left_out:
                path = path[:-1]
            found.add(path)
        return Gaps(found, {*self.odd, *odd})


NO_GAPS = Gaps()


@dataclass(frozen=True, slots=True)
class Document:
    """The data of one file, and where each key of it was written."""

    path: Path
    shown: str
    """The file as shown to people: relative to the network folder."""
    data: Mapping[str, Any] = field(repr=False)
    lines: Mapping[KeyPath, int] = field(repr=False)
    gaps: Gaps = field(default=NO_GAPS, repr=False, compare=False)
    """What of the data is wrong; nothing, unless it was read by :func:`scan` or :func:`salvage`."""

    def line(self, key: KeyPath) -> int:
        """The line of a key, or of the nearest thing around it that is there."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)

    def origin(self, key: KeyPath) -> Origin:
        """Where a value was written."""
        return Origin(self.shown, self.line(key))

    def problem(self, id: str, key: KeyPath, what: str, hint: str = "") -> Problem:
        """One problem at a key of this file."""
        return Problem(id, str(self.origin(key)), dotted(key), what, hint)

    def names(self, *key: str) -> Collection[str] | None:
        """The names in a mapping, also of entries that are wrong; None: nobody can tell, as the file is wrong there."""
        found: Any = self.data
        for part in key:
            found = found.get(part) if isinstance(found, dict) else None
        if isinstance(found, dict) and key not in self.gaps.left_out:
            return found.keys()
        return () if self.gaps.sure(key[:-1], key[-1]) else None


def dotted(key: KeyPath) -> str:
    """A key path as people write it: ``routers.jz-gw.addresses[0]``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).removeprefix(".")


def read(path: Path, shown: str, text: str | None = None) -> Document:
    """Read one file; with ``text`` as if that stood in it.

    Raises ConfigError: ``unreadable-file``, ``bad-yaml``, ``duplicate-key``, ``wrong-type`` for an empty key.
    """
    return built(compose(read_text(path, shown) if text is None else text, shown), path, shown)


def built(root: yaml.Node | None, path: Path, shown: str) -> Document:
    """The data of a composed file. Raises ConfigError like :func:`read`."""
    document, problems = _build(root, path, shown)
    if problems:
        raise ConfigError.of(problems)
    return document


def scan(path: Path, shown: str, text: str | None = None) -> tuple[Document, list[Problem]]:
    """One file as far as it can be read, and what is wrong in it: :func:`read` for who goes on all the same."""
    try:
        return _build(compose(read_text(path, shown) if text is None else text, shown), path, shown)
    except ConfigError as error:
        return Document(path, shown, {}, {}, Gaps([()])), list(error.problems)


def _build(root: yaml.Node | None, path: Path, shown: str) -> tuple[Document, list[Problem]]:
    builder = _Builder(shown)
    data = {} if root is None or _empty(root) else builder.value(root, ())
    if not isinstance(data, dict):
        if not builder.problems:
            builder.problem(root, (), "wrong-type", "must be a mapping", "write key: value")
        data = {}
    return Document(path, shown, data, builder.lines, Gaps(builder.left_out, builder.odd)), builder.problems


def _empty(node: yaml.Node) -> bool:
    return bool(node.tag == TAG + "null" and not node.value)


def read_text(path: Path, shown: str) -> str:
    """The text of a file. Raises ConfigError: ``unreadable-file``, ``bad-yaml`` when it is not UTF-8."""
    return decoded(read_bytes(path, shown), shown)


def read_bytes(path: Path, shown: str) -> bytes:
    """What stands in a file. Raises ConfigError ``unreadable-file``."""
    try:
        about = path.stat()
        if stat.S_ISREG(about.st_mode) and about.st_size <= LARGEST:
            return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ConfigError("unreadable-file", f"cannot be read: {reason}", where=shown) from None
    if stat.S_ISDIR(about.st_mode):
        raise ConfigError("unreadable-file", "cannot be read: is a directory", where=shown)
    what = f"is larger than {LARGEST >> 20} MiB" if stat.S_ISREG(about.st_mode) else "is no plain file"
    raise ConfigError("unreadable-file", f"cannot be read: {what}", where=shown)


def decoded(raw: bytes, shown: str) -> str:
    """Bytes of a file as text, without a mark at the beginning. Raises ConfigError ``bad-yaml``."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError("bad-yaml", "is not UTF-8", where=f"{shown}:{line}", hint="save it as UTF-8") from None


def compose(text: str, shown: str) -> yaml.Node | None:
    """The nodes of a text, with where each begins and ends; None: it holds nothing. Raises ConfigError ``bad-yaml``."""
    try:
        if len(text) > SURELY_SHALLOW:
            _refuse_deep(text, shown)
        return _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = min(mark.line + 1, len(text.splitlines()) or 1) if mark else 1  # the end is behind the last line
        what = error.problem or "is not YAML"
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = error.reason
    raise ConfigError("bad-yaml", what, where=f"{shown}:{line}", hint=_HINTS.get(what, _SOMETHING))


def _refuse_deep(text: str, shown: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            line = event.start_mark.line + 1 if event.start_mark else 1
            what, hint = f"is nested deeper than {DEEPEST} levels", "close the brackets that were opened"
            raise ConfigError("bad-yaml", what, where=f"{shown}:{line}", hint=hint)


class _Loader(_SafeLoader):
    """PyYAML's loader with the plain words of YAML 1.2."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
        if kind is yaml.ScalarNode and implicit[0] and (not value or value[0] in _STARTS):
            for name, pattern in _PLAIN:
                if pattern.match(value or ""):
                    return TAG + name
        return _DEFAULT_TAGS[kind]


_DEFAULT_TAGS: dict[type[yaml.Node], str] = {
    yaml.ScalarNode: TAG + "str",
    yaml.SequenceNode: TAG + "seq",
    yaml.MappingNode: TAG + "map",
}


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


_SCALARS: dict[str, Callable[[str], Any]] = {
    TAG + "null": lambda text: None,
    TAG + "bool": lambda text: {"true": True, "false": False}[text.lower()],
    TAG + "int": int,
    TAG + "float": _number,
    TAG + "str": str,
}


class _Builder:
    """Turns nodes into plain data, notes the line of every key, and collects what is wrong on the way."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []
        self.left_out: list[KeyPath] = []
        self.odd: list[KeyPath] = []
        self._count = 0

    def problem(self, node: Any, key: KeyPath, id: str, what: str, hint: str = "") -> None:
        where = f"{self.shown}:{node.start_mark.line + 1}"
        self.problems.append(Problem(id, where, dotted(key), what, hint))
        self.left_out.append(_mapped(key))

    def value(self, node: yaml.Node, key: KeyPath) -> Any:
        self._count += 1
        if len(key) > DEEPEST or self._count > MOST_VALUES:
            where = f"{self.shown}:{node.start_mark.line + 1}"
            what = f"holds more than {MOST_VALUES} values or {DEEPEST} levels"
            raise ConfigError("bad-yaml", what, where=where, hint="do not repeat aliases inside aliases")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, key)
        if node.tag != _DEFAULT_TAGS[type(node)]:
            return self.problem(node, key, "bad-yaml", "a tag (!) is not allowed here", "take the tag out")
        return self._mapping(node, key) if isinstance(node, yaml.MappingNode) else self._sequence(node, key)

    def _scalar(self, node: yaml.ScalarNode, key: KeyPath) -> Any:
        if _empty(node):
            return self.problem(node, key, "wrong-type", "has no value", "write a value or take the key out")
        try:
            return _SCALARS[node.tag](node.value)
        except KeyError:
            return self.problem(node, key, "bad-yaml", "a tag (!) is not allowed here", "take the tag out")
        except ValueError:
            return self.problem(node, key, "bad-yaml", "is a number out of all bounds", "put text in quotes")

    def _sequence(self, node: yaml.Node, key: KeyPath) -> list[Any]:
        for index, item in enumerate(node.value):
            self.lines[(*key, index)] = item.start_mark.line + 1
        return [self.value(item, (*key, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: yaml.Node, key: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name_node, value_node in node.value:
            name = name_node.value  # a key is always text: 12: and no: are the keys "12" and "no"
            if not isinstance(name_node, yaml.ScalarNode):
                self.problem(name_node, key, "bad-yaml", "a key must be a word", 'quote text with "{{ }}" or brackets')
                continue
            here = (*key, name)
            if name == "<<":
                self.odd.append(_mapped(key))
                self.problem(name_node, here, "bad-yaml", "merge keys are not allowed", "write the values out")
            elif name in data:
                hint = f"the first one is in line {self.lines[here]}; keep one"
                self.problem(name_node, here, "duplicate-key", "this key stands twice", hint)
            else:
                self.lines[here] = name_node.start_mark.line + 1
                data[name] = self.value(value_node, here)
        return data


def validate(document: Document, model: type[Model]) -> Model:
    """The document as an instance of a file model. Raises ConfigError with all problems of the file."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        details = error.errors(include_url=False)
    problems = [_problem(document, model, detail) for detail in details]
    raise ConfigError.of(sorted(problems, key=lambda problem: int(problem.where.rpartition(":")[2])))


def salvage(
    document: Document, model: type[Model], stand_ins: Mapping[str, Any]
) -> tuple[Model, Document, list[Problem]]:
    """What is right in a document as an instance of a file model, the document with its gaps, and what is wrong.

    What is wrong is left out until the rest is right: first the key itself, then what it stands in; of a list always
    the whole. ``stand_ins`` are there for the keys that every file needs. Only what the first look finds is told: all
    later ones follow from it.
    """
    gaps, problems = document.gaps, None
    while True:
        data = {**stand_ins, **_without(document.data, gaps)} if gaps.left_out else document.data
        try:
            return model.model_validate(data), replace(document, gaps=gaps), problems or []
        except ValidationError as error:
            details = error.errors(include_url=False)
        if problems is None:
            problems = [_problem(document, model, detail) for detail in details if not gaps.concern(_key(detail))]
        unknown = [_key(detail) for detail in details if detail["type"] == "extra_forbidden"]
        meant = [key for each in unknown if (key := _meant(model, each)) not in document.lines]
        gaps = gaps.wider(map(_mapped, [*map(_key, details), *meant]), (_mapped(key[:-1]) for key in unknown))


def _without(data: Mapping[str, Any], gaps: Gaps, at: KeyPath = ()) -> dict[str, Any]:
    """Data without what was left out."""
    if at in gaps.left_out:
        return {}
    return {
        name: _without(value, gaps, (*at, name)) if isinstance(value, dict) else value
        for name, value in data.items()
        if (*at, name) not in gaps.left_out
    }


def _meant(model: type[BaseModel], key: KeyPath) -> KeyPath:
    """The known key that an unknown one is most like; the same one where it is like none."""
    return (*key[:-1], closest(str(key[-1]), _keys(model, key[:-1])) or key[-1])


def _mapped(key: KeyPath) -> KeyPath:
    """A key, or of something in a list the key of the list."""
    return tuple(takewhile(lambda part: isinstance(part, str), key))


def _key(detail: ErrorDetails) -> KeyPath:
    """Where an error of pydantic is; for the name of an entry, the entry."""
    return detail["loc"][:-1] if detail["loc"][-1:] == ("[key]",) else detail["loc"]


_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a mapping",
    types.NoneType: "null",
    _Null: "null",
}
_WANTED = {
    "string_type": ("text", "put it in quotes"),
    "int_type": ("a whole number", "write it without quotes"),
    "float_type": ("a number", "write it without quotes"),
    "bool_type": ("true or false", "write true or false, without quotes"),
    "list_type": ("a list", "write [one, two]"),
    "dict_type": ("a mapping", "write key: value below it"),
    "model_type": ("a mapping", "write key: value below it"),
}


def _problem(document: Document, model: type[BaseModel], detail: ErrorDetails) -> Problem:
    """One error of pydantic in our words.

    A value may be a secret in the wrong place: it is shown only where one of a few words had to stand.
    """
    kind, context = detail["type"], detail.get("ctx", {})
    key = _key(detail)
    if kind == "extra_forbidden":
        return document.problem("unknown-key", key, "unknown key", did_you_mean(str(key[-1]), _keys(model, key[:-1])))
    if kind == "missing":
        return document.problem("missing-key", key, "this key is missing", "add it")
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", context["expected"])
        if isinstance(detail["input"], str):
            word = detail["input"]
            return document.problem("unknown-name", key, f"'{word}' is not known", did_you_mean(word, known))
        kind = "string_type"
    if kind in _WANTED:
        wanted, hint = _WANTED[kind]
        if kind == "list_type" and (known := _keys(model, (*key, 0))):
            hint = f"begin each item with a dash, like '- {known[0]}: …'"
        return document.problem("wrong-type", key, f"must be {wanted}, not {_kind(detail['input'])}", hint)
    if "what" in context:
        return document.problem(kind, key, context["what"], context["hint"])
    return document.problem("wrong-type", key, detail["msg"][:1].lower() + detail["msg"][1:])


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "this")


def _keys(annotation: Any, path: KeyPath) -> list[str]:
    """The keys a model knows at a path below it; of a mapping without a model one that stands for all."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields
        if not path:
            return list(fields)
        return _keys(fields[str(path[0])].annotation, path[1:]) if path[0] in fields else []
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return [key for one in inner for key in _keys(one, path)]
    if origin is Annotated:
        return _keys(inner[0], path)
    if origin in (dict, list, Mapping) and path:
        return _keys(inner[-1], path[1:])
    return ["key"] if origin is dict else []
