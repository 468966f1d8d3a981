"""The task ``uci``: options of UCI sections. What is not named in a wish is not touched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Self

from pydantic import AfterValidator, WithJsonSchema, model_validator

from wifimgr.errors import ConfigError
from wifimgr.platforms.edits import SECTION, UciEdit
from wifimgr.push.variables import Fill
from wifimgr.settings.values import Shape
from wifimgr.yamlfile import KeyPath, Strict, fault

REFUSED_PACKAGES = {"fstab": "a wrong mount is not undone by putting the file back"}


_PACKAGE = Shape("[A-Za-z0-9_-]+", "is not a name of a UCI package", "write the name of a file in /etc/config")
_PUSHED = Shape(rf"(?!({'|'.join(REFUSED_PACKAGES)})$){_PACKAGE.pattern}", "may not be pushed", _PACKAGE.hint)


def _package(value: str) -> str:
    _PACKAGE.match(value)
    if value in REFUSED_PACKAGES:
        raise fault(f"may not be pushed: {REFUSED_PACKAGES[value]}", "change it by hand", "bad-wish")
    return value


def _wished(value: Any) -> Any:
    items = value if isinstance(value, list) else [value]
    if not items or any(item is None or item == "" for item in items):
        raise fault("has no value", "write a value, or name the option under unset", "bad-wish")
    if not all(isinstance(item, str | bool | int | float) for item in items):
        raise fault("is not a value UCI can hold", "write text, a number, true, false or a list of those", "bad-wish")
    return value


_ONE_TYPES = ["string", "number", "boolean"]
_WISHED = {
    "type": [*_ONE_TYPES, "array"],
    "minLength": 1,
    "items": {"type": _ONE_TYPES, "minLength": 1},
    "minItems": 1,
}

Name = Annotated[str, Shape("[A-Za-z0-9_]+", "is not a name that UCI can hold", "use letters, digits and _")]
_HOLE = re.compile(r"\{\{ *section *\}\}")
SectionName = Annotated[
    str, Shape(rf"([A-Za-z0-9_]|{_HOLE.pattern})+", "is not a name that UCI can hold", "use letters, digits and _")
]
Type = Annotated[
    str,
    Shape("[A-Za-z0-9_./-]+", "is not a type of a section", "write it as in the UCI file, like wifi-iface"),
]
Package = Annotated[str, AfterValidator(_package), WithJsonSchema(_PUSHED.schema)]
Wished = Annotated[Any, AfterValidator(_wished), WithJsonSchema(_WISHED)]


class Which(Strict):
    """Which sections a wish is about."""

    type: Type
    """Such as wifi-iface."""
    name: SectionName | None = None
    """The section with this name."""
    each: bool = False
    """true: all sections of this type."""
    match: dict[Name, str] = {}
    """The section whose options have these values; with each: all of those."""
    per: Type | None = None
    """One section for each one of this type, such as wifi-device; {{ section }} in name, match and set is its name."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.name is not None and (self.each or self.match):
            raise fault("says more than one way to find a section", "keep one of name, each and match", "bad-wish")
        if (self.per is not None) != bool(_HOLE.search(self.name or "")):
            hint = 'write {type: wifi-iface, per: wifi-device, name: "guest_{{ section }}"}'
            raise fault("per and a name with {{ section }} belong together", hint, "bad-wish")
        return self


class UciWish(Strict):
    """One wish: these sections have these options, or do not exist."""

    section: Which
    """Which section."""
    set: dict[Name, Wished] = {}
    """Option to value: text, a number, true, false, or a list."""
    unset: list[Name] = []
    """Options that shall not be there."""
    absent: bool = False
    """true: the section shall not be there."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        wants_options = bool(self.set or self.unset)
        if self.absent and wants_options:
            raise fault("says absent and wishes options too", "keep one of both", "bad-wish")
        if not self.absent and not wants_options:
            raise fault("wishes nothing", "add set, unset or absent", "bad-wish")
        if set(self.set) & set(self.unset):
            raise fault("sets and unsets the same option", "keep one of both", "bad-wish")
        return self


UciWishes = dict[Package, list[UciWish]]


def edits(wishes: UciWishes, fill: Fill, where: Callable[[KeyPath], str]) -> Iterator[UciEdit]:
    """The edits of all wishes, in the order of the playbook."""
    for package, listed in wishes.items():
        for index, wish in enumerate(listed):
            key, put = (package, index), _per(fill) if wish.section.per else fill
            yield UciEdit(
                package=package,
                type=wish.section.type,
                name=_HOLE.sub(SECTION, wish.section.name or ""),
                each=wish.section.each,
                per=wish.section.per or "",
                match={name: _plain(put(value, where(key)), where(key)) for name, value in wish.section.match.items()},
                set={name: put(value, where((*key, "set", name))) for name, value in wish.set.items()},
                unset=tuple(wish.unset),
                absent=wish.absent,
                where=where(key),
            )


def _per(fill: Fill) -> Fill:
    """Puts in variables and leaves the place of ``{{ section }}`` open: it is known when the router was read."""

    def opened(value: Any) -> Any:
        if isinstance(value, list):
            return [opened(item) for item in value]
        return _HOLE.sub(SECTION, value) if isinstance(value, str) else value

    return lambda value, where: fill(opened(value), where)


def _plain(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigError("bad-wish", "match takes plain text only", where=where, hint="no lists, no secrets")
    return value
