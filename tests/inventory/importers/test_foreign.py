"""What importers share: text of others, their YAML, and their words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wifimgr.errors import ConfigError
from wifimgr.inventory.importers import foreign
from wifimgr.inventory.importers.base import Note
from wifimgr.inventory.importers.foreign import Tagged

TOP = Path(__file__).parents[3]

PYTHON = "tag:yaml.org,2002:python/object/apply:os.system"
READS: dict[str, tuple[str, Any]] = {
    "nothing": ("", None),
    "one word": ("x", "x"),
    "words of YAML 1.1": ("[no, Off, yes, ~, 0o7, 017, 0x1f]", [False, False, True, None, "0o7", 15, 31]),
    "numbers of YAML 1.1": ("[1:30, 1_000, .5, 1e3, 1.0e+3, .inf]", [90, 1000, 0.5, "1e3", 1000.0, float("inf")]),
    "what looks like a date": ("[2026-10-17, 2026-99-99]", ["2026-10-17", "2026-99-99"]),
    "quoted text": ("['no', \"1\", !!str 2]", ["no", "1", "2"]),
    "a tag that promises more than there is": ("[!!int x, !!bool perhaps, !!float '']", ["x", "perhaps", ""]),
    "keys that are no text": ("{1: a, no: b, ~: c}", {1: "a", False: "b", None: "c"}),
    "a key twice": ("{a: 1, a: 2}", {"a": 2}),
    "an anchor and its alias": ("{a: &x {b: 1}, c: *x}", {"a": {"b": 1}, "c": {"b": 1}}),
    "an anchor that is set again": ("[&x 1, *x, &x 2, *x]", [1, 1, 2, 2]),
    "a merge key": ("[&x {a: 1, b: 2}, {b: 5, <<: *x}]", [{"a": 1, "b": 2}, {"a": 1, "b": 5}]),
    "merge keys of which the first one wins": (
        "[&x {a: 1}, &y {a: 3, c: 4}, {<<: [*x, *y]}]",
        [{"a": 1}, {"a": 3, "c": 4}, {"a": 1, "c": 4}],
    ),
    "a merge key that is text": ("{'<<': 1, a: <<}", {"<<": 1, "a": "<<"}),
    "tags of others": ("[!vault s3cret, !x [1, {c: 2}], !y {}]", [Tagged("!vault"), Tagged("!x"), Tagged("!y")]),
    "text that is no template": ("!unsafe '{{ x }}'", "{{ x }}"),
    "tags that other readers would run": ("!!python/object/apply:os.system [id]", Tagged(PYTHON)),
    "numbers as long as a book": (f"[{'9' * 5000}, 1{':1' * 5000}]", ["9" * 5000, "1" + ":1" * 5000]),
}


@pytest.mark.parametrize("case", READS)
def test_yaml_of_others_is_read(case: str) -> None:
    text, data = READS[case]
    assert foreign.yaml_of(text, "f") == data


REFUSES = {
    "a cut off file": ("a: [1,\n", "f:2: is not YAML: did not find expected node content [bad-import]"),
    "a tab": ("a:\n\t- 1", "f:2: is not YAML: found character that cannot start any token [bad-import]"),
    "an invisible character": ("a\nb\x07", "f:2: is not YAML: control characters are not allowed [bad-import]"),
    "two documents": ("a\n---\nb", "f:2: holds more than one document [bad-import]"),
    "an alias of nothing": ("a: *b", "f:1: an alias (*) stands for nothing that is complete [bad-import]"),
    "an alias of what it is in": (
        "a:\n  &b [*b]",
        "f:2: an alias (*) stands for nothing that is complete [bad-import]",
    ),
    "braces as a key": (
        "a: 1\nb: {{ c }}",
        'f:2: a key must be a word: quote text with "{{ }}" or brackets [bad-import]',
    ),
    "a merge key without a mapping": ("a: 1\n<<: 2", "f:1: a merge key (<<) needs a mapping [bad-import]"),
    "a merge key with a list of words": ("<<: [a]", "f:1: a merge key (<<) needs a mapping [bad-import]"),
    "deep lists": ("[" * 100_000, "f:1: is nested deeper than 40 levels [bad-import]"),
    "deep mappings": ("{a: " * 100_000, "f:1: is nested deeper than 40 levels [bad-import]"),
    "deep lines": ("- " * 100_000, "f:1: is nested deeper than 40 levels [bad-import]"),
    "a bomb of lists": (
        "- &a [1,1,1,1,1,1,1,1,1]\n" + "".join(f"- &{chr(b)} [{f'*{chr(b - 1)},' * 9}]\n" for b in range(98, 120)),
        "f: holds more than 500000 values [bad-import]",
    ),
    "a bomb of mappings": (
        "- &a {k: 1}\n"
        + "".join(f"- &{chr(b)} {{{','.join(f'{k}: *{chr(b - 1)}' for k in 'abcdef')}}}\n" for b in range(98, 120)),
        "f: holds more than 500000 values [bad-import]",
    ),
    "a bomb of keys": (
        "- &a " + "k" * 99 + "\n- [" + "*a ," * 500_001 + "]",
        "f: holds more than 500000 values [bad-import]",
    ),
}


@pytest.mark.parametrize("case", REFUSES)
def test_yaml_of_others_is_refused(case: str) -> None:
    text, line = REFUSES[case]
    with pytest.raises(ConfigError) as caught:
        foreign.yaml_of(text, "f")
    assert caught.value.line() == line


LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@pytest.mark.parametrize("folder", ["inventory", "playbooks", "tests/data/import/bbb-configs/locations"])
def test_files_are_read_as_the_safe_loader_reads_them(folder: str) -> None:
    files = [file for file in (TOP / folder).rglob("*.y*ml") if file.name != "cut.yml"]
    assert files
    for file in files:
        text = file.read_text(encoding="utf-8")
        plain = yaml.load(text, Loader=LOADER)  # noqa: S506
        assert json.dumps(foreign.yaml_of(text, file.name)) == json.dumps(plain, default=str)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**60), 10**60) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.none(), inner),
    max_leaves=30,
)


@given(PLAIN)
def test_what_is_written_plainly_comes_back(data: Any) -> None:
    assert foreign.yaml_of(yaml.safe_dump(data), "f") == data


@given(st.text())
def test_any_text_is_read_as_the_safe_loader_reads_it_or_refused(text: str) -> None:
    try:
        wanted = yaml.load(text, Loader=LOADER)  # noqa: S506
    except (yaml.YAMLError, ValueError, TypeError):
        return
    data = foreign.yaml_of(text, "f")
    if isinstance(wanted, str | int | float | None):
        assert data == wanted or data != data  # nan


TEXTS = {
    "UTF-8": "ä".encode(),
    "UTF-8 with a mark": "ä".encode("utf-8-sig"),
    "UTF-16": "ä".encode("utf-16"),
    "UTF-16, the other way round": b"\xfe\xff" + "ä".encode("utf-16-be"),
    "Windows-1252": "ä".encode("cp1252"),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_text_is_read_in_the_encodings_of_the_wild(kind: str) -> None:
    notes: list[Note] = []
    assert foreign.text_of(TEXTS[kind], "f", notes) == "ä"
    told = [Note("f", "changed", "is not UTF-8: read as Windows-1252")]
    assert notes == (told if kind == "Windows-1252" else [])


@given(st.binary())
def test_any_bytes_are_text_or_refused(raw: bytes) -> None:
    try:
        assert "\0" not in foreign.text_of(raw, "f", [])
    except ConfigError as error:
        assert error.line() == "f: is not text [bad-import]"  # noqa: PT017


ROLES = {"AP": "access-point", "Access Point": "access-point", "corerouter": "gateway", "mesh_node": "mesh-node"}
PLATFORMS = {"OpenWrt 23.05.3": "openwrt", "gluon-v2023.2.5": "gluon", "community.routeros.routeros": "routeros"}


def test_words_for_what_we_know_are_known() -> None:
    assert {word: foreign.role_of(word) for word in ROLES} == ROLES
    assert {word: foreign.platform_of(word) for word in PLATFORMS} == PLATFORMS
    assert (foreign.role_of("printer"), foreign.role_of(""), foreign.platform_of("IOS"), foreign.platform_of("")) == (
        "",
    ) * 4


@pytest.mark.parametrize(
    "name",
    [
        "contact",
        "Kontakt",
        "contact_nickname",
        "E-Mail",
        "e_mail",
        "owner",
        "Telefon",
        "mail",
        "emails",
        "phonenumber",
        "kontaktperson",
        "Handy",
    ],
)
def test_keys_that_tell_whom_to_call_are_known(name: str) -> None:
    assert foreign.looks_like_contact(name)


@pytest.mark.parametrize("name", ["name", "mail_relay", "tel_prefix"])
def test_keys_that_tell_something_else_are_no_contacts(name: str) -> None:
    assert not foreign.looks_like_contact(name)


def test_a_contact_is_one_line() -> None:
    assert foreign.contact_of({"a": ["Büro\n 7 ", None]}, "", Tagged("!x"), 7, True) == "Büro 7, 7"


NUMBERS = [(51, 51.0), (51.5, 51.5), ("51.5", 51.5), ("-6,77", -6.77), ("-0,5", -0.5), ("+1", 1.0)]
NO_NUMBERS = ["", "1e3", True, None, "nan", "9" * 99, [1]]


@pytest.mark.parametrize(("value", "number"), [*NUMBERS, *((each, None) for each in NO_NUMBERS)])
def test_numbers_may_have_a_comma(value: Any, number: float | None) -> None:
    assert foreign.number_of(value) == number
