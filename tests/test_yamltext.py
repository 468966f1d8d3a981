"""Edits of YAML as text: the data becomes exactly what was wanted, and every other byte stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.layouts import VALUES, WORDS, Layout, at, kept, layouts, paths, same, with_value, without
from wifimgr.errors import ConfigError
from wifimgr.yamlfile import KeyPath, read
from wifimgr.yamltext import YamlText, inline

KEYS = st.sampled_from(["a", "b", "room", "x y", "ä", "12", "no", "q:", "'", "#"])
LEAVES = VALUES.filter(lambda value: not isinstance(value, dict))


def mappings(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(KEYS, values, max_size=3)


DATA = st.dictionaries(KEYS, LEAVES | mappings(LEAVES | mappings(LEAVES)), min_size=1, max_size=4)
LAYOUTS = layouts(DATA)


def reread(text: YamlText) -> Any:
    """What the reader makes of the text, afresh."""
    assert same(read(Path(), "x.yaml", text.text).data, text.data)
    return text.data


def words_in(text: str, layout: Layout) -> set[str]:
    return {word for word in layout.comments if word in text}


def below(path: KeyPath, layout: Layout) -> set[str]:
    """The comments that belong to a key, or to what is in its value."""
    return {word for word, owner in layout.comments.items() if owner[: len(path)] == path}


@st.composite
def places(draw: st.DrawFn) -> tuple[Layout, KeyPath]:
    """A layout and one of its keys."""
    layout = draw(LAYOUTS)
    return layout, draw(st.sampled_from(list(paths(layout.data))))


def is_block(value: Any) -> bool:
    """Whether a mapping is written on more than one line."""
    return isinstance(value, dict) and (len(value) > 1 or any(isinstance(item, dict | list) for item in value.values()))


# ---------------------------------------------------------------- properties


@given(places(), VALUES)
def test_a_value_is_replaced_and_every_other_byte_stays(place: tuple[Layout, KeyPath], value: Any) -> None:
    layout, path = place
    text = YamlText(layout.text, "x.yaml")
    text.set(path, value)
    assert same(reread(text), with_value(layout.data, path, value))
    old = at(layout.data, path)
    if same(old, value):
        assert text.text == layout.text
    elif path in layout.spans and (path in layout.in_braces or not is_block(value)):
        start, end = layout.spans[path]
        written = inline(value, flow=path in layout.in_braces)
        assert text.text == layout.text[:start] + written + layout.text[end:]
    assert words_in(text.text, layout) >= layout.comments.keys() - below(path, layout)


@given(places(), VALUES)
def test_a_value_that_is_set_back_restores_every_byte(place: tuple[Layout, KeyPath], value: Any) -> None:
    layout, path = place
    old = at(layout.data, path)
    start, end = layout.spans.get(path, (0, 0))
    if layout.text[start:end] == inline(old, flow=path in layout.in_braces) and not (is_block(value) or is_block(old)):
        text = YamlText(layout.text, "x.yaml")
        text.set(path, value)
        text.set(path, old)
        assert text.text == layout.text


@given(places(), VALUES, st.booleans())
def test_a_new_key_comes_at_the_end_and_goes_without_a_trace(
    place: tuple[Layout, KeyPath], value: Any, at_top: bool
) -> None:
    layout, path = place
    way = () if at_top or not isinstance(at(layout.data, path), dict) else path
    text = YamlText(layout.text, "x.yaml")
    text.set((*way, "new"), value)
    assert same(reread(text), with_value(layout.data, (*way, "new"), value))
    was_empty = not at(layout.data, way)
    if not was_empty:
        assert kept(layout.text, text.text) >= len(layout.text)
    text.remove((*way, "new"))
    # With empty braces, it is open whose a comment is that stands below them.
    if not was_empty or (layout.text[slice(*layout.spans[way])] == "{}" and not below(way, layout)):
        assert text.text == layout.text


@given(places())
def test_a_key_goes_with_its_own_comments_and_no_other(place: tuple[Layout, KeyPath]) -> None:
    layout, path = place
    text = YamlText(layout.text, "x.yaml")
    text.remove(path)
    assert same(reread(text), without(layout.data, path))
    assert words_in(text.text, layout) == layout.comments.keys() - below(path, layout)
    if len(at(layout.data, path[:-1])) > 1:
        assert kept(layout.text, text.text) >= len(text.text)


@given(places(), WORDS.filter(lambda word: word != "<<"))
def test_a_key_gets_another_name(place: tuple[Layout, KeyPath], name: str) -> None:
    layout, path = place
    text = YamlText(layout.text, "x.yaml")
    if name in at(layout.data, path[:-1]) and name != path[-1]:
        with pytest.raises(ConfigError, match="already-there"):
            text.rename(path, name)
        assert text.text == layout.text
        return
    text.rename(path, name)
    entries = at(layout.data, path[:-1])
    renamed = {name if key == path[-1] else key: value for key, value in entries.items()}
    assert same(reread(text), with_value(layout.data, path[:-1], renamed) if path[1:] else renamed)
    assert words_in(text.text, layout) == layout.comments.keys()
    old_key_is_at_most = 2 + 2 * len(str(path[-1]))
    assert kept(layout.text, text.text) >= len(layout.text) - old_key_is_at_most


@given(places(), LAYOUTS, st.data())
def test_an_entry_moves_as_it_is_written(place: tuple[Layout, KeyPath], other: Layout, data: st.DataObject) -> None:
    layout, path = place
    source, target = YamlText(layout.text, "x.yaml"), YamlText(other.text, "y.yaml")
    if path in layout.in_braces:
        path = path[:1]
    block = source.cut(path)
    assert same(reread(source), without(layout.data, path))
    assert words_in(block, layout) == below(path, layout)
    source_lines = [line.strip() for line in layout.text.splitlines()]
    assert [line.strip() for line in block.splitlines() if line.strip() not in source_lines] == []

    ways = [(), *(key for key in paths(other.data) if takes_lines(other, key))]
    key = (*data.draw(st.sampled_from(ways)), path[-1])
    if key[-1] in at(other.data, key[:-1]):
        with pytest.raises(ConfigError, match="already-there"):
            target.paste(key, block)
        return
    target.paste(key, block)
    assert same(reread(target), with_value(other.data, key, at(layout.data, path)))
    assert words_in(target.text, layout) >= below(path, layout)
    if at(other.data, key[:-1]):
        assert kept(other.text, target.text) >= len(other.text)


def takes_lines(layout: Layout, path: KeyPath) -> bool:
    """Whether a mapping stands on lines of its own, or can: it is empty, and in no other's braces."""
    value = at(layout.data, path)
    return isinstance(value, dict) and (path not in layout.spans or not (value or path in layout.in_braces))


