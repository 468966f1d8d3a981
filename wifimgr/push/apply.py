"""The safe push of one change to one router. How it works and why is told in ``docs/push.md``.

One login arms the router and applies the change; then new logins, each over a connection of its own, look at what
became of it and confirm. A router that is not confirmed in time goes back by itself: this module only watches.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from wifimgr.errors import Refused, RouterError, WifimgrError
from wifimgr.inventory import Inventory
from wifimgr.model import Change, Internet, Outcome, PathChange, Result, Router, Step
from wifimgr.platforms import diff, platform_of
from wifimgr.push import checks, script
from wifimgr.push.journal import Journalled
from wifimgr.push.patience import ARM_SECONDS, READ_SECONDS, until_applied
from wifimgr.push.plan import Job, files_of, guard, moved, moved_meanwhile, no_undo, outcome_of
from wifimgr.push.safe_mode import SafeMode
from wifimgr.settings import Endpoint, PushTimes
from wifimgr.sources import ubus
from wifimgr.sources.ubus import Guests
from wifimgr.ssh import Connection, Deadline, KnownHosts, Target, connect, target_of
from wifimgr.store import Store

KILLED = "137"
"""The exit code of what was ended by force."""
LONGEST_LOGIN = 5.0
PAUSE_SECONDS = 0.5
RADAR_PAUSE = 5.0
"""While a radio listens for radar there is nothing to see for longer."""
RELOAD_STARTS = 1.2
"""The router requests its reload one second after it has answered."""
LONGEST_RETURN = 60.0
"""How long a router that is going back may take until it can be reached again."""


@dataclass(frozen=True, slots=True)
class Pusher:
    """What every push of one command shares. ``stop`` is set when somebody wants it to end."""

    inventory: Inventory
    known_hosts: KnownHosts
    store: Store
    job: Job
    why: str
    stop: threading.Event
    say: Callable[[str, str], None] = lambda router, text: None
    """Called with a router (empty: all of them) and what happens to it now."""
    lost: Callable[[str], None] = lambda router: None
    """Called with a router that cannot be reached in the middle of its push."""
    ask_again: Callable[[Change], None] = lambda change: None
    """Called right before anything is sent that people may notice. Raises Refused where that has to wait by now."""
    allow_no_undo: bool = False
    """Whether steps may be done, which no router takes back by itself."""

    def push(self, planned: Change) -> Outcome:
        """Makes one planned change; never raises for what goes wrong with this router."""
        router = self.inventory.routers[planned.router]
        times = self.inventory.network.push
        try:
            guard(self.inventory, router)
            target = target_of(self.inventory, self.known_hosts, router)
            longest = until_applied(planned) + times.confirm_within + LONGEST_RETURN + 2 * planned.longer
            tx = new_transaction()
            what = f"{self.job.what}: {', '.join(_parts(planned))}"
            journal = Journalled(self.store, what, self.why, self.say)
            return journal.run(router.name, longest, tx, lambda: self._push(router, target, planned, tx))
        except Exception as error:
            return outcome_of(router.name, error)

    def _push(self, router: Router, target: Target, planned: Change, tx: str) -> Outcome:
        if self.stop.is_set():
            return Outcome(router.name, Result.SKIPPED, "interrupted before anything was sent")
        if platform_of(router).SAFE_MODE:
            return SafeMode(self.job, self.inventory.network.push, self.stop, self.say, self.lost).push(
                router, target, planned
            )
        armed = self._arm(router, target, planned, tx)
        if isinstance(armed, Outcome):
            return armed
        self.say(router.name, "applied, waiting for it to settle")
        endpoint = platform_of(router).endpoint_after(armed.paths, target.endpoint)
        outcome = _Window(self, router.name, target, endpoint, armed, tx).watch()
        if not planned.steps:
            return outcome
        done = _told([step.what for step in planned.steps])
        return replace(outcome, why="; ".join(filter(None, (outcome.why, done))))

    def _arm(self, router: Router, target: Target, planned: Change, tx: str) -> Outcome | Change:
        """Arms and applies what was planned, where the router finds all files as they were. An outcome is final.

        Else it is read again and compared with the plan: what the playbook does not touch may have changed, and with
        it what the checks should find. Returns the change that is applied.
        """
        deadline = lasting = Deadline(READ_SECONDS + ARM_SECONDS)
        if planned.steps:  # with its time a connection ends, whatever is under way on it
            lasting = Deadline(until_applied(planned))
        with connect(target, lasting) as connection:
            if planned.seen is not None and planned.anything:
                with suppress(_Moved):
                    return self._send(router, connection, planned, tx, deadline)
            change = self.job.change(router, connection, deadline)
            if not change.anything:
                return Outcome(router.name, Result.ALREADY_RIGHT)
            if change.touched != planned.touched:
                return moved(router.name, planned, change)
            if change.steps:
                return self._arm_after_steps(router, connection, change, tx)
            return self._send(router, connection, change, tx, deadline)

    def _arm_after_steps(self, router: Router, connection: Connection, change: Change, tx: str) -> Outcome | Change:
        """The same for a change with steps; however it ends, it says what was done and stays."""
        if not self.allow_no_undo:
            raise no_undo(change)
        done = list[str]()
        try:
            left = self._take_steps(router, connection, change, done)
            if left.anything:
                left = self._send(router, connection, left, tx, Deadline(ARM_SECONDS))
        except WifimgrError as error:
            return _stepped(router.name, done, error)
        self.say(router.name, _told(done))
        return left if left.anything else Outcome(router.name, Result.DONE, _told(done))

    def _send(self, router: Router, connection: Connection, change: Change, tx: str, deadline: Deadline) -> Change:
        """Arms and applies. Raises RouterError where the router refuses."""
        self.ask_again(change)
        call = _push_call(tx, change, times_for(self.inventory.network.push, change))
        try:
            output = connection.run(call.text, deadline)
            words = script.Answer(router.name, call, output).line()
        except RouterError:
            # Whether the router got the whole script is not known now. It is asked by the next login; if it did,
            # it goes back by itself unless that login confirms.
            return change
        if words[0] == "applied":
            return change
        raise _refusal(router.name, words)

    def _take_steps(self, router: Router, connection: Connection, change: Change, done: list[str]) -> Change:
        """Does what has no undo, then reads again: packages bring files along. Returns what is left to change.

        Each step is a call of its own: where the connection is lost, no other one is begun. ``done`` gets the names of
        those that ended well, because nobody takes them back. Raises WifimgrError for whatever ends the push here.
        """
        for number, step in enumerate(change.steps):
            self._may_go_on(replace(change, steps=change.steps[number:]))
            self.say(router.name, f"doing what has no undo: {step.what}")
            self._take_step(router, connection, change, step)
            done.append(step.what)
        left = self.job.change_after_steps(router, connection, Deadline(READ_SECONDS))
        if left.steps:
            what = f"what ended well had no effect: {', '.join(step.what for step in left.steps)}"
            raise RouterError("step-failed", what, hint=_LOOK)
        others = moved_meanwhile(router.name, change, left)
        if others:
            raise RouterError(others.error_id, others.why, hint=others.hint)
        self._may_go_on(left)
        return left

    def _may_go_on(self, change: Change) -> None:
        """Raises WifimgrError where somebody wants to end, or a place has opened meanwhile."""
        if self.stop.is_set():
            raise RouterError("step-failed", "interrupted", hint=_LOOK)
        self.ask_again(change)

    def _take_step(self, router: Router, connection: Connection, change: Change, step: Step) -> None:
        """Does one thing. What it said last is told to those who look, and written nowhere: it may be any secret."""
        call, deadline = script.step(step), Deadline(READ_SECONDS + step.takes)
        try:
            output = connection.run(call.text, deadline)
            refused = script.read_step(script.Answer(router.name, call, output))
        except script.StepFailed as failed:
            for line in _masked(failed.said, router, change, self.job.secrets(router)).splitlines():
                self.say(router.name, line)
            late = f"it was ended after {step.takes:g} s" if failed.code == KILLED else f"exit code {failed.code}"
            hint = f"see what it says with -v; {_LOOK}" if failed.said else _LOOK
            raise RouterError("step-failed", f"{step.what} failed ({late})", hint=hint) from None
        except RouterError as error:
            what = f"{error.what}, amid what has no undo ({step.what}); whether it was done is not known"
            raise RouterError("step-failed", what, hint="look at a new plan") from None
        if refused:
            raise _refusal(router.name, refused)


_LOOK = "look at the router, then at a new plan"


def _masked(said: str, router: Router, change: Change, secrets: set[str]) -> str:
    """The end of what a router said, without these secrets and those of its files."""
    veil = diff.Veil((), ())
    cover = veil.cover(secrets | platform_of(router).hidden_values((*change.paths, *change.kept)))
    [text] = veil.lifted([cover(said)])
    return text[-script.LONGEST_QUOTE :]


def _stepped(router: str, done: list[str], error: WifimgrError) -> Outcome:
    """A push that ends between its steps and its change."""
    outcome = outcome_of(router, error)
    if not done and error.id != "step-failed":
        return outcome
    what = "; ".join([outcome.why.removesuffix("; nothing was changed"), *([_told(done)] if done else [])])
    outcome = replace(outcome, why=f"{what}; no file was changed")
    if error.id in ("moved-since-plan", "step-failed"):
        return outcome
    return replace(outcome, result=Result.FAILED, hint=_LOOK, error_id="step-failed")


def _told(done: list[str]) -> str:
    return f"this stays: {', '.join(done)}"


def _parts(change: Change) -> list[str]:
    """What a change consists of, for the journal."""
    return [*(step.what for step in change.steps), *(f"/{path.path}" for path in change.paths), *change.after]


def new_transaction() -> str:
    """A name for one push of one router: sorts by time, never twice."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def times_for(times: PushTimes, change: Change) -> PushTimes:
    """How patient the push of one change is: a radio that listens for radar first makes everything later."""
    return replace(
        times,
        confirm_within=times.confirm_within + change.longer,
        settle_connectivity=times.settle_connectivity + change.radar + change.settles,
        reboot_after=times.reboot_after and times.reboot_after + change.longer,
    )


