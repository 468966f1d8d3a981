"""Edit a YAML file as text: only the characters that an edit is about change, every other byte stays.

The parser of the strict reader says where each key and value stands, and an edit puts a few pieces of text in the
place of others. What comes out is read again and compared with what was wanted: an edit that would change anything
else, as with aliases, is refused and changes nothing.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import yaml

from wifimgr.errors import INVISIBLE, ConfigError
from wifimgr.model import Origin
from wifimgr.yamlfile import KeyPath, built, compose, dotted, read

_BREAKS = "\n\r\x85\u2028\u2029"
_BREAK = re.compile(f"\r\n|[{_BREAKS}]")
"""What ends a line in YAML 1.1."""
_LAST_BREAK = re.compile(rf"(?:{_BREAK.pattern})\Z")
_EMPTY_LINES = re.compile(rf"(?:(?:{_BREAK.pattern}) *)+\Z")
_STEP = 2
"""Spaces by which a nested mapping is indented in a file that has none yet."""

_COMMA = re.compile(" *,?")
_NOTHING = re.compile(r"[ \t]*(#.*)?")

_Lines = Callable[[int], Sequence[str]]
"""_Lines to add, for a given indentation."""
_Change = Callable[[dict[str, Any]], dict[str, Any]]
"""What an edit does to the data of one mapping."""


class _Splice(NamedTuple):
    """A text for what stands from ``start`` to ``end``."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """A key and its value, in the mapping that they stand in."""

    parent: yaml.MappingNode
    index: int

    @property
    def name(self) -> yaml.Node:
        return self.parent.value[self.index][0]  # type: ignore[no-any-return]

    @property
    def value(self) -> yaml.Node:
        return self.parent.value[self.index][1]  # type: ignore[no-any-return]

    @property
    def last(self) -> yaml.Node:
        """The last thing that is written of it: an alias stands on the line of its key, its value elsewhere."""
        return self.name if self.value.start_mark.index < self.start else self.value

    @property
    def flow(self) -> bool:
        """Whether it stands in braces."""
        return bool(self.parent.flow_style)

    @property
    def start(self) -> int:
        return self.name.start_mark.index

    @property
    def column(self) -> int:
        return self.name.start_mark.column


class YamlText:
    """One YAML file as text that is edited in place: every byte that an edit is not about stays.

    Values are text, numbers, booleans, lists and mappings. A mapping is written as a block and what is inside of it
    on one line; a mapping of one plain value is written as ``{env: NAME}``. New keys come at the end of their mapping.
    An edit raises ConfigError ``cannot-edit`` where it would change more than it should; then nothing is changed.
    """

    def __init__(self, text: str, shown: str) -> None:
        """Raises ConfigError like :func:`wifimgr.yamlfile.read`. ``shown`` is the file as shown to people."""
        self._shown = shown
        self._take(text)

    def _take(self, text: str) -> None:
        root = compose(text, self._shown)
        self._document = built(root, Path(self._shown), self._shown)
        self._text = text
        self._root = root if isinstance(root, yaml.MappingNode) else None

    @property
    def text(self) -> str:
        """The whole text as it is now."""
        return self._text

    @property
    def data(self) -> Mapping[str, Any]:
        """What the strict reader makes of the text as it is now."""
        return self._document.data

    def origin(self, key: KeyPath) -> Origin:
        """Where a key stands now, or the nearest thing around it that is there."""
        return self._document.origin(key)

    # ------------------------------------------------------------ edits

    def set(self, key: KeyPath, value: Any) -> None:
        """Replace a value, or add the key at the end of its mapping; mappings on the way to it are made."""
        entry, value = self._entry(key), _plain(value)
        if entry is None:
            self.add(key[:-1], {str(key[-1]): value})
        elif not _same(value_at(self.data, key), value):
            self._edit(key, self._replaced(key, entry, value), lambda mapping: {**mapping, str(key[-1]): value})

    def add(self, key: KeyPath, entries: Mapping[str, Any]) -> None:
        """Add new keys at the end of a mapping, all at once. Raises ConfigError ``already-there``."""
        new = {name: _plain(value) for name, value in entries.items()}
        way = _existing(self.data, key)
        missing = tuple(map(str, key[len(way) :]))
        for name in new:
            self._refuse_twice((*key, name))
        lines = functools.partial(_lines, missing, new, step=self._step(self._node(way)))
        whole = functools.reduce(lambda inner, name: {name: inner}, reversed(missing), new)
        splices = self._appended(way, lines, lambda: inline(whole)[1:-1], short=_is_short(whole))
        self._edit((*key, ""), splices, lambda old: {**old, **new})

    def remove(self, key: KeyPath) -> None:
        """Take a key out, with its value and the comments that are its own. Raises KeyError when it is not there."""
        self._edit(key, self._removed(key), lambda old: {name: old[name] for name in old if name != key[-1]})

    def rename(self, key: KeyPath, name: str) -> None:
        """Give a key another name. Raises KeyError, and ConfigError ``already-there``."""
        entry = self._known(key)
        if name != key[-1]:
            self._refuse_twice((*key[:-1], name))
            splice = _Splice(entry.start, entry.name.end_mark.index, _key(name))
            self._edit(key, [splice], lambda old: {name if each == key[-1] else each: old[each] for each in old})

    def cut(self, key: KeyPath) -> str:
        """Take an entry out of its mapping and return its text as written, with its comments, not indented.

        Raises KeyError when it is not there.
        """
        entry = self._known(key)
        start, end = (entry.start, self._end(entry.value)) if entry.flow else self._whole_lines(entry)
        block = self._text[start:end]
        self.remove(key)
        dedented = re.sub(rf"(?m)^ {{1,{entry.column}}}", "", block) if entry.column else block
        return dedented if dedented[-1:] in _BREAKS else dedented + self._newline

    def paste(self, key: KeyPath, block: str) -> None:
        """Add a text from :meth:`cut` as an entry. Raises ConfigError ``already-there``."""
        self._refuse_twice(key)
        written = _BREAK.split(_LAST_BREAK.sub("", block))
        new = read(Path(self._shown), self._shown, "\n".join([*written, ""])).data
        assert list(new) == [key[-1]], "the text is not that entry"

        def lines(indent: int) -> list[str]:
            return [" " * indent + line if line else "" for line in written]

        in_braces = (lambda: written[0]) if len(written) == 1 else None
        self._edit(key, self._appended(key[:-1], lines, in_braces), lambda old: {**old, **new})

    # ------------------------------------------------------------ safety

    def _edit(self, key: KeyPath, splices: Iterable[_Splice], change: _Change) -> None:
        """Make an edit if it gives what is wanted: the mapping around ``key`` changed, and all else as it was."""
        wanted, before = _changed(self.data, key[:-1], change), self._text
        pieces, position = [], 0
        for start, end, text in sorted(splices):
            pieces += [before[position:start], text]
            position = end
        try:
            self._take("".join([*pieces, before[position:]]))
            right = _same(self.data, wanted)
        except ConfigError:
            right = False
        if not right:
            self._take(before)
            raise self._refusal(key)

    def _refusal(self, key: KeyPath) -> ConfigError:
        where, what = str(self.origin(key)), "is written in a way that no command can edit"
        return ConfigError("cannot-edit", what, where=where, key=dotted(key), hint="edit this file with an editor")

    def _refuse_twice(self, key: KeyPath) -> None:
        if value_at(self.data, key) is not None:
            where = str(self.origin(key))
            raise ConfigError(
                "already-there", "is there already", where=where, key=dotted(key), hint="take another name"
            )

    # ------------------------------------------------------------ where things stand

    def _entry(self, key: KeyPath) -> _Entry | None:
        """The entry of a key; None where it is not there. Raises ConfigError where the value is an alias."""
        node = self._node(key[:-1])
        index = _index(node, key[-1])
        if not isinstance(node, yaml.MappingNode) or index is None:
            return None
        entry = _Entry(node, index)
        if entry.last is entry.name:
            raise self._refusal(key)
        return entry

    def _node(self, key: KeyPath) -> yaml.Node | None:
        root: yaml.Node | None = self._root
        return functools.reduce(_child, key, root)

    def _known(self, key: KeyPath) -> _Entry:
        entry = self._entry(key)
        if entry is None:
            raise KeyError(dotted(key))
        return entry

    def _end(self, node: yaml.Node) -> int:
        """Where a value ends: a block with the last thing in it, without what comes after that on its line."""
        if isinstance(node, yaml.MappingNode) and not node.flow_style:
            return self._end(_Entry(node, len(node.value) - 1).last)
        if isinstance(node, yaml.SequenceNode) and not node.flow_style:
            return self._end(node.value[-1])
        start, end = node.start_mark.index, node.end_mark.index
        if getattr(node, "style", None) in ("|", ">"):  # the parser takes all empty lines after it for its own
            keeps = "+" in self._text[start : self._line_end(start)].partition("#")[0]
            end = start + len((_LAST_BREAK if keeps else _EMPTY_LINES).sub("", self._text[start:end]))
        return end

    def _line_start(self, position: int) -> int:
        return max(self._text.rfind(mark, 0, position) for mark in _BREAKS) + 1

    def _line_end(self, position: int) -> int:
        """Where the line after a position begins, or the text ends."""
        found = _BREAK.search(self._text, position)
        return found.end() if found else len(self._text)

    def _line(self, start: int) -> str:
        """The line that begins at a position, without its break."""
        return _BREAK.split(self._text[start : self._line_end(start)])[0]

    def _above(self, start: int) -> int:
        """Where the line above the one that begins at a position begins."""
        return self._line_start(start - (2 if self._text.startswith("\r\n", start - 2) else 1))

    def _whole_lines(self, entry: _Entry) -> tuple[int, int]:
        """The lines of an entry, with the comments right above it, and those below it that are indented deeper."""
        start, end = self._line_start(entry.start), self._line_end(self._end(entry.last))
        if self._text[start : entry.start].strip(" "):
            raise self._refusal((entry.name.value,))
        top = entry.parent is self._root and entry.index == 0  # what stands above it is about the file
        while start and not top and _comment_column(self._line(self._above(start))) == entry.column:
            start = self._above(start)
        below = end
        while below < len(self._text):
            line, below = self._line(below), self._line_end(below)
            if _comment_column(line) > entry.column:
                end = below
            elif line.strip(" "):
                break
        return start, end

    def _empty_above(self, start: int) -> int:
        """Where the empty lines begin that stand right above a line."""
        while start and not self._line(self._above(start)).strip(" "):
            start = self._above(start)
        return start

    def _step(self, parent: yaml.Node | None) -> int:
        """By how much a mapping is indented in its parent: as those beside it are, or the last one of the file."""
        steps: Iterator[int] = (
            value.value[0][0].start_mark.column - name.start_mark.column
            for mapping in (parent, self._root)
            if isinstance(mapping, yaml.MappingNode)
            for name, value in reversed(mapping.value)
            if _is_block(value) and isinstance(value, yaml.MappingNode)
        )
        return next(steps, _STEP)

    @property
    def _newline(self) -> str:
        """The line end of this file."""
        found = _BREAK.search(self._text)
        return found[0] if found else "\n"

    # ------------------------------------------------------------ how an edit is done

    def _at_line(self, start: int, lines: Sequence[str]) -> _Splice:
        """_Lines to put where a line begins. At the end of a file without a last break, it has none after that."""
        newline = self._newline
        if start == len(self._text) and start and self._text[-1] not in _BREAKS:
            return _Splice(start, start, "".join(newline + line for line in lines))
        return _Splice(start, start, "".join(line + newline for line in lines))

    def _without_lines(self, start: int, end: int) -> _Splice:
        """_Lines to take out. At the end of a file without a last break, it has none after that."""
        if end == len(self._text) and self._text[-1:] not in _BREAKS:
            start = len(_LAST_BREAK.sub("", self._text[:start]))
        return _Splice(start, end, "")

    def _appended(
        self, way: KeyPath, lines: _Lines, in_braces: Callable[[], str] | None, *, short: bool = False
    ) -> list[_Splice]:
        """Put something at the end of a mapping, as lines or in braces (None: it cannot stand there).

        ``short``: empty braces stay braces.
        """
        node, owner = self._node(way), self._entry(way) if way else None
        if node is None:
            return [self._at_line(len(self._text), lines(0))]
        if not isinstance(node, yaml.MappingNode):
            raise self._refusal(way)
        if not node.flow_style:
            last = _Entry(node, len(node.value) - 1)
            start, end = self._whole_lines(last)
            gap = _BREAK.findall(self._text[self._empty_above(start) : start]) if last.index else []
            return [self._at_line(end, [*("" for _ in gap), *lines(last.column)])]
        end = self._end(node)
        if not (node.value or short or owner is None or owner.flow):
            below = lines(owner.column + self._step(owner.parent))
            return [_Splice(self._after_colon(owner), end, ""), self._at_line(self._line_end(end), below)]
        if in_braces is None:
            raise self._refusal(way)
        if not node.value:
            return [_Splice(end - 1, end - 1, in_braces())]
        end = self._end(node.value[-1][1])
        return [_Splice(end, end, f", {in_braces()}")]

    def _after_colon(self, entry: _Entry) -> int:
        return self._text.index(":", entry.name.end_mark.index) + 1

    def _replaced(self, key: KeyPath, entry: _Entry, value: Any) -> list[_Splice]:
        """Put a value in the place of another one."""
        old, colon = entry.value, self._after_colon(entry)
        start, end = old.start_mark.index, self._end(old)
        stays_in_braces = isinstance(old, yaml.MappingNode) and old.flow_style and old.value
        below, after = self._line_end(entry.name.end_mark.index), self._line_end(end)
        if isinstance(value, list) and value and _has_lines_for_items(old):
            return self._replaced_items(old, value_at(self.data, key), value)
        if entry.flow or stays_in_braces or not _stands_as_block(value):
            if not _is_block(old):
                return [_Splice(start, end, inline(value, flow=entry.flow))]
            after = self._whole_lines(entry)[1]
            return [_Splice(colon, colon, f" {inline(value)}"), self._without_lines(below, after)]
        lines = _lines((), {entry.name.value: value}, entry.column, self._step(entry.parent))[1:]
        if not _is_block(old):
            return [_Splice(colon, end, ""), self._at_line(after, lines)]
        added, gone = self._at_line(below, lines), self._without_lines(below, self._whole_lines(entry)[1])
        return [_Splice(below, gone.end, added.text if gone.start == below else _LAST_BREAK.sub("", added.text))]

    def _replaced_items(self, old: yaml.SequenceNode, have: list[Any], want: list[Any]) -> list[_Splice]:
        """_Change a list that has a line for each item: those that stay keep their lines."""
        lines = [(self._line_start(item.start_mark.index), self._line_end(self._end(item))) for item in old.value]
        steps = difflib.SequenceMatcher(
            None, list(map(repr, have)), list(map(repr, want)), autojunk=False
        ).get_opcodes()
        splices = []
        for _, first, last, new, new_last in (step for step in steps if step[0] != "equal"):
            both = min(last - first, new_last - new)
            for item, value in zip(old.value[first : first + both], want[new:], strict=False):
                splices.append(_Splice(item.start_mark.index, self._end(item), inline(value)))
            splices += [self._without_lines(*line) for line in lines[first + both : last]]
            added = [f"{' ' * old.start_mark.column}- {inline(value)}" for value in want[new + both : new_last]]
            splices.append(self._at_line(lines[last - 1][1] if last else lines[0][0], added))
        return splices

    def _removed(self, key: KeyPath) -> list[_Splice]:
        """Take an entry out."""
        entry = self._known(key)
        if entry.flow:
            return [self._removed_in_braces(entry)]
        start, end = self._whole_lines(entry)
        is_last = entry.index == len(entry.parent.value) - 1
        if entry.index and (is_last or not self._line(end).strip(" ")):
            start = self._empty_above(start)
        owner = self._entry(key[:-1]) if len(key) > 1 else None
        if owner is None or len(entry.parent.value) > 1:
            return [self._without_lines(start, end)]
        colon = self._after_colon(owner)
        return [_Splice(colon, colon, " {}"), self._without_lines(start, end)]

    def _removed_in_braces(self, entry: _Entry) -> _Splice:
        """Take an entry with its comma: whole lines where it has them for itself, else never a comment."""
        others, start, end = entry.parent.value, entry.start, self._end(entry.value)
        first, comma = self._line_start(start), _COMMA.match(self._text, end)
        assert comma
        if not self._text[first:start].strip(" ") and _NOTHING.fullmatch(self._line(comma.end())):
            return _Splice(*self._whole_lines(entry), "")
        before = self._end(others[entry.index - 1][1]) if entry.index else start
        after = others[entry.index + 1][0].start_mark.index if entry.index + 1 < len(others) else comma.end()
        if entry.index and "#" not in self._text[before:start]:
            return _Splice(before, end, "")
        return _Splice(start, after if "#" not in self._text[end:after] else comma.end(), "")


# ---------------------------------------------------------------- nodes and data


def _index(node: Any, name: str | int) -> int | None:
    """Which entry of a mapping has this name."""
    entries = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((index for index, (key, _) in enumerate(entries) if key.value == name), None)


def _child(node: Any, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part]  # type: ignore[no-any-return]
    index = _index(node, part)
    return None if index is None else node.value[index][1]


def _comment_column(line: str) -> int:
    """How far a comment that has its line for itself is indented; -1: the line is none."""
    indented = line.lstrip(" ")
    return len(line) - len(indented) if indented.startswith("#") else -1


def _is_block(node: yaml.Node) -> bool:
    """Whether it is a mapping or list that stands on lines of its own."""
    return isinstance(node, yaml.CollectionNode) and not node.flow_style


def value_at(data: Any, key: KeyPath) -> Any:
    """What stands at a key; None where nothing does."""
    for part in key:
        if isinstance(data, Mapping):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return None
    return data


def _existing(data: Any, key: KeyPath) -> KeyPath:
    """As much of a key as is there."""
    return next(key[:length] for length in range(len(key), -1, -1) if value_at(data, key[:length]) is not None)


def _changed(data: Any, key: KeyPath, change: _Change) -> Any:
    """Data with one mapping in it changed, and those on the way to it made."""
    if not key:
        return change(data)
    first, *rest = key
    if isinstance(data, list):
        return [_changed(item, tuple(rest), change) if index == first else item for index, item in enumerate(data)]
    return {**data, first: _changed(data.get(first, {}), tuple(rest), change)}


def _same(one: Any, other: Any) -> bool:
    """Whether data is equal, with the order of keys and with the types of values: 1 is not true."""
    return repr(one) == repr(other)


def _plain(value: Any) -> Any:
    """A value as the reader would give it. Raises TypeError for what no file can hold."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | int | float):
        return value
    raise TypeError(f"a {type(value).__name__} cannot be written")


