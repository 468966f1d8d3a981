"""Edit the inventory by command: ``site add``, ``router add``, ``set``, ``move``, ``rename`` and ``retire``.

These commands write our own files and reach no router, so a router that is only watched is edited like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wifimgr.cli import common, output
from wifimgr.errors import ConfigError

if TYPE_CHECKING:
    from wifimgr.inventory import Inventory
    from wifimgr.inventory.edit import Edited, Edits
    from wifimgr.model import Router

Slug = Annotated[str, typer.Argument(metavar="SLUG", help="What the site's file is called: small letters, digits, -.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The router.")]
Words = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="What is true about it.")]


NAMING = ("name", "behind")
"""Keys of a selector that are about the name of a router; a bare word may be one, too."""


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    site = common.noun(app, "site", "Places: youth centres, libraries, squares.")
    router = common.noun(app, "router", "Routers: access points, gateways, mesh nodes.")
    common.command(site, "add")(add_site)
    common.command(router, "add")(add_router)
    common.command(router, "set")(set_routers)
    common.command(router, "move")(move_router)
    common.command(router, "rename")(rename_router)
    common.command(router, "retire")(retire_routers)


# ---------------------------------------------------------------- add


def add_site(
    run: common.Run,
    slug: Slug,
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="As people know it.")],
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="What kind of place: library, square, ….")],
    district: Annotated[str | None, typer.Option("--district", metavar="TEXT", help="The part of the city.")] = None,
    address: Annotated[str | None, typer.Option("--address", metavar="TEXT", help="The postal address.")] = None,
    position: Annotated[str | None, typer.Option("--position", metavar="LAT,LON", help="In degrees.")] = None,
    opening_hours: Annotated[
        str | None, typer.Option("--opening-hours", metavar="HOURS", help="Like 'Mo-Fr 14:00-21:00; PH off'.")
    ] = None,
    public: Annotated[
        bool | None, typer.Option("--public/--no-public", help="Whether it may be on public pages.")
    ] = None,
) -> None:
    """Write the file of a new place, without routers."""
    from wifimgr.inventory import edit

    given = {
        "name": name,
        "kind": kind,
        "public": public,
        "district": district,
        "address": address,
        "position": None if position is None else _position(position),
        "opening_hours": opening_hours,
    }
    edits = edit.Edits(run.folder())
    edit.add_site(edits, slug, {key: value for key, value in given.items() if value is not None})
    _write(run, edits)
    run.say(f"{slug}: written to {edit.site_file(slug)}; add routers with 'wifimgr router add NAME --site {slug}'")


def _position(text: str) -> list[float]:
    try:
        latitude, longitude = map(float, text.split(","))
        return [latitude, longitude]
    except ValueError:
        hint = "write latitude and longitude in degrees, with points: 51.4652,6.7741"
        raise ConfigError("wrong-type", "is not a position", key="position", hint=hint) from None


def add_router(
    run: common.Run,
    name: Name,
    site: Annotated[str, typer.Option("--site", metavar="SLUG", help="The site it stands in.")],
    words: Words = None,
) -> None:
    """Write a new router into the file of its site."""
    from wifimgr.inventory import edit

    edits = edit.Edits(run.folder())
    edit.add_router(edits, site, name, edit.read_values(words or ()))
    _write(run, edits)
    origin = edits.file(edit.site_file(site)).origin(("routers", name))
    run.say(f"{name}: added to {site} ({origin})")


# ---------------------------------------------------------------- set and retire


def set_routers(
    run: common.Run,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]... [KEY=VALUE]...", help="Routers by name, then what shall be true about them."),
    ] = None,
    select: common.Select = [],  # noqa: B006 (typer makes a new list for each call)
    unset: Annotated[
        list[str], typer.Option("--unset", metavar="KEY", help="Take a key out; its site or the defaults hold then.")
    ] = [],  # noqa: B006
    yes: common.Yes = False,
) -> None:
    """Change what the inventory says about routers."""
    from wifimgr.inventory import edit

    words = words or []
    names = list(takewhile(lambda word: "=" not in word, words))
    if len(names) == len(words) and not unset:
        raise typer.BadParameter("say what to change", param_hint="KEY=VALUE or --unset KEY")
    values = edit.read_values(words[len(names) :])
    gone = [edit.read_key(key) for key in unset]
    edits = edit.Edits(run.folder())
    routers = _chosen(edits.check(), names, select)
    _finish(run, edits, routers, edit.set_values(edits, routers, values, gone), yes=yes)


def retire_routers(
    run: common.Run,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Routers by name.")] = None,
    select: common.Select = [],  # noqa: B006 (typer makes a new list for each call)
    yes: common.Yes = False,
) -> None:
    """Take routers out of use: they are neither asked nor changed any more, and their entries stay."""
    from wifimgr.inventory import edit

    edits = edit.Edits(run.folder())
    routers = _chosen(edits.check(), names or (), select)
    _finish(run, edits, routers, edit.retire(edits, routers), yes=yes)


def _chosen(inventory: Inventory, names: Sequence[str], selectors: Sequence[str]) -> list[Router]:
    """The routers that are named, and those that a selector matches, in the order of the inventory."""
    from wifimgr.inventory import edit, select

    if not (names or selectors):
        raise ConfigError("nothing-selected", "no router is named", hint="name one, or use -s")
    for name in names:
        edit.known(name, inventory.routers, "router")
    chosen = {*names, *(router.name for router in (select(inventory, selectors) if selectors else ()))}
    return [router for name, router in inventory.routers.items() if name in chosen]


def _finish(run: common.Run, edits: Edits, routers: Sequence[Router], changes: Sequence[Edited], *, yes: bool) -> None:
    """Check and write the changes; where they are about several routers, show them and ask before."""
    if not changes:
        run.say("nothing to change: the inventory says so already")
        return
    _check(run, edits)
    if len(routers) > 1:
        common.need_somebody(yes, "look at the changes on a terminal first, then say --yes")
        _tell(run, changes)
        changed = len({change.router for change in changes})
        if not (yes or typer.confirm(f"Write this for {changed} of {len(routers)} routers?", err=True)):
            run.say("nothing was changed")
            raise typer.Exit(1)
    edits.write()
    if len(routers) == 1:
        _tell(run, changes)


def _check(run: common.Run, edits: Edits) -> None:
    """Raises ConfigError with what would be wrong, with the lines of the files as they would be; says so before."""
    try:
        edits.check()
    except ConfigError:
        run.say("nothing is written, because then this would be wrong:")
        raise


def _write(run: common.Run, edits: Edits) -> None:
    _check(run, edits)
    edits.write()


def _tell(run: common.Run, changes: Sequence[Edited]) -> None:
    for change in changes:
        before, after = (_word(value) for value in (change.before, change.after))
        run.say(f"{change.router}: {change.key}: {before} -> {after} ({change.where})")


def _word(value: Any) -> str:
    return "not set" if value is None else output.cell(value) or "empty"


# ---------------------------------------------------------------- move and rename


def move_router(
    run: common.Run,
    name: Name,
    site: Annotated[str, typer.Argument(metavar="SITE", help="The site it stands in from now on.")],
) -> None:
    """Move a router's entry to another site, as it is written, and tell which of its values are others there."""
    from wifimgr.inventory import edit

    edits = edit.Edits(run.folder())
    changes = edit.move(edits, name, site)
    edits.write()
    run.say(f"{name}: moved to {site} ({edits.file(edit.site_file(site)).origin(('routers', name))})")
    _tell(run, changes)


def rename_router(
    run: common.Run,
    old: Annotated[str, typer.Argument(metavar="OLD", help="What the router is called now.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="What it shall be called.")],
) -> None:
    """Give a router another name, wherever the inventory, the trusted host keys and this machine call it by name."""
    from wifimgr.inventory import edit

    folder = run.folder()
    edits = edit.Edits(folder)
    edit.rename(edits, old, new)
    files = ", ".join(edits.texts)
    _write(run, edits)
    run.say(f"{old}: is called {new} now, in {files}")
    for line in _playbooks_that_name(folder, old):
        run.say(line)


def _playbooks_that_name(folder: Path, router: str) -> list[str]:
    """A line for each playbook that chooses a router by this name."""
    from wifimgr.push.playbook import load_all

    playbooks, problems = load_all(folder)
    found = [
        f"{playbook.document.origin(('where',))}: where names {router}: change it if this router is meant"
        for playbook in playbooks
        for term in playbook.where.terms
        if router in term.wanted.casefold().split(",") and term.text.split("=")[0].rstrip("!") in (*NAMING, term.text)
    ]
    return [*found, *(f"not searched for {router}: {problem.line()}" for problem in problems)]
