"""Plans in files: written by ``plan --out``, carried out later by ``apply FILE``, on the same machine.

A file tells people what would change, and us whether that is still so. It holds no secret and nothing that one could be
guessed from: what a router had and shall have stands there as an HMAC with a key that never leaves ``.wifimgr/``. With
the same key the file as a whole is sealed: what was edited, or made elsewhere, is refused.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import secrets
import shlex
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from wifimgr import __version__
from wifimgr.errors import ConfigError, Refused, RouterError
from wifimgr.inventory import Inventory, select
from wifimgr.model import Change, Manage, Outcome, Result, Router
from wifimgr.push.plan import Job, Plan, PlaybookJob, make_plan
from wifimgr.push.playbook import FOLDER, Playbook
from wifimgr.push.playbook import load as load_playbook
from wifimgr.push.ready import IN_USE
from wifimgr.settings import make_state_dir
from wifimgr.ssh import Connection, Deadline, KnownHosts

FORMAT = 1
"""Of the file; another number is another format."""
LONGEST_AGE = timedelta(hours=24)
"""A plan that is older is not carried out: nobody remembers what it said."""
CLOCK_SLACK = timedelta(minutes=1)
"""The clock may have been set back by so much since."""
LARGEST_FILE = 64 << 20
"""Bytes. Of a larger file no more is read, so it is none of ours."""
KEY_FILE = "plan.key"
KEY_BYTES = 32
FINGERPRINT = 32
"""Hex digits."""
_MARK, _SEAL = "wifimgr_plan", "seal"
TO_CHANGE = "to change"


@dataclass(frozen=True, slots=True)
class _Prints:
    """Fingerprints that tell nothing to who has no key; ``salt`` makes those of each file its own."""

    key: bytes = field(repr=False)
    salt: str = ""

    def of(self, *what: object) -> str:
        """The fingerprint of texts, lists of texts and None; different ones for whatever differs."""
        text = json.dumps([self.salt, *what])
        return hmac.new(self.key, text.encode("ascii"), hashlib.sha256).hexdigest()[:FINGERPRINT]

    def touched(self, change: Change) -> list[dict[str, str]]:
        """What a change wishes, without its values."""
        return [
            {
                "what": each.what,
                "before": self.of("touched", change.router, each.what, each.before),
                "after": self.of("touched", change.router, each.what, each.after),
            }
            for each in change.touched
        ]

    def steps(self, change: Change) -> list[dict[str, str]]:
        """What a change does that has no undo."""
        return [
            {"what": step.what, "script": self.of("step", change.router, step.what, step.script)}
            for step in change.steps
        ]


# ---------------------------------------------------------------- write


def write(path: Path, made: Plan, folder: Path, selectors: Sequence[str]) -> datetime:
    """Writes the plan of a playbook into a file, for us alone; returns until when it can be carried out.

    Raises ConfigError: what :func:`check_free` raises, or ``unreadable-file``.
    """
    assert isinstance(made.job, PlaybookJob)
    check_free(path)
    prints, when = _Prints(_key(folder), secrets.token_hex(16)), datetime.now(UTC).replace(microsecond=0)
    playbook = made.job.playbook
    document = {
        _MARK: FORMAT,
        "wifimgr": __version__,
        "made": when.isoformat(),
        "installation": _installation(prints.key),
        "salt": prints.salt,
        "playbook": {
            "name": _name(playbook, folder),
            "title": made.job.title,
            "bytes": _print_of(playbook, prints),
        },
        "selectors": list(selectors),
        "routers": {change.router: _entry(change, prints) for change in made.changes},
    }
    _put(path, _sealed(document, prints))
    return when + LONGEST_AGE


def check_free(path: Path) -> None:
    """Raises ConfigError ``already-there`` where a plan file would take the place of anything else."""
    try:
        free = not os.path.lexists(path) or (
            path.is_file() and (path.stat().st_size == 0 or _parsed(_raw(path)) is not None)
        )
    except OSError as error:
        raise _unreadable(path, error) from None
    if not free:
        what = "is there already and is no plan file"
        raise ConfigError("already-there", what, where=str(path), hint="choose another name")


def _entry(change: Change, prints: _Prints) -> dict[str, Any]:
    return {
        "result": TO_CHANGE if change.anything else str(Result.ALREADY_RIGHT),
        "paths": [f"/{path.path}" for path in change.paths],
        "diff": [line for path in change.paths for line in path.diff],
        "no_undo": prints.steps(change),
        "takes_up": list(change.after),
        "touched": prints.touched(change),
    }


def _name(playbook: Playbook, folder: Path) -> str:
    """How it is found again: its name, or where its file is."""
    path = playbook.document.path.absolute()
    return playbook.slug if path == (folder / FOLDER / f"{playbook.slug}.yaml").absolute() else str(path)


def _print_of(playbook: Playbook, prints: _Prints) -> str:
    """Not a plain hash: a playbook may hold what should stand in a secret."""
    path = playbook.document.path
    try:
        return prints.of("playbook", hashlib.sha256(path.read_bytes()).hexdigest())
    except OSError as error:
        raise _unreadable(path, error) from None


def _sealed(document: Mapping[str, Any], prints: _Prints) -> bytes:
    """The bytes of a file, the seal at the end. There is one way to write it: a file that was read can be compared."""
    text = json.dumps({**document, _SEAL: prints.of(_SEAL, json.dumps(document))}, indent=1)
    return f"{text}\n".encode("ascii")


def _put(path: Path, content: bytes) -> None:
    """Writes a file that only we may read: whole or not at all."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".plan.", delete=False) as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink()
                raise
    except OSError as error:
        what = f"cannot be written: {(error.strerror or 'unknown reason').lower()}"
        raise ConfigError("unreadable-file", what, where=str(path)) from None


