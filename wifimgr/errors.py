"""One tree of errors. Each has a short id, one clear line, and a hint what to do next.

``ERRORS`` is the list of all ids; ``docs/errors.md`` describes each of them and a test compares the two.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

ERRORS: dict[str, str] = {
    # configuration (exit 2)
    "no-network": "no network folder was found",
    "unreadable-file": "a file cannot be read or written",
    "bad-yaml": "a file is not valid YAML",
    "duplicate-key": "a key stands twice in the same mapping",
    "unknown-key": "a key is not known at this place",
    "missing-key": "a required key is missing",
    "wrong-type": "a value has the wrong type or form",
    "unknown-name": "a name refers to nothing that exists",
    "reserved-name": "a variable has a name that wifimgr sets itself",
    "duplicate-name": "a router name is used twice",
    "duplicate-address": "an address is used twice",
    "overlapping-prefix": "two places have the same addresses in their ranges",
    "foreign-address": "an address or a range is not ours, or belongs to another place",
    "outside-area": "a position lies outside the area of the network",
    "no-routers": "a site has no routers",
    "no-contact-hours": "a public site does not say when somebody can be called",
    "school-holidays-end": "the file of school holidays ends soon, or has ended",
    "loop": "routers stand behind each other in a circle",
    "nothing-selected": "a selector matches no router",
    "bad-selector": "a selector cannot be understood",
    "missing-variable": "a playbook uses a variable that is not set",
    "missing-secret": "a secret cannot be found where the network says it is",
    "plain-secret": "a secret stands in a file in plain text",
    "bad-uci": "a UCI file of a router cannot be understood",
    "bad-wish": "a playbook wishes something that cannot be expressed on a router",
    "already-there": "what should be made is there already",
    "cannot-edit": "a file is written in a way that a command cannot edit",
    "file-changed": "a file was changed by somebody else while a command edited it",
    "bad-ssh-config": "the SSH configuration of this user cannot be understood",
    "bad-import": "a file is not of the format it should be imported as",
    "which-operator": "an import cannot tell whose the routers are",
    "cannot-fetch": "an address on the web cannot be fetched",
    "cannot-export": "a value cannot be written in the format it should be exported as",
    "bad-plan-file": "a plan file was edited, or made by another installation, or is none",
    "need-terminal": "a question would have to be asked, but there is no terminal",
    "port-in-use": "another program listens already where we shall",
    "cannot-listen": "the system does not let us listen at an address",
    # refused by a guard (exit 4)
    "watch-only": "the router is only watched, never changed",
    "wrong-platform": "the platform of the router cannot carry this change",
    "gluon-drops": "a wish would not outlast the next upgrade of Gluon",
    "host-key-unknown": "the host key of a router was never trusted",
    "host-key-changed": "the host key of a router differs from the trusted one",
    "needs-program": "the way to a router is up to a program that wifimgr does not start",
    "plan-too-old": "a plan file is from yesterday or before",
    "playbook-changed": "a playbook was changed since a plan file was made from it",
    "no-undo": "a change holds something that no router can take back by itself",
    "leased": "another wifimgr works on the router",
    "still-needed": "other routers are reached through the router",
    "open-now": "people would notice the change, and their place is open",
    # a router could not be reached or did not take the change (exit 3)
    "unreachable": "a router cannot be reached",
    "login-refused": "a router refuses the login",
    "legacy-ssh": "the SSH server of a router signs with SHA-1 only",
    "no-host-key": "a file has no host key for a router, or no clear one",
    "bad-answer": "a router answers something unexpected",
    "router-refused": "a router refuses the change before anything was touched",
    "no-snapshot": "a router holds nothing to go back to",
    "moved-since-plan": "a router was changed by someone else since the plan was shown",
    "step-failed": "something without an undo failed on a router, and its files were not changed",
    "rolled-back": "a router went back to its last confirmed state",
    "unconfirmed": "a router could not be reached to confirm; it goes back by itself",
    "store-failed": "the store cannot be read or written",
    "lab-failed": "the simulated network did not do what it should",
    "bug": "wifimgr itself made a mistake",
}
"""Every error id with its meaning in one line."""

INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line breaks, marks that turn the direction of text, and halves of characters."""
_NAMED = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}

MOST_NAMES = 24
"""As many names as a hint may list."""


