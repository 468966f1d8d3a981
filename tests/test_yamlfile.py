"""The strict reader: what it takes, what it refuses, and the whole message each time."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, PlainValidator

from wifimgr import yamlfile
from wifimgr.errors import ConfigError
from wifimgr.model import Origin
from wifimgr.yamlfile import Document, Gaps, KeyPath, Strict, fault, read, salvage, scan, validate


def document(folder: Path, text: str | bytes) -> Document:
    path = folder / "file.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read(path, "file.yaml")


def refused(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        document(folder, text)
    return caught.value.lines()


def told(read_something: Callable[[], object]) -> list[str]:
    """The lines of the error, or none when there was none."""
    try:
        read_something()
    except ConfigError as error:
        return error.lines()
    return []


# --- reading ---


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("y", "y"),
        ("12:30", "12:30"),
        ("12:30:45", "12:30:45"),
        ("0644", "0644"),
        ("0203", "0203"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        (".nan", ".nan"),
        (".inf", ".inf"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("=", "="),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("0", 0),
        ("-12", -12),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("'12'", "12"),
        ('"true"', "true"),
        ('"\\e[31m"', "\x1b[31m"),
        ("Meiderich", "Meiderich"),
    ],
)
def test_a_plain_value_means_what_it_looks_like(tmp_path: Path, written: str, value: object) -> None:
    read_value = document(tmp_path, f"key: {written}\n").data["key"]
    assert (read_value, type(read_value)) == (value, type(value))


def test_both_loaders_of_pyyaml_read_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: no\nb: {c: [1, 012, 1.5, 'x', *anchor]}\n".replace("1,", "&anchor 1,")
    fast = document(tmp_path, text)

    class Slow(yaml.SafeLoader):
        resolve = yamlfile._Loader.resolve

    monkeypatch.setattr(yamlfile, "_Loader", Slow)
    assert document(tmp_path, text) == fast


def test_keys_are_always_text(tmp_path: Path) -> None:
    assert document(tmp_path, "no: 1\n12: 2\nnull: 3\n").data == {"no": 1, "12": 2, "null": 3}


def test_every_key_knows_its_line(tmp_path: Path) -> None:
    read_document = document(tmp_path, "a: 1\nb:\n  c:\n    - x\n    - y: 2\n")
    lines = {(): 1, ("a",): 1, ("b",): 2, ("b", "c"): 3, ("b", "c", 0): 4, ("b", "c", 1, "y"): 5}
    assert {key: read_document.line(key) for key in lines} == lines


def test_a_missing_key_has_the_line_of_what_is_around_it(tmp_path: Path) -> None:
    read_document = document(tmp_path, "a: 1\nb:\n  c: 1\n")
    assert read_document.origin(("b", "nothing", "deeper")) == Origin("file.yaml", 2)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    assert document(tmp_path, b"\xef\xbb\xbfname: x\n").data == {"name": "x"}


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "---\n"])
def test_an_empty_file_is_an_empty_mapping(tmp_path: Path, text: str) -> None:
    assert document(tmp_path, text).data == {}


def test_aliases_are_allowed(tmp_path: Path) -> None:
    assert document(tmp_path, "a: &x [1]\nb: *x\n").data == {"a": [1], "b": [1]}


# --- what is refused while reading ---

REFUSED: dict[str, tuple[str | bytes, list[str]]] = {
    "duplicate key": (
        "a: 1\nb: {c: 1,\n  c: 2}\na: 3\n",
        [
            "file.yaml:3: b.c: this key stands twice; the first one is in line 2; keep one [duplicate-key]",
            "file.yaml:4: a: this key stands twice; the first one is in line 1; keep one [duplicate-key]",
        ],
    ),
    "empty value": (
        "a:\nb: 1\n",
        ["file.yaml:1: a: has no value; write a value or take the key out [wrong-type]"],
    ),
    "not a mapping": ("- a\n", ["file.yaml:1: must be a mapping; write key: value [wrong-type]"]),
    "tab": (
        "a:\n\tb: 1\n",
        [
            "file.yaml:2: found character that cannot start any token; "
            "indent with spaces, no tabs; quote text with @ or % [bad-yaml]"
        ],
    ),
    "colon": (
        "a: b: c\n",
        [
            "file.yaml:1: mapping values are not allowed in this context; "
            'quote text that holds ": "; indent equal keys equally [bad-yaml]'
        ],
    ),
    "something that no hint is known for": (
        "name: [\n",
        [
            "file.yaml:1: did not find expected node content; look for a quote, bracket or colon that is missing or "
            "too much, here or in the line above [bad-yaml]"
        ],
    ),
    "open quote": ("a: 'b\n", ["file.yaml:1: found unexpected end of stream; close the quote [bad-yaml]"]),
    "two documents": (
        "a: 1\n---\nb: 2\n",
        ["file.yaml:2: but found another document; keep one document in a file: take out the line --- [bad-yaml]"],
    ),
    "unknown alias": (
        "a: *b\n",
        ["file.yaml:1: found undefined alias; quote text that starts with * [bad-yaml]"],
    ),
    "control character": (
        "a: 1\nb: \x07\n",
        ["file.yaml:2: control characters are not allowed; take the invisible character out [bad-yaml]"],
    ),
    "merge key": (
        "a: &x {b: 1}\nc:\n  <<: *x\n",
        ["file.yaml:3: c.<<: merge keys are not allowed; write the values out [bad-yaml]"],
    ),
    "tag on text": (
        "a: !secret b\n",
        ["file.yaml:1: a: a tag (!) is not allowed here; take the tag out [bad-yaml]"],
    ),
    "tag that builds an object": (
        "a: !!python/object/apply:os.system [id]\n",
        ["file.yaml:1: a: a tag (!) is not allowed here; take the tag out [bad-yaml]"],
    ),
    "braces without quotes": (
        "a: {{ ssid }}\n",
        ['file.yaml:1: a: a key must be a word; quote text with "{{ }}" or brackets [bad-yaml]'],
    ),
    "endless number": (
        f"a: {'9' * 5000}\n",
        ["file.yaml:1: a: is a number out of all bounds; put text in quotes [bad-yaml]"],
    ),
    "infinite number": (
        "a: 1e999\n",
        ["file.yaml:1: a: is a number out of all bounds; put text in quotes [bad-yaml]"],
    ),
    "not UTF-8": (b"a: 1\nb: \xfc\n", ["file.yaml:2: is not UTF-8; save it as UTF-8 [bad-yaml]"]),
    "UTF-16": ("a: 1\n".encode("utf-16"), ["file.yaml:1: is not UTF-8; save it as UTF-8 [bad-yaml]"]),
    "deep nesting": (
        "a: " + "[" * 50 + "]" * 50,
        ["file.yaml:1: holds more than 200000 values or 40 levels; do not repeat aliases inside aliases [bad-yaml]"],
    ),
    "nesting that would overflow the stack of a C library": (
        "a: " + "[" * 200_000,
        ["file.yaml:1: is nested deeper than 40 levels; close the brackets that were opened [bad-yaml]"],
    ),
    "alias of itself": (
        "a: &a [*a]\n",
        ["file.yaml:1: holds more than 200000 values or 40 levels; do not repeat aliases inside aliases [bad-yaml]"],
    ),
    "alias bomb": (
        "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)),
        ["file.yaml:1: holds more than 200000 values or 40 levels; do not repeat aliases inside aliases [bad-yaml]"],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_reading_refuses(tmp_path: Path, case: str) -> None:
    text, lines = REFUSED[case]
    assert refused(tmp_path, text) == lines


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path / "gone.yaml", "gone.yaml")
    assert caught.value.lines() == ["gone.yaml: cannot be read: no such file or directory [unreadable-file]"]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, "folder.yaml")
    assert caught.value.lines() == ["folder.yaml: cannot be read: is a directory [unreadable-file]"]


@given(st.binary(max_size=200) | st.text("ab:{}[]-&*!<\"'#|>\n \t~1.é\x00").map(str.encode))
def test_any_bytes_are_read_or_refused_with_a_line(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    for line in told(lambda: document(tmp_path_factory.mktemp("any"), raw)):
        assert line.startswith("file.yaml:")
        assert "\n" not in line


# --- validating ---


class Inner(Strict):
    room: str | None = None
    floor: int = 0


class Outer(Strict):
    name: str
    open: bool = False
    share: float = 0.0
    kind: Literal["house", "square"] = "house"
    tags: list[str] = Field(default_factory=list)
    inner: dict[str, Inner] = Field(default_factory=dict)
    maybe: Annotated[Inner | None, "note"] = None
    rooms: list[Inner] = Field(default_factory=list)
    any: list[Annotated[dict[str, Any], "note"]] = Field(default_factory=list)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        validate(document(folder, text), Outer)
    return caught.value.lines()


def test_what_is_right_becomes_an_instance(tmp_path: Path) -> None:
    found = validate(document(tmp_path, "name: x\nshare: 1\ninner: {a: {floor: 2}}\n"), Outer)
    assert found == Outer(name="x", share=1.0, inner={"a": Inner(floor=2)})


INVALID = {
    "unknown key with a close one": (
        "name: x\nopne: true\n",
        ["file.yaml:2: opne: unknown key; did you mean open? [unknown-key]"],
    ),
    "unknown key without a close one": (
        "name: x\ninner:\n  a:\n    zzz: 1\n",
        ["file.yaml:4: inner.a.zzz: unknown key; known here: floor, room [unknown-key]"],
    ),
    "unknown key behind a model that may be missing": (
        "name: x\nmaybe: {flor: 1}\n",
        ["file.yaml:2: maybe.flor: unknown key; did you mean floor? [unknown-key]"],
    ),
    "missing key": ("open: true\n", ["file.yaml:1: name: this key is missing; add it [missing-key]"]),
    "number for text": (
        "name: 12345\n",
        ["file.yaml:1: name: must be text, not a number; put it in quotes [wrong-type]"],
    ),
    "list for text": (
        "name: [a]\n",
        ["file.yaml:1: name: must be text, not a list; put it in quotes [wrong-type]"],
    ),
    "no for false": (
        "name: x\nopen: no\n",
        ["file.yaml:2: open: must be true or false, not text; write true or false, without quotes [wrong-type]"],
    ),
    "text for a number": (
        "name: x\nshare: '1'\n",
        ["file.yaml:2: share: must be a number, not text; write it without quotes [wrong-type]"],
    ),
    "text for a whole number": (
        "name: x\ninner: {a: {floor: first}}\n",
        ["file.yaml:2: inner.a.floor: must be a whole number, not text; write it without quotes [wrong-type]"],
    ),
    "text for a list of mappings": (
        "name: x\nrooms: {floor: 1}\n",
        [
            "file.yaml:2: rooms: must be a list, not a mapping; "
            "begin each item with a dash, like '- room: …' [wrong-type]"
        ],
    ),
    "text for a list of mappings with any keys": (
        "name: x\nany: a\n",
        ["file.yaml:2: any: must be a list, not text; begin each item with a dash, like '- key: …' [wrong-type]"],
    ),
    "text for a list": (
        "name: x\ntags: indoor\n",
        ["file.yaml:2: tags: must be a list, not text; write [one, two] [wrong-type]"],
    ),
    "item of a list": (
        "name: x\ntags:\n  - a\n  - 5\n",
        ["file.yaml:4: tags[1]: must be text, not a number; put it in quotes [wrong-type]"],
    ),
    "text for a mapping": (
        "name: x\ninner: a\n",
        ["file.yaml:2: inner: must be a mapping, not text; write key: value below it [wrong-type]"],
    ),
    "text for a model": (
        "name: x\ninner: {a: b}\n",
        ["file.yaml:2: inner.a: must be a mapping, not text; write key: value below it [wrong-type]"],
    ),
    "null": (
        "name: null\n",
        ["file.yaml:1: name: must be text, not null; put it in quotes [wrong-type]"],
    ),
    "unknown word": (
        "name: x\nkind: hous\n",
        ["file.yaml:2: kind: 'hous' is not known; did you mean house? [unknown-name]"],
    ),
    "number for a word": (
        "name: x\nkind: 1\n",
        ["file.yaml:2: kind: must be text, not a number; put it in quotes [wrong-type]"],
    ),
    "everything in one run, by line": (
        "zzz: 1\ninner: {a: {floor: x}}\nopen: 1\n",
        [
            "file.yaml:1: name: this key is missing; add it [missing-key]",
            "file.yaml:1: zzz: unknown key; known here: any, inner, kind, maybe, name, open, rooms, share, tags "
            "[unknown-key]",
            "file.yaml:2: inner.a.floor: must be a whole number, not text; write it without quotes [wrong-type]",
            "file.yaml:3: open: must be true or false, not a number; write true or false, without quotes [wrong-type]",
        ],
    ),
}


@pytest.mark.parametrize("case", INVALID)
def test_validating_refuses(tmp_path: Path, case: str) -> None:
    text, lines = INVALID[case]
    assert problems(tmp_path, text) == lines


def test_a_fault_brings_its_own_id_and_hint(tmp_path: Path) -> None:
    def never(value: Any) -> Any:
        raise fault("is {never} right", "write {env: NAME}", "plain-secret")

    class Picky(Strict):
        key: Annotated[str, PlainValidator(never)]

    with pytest.raises(ConfigError) as caught:
        validate(document(tmp_path, "\nkey: x\n"), Picky)
    assert caught.value.lines() == ["file.yaml:2: key: is {never} right; write {env: NAME} [plain-secret]"]


def test_a_key_cannot_steer_the_terminal(tmp_path: Path) -> None:
    assert problems(tmp_path, 'name: x\n"\\e[31m": 1\n')[0].startswith("file.yaml:2: \\u001b[31m: unknown key")


@given(
    st.sampled_from(["name", "open", "share", "tags", "inner", "maybe"]),
    st.integers() | st.booleans() | st.text("xyz", min_size=9),
)
def test_no_message_holds_the_value(tmp_path_factory: pytest.TempPathFactory, key: str, value: object) -> None:
    text = yaml.safe_dump({"name": "x"} | {key: value})
    for line in told(lambda: validate(document(tmp_path_factory.mktemp("value"), text), Outer)):
        assert line.startswith("file.yaml:")
        assert not isinstance(value, str) or value not in line


# --- going on where something is wrong ---


def salvaged(folder: Path, text: str) -> tuple[Outer, Document, list[str]]:
    """What is right in a text, its document with gaps, and the lines about what is wrong."""
    path = folder / "file.yaml"
    path.write_text(text, encoding="utf-8")
    document, wrong = scan(path, "file.yaml")
    file, document, invalid = salvage(document, Outer, {"name": "?"})
    return file, document, [problem.line() for problem in [*wrong, *invalid]]


LEFT_OUT: dict[str, tuple[str, set[KeyPath], str]] = {
    "nothing": ("name: x\ntags: [a]\n", set(), "name='x' tags=['a']"),
    "a value": ("name: x\nopen: 1\ntags: [a]\n", {("open",)}, "name='x' tags=['a']"),
    "a needed value": ("name: 1\ntags: [a]\n", {("name",)}, "name='?' tags=['a']"),
    "a needed key": ("tags: [a]\n", {("name",)}, "name='?' tags=['a']"),
    "an unknown key": ("name: x\nzzz: 1\n", {("zzz",)}, "name='x'"),
    "a misspelt key": ("name: x\nopn: true\n", {("opn",), ("open",)}, "name='x'"),
    "a misspelt key beside the right one": ("name: x\nopn: 1\nopen: true\n", {("opn",)}, "name='x' open=True"),
    "a list": ("name: x\ntags: [a, 1]\n", {("tags",)}, "name='x'"),
    "a key of an entry": ("name: x\ninner: {a: {floor: x}, b: {}}\n", {("inner", "a", "floor")}, "a b"),
    "no value": ("name: x\nopen:\n", {("open",)}, "name='x'"),
    "a key that stands twice": ("name: x\nopen: true\nopen: false\n", {("open",)}, "name='x'"),
    "a tag": ("name: !x y\n", {("name",)}, "name='?'"),
    "no mapping": ("- x\n", {()}, "name='?'"),
    "no YAML": ("name: [\n", {()}, "name='?'"),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_is_wrong_is_left_out_and_the_rest_is_there(tmp_path: Path, case: str) -> None:
    text, left_out, rest = LEFT_OUT[case]
    file, document, lines = salvaged(tmp_path, text)
    assert document.gaps.left_out == left_out
    assert bool(lines) == bool(left_out)
    shown = repr(file)
    assert [word for word in rest.split() if word not in shown and word not in (file.inner or {})] == []
    if document.gaps.left_out != {()}:
        assert lines == refused_or_invalid(tmp_path, text)


def refused_or_invalid(folder: Path, text: str) -> list[str]:
    """What the strict way says: it stops at the first of reading and validating that fails."""
    return told(lambda: validate(document(folder, text), Outer))


def test_reading_and_validating_are_told_in_one_run_and_nothing_twice(tmp_path: Path) -> None:
    assert salvaged(tmp_path, "name:\nopen: 1\ninner: {a: {floor: }}\nzzz: 1\n")[2] == [
        "file.yaml:1: name: has no value; write a value or take the key out [wrong-type]",
        "file.yaml:3: inner.a.floor: has no value; write a value or take the key out [wrong-type]",
        "file.yaml:2: open: must be true or false, not a number; write true or false, without quotes [wrong-type]",
        "file.yaml:4: zzz: unknown key; known here: any, inner, kind, maybe, name, open, rooms, share, tags "
        "[unknown-key]",
    ]


@pytest.mark.parametrize(
    ("at", "names", "sure"),
    [
        ((), ("a",), False),
        ((), ("b",), True),
        (("a",), ("x",), False),
        (("a",), ("y",), True),
        (("a", "x"), ("any",), False),
        (("c",), ("any",), False),
        (("c", "d"), ("any",), False),
        (("b",), ("any",), True),
    ],
)
def test_gaps_know_what_is_sure(at: KeyPath, names: tuple[str, ...], sure: bool) -> None:
    """Of ``a`` the key ``x`` was left out, and in ``c`` stands a key that nobody knows."""
    assert Gaps([("a", "x"), ("c", "zzz")], odd=[("c",)]).sure(at, *names) is sure
    assert Gaps().sure(at, *names)
    assert not Gaps([()]).sure(at, *names)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("inner: {a: {floor: x}, b: {}}\n", {"a", "b"}),
        ("name: x\n", set()),
        ("name: x\ninner: 5\n", None),
        ("name: x\ninnner: {a: {}}\n", None),
        ("inner: {a: {}}\ninner: {b: {}}\n", None),
        ("inner: [\n", None),
    ],
)
def test_names_are_known_as_far_as_nothing_else_can_be_meant(tmp_path: Path, text: str, names: set[str] | None) -> None:
    found = salvaged(tmp_path, text)[1].names("inner")
    assert (None if found is None else set(found)) == names


@given(st.text(alphabet="nameopitgsr: {}[]\n-x1\"'&*#", max_size=80))
def test_whatever_stands_in_a_file_something_is_salvaged(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("text")
    file, _, lines = salvaged(folder, text)
    assert isinstance(file, Outer)
    assert bool(lines) == bool(refused_or_invalid(folder, text))


@pytest.mark.parametrize("kind", ["fifo", "device", "large", "folder"])
def test_what_is_no_plain_file_of_sensible_size_is_not_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.yaml"
    if kind == "large":
        path.touch()
        os.truncate(path, yamlfile.LARGEST + 1)
    else:
        {"fifo": lambda: os.mkfifo(path), "device": lambda: path.symlink_to("/dev/zero"), "folder": path.mkdir}[kind]()
    why = {"large": "is larger than 16 MiB", "folder": "is a directory"}.get(kind, "is no plain file")
    with pytest.raises(ConfigError, match=f"x.yaml: cannot be read: {why}"):
        yamlfile.read(path, "x.yaml")
