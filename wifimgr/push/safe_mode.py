"""The push of one change to a router that has a console and no shell, under RouterOS's own safe mode.

One session takes safe mode, makes the change and stays open. New logins, each over a connection of its own, look
whether the router is reached, holds what is wished and passes the checks; then the first session gives safe mode back,
and the change stays. Whatever else happens (an error, Ctrl-C, a lost link, our end), that session ends without giving
it back, and RouterOS undoes the change. At last somebody logs in again and looks what became of it.

What safe mode does: MikroTik's manual, "Command Line Interface", section "Safe Mode".
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from wifimgr.errors import Refused, RouterError
from wifimgr.model import Change, Outcome, Result, Router
from wifimgr.platforms import platform_of
from wifimgr.push.patience import READ_SECONDS
from wifimgr.push.plan import Job, moved
from wifimgr.settings import PushTimes
from wifimgr.ssh import Console, Deadline, Target, console

TYPE_SECONDS = 30.0
"""What reading again and typing all commands may take."""
LOGIN_SECONDS = 20.0
"""What one look over a new login may take."""
END_SECONDS = 3.0
"""How long a session may take to end when it is told to."""
PAUSE_SECONDS = 0.5
BACK = {
    Result.ROLLED_BACK: "the old values are back",
    Result.FAILED: "the old values are back; correct the playbook",
}
"""What is told where a change is undone, by what is wrong with it."""
LONGEST_RETURN = 50.0
"""How long the router is waited for when the change is not kept. It notices a dead link after up to 9 minutes."""


class _NotKept(Exception):
    """Why the change shall not stay. ``result`` is what that makes of the push."""

    def __init__(self, why: str, result: Result = Result.ROLLED_BACK) -> None:
        super().__init__(why)
        self.why, self.result = why, result


@dataclass(frozen=True, slots=True)
class SafeMode:
    """What pushes under safe mode share; see :class:`wifimgr.push.apply.Pusher`."""

    job: Job
    times: PushTimes
    stop: threading.Event
    say: Callable[[str, str], None]
    lost: Callable[[str], None]

    def push(self, router: Router, target: Target, planned: Change) -> Outcome:
        """Makes one planned change. Raises like :func:`wifimgr.ssh.connect`, as long as nothing was changed."""
        endpoint = platform_of(router).endpoint_after(planned.paths, target.endpoint)
        ways = (target,) if endpoint == target.endpoint else (replace(target, endpoint=endpoint), target)
        try:
            outcome = self._change(router, target, ways[0], planned)
        except _NotKept as undone:
            return self._look_back(router, ways, planned, undone)
        if outcome.result is Result.DONE and len(ways) > 1:
            hint = f"write it into the inventory: wifimgr router set {router.name} ports.ssh={endpoint.port}"
            return replace(outcome, why=f"it is reached at {endpoint} now", hint=hint)
        return outcome

    def _change(self, router: Router, target: Target, way: Target, planned: Change) -> Outcome:
        """The first session, from safe mode to safe mode. Raises _NotKept once a command was typed."""
        typing = Deadline(READ_SECONDS + TYPE_SECONDS)
        whole = Deadline(READ_SECONDS + TYPE_SECONDS + self.times.confirm_within)
        with console(target, whole) as first:
            if not first.take_safe_mode(typing):
                what, hint = "somebody else holds its safe mode; nothing was changed", "wait until they give it back"
                raise RouterError("router-refused", what, where=router.name, hint=hint)
            with _ending(first):
                change = self.job.change(router, first, typing)
                if not change.paths:
                    return Outcome(router.name, Result.ALREADY_RIGHT)
                if change.touched != planned.touched:
                    return moved(router.name, planned, change)
                window = Deadline(self.times.confirm_within)
                self._type(first, change, typing)
                self.say(router.name, "applied, waiting for it to settle")
                self._watch(router, first, way, change, window)
                self._keep(first, whole)
        return Outcome(router.name, Result.DONE)

    def _type(self, first: Console, change: Change, deadline: Deadline) -> None:
        for command in change.commands:
            try:
                first.run(command, deadline)
            except RouterError as error:
                raise _NotKept(error.what, Result.FAILED) from None
            _need_safe_mode(first)

    def _watch(self, router: Router, first: Console, way: Target, change: Change, window: Deadline) -> None:
        """Returns once two new logins in a row found everything right. Raises _NotKept."""
        self.stop.wait(self.times.settle_connectivity if change.connectivity else self.times.settle_other)
        good, why = 0, "it could not be reached after the change"
        while not window.passed():
            if self.stop.is_set():
                raise _NotKept("interrupted")
            try:
                deadline = Deadline(min(LOGIN_SECONDS, window.left()))
                with console(way, deadline) as look:
                    now = self.job.change(router, look, deadline)
                    if first.lost:
                        raise _NotKept("the session that held its safe mode was lost")
                    if now.paths:
                        named = ", ".join(each.what for each in now.touched if each.before != each.after)
                        raise _NotKept(f"RouterOS does not hold what is wished: {named}")
                    failing = platform_of(router).failing(change.checks, look, deadline)
                    good, why = (0, failing) if failing else (good + 1, "no second login succeeded")
            except (RouterError, Refused) as error:
                if not window.passed():  # a look that the end of the window cut short tells nothing new
                    why = f"no new login after the change succeeded: {error.what}"
                good = 0
                self.lost(router.name)
            if good > 1:
                return
            self.stop.wait(min(self.times.login_gap, window.left()))
        raise _NotKept(why)

    def _keep(self, first: Console, deadline: Deadline) -> None:
        try:
            first.run(':put ""', deadline)  # its prompt tells whether safe mode is still ours
            _need_safe_mode(first)
            kept = first.keep(deadline)
        except RouterError as error:
            raise _NotKept(f"the session was lost before it could confirm: {error.what}") from None
        if not kept:
            raise _NotKept("RouterOS did not say that it keeps the change")

    def _look_back(self, router: Router, ways: tuple[Target, ...], planned: Change, undone: _NotKept) -> Outcome:
        """Logs in until the router tells what became of the change: nobody holds its safe mode any more."""
        until, outcome = Deadline(LONGEST_RETURN), None
        while True:
            for way in reversed(ways):
                try:
                    free, outcome = self._what_became(router, way, planned, undone, until)
                except (RouterError, Refused):
                    self.lost(router.name)
                    continue
                if free and outcome:
                    return outcome
            if until.passed() and outcome:
                return outcome
            if until.passed():
                what = f"{undone.why}; RouterOS undoes the change when it sees our session end, after up to 9 minutes"
                hint = f"run '{self.job.command(router.name)}' then"
                return Outcome(router.name, Result.UNREACHABLE, what, hint, "unconfirmed")
            time.sleep(PAUSE_SECONDS)

    def _what_became(
        self, router: Router, way: Target, planned: Change, undone: _NotKept, until: Deadline
    ) -> tuple[bool, Outcome | None]:
        """Whether nobody holds safe mode any more, our lost session in particular; and what that makes of the push.

        As long as somebody does, only the old values say anything: that somebody may be somebody else.
        """
        deadline = Deadline(min(LOGIN_SECONDS, until.left()))
        with console(way, deadline) as look:
            free = _is_free(look, deadline)
            now = self.job.change(router, look, deadline)
        if now.touched == planned.touched:
            error = "bad-answer" if undone.result is Result.FAILED else "rolled-back"
            return free, Outcome(router.name, undone.result, undone.why, BACK[undone.result], error)
        if not free:
            return False, None
        what = "RouterOS kept the change all the same" if not now.paths else "not all old values are back"
        hint = f"look at it with '{self.job.command(router.name)}'"
        return True, Outcome(router.name, Result.FAILED, f"{undone.why}; {what}", hint, "bad-answer")


@contextmanager
def _ending(first: Console) -> Iterator[None]:
    """Whatever happens, the session ends in a way that undoes what safe mode holds: nothing, once it was kept."""
    try:
        yield
    finally:
        first.end(Deadline(END_SECONDS))


def _need_safe_mode(first: Console) -> None:
    if not first.safe:
        raise _NotKept("somebody took its safe mode over, or too much was changed at once for it", Result.FAILED)


def _is_free(look: Console, deadline: Deadline) -> bool:
    """Whether nobody holds safe mode: it is taken for a moment to see that. A router that refuses it tells nothing."""
    try:
        return look.take_safe_mode(deadline) and look.keep(deadline)
    except RouterError as error:
        if error.id != "bad-answer":
            raise
        return False
