"""``{{ name }}``: puts variables into the values of a playbook. No logic, no defaults, no filters."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from wifimgr.errors import ConfigError, Problem, collecting, did_you_mean
from wifimgr.model import Value
from wifimgr.settings import Secret, SecretRef

_HOLE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_NAME = re.compile(r"[a-z_][a-z0-9_]*")

Filled = Value | Secret
"""What a value of a playbook becomes: what UCI can hold, or a secret."""
Fill = Callable[[Any, str], Filled]
"""Puts variables into a value at a place."""
Fetch = Callable[[SecretRef], Secret]
"""How a secret is had."""
Made = TypeVar("Made")


class Variables:
    """The variables of one router for one playbook. Secrets are fetched when they are used, not before."""

    def __init__(self, router: str, values: Mapping[str, Any], fetch: Fetch = SecretRef.resolve) -> None:
        self._router, self._values, self._fetch = router, values, fetch

    def fill(self, value: Any, where: str) -> Filled:
        """A value of a playbook with its variables put in, as text or texts; ``true`` becomes ``1``.

        ``where`` is the place of the value, for messages. A text with a secret in it is a secret as a whole.
        Raises ConfigError with everything that is wrong: ``missing-variable``, ``missing-secret``, ``bad-wish``.
        """
        if isinstance(value, list | tuple):
            return tuple(_all(lambda item: self._item(item, where), value))
        if not isinstance(value, str):
            return _scalar(value)
        whole = _HOLE.fullmatch(value)
        if whole:
            found = self._get(whole[1], where)
            return tuple(map(_scalar, found)) if isinstance(found, tuple) else found
        return self._text(value, where)

    def _text(self, value: str, where: str) -> str | Secret:
        names = list(dict.fromkeys(_HOLE.findall(value)))
        found = dict(zip(names, _all(lambda name: self._part(name, where), names), strict=True))
        shown = {name: part.reveal() if isinstance(part, Secret) else part for name, part in found.items()}
        text = _HOLE.sub(lambda hole: shown[hole[1]], value)
        return Secret(text) if any(isinstance(part, Secret) for part in found.values()) else text

    def _part(self, name: str, where: str) -> str | Secret:
        found = self._get(name, where)
        if isinstance(found, tuple):
            hint = "use it as the whole value"
            raise ConfigError("bad-wish", f"{{{{ {name} }}}} is a list", where=where, hint=hint)
        return found

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
            return self._fetch(value)
        return tuple(map(_scalar, value)) if isinstance(value, tuple | list) else _scalar(value)


def _all(make: Callable[[Any], Made], items: Iterable[Any]) -> list[Made]:
    """What is made of each item. Raises ConfigError with the problems of all of them."""
    made, problems = [], list[Problem]()
    for item in items:
        with collecting(problems):
            made.append(make(item))
    if problems:
        raise ConfigError.of(dict.fromkeys(problems))
    return made


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return f"{value:g}" if isinstance(value, float) else str(value)


def known_secrets(values: Mapping[str, Any]) -> set[str]:
    """The secrets among variables, as far as they can be had here."""
    found = set()
    for value in values.values():
        if isinstance(value, SecretRef):
            with suppress(ConfigError):
                found.add(value.resolve().reveal())
    return found


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


_SET_ASIDE = re.compile(r"""\\.|(?<!\S)#[^\n]*|('[^']*'|"(?:\\.|[^"\\])*")""", re.DOTALL)
"""What a shell does not take as it stands there: an escaped character, a comment, or (the group) a text in quotes."""
_TOUCHED = re.compile(r"""[\\'"]\{\{|\}\}['"]""")
"""A variable that a quote or a backslash touches, at whatever depth of the shell's quotes."""
_SHELL_NAME = "wifimgr_"


def fits_shell(code: str) -> bool:
    """Whether the variables in code for a shell stand where a shell takes a word, as far as a glance can tell: not in
    quotes, and not beside a here-document."""
    quoted, rest = "".join(_SET_ASIDE.findall(code)), _SET_ASIDE.sub("", code)
    return not _TOUCHED.search(code) and not _HOLE.search(quoted) and not (_HOLE.search(rest) and "<<" in rest)


def shell_code(code: str, fill: Fill, where: str) -> str | Secret:
    """Code for a shell with its variables put in, each as one word.

    They are set in front of it, quoted, and it only names them: so wherever they stand, what they hold is never read as
    code. Raises ConfigError as :meth:`Variables.fill` does, and ``bad-wish`` for a list.
    """
    used = list(dict.fromkeys(_HOLE.findall(code)))
    values = dict(zip(used, _all(lambda name: fill(f"{{{{ {name} }}}}", where), used), strict=True))
    if lists := [name for name, value in values.items() if isinstance(value, tuple)]:
        what = f"{{{{ {lists[0]} }}}} is a list, and a command takes words"
        raise ConfigError("bad-wish", what, where=where, hint="use text")
    shown = {name: value.reveal() if isinstance(value, Secret) else str(value) for name, value in values.items()}
    lines = [f"{_SHELL_NAME}{name}={shlex.quote(value)}" for name, value in shown.items()]
    text = "\n".join([*lines, _HOLE.sub(lambda hole: f'"${{{_SHELL_NAME}{hole[1]}}}"', code)])
    return Secret(text) if any(isinstance(value, Secret) for value in values.values()) else text
