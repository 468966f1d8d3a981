"""Diffs that can be shown to anybody."""

from __future__ import annotations

import difflib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifimgr.platforms import diff

STEERING = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff]")
"""What a terminal obeys, what turns the direction of text, and what cannot be printed."""


def test_new_file_gone_file_and_same_file() -> None:
    assert diff.unified("etc/x", None, "a\n") == ("--- not there", "+++ /etc/x", "@@ -0,0 +1 @@", "+a")
    assert diff.unified("etc/x", "a\n", None) == ("--- /etc/x", "+++ removed", "@@ -1 +0,0 @@", "-a")
    assert diff.unified("etc/x", "a\n", "a\n") == ()


def test_two_lines_around_a_change_are_shown() -> None:
    before = "".join(f"{number}\n" for number in range(9))
    lines = diff.unified("etc/x", before, before.replace("4", "neu"))
    assert lines[2:] == ("@@ -3,5 +3,5 @@", " 2", " 3", "-4", "+neu", " 5", " 6")


def patched(before: str, lines: tuple[str, ...]) -> str:
    """A text after a unified diff, read as ``patch`` reads it."""
    old, new, at = before.splitlines(), list[str](), 0
    for line in lines[diff.HEADS :]:
        if line.startswith("@@"):
            hunk = re.match(r"@@ -(\d+)(,0)?", line)
            assert hunk
            begins = int(hunk[1]) - (not hunk[2])
            new += old[at:begins]
            at = begins
        elif line[0] == "+":
            new.append(line[1:])
        else:
            assert old[at] == line[1:]
            new += [line[1:]] * (line[0] == " ")
            at += 1
    return "".join(f"{line}\n" for line in [*new, *old[at:]])


LINES = st.lists(st.sampled_from(["a", "b", "-- c", "++ d", ""]), max_size=12).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)


@given(LINES, LINES)
def test_diff_of_many_lines_is_coarser_and_as_right(before: str, after: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(diff, "MOST_COMPARED", 2)
        assert patched(before, diff.unified("etc/x", before, after)) == after


def test_lines_around_many_that_differ_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff, "MOST_COMPARED", 1)
    before, after = "1\n2\n3\na\nb\n4\n5\n6\n", "1\n2\n3\nb\nc\n4\n5\n6\n"
    assert diff.unified("etc/x", before, after)[2:] == (
        "@@ -2,6 +2,6 @@",
        " 2",
        " 3",
        "-a",
        "-b",
        "+b",
        "+c",
        " 4",
        " 5",
    )


def test_no_file_keeps_us_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    find = difflib.SequenceMatcher.find_longest_match

    def counted(self: Any, *span: int) -> Any:
        looks.append(span[1] - span[0])
        return find(self, *span)

    monkeypatch.setattr(difflib.SequenceMatcher, "find_longest_match", counted)
    old, new = ("".join(f"{each ^ turned}\n" for each in range(16_000)) for turned in (0, 1))
    assert len(diff.unified("etc/x", old, new)) == 32_003
    old, new = ("".join(f"{each ^ turned}\n" for each in range(diff.MOST_COMPARED)) for turned in (0, 1))
    assert diff.unified("etc/x", old, new)
    assert 0 < sum(looks) < diff.MOST_COMPARED**2


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("\toption ssid 'Büro ☕'", "\toption ssid 'Büro ☕'"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("\u202eabc\u200b", "\\u202eabc\\u200b"),
        ("a\x9bb", "a\\x9bb"),
        ("\udcff", "\\udcff"),
        ("\r", "\\r"),
    ],
    ids=["text", "escape", "direction", "c1", "undecodable", "return"],
)
def test_what_a_terminal_would_obey_is_written_out(written: str, shown: str) -> None:
    assert diff.visible(written) == shown


@given(st.text(st.characters()), st.text(st.characters()))
def test_no_text_can_steer_a_terminal(before: str, after: str) -> None:
    for line in diff.unified("etc/x", before, after):
        assert not STEERING.search(line)
        line.encode()


@given(st.lists(st.text("ab'", min_size=1, max_size=4), max_size=3), st.text("abc'"))
def test_no_secret_can_be_read_through_a_veil(secrets: list[str], text: str) -> None:
    seen = diff.Veil(secrets, []).cover(secrets)(text)
    assert not any(secret in seen for secret in secrets)


def test_secret_that_is_only_a_part_of_other_values_is_covered_and_still_seen_to_change() -> None:
    veil = diff.Veil(["other"], [])
    old, new = (veil.cover(["abc", "xyz"])(f"ask for {secret}") for secret in ("abc", "xyz"))
    assert old != new
    assert veil.lifted([old, new]) == ("ask for ***", "ask for ***")


def test_longest_secret_is_covered_first_and_an_empty_one_is_none() -> None:
    veil = diff.Veil(["ab", "", "abcd"], [])
    assert veil.lifted([veil.cover(["ab", "", "abcd"])("abcd ab x")]) == ("*** *** x",)


def test_two_secrets_differ_under_the_veil_and_a_new_one_is_marked() -> None:
    veil = diff.Veil(["a", ("l", "m")], ["b", "a"])
    assert len({veil.sign("a"), veil.sign("b"), veil.sign(("l", "m"))}) == 3
    assert veil.lifted([veil.sign("a"), veil.sign("b"), veil.sign(("l", "m"))]) == ("***", "*** (new)", "***")
