"""The command ``import``: routers that other tools know about."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wifimgr.cli import common, output
from wifimgr.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from wifimgr.inventory.importers.propose import Proposal

MOST_NOTES = 10
"""As many notes of one kind as are told without ``-v``."""

Format = Annotated[
    str,
    typer.Argument(metavar="FORMAT", help="meshviewer, nodes, nodelist, ansible, csv or bbb-configs."),
]
What = Annotated[
    str, typer.Argument(metavar="FILE", help="A file, a folder, an http(s) address, or - for standard input.")
]
LimitTo = Annotated[
    str,
    typer.Option(
        "--limit-to",
        metavar="AREA",
        help="Only routers in the area of a GeoJSON file, within 51.43,6.76,15km, or with a name like this pattern.",
    ),
]
Owner = Annotated[str, typer.Option("--operator", metavar="NAME", help="Whose they are: an operator we only watch.")]
KeepContacts = Annotated[
    bool, typer.Option("--keep-contacts", help="Keep who runs a router, as private data that never leaves its file.")
]
Columns = Annotated[
    list[str],
    typer.Option("--column", metavar="OURS=THEIRS", help="csv only: which column has one of our keys."),
]


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    common.command(app, "import")(import_routers)


def import_routers(
    run: common.Run,
    format: Format,
    file: What,
    limit_to: LimitTo = "",
    operator: Owner = "",
    keep_contacts: KeepContacts = False,
    column: Columns = [],  # noqa: B006 (typer makes a new list for each call)
    form: common.Output = None,
    yes: common.Yes = False,
) -> None:
    """Take over routers that other tools know: only watched, on no public page, and no entry of yours is changed."""
    from wifimgr.inventory import load
    from wifimgr.inventory.importers import IMPORTERS
    from wifimgr.inventory.importers.base import Options
    from wifimgr.inventory.importers.fetch import source
    from wifimgr.inventory.importers.limits import no_limit, parse
    from wifimgr.inventory.importers.propose import propose
    from wifimgr.inventory.importers.write import write

    if format not in IMPORTERS:
        hint = did_you_mean(format, IMPORTERS)
        raise ConfigError("unknown-name", f"there is no format '{format}'", key="FORMAT", hint=hint)
    options = Options(columns=dict(map(_column, column)))
    limit = parse(limit_to) if limit_to else no_limit
    inventory = load(run.folder())
    told = IMPORTERS[format](source(file), options)
    proposal = propose(inventory, told, operator=operator, limit=limit, keep_contacts=keep_contacts)
    output.show(_rows(proposal), "router", ("router", "site", "action", "role", "platform", "addresses"), form)
    _tell(run, proposal)
    if not proposal.taken:
        return
    common.need_somebody(yes, "look at what would be written, then say --yes")
    what = f"{_count(proposal.taken, 'router')} and {_count(proposal.new_sites, 'new site')}"
    if not (yes or typer.confirm(f"Write {what}?", err=True)):
        run.say("nothing was written")
        raise typer.Exit(1)
    write(proposal, inventory)
    run.say(f"written: {what}; the routers are only watched")


def _column(text: str) -> tuple[str, str]:
    ours, sign, theirs = text.partition("=")
    if not (ours and sign and theirs):
        raise typer.BadParameter("write OURS=THEIRS, like name=Hostname", param_hint="--column")
    return ours, theirs


_SHOWN = ("role", "platform", "addresses", "model", "node_id")
"""What is shown of a router, as the file tells it or as it is there already."""


def _rows(proposal: Proposal) -> list[dict[str, Any]]:
    new = [(router.name, place.slug, "new", router.found) for place in proposal.places for router in place.routers]
    there = [(router.name, router.site, "already there", router) for _, router in proposal.there]
    return [
        {"router": name, "site": site, "action": action, **{key: getattr(told, key) for key in _SHOWN}}
        for name, site, action, told in (*new, *there)
    ]


def _tell(run: common.Run, proposal: Proposal) -> None:
    """What was changed and what was left out, the summary last."""
    told: Counter[str] = Counter()
    for note in proposal.notes:
        told[note.kind] += 1
        if run.verbose or told[note.kind] <= MOST_NOTES:
            run.say(f"{note.kind}: {note.where}: {note.what}")
    for kind, number in told.items():
        if number > MOST_NOTES and not run.verbose:
            run.say(f"{kind}: … and {number - MOST_NOTES} more (-v tells all)")
    for remark in proposal.remarks:
        run.say(remark)
    if proposal.new_operator and proposal.taken:
        run.say(f"{proposal.operator}: a new operator in network.yaml, whose routers are only watched")
    run.say(proposal.summary())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
