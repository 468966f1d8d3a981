"""The task ``command``, the last resort: shell commands that nobody can take back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from wifimgr.errors import ConfigError
from wifimgr.platforms.edits import CommandEdit
from wifimgr.push.variables import Fill, fits_shell, shell_code
from wifimgr.settings import Secret
from wifimgr.settings.values import Duration, Text
from wifimgr.yamlfile import KeyPath, Strict, fault

LONGEST_COMMAND = 600.0
"""Seconds."""


def _limit(value: float) -> float:
    if not 1 <= value <= LONGEST_COMMAND:
        raise fault("is no time that a command may take", "write 1s to 10m", "bad-wish")
    return value


def _code(value: str) -> str:
    if not value.strip() or "\0" in value:
        raise fault("is no command", "write what the router's shell shall do", "bad-wish")
    if not fits_shell(value):
        what = "has a variable in quotes or beside <<: it is put in as one word that is quoted already"
        raise fault(what, "write {{ name }} without quotes around it, and no here-document", "bad-wish")
    return value


Code = Annotated[str, AfterValidator(_code), WithJsonSchema({"type": "string", "minLength": 1})]


class CommandWish(Strict):
    """One wish: this is done, unless it is right already."""

    about: Text
    """One line: what it does. Stands in plans in place of the command."""
    unless: Code
    """A test for the router's shell, asked for every plan: when it ends well, nothing is done. May change nothing."""
    run: Code
    """What the router's shell does. There is no undo."""
    within: Annotated[Duration, AfterValidator(_limit)] = 60.0
    """How long it may take; then it is ended, and counts as failed."""


def edits(wishes: list[CommandWish], fill: Fill, where: Callable[[KeyPath], str]) -> Iterator[CommandEdit]:
    """An edit for each command."""
    for index, wish in enumerate(wishes):
        yield CommandEdit(
            run=_code_with(wish.run, fill, where((index, "run"))),
            unless=_code_with(wish.unless, fill, where((index, "unless"))),
            about=wish.about,
            within=wish.within,
            where=where((index,)),
        )


def _code_with(code: str, fill: Fill, where: str) -> str | Secret:
    text = shell_code(code, fill, where)
    if "\0" in (text.reveal() if isinstance(text, Secret) else text):
        raise ConfigError("bad-wish", "a command cannot hold a NUL byte", where=where, hint="use text")
    return text
