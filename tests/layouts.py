"""Data as YAML in a layout that somebody could have chosen: indentation, quotes, comments, braces, line ends.

What stands where is noted while it is written, so that a test can say which characters an edit may touch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from wifimgr.yamlfile import KeyPath

PLAIN = re.compile(r"(?!(?:true|false|null)$)[a-zäöüß][a-z0-9äöüß]*(?: [a-z0-9äöüß-]+)*", re.IGNORECASE)
"""Text that means itself everywhere, whatever YAML one speaks."""

LETTERS = "abzAZ09 äöüßé€😀 :#-?*&!|>'\"%@`{}[],\\/=~$()<>.;"
WORDS = st.one_of(
    st.sampled_from(["Hof", "Werkraum", "no", "12:30", "007", "1e3", "true", "~", "192.0.2.1", "fe80::1", "fe80::"]),
    st.text(LETTERS, max_size=12),
)
VALUES = st.one_of(
    WORDS,
    st.booleans(),
    st.integers(-(10**6), 10**6),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(WORDS, max_size=4),
    st.dictionaries(WORDS.filter(lambda word: word != "<<"), WORDS, max_size=3),
)
"""What an edit can write."""


@dataclass
class Layout:
    """A text, the data that stands in it, and what stands where."""

    data: Mapping[str, Any]
    newline: str = "\n"
    text: str = ""
    spans: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    """Where the value of a key stands that is written on one line."""
    in_braces: set[KeyPath] = field(default_factory=set)
    """Keys whose parent is written in braces."""
    comments: dict[str, KeyPath] = field(default_factory=dict)
    """A word that stands in one comment only, and the key that the comment belongs to; () for those of nobody."""


class Writer:
    """Writes data in a layout that is drawn."""

    def __init__(self, draw: st.DrawFn, data: Mapping[str, Any], newline: str) -> None:
        self.draw = draw
        self.to = Layout(data, newline)
        self.last: list[tuple[KeyPath, int]] = []
        """The entries that end where the text ends, with their columns: the innermost one last."""
        self.ends_in_block_scalar = False

    def maybe(self) -> bool:
        return self.draw(st.integers(0, 3)) == 0

    def out(self, text: str) -> None:
        self.to.text += text

    def end_line(self) -> None:
        self.out(self.to.newline)

    def comment(self, owner: KeyPath) -> None:
        word = f"c{len(self.to.comments)}c"
        self.to.comments[word] = owner
        self.out("#" + self.draw(st.sampled_from([" ", "", ": {", " - ", ' "', " #"])) + word)

    def comment_line(self, column: int, owner: KeyPath) -> None:
        self.out(" " * column)
        self.comment(owner)
        self.end_line()

    # ------------------------------------------------------------ values

    def quoted(self, text: str, *, safe: bool) -> str:
        forms = [json.dumps(text, ensure_ascii=False), "'" + text.replace("'", "''") + "'"]
        return self.draw(st.sampled_from([text, *forms] if safe and PLAIN.fullmatch(text) else forms))

    def word(self, value: Any) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        return self.quoted(value, safe=True) if isinstance(value, str) else repr(value)

    def braces(self, path: KeyPath, value: Any) -> None:
        """A value on one line; with every place of its parts."""
        start = len(self.to.text)
        space = self.draw(st.sampled_from(["", " "]))
        if isinstance(value, dict):
            self.out("{" + space)
            for number, (key, item) in enumerate(value.items()):
                self.to.in_braces.add((*path, key))
                self.out(", " if number else "")
                self.out(f"{self.quoted(key, safe=True)}: ")
                self.braces((*path, key), item)
            self.out(space + "}")
        elif isinstance(value, list):
            self.out("[" + space)
            self.out(f",{self.draw(st.sampled_from(['', ' ', '  ']))}".join(map(self.word, value)))
            self.out(space + "]")
        else:
            self.out(self.word(value))
        self.to.spans[path] = start, len(self.to.text)

    def entries(self, path: KeyPath, value: Mapping[str, Any], column: int) -> None:
        """A mapping as a block."""
        for number, (key, item) in enumerate(value.items()):
            here = (*path, key)
            if self.maybe():
                for _ in range(self.draw(st.integers(1, 2))):
                    self.end_line()
            if self.maybe() and (path or number):
                self.comment_line(column, here)
            self.out(" " * column + self.quoted(key, safe=True) + ":")
            self.last = [(here, column)]
            self.ends_in_block_scalar = False
            self.value(here, item, column)
            if self.maybe() and not self.ends_in_block_scalar:
                if self.maybe():
                    self.end_line()
                deeper = column + self.draw(st.integers(1, 7))
                self.last = [entry for entry in self.last if entry[1] < deeper]
                self.comment_line(deeper, self.last[-1][0])

    def value(self, path: KeyPath, value: Any, column: int) -> None:
        inner = column + self.draw(st.integers(1, 6))
        if isinstance(value, dict) and value and not self.maybe():
            self.end_of_key(path)
            self.entries(path, value, inner)
            self.last.insert(0, (path, column))
        elif isinstance(value, list) and value and self.maybe():
            self.end_of_key(path)
            margin = self.draw(st.sampled_from([column, inner]))
            for item in value:
                self.out(" " * margin + "- " + self.word(item))
                self.end_of_line(path)
        elif isinstance(value, str) and PLAIN.fullmatch(value) and self.maybe():
            self.out(self.draw(st.sampled_from([" |-", " >-"])) + self.to.newline + " " * inner + value)
            self.end_line()
            self.ends_in_block_scalar = True
        else:
            self.out(" ")
            self.braces(path, value)
            self.end_of_line(path)

    def end_of_key(self, path: KeyPath) -> None:
        """A comment after the key of a block is its own."""
        self.end_of_line(path)

    def end_of_line(self, path: KeyPath) -> None:
        if self.maybe():
            self.out(" " * self.draw(st.integers(1, 4)))
            self.comment(path)
        self.end_line()


@st.composite
def layouts(draw: st.DrawFn, data: st.SearchStrategy[dict[str, Any]]) -> Layout:
    """Data, as somebody could have written it."""
    writer = Writer(draw, draw(data), draw(st.sampled_from(["\n", "\n", "\r\n"])))
    for _ in range(draw(st.integers(0, 2))):
        writer.comment_line(0, ())
        writer.end_line()
    if writer.maybe():
        writer.out("---")
        writer.end_line()
    writer.entries((), writer.to.data, 0)
    if writer.maybe():
        writer.comment_line(0, ())
    to = writer.to
    if writer.maybe() and not writer.ends_in_block_scalar:
        to.text = to.text.removesuffix(to.newline)
    return to


# ---------------------------------------------------------------- what an edit should do to data


def paths(data: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every key there is."""
    for key, value in data.items() if isinstance(data, Mapping) else ():
        yield (*path, key)
        yield from paths(value, (*path, key))


def at(data: Any, path: KeyPath) -> Any:
    for part in path:
        data = data[part]
    return data


def with_value(data: Any, path: KeyPath, value: Any) -> Any:
    """Data with one value in place of another one, or as a new one."""
    return {**data, path[0]: with_value(data[path[0]], path[1:], value)} if len(path) > 1 else {**data, path[0]: value}


def without(data: Any, path: KeyPath) -> Any:
    if len(path) > 1:
        return {**data, path[0]: without(data[path[0]], path[1:])}
    return {key: value for key, value in data.items() if key != path[0]}


def same(one: Any, other: Any) -> bool:
    """Equal in values, types and order."""
    return repr(one) == repr(other)


def kept(before: str, after: str) -> int:
    """How many characters stay at the beginning and at the end."""
    first = in_common(before, after)
    return first + in_common(before[first:][::-1], after[first:][::-1])


def in_common(one: str, other: str) -> int:
    """How many characters are the same at the beginning."""
    return next(
        (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
