"""The strict reader: one YAML file in, plain data with the line of every key out.

Unknown and duplicate keys are errors, every message names file, line and key, and all problems of a file are
told in one run. Plain words mean what they look like: only ``true`` and ``false`` are booleans, ``no`` and
``12:30`` are text, a number with a leading zero is text. YAML's machinery that hides where a value comes from
(tags, merge keys, several documents) is refused; aliases are allowed as long as they do not blow up.
"""

from __future__ import annotations

import math
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from wifimgr.errors import ConfigError, Problem, did_you_mean
from wifimgr.model import Origin

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML without libyaml: the same language, ten times slower
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

KeyPath = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

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
}


class Strict(BaseModel):
    """What a mapping of a file may hold. No unknown keys, no guessing between text and numbers."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def fault(what: str, hint: str = "", id: str = "wrong-type") -> PydanticCustomError:
    """What a validator of a file model raises: a problem with its own id and hint."""
    return PydanticCustomError(id, "{what}", {"what": what, "hint": hint})


@dataclass(frozen=True, slots=True)
class Document:
    """The data of one file, and where each key of it was written."""

    path: Path
    shown: str
    """The file as shown to people: relative to the network folder."""
    data: Mapping[str, Any]
    lines: Mapping[KeyPath, int]

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


def dotted(key: KeyPath) -> str:
    """A key path as people write it: ``routers.jz-gw.addresses[0]``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).removeprefix(".")


def read(path: Path, shown: str) -> Document:
    """Read one file.

    Raises ConfigError: ``unreadable-file``, ``bad-yaml``, ``duplicate-key``, ``wrong-type`` for an empty key.
    """
    text = _text(path, shown)
    root = _compose(text, shown)
    builder = _Builder(shown)
    data = {} if root is None or _empty(root) else builder.value(root, ())
    if not isinstance(data, dict) and not builder.problems:
        builder.problem(root, (), "wrong-type", "must be a mapping", "write key: value")
    if builder.problems:
        raise ConfigError.of(builder.problems)
    return Document(path, shown, data, builder.lines)


def _empty(node: yaml.Node) -> bool:
    return bool(node.tag == TAG + "null" and not node.value)


def _text(path: Path, shown: str) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ConfigError("unreadable-file", f"cannot be read: {reason}", where=shown) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError("bad-yaml", "is not UTF-8", where=f"{shown}:{line}", hint="save it as UTF-8") from None


def _compose(text: str, shown: str) -> yaml.Node | None:
    try:
        if len(text) > SURELY_SHALLOW:
            _refuse_deep(text, shown)
        return _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark else 1
        what = error.problem or "is not YAML"
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = error.reason
    raise ConfigError("bad-yaml", what, where=f"{shown}:{line}", hint=_HINTS.get(what, ""))


def _refuse_deep(text: str, shown: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise ConfigError("bad-yaml", f"is nested deeper than {DEEPEST} levels", where=f"{shown}:{line}")


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
        self._count = 0

    def problem(self, node: Any, key: KeyPath, id: str, what: str, hint: str = "") -> None:
        where = f"{self.shown}:{node.start_mark.line + 1}"
        self.problems.append(Problem(id, where, dotted(key), what, hint))

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


_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a mapping",
    types.NoneType: "null",
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
    key = detail["loc"][:-1] if detail["loc"][-1:] == ("[key]",) else detail["loc"]
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
        return document.problem("wrong-type", key, f"must be {wanted}, not {_kind(detail['input'])}", hint)
    if "what" in context:
        return document.problem(kind, key, context["what"], context["hint"])
    return document.problem("wrong-type", key, detail["msg"][:1].lower() + detail["msg"][1:])


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "this")


def _keys(annotation: Any, path: KeyPath) -> list[str]:
    """The keys a model knows at a path below it."""
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
    return _keys(inner[-1], path[1:]) if origin in (dict, list, Mapping) and path else []
