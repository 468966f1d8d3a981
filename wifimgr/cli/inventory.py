"""Commands that read the inventory: ``site list``, ``router list``, ``router show``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wifimgr.cli import common, output
from wifimgr.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from wifimgr.inventory import Inventory
    from wifimgr.model import Router


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    site = common.noun(app, "site", "Places: youth centres, libraries, squares.")
    router = common.noun(app, "router", "Routers: access points, gateways, mesh nodes.")
    common.command(site, "list")(list_sites)
    common.command(router, "list")(list_routers)
    common.command(router, "show")(show_router)


def _load(folder: Path) -> Inventory:
    from wifimgr.inventory import load

    return load(folder)


def list_sites(run: common.Run, select: common.Select = [], form: common.Output = None) -> None:  # noqa: B006
    """List the sites; with selectors those of the selected routers."""
    from wifimgr.inventory import select as selected

    inventory = _load(run.folder())
    chosen = {router.site for router in selected(inventory, select)} if select else inventory.sites.keys()
    rows = [
        {
            "slug": site.slug,
            "name": site.name,
            "kind": site.kind,
            "district": site.district,
            "lifecycle": site.lifecycle,
            "public": site.public,
            "routers": len(site.routers),
        }
        for site in inventory.sites.values()
        if site.slug in chosen
    ]
    output.show(rows, "site", ("slug", "name", "kind", "district", "lifecycle", "public", "routers"), form)


def list_routers(run: common.Run, select: common.Select = [], form: common.Output = None) -> None:  # noqa: B006
    """List the routers."""
    from wifimgr.inventory import select as selected

    columns = ("name", "site", "platform", "role", "operator", "manage", "lifecycle", "addresses")
    routers = selected(_load(run.folder()), select)
    least = ("operator", "lifecycle", "platform", "manage")
    rows = [{key: getattr(router, key) for key in columns} for router in routers]
    output.show(rows, "router", columns, form, least=least)


ROUTER_KEYS = (
    "name",
    "site",
    "addresses",
    "platform",
    "role",
    "operator",
    "manage",
    "lifecycle",
    "model",
    "room",
    "node_id",
    "behind",
    "tags",
    "ssh",
    "jump",
    "legacy_ssh",
    "snmp",
    "sources",
    "interval",
    "ports",
)
"""What ``router show`` shows of a router, besides its variables."""


def show_router(
    run: common.Run,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The router.")],
    form: common.Output = None,
) -> None:
    """Show every value of a router, and the line it comes from."""
    inventory = _load(run.folder())
    if name not in inventory.routers:
        hint = did_you_mean(name, inventory.routers, "'wifimgr router list'")
        raise ConfigError("unknown-name", f"there is no router '{name}'", hint=hint)
    output.show(_values(inventory.routers[name]), "value", ("key", "value", "origin"), form)


def _values(router: Router) -> list[output.Row]:
    values = {key: getattr(router, key) for key in ROUTER_KEYS}
    values["legacy_ssh"] = router.legacy_ssh or None  # told where it is so, and nowhere else
    values |= {f"vars.{name}": value for name, value in sorted(router.vars.items())}
    return [
        {"key": key, "value": value, "origin": str(router.origins.get(key, "built in"))}
        for key, value in values.items()
        if value or value is False or value == 0
    ]
