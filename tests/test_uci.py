"""UCI files: uci's own answers, what an edit may touch, and what must never be written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wifimgr.uci import Document, Section, UciError, _Line, _Reader

DATA = Path(__file__).parent / "data"
CASES: dict[str, dict[str, str | None]] = json.loads((DATA / "uci_cases.json").read_text(encoding="utf-8"))
"""Files with what the real uci exports for them; None: it refuses the file."""
REAL_FILES = sorted((DATA / "etc-config").iterdir())

Model = list[tuple[str, str | None, dict[str, str | tuple[str, ...]]]]

values = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="".join(map(chr, range(32))))
    | st.sampled_from("\t\n\r'\"\\#; "),
    min_size=1,
    max_size=20,
)
items = st.lists(st.just("") | values, min_size=1, max_size=5)
names = st.from_regex(r"[A-Za-z0-9_]{1,8}", fullmatch=True)
types = st.from_regex(r"[A-Za-z0-9_./-]{1,8}", fullmatch=True)
statements = st.sampled_from(
    [
        "config a 'x'\n",
        "config a 'y' # a comment\n",
        "config b\n",
        "config a 'x'; option k 'v'\n",
        "\toption k 'v'\n",
        "  option k v;ignored\n",
        '\toption l "it\'s" # a comment\n',
        "\toption k ''\n",
        "\toption n\n",
        "\toption n 'two\nlines'\n",
        "\toption m a\\\nb\n",
        "\toption m 'w' \\\n\tlist l q\n",
        "\toption k 'v'; list l 'w'\n",
        "\tlist l '1'\n",
        "\tlist l 2 # a comment\n",
        "\tlist l ''\r\n",
        "# config z 'z'\n",
        "package other\n",
        "\n",
    ]
)
texts = (
    st.lists(statements, max_size=14)
    .map(lambda parts: "config a 'x'\n" + "".join(parts))
    .map(lambda text: text.removesuffix("\n") if len(text) % 3 == 0 else text)
)
"""Files as people and programs leave them, some without the last newline."""


def parse(text: str) -> Document:
    return Document.parse(text)


def model(document: Document) -> Model:
    return [(each.type, each.name, dict(each.options)) for each in document.sections]


def reread(document: Document) -> Model:
    return model(parse(document.render()))


# --- reading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_reads_a_file_as_uci_does(case: dict[str, str | None]) -> None:
    text, export = case["in"], case["export"]
    assert text is not None
    if export is None:
        with pytest.raises(UciError):
            parse(text)
    else:
        assert parse(text).export("t") == export
        assert parse(text).render() == text


@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.name)
def test_a_file_of_a_router_is_rendered_byte_for_byte(path: Path) -> None:
    content = path.read_bytes()
    document = parse(content.decode("utf-8", "surrogateescape"))
    assert document.sections
    assert document.render().encode("utf-8", "surrogateescape") == content


@given(texts)
def test_what_is_not_edited_is_rendered_as_it_was_read(text: str) -> None:
    assert parse(text).render() == text


PIECES = ["option ", "list ", "config ", "a", "b ", "'x'", "o k v\n", "c t\n", *"'\"\\\n \t;#\rü", "\\\n", "'y z'"]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
@example("c a\no k x\\\ny\n")
@example("c a\no k 'x\ny'\n")
def test_a_line_that_was_read_before_is_read_the_same_wherever_it_stands(text: str) -> None:
    afresh: list[_Line] = []
    reader = _Reader(text)
    try:
        while reader.pos < len(text):
            afresh.append(reader.line())
    except UciError as error:
        with pytest.raises(UciError, match=f"^{re.escape(str(error))}$"):
            list(_Reader(text).lines())
    else:
        assert list(_Reader(text).lines()) == afresh


def test_a_file_that_is_read_again_is_as_it_was_read_first() -> None:
    text = "config a 'x'\n\toption k 'v'\n"
    first = parse(text)
    first.set("x", "k", "w")
    first.add("b", "y")
    first.remove("x")
    assert parse(text).render() == text
    assert model(parse(text)) == [("a", "x", {"k": "v"})]


def test_bytes_that_are_not_utf8_survive() -> None:
    content = b"config a 'x'\n\toption k '\xff\xfe'\n\toption l 'v'\n"
    document = parse(content.decode("utf-8", "surrogateescape"))
    document.set("x", "l", "w")
    assert document.render().encode("utf-8", "surrogateescape") == content.replace(b"'v'", b"'w'")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("foo bar\n", 1),
        ("config a\n\n\toption k 'v\n\n", 3),
        ("config a\n\toption n 'two\nlines'\n\toption k-1 v\n", 4),
        ("config a 'x'\n\nconfig b 'x'\n", 3),
        ("\n\toption k 'v'\n", 2),
        ("config a 'x' 'y'\n", 1),
        ("config a\n\toption k 'v';\n", 2),
        ("config a\n\toption k 'a\0b'\n", 2),
        ("config 'a' ; config 'b'\n", 1),
        ("config", 1),
        ("config\n", 1),
        ("config Süd\n", 1),
    ],
)
def test_an_error_tells_the_line(text: str, line: int) -> None:
    with pytest.raises(UciError) as caught:
        parse(text)
    assert caught.value.line == line
    assert str(caught.value) == f"line {line}: {caught.value.what}"


def test_an_error_does_not_quote_the_file() -> None:
    with pytest.raises(UciError) as caught:
        parse("config a\n\toption key 'sesam' 'sesam'\n")
    assert "sesam" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("option k v;option l w", {"k": "v"}),
        ("option k 'v';option l w", {"k": "v", "l": "w"}),
        ("option k v '' option l w", {"k": "v", "l": "w"}),
        ("option k 'v'\noption k ''", {"k": "v"}),
        ("option k a\noption m b\nlist k c", {"k": ("a", "c"), "m": "b"}),
        ("list k a\nlist k b\noption k c\nlist k d", {"k": ("c", "d")}),
        ("list k ''\nlist k", {"k": ("", "")}),
        ('option k "a\\\nb\\nc"', {"k": "abnc"}),
        ("option k a\\\r\nb", {"k": "ab"}),
        ("o k\tv\nl\tm w\np q", {"k": "v", "m": ("w",)}),
    ],
)
def test_the_oddities_of_the_grammar(text: str, options: dict[str, object]) -> None:
    """Each of these was asked of the real uci."""
    assert parse(f"config a\n{text}\n").sections[0].options == options


def test_sections_are_found_by_name_and_by_index() -> None:
    document = parse("config a\nconfig b 'x'\nconfig a 'y'\nconfig a\n")
    assert [each.ref for each in document.sections] == ["@a[0]", "x", "y", "@a[2]"]
    for ref, index in {"@a[0]": 0, "@a[-1]": 3, "@a[1]": 2, "y": 2, "@[1]": 1, "@b[0]": 1}.items():
        assert document.section(ref) == document.sections[index]
    for ref in ("@a[3]", "@a[-4]", "z", "@c[0]", "@a", ""):
        assert document.section(ref) is None


def test_a_section_named_as_uci_names_a_nameless_one_is_merged_into_it() -> None:
    """uci calls a nameless section cfg, its position, and a hash of its type."""
    assert parse("config a\n\toption k v\nconfig a 'cfg01b606'\n\toption l w\n").export("t") == (
        "package t\n\nconfig a\n\toption k 'v'\n\toption l 'w'\n\n"
    )


# --- editing ------------------------------------------------------------------------------------------------


@given(values)
def test_a_value_comes_back_as_it_was_set(value: str) -> None:
    document = parse("config a 'x'\n\toption before '1'\n\toption k 'old' # why\n\toption after '2'\n")
    document.set("x", "k", value)
    assert reread(document) == model(document) == [("a", "x", {"before": "1", "k": value, "after": "2"})]


@given(items, items)
def test_a_list_comes_back_as_it_was_set(first: list[str], second: list[str]) -> None:
    document = parse("config a 'x'\n\toption m '1'\n")
    for wanted in (first, second):
        document.set("x", "l", wanted)
        assert reread(document) == model(document) == [("a", "x", {"m": "1", "l": tuple(wanted)})]


@given(texts, st.integers(0), st.sampled_from("klmn"), values | items | st.just("") | st.just([]))
def test_an_edit_changes_its_option_only(text: str, index: int, option: str, value: str | list[str]) -> None:
    document = parse(text)
    index %= len(document.sections)
    expected = model(document)
    document.set(document.sections[index], option, value)
    if value:
        expected[index][2][option] = value if isinstance(value, str) else tuple(value)
    else:
        expected[index][2].pop(option, None)
    assert model(document) == expected
    assert reread(document) == expected
    assert document.render().count("# config z") == text.count("# config z")


@given(texts)
def test_the_value_that_is_there_already_changes_no_byte(text: str) -> None:
    document = parse(text)
    for section in document.sections:
        for option, value in section.options.items():
            document.set(section, option, value)
        document.unset(section, "missing")
        document.set(section, "missing", "")
    assert document.render() == text


@given(texts, st.integers(0))
def test_removing_a_section_leaves_the_others(text: str, index: int) -> None:
    document = parse(text)
    index %= len(document.sections)
    expected = model(document)
    del expected[index]
    document.remove(document.sections[index])
    assert reread(document) == model(document) == expected


@given(texts, types, names | st.none())
def test_adding_a_section_leaves_the_others(text: str, type: str, name: str | None) -> None:
    document = parse(text)
    expected = model(document)
    if name in [each.name for each in document.sections if each.name]:
        with pytest.raises(ValueError, match="already"):
            document.add(type, name)
        assert document.render() == text
        return
    section = document.add(type, name)
    document.set(section, "k", "v")
    assert reread(document) == model(document) == [*expected, (type, name, {"k": "v"})]


@pytest.mark.parametrize(
    ("before", "edit", "after"),
    [
        ("option k old # why", ("k", "new"), "option k 'new' # why"),
        ('\toption  k\t"old"  ', ("k", "new"), "\toption  k\t'new'  "),
        ("\to k a\\\nb#c", ("k", "new"), "\to k 'new'#c"),
        ("    option k v", ("l", "w"), "    option k v\n    option l 'w'"),
        ("\toption k ''", ("k", "v"), "\toption k 'v'"),
        ("\toption k", ("k", "v"), "\toption k 'v'"),
        ("\toption k a\n\toption k b", ("k", "c"), "\toption k 'c'"),
        ("\tlist k a # A\n\tlist k b # B", ("k", ["b"]), "\tlist k b # B"),
        (
            "\tlist k a # A\n\tlist k b # B",
            ("k", ["z", "a", "b"]),
            "\tlist k 'z'\n\tlist k a # A\n\tlist k b # B",
        ),
        ("\tlist k a # A", ("k", ["a", "b"]), "\tlist k a # A\n\tlist k 'b'"),
        ("\tlist k a # A\n\tlist k b", ("k", "a"), "\toption k 'a' # A"),
        ("\toption k a # A", ("k", ["a", "b"]), "\tlist k 'a' # A\n\tlist k 'b'"),
        ("\toption k v;list l w", ("k", "x"), "\toption k 'x'"),
        ("\toption k 'v'; list l 'w' # why", ("k", "x"), "\toption k 'x'\n\tlist l 'w' # why"),
        ("\toption k 'v' # K\n\t# about l\n\toption l w", ("k", ""), "\t# about l\n\toption l w"),
    ],
)
def test_an_edit_keeps_the_style_of_the_file(before: str, edit: tuple[str, str | list[str]], after: str) -> None:
    document = parse(f"config a 'x'\n{before}\n\nconfig b\n")
    document.set("x", *edit)
    assert document.render() == f"config a 'x'\n{after}\n\nconfig b\n"


@pytest.mark.parametrize("end", ["\toption k v", "\toption k v\\", "\toption k v\\\r", "\toption k 'v';", "# end\\"])
def test_a_file_without_a_last_newline_can_be_edited(end: str) -> None:
    document = parse(f"config a 'x'\n{end}")
    expected = model(document)
    document.add("b", "y")
    document.set("y", "k", "v")
    assert reread(document) == [*expected, ("b", "y", {"k": "v"})]


def test_a_section_is_still_found_after_edits() -> None:
    document = parse("config a\n\toption k 1\n\nconfig a\n\toption k 2\n\nconfig a\n\toption k 3\n")
    first, second, third = document.sections
    document.remove(first)
    document.add("a")
    document.set(third, "k", "three")
    document.set(second, "k", "two")
    assert [each.options.get("k") for each in document.sections] == ["two", "three", None]
    with pytest.raises(ValueError, match="no section"):
        document.set(first, "k", "v")


def test_removing_a_section_takes_its_comments_but_no_others() -> None:
    document = parse("# top\nconfig a x\n\t# inner\n\toption k v\n\n# about b\nconfig b\n")
    document.remove("x")
    assert document.render() == "# top\n# about b\nconfig b\n"


def test_a_new_file() -> None:
    document = Document()
    document.set(document.add("wifi-iface", "guest"), "ssid", "Freifunk")
    document.set(document.add("timeserver"), "server", ["0.pool", "1.pool"])
    assert document.render() == (
        "config wifi-iface 'guest'\n\toption ssid 'Freifunk'\n\n"
        "config timeserver\n\tlist server '0.pool'\n\tlist server '1.pool'\n"
    )
    assert document.export("x") == f"package x\n\n{document.render()}\n"


# --- what must never be written -----------------------------------------------------------------------------

ATTACKS = [
    "'\n\toption evil '1",
    "' \n config evil\n",
    "v'; option evil '1",
    "v' # ",
    "'",
    "\\",
    "\\'",
    "'\\''",
    '"',
    "a\nconfig evil 'x'\n\toption evil '1'\n",
    "$(reboot)`reboot`",
]


@pytest.mark.scenario(27)
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_value_cannot_break_out_of_its_quotes(attack: str) -> None:
    document = parse("config a 'x'\n\toption k v\n\tlist l 'w'\n\nconfig b 'y'\n\toption z '1'\n")
    document.set("x", "k", attack)
    document.set("x", "l", [attack, "", attack])
    document.set("x", "fresh", attack)
    assert reread(document) == [
        ("a", "x", {"k": attack, "l": (attack, "", attack), "fresh": attack}),
        ("b", "y", {"z": "1"}),
    ]


@pytest.mark.parametrize("name", ["", "a-b", "a b", "a\n", "a'", "a.b", "a=b", "ü", "@a[0]", "a;b", "a#"])
def test_a_name_that_uci_refuses_is_refused(name: str) -> None:
    text = "config a 'x'\n\toption k v\n"
    document = parse(text)
    for edit in (
        lambda: document.set("x", name, "v"),
        lambda: document.unset("x", name),
        lambda: document.add("a", name),
    ):
        with pytest.raises(ValueError, match="cannot be the name"):
            edit()
    assert document.render() == text


@pytest.mark.parametrize("type", ["", "a b", "a\n", "ü", "a'b", 'a"', "a#b", "a;b", "a\\", "\x7f"])
def test_a_type_that_uci_refuses_or_destroys_is_refused(type: str) -> None:
    document = Document()
    with pytest.raises(ValueError, match="cannot be the type"):
        document.add(type, "x")
    assert document.render() == ""


@pytest.mark.parametrize("value", ["sesam\0", "sesam\x1b", "sesam\x0b", "sesam\ud800"])
def test_a_value_that_uci_refuses_is_refused_without_showing_it(value: str) -> None:
    text = "config a 'x'\n\toption k v\n"
    document = parse(text)
    for wrong in (value, ["fine", value]):
        with pytest.raises(ValueError, match="the value of key") as caught:
            document.set("x", "key", wrong)
        assert "sesam" not in str(caught.value)
    assert document.render() == text


def test_a_removal_that_would_merge_two_other_sections_is_refused() -> None:
    """Without x, uci would call the nameless section cfg01b606 and take both for one."""
    document = parse("config a 'x'\nconfig a\nconfig a 'cfg01b606'\n")
    before = document.render()
    with pytest.raises(ValueError, match="rename it"):
        document.remove("x")
    assert document.render() == before


def test_a_section_cannot_be_changed_by_hand() -> None:
    section: Section = parse("config a 'x'\n\toption k v\n").sections[0]
    with pytest.raises(TypeError):
        section.options["k"] = "w"  # type: ignore[index]


def test_text_with_stand_ins_shows_nothing_that_other_lines_overrule_and_edits_nothing() -> None:
    text = "config a 'x' # first\n\toption key 'one'\n\toption b 1; option key two # c\n"
    text += "\tlist key 'three'\n\toption key 'four'\n"
    text += "config a\n\tlist key 'five' # d\n\tlist key six\n\toption b 'two'\n"
    document = Document.parse(text)
    shown = document.shown(lambda section, option, value: "***" if option == "key" else value)
    assert document.render() == text
    assert shown == (
        "config a 'x' # first\n\toption key '***'\n\toption b '1'\nconfig a\n\toption key '***' # d\n\toption b 'two'\n"
    )


def test_stand_ins_for_lists_stay_lists() -> None:
    document = Document.parse("config a\n\toption b one\n\tlist b 'two' # c\n\tlist b three")
    shown = document.shown(lambda section, option, value: tuple(each.replace("two", "2") for each in value))
    assert shown == "config a\n\tlist b 'one'\n\tlist b '2' # c\n\tlist b three"