# ---------------------------------------------------------------- key


def _key(folder: Path) -> bytes:
    """The key of this machine for this network folder; made once, and again where it is damaged."""
    path = make_state_dir(folder) / KEY_FILE
    try:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.fchmod(file.fileno(), 0o600)
            key = file.read()
            if len(key) != KEY_BYTES:
                key = secrets.token_bytes(KEY_BYTES)
                file.seek(0)
                file.truncate()
                file.write(key)
                file.flush()
                os.fsync(file.fileno())
            return key
    except OSError as error:
        raise _unreadable(path, error) from None


def _installation(key: bytes) -> str:
    """Tells this machine and network folder from others, and nothing about the key."""
    return _Prints(key).of("installation")


# ---------------------------------------------------------------- read


def is_planfile(path: Path) -> bool:
    """Whether somebody who names this means a plan file: a playbook is a name, or a path that ends in .yaml."""
    try:
        return path.suffix == ".json" or (path.is_file() and _parsed(_raw(path)) is not None)
    except OSError:  # no name of a file, or not ours to read
        return False


def _raw(path: Path) -> bytes:
    """Raises OSError."""
    with path.open("rb") as file:
        return file.read(LARGEST_FILE)


def _parsed(raw: bytes) -> dict[str, Any] | None:
    """The document that these bytes are, if it is one of ours."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and _MARK in document else None


@dataclass(frozen=True, slots=True)
class Planfile:
    """A plan that was read from a file, found whole and young enough."""

    path: Path
    made: datetime
    """In UTC."""
    document: Mapping[str, Any] = field(repr=False)
    prints: _Prints = field(repr=False)

    def playbook(self, folder: Path, allowed: Iterable[str] = ()) -> Playbook:
        """The playbook that it was made from. Raises Refused ``playbook-changed``; ConfigError as for any playbook."""
        playbook = load_playbook(folder, self.document["playbook"]["name"], frozenset(allowed))
        if _print_of(playbook, self.prints) != self.document["playbook"]["bytes"]:
            what = f"the playbook {playbook.slug} was changed since this plan was made"
            raise Refused("playbook-changed", what, where=str(self.path), hint="make a new plan")
        return playbook

    def plan(self, inventory: Inventory, known_hosts: KnownHosts, playbook: Playbook, selectors: Sequence[str]) -> Plan:
        """What of it is still to be done: its routers are read again, and those where it does not fit any more are
        refused. ``selectors`` narrow it. Raises ConfigError as :func:`wifimgr.push.plan.make_plan` does, and
        ``nothing-selected``.
        """
        asked = {router.name: router for router in select(inventory, selectors)} if selectors else {}
        entries = self.document["routers"]
        meant = [name for name, entry in entries.items() if entry["result"] == TO_CHANGE]
        meant = [name for name in meant if not selectors or name in asked]
        refused = [Outcome(name, Result.REFUSED, *why) for name in meant if (why := _lost(inventory, playbook, name))]
        gone = {outcome.router for outcome in refused}
        routers = [inventory.routers[name] for name in meant if name not in gone]
        # What is only watched is never in a plan; who asks for it is told so all the same.
        routers += [router for name, router in asked.items() if router.manage is Manage.WATCH and name not in meant]
        if selectors and not (routers or refused):
            what = "the plan changes none of the selected routers"
            raise ConfigError("nothing-selected", what, where=str(self.path), hint="take -s out, or make a new plan")
        made = make_plan(inventory, known_hosts, playbook, routers, lambda job: PlannedJob(job, self))
        return Plan(made.job, made.changes, (*refused, *made.outcomes))

    def check(self, now: Change) -> None:
        """Raises RouterError ``moved-since-plan`` where a change is not, or not any more, the planned one.

        Other options of the same files may have changed: only what the playbook touches counts.
        """
        entry = self.document["routers"][now.router]
        then, here = (
            {(each["what"], each["before"], each["after"]) for each in touched}
            for touched in (entry["touched"], self.prints.touched(now))
        )
        steps = {(each["what"], each["script"]) for each in entry["no_undo"]}
        moved = {what for what, _, _ in then ^ here}
        moved |= {each["what"] for each in self.prints.steps(now) if (each["what"], each["script"]) not in steps}
        moved |= {f"/{path.path}" for path in now.paths} - {*entry["paths"]}
        moved |= {*now.after} - {*entry["takes_up"]}
        if moved:
            what = f"changed since the plan: {', '.join(sorted(moved))}"
            raise RouterError("moved-since-plan", what, where=now.router, hint="look at a new plan")


def _lost(inventory: Inventory, playbook: Playbook, name: str) -> tuple[str, str, str] | None:
    """Why a router of a plan is none of its routers any more."""
    router = inventory.routers.get(name)
    if router is None:
        why = "it is not in the inventory any more"
    elif router.lifecycle not in IN_USE:
        why = f"its lifecycle is {router.lifecycle} now"
    elif not playbook.where.matches(inventory, router):
        why = "the playbook is not for it any more"
    else:
        return None
    return why, "make a new plan", "moved-since-plan"


def read(path: Path, folder: Path) -> Planfile:
    """A plan file. Raises ConfigError ``bad-plan-file``, Refused ``plan-too-old``."""
    try:
        raw = _raw(path)
    except FileNotFoundError:
        hint = f"make one with 'wifimgr plan PLAYBOOK --out {shlex.quote(str(path))}'"
        raise ConfigError("unreadable-file", "there is no such file", where=str(path), hint=hint) from None
    except OSError as error:
        raise _unreadable(path, error) from None
    document = _parsed(raw)
    if document is None:
        _bad(path, "this is no plan file")
    if document[_MARK] != FORMAT:
        _bad(path, f"this plan file has a format that is not known here, wifimgr {__version__}")
    key = _key(folder)
    if document.get("installation") != _installation(key):
        what = "this plan was made by another installation: it works only where it was made"
        _bad(path, f"{what}, on the same machine and in the same network folder")
    prints = _Prints(key, str(document.get("salt")))
    document.pop(_SEAL, None)
    if not hmac.compare_digest(_sealed(document, prints), raw):
        _bad(path, "this plan file was edited or damaged")
    made = datetime.fromisoformat(document["made"])
    if not -CLOCK_SLACK <= datetime.now(UTC) - made <= LONGEST_AGE:
        hours = LONGEST_AGE.total_seconds() / 3600
        what = f"this plan is of {made.astimezone():%Y-%m-%d %H:%M}, and one is carried out within {hours:g} hours"
        raise Refused("plan-too-old", what, where=str(path), hint="make a new plan")
    return Planfile(path, made, document, prints)


def _bad(path: Path, what: str) -> NoReturn:
    raise ConfigError("bad-plan-file", what, where=str(path), hint="make a new one with 'wifimgr plan PLAYBOOK --out'")


def _unreadable(path: Path, error: OSError) -> ConfigError:
    what = f"cannot be read: {(error.strerror or 'unknown reason').lower()}"
    return ConfigError("unreadable-file", what, where=str(path))


# ---------------------------------------------------------------- job


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """What a plan file says shall be done, and nothing else."""

    job: Job
    file: Planfile

    @property
    def title(self) -> str:
        """What it is, and when it was planned."""
        return f"{self.job.title} (planned {self.file.made.astimezone():%Y-%m-%d %H:%M})"

    @property
    def what(self) -> str:
        """For the journal: the playbook, and when it was planned."""
        return f"{self.job.what}, plan file of {self.file.made:%Y-%m-%dT%H:%M:%SZ}"

    def command(self, router: str) -> str:
        """A new plan."""
        return self.job.command(router)

    def change(self, router: Router, connection: Connection, deadline: Deadline) -> Change:
        """What differs now. Raises RouterError ``moved-since-plan`` unless that is what was planned, or nothing."""
        now = self.job.change(router, connection, deadline)
        if now.anything:
            self.file.check(now)
        return now

    def change_after_steps(self, router: Router, connection: Connection, deadline: Deadline) -> Change:
        """What differs then: what the steps have brought was in no plan."""
        return self.job.change_after_steps(router, connection, deadline)

    def secrets(self, router: Router) -> set[str]:
        """Those of the job."""
        return self.job.secrets(router)
