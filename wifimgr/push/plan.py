"""The plan: what a playbook would change on which router, found out by reading and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Protocol

from wifimgr.errors import ConfigError, Problem, Refused, RouterError, WifimgrError, collecting
from wifimgr.inventory import Inventory, select
from wifimgr.model import Change, Manage, Outcome, Result, Router
from wifimgr.platforms import check_carried, keys, platform_of
from wifimgr.platforms.edits import NOTHING_ASKED, Questions, UciEdit
from wifimgr.platforms.programs import may_cut
from wifimgr.push import opening, script
from wifimgr.push.absent import all_explained
from wifimgr.push.patience import READ_SECONDS
from wifimgr.push.playbook import Playbook, Wishes
from wifimgr.push.ready import IN_USE, is_ours, merged, unasked
from wifimgr.settings import Endpoint
from wifimgr.sources.ubus import GUESTS, network_of_guests
from wifimgr.ssh import Connection, Deadline, KnownHosts, connect, console, target_of

log = logging.getLogger(__name__)

AT_ONCE = 16
"""Routers that are read at the same time."""


class Job(Protocol):
    """What shall be done to routers, and how to find out what that would change on one of them."""

    @property
    def title(self) -> str:
        """For people: what it is."""

    @property
    def what(self) -> str:
        """For the journal."""

    def command(self, router: str) -> str:
        """The command that tells later how a router stands."""

    def change(self, router: Router, connection: Connection, deadline: Deadline) -> Change:
        """Reads one router over an open connection and works out what would change there."""

    def change_after_steps(self, router: Router, connection: Connection, deadline: Deadline) -> Change:
        """The same once its steps were done, which may have brought files that no plan knew of."""

    def secrets(self, router: Router) -> set[str]:
        """What nobody shall see who looks at what a router says, as far as it is known here."""


@dataclass(frozen=True, slots=True)
class PlaybookJob:
    """A playbook shall be true."""

    playbook: Playbook
    guests: str = GUESTS
    """The network of routers that guests are in."""

    @property
    def title(self) -> str:
        """Its name, and what it is about."""
        return f"{self.playbook.file.name}: {self.playbook.file.about}"

    @property
    def what(self) -> str:
        """Its name, as in a command."""
        return f"playbook {self.playbook.slug}"

    def command(self, router: str) -> str:
        """A new plan."""
        return f"wifimgr plan {self.playbook.slug} -s {router}"

    def change(self, router: Router, connection: Connection, deadline: Deadline) -> Change:
        """What differs from the wishes."""
        return change_for(self.playbook, router, self.playbook.wishes(router), connection, deadline, self.guests)

    def change_after_steps(self, router: Router, connection: Connection, deadline: Deadline) -> Change:
        """What differs from the wishes then."""
        return self.change(router, connection, deadline)

    def secrets(self, router: Router) -> set[str]:
        """Those of the variables of the router, and of its own."""
        return self.playbook.secrets(router)


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done: a change per router that can be read, an outcome per router that cannot be changed."""

    job: Job
    changes: tuple[Change, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def to_do(self) -> tuple[Change, ...]:
        """The changes that do something."""
        return tuple(change for change in self.changes if change.anything)

    @property
    def already_right(self) -> tuple[str, ...]:
        """The routers that need nothing."""
        return tuple(change.router for change in self.changes if not change.anything)


def with_undo(made: Plan) -> Plan:
    """The plan without the changes that hold something that no router can take back: those are refused."""
    refused = tuple(_no_undo(change) for change in made.changes if change.steps)
    changes = tuple(change for change in made.changes if not change.steps)
    return replace(made, changes=changes, outcomes=(*made.outcomes, *refused))


def _no_undo(change: Change) -> Outcome:
    return outcome_of(change.router, no_undo(change))


def no_undo(change: Change) -> Refused:
    """Why a change is refused unless somebody allows what has no undo."""
    steps = ", ".join(step.what for step in change.steps)
    what = f"no router takes this back by itself: {steps}; nothing was changed"
    return Refused("no-undo", what, where=change.router, hint="say --allow-no-undo if you want it even so")


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


def make_plan(
    inventory: Inventory,
    known_hosts: KnownHosts,
    playbook: Playbook,
    routers: Iterable[Router],
    meant: Callable[[Job], Job] = lambda job: job,
) -> Plan:
    """Reads every router and finds out what would change. Nothing is written anywhere.

    ``meant`` says what becomes of the job that the playbook shall be true.
    Raises ConfigError where the playbook itself is wrong (a variable or a secret is missing); what goes wrong with a
    single router becomes its outcome, and the others go on.
    """
    problems: list[Problem] = [*unasked(inventory, playbook)]
    wanted = tuple(routers)
    for router in wanted:
        if not _refusal(inventory, router):
            with collecting(problems):
                playbook.wishes(router)
    if problems:
        raise ConfigError.of(merged(problems))
    guests = network_of_guests(inventory.network.internet)
    return plan_of(meant(PlaybookJob(playbook, guests)), inventory, known_hosts, wanted)


def plan_of(job: Job, inventory: Inventory, known_hosts: KnownHosts, routers: Iterable[Router]) -> Plan:
    """Reads every router and finds out what a job would change there. Nothing is written anywhere."""
    ready: list[Router] = []
    outcomes: list[Outcome] = []
    for router in routers:
        refused = _refusal(inventory, router)
        if refused:
            outcomes.append(refused)
        else:
            ready.append(router)

    def read(router: Router) -> Change | Outcome:
        deadline = Deadline(READ_SECONDS)
        try:
            opened = console if platform_of(router).SAFE_MODE else connect
            with opened(target_of(inventory, known_hosts, router), deadline) as connection:
                return job.change(router, connection, deadline)
        except Exception as error:
            if isinstance(error, ConfigError) and error.id != "bad-wish":  # concerns all routers alike
                raise
            return outcome_of(router.name, error)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(read, ready))
    changes = tuple(item for item in found if isinstance(item, Change))
    outcomes += (item for item in found if isinstance(item, Outcome))
    return Plan(job, changes, all_explained(inventory, outcomes, opening.now()))


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
    playbook: Playbook,
    router: Router,
    wishes: Wishes,
    connection: Connection,
    deadline: Deadline,
    guests: str = GUESTS,
) -> Change:
    """Reads one router over an open connection and works out what would change there.

    ``guests`` is the network of the router that guests are in.
    """
    platform = platform_of(router)
    check_carried(router, wishes.edits)
    if platform.SAFE_MODE:
        return _menu_change(playbook, router, wishes, connection, deadline)
    paths = {*platform.paths(wishes.edits), *platform.paths_of_checks(wishes.checks)}
    shown = files_of(router, paths, connection, deadline, asked=platform.questions(wishes.edits))
    changed, touched = platform.render(router.name, wishes.edits, shown.files, shown.modes)
    work = platform.work(wishes.edits, shown.told, changed)
    files = {**shown.files, **{change.path: change.after for change in changed}}
    change = Change(
        router=router.name,
        paths=(*changed, *work.links),
        touched=(*touched, *work.touched),
        steps=work.steps,
        loses_key=keys.loses(changed, connection.key),
        checks=platform.checks_as_wished(wishes.checks, files, guests),
        interrupts=playbook.file.interrupts if changed or work.links or work.steps or work.after else {},
    )
    made = taken_up(change, platform, shown, (*platform.after(changed), *work.after))
    return replace(made, seen=_seen(wishes, shown, made))