def _push_call(tx: str, change: Change, times: PushTimes) -> script.Call:
    return script.push(
        tx,
        change.paths,
        within=times.confirm_within,
        settle=times.settle_connectivity if change.connectivity else times.settle_other,
        gap=times.login_gap,
        forget=change.secret,
        reboot=times.reboot_after,
        after=change.after,
        kept=change.kept,
        seen=change.seen,
    )


_REFUSALS = {
    "busy": ("another push is running on it right now", "wait for it to end"),
    "pending": (
        "another change is open on it",
        "it is confirmed or goes back by itself; try again in two minutes",
    ),
    "moved": ("its files were changed in the last second", "look at a new plan"),
    "staged": (
        "somebody has unsaved changes on it (uci changes, or LuCI)",
        "save or revert them there, then try again",
    ),
    "upgrade": (
        "a firmware upgrade runs on it, or was broken off half-way",
        "wait for it to end; if none runs, reboot the router once",
    ),
    "autoupdate": ("its automatic updater is at work", "wait some minutes, then try again"),
    "reconfigure": (
        "Gluon is rewriting its configuration, or was interrupted while it did (/etc/config/*_gluon-old)",
        "let it end with a reboot, and look at the router if the files stay",
    ),
    "ram": (
        "what is written to it is gone after a reboot: its flash is not ready yet (jffs2), or it runs from RAM",
        "wait some minutes after a first boot; install the image if it runs an initramfs",
    ),
    "readonly": (
        "its flash cannot be written to",
        "reboot it once; if it stays so, the flash may be worn out or it runs in failsafe mode",
    ),
    "baseline": ("it has no reload baseline, so a reload would do nothing", "reboot it once, then try again"),
    "nospace": ("its flash has no room for the change and its snapshot", "remove packages or files there"),
    "badconf": ("its own uci does not accept the new file", "this may be a bug in wifimgr: please report it"),
    "format": ("it holds state of a newer wifimgr", "use that wifimgr"),
    "io": (
        "its flash refused to swap the files; they were put back",
        "look at its log: the flash may be worn out",
    ),
}