# ---------------------------------------------------------------- how things are written


def _is_short(value: Any) -> bool:
    """Whether a mapping holds one plain value only, so that it stands on one line."""
    return (
        isinstance(value, dict) and len(value) < 2 and not any(isinstance(item, dict | list) for item in value.values())
    )


def _has_lines_for_items(node: yaml.Node) -> TypeGuard[yaml.SequenceNode]:
    """Whether it is a list of plain values that has a line for each."""
    return _is_block(node) and all(isinstance(item, yaml.ScalarNode) for item in node.value)


def _stands_as_block(value: Any) -> bool:
    return isinstance(value, dict) and not _is_short(value)


def _lines(missing: Sequence[str], entries: Mapping[str, Any], indent: int, step: int) -> list[str]:
    """Entries as lines of a block, below mappings that have to be made for them."""
    margin = " " * indent
    if missing:
        first, *rest = missing
        if not rest and _is_short(entries):
            return [f"{margin}{_key(first)}: {inline(entries)}"]
        return [f"{margin}{_key(first)}:", *_lines(rest, entries, indent + step, step)]
    lines = []
    for name, value in entries.items():
        if _stands_as_block(value):
            inner = (f"{margin}{' ' * step}{_key(key)}: {inline(item)}" for key, item in value.items())
            lines += [f"{margin}{_key(name)}:", *inner]
        else:
            lines.append(f"{margin}{_key(name)}: {inline(value)}")
    return lines