STRAYS = [*" \n\r\x85\u2028:#{}[]&*-?,'\"|>!%@x", "&a ", "*a", "- ", "? ", "\r\n", "...\n", "---\n"]


@given(places(), st.lists(st.tuples(st.integers(0, 400), st.sampled_from(STRAYS)), max_size=4), VALUES, st.data())
def test_whatever_is_written_an_edit_is_exact_or_refused(
    place: tuple[Layout, KeyPath], strays: list[tuple[int, str]], value: Any, data: st.DataObject
) -> None:
    written = place[0].text
    for position, stray in strays:
        written = written[:position] + stray + written[position:]
    try:
        text = YamlText(written, "x.yaml")
    except ConfigError:
        return
    before = text.data
    found = list(paths(before))
    path = data.draw(st.sampled_from(found)) if found else ("a",)
    edits = {
        "set": (lambda: text.set(path, value), lambda: with_value(before, path, value)),
        "add": (lambda: text.set((*path, "new"), value), lambda: with_value(before, (*path, "new"), value)),
        "remove": (lambda: text.remove(path), lambda: without(before, path)),
        "cut": (lambda: text.cut(path), lambda: without(before, path)),
    }
    edit, wanted = edits[data.draw(st.sampled_from(list(edits) if found else ["set"]))]
    try:
        edit()
    except ConfigError:
        assert text.text == written
        assert same(reread(text), before)
    else:
        assert same(reread(text), wanted())


# ---------------------------------------------------------------- examples