def _refusal(router: str, words: list[str]) -> RouterError:
    reason = words[1] if len(words) > 1 else words[0]
    quote = " ".join(words)[: script.LONGEST_QUOTE]
    what, hint = _REFUSALS.get(reason, (f"it refused the change ({quote})", "look at the router by hand"))
    if reason == "badconf":
        what = f"{what} ({quote})"
    error = _Moved if reason == "moved" else RouterError
    return error("router-refused", f"{what}; nothing was changed", where=router, hint=hint)


_NOT_TAKEN_UP = {"gluon": "gluon-reconfigure or gluon-reload failed on it"}
"""What could not take a change up, to how it is told."""


class _Moved(RouterError):
    """The router's files are not as they were read."""


class _Window:
    """The time between apply and confirm of one router."""

    def __init__(
        self, pusher: Pusher, router: str, target: Target, endpoint: Endpoint, change: Change, tx: str
    ) -> None:
        times = times_for(pusher.inventory.network.push, change)
        self._pusher, self._router, self._wanted, self._tx = pusher, router, change.checks, tx
        self._change = change
        self._made: tuple[PathChange, ...] = ()
        """The files that taking the change up made anew, besides what was wished."""
        self._login = min(LONGEST_LOGIN, max(2.0, times.confirm_within / 4))
        target = replace(target, timeout=min(target.timeout, self._login))
        self._moved = None if endpoint == target.endpoint else endpoint
        self._ways = [target] if self._moved is None else [replace(target, endpoint=endpoint), target]
        """Where it is reached after the change, and where it was before, if that is another place."""
        self._reboot_after = times.reboot_after
        self._open_until = time.monotonic() + times.confirm_within
        self._back_until = self._open_until + min(LONGEST_RETURN, 2 * times.confirm_within) + change.radar
        self._back_until += change.takes
        settle = times.settle_connectivity if change.connectivity else times.settle_other
        self._first_look = max(RELOAD_STARTS, min(settle / 2, settle - times.login_gap))
        """Seconds until the first login. Late in the settle time it shows more, and takes no time from routers that are
        being armed."""
        self._why = "it could not be reached after the change"
        """The newest reason why it is not confirmed, for the outcome."""

    def watch(self) -> Outcome:
        """Logs in again and again until the change is confirmed or the router went back."""
        self._wait(self._first_look)
        while time.monotonic() < self._back_until:
            standing = self._look()
            final = self._outcome(standing)
            if final is not None:
                return final
            self._wait(max(PAUSE_SECONDS, min(standing.wait, self._back_until - time.monotonic())))
        reboots = f" and reboots {self._reboot_after:g} s later" if self._reboot_after else ""
        what = f"{self._why}; it goes back by itself{reboots}, and could not be reached since"
        hint = f"run '{self._pusher.job.command(self._router)}' when it is back"
        return Outcome(self._router, Result.UNREACHABLE, what, hint, "unconfirmed")

    def _look(self) -> script.Standing:
        """One login, at the first of its places where it lets us in."""
        for way in self._ways:
            try:
                deadline = Deadline(self._seconds())
                with connect(way, deadline) as connection:
                    return self._step(connection, deadline)
            except (RouterError, Refused) as error:
                if not isinstance(error, RouterError):
                    self._why = error.what
        self._pusher.lost(self._router)
        return script.Standing("unreachable")

    def _seconds(self) -> float:
        """How long the next look may take: longer where there is something to try, and then not beyond the window."""
        left = self._open_until - time.monotonic()
        reading = READ_SECONDS if self._change.kept else 0.0
        return max(self._login, min(self._login + checks.patience(self._wanted) + reading, left))

    def _wait(self, seconds: float) -> None:
        """Waits; only shortly when somebody wants to end."""
        if self._pusher.stop.wait(seconds):
            time.sleep(PAUSE_SECONDS)

    def _step(self, connection: Connection, deadline: Deadline) -> script.Standing:
        """One login: where does the change stand, and may it be confirmed?"""
        if self._pusher.stop.is_set():
            self._why = "interrupted"
            return self._ask(connection, script.take_back, deadline)
        aside = connection.target is not self._ways[0]
        limit = max(1.0, min(checks.PROBE_SECONDS, deadline.left() - self._login))
        call = script.look(self._tx, aside=aside, probes=checks.probes(self._wanted), limit=limit)
        output = connection.run(call.text, deadline, keep=call.end)
        standing = script.read_look(script.Answer(self._router, call, output))
        if standing.state != "pending":
            return standing
        if aside:
            self._why = f"nobody could log in at {self._moved}, where it should be reached after the change"
            return standing
        if standing.failed:
            self._why = _NOT_TAKEN_UP.get(standing.failed, f"taking it up failed ({standing.failed})")
            return self._ask(connection, script.take_back, deadline)
        self._why = "no second login succeeded after the change had settled"
        if standing.wait > 0:
            return standing
        said = standing.ubus or {}
        failing = checks.failing(self._heard(said, standing.probes, connection, deadline), self._wanted)
        if not failing:
            self._why = self._rewritten(connection, deadline)
            return self._ask(connection, script.take_back if self._why else script.confirm, deadline)
        self._why = failing
        if time.monotonic() < self._open_until - self._login - 1:
            return replace(standing, wait=min(checks.listening(said), RADAR_PAUSE))
        return self._ask(connection, script.take_back, deadline)

    def _rewritten(self, connection: Connection, deadline: Deadline) -> str:
        """Why the change must go back: taking it up has made something else of what was wished, or of our way in."""
        if not self._change.kept:
            return ""
        router, paths = self._pusher.inventory.routers[self._router], {path.path for path in self._change.paths}
        platform = platform_of(router)
        shown = files_of(router, {*paths, *platform.around(paths)}, connection, deadline, ours=self._tx)
        secrets = self._pusher.job.secrets(router)
        why, self._made = platform.rewritten(self._change, shown.files, shown.modes, secrets)
        for line in (line for path in self._made for line in path.diff):
            self._pusher.say(self._router, line)
        return str(why)

    def _heard(
        self, said: checks.Said, probes: Mapping[script.Probe, str], connection: Connection, deadline: Deadline
    ) -> checks.Heard:
        """What the router tells at this login, and how to ask it for the internet."""
        wanted = self._pusher.inventory.network.internet

        def internet(guests: Guests | None) -> Internet | None:
            return ubus.internet(connection, deadline, wanted, guests, lambda line: None) if wanted else None

        return checks.Heard(said, probes, ubus.network_of_guests(wanted), internet)

    def _ask(self, connection: Connection, end: Callable[..., script.Call], deadline: Deadline) -> script.Standing:
        call = end(self._tx, known=connection.is_kept)
        return script.read_standing(script.Answer(self._router, call, connection.run(call.text, deadline)))

    def _done(self) -> Outcome:
        """What is written about the router is not changed silently: that is the job of whoever keeps the inventory."""
        names = ", ".join(f"/{path.path}" for path in self._made)
        made = f"taking it up has rewritten {names}, too" if names else ""
        if self._moved is None:
            return Outcome(self._router, Result.DONE, made, "see what it made of them with -v" if made else "")
        old, new = self._ways[1].endpoint, self._moved
        keys = [f"addresses={new.address}"] if new.address != old.address else []
        keys += [f"ports.ssh={new.port}"] if new.port != old.port else []
        hint = f"write it into the inventory: wifimgr router set {self._router} {' '.join(keys)}"
        if "ssh" in self._pusher.inventory.network.local.endpoints.get(self._router, {}):
            hint = f"write it into .wifimgr/local.yaml: endpoints.{self._router}.ssh"
        return Outcome(self._router, Result.DONE, "; ".join(filter(None, (f"it is reached at {new} now", made))), hint)

    def _outcome(self, standing: script.Standing) -> Outcome | None:
        if standing.state == "confirmed":
            return self._done()
        if standing.state == "rolledback":
            reboots = ", and it reboots" if self._change.takes else ""
            hint = f"the old files are back, byte for byte{reboots}"
            return Outcome(self._router, Result.ROLLED_BACK, self._why, hint, "rolled-back")
        if standing.state == "unknown":
            what = "the connection broke before the change was armed; no file was changed"
            return Outcome(self._router, Result.FAILED, what, "try again", "unreachable")
        return None
