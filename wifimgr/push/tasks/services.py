"""The task ``services``: which services start with the router, and which are restarted when something changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Self

from pydantic import AfterValidator, WithJsonSchema, model_validator

from wifimgr.platforms.edits import ServiceEdit, ServiceWishKind
from wifimgr.platforms.programs import LIFELINES
from wifimgr.push.variables import Fill
from wifimgr.settings.values import Shape
from wifimgr.yamlfile import KeyPath, Strict, fault

WISHES: tuple[ServiceWishKind, ...] = ("enabled", "disabled", "restart_when_changed")

_NAME = Shape("[A-Za-z0-9_][A-Za-z0-9_-]*", "is not a name of a service", "write the name of a file in /etc/init.d")


def _may_stop(value: str) -> str:
    _NAME.match(value)
    if value in LIFELINES:
        raise fault("may not be disabled: a router can be lost without it", "take it out of disabled", "bad-wish")
    return value


def _not_ours(value: str) -> str:
    _NAME.match(value)
    if value == "wifimgr":
        raise fault("is wifimgr's own guard", "take it out", "bad-wish")
    return value


Name = Annotated[str, AfterValidator(_not_ours), WithJsonSchema(_NAME.schema)]
Stoppable = Annotated[str, AfterValidator(_may_stop), WithJsonSchema(_NAME.schema)]


class ServicesWish(Strict):
    """What services do."""

    enabled: list[Name] = []
    """These start with the router, and now where they did not."""
    disabled: list[Stoppable] = []
    """These do not start with the router, and stop now."""
    restart_when_changed: list[Name] = []
    """These are restarted when this playbook changes a file."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not (self.enabled or self.disabled or self.restart_when_changed):
            raise fault("wishes nothing", f"add one of {', '.join(WISHES)}", "bad-wish")
        if both := set(self.disabled) & {*self.enabled, *self.restart_when_changed}:
            raise fault(f"wishes {min(both)} both on and disabled", "keep one of both", "bad-wish")
        return self


def edits(wish: ServicesWish | None, fill: Fill, where: Callable[[KeyPath], str]) -> Iterator[ServiceEdit]:
    """An edit for each service and wish."""
    del fill  # a name is no place for a variable
    for key in WISHES if wish else ():
        for index, name in enumerate(dict.fromkeys(getattr(wish, key))):
            yield ServiceEdit(name=name, wish=key, where=where((key, index)))