EXAMPLES: dict[str, tuple[str, Callable[[YamlText], object], str]] = {
    "a value, its comment stays": (
        "room: Hof   # draußen\n",
        lambda text: text.set(("room",), "Werkraum: 1. OG"),
        'room: "Werkraum: 1. OG"   # draußen\n',
    ),
    "a value of many lines": (
        "about: |-\n  one\n  two\n\n# next\nroom: Hof\n",
        lambda text: text.set(("about",), "three"),
        "about: three\n\n# next\nroom: Hof\n",
    ),
    "a value below its key": (
        "addresses:\n  [192.0.2.1,\n   192.0.2.2]  # two\n",
        lambda text: text.set(("addresses",), ["192.0.2.3"]),
        "addresses:\n  [192.0.2.3]  # two\n",
    ),
    "items of a list keep their lines": (
        "tags:  # some\n- indoor   # inside\n- mesh   # air\n# the last one\n- 'old'\n",
        lambda text: text.set(("tags",), ["indoor", "events", "old", "new: one"]),
        "tags:  # some\n- indoor   # inside\n- events   # air\n# the last one\n- 'old'\n- \"new: one\"\n",
    ),
    "items of a list go": (
        "tags:\n  - indoor\n  - mesh   # air\n  - old\nroom: Hof\n",
        lambda text: text.set(("tags",), ["old"]),
        "tags:\n  - old\nroom: Hof\n",
    ),
    "items come first": (
        "tags:\n  - old",
        lambda text: text.set(("tags",), ["indoor", "mesh", "old"]),
        "tags:\n  - indoor\n  - mesh\n  - old",
    ),
    "a list gets empty": ("tags:\n  - old\n", lambda text: text.set(("tags",), []), "tags: []\n"),
    "a block for a word": (
        "power: always  # lamp\nroom: Hof",
        lambda text: text.set(("power",), {"switched": "Mo-Su 06:00-24:00", "by": "city"}),
        "power:  # lamp\n  switched: Mo-Su 06:00-24:00\n  by: city\nroom: Hof",
    ),
    "a block for a block": (
        "room: Hof\r\nvars:  # ours\r\n    ssid: frei\r\n    # old\r\n    country: DE",
        lambda text: text.set(("vars",), {"ssid": "neu", "help": ["a"]}),
        "room: Hof\r\nvars:  # ours\r\n    ssid: neu\r\n    help: [a]",
    ),
    "a word for a block": (
        "vars:  # ours\n    ssid: frei\n    # old\nroom: Hof",
        lambda text: text.set(("vars",), "none"),
        "vars: none  # ours\nroom: Hof",
    ),
    "braces stay braces": (
        "vars: { ssid: frei }   # ours\n",
        lambda text: text.set(("vars",), {"ssid": "neu", "key": {"env": "NAME"}}),
        "vars: {ssid: neu, key: {env: NAME}}   # ours\n",
    ),
    "a key in braces": (
        "vars: { ssid: frei }   # ours\n",
        lambda text: text.set(("vars", "key"), {"env": "NAME"}),
        "vars: { ssid: frei, key: {env: NAME} }   # ours\n",
    ),
    "a key in braces of many lines": (
        "vars: {\n  ssid: frei,  # air\n}\n",
        lambda text: text.set(("vars", "country"), "DE"),
        "vars: {\n  ssid: frei, country: DE,  # air\n}\n",
    ),
    "a key goes from braces of many lines": (
        "vars: {\n  a: 1,  # A\n  # about b\n  b: 2,  # B\n  c: 3   # C\n}\n",
        lambda text: text.remove(("vars", "b")),
        "vars: {\n  a: 1,  # A\n  c: 3   # C\n}\n",
    ),
    "a key goes from braces that share lines": (
        "vars: {a: 1,  # A\n  b: 2, c: 3}\n",
        lambda text: text.remove(("vars", "b")),
        "vars: {a: 1,  # A\n  c: 3}\n",
    ),
    "the first key goes from braces that share lines": (
        "vars: {a: 1,  # A\n  b: 2}\n",
        lambda text: text.remove(("vars", "a")),
        "vars: {  # A\n  b: 2}\n",
    ),
    "the first block in empty braces": (
        "routers: {}  # none yet\n",
        lambda text: text.set(("routers", "gw"), {"role": "gateway", "addresses": ["192.0.2.1"]}),
        "routers:  # none yet\n  gw:\n    role: gateway\n    addresses: [192.0.2.1]\n",
    ),
    "the last one leaves empty braces": (
        "routers:  # one\n  gw:\n    role: gateway\n  # the yard\nname: Haus\n",
        lambda text: text.remove(("routers", "gw")),
        "routers: {}  # one\n  # the yard\nname: Haus\n",
    ),
    "one plain value in empty braces": (
        "gw: {ports: {}}\n",
        lambda text: text.set(("gw", "ports", "ssh"), 2222),
        "gw: {ports: {ssh: 2222}}\n",
    ),
    "mappings on the way": (
        "routers:\n   gw:\n      role: gateway\n",
        lambda text: text.set(("routers", "gw", "vars", "ssid"), "frei"),
        "routers:\n   gw:\n      role: gateway\n      vars: {ssid: frei}\n",
    ),
    "many mappings on the way, in the file's own steps": (
        "a:\n   b: 1\n",
        lambda text: text.set(("x", "y", "z"), ["v"]),
        "a:\n   b: 1\nx:\n   y:\n      z: [v]\n",
    ),
    "several at once": (
        "routers:\n  gw: {role: gateway}\n",
        lambda text: text.add(("routers",), {"ap": {"room": "Hof", "tags": []}, "old": {"lifecycle": "retired"}}),
        "routers:\n  gw: {role: gateway}\n  ap:\n    room: Hof\n    tags: []\n  old: {lifecycle: retired}\n",
    ),
    "a gap between entries is kept": (
        "routers:\n  a:\n    x: 1\n\n  b:\n    x: 2\n    # y: 2\n\n# the end\n",
        lambda text: text.set(("routers", "c"), {"x": 3, "y": 3}),
        "routers:\n  a:\n    x: 1\n\n  b:\n    x: 2\n    # y: 2\n\n  c:\n    x: 3\n    y: 3\n\n# the end\n",
    ),
    "a gap goes with its entry": (
        "a: 1\n\n# about b\nb: 2\n\nc: 3\n",
        lambda text: text.remove(("b",)),
        "a: 1\n\nc: 3\n",
    ),
    "a gap between groups stays": ("a: 1\n\nb: 2\nc: 3\n", lambda text: text.remove(("b",)), "a: 1\n\nc: 3\n"),
    "what stands above the first key is about the file": (
        "# yaml-language-server: $schema=x\na: 1\nb: 2\n",
        lambda text: text.remove(("a",)),
        "# yaml-language-server: $schema=x\nb: 2\n",
    ),
    "a file that holds nothing": ("# yet\n", lambda text: text.set(("a", "b"), 1), "# yet\na: {b: 1}\n"),
    "an empty file": ("", lambda text: text.set(("a",), True), "a: true\n"),
    "a file of empty braces": ("{}\n", lambda text: text.set(("a",), 1.5), "{a: 1.5}\n"),
    "nothing is left": ("a: 1\n", lambda text: text.remove(("a",)), ""),
    "before the end of the document": (
        "a: 1\n...\n# end\n",
        lambda text: text.set(("b",), 2),
        "a: 1\nb: 2\n...\n# end\n",
    ),
    "after a text that keeps its empty lines": (
        "a: |+\n  x\n\n# c\n",
        lambda text: text.set(("b",), 2),
        "a: |+\n  x\n\nb: 2\n# c\n",
    ),
    "a name in quotes": ("'a': 1\n", lambda text: text.rename(("a",), "b: c"), '"b: c": 1\n'),
    "below an item of a list": (
        "contact:\n  - name: Pforte\n    phone: '1'\n",
        lambda text: text.set(("contact", 0, "hours"), "24/7"),
        "contact:\n  - name: Pforte\n    phone: '1'\n    hours: 24/7\n",
    ),
    "an alias is no matter where it is not touched": (
        "a: &x {b: 1}\nc: *x\n",
        lambda text: text.set(("d",), 1),
        "a: &x {b: 1}\nc: *x\nd: 1\n",
    ),
    "a value of another type": ("a: 1\n", lambda text: text.set(("a",), True), "a: true\n"),
    "an entry with empty lines": (
        "a:\n    x: 1\n",
        lambda text: text.paste(("a", "b"), "# b\nb: |\n  one\n\n  two"),
        "a:\n    x: 1\n    # b\n    b: |\n      one\n\n      two\n",
    ),
    "the same value again": ("a: 'b'  # c\n", lambda text: text.set(("a",), "b"), "a: 'b'  # c\n"),
}