def _seen(wishes: Wishes, shown: script.Shown, change: Change) -> dict[str, bytes | None] | None:
    """What a change depends on besides the files that are its own; None: it is more than the bytes of files.

    UCI wishes read nothing else; other tasks ask for modes of files, for services and packages.
    """
    if not all(isinstance(edit, UciEdit) for edit in wishes.edits):
        return None
    own = {path.path for path in (*change.paths, *change.kept)}
    return {path: raw for path, raw in shown.files.items() if path not in own}


def taken_up(change: Change, platform: ModuleType, shown: script.Shown, after: tuple[str, ...]) -> Change:
    """The change with all that taking it up means for a router. ``after`` is what it needs besides a reload."""
    kept = platform.kept(change.paths, shown.files, shown.modes)
    return replace(
        change,
        connectivity=platform.touches_connectivity(change.paths) or may_cut(after),
        radar=platform.radar_seconds((*change.paths, *kept)),
        interrupts=change.interrupts or (platform.INTERRUPTS if kept else {}),
        takes=platform.TAKES if kept else 0.0,
        settles=platform.SETTLES if kept else 0.0,
        kept=kept,
        after=after,
    )


def _menu_change(
    playbook: Playbook, router: Router, wishes: Wishes, connection: Connection, deadline: Deadline
) -> Change:
    """The same on a router that is a tree of menus and no file system."""
    platform = platform_of(router)
    checks = platform.checks_as_wished(wishes.checks)
    platform.check_identity(router.name, connection, deadline)
    menus = platform.read(router.name, wishes.edits, connection, deadline)
    changed, touched = platform.render(router.name, wishes.edits, menus)
    return Change(
        router=router.name,
        paths=changed,
        touched=touched,
        checks=checks,
        interrupts=playbook.file.interrupts if changed else {},
        connectivity=platform.touches_connectivity(changed),
        commands=platform.commands(wishes.edits, menus),
    )


