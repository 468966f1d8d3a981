"""The story of the demo: what it does on the simulated routers, what it says, and what it checks by itself."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import sys
import threading
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

from wifimgr.cli import output
from wifimgr.errors import LabError, Refused
from wifimgr.inventory import Inventory, load
from wifimgr.lab import Lab, SimulatedRouter
from wifimgr.model import Change, Manage, Outcome, Result
from wifimgr.push.apply import Pusher
from wifimgr.push.fleet import push_all
from wifimgr.push.plan import Plan, choose, make_plan
from wifimgr.push.playbook import load as load_playbook
from wifimgr.settings import SecretRef, make_state_dir
from wifimgr.ssh import KnownHosts
from wifimgr.store import Store

PLAYBOOK = "guest-wifi"
PUSH_TIMES = {"confirm_within": "8s", "settle": {"connectivity": "2s", "other": "1s"}, "login_gap": "1s"}
"""Short, so that nobody has to wait; the built-in times are much longer."""
SHOWN_FILE = "etc/config/wireless"


class Story:
    """The demo: what it does, says and checks. ``wrong`` collects what was not as it should be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wrong: list[str] = []
        self._console = Console(highlight=False, soft_wrap=True)
        self._step = 0
        self._began = time.monotonic()

    # ------------------------------------------------------------ set up and clean up

    def __enter__(self) -> Story:
        first = load(self.folder)
        state = make_state_dir(self.folder)
        self.lab = Lab(state / "lab", first.routers.values())
        self.lab.__enter__()
        try:
            _invent_secrets(first)
            self.lab.move_in(self.folder, first.network.ssh_profiles, PUSH_TIMES)
            self.inventory = load(self.folder)
            self.playbook = load_playbook(self.folder, PLAYBOOK)
            self.known_hosts = KnownHosts(self.folder / "inventory/known_hosts")
            self.store = Store(state)
        except BaseException:
            self.lab.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()
        self.lab.__exit__(None, None, None)

    # ------------------------------------------------------------ telling

    def tell(self) -> None:
        """The story from beginning to end."""
        self._introduce()
        plan = self._plan()
        trouble, well = _cast(plan)
        self._push(well)
        self._push_again(well)
        self._push_with_trouble(trouble)
        self._refuse_watched()
        self._end()

    def _title(self, text: str) -> None:
        self._step += 1
        self._console.print()
        self._console.print(f"[bold cyan]{self._step}[/]  [bold]{text}[/]")

    def _say(self, text: str, style: str = "") -> None:
        self._console.print(f"   {text}", style=style, markup=False)

    def _check(self, fine: bool, what: str, wrong: str) -> None:
        """One thing that must be so: told as seen, or named as wrong."""
        self._say(f"{'✓' if fine else '✗'} {what if fine else wrong}", "green" if fine else "bold red")
        if not fine:
            self.wrong.append(wrong)

    def _introduce(self) -> None:
        size = f"{len(self.inventory.sites)} places, {len(self.lab.routers)} routers,"
        self._console.print(Text.assemble((self.inventory.network.name, "bold"), f": {size}"))
        self._console.print("simulated on this machine: real SSH, a real shell, the script that real routers run.")
        self._title("What would change?")
        self._say(f"wifimgr plan {PLAYBOOK}", "dim")

    def _plan(self) -> Plan:

        routers = choose(self.inventory, self.playbook, [])
        plan = make_plan(self.inventory, self.known_hosts, self.playbook, routers)
        if len(plan.to_do) < 4:
            raise LabError("lab-failed", f"the demo needs four routers that '{PLAYBOOK}' would change", hint="add some")
        shown = plan.to_do[0]
        for line in _diff_of(shown, SHOWN_FILE):
            self._console.print(f"     {line}", style=output.diff_style(line), markup=False)
        others = [f"/{path.path}" for path in shown.paths if path.path != SHOWN_FILE]
        self._say(f"That is {shown.router}; there, {', '.join(others)} would change too.")
        self._check(
            not plan.outcomes, f"{len(plan.to_do)} routers would change, and none was touched", "not all could be read"
        )
        return plan

    def _push(self, changes: list[Change]) -> None:
        self._title(f"Change {len(changes)} routers: what is behind another router first")
        self._say(f"wifimgr apply {PLAYBOOK}", "dim")
        self._say("About ten seconds: each one settles, then has to let us in twice.")
        outcomes = self._apply(changes)
        done = [outcome.router for outcome in outcomes if outcome.result is Result.DONE]
        arrived = all(
            self.lab.routers[each.router].read(path.path) == path.after
            for each in changes
            for path in each.paths
            if path.after is not None
        )
        self._check(
            len(done) == len(changes), f"{len(done)} routers confirmed over new logins", "a push was not confirmed"
        )
        self._check(arrived, "their files are what the plan said, byte for byte", "a file is not what the plan said")

    def _push_again(self, changes: list[Change]) -> None:
        self._title("The same once more")
        self._say(f"wifimgr apply {PLAYBOOK}", "dim")
        names = [each.router for each in changes]
        before = {name: self.lab.routers[name].inodes() for name in names}
        again = make_plan(
            self.inventory, self.known_hosts, self.playbook, [self.inventory.routers[name] for name in names]
        )
        untouched = before == {name: self.lab.routers[name].inodes() for name in names}
        self._check(len(again.already_right) == len(names), "nothing to do", "the second push would change something")
        self._check(untouched, "not one file was written: same inodes, same times", "a second push wrote to a router")

    def _push_with_trouble(self, trouble: list[Change]) -> None:
        cut_off, late, dark = (self.lab.routers[each.router] for each in trouble)
        self._title("Now three pushes go wrong")
        self._say(f"{cut_off.name}: loses its link by the change")
        self._say(f"{late.name}: loses its link too, but only after one more good login")
        self._say(f"{dark.name}: loses its power before the change is confirmed")
        cut_off.misbehave("lockout")
        late.misbehave("lockout-login")
        dark.misbehave("power-cut")
        before = {router.name: router.flash() for router in (cut_off, late, dark)}
        ends = {outcome.router: outcome for outcome in self._apply(trouble)}
        guarded = dark.flash_at_boot == before[dark.name]
        self._check(
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
        self._check(fine, f"{router.name}: {told}", f"{part} did not save {router.name} ({result}, {where})")

    def _refuse_watched(self) -> None:
        watched = next((each for each in self.inventory.routers.values() if each.manage is Manage.WATCH), None)
        if watched is None:
            return
        operator = self.inventory.network.operators[watched.operator].name
        self._title(f"A router of {operator}: we watch it, we never change it")
        self._say(f"wifimgr apply {PLAYBOOK} -s {watched.name}", "dim")
        try:
            meant = choose(self.inventory, self.playbook, [watched.name])
            plan = make_plan(self.inventory, self.known_hosts, self.playbook, meant)
            refused = next((each.why for each in plan.outcomes if each.result is Result.REFUSED), "")
        except Refused as error:
            refused = error.what
        self._check(bool(refused), f"refused: {refused}", f"{watched.name} is only watched, but was not refused")

    def _end(self) -> None:
        entries = self.store.entries()
        counts = {
            result: sum(entry.result == result for entry in entries) for result in (Result.DONE, Result.ROLLED_BACK)
        }
        self._title("What the journal says")
        self._say("wifimgr journal list", "dim")
        self._say(", ".join(f"{number} {result}" for result, number in counts.items()))
        self._console.print()
        seconds = time.monotonic() - self._began
        verdict = f"{len(self.wrong)} wrong" if self.wrong else "everything as promised"
        self._console.print(f"[bold]{verdict}[/], in {seconds:.0f} s")

    def _some_place(self) -> str:
        return next(each.site for each in self.inventory.routers.values() if each.manage is Manage.PUSH)

    def _apply(self, changes: list[Change]) -> list[Outcome]:

        stop = threading.Event()
        pusher = Pusher(self.inventory, self.known_hosts, self.store, self.playbook, "demo", stop)
        outcomes = push_all(pusher, changes, lambda outcome: None)
        if stop.is_set():
            raise KeyboardInterrupt
        return outcomes

    # ------------------------------------------------------------ staying

    def stay(self) -> None:
        """Keeps the routers up until Ctrl-C."""
        program = "wifimgr" if shutil.which("wifimgr") else os.path.relpath(sys.argv[0])
        command = f"{shlex.quote(program)} --network {shlex.quote(str(self.folder))}"
        self._console.print("\nThe routers stay up until you press Ctrl-C. Try in another terminal:\n")
        for words in ("router list", "plan identity", f"apply identity -s {self._some_place()}", "journal list"):
            self._console.print(f"   {command} {words}", markup=False)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            self._console.print("\nstopped; nothing is left behind")


def _cast(plan: Plan) -> tuple[list[Change], list[Change]]:
    """Three routers for the trouble, if possible at three places, and all the others."""
    to_do = list(plan.to_do)
    step = max(1, len(to_do) // 3)
    trouble = to_do[::step][:3]
    return trouble, [each for each in to_do if each not in trouble]


def _diff_of(planned: Change, path: str) -> tuple[str, ...]:
    return next((each.diff for each in planned.paths if each.path == path), planned.paths[0].diff)


def _invent_secrets(inventory: Inventory) -> None:
    """Secrets for the copy: random ones, so that no real one is needed. Existing ones are never replaced."""
    for router in inventory.routers.values():
        for ref in router.vars.values():
            if isinstance(ref, SecretRef):
                _invent(inventory.network.folder, ref.kind, ref.name)


def _invent(folder: Path, kind: str, name: str) -> None:
    if kind == "env":
        os.environ.setdefault(name, secrets.token_urlsafe(12))
        return
    path = folder / name
    if path.is_relative_to(folder) and ".." not in path.parts and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(12) + "\n", encoding="ascii")
