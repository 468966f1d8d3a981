"""``{{ name }}``: puts variables into the values of a playbook. No logic, no defaults, no filters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from wifimgr.errors import ConfigError, did_you_mean
from wifimgr.model import Value
from wifimgr.settings import Secret, SecretRef

_HOLE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_NAME = re.compile(r"[a-z_][a-z0-9_]*")

Filled = Value | Secret
"""What a value of a playbook becomes: what UCI can hold, or a secret."""


class Variables:
    """The variables of one router for one playbook. Secrets are fetched when they are used, not before."""

    def __init__(self, router: str, values: Mapping[str, Any]) -> None:
        self._router, self._values = router, values

    def fill(self, value: Any, where: str) -> Filled:
        """A value of a playbook with its variables put in, as text or texts; ``true`` becomes ``1``.

        ``where`` is the place of the value, for messages. A text with a secret in it is a secret as a whole.
        Raises ConfigError: ``missing-variable``, ``missing-secret``, ``bad-wish``.
        """
        if isinstance(value, list | tuple):
            return tuple(self._item(item, where) for item in value)
        if not isinstance(value, str):
            return _scalar(value)
        whole = _HOLE.fullmatch(value)
        if whole:
            found = self._get(whole[1], where)
            return tuple(map(_scalar, found)) if isinstance(found, tuple) else found
        return self._text(value, where)

    def _text(self, value: str, where: str) -> str | Secret:
        parts: list[str] = []
        secret, end = False, 0
        for hole in _HOLE.finditer(value):
            found = self._get(hole[1], where)
            if isinstance(found, tuple):
                hint = "use it as the whole value"
                raise ConfigError("bad-wish", f"{{{{ {hole[1]} }}}} is a list", where=where, hint=hint)
            secret = secret or isinstance(found, Secret)
            parts += value[end : hole.start()], found.reveal() if isinstance(found, Secret) else found
            end = hole.end()
        text = "".join([*parts, value[end:]])
        return Secret(text) if secret else text

    def _item(self, value: Any, where: str) -> str:
        filled = self.fill(value, where)
        if not isinstance(filled, str):
            hint = "use a list or a secret as the whole value"
            raise ConfigError("bad-wish", "a list holds something that is no plain text", where=where, hint=hint)
        return filled

    def _get(self, name: str, where: str) -> Filled:
        if not _NAME.fullmatch(name):
            hint = "write {{ name }} with small letters, digits and _; there is no logic in a playbook"
            raise ConfigError("missing-variable", f"'{name}' is no name of a variable", where=where, hint=hint)
        if name not in self._values:
            known = did_you_mean(name, self._values)
            hint = f"set it under vars: for the network, the site or the router; {known}"
            raise ConfigError("missing-variable", f"no variable '{name}'", where=where, key=self._router, hint=hint)
        value = self._values[name]
        if isinstance(value, SecretRef):
            return value.resolve()
        return tuple(map(_scalar, value)) if isinstance(value, tuple | list) else _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return f"{value:g}" if isinstance(value, float) else str(value)


def names(value: Any) -> Iterator[str]:
    """The variables that a value of a playbook uses."""
    if isinstance(value, str):
        yield from (hole[1] for hole in _HOLE.finditer(value))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from names(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from names(item)


Fill = Callable[[Any, str], Filled]
"""Puts variables into a value at a place."""