def inline(value: Any, flow: bool = False) -> str:
    """A value on one line; with ``flow`` as it may stand between braces or brackets."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_key(name)}: {inline(item, flow=True)}' for name, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(inline(item, flow=True) for item in value)}]"
    if isinstance(value, str):
        return _quoted(value, "inside" if flow else "value")
    return repr(value).lower() if isinstance(value, bool) else repr(value)


def _key(name: str) -> str:
    """A key, as it may stand on a line and between braces."""
    return _quoted(name, "key")


_TRIALS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "value": ("k: {}", lambda text: {"k": text}),
    "inside": ("k: [{0}, {{k: {0}}}]", lambda text: {"k": [text, {"k": text}]}),
    "key": ("{0}: {{{0}: k}}", lambda text: {text: {text: "k"}}),
}
"""Where text can stand, and what the reader must make of it there."""


@functools.lru_cache(maxsize=1 << 12)
def _quoted(text: str, place: str) -> str:
    """Text with as few quotes as the reader needs. Raises ConfigError ``cannot-edit`` for what no file can hold."""
    template, wanted = _TRIALS[place]
    candidates = [] if INVISIBLE.search(text) else [text]
    if '"' in text or "\\" in text:
        candidates.append("'" + text.replace("'", "''") + "'")
    candidates.append('"' + "".join(map(_escaped, text)) + '"')
    for candidate in candidates:
        try:
            if read(Path(), "", template.format(candidate)).data == wanted(text):
                return candidate
        except (ConfigError, UnicodeEncodeError):
            continue
    hint = "write it with other characters"
    raise ConfigError("cannot-edit", "a text holds what no file can hold", hint=hint)


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"
