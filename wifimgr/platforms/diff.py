"""A diff that can be shown to anybody: secrets masked, nothing in it that a terminal would obey."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator

from wifimgr.model import Value

MASK = "***"
NEW_MASK = "*** (new)"
MASKED_OUT = "-***"
"""A line that goes and may be a secret."""
HEADS = 2
CONTEXT_LINES = 2
MOST_COMPARED = 1000
"""Lines between the first and the last that differ. Where there are more, nobody looks which of them are the same: on a
file that was made for it, that takes minutes."""
_FIRST_SIGN = 0xF0000  # private use: no font shows these, no language needs them
_SIGN = re.compile("\ue000[\U000f0000-\U000ffffd]\ue001")
_INVISIBLE = re.compile(
    r"[^\t -~\u00a0-\u061b\u061d-\u200a\u2010-\u2027\u202f-\u205f\u2070-\ud7ff"  # \ud800-\udfff: undecodable bytes
    r"\ue000-\ufefe\uff00-\ufff8\ufffc-\U000dffff\U000e1000-\U0010ffff]"
)


def unified(path: str, before: str | None, after: str | None) -> tuple[str, ...]:
    """The lines of a unified diff of two texts that hold no secret any more; None: the file is not there.

    The first :data:`HEADS` lines name the files, if there is any line. A line further down may look like them.
    """
    old, new = _lines(before), _lines(after)
    heads = "not there" if before is None else f"/{path}", "removed" if after is None else f"/{path}"
    start = _same(old, new)
    end = _same(old[start:][::-1], new[start:][::-1])
    if max(len(old), len(new)) - start - end > MOST_COMPARED:
        lines = _as_a_whole(heads, old, new, start, end)
    else:
        lines = difflib.unified_diff(old, new, *heads, lineterm="", n=CONTEXT_LINES)
    return tuple(visible(line) for line in lines)


def _same(old: list[str], new: list[str]) -> int:
    """How many lines are the same from the start on."""
    differ = (number for number, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1])
    return next(differ, min(len(old), len(new)))


def _as_a_whole(heads: tuple[str, str], old: list[str], new: list[str], start: int, end: int) -> Iterator[str]:
    """A unified diff that takes everything between the first and the last line that differ as one."""
    first, behind = max(0, start - CONTEXT_LINES), min(end, CONTEXT_LINES)
    gone, come = old[start : len(old) - end], new[start : len(new) - end]
    around = start - first + behind
    yield f"--- {heads[0]}"
    yield f"+++ {heads[1]}"
    yield f"@@ -{_range(first, len(gone) + around)} +{_range(first, len(come) + around)} @@"
    yield from (f" {line}" for line in old[first:start])
    yield from (f"-{line}" for line in gone)
    yield from (f"+{line}" for line in come)
    yield from (f" {line}" for line in old[len(old) - end :][:behind])


def _range(first: int, lines: int) -> str:
    return f"{first + (lines > 0)},{lines}"


def _lines(text: str | None) -> list[str]:
    """Lines that differ whenever the texts differ, also by their line ends."""
    if not text:
        return []
    *lines, last = text.split("\n")
    return [*lines, f"{last} (no line break at the end)"] if last else lines


def visible(line: str) -> str:
    """A line with every control, direction and undecodable character written out as ``\\x1b`` is."""
    return _INVISIBLE.sub(lambda match: match[0].encode("unicode_escape", "backslashreplace").decode(), line)


class Veil:
    """Takes the place of secrets while two texts are compared, so that two secrets differ and none can be read.

    ``before`` and ``after`` are the secrets of the two texts. One that is new is marked where it is shown.
    """

    def __init__(self, before: Iterable[Value], after: Iterable[Value]) -> None:
        old = dict.fromkeys(before)
        values = dict.fromkeys([*old, *after])
        self._signs = {value: _sign(number) for number, value in enumerate(values)}
        self._shown = {sign: MASK if value in old else NEW_MASK for value, sign in self._signs.items()}

    def sign(self, value: Value) -> str:
        """What stands for a secret in a text; the value itself where it is none."""
        return self._signs.get(value, value if isinstance(value, str) else MASK)

    def cover(self, secrets: Iterable[str]) -> Callable[[str], str]:
        """Covers these secrets in a text, wherever they stand, also inside of other values."""
        forms = {form: secret for secret in secrets for form in _quoted(secret) if form}
        if not forms:
            return lambda text: text
        for secret in forms.values():  # one that is only a part of other values
            sign = self._signs.setdefault(secret, _sign(len(self._signs)))
            self._shown.setdefault(sign, MASK)
        longest_first = sorted(forms, key=len, reverse=True)
        pattern = re.compile("|".join(map(re.escape, longest_first)))
        return lambda text: pattern.sub(lambda match: self._signs[forms[match[0]]], text)

    def lifted(self, lines: Iterable[str]) -> tuple[str, ...]:
        """Lines of a diff as people see them."""
        return tuple(_SIGN.sub(lambda match: self._shown.get(match[0], MASK), line) for line in lines)


def _sign(number: int) -> str:
    return f"\ue000{chr(_FIRST_SIGN + number)}\ue001"


def _quoted(secret: str) -> tuple[str, ...]:
    """The ways a secret stands in a UCI file: between single quotes, between double quotes, and as it is."""
    double = secret.replace("\\", "\\\\").replace('"', '\\"')
    return secret.replace("'", "'\\''"), double, secret
