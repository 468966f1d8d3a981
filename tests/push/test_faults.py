"""Every fault that a push has to stand has a test, and docs/push.md says for each what becomes of it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SECTION = (TESTS.parent / "docs" / "push.md").read_text(encoding="utf-8").partition("## When something goes wrong\n")[2]
FAULTS = range(1, 48)


def marked(text: str) -> set[int]:
    """The numbers of ``@pytest.mark.scenario(NUMBER)`` on the tests of a file."""
    tests = [each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.FunctionDef)]
    decorators = [ast.unparse(each) for test in tests if test.name.startswith("test_") for each in test.decorator_list]
    found = [re.fullmatch(r"pytest\.mark\.scenario\((\d+)\)", each) for each in decorators]
    return {int(each[1]) for each in found if each}


@cache
def places() -> dict[int, set[str]]:
    """Fault to the folders of the tests that show it."""
    found: dict[int, set[str]] = {}
    for path in TESTS.rglob("test_*.py"):
        for number in marked(path.read_text(encoding="utf-8")):
            found.setdefault(number, set()).add(path.relative_to(TESTS).parts[0])
    return found


def table() -> dict[int, list[str]]:
    """Number to the other cells of its row."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in SECTION.splitlines() if line[:1] == "|"]
    return {int(row[0]): row[1:] for row in rows if row[0].isdigit()}


@pytest.mark.parametrize("number", FAULTS)
def test_fault_has_a_test(number: int) -> None:
    assert number in places()


def test_no_test_claims_a_fault_that_is_not_listed() -> None:
    assert places().keys() <= set(FAULTS)


def test_each_fault_is_listed_once_in_order_and_with_what_becomes_of_it() -> None:
    assert list(table()) == list(FAULTS)
    assert all(len(row) == 4 and all(row) for row in table().values())


def test_where_a_fault_is_shown_is_what_the_table_says() -> None:
    shown = {number: "real" if "real" in places().get(number, ()) else "lab" for number in FAULTS}
    assert {number: row[3] for number, row in table().items()} == shown


def test_what_is_shown_in_the_lab_only_says_why() -> None:
    reasons = SECTION.partition("Only in the lab:\n")[2].partition("\n\n## ")[0]
    lab = [number for number, row in table().items() if row[3] == "lab"]
    assert [int(number) for number in re.findall(r"(?m)^- (\d+): ", reasons)] == lab


def test_a_mark_is_found_where_it_stands_and_nowhere_else() -> None:
    text = "@pytest.mark.scenario(7)\n@pytest.mark.slow\ndef test_x(): pass\n# @pytest.mark.scenario(8)\ndef y(): pass"
    assert marked(text) == {7}
