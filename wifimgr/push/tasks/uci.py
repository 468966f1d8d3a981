"""The task ``uci``: options of UCI sections. What is not named in a wish is not touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Self

from pydantic import AfterValidator, WithJsonSchema, model_validator

from wifimgr.errors import ConfigError
from wifimgr.platforms.edits import UciEdit
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
    name: Name | None = None
    """The section with this name."""
    each: bool = False
    """true: all sections of this type."""
    match: dict[Name, str] = {}
    """The section whose options have these values."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.name is not None) + self.each + bool(self.match) > 1:
            raise fault("says more than one way to find a section", "keep one of name, each and match", "bad-wish")
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
            key = (package, index)
            yield UciEdit(
                package=package,
                type=wish.section.type,
                name=wish.section.name or "",
                each=wish.section.each,
                match={name: _plain(fill(value, where(key)), where(key)) for name, value in wish.section.match.items()},
                set={name: fill(value, where((*key, "set", name))) for name, value in wish.set.items()},
                unset=tuple(wish.unset),
                absent=wish.absent,
                where=where(key),
            )


def _plain(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigError("bad-wish", "match takes plain text only", where=where, hint="no lists, no secrets")
    return value
