"""The first half of the demo: a change that goes well, and three that do not."""

from __future__ import annotations

import threading
from collections.abc import Collection

from wifimgr.cli import output
from wifimgr.cli.stage import Stage
from wifimgr.errors import LabError, Refused
from wifimgr.lab import SimulatedRouter
from wifimgr.model import Change, Manage, Outcome, Result
from wifimgr.push import opening
from wifimgr.push.apply import Pusher
from wifimgr.push.fleet import push_all
from wifimgr.push.plan import Plan, PlaybookJob, choose, make_plan
from wifimgr.push.playbook import load as load_playbook
from wifimgr.settings import Rollout

PLAYBOOK = "guest-wifi"
TROUBLE = 3
"""Routers with which something goes wrong."""
SHOWN_FILE = "etc/config/wireless"
ALL_AT_ONCE = Rollout(canary=0, stop_after=0, while_open=True)
"""Whatever goes wrong, and at any hour."""


class PushStory:
    """Plan, push, push again, and push with trouble."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.playbook = load_playbook(stage.folder, PLAYBOOK)

    def tell(self) -> None:
        """Tells it from beginning to end."""
        self.stage.title("What would change?")
        self.stage.say(f"wifimgr plan {PLAYBOOK}", "dim")
        plan = self._plan()
        at = opening.now()
        waiting = {each.router: why for each in plan.to_do if (why := opening.waits(self.stage.inventory, each, at))}
        trouble, well = _cast(plan, waiting)
        go, held = [[each for each in well if (each.router in waiting) is held] for held in (False, True)]
        if not go:
            go, held = held, go
        self._push(go, held)
        self._push_again(go)
        self._push_with_trouble(trouble)
        self._push_after_trouble(trouble, held)
        self._refuse_watched()
        self._read_journal()

    def _plan(self) -> Plan:
        routers = choose(self.stage.inventory, self.playbook, [])
        plan = make_plan(self.stage.inventory, self.stage.known_hosts, self.playbook, routers)
        if len(plan.to_do) < 4:
            raise LabError("lab-failed", f"the demo needs four routers that '{PLAYBOOK}' would change", hint="add some")
        shown = plan.to_do[0]
        for line in _diff_of(shown, SHOWN_FILE):
            self.stage.console.print(f"      {line}", style=output.diff_style(line), markup=False)
        others = [f"/{path.path}" for path in shown.paths if path.path != SHOWN_FILE]
        self.stage.say(f"That is {shown.router}; there, {', '.join(others)} would change too.")
        self.stage.check(
            not plan.outcomes, f"{len(plan.to_do)} routers would change, and none was touched", "not all could be read"
        )
        return plan

    def _push(self, changes: list[Change], held: list[Change]) -> None:
        self.stage.title(f"Change {len(changes)} of them: one alone, then what is behind another router first")
        self.stage.say(f"wifimgr apply {PLAYBOOK}", "dim")
        self.stage.say("About fifteen seconds: each one settles, then has to let us in twice. Three are for step 4.")
        ended = self._apply([*changes, *held], Rollout(while_open=not held))
        self._check_held([outcome for outcome in ended if outcome.error_id == "open-now"], held)
        outcomes = [outcome for outcome in ended if outcome.error_id != "open-now"]
        first = outcomes[0].router
        self.stage.say(f"{first} went first: had it not been confirmed, no other would have been touched.")
        done = [outcome.router for outcome in outcomes if outcome.result is Result.DONE]
        arrived = all(
            self.stage.lab.routers[each.router].read(path.path) == path.after
            for each in changes
            for path in each.paths
            if path.after is not None
        )
        self.stage.check(
            len(done) == len(changes), f"{len(done)} routers confirmed over new logins", "a push was not confirmed"
        )
        self.stage.check(
            arrived, "their files are what the plan said, byte for byte", "a file is not what the plan said"
        )

    def _check_held(self, waiting: list[Outcome], held: list[Change]) -> None:
        """What people would notice is not done to them while their place is open."""
        if not held:
            return
        names = {each.router for each in held}
        untouched = all(
            self.stage.lab.routers[each.router].read(path.path) == path.before for each in held for path in each.paths
        )
        self.stage.check(
            untouched and {outcome.router for outcome in waiting} == names,
            f"{', '.join(sorted(names))} not touched: {waiting[0].why if waiting else ''}; step 5 does not wait",
            f"a place is open, but {', '.join(sorted(names))} did not wait",
        )

    def _push_again(self, changes: list[Change]) -> None:
        self.stage.title("The same once more")
        self.stage.say(f"wifimgr apply {PLAYBOOK}", "dim")
        names = [each.router for each in changes]
        before = {name: self.stage.lab.routers[name].inodes() for name in names}
        again = make_plan(
            self.stage.inventory,
            self.stage.known_hosts,
            self.playbook,
            [self.stage.inventory.routers[name] for name in names],
        )
        untouched = before == {name: self.stage.lab.routers[name].inodes() for name in names}
        self.stage.check(
            len(again.already_right) == len(names), "nothing to do", "the second push would change something"
        )
        self.stage.check(
            untouched, "not one file was written: same inodes, same times", "a second push wrote to a router"
        )

    def _push_with_trouble(self, trouble: list[Change]) -> None:
        cut_off, late, dark = (self.stage.lab.routers[each.router] for each in trouble)
        self.stage.title("Now three pushes go wrong")
        self.stage.say(f"{cut_off.name}: loses its link by the change")
        self.stage.say(f"{late.name}: loses its link too, but only after one more good login")
        self.stage.say(f"{dark.name}: loses its power before the change is confirmed")
        cut_off.misbehave("lockout")
        late.misbehave("lockout-login")
        dark.misbehave("power-cut")
        before = {router.name: router.flash() for router in (cut_off, late, dark)}
        ends = {outcome.router: outcome for outcome in self._apply(trouble, ALL_AT_ONCE)}
        guarded = dark.flash_at_boot == before[dark.name]
        self.stage.check(
            guarded,
            f"{dark.name}: its guard put the old files back before its network came up",
            f"the guard did not bring {dark.name} back at boot",
        )
        self._check_back(
            cut_off, before, ends, "the dead man's switch", "went back by itself when nobody could confirm"
        )
        self._check_back(late, before, ends, "the second login", "the second login failed, so it was not confirmed")
        self._check_back(dark, before, ends, "the guard", "its old files are back, byte for byte")
        for router in (cut_off, late, dark):
            router.misbehave("")

    def _push_after_trouble(self, trouble: list[Change], held: list[Change]) -> None:
        too = f", and {len(held)} where a place is open" if held else ""
        self.stage.title(f"The trouble is over: the same three once more{too}")
        self.stage.say(f"wifimgr apply {PLAYBOOK} --while-open", "dim")
        results = {outcome.result for outcome in self._apply([*trouble, *held], ALL_AT_ONCE)}
        self.stage.check(results == {Result.DONE}, "confirmed", "a router that went back cannot be changed any more")

    def _check_back(
        self,
        router: SimulatedRouter,
        before: dict[str, dict[str, bytes]],
        ends: dict[str, Outcome],
        part: str,
        told: str,
    ) -> None:
        same = router.flash() == before[router.name]
        result = ends[router.name].result
        fine = same and result is Result.ROLLED_BACK
        where = "its old files are back" if same else "its old files are NOT back"
        self.stage.check(fine, f"{router.name}: {told}", f"{part} did not save {router.name} ({result}, {where})")

    def _refuse_watched(self) -> None:
        watched = next((each for each in self.stage.inventory.routers.values() if each.manage is Manage.WATCH), None)
        if watched is None:
            return
        operator = self.stage.inventory.network.operators[watched.operator].name
        self.stage.title(f"A router of {operator}: we watch it, we never change it")
        self.stage.say(f"wifimgr apply {PLAYBOOK} -s {watched.name}", "dim")
        try:
            meant = choose(self.stage.inventory, self.playbook, [watched.name])
            plan = make_plan(self.stage.inventory, self.stage.known_hosts, self.playbook, meant)
            refused = next((each.why for each in plan.outcomes if each.result is Result.REFUSED), "")
        except Refused as error:
            refused = error.what
        self.stage.check(bool(refused), f"refused: {refused}", f"{watched.name} is only watched, but was not refused")

    def _read_journal(self) -> None:
        entries = self.stage.store.entries()
        counts = {
            result: sum(entry.result == result for entry in entries) for result in (Result.DONE, Result.ROLLED_BACK)
        }
        self.stage.title("What the journal says")
        self.stage.say("wifimgr journal list", "dim")
        self.stage.say(", ".join(f"{number} {result}" for result, number in counts.items()))

    def _apply(self, changes: list[Change], rollout: Rollout) -> list[Outcome]:
        stop = threading.Event()
        job = PlaybookJob(self.playbook)
        pusher = Pusher(self.stage.inventory, self.stage.known_hosts, self.stage.store, job, "demo", stop)
        outcomes = push_all(pusher, changes, lambda outcome: None, rollout)
        if stop.is_set():
            raise KeyboardInterrupt
        return outcomes


def _cast(plan: Plan, waiting: Collection[str]) -> tuple[list[Change], list[Change]]:
    """Three routers for the trouble, if possible at three places that are not waited for, and all the others."""
    free = [each for each in plan.to_do if each.router not in waiting]
    several = free if len(free) > TROUBLE else list(plan.to_do)
    trouble = several[:: max(1, len(several) // TROUBLE)][:TROUBLE]
    return trouble, [each for each in plan.to_do if each not in trouble]


def _diff_of(planned: Change, path: str) -> tuple[str, ...]:
    return next((each.diff for each in planned.paths if each.path == path), planned.paths[0].diff)