@pytest.mark.parametrize(("before", "edit", "after"), EXAMPLES.values(), ids=EXAMPLES)
def test_edit(before: str, edit: Callable[[YamlText], object], after: str) -> None:
    text = YamlText(before, "x.yaml")
    edit(text)
    assert text.text == after


REFUSED: dict[str, tuple[str, Callable[[YamlText], object], str]] = {
    "an anchor": ("a: &x {b: 1}\nc: *x\n", lambda text: text.set(("a", "b"), 2), "x.yaml:1: a.b: "),
    "an alias": ("a: &x 1\n\nc: *x\n", lambda text: text.set(("c",), 2), "x.yaml:3: c: "),
    "below an alias": ("a: &x\n  b: 1\nc: *x\n", lambda text: text.set(("c", "d"), 2), "x.yaml:3: c: "),
    "taking an anchor": ("a: &x 1\nc: *x\n", lambda text: text.remove(("a",)), "x.yaml:1: a: "),
    "an explicit key": ("? a\n: 1\n", lambda text: text.set(("b",), 2), "x.yaml:1: "),
    "below a word": ("a: 1\n", lambda text: text.set(("a", "b"), 2), "x.yaml:1: a"),
    "lines into braces": ("a: {b: 1}\n", lambda text: text.paste(("a", "c"), "# d\nc: 1\n"), "x.yaml:1: a"),
    "half a character": ("a: 1\n", lambda text: text.set(("b",), "\udce4"), ""),
    "a merge key": ("a: 1\n", lambda text: text.set(("<<",), 1), ""),
}


