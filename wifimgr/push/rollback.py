"""Back to the snapshot: an ordinary push of the files that a router kept from before its last confirmed change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from wifimgr.errors import RouterError
from wifimgr.inventory import Inventory
from wifimgr.model import Change, Router, Touched
from wifimgr.platforms import PLATFORMS, platform_of
from wifimgr.platforms.programs import is_start_link, link_change, take_up
from wifimgr.push import script
from wifimgr.push.leave import has_traces
from wifimgr.push.plan import Plan, files_of, outcome_of, plan_of, taken_up
from wifimgr.push.ready import is_ours
from wifimgr.push.variables import known_secrets
from wifimgr.ssh import Connection, Deadline, KnownHosts

NO_SNAPSHOT: Mapping[str, tuple[str, str]] = {
    "never": ("wifimgr has confirmed no change on it", "there is nothing to go back to"),
    "secret": (
        "its last change replaced a secret, so no copy of the old files was kept",
        "write what you want into a playbook and apply it",
    ),
    "release": (
        "its snapshot belongs to another firmware, or an older wifimgr made it",
        "write what you want into a playbook and apply it",
    ),
    "damaged": ("its snapshot is not what it was", "write what you want into a playbook and apply it"),
    "pending": ("a change is still open on it; it is confirmed or goes back by itself", "wait two minutes"),
    "format": ("it holds state of a newer wifimgr", "use that wifimgr"),
}
"""What a router says when it has no snapshot to give, why that is so, and what to do."""


@dataclass(frozen=True, slots=True)
class Rollback:
    """The files of the last snapshot shall be there again."""

    title = "Rollback: back to the files from before the last confirmed change"
    what = "rollback"

    def command(self, router: str) -> str:
        """Asked again, it says whether there is anything left to do."""
        return f"wifimgr rollback {router}"

    def change(self, router: Router, connection: Connection, deadline: Deadline) -> Change:
        """What differs from the snapshot. Raises RouterError ``no-snapshot``."""
        platform = platform_of(router)
        then = _snapshot(router.name, connection, deadline)
        links = {path for path, mode in then.modes.items() if mode == script.LINK}
        links |= {path for path in then.files if is_start_link(path)}
        now = files_of(router, {*then.files, *platform.around(then.files)}, connection, deadline, links=links)
        secrets = self.secrets(router)
        restored = [
            link_change(path, now.files[path], after)
            if path in links
            else platform.restore(
                path, now.files[path], after, (now.modes.get(path, ""), then.modes.get(path, "")), secrets
            )
            for path, after in sorted(then.files.items())
        ]
        changed = tuple(each for each in restored if each.before != each.after or each.diff)
        change = Change(
            router=router.name,
            paths=changed,
            touched=tuple(Touched(f"/{each.path}", _text(each.before), _text(each.after)) for each in restored),
        )
        return taken_up(change, platform, now, (*platform.after(changed, back=True), *take_up(changed)))

    def secrets(self, router: Router) -> set[str]:
        """Those of its variables."""
        return known_secrets(router.vars)

    def change_after_steps(self, router: Router, connection: Connection, deadline: Deadline) -> Change:
        """The same: it has no steps."""
        return self.change(router, connection, deadline)


def plan_back(inventory: Inventory, known_hosts: KnownHosts, routers: Iterable[Router]) -> Plan:
    """Reads every router and finds out what its snapshot would change. Nothing is written anywhere.

    Nobody logs in to a router that keeps no snapshot: it is refused (``no-snapshot``).
    """
    wanted = tuple(routers)
    none = tuple(
        router.name for router in wanted if is_ours(router) and router.platform in PLATFORMS and not has_traces(router)
    )
    made = plan_of(Rollback(), inventory, known_hosts, (router for router in wanted if router.name not in none))
    return replace(made, outcomes=(*made.outcomes, *(outcome_of(name, _none_kept(name)) for name in none)))


def _none_kept(router: str) -> RouterError:
    what = "RouterOS is changed under its safe mode, which keeps nothing to go back to after a confirm"
    hint = "write what you want into a playbook and apply it, or take it back on the router (/undo, its own backup)"
    return RouterError("no-snapshot", what, where=router, hint=hint)


def _snapshot(router: str, connection: Connection, deadline: Deadline) -> script.Shown:
    call = script.snapshot()
    answer = script.Answer(router, call, connection.run(call.text, deadline))
    try:
        shown = script.read_show(answer)
    except script.Nothing as nothing:
        what, hint = NO_SNAPSHOT.get(nothing.why, (f"it gives no snapshot ({nothing.why})", "look at it by hand"))
        raise RouterError("no-snapshot", what, where=router, hint=hint) from None
    if not all(script.safe_path(path) for path in shown.files):
        raise answer.bad("its snapshot holds a path that no push could have made")
    return shown


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "surrogateescape")