def endpoints(inventory: Inventory, change: Change) -> tuple[Endpoint, Endpoint]:
    """Where a router is reached before and after a change."""
    router = inventory.routers[change.router]
    now = inventory.network.endpoint(router, "ssh")
    return now, platform_of(router).endpoint_after(change.paths, now)


def caution(inventory: Inventory, change: Change) -> str:
    """What nobody should expect of the platform of a router; empty: nothing special."""
    return str(platform_of(inventory.routers[change.router]).CAUTION)


def moved(router: str, planned: Change, now: Change) -> Outcome:
    """What becomes of a push when a router is not any more what its plan was made on."""
    before = {touched.what: touched.before for touched in planned.touched}
    found = [touched.what for touched in now.touched if before.get(touched.what) != touched.before]
    what = f"changed since the plan: {', '.join(found) or 'what is wished'}"
    return Outcome(router, Result.REFUSED, what, "look at a new plan", "moved-since-plan")


def moved_meanwhile(router: str, planned: Change, now: Change) -> Outcome | None:
    """The same once the steps of a change were done; None: nobody but they has changed what is wished.

    What was not there before may have come with them, and services come with packages. Where an option or a file had
    a value, it has to have that still, or the one that is wished.
    """
    before = {each.what: each.before for each in planned.touched if not each.what.startswith(("service ", "package "))}
    now_others = [
        each
        for each in now.touched
        if before.get(each.what) is not None and each.before not in (before[each.what], each.after)
    ]
    return moved(router, planned, replace(now, touched=tuple(now_others))) if now_others else None


def files_of(
    router: Router,
    paths: Iterable[str],
    connection: Connection,
    deadline: Deadline,
    ours: str = "",
    asked: Questions = NOTHING_ASKED,
    links: Collection[str] = (),
) -> script.Shown:
    """Reads files of a router; of a folder, whose path ends with a slash, all that are in it. And asks it questions.

    Raises RouterError where a change other than ``ours`` is open, and for a link that is none of ``links`` or the
    other way round; Refused where it is of another platform.
    """
    platform = platform_of(router)
    wanted = sorted({*paths, *platform.IDENTITY})
    call = script.show(wanted, asked)
    answer = script.Answer(router.name, call, connection.run(call.text, deadline))
    shown = script.read_show(answer)
    if asked:
        shown = replace(shown, told=script.read_told(answer, asked))
    for path, mode in shown.modes.items():
        if (mode == script.LINK) != (path in links):
            raise script.no_file(router.name, path)
    folders = tuple(path for path in wanted if path.endswith("/"))
    found = shown.files.keys() - wanted
    if {*wanted} - {*shown.files, *folders} or not all(
        path.startswith(folders) and script.safe_path(path) for path in found
    ):
        raise answer.bad("it does not say what its files are")
    if shown.open_change and shown.open_change != f"pending.{ours}":
        what = f"a change is still open on it ({shown.open_change}); it is confirmed or goes back by itself"
        raise RouterError("router-refused", what, where=router.name, hint="wait two minutes and try again")
    platform.check_identity(router.name, shown.files)
    return shown


_RESULTS = {
    "unreachable": Result.UNREACHABLE,
    "unconfirmed": Result.UNREACHABLE,
    "rolled-back": Result.ROLLED_BACK,
    "router-refused": Result.REFUSED,
    "moved-since-plan": Result.REFUSED,
    "no-snapshot": Result.REFUSED,
    "open-now": Result.SKIPPED,
}


def outcome_of(router: str, error: Exception) -> Outcome:
    """An error with one router as its outcome. A bug of ours is kept with its traceback and stops no other router."""
    if not isinstance(error, WifimgrError):
        log.error("%s", router, exc_info=error)
        what = f"this is a bug in wifimgr: {type(error).__name__}; the router goes back by itself if it was touched"
        return Outcome(router, Result.FAILED, what, "please report it, with .wifimgr/wifimgr.log", "bug")
    default = Result.REFUSED if isinstance(error, Refused) else Result.FAILED
    what = f"{error.where}: {error.what}" if isinstance(error, ConfigError) and error.where else error.what
    return Outcome(router, _RESULTS.get(error.id, default), what, error.hint, error.id)
