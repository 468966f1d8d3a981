"""The task ``authorized_keys``: who may log in over SSH. Keys that no wish names stay, unless it says ``only``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Self

from pydantic import AfterValidator, WithJsonSchema, model_validator

from wifimgr.errors import ConfigError
from wifimgr.platforms.edits import KeysEdit
from wifimgr.platforms.keys import HINT, PublicKey
from wifimgr.push.variables import Fill
from wifimgr.yamlfile import KeyPath, Strict, fault


def _keys(value: Any) -> list[str]:
    """A key, or a list of keys; each may be a variable that is one or many."""
    lines = value if isinstance(value, list) else [value]
    if not lines or not all(isinstance(line, str) for line in lines):
        raise fault("is not a list of public keys", HINT)
    for line in lines:
        if "{{" not in line and not PublicKey.parse(line):
            raise fault("is not a public key", HINT)
    return lines


_SCHEMA = {"type": ["string", "array"], "minLength": 1, "items": {"type": "string", "minLength": 1}, "minItems": 1}
Keys = Annotated[Any, AfterValidator(_keys), WithJsonSchema(_SCHEMA)]


class KeysWish(Strict):
    """Which public keys may log in as root."""

    only: Keys = []
    """These, and nobody else."""
    present: Keys = []
    """These; others stay as they are."""
    absent: Keys = []
    """Not these; others stay as they are."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.only) == bool(self.present or self.absent):
            raise fault("needs either only, or present and absent", "keep one of both", "bad-wish")
        return self


def edits(wish: KeysWish | None, fill: Fill, where: Callable[[KeyPath], str]) -> Iterator[KeysEdit]:
    """One edit for the whole wish."""
    if wish is None:
        return
    filled = {
        name: tuple(line for item in getattr(wish, name) for line in _lines(fill(item, where((name,))), where((name,))))
        for name in ("only", "present", "absent")
    }
    yield KeysEdit(
        present=filled["only"] or filled["present"],
        absent=filled["absent"],
        only=bool(wish.only),
        where=where(("only",) if wish.only else ()),
    )


def _lines(value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    if isinstance(value, str):
        return (value,)
    raise ConfigError("bad-wish", "a public key is no secret", where=where, hint="write it as plain text")
