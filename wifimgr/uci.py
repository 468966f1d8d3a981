"""UCI files (``/etc/config`` of OpenWrt): read, edit, and write back without touching anything else.

A document is a list of logical lines, each kept as the text it was read from; an edit replaces only the lines
of the option it is about. The grammar, with its oddities, is that of OpenWrt's ``uci`` in strict mode.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

Value = str | tuple[str, ...]
"""What an option holds: text, or a tuple where it is a list."""

_KINDS = {"p": "package", "c": "config", "o": "option", "l": "list"}
_SPACES = re.compile(r"[ \t\r\f\v]*")
_GAP = re.compile(r"[ \t]*")
_KEYWORD = re.compile(r"(p(?:ackage)?|c(?:onfig)?|o(?:ption)?|l(?:ist)?)(?:[ \t]|\Z)")
_PART = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(\r?\n|.|\Z)|([^ \t\r\n\f\v'"\\#;]+)""", re.S)
_ESCAPE = re.compile(r"\\(?:\r?\n|(.))", re.S)
_TAIL = re.compile(r"[ \t\r\f\v]*(?:#[^\n]*)?\n?")
_NAME = re.compile(r"[A-Za-z0-9_]+")
_PACKAGE = re.compile(r"[A-Za-z0-9_-]+")
_TYPE = re.compile(r"[!-~]+")
_BARE_TYPE = re.compile(r"[^'\"\\#;]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_REF = re.compile(r"@([!-~]*?)\[(-?[0-9]+)\]")
_KEYS = itertools.count()


class UciError(Exception):
    """A text is not a UCI file. ``line`` counts from 1; ``what`` quotes no value, which may be a secret."""

    def __init__(self, line: int, what: str) -> None:
        self.line, self.what = line, what
        super().__init__(f"line {line}: {what}")


@dataclass(frozen=True, slots=True)
class Section:
    """One section as it was when it was asked for; :class:`Document` still finds it after later edits."""

    type: str
    name: str | None
    options: Mapping[str, Value]
    ref: str
    """Its name, or ``@type[index]`` as ``uci show`` prints a section without a name."""
    key: int = field(repr=False, compare=False)
    places: tuple[int, ...] = field(repr=False, compare=False)
    """Indices of the lines that hold its statements."""


@dataclass(frozen=True, slots=True)
class _Statement:
    """``config TYPE [NAME]``, ``option NAME VALUE``, ``list NAME VALUE`` or ``package NAME``."""

    kind: str
    head: str
    value: str
    keyword_at: tuple[int, int]
    value_at: tuple[int, int]
    """Where the value stands in the line; an empty span just behind the head if there is none."""

    @property
    def effective(self) -> bool:
        """False for an option with an empty value, which uci reads and ignores."""
        return bool(self.value) or self.kind == "list"


@dataclass(frozen=True, slots=True)
class _Line:
    """A logical line: as many lines of text as quotes or backslashes hold together, and one comment."""

    text: str
    statements: tuple[_Statement, ...]
    comment: str

    @property
    def plain(self) -> bool:
        """Whether the line can be edited in place: one statement, and nothing behind it but a comment."""
        if len(self.statements) != 1 or self.text.endswith(("\\", "\\\r")):
            return False
        return _TAIL.fullmatch(self.text, self.statements[0].value_at[1]) is not None

    @property
    def indent(self) -> str:
        """What options beside this (plain) line begin with."""
        statement = self.statements[0]
        return "\t" if statement.kind == "config" else self.text[: statement.keyword_at[0]]

    def straightened(self) -> str:
        """The same statements, each on a line of its own."""
        text = "".join(_written(each.kind, each.head, each.value) for each in self.statements)
        return f"{text[:-1]} {self.comment}" if self.comment else text

    def edited(self, kind: str, value: str) -> str:
        """The text of this (plain) line with another value; untouched if it says so already."""
        statement = self.statements[0]
        if (statement.kind, statement.value) == (kind, value):
            return self.text
        (word, after), (start, end) = statement.keyword_at, statement.value_at
        keyword = self.text[word:after] if statement.kind == kind else kind
        gap = "" if start < end else " "
        return self.text[:word] + keyword + self.text[after:start] + gap + _quoted(value) + self.text[end:]


def _items(value: Value) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _written(kind: str, head: str, value: str, indent: str = "\t") -> str:
    """One statement the way uci writes it, with its newline."""
    if kind == "config":
        head = head if _BARE_TYPE.fullmatch(head) else _quoted(head)
        return f"config {head} {_quoted(value)}\n" if value else f"config {head}\n"
    return f"package {head}\n" if kind == "package" else f"{indent}{kind} {head} {_quoted(value)}\n"


class _Reader:
    """Cuts a text into logical lines."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.start = 0
        """Where the statement being read begins."""
        self.ended = False
        self.comment = ""

    def lines(self) -> Iterator[_Line]:
        while self.pos < len(self.text):
            behind = self.text.find("\n", self.pos) + 1
            line = _alone(self.text[self.pos : behind]) if behind else None
            if line:
                self.pos = behind
            yield line or self.line()

    def line(self) -> _Line:
        """Reads one logical line. Raises :class:`UciError`."""
        begin = self.pos
        self.ended, self.comment = False, ""
        self._skip(_SPACES)
        if self.text.startswith("\n", self.pos):
            self._finish(self.pos)
        statements = []
        while statement := self._statement(begin):
            statements.append(statement)
        return _Line(self.text[begin : self.pos], tuple(statements), self.comment)

    def _statement(self, line: int) -> _Statement | None:
        if not self.ended:
            self._skip(_GAP)
        if self.ended or self.pos == len(self.text):
            return None
        if self.text[self.pos] == "#":
            self._comment()
            return None
        self.start = self.pos
        keyword = _KEYWORD.match(self.text, self.pos)
        if keyword is None:
            raise self._error("expected package, config, option or list")
        self.pos = keyword.end()
        kind = _KINDS[keyword[1][0]]
        head, (_, behind) = self._word()
        value, at = ("", (behind, behind)) if kind == "package" else self._word()
        self._check(kind, head, value)
        if self._word()[0]:
            raise self._error("too many words")
        at = at if at[0] < at[1] else (behind, behind)
        return _Statement(kind, head, value, (self.start - line, keyword.end(1) - line), (at[0] - line, at[1] - line))

    def _check(self, kind: str, head: str, value: str) -> None:
        if not head:
            raise self._error(f"{kind} without a {'type' if kind == 'config' else 'name'}")
        allowed = {"config": _TYPE, "package": _PACKAGE}.get(kind, _NAME)
        if not allowed.fullmatch(head) or (kind == "config" and value and not _NAME.fullmatch(value)):
            raise self._error("a name or type with a forbidden character")

    def _word(self) -> tuple[str, tuple[int, int]]:
        """The next word, unquoted, and where it stands; empty at the end of the line and at a semicolon."""
        if self.ended:
            return "", (self.pos, self.pos)
        self._skip(_SPACES)
        start, word, bare = self.pos, "", True
        while part := _PART.match(self.text, self.pos):
            single, double, escaped, plain = part.groups()
            if double is not None:
                double = _ESCAPE.sub(lambda match: match[1] or "", double)
            elif escaped is not None and escaped.endswith("\n"):
                escaped = ""
            word += single or double or escaped or plain or ""
            bare = bare and plain is not None
            self.pos = part.end()
        end, stop = self.pos, self.text[self.pos : self.pos + 1]
        if stop in ("'", '"'):
            raise self._error("a quote is never closed")
        if stop in ("", "\n"):
            self._finish(end)
        elif stop == "#":
            self._comment()
        elif stop == ";" and start < end:
            # A semicolon right behind an unquoted word makes uci ignore the rest of the line.
            if bare:
                self._finish(self.text.find("\n", end))
        else:
            self.pos += 1
        return word, (start, end)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.pos)
        assert match is not None
        self.pos = match.end()

    def _comment(self) -> None:
        begin = self.pos
        self._finish(self.text.find("\n", begin))
        self.comment = self.text[begin : self.pos]

    def _finish(self, newline: int) -> None:
        """End the logical line behind the newline at this position (-1: at the end of the text)."""
        self.pos = len(self.text) if newline < 0 else min(newline + 1, len(self.text))
        self.ended = True

    def _error(self, what: str) -> UciError:
        return UciError(self.text.count("\n", 0, self.start) + 1, what)


@lru_cache(maxsize=1 << 14)
def _alone(text: str) -> _Line | None:
    """One line of text as a logical line; None unless it is one whatever follows.

    Routers of a network have most lines in common, and a file is read several times while a change is worked out.
    """
    try:
        line = _Reader(f"{text}#\n").line()
    except UciError:
        return None
    return line if line.text == text else None


@dataclass
class _Draft:
    """A section while the statements are gathered."""

    type: str
    name: str | None
    ref: str
    options: dict[str, Value] = field(default_factory=dict)
    places: list[int] = field(default_factory=list)

    def take(self, statement: _Statement) -> None:
        """Apply an ``option`` (the last one wins) or ``list`` (adds, also to an option before it)."""
        if statement.kind == "list":
            self.options[statement.head] = (*_items(self.options.get(statement.head, ())), statement.value)
        elif statement.effective:
            self.options[statement.head] = statement.value


def _gathered(lines: Sequence[_Line]) -> list[_Draft]:
    """The sections the statements make; sections of one name become one."""
    drafts: list[_Draft] = []
    names: dict[str, _Draft] = {}
    types: dict[str, int] = {}
    current: _Draft | None = None
    number = 1
    for place, line in enumerate(lines):
        for statement in line.statements:
            if statement.kind == "package":
                continue
            if statement.kind == "config":
                type, name = statement.head, statement.value
                current = names.get(name)
                if current is None:
                    index = types[type] = types.get(type, -1) + 1
                    current = _Draft(type, name or None, name or f"@{type}[{index}]")
                    drafts.append(current)
                    names.setdefault(name or _hidden_name(len(drafts), type), current)
                elif current.type != type:
                    raise UciError(number, f"section {name!r} stands in the file twice, with two types")
            elif current is None:
                raise UciError(number, f"{statement.kind} before the first section")
            else:
                current.take(statement)
            current.places.append(place)
        number += line.text.count("\n")
    return drafts


def _hidden_name(position: int, type: str) -> str:
    """The name uci itself gives to a section without one; a later section of that name is merged into it."""
    hashed = 5381
    for byte in type.encode():
        hashed = (hashed * 33 + byte) & 0xFFFF
    return f"cfg{position:02x}{hashed:04x}"


class Document:
    """A UCI file. Edits raise ValueError for what cannot be written, and then have changed nothing."""

    def __init__(self, lines: Iterable[_Line | str] = ()) -> None:
        self._lines: list[_Line] = []
        self._read = self._lines
        self._sections: tuple[Section, ...] = ()
        self._rebuild(lines)

    @classmethod
    def parse(cls, text: str) -> Document:
        """Read a file, decoded from UTF-8 with ``surrogateescape``. Raises :class:`UciError`."""
        if "\0" in text:
            raise UciError(text.count("\n", 0, text.index("\0")) + 1, "a NUL byte")
        known, document = _parsed(text), cls.__new__(cls)
        document._lines, document._sections = known._lines, known._sections
        document._read = known._lines
        return document

    @property
    def is_as_read(self) -> bool:
        """Whether nothing was edited."""
        return self._lines is self._read

    @property
    def sections(self) -> tuple[Section, ...]:
        """All sections in the order of the file."""
        return self._sections

    def section(self, ref: str) -> Section | None:
        """The section of this name, or at ``@type[index]`` (``@[index]``: of any type; -1: the last)."""
        match = _REF.fullmatch(ref)
        if match is None:
            return next((each for each in self._sections if each.name == ref), None)
        typed = [each for each in self._sections if match[1] in ("", each.type)]
        index = int(match[2])
        return typed[index] if -len(typed) <= index < len(typed) else None

    def set(self, section: Section | str, option: str, value: str | Sequence[str]) -> None:
        """Give an option a value, or make it a list; an empty value or list removes it, as in uci."""
        wanted: Value = value if isinstance(value, str) else tuple(value)
        _check(option, _items(wanted))
        found = self._find(section)
        if not wanted:
            self.unset(found, option)
        elif found.options.get(option) != wanted:
            kind = "option" if isinstance(wanted, str) else "list"
            self._write(self._straightened(found), option, kind, _items(wanted))

    def unset(self, section: Section | str, option: str) -> None:
        """Remove an option or list, with all its lines. Nothing happens if there is none."""
        _check(option)
        found = self._find(section)
        if option in found.options:
            found = self._straightened(found)
            self._replace(dict.fromkeys(self._places(found, option), ()))

    def add(self, type: str, name: str | None = None) -> Section:
        """Append an empty section. A name that exists already is refused."""
        if not (_TYPE.fullmatch(type) and _BARE_TYPE.fullmatch(type)):
            # uci reads such a type where it is quoted, but writes it without quotes, and so destroys the file
            raise ValueError(f"{type!r} cannot be the type of a section: only printable ASCII without ' \" \\ # ;")
        if name is not None and not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a section: only A-Z, a-z, 0-9 and _")
        if name is not None and any(name == each.name for each in self._sections):
            raise ValueError(f"there is a section {name!r} already")
        gap = ["\n"] if self._lines and self._lines[-1].text.strip() else []
        keys = [*self._keys(), next(_KEYS)]
        self._rebuild([*self._lines, *gap, _written("config", type, name or "")], keys)
        return self._sections[-1]

    def remove(self, section: Section | str) -> None:
        """Remove a section: its statements, what stands between them, and the blank lines behind it."""
        found = self._straightened(self._find(section))
        doomed = set(found.places)
        waiting: list[int] | None = None
        for place, line in enumerate(self._lines):
            if place in found.places:
                doomed.update(waiting or ())
                waiting = []
            elif line.statements:
                waiting = None
            elif waiting is not None:
                if place - 1 in doomed and not line.text.strip():
                    doomed.add(place)
                waiting.append(place)
        self._replace(dict.fromkeys(doomed, ()), [key for key in self._keys() if key != found.key])

    def render(self) -> str:
        """The text of the file; what was not edited is as it was read."""
        return "".join(line.text for line in self._lines)

    def shown(self, stand_in: Callable[[Section, str, Value], Value]) -> str:
        """The text with something else (never empty) in the place of values; the document itself stays as it is.

        The file is gone through a few times, however many values are replaced: :meth:`set` does that for each of them.
        """
        wanted: dict[int, dict[str, Value]] = {}
        for section in self._sections:
            others = {option: stand_in(section, option, value) for option, value in section.options.items()}
            if others != section.options:
                wanted[section.key] = others
        copy = Document()
        copy._lines, copy._sections = self._lines, self._sections
        places = {place for each in self._sections if each.key in wanted for place in each.places}
        crooked = {place: self._lines[place] for place in places}
        copy._replace({place: (line.straightened(),) for place, line in crooked.items() if not line.plain})
        texts: dict[int, Sequence[_Line | str]] = {}
        for section in copy._sections:
            if section.key in wanted:
                texts |= copy._replaced(section, wanted[section.key])
        copy._replace(texts)
        return copy.render()

    def _replaced(self, section: Section, others: Mapping[str, Value]) -> dict[int, Sequence[_Line | str]]:
        """The lines of a straightened section, by place, with other values for the options that it has."""
        by_option: dict[str, list[int]] = {}
        for place in section.places:
            statement = self._lines[place].statements[0]
            if statement.kind != "config" and section.options.get(statement.head) != others.get(statement.head):
                by_option.setdefault(statement.head, []).append(place)
        texts: dict[int, Sequence[_Line | str]] = {}
        for option, places in by_option.items():
            kind = "option" if isinstance(others[option], str) else "list"
            items = _items(others[option])
            keep = [place for place in places if self._lines[place].statements[0].effective]
            texts |= dict.fromkeys(places, ())  # lines that other lines overrule may hold what nobody shall see
            if len(keep) == len(items):
                pairs = zip(keep, items, strict=True)
                texts |= {place: [self._lines[place].edited(kind, item)] for place, item in pairs}
            else:
                first = self._lines[keep[0]]
                more = (_written(kind, option, item, first.indent) for item in items[1:])
                texts[keep[0]] = [first.edited(kind, items[0]), *more]
        return texts

    def export(self, package: str) -> str:
        """Exactly what ``uci export PACKAGE`` prints for this file."""
        parts = [f"package {package}\n"]
        for section in self._sections:
            name = f" {_quoted(section.name)}" if section.name else ""
            parts.append("\nconfig " + section.type.replace("'", "'\\''") + f"{name}\n")
            for option, value in section.options.items():
                kind = "option" if isinstance(value, str) else "list"
                parts.extend(_written(kind, option, item) for item in _items(value))
        return "".join(parts) + "\n"

    def _keys(self) -> list[int]:
        return [each.key for each in self._sections]

    def _find(self, section: Section | str) -> Section:
        if isinstance(section, str):
            found = self.section(section)
        else:
            found = next((each for each in self._sections if each.key == section.key), None)
        if found is None:
            ref = section if isinstance(section, str) else section.ref
            raise ValueError(f"there is no section {ref!r}")
        return found

    def _places(self, section: Section, option: str) -> list[int]:
        """The lines that are about an option of a straightened section."""
        statements = ((place, self._lines[place].statements[0]) for place in section.places)
        return [place for place, each in statements if each.kind != "config" and each.head == option]

    def _straightened(self, section: Section) -> Section:
        """Make sure that every line of the section is plain, so that an edit touches nothing else."""
        crooked = {place: self._lines[place] for place in section.places}
        self._replace({place: (line.straightened(),) for place, line in crooked.items() if not line.plain})
        return self._find(section)

    def _write(self, section: Section, option: str, kind: str, items: tuple[str, ...]) -> None:
        """Change the lines of an option as little as its new items allow; add them if it has none."""
        places = self._places(section, option)
        keep = [place for place in places if self._lines[place].statements[0].effective]
        if len(keep) != len(_items(section.options.get(option, ()))):
            keep = keep[:1]  # some lines overrule others: write them anew at the first one's place
        keep = keep or places[:1]
        indent = self._lines[(keep or section.places)[-1]].indent
        if not keep:
            last = self._lines[section.places[-1]]
            self._replace({section.places[-1]: [last, *(_written(kind, option, item, indent) for item in items)]})
            return
        texts: dict[int, list[_Line | str]] = {place: [] for place in places}
        before = [self._lines[place].statements[0].value for place in keep]
        for _, start, end, first, stop in difflib.SequenceMatcher(None, before, items, False).get_opcodes():
            for nth, item in enumerate(items[first:stop], start):
                place = keep[max(min(nth, end - 1), 0)]
                old = self._lines[place] if nth < end else None
                texts[place].append(old.edited(kind, item) if old else _written(kind, option, item, indent))
        self._replace(texts)

    def _replace(self, texts: Mapping[int, Sequence[_Line | str]], keys: list[int] | None = None) -> None:
        if texts:
            pieces = (texts.get(place, (line,)) for place, line in enumerate(self._lines))
            self._rebuild(itertools.chain.from_iterable(pieces), self._keys() if keys is None else keys)

    def _rebuild(self, pieces: Iterable[_Line | str], keys: list[int] | None = None) -> None:
        lines: list[_Line] = []
        for piece in pieces:
            if lines and not lines[-1].text.endswith("\n"):
                last = lines.pop()
                text = last.straightened() if last.statements and not last.plain else last.text
                lines.extend(_Reader(text.removesuffix("\n") + "\n").lines())
            lines.extend([piece] if isinstance(piece, _Line) else _Reader(piece).lines())
        drafts = _gathered(lines)
        keys = [next(_KEYS) for _ in drafts] if keys is None else keys
        known = {each.key: (each.type, each.name) for each in self._sections}
        found = dict(zip(keys, ((each.type, each.name) for each in drafts), strict=False))
        # The sections we know have to be the same ones still; `|` takes the right side where both have a key.
        if len(keys) != len(drafts) or found | known != known | found:
            raise ValueError("a section has a name that uci gives to sections without one; rename it first")
        self._lines = lines
        self._sections = tuple(
            Section(each.type, each.name, MappingProxyType(each.options), each.ref, key, tuple(each.places))
            for each, key in zip(drafts, keys, strict=True)
        )


@lru_cache(maxsize=1 << 10)
def _parsed(text: str) -> Document:
    """Never edited: the same file is read again and again while a change is planned, shown and made."""
    return Document([text])


def _check(option: str, values: Iterable[str] = ()) -> None:
    """Refuse what uci refuses. The message must not show the value: it may be a secret."""
    if not _NAME.fullmatch(option):
        raise ValueError(f"{option!r} cannot be the name of an option: only A-Z, a-z, 0-9 and _")
    for value in values:
        if _CONTROL.search(value):
            raise ValueError(f"the value of {option} has a control character other than tab and line break")
        try:
            value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise ValueError(f"the value of {option} has a character that UTF-8 cannot carry") from None
