"""Typed edits: what tasks ask for and platforms carry out. A platform refuses the kinds it cannot carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wifimgr.model import Value
from wifimgr.settings import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class UciEdit:
    """Some sections of one UCI package shall hold these options, or shall not be there.

    Which sections: the one called ``name``; else all of ``type`` (``each``); else the one whose options equal
    ``match``; else the only one of its type. One that should be there and is not is added, but never for ``each``.
    """

    package: str
    type: str
    name: str = ""
    each: bool = False
    match: Mapping[str, str] = field(default_factory=dict)
    set: Mapping[str, Value | Secret] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    absent: bool = False
    where: str = ""
    """``file:line`` of the wish, for messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEdit:
    """A file shall hold exactly this; None: it shall not be there. ``mode`` is octal; empty: as it is."""

    path: str
    content: str | Secret | None = field(repr=False)
    mode: str = ""
    where: str = ""


Edit = UciEdit | FileEdit
