"""``export``: the inventory for other programs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from wifimgr.cli import common, output
from wifimgr.errors import ConfigError, did_you_mean

Format = Annotated[
    str,
    typer.Argument(metavar="FORMAT", help="One of: ansible, prometheus, csv, geojson, ssh_config, flows."),
]
Everything = Annotated[bool, typer.Option("--all", help="geojson: also places that are not public or not in use.")]
FLOWS = "flows"


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    common.command(app, "export")(export)


def export(
    run: common.Run,
    format: Format,
    select: common.Select = [],  # noqa: B006
    everything: Everything = False,
    form: common.Output = None,
) -> None:
    """Print the inventory for other programs. No secret, no contact and nothing private is in it."""
    from wifimgr.inventory import load
    from wifimgr.inventory import select as selected
    from wifimgr.inventory.exporters import COLUMNS, EXPORTERS, WHOLE, flows

    known = (*EXPORTERS, FLOWS)
    if format not in known:
        raise ConfigError("unknown-name", f"there is no format '{format}'", hint=did_you_mean(format, known))
    if form and format != FLOWS:
        raise ConfigError("wrong-type", f"{format} has one form only", key="--output", hint=f"this is for {FLOWS}")
    if everything and format not in WHOLE:
        hint = f"this is for {', '.join(WHOLE)}"
        raise ConfigError("wrong-type", f"{format} hides no place", key="--all", hint=hint)
    inventory = load(run.folder())
    routers = selected(inventory, select)
    if format == FLOWS:
        output.show(flows(inventory, routers), "flow", COLUMNS, form)
    else:
        text = (WHOLE if everything else EXPORTERS)[format](inventory, routers)
        sys.stdout.buffer.write(text.encode())  # UTF-8 and these line ends, whatever the terminal speaks
