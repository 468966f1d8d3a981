"""Whether playbooks can be made ready for the routers they are for: told from files alone, no secret is fetched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from wifimgr.errors import Problem
from wifimgr.inventory import Inventory
from wifimgr.model import Lifecycle, Manage, Router
from wifimgr.push.playbook import Playbook

IN_USE = (Lifecycle.ACTIVE, Lifecycle.MAINTENANCE)
MOST_NAMES = 3
"""Routers that one message names."""


def is_ours(router: Router) -> bool:
    """Whether a push may change the router as things are."""
    return router.manage is Manage.PUSH and router.lifecycle in IN_USE


def problems(inventory: Inventory, playbooks: Iterable[Playbook], routers: Iterable[Router]) -> list[Problem]:
    """Everything that keeps playbooks from being made ready for those of ``routers`` that they are for.

    What is missing depends only on which of its variables a router has and of which type, so it is worked out once for
    all routers that are alike in this.
    """
    ours = [router for router in routers if is_ours(router)]
    found: list[Problem] = []
    for playbook in playbooks:
        where, used = playbook.where, sorted(playbook.uses())
        known: dict[tuple[type, ...], list[Problem]] = {}
        if any(where.matches(inventory, router) for router in ours):
            found += unasked(inventory, playbook)
        for router in ours:
            if not where.matches(inventory, router):
                continue
            types = tuple(type(router.vars.get(name)) for name in used)
            if types not in known:
                known[types] = playbook.problems(router)
            found += (replace(problem, key=router.name) for problem in known[types])
    return merged(found)


def unasked(inventory: Inventory, playbook: Playbook) -> list[Problem]:
    """The checks that want the internet to be reached, where the network says of nothing that it may be asked for."""
    if inventory.network.internet:
        return []
    what, hint = "nothing in the internet may be asked for", "add 'internet: {dns: …, http: …}' to network.yaml"
    asking = [index for index, check in enumerate(playbook.file.checks) if "internet" in check]
    return [playbook.document.problem("bad-wish", ("checks", index), what, hint) for index in asking]


def merged(problems: Iterable[Problem]) -> list[Problem]:
    """The same problem of many routers as one, which names the first of them."""
    keys: dict[Problem, list[str]] = {}
    for problem in problems:
        keys.setdefault(replace(problem, key=""), []).append(problem.key)
    return [replace(problem, key=_some(names)) for problem, names in keys.items()]


def _some(names: Sequence[str]) -> str:
    different = list(dict.fromkeys(names))
    more = f" and {len(different) - MOST_NAMES} more" if len(different) > MOST_NAMES else ""
    return ", ".join(different[:MOST_NAMES]) + more
