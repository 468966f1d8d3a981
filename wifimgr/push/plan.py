"""The plan: what a playbook would change on which router, found out by reading and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from wifimgr.errors import ConfigError, Problem, Refused, RouterError, WifimgrError, collecting
from wifimgr.inventory import Inventory, select
from wifimgr.model import Change, Manage, Outcome, Result, Router
from wifimgr.platforms import platform_of
from wifimgr.push import script
from wifimgr.push.playbook import Playbook, Wishes
from wifimgr.push.ready import IN_USE, is_ours, merged
from wifimgr.ssh import Connection, Deadline, KnownHosts, connect, target_of

log = logging.getLogger(__name__)

AT_ONCE = 16
"""Routers that are read at the same time."""
READ_SECONDS = 20.0
"""What reading one router may take, login included."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done: a change per router that can be read, an outcome per router that cannot be changed."""

    playbook: Playbook
    changes: tuple[Change, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def to_do(self) -> tuple[Change, ...]:
        """The changes that do something."""
        return tuple(change for change in self.changes if change.paths)

    @property
    def already_right(self) -> tuple[str, ...]:
        """The routers that need nothing."""
        return tuple(change.router for change in self.changes if not change.paths)


def choose(inventory: Inventory, playbook: Playbook, selectors: Sequence[str]) -> list[Router]:
    """The routers that the playbook is for and that were selected.

    Without a selector, what is only watched or not in use is left out silently; a router that was asked for stays in,
    so that it can be refused loudly. Raises ConfigError ``nothing-selected``, and Refused ``watch-only`` where nothing
    but watched routers is left.
    """
    selected = select(inventory, selectors)
    chosen = [router for router in selected if playbook.where.matches(inventory, router)]
    ours = [router for router in chosen if is_ours(router)]
    found = chosen if selectors else ours
    if found:
        return found
    meant = chosen or selected
    if all(router.manage is Manage.WATCH for router in meant):
        guard(inventory, meant[0])
    what = f"no selected router fits the playbook's 'where: {playbook.file.where}'"
    raise ConfigError("nothing-selected", what, hint="see 'wifimgr router list'")


def guard(inventory: Inventory, router: Router) -> None:
    """Raises Refused for a router that must not be changed: ``watch-only``, ``wrong-platform``."""
    if router.manage is not Manage.PUSH:
        operator = inventory.network.operators[router.operator].name
        what = f"it belongs to {operator}; we watch it and never change it"
        raise Refused("watch-only", what, where=router.name, hint="leave it out with -s manage=push")
    platform_of(router)


def make_plan(inventory: Inventory, known_hosts: KnownHosts, playbook: Playbook, routers: Iterable[Router]) -> Plan:
    """Reads every router and finds out what would change. Nothing is written anywhere.

    Raises ConfigError where the playbook itself is wrong (a variable or a secret is missing); what goes wrong with a
    single router becomes its outcome, and the others go on.
    """
    outcomes: list[Outcome] = []
    ready: list[tuple[Router, Wishes]] = []
    problems: list[Problem] = []
    for router in routers:
        refused = _refusal(inventory, router)
        if refused:
            outcomes.append(refused)
            continue
        with collecting(problems):
            ready.append((router, playbook.wishes(router)))
    if problems:
        raise ConfigError.of(merged(problems))

    def read(item: tuple[Router, Wishes]) -> Change | Outcome:
        router, wishes = item
        deadline = Deadline(READ_SECONDS)
        try:
            with connect(target_of(inventory, known_hosts, router), deadline) as connection:
                return change_for(playbook, router, wishes, connection, deadline)
        except Exception as error:
            if isinstance(error, ConfigError) and error.id != "bad-wish":  # concerns all routers alike
                raise
            return outcome_of(router.name, error)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(read, ready))
    changes = tuple(item for item in found if isinstance(item, Change))
    return Plan(playbook, changes, (*outcomes, *(item for item in found if isinstance(item, Outcome))))


def _refusal(inventory: Inventory, router: Router) -> Outcome | None:
    """Why a router is not even read; None: it may be changed."""
    try:
        guard(inventory, router)
    except Refused as error:
        return outcome_of(router.name, error)
    if router.lifecycle not in IN_USE:
        return Outcome(router.name, Result.SKIPPED, f"its lifecycle is {router.lifecycle}")
    return None


def change_for(
    playbook: Playbook, router: Router, wishes: Wishes, connection: Connection, deadline: Deadline
) -> Change:
    """Reads one router over an open connection and works out what would change there."""
    platform = platform_of(router)
    paths = sorted({*platform.paths(wishes.edits), *platform.IDENTITY, *platform.paths_of_checks(wishes.checks)})
    call = script.show(paths)
    answer = script.Answer(router.name, call, connection.run(call.text, deadline))
    shown = script.read_show(answer)
    if set(paths) - shown.files.keys():
        raise answer.bad("it does not say what its files are")
    if shown.open_change:
        what = f"a change is still open on it ({shown.open_change}); it is confirmed or goes back by itself"
        raise RouterError("router-refused", what, where=router.name, hint="wait two minutes and try again")
    platform.check_identity(router.name, shown.files)
    changed, touched = platform.render(router.name, wishes.edits, shown.files, shown.modes)
    files = {**shown.files, **{change.path: change.after for change in changed}}
    return Change(
        router=router.name,
        paths=changed,
        touched=touched,
        checks=platform.checks_as_wished(wishes.checks, files),
        interrupts=playbook.file.interrupts if changed else {},
        connectivity=platform.touches_connectivity(changed),
    )


_RESULTS = {
    "unreachable": Result.UNREACHABLE,
    "unconfirmed": Result.UNREACHABLE,
    "rolled-back": Result.ROLLED_BACK,
    "router-refused": Result.REFUSED,
    "moved-since-plan": Result.REFUSED,
}


def outcome_of(router: str, error: Exception) -> Outcome:
    """An error with one router as its outcome. A bug of ours is kept with its traceback and stops no other router."""
    if not isinstance(error, WifimgrError):
        log.error("%s", router, exc_info=error)
        what = f"this is a bug in wifimgr: {type(error).__name__}; the router goes back by itself if it was touched"
        return Outcome(router, Result.FAILED, what, "please report it, with .wifimgr/wifimgr.log", "bug")
    default = Result.REFUSED if isinstance(error, Refused) else Result.FAILED
    return Outcome(router, _RESULTS.get(error.id, default), error.what, error.hint, error.id)
