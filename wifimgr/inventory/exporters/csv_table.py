"""``csv``: a table as RFC 4180 has it, one router a row, in UTF-8. ``wifimgr import csv`` reads the same columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from wifimgr.inventory.load import Inventory
from wifimgr.model import Router

COLUMNS = (
    "name",
    "site",
    "addresses",
    "model",
    "room",
    "role",
    "platform",
    "operator",
    "lifecycle",
    "tags",
    "lat",
    "lon",
    "district",
    "node_id",
)
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""What a spreadsheet would take for a formula, and what looks like that after we marked it as text."""


def export(inventory: Inventory, routers: Sequence[Router]) -> str:
    """A heading and the rows. A space stands between several addresses or tags."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for router in routers:
        site = inventory.sites[router.site]
        values = (
            router.name,
            router.site,
            " ".join(router.addresses),
            router.model,
            router.room,
            router.role,
            router.platform,
            router.operator,
            router.lifecycle,
            " ".join(router.tags),
            *(site.position or ("", "")),
            site.district,
            router.node_id,
        )
        writer.writerow([as_text(value) if isinstance(value, str) else value for value in values])
    return text.getvalue()


def as_text(value: str) -> str:
    """A value with ``'`` in front where a spreadsheet would take it for a formula. :func:`from_text` undoes it."""
    return f"'{value}" if _FORMULA.match(value) else value


def from_text(cell: str) -> str:
    """The value of a cell that :func:`as_text` made. A ``'`` in front of anything else stays."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
