"""A diff that can be shown to anybody: secrets masked, nothing in it that a terminal would obey."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

MASK = "***"
NEW_MASK = "*** (new)"
CONTEXT_LINES = 2
_INVISIBLE = re.compile(r"[^\t -~\u00a0-\u200a\u2010-\u2027\u202f-\u205f\u2070-\U0010ffff]")


def unified(path: str, before: str | None, after: str | None) -> tuple[str, ...]:
    """The lines of a unified diff of two texts that hold no secret any more; None: the file is not there."""
    lines = difflib.unified_diff(
        [] if before is None else before.splitlines(),
        [] if after is None else after.splitlines(),
        "not there" if before is None else f"/{path}",
        "removed" if after is None else f"/{path}",
        lineterm="",
        n=CONTEXT_LINES,
    )
    return tuple(visible(line) for line in lines)


def visible(line: str) -> str:
    """A line with every control, direction and undecodable character written out as ``\\x1b`` is."""
    return _INVISIBLE.sub(lambda match: match[0].encode("unicode_escape", "backslashreplace").decode(), line)


def without(text: str, secrets: Iterable[str]) -> str:
    """The text with every one of these secrets masked."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK) if secret else text
    return text
