"""What an importer is: it translates one foreign format into routers in our words, and decides nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal


def _empty() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One router as a file tells it, in our words. What the file does not tell is empty."""

    where: str
    """Where it stands, for people: ``nodes[17]``, ``line 12``, ``hosts.ap-1``."""
    name: str
    """As told, any text."""
    addresses: tuple[str, ...] = ()
    node_id: str = ""
    platform: str = ""
    role: str = ""
    model: str = ""
    room: str = ""
    position: tuple[float, float] | None = None
    site: str = ""
    """Name or slug of its place, where the format knows places."""
    district: str = ""
    tags: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    """Where its health can come from, as far as the format tells."""
    vars: Mapping[str, Any] = field(default_factory=_empty)
    contact: str = field(default="", repr=False)
    """Who runs it, as told; taken only when somebody asked for it."""


@dataclass(frozen=True, slots=True)
class Note:
    """What people must be told about one entry: what was changed to fit, or why it was left out."""

    where: str
    kind: Literal["changed", "skipped"]
    what: str


@dataclass(frozen=True, slots=True)
class Source:
    """What is imported: one file, or all files of a folder."""

    name: str
    """The file, folder or address, for messages."""
    files: Mapping[str, bytes] = field(repr=False)
    """Name (in a folder: relative to it) to content."""


@dataclass(frozen=True, slots=True)
class Options:
    """What somebody said about the format."""

    columns: Mapping[str, str] = field(default_factory=_empty)
    """Key of ours to the column of theirs; for CSV."""


Importer = Callable[[Source, Options], Iterator[Found | Note]]
"""Raises ConfigError ``bad-import`` when the whole is not of its format; one bad entry becomes a Note."""
