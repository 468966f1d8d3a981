"""How rows are printed: each form, empty lists, and values that would break a line or steer a terminal."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.terminal import STEERING
from wifimgr.cli.output import Form, cell, show
from wifimgr.model import Manage
from wifimgr.settings import Secret, SecretRef

ROWS = [
    {"name": "a", "tags": ("x", "y"), "on": True, "hidden": 1.5},
    {"name": "b\tc\nd\x1b[31m", "tags": (), "on": False, "hidden": None},
]
COLUMNS = ("name", "tags", "on")


def printed(capsys: pytest.CaptureFixture[str], rows: list[dict[str, Any]], form: Form | None) -> str:
    show(rows, "thing", COLUMNS, form)
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_tsv_is_one_line_a_row_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, ROWS, Form.TSV) == "name\ttags\ton\na\tx,y\ttrue\nb\\tc\\nd\\u001b[31m\t\tfalse\n"


def test_without_a_terminal_and_a_form_it_is_tsv(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, ROWS, None) == printed(capsys, ROWS, Form.TSV)


def test_on_a_terminal_it_is_a_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert printed(capsys, ROWS, None) != printed(capsys, ROWS, Form.TSV)


@pytest.mark.parametrize(("form", "read"), [(Form.JSON, json.loads), (Form.YAML, yaml.safe_load)])
def test_a_document_holds_every_key(capsys: pytest.CaptureFixture[str], form: Form, read: Any) -> None:
    assert read(printed(capsys, ROWS, form)) == {
        "schema_version": 1,
        "things": [
            {"name": "a", "tags": ["x", "y"], "on": True, "hidden": 1.5},
            {"name": "b\tc\nd\x1b[31m", "tags": [], "on": False, "hidden": None},
        ],
    }


@pytest.mark.parametrize(("form", "read"), [(Form.JSON, json.loads), (Form.YAML, yaml.safe_load)])
def test_an_empty_list_is_a_list(capsys: pytest.CaptureFixture[str], form: Form, read: Any) -> None:
    assert read(printed(capsys, [], form)) == {"schema_version": 1, "things": []}


def test_an_empty_list_as_tsv_is_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, [], Form.TSV) == "name\ttags\ton\n"


def test_a_table_in_a_pipe_is_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 500
    out = printed(capsys, [{"name": long, "tags": (long,), "on": True}], Form.TABLE)
    assert out.count(long) == 2
    assert len(out.splitlines()) == 3


WIDE_ROW = {"name": "jz-meiderich-ap-eg", "tags": "x" * 20, "on": "y" * 40}


@pytest.mark.parametrize(
    ("columns", "shown", "said"),
    [("120", "name tags on", ""), ("60", "name on", "no room here for tags: "), ("30", "name", "for tags, on: ")],
)
def test_narrow_terminal_leaves_the_least_useful_columns_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str, shown: str, said: str
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", columns)
    show([WIDE_ROW], "thing", COLUMNS, least=("tags", "on"))
    out, err = capsys.readouterr()
    out = STEERING.sub("", out)
    assert out.splitlines()[0].split() == shown.split()
    assert "jz-meiderich-ap-eg" in out
    assert said in err
    assert bool(said) is bool(err)


def test_other_forms_leave_nothing_out(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    show([WIDE_ROW], "thing", COLUMNS, Form.TABLE, least=("tags", "on"))
    show([WIDE_ROW], "thing", COLUMNS, Form.JSON, least=("tags", "on"))
    assert capsys.readouterr().out.count("y" * 40) == 2


def test_a_table_takes_text_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, [{"name": "[red]a[/red] :smile: \x1b[31m", "tags": (), "on": True}], Form.TABLE)
    assert "[red]a[/red] :smile: \\u001b[31m" in out


@pytest.mark.parametrize("form", Form)
def test_no_form_shows_a_secret(capsys: pytest.CaptureFixture[str], form: Form) -> None:
    out = printed(capsys, [{"name": Secret("hunter2"), "tags": [SecretRef("env", "X")], "on": Manage.PUSH}], form)
    assert out.count("***") == 2
    assert "hunter2" not in out
    assert "push" in out


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (60.0, "60"),
        (0.5, "0.5"),
        (7, "7"),
        ({"ssh": 22, "http": 80}, "ssh=22,http=80"),
        ([True, "a"], "true,a"),
    ],
)
def test_cells(value: object, text: str) -> None:
    assert cell(value) == text


@given(st.text())
def test_a_cell_is_one_line_without_tabs(text: str) -> None:
    assert len(cell(text).splitlines()) <= 1
    assert "\t" not in cell(text)
