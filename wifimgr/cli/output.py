"""How rows are printed: a table for people, TSV for pipes, JSON or YAML for programs. Data goes to stdout."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TextIO

from wifimgr.errors import visible
from wifimgr.model import State

SCHEMA_VERSION = 1
"""Of the JSON and YAML documents; grows when a key changes its meaning or goes."""

WIDE = 100
"""Columns of a terminal from which on names are never broken."""
_STEERING = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What JSON and YAML may hold as it is, but would steer a terminal."""

STATE_STYLES = {State.UP: "green", State.DEGRADED: "yellow", State.DOWN: "bold red", State.UNKNOWN: "magenta"}
"""How health looks on a terminal, as styles of Rich; the word is always there, too."""

Row = Mapping[str, Any]


class Form(StrEnum):
    """A form of the output."""

    TABLE = "table"
    TSV = "tsv"
    JSON = "json"
    YAML = "yaml"


def cell(value: object) -> str:
    """One value as text on one line; commas between the items of a list, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ",".join(f"{cell(key)}={cell(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ",".join(map(cell, value))
    return visible(f"{value:g}" if isinstance(value, float) else str(value))


def is_table(form: Form | None) -> bool:
    """Whether what goes to stdout is a table."""
    return form is Form.TABLE or (form is None and sys.stdout.isatty())


def show(
    rows: Sequence[Row],
    noun: str,
    columns: Sequence[str],
    form: Form | None = None,
    *,
    to: TextIO | None = None,
    least: Sequence[str] = (),
) -> None:
    """Print rows, on stdout unless told otherwise.

    JSON and YAML hold every key of a row, table and TSV the given columns. Without a form it is a table on a terminal,
    else TSV. On a narrow terminal the columns of ``least`` are left out, the first one first, until there is room.
    """
    file = to or sys.stdout
    chosen = form or (Form.TABLE if file.isatty() else Form.TSV)
    if chosen is Form.TABLE and file.isatty():
        columns = _that_fit(rows, columns, least, file)
    _PRINTERS[chosen](rows, noun, columns, file)


LONGEST_CELL = 24
"""What is longer may be broken."""
BETWEEN = 3
"""Characters between two columns of a table."""


def _that_fit(rows: Sequence[Row], columns: Sequence[str], least: Sequence[str], file: TextIO) -> Sequence[str]:
    """The columns that a terminal has room for; which are left out is told on stderr."""
    from rich.console import Console

    widths = {
        name: max(len(name), *(min(len(cell(row.get(name))), LONGEST_CELL) for row in rows), 0) for name in columns
    }
    room, left_out = Console(file=file).width, list[str]()
    for name in least:
        if sum(widths.values()) + BETWEEN * (len(widths) - 1) <= room:
            break
        del widths[name]
        left_out.append(name)
    if left_out:
        line(f"no room here for {', '.join(left_out)}: -o json, or a wider terminal", "dim", to=sys.stderr)
    return [name for name in columns if name in widths]


def _table(rows: Sequence[Row], noun: str, columns: Sequence[str], file: TextIO) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    console = Console(highlight=False, file=file)
    for number, column in enumerate(columns):  # the first one is the name people copy: not broken where there is room
        longest = max((len(cell(row.get(column))) for row in rows), default=0)
        whole = number == 0 and (console.width >= WIDE or longest <= LONGEST_CELL)
        table.add_column(Text(column), overflow="fold", no_wrap=whole)
    for row in rows:
        table.add_row(*(Text(cell(value), style=state_style(value)) for value in map(row.get, columns)))
    if not console.is_terminal:  # no terminal, no width: nothing is folded or cut
        console.width = console.measure(table, options=console.options.update(max_width=1 << 20)).maximum
    console.print(table)


def state_style(value: object) -> str:
    """The style of a value that is a state, else none."""
    return STATE_STYLES.get(value, "") if isinstance(value, State) else ""


def _tsv(rows: Sequence[Row], noun: str, columns: Sequence[str], file: TextIO) -> None:
    print("\t".join(columns), file=file)
    for row in rows:
        print("\t".join(cell(row.get(column)) for column in columns), file=file)


def _document(rows: Sequence[Row], noun: str) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        f"{noun}s": [{key: _plain(row[key]) for key in row} for row in rows],
    }


def _plain(value: object) -> object:
    """Only what JSON knows; anything else shows itself as text, so a secret is ``***``."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)


def _json(rows: Sequence[Row], noun: str, columns: Sequence[str], file: TextIO) -> None:
    text = json.dumps(_document(rows, noun), indent=2, ensure_ascii=False)
    print(_STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text), file=file)


def _yaml(rows: Sequence[Row], noun: str, columns: Sequence[str], file: TextIO) -> None:
    import yaml

    text = yaml.safe_dump(_document(rows, noun), allow_unicode=True, sort_keys=False)
    if _STEERING.search(text):
        text = yaml.safe_dump(_document(rows, noun), sort_keys=False)
    print(text, end="", file=file)


_PRINTERS: Mapping[Form, Callable[[Sequence[Row], str, Sequence[str], TextIO], None]] = {
    Form.TABLE: _table,
    Form.TSV: _tsv,
    Form.JSON: _json,
    Form.YAML: _yaml,
}


def line(text: str = "", style: str = "", *, to: TextIO | None = None) -> None:
    """Print one line, on stdout unless told otherwise: with its style on a terminal, else exactly as it is."""
    file = to or sys.stdout
    if not file.isatty():
        print(text, file=file)
        return
    from rich.console import Console
    from rich.text import Text

    Console(highlight=False, soft_wrap=True, file=file).print(Text(text, style=style))


_DIFF_STYLES = {"+++": "dim", "---": "dim", "@@": "dim", "+": "green", "-": "red"}


def diff_style(line: str) -> str:
    """How a line of a diff looks on a terminal, as a style of Rich."""
    return next((style for start, style in _DIFF_STYLES.items() if line.startswith(start)), "")
