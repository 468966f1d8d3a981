"""From a proposal to files: new sites get a file of their own, newcomers to others stand at the end of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wifimgr.inventory import compose
from wifimgr.inventory.compose import VARS
from wifimgr.inventory.edit import Edits, site_file
from wifimgr.inventory.importers.places import UNPLACED, Newcomer, Place
from wifimgr.inventory.importers.propose import Proposal
from wifimgr.inventory.load import Inventory
from wifimgr.inventory.schema import FIRST_LINE
from wifimgr.settings import NETWORK_FILE
from wifimgr.yamltext import inline

NEW_SITE = f"""\
{FIRST_LINE}
# Proposed by an import: give the place its real name and kind. It is on no public page, its routers are only watched.
"""
_ELSE = {"platform": "other", "role": "access-point"}
"""What every router needs, where neither the file nor our defaults tell: with this platform it is only watched."""

Inherited = Mapping[str, Any]
"""What a router has already from its site and from the defaults."""


def write(proposal: Proposal, inventory: Inventory) -> None:
    """Write a proposal into the network folder, all of it or nothing.

    Raises ConfigError for what would be wrong then, and for a file that a command cannot edit.
    """
    edits = Edits(inventory.network.folder)
    if proposal.new_operator:
        edits.file(NETWORK_FILE).set(("operators", proposal.operator), {"name": "Others", "manage": "watch"})
    defaults = {name: _written(each.value) for name, each in compose.defaults(inventory.network).items()}
    for place in proposal.places:
        shown = site_file(place.slug)
        if place.new:
            head = _head(place, proposal.operator, defaults)
            edits.create(shown, _new_file(head, _entries(place, proposal.operator, {**defaults, **head})))
        else:
            file = edits.file(shown)
            inherited = _at_site(inventory, shown, file.text)
            file.add(("routers",), _entries(place, proposal.operator, inherited))
    edits.write()


def _new_file(head: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]) -> str:
    """The text of a new site's file, written as people write one."""
    lines = [f"{key}: {inline(value)}" for key, value in head.items()]
    lines += ["", "routers:"]
    for name, entry in entries.items():
        below = [f"    {key}: {inline(value)}" for key, value in entry.items()]
        lines += [f"  {name}:", *below] if below else [f"  {name}: {{}}"]
    return NEW_SITE + "\n".join(lines) + "\n"


def _at_site(inventory: Inventory, shown: str, text: str) -> dict[str, Any]:
    values = compose.inherited(inventory.network, shown, text)
    return {name: _written(value) for name, value in values.items()}


def _written(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _head(place: Place, operator: str, defaults: Inherited) -> dict[str, Any]:
    """What stands above the routers of a new site.

    Whose they are does not stand above those that are still to be sorted: ``router move`` takes along only what stands
    at the router itself, and at a place of ours it would become ours.
    """
    position = place.position
    said = operator == defaults.get("operator") or place.slug == UNPLACED
    told = {
        "name": place.name,
        "kind": "other",
        "district": place.district,
        "position": list(position) if position else None,
        "operator": None if said else operator,
    }
    return {key: value for key, value in told.items() if value}


def _entries(place: Place, operator: str, inherited: Inherited) -> dict[str, dict[str, Any]]:
    return {router.name: _entry(router, operator, inherited) for router in place.routers}


HARMLESS = ("respondd", "ping", "map")
"""Sources that send no secret: a file that somebody else wrote never decides where our keys and communities go."""


def _entry(router: Newcomer, operator: str, inherited: Inherited) -> dict[str, Any]:
    """What stands at a router: only what differs from what it has already from its site and from the defaults."""
    found = router.found
    needed = {key: getattr(found, key) or inherited.get(key) or other for key, other in _ELSE.items()}
    wanted = list(found.sources) or inherited.get("sources", [])
    sources = wanted and ([source for source in wanted if source in HARMLESS] or ["ping"])
    reached = found.addresses or not set(wanted) - {"map"}
    told = {
        "operator": operator,
        **needed,
        "model": found.model,
        "addresses": list(found.addresses),
        "node_id": found.node_id,
        "room": found.room,
        "tags": list(found.tags),
        "sources": sources if reached else ["map"],
    }
    entry = {key: value for key, value in told.items() if value and value != inherited.get(key)}
    variables = {
        name: _written(value)
        for name, value in found.vars.items()
        if repr(_written(value)) != repr(inherited.get(VARS + name))  # 1 is not true
    }
    private = {"contact": found.contact} if found.contact else {}
    return entry | ({"vars": variables} if variables else {}) | ({"private": private} if private else {})
