"""Takes everything that is wifimgr's own away from a router; its configuration stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from wifimgr.errors import RouterError
from wifimgr.inventory import Inventory
from wifimgr.model import Manage, Outcome, Result, Router
from wifimgr.platforms import PLATFORMS
from wifimgr.push import script
from wifimgr.push.journal import Journalled
from wifimgr.push.patience import READ_SECONDS
from wifimgr.push.plan import AT_ONCE, guard, outcome_of
from wifimgr.ssh import Deadline, KnownHosts, connect, target_of
from wifimgr.store import Store

WHAT = "forget: remove wifimgr"

REFUSED: Mapping[str, tuple[str, str]] = {
    "busy": ("another push is running on it right now", "wait for it to end"),
    "pending": ("a change is still open on it; it is confirmed or goes back by itself", "wait two minutes"),
    "format": ("it holds state of a newer wifimgr", "use that wifimgr"),
    "io": ("not everything could be removed: its flash cannot be written to", "reboot it once, then try again"),
}
"""What a router says when it does not let wifimgr leave, why, and what to do."""


def has_traces(router: Router) -> bool:
    """Whether wifimgr may have left anything on a router: not where it cannot change anything, and not where a change
    is made under the router's own safe mode."""
    ours = router.manage is Manage.PUSH and router.platform in PLATFORMS
    return ours and not PLATFORMS[router.platform].SAFE_MODE


@dataclass(frozen=True, slots=True)
class Leaver:
    """What leaving all routers of one command shares."""

    inventory: Inventory
    known_hosts: KnownHosts
    store: Store
    why: str
    say: Callable[[str, str], None]
    """Called with a router and what happens to it now."""

    def leave_all(self, routers: Iterable[Router]) -> list[Outcome]:
        """Leaves many routers at the same time."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(self.leave, routers))

    def leave(self, router: Router) -> Outcome:
        """Leaves one router; never raises for what goes wrong with it."""
        try:
            guard(self.inventory, router)
            if not has_traces(router):
                return Outcome(router.name, Result.ALREADY_RIGHT, "wifimgr leaves nothing on RouterOS to forget")
            return Journalled(self.store, WHAT, self.why, self.say).run(
                router.name, 2 * READ_SECONDS, "", lambda: self._leave(router)
            )
        except Exception as error:
            return outcome_of(router.name, error)

    def _leave(self, router: Router) -> Outcome:
        deadline = Deadline(READ_SECONDS)
        call = script.leave()
        with connect(target_of(self.inventory, self.known_hosts, router), deadline) as connection:
            answer = script.Answer(router.name, call, connection.run(call.text, deadline))
        try:
            script.read_leave(answer)
        except script.Nothing as nothing:
            if nothing.why == "there":
                return Outcome(router.name, Result.ALREADY_RIGHT, "no trace of wifimgr was there")
            what, hint = REFUSED.get(nothing.why, (f"it refuses ({nothing.why})", "look at it by hand"))
            raise RouterError("router-refused", what, where=router.name, hint=hint) from None
        return Outcome(router.name, Result.DONE)
