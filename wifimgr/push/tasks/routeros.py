"""The task ``routeros``: options in the menus of RouterOS. What is not named in a wish is not touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, WithJsonSchema, model_validator

from wifimgr.errors import ConfigError
from wifimgr.platforms.edits import MenuEdit
from wifimgr.push.variables import Fill
from wifimgr.settings.values import Shape
from wifimgr.yamlfile import KeyPath, Strict, fault

NOT_CONFIGURATION = (
    *("certificate", "console", "disk", "export", "file", "import", "log", "quit", "redo", "undo"),
    *(f"system/{name}" for name in ("backup", "history", "license", "package", "reboot", "reset-configuration")),
    *(f"system/{name}" for name in ("routerboard", "shutdown", "upgrade")),
)
"""Menus whose commands do something, or hold what RouterOS's history does not take back."""

_MENU = Shape("/?[a-z0-9-]+([ /][a-z0-9-]+)*", "is not a menu of RouterOS", "write it as there, like /ip dns")


def _menu(value: str) -> str:
    _MENU.match(value)
    menu = value.lstrip("/").replace(" ", "/")
    if any(f"{menu}/".startswith(f"{each}/") for each in NOT_CONFIGURATION):
        raise fault("may not be pushed", "safe mode does not take back what is done there", "bad-wish")
    return menu


_SCALARS = ["string", "number", "boolean"]


def _plain(value: Any) -> bool:
    return isinstance(value, str | bool | int | float)


def _matched(value: Any) -> Any:
    if not _plain(value) or value == "":
        raise fault("has no value", "write text, a number, true or false", "bad-wish")
    return value


def _held(value: Any) -> Any:
    if not (_plain(value) or (isinstance(value, list) and value and all(_plain(item) for item in value))):
        hint = 'write text, a number, true, false or a list of those; "" empties an option'
        raise fault("is not a value that RouterOS can hold", hint, "bad-wish")
    return value


Menu = Annotated[str, AfterValidator(_menu), WithJsonSchema(_MENU.schema)]
Option = Annotated[str, Shape("[a-z0-9][a-z0-9.-]*", "is not an option of RouterOS", "write it as in an export")]
Matched = Annotated[Any, AfterValidator(_matched), WithJsonSchema({"type": _SCALARS, "minLength": 1})]
MenuValue = Annotated[
    Any,
    AfterValidator(_held),
    WithJsonSchema({"type": [*_SCALARS, "array"], "items": {"type": _SCALARS}, "minItems": 1}),
]


class MenuWish(Strict):
    """One wish: a menu of settings has these options, or an item of a menu has them or is not there."""

    menu: Menu
    """Where it is, like /ip dns or /interface/wireless."""
    match: dict[Option, Matched] = {}
    """The item whose options have these values, added where there is none; without match the menu holds settings."""
    set: dict[Option, MenuValue] = {}
    """Option to value: text, a number, true, false, or a list."""
    absent: bool = False
    """true: the item shall not be there."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.absent and (self.set or not self.match):
            raise fault("absent goes with match and without set", "say which item shall go", "bad-wish")
        if not (self.match or self.set):
            raise fault("wishes nothing", "add set, or match and absent", "bad-wish")
        if self.match.keys() & self.set.keys():
            raise fault("sets an option that it matches", "keep one of both", "bad-wish")
        return self


def edits(wishes: list[MenuWish], fill: Fill, where: Callable[[KeyPath], str]) -> Iterator[MenuEdit]:
    """The edits of all wishes, in the order of the playbook."""
    for index, wish in enumerate(wishes):
        yield MenuEdit(
            menu=wish.menu,
            match=_texts(wish.match, fill, where((index,))),
            set={name: fill(_words(value), where((index, "set", name))) for name, value in wish.set.items()},
            absent=wish.absent,
            where=where((index,)),
        )


def _words(value: Any) -> Any:
    """The words of RouterOS for true and false."""
    if isinstance(value, list):
        return [_words(item) for item in value]
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _texts(match: Mapping[str, Any], fill: Fill, where: str) -> dict[str, str]:
    found = {name: fill(_words(value), where) for name, value in match.items()}
    if not all(isinstance(value, str) for value in found.values()):
        raise ConfigError("bad-wish", "match takes plain text only", where=where, hint="no lists, no secrets")
    return {name: str(value) for name, value in found.items()}
