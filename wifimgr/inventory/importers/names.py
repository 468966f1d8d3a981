"""Names: from any text to names of routers and places that are valid, and different from each other."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from itertools import takewhile

from wifimgr.errors import INVISIBLE

LONGEST = 63
"""Characters of a router's name."""
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_SHOWN = 60
"""Characters of a foreign text that a message shows."""


def one_line(text: str) -> str:
    """A text of one visible line that can be written as UTF-8."""
    text = text.encode("utf-8", "replace").decode()
    return unicodedata.normalize("NFC", " ".join(INVISIBLE.sub(" ", text).split()))


def short(text: str) -> str:
    """The text as a message shows it."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def router_name(text: str) -> str:
    """The nearest name that a router may have: ``Bücherei Süd 1`` is ``buecherei-sued-1``. Empty: nothing is left."""
    german = unicodedata.normalize("NFC", text).lower().translate(_GERMAN)
    plain = unicodedata.normalize("NFKD", german).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9.]+", "-", plain).strip("-.")[:LONGEST].rstrip("-.")


def slug(text: str) -> str:
    """The nearest slug that a place may have. Empty: nothing is left."""
    return re.sub(r"[.-]+", "-", router_name(text))


def words(text: str) -> list[tuple[str, int]]:
    """The words of a name as they stand in a slug, each with where it ends in the text."""
    found = [(router_name(match[0]), match.end()) for match in re.finditer(r"[^\W_]+", text)]
    return [(word, end) for word, end in found if word]


def start(texts: Sequence[str]) -> str:
    """What all texts start with, in whole words and as the first one writes it."""
    first, *others = map(words, texts)
    each = zip(first, *others, strict=False)
    same = list(takewhile(lambda column: len({word for word, _ in column}) == 1, each))
    return texts[0][: same[-1][0][1]] if same else ""


class Unique:
    """Names that are all different: the second ``ap`` becomes ``ap-2``."""

    def __init__(self, taken: Collection[str]) -> None:
        self._taken = set(taken)
        self._last: dict[str, int] = {}

    def take(self, *wanted: str) -> str:
        """The first of the wanted names that is free, else the last of them with a number."""
        name = next((name for name in wanted if name not in self._taken), "")
        if not name:
            base, number = wanted[-1], self._last.get(wanted[-1], 1)
            while not name or name in self._taken:
                number += 1
                name = f"{base[: LONGEST - 1 - len(str(number))].rstrip('-.')}-{number}"
            self._last[base] = number
        self._taken.add(name)
        return name