@pytest.mark.parametrize(("before", "edit", "where"), REFUSED.values(), ids=REFUSED)
def test_an_edit_that_would_change_more_is_refused(before: str, edit: Callable[[YamlText], object], where: str) -> None:
    text = YamlText(before, "x.yaml")
    with pytest.raises(ConfigError) as caught:
        edit(text)
    assert caught.value.id == "cannot-edit"
    assert caught.value.line().startswith(where)
    assert text.text == before
    assert same(reread(text), read(Path(), "x.yaml", before).data)


def test_what_is_not_there_cannot_be_taken() -> None:
    text = YamlText("a: 1\n", "x.yaml")
    for edit in (text.remove, text.cut, lambda key: text.rename(key, "c")):
        with pytest.raises(KeyError):
            edit(("b",))
    with pytest.raises(TypeError):
        text.set(("b",), None)
    with pytest.raises(ConfigError, match=r"x.yaml:1: a: is there already; .*\[already-there\]"):
        text.add((), {"b": 1, "a": 2})
    assert text.text == "a: 1\n"


def test_a_wrong_file_is_told_as_by_the_reader() -> None:
    with pytest.raises(ConfigError, match=r"x.yaml:2: a: this key stands twice"):
        YamlText("a: 1\na: 2\n", "x.yaml")


# ---------------------------------------------------------------- how text is written


@pytest.mark.parametrize(
    ("value", "line", "in_braces"),
    [
        ("Erdgeschoss, Offener Treff", "Erdgeschoss, Offener Treff", '"Erdgeschoss, Offener Treff"'),
        ("2001:db8::1", "2001:db8::1", "2001:db8::1"),
        ("fe80::", '"fe80::"', '"fe80::"'),
        ("no", "no", "no"),
        ("true", '"true"', '"true"'),
        ("0123", "0123", "0123"),
        ("12", '"12"', '"12"'),
        ("", '""', '""'),
        ("~", '"~"', '"~"'),
        ('Jugend\'s "Café"', 'Jugend\'s "Café"', 'Jugend\'s "Café"'),
        ('"Café"', "'\"Café\"'", "'\"Café\"'"),
        ("a # b", '"a # b"', '"a # b"'),
        ("a\nb\t\x1b[1m\u202e", '"a\\U0000000ab\\U00000009\\U0000001b[1m\\U0000202e"', None),
        ("👩‍👧 daheim", "👩‍👧 daheim", "👩‍👧 daheim"),
    ],
)
def test_text_has_quotes_only_where_the_reader_needs_them(value: str, line: str, in_braces: str | None) -> None:
    assert inline(value) == line
    assert inline(value, flow=True) == (in_braces or line)


@given(st.text() | VALUES, st.text())
def test_any_text_is_read_as_it_was_or_refused(value: Any, key: str) -> None:
    text = YamlText("", "x.yaml")
    if key == "<<" or any("\ud800" <= letter <= "\udfff" for letter in f"{key}{value}"):
        with pytest.raises(ConfigError, match="cannot-edit"):
            text.set((key,), value)
    else:
        text.set((key,), value)
        assert same(reread(text), {key: value})