def closest(word: str, known: Iterable[str]) -> str:
    """The known word that is most like a word; empty: none is like it."""
    return next(iter(difflib.get_close_matches(word.lower(), sorted(known), n=1)), "")


MOST_CLOSE = 3
"""As many names as a hint gives of those that a command lists."""


def did_you_mean(word: str, known: Iterable[str], listing: str = "") -> str:
    """A hint for a word that is not known: the closest known one, or what is known when none is close.

    With ``listing``, what lists them all, it is the three closest of many, and that.
    """
    names = sorted(known)
    if listing and len(names) > MOST_CLOSE:
        found = difflib.get_close_matches(word.lower(), names, n=MOST_CLOSE)
        near = found or difflib.get_close_matches(word.lower(), names, n=MOST_CLOSE, cutoff=0)
        told = f"did you mean {_either(found)}?" if found else f"the closest are {', '.join(near)};"
        return f"{told} {listing} lists all"
    if close := closest(word, names):
        return f"did you mean {close}?"
    more = f", … ({len(names)} in all)" if len(names) > MOST_NAMES else ""
    return f"known here: {', '.join(names[:MOST_NAMES])}{more}" if names else "none is known here"


def _either(names: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def visible(text: str) -> str:
    """The text on one line, without anything that could steer a terminal: such characters are written out."""
    return INVISIBLE.sub(lambda match: _NAMED.get(match[0]) or f"\\u{ord(match[0]):04x}", text)


class WifimgrError(Exception):
    """An error a person should read: what, where, why, what to do next. Never a traceback."""

    exit_code: ClassVar[int] = 1

    def __init__(self, id: str, what: str, *, where: str = "", hint: str = "") -> None:
        assert id in ERRORS, id
        self.id, self.what, self.where, self.hint = id, what, where, hint
        super().__init__(self.line())

    def line(self) -> str:
        """The error as one line: ``where: what; hint [id]``."""
        text = f"{self.where}: {self.what}" if self.where else self.what
        text = f"{text}; {self.hint}" if self.hint else text
        return f"{visible(' '.join(text.split()))} [{self.id}]"

    def lines(self) -> list[str]:
        """All lines to print; more than one only where several problems were found in one run."""
        return [self.line()]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file of the network. ``where`` is ``file:line``."""

    id: str
    where: str
    key: str
    what: str
    hint: str
    severity: str = "error"
    """``error``, or ``warning``: what is right today and will not stay so."""

    def line(self) -> str:
        """``file:line: key: what; hint [id]`` on one line."""
        text = ": ".join(part for part in (self.where, self.key, self.what) if part)
        text = f"{text}; {self.hint}" if self.hint else text
        return f"{visible(' '.join(text.split()))} [{self.id}]"


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Problems by file, line and key, each once: the same files always give the same list."""

    def place(problem: Problem) -> tuple[str, int, str, str, str]:
        file, _, line = problem.where.rpartition(":")
        file, number = (file, int(line)) if line.isdecimal() else (problem.where, 0)
        return file, number, problem.key, problem.what, problem.id

    return sorted(dict.fromkeys(problems), key=place)


class ConfigError(WifimgrError):
    """The network folder, a playbook, the settings or the command line are wrong."""

    exit_code = 2

    def __init__(self, id: str, what: str, *, where: str = "", key: str = "", hint: str = "") -> None:
        self.problems: tuple[Problem, ...] = (Problem(id, where, key, what, hint),)
        super().__init__(id, f"{key}: {what}" if key else what, where=where, hint=hint)

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> ConfigError:
        """One error for several problems, found in one run; at least one is required."""
        found = tuple(problems)
        first = found[0]
        error = cls(first.id, first.what, where=first.where, key=first.key, hint=first.hint)
        error.problems = found
        return error

    def lines(self) -> list[str]:
        """One line a problem."""
        return [problem.line() for problem in self.problems]


@contextmanager
def collecting(problems: list[Problem]) -> Iterator[None]:
    """Add the problems of a ConfigError to a list and go on, so that one run tells about all files."""
    try:
        yield
    except ConfigError as error:
        problems += error.problems


class Refused(WifimgrError):
    """A guard says no; nothing was changed."""

    exit_code = 4


class RouterError(WifimgrError):
    """Something went wrong with one router; the other routers go on."""

    exit_code = 3


class StoreError(WifimgrError):
    """The store cannot be read or written."""


class LabError(WifimgrError):
    """The simulated network, or what was shown on it, is not as it should be."""
