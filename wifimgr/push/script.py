"""What is sent to a router's shell, and what comes back.

``router.sh`` travels on standard input inside ``{ … }``: a connection that is cut on the way has run nothing. Every
answer line starts with a random word of this one call, so that banners and messages of the day are never mistaken
for answers. All values are quoted; contents go through the shell's own ``printf`` and never into a process list.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import secrets
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from wifimgr.errors import RouterError
from wifimgr.model import PathChange

ROUTER_SH = (files("wifimgr.push") / "router.sh").read_text(encoding="ascii").rstrip("\n")
LARGEST_FILE = 256 << 10
"""Bytes. A larger file is no configuration."""
FLASH_BLOCK = 4
"""KiB that even the smallest file takes on flash."""
FLASH_RESERVE = 32
"""KiB of flash that a change leaves free, for the guard and what the file system needs for itself."""
LONGEST_QUOTE = 200
"""Characters of a router's own words in a message."""
_SAFE = re.compile(r"[A-Za-z0-9._/@+-]+")
_NUMBER = re.compile(r"[0-9]{1,9}")
_PART = re.compile(r"\.\.?")


def safe_path(path: str) -> bool:
    """Whether the router's script can handle this path: plain characters, below a folder, no way upwards."""
    parts = path.split("/")
    return bool(_SAFE.fullmatch(path)) and len(parts) > 1 and all(part and not _PART.fullmatch(part) for part in parts)


@dataclass(frozen=True, slots=True)
class Call:
    """One script to run, and the word that marks its answers."""

    nonce: str
    text: str


def _call(*lines: str) -> Call:
    nonce = secrets.token_hex(8)
    body = "\n".join(lines)
    return Call(nonce, f'{{ SELF={shlex.quote(ROUTER_SH)}\nNONCE={nonce}\neval "$SELF"\n{body}\nexit\n}} </dev/null\n')


def show(paths: Iterable[str]) -> Call:
    """Asks for files by path, without leading slash."""
    return _call("show " + " ".join(shlex.quote(path) for path in paths))


def snapshot() -> Call:
    """Asks for the files as they were before the last confirmed change."""
    return _call("snapshot")


def leave() -> Call:
    """Removes everything that is wifimgr's own from a router."""
    return _call("leave")


def push(
    tx: str,
    paths: Iterable[PathChange],
    *,
    within: float,
    settle: float,
    gap: float,
    forget: bool,
    reboot: float = 0.0,
) -> Call:
    """Arms and applies a change. Times are in seconds and rounded up; ``reboot`` is counted from an undo, 0: never."""
    changes = sorted(paths, key=lambda change: change.path)
    have = [change for change in changes if change.before is not None]
    put = [change for change in changes if change.after is not None]
    return _call(
        f"TX={shlex.quote(tx)}",
        _names("HAVE", have),
        _names("ABSENT", (change for change in changes if change.before is None)),
        f"BASE={shlex.quote(_sums((change.path, change.before) for change in have))}",
        f"NEED={_flash_needed(changes)}",
        "begin",
        *(_new(change) for change in put),
        _names("PUT", put),
        _names("DROP", (change for change in changes if change.after is None)),
        f"WANT={shlex.quote(_sums((change.path, change.after) for change in put))}",
        f"WITHIN={_whole(within)} SETTLE={_whole(settle)} GAP={_whole(gap)} FORGET={int(forget)}",
        f"REBOOT={_whole(reboot)}",
        "arm",
    )


def look(tx: str, *, aside: bool = False) -> Call:
    """Asks where a change stands and what the daemons say. A look from ``aside`` is no login that counts."""
    return _call(f"look {shlex.quote(tx)} {'aside' if aside else ''}".rstrip())


def confirm(tx: str) -> Call:
    """Makes a change permanent, if the router agrees that it is time."""
    return _call(f"confirm {shlex.quote(tx)}")


def take_back(tx: str) -> Call:
    """Undoes a change inside its window."""
    return _call(f"take_back {shlex.quote(tx)}")


def _new(change: PathChange) -> str:
    content = (change.after or b"").decode("utf-8", "surrogateescape")
    return f"new {change.path} {change.mode or '-'} {shlex.quote(content)}"


def _names(variable: str, changes: Iterable[PathChange]) -> str:
    return f"{variable}={shlex.quote(' '.join(change.path for change in changes))}"


def _sums(contents: Iterable[tuple[str, bytes | None]]) -> str:
    """Lines as sha256sum prints them."""
    return "\n".join(f"{hashlib.sha256(raw or b'').hexdigest()}  {path}" for path, raw in contents)


def _flash_needed(changes: Iterable[PathChange]) -> int:
    """KiB that have to be free: new files and snapshot lie beside each other, so the larger of the two twice."""
    sizes = [(_blocks(change.before), _blocks(change.after)) for change in changes]
    return 2 * max(sum(before for before, _ in sizes), sum(after for _, after in sizes)) + FLASH_RESERVE


def _blocks(content: bytes | None) -> int:
    return 0 if content is None else FLASH_BLOCK * max(1, math.ceil(len(content) / (FLASH_BLOCK << 10)))


def _whole(seconds: float) -> int:
    return int(seconds) + (seconds > int(seconds))


# ---------------------------------------------------------------- answers


class Answer:
    """What a router printed, read by the marks of one call; everything else is banner and noise."""

    def __init__(self, router: str, call: Call, output: bytes) -> None:
        self.router, self._mark, self._output, self._at = router, f"wifimgr:{call.nonce} ".encode(), output, 0

    def line(self) -> list[str]:
        """The words of the next answer line. Raises RouterError (``bad-answer``) when there is none."""
        start = self._output.find(self._mark, self._at)
        end = self._output.find(b"\n", start)
        if start < 0 or end < 0:
            raise self.bad("the answer ends too early")
        words = self._output[start + len(self._mark) : end].decode("utf-8", "backslashreplace").split()
        self._at = end + 1
        return words or [""]

    def raw(self, size: int) -> bytes:
        """The next bytes, as many as an answer line announced."""
        if size > LARGEST_FILE:
            raise self.bad(f"a file is larger than {LARGEST_FILE >> 10} KiB")
        data = self._output[self._at : self._at + size]
        if len(data) < size:
            raise self.bad("a file was cut on its way")
        self._at += size
        return data

    def until_mark(self) -> bytes:
        """Everything up to the next answer line."""
        end = self._output.find(self._mark, self._at)
        if end < 0:
            raise self.bad("the answer ends too early")
        data = self._output[self._at : end]
        self._at = end
        return data

    def bad(self, what: str) -> RouterError:
        """An answer nobody can make sense of; ``what`` may quote it, so it is cut."""
        hint = "try again; if it stays so, look at the router by hand"
        return RouterError("bad-answer", what[:LONGEST_QUOTE], where=self.router, hint=hint)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a router has: path to bytes (None: no such file), and a change that is open on it (``pending.TX``)."""

    files: dict[str, bytes | None]
    open_change: str = ""
    modes: dict[str, str] = field(default_factory=dict)
    """Path to octal mode, ``644``."""


class Nothing(Exception):
    """A router has nothing to give, or lets nothing be taken: one word why."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def read_leave(answer: Answer) -> None:
    """The answer to :func:`leave`. Raises :class:`Nothing`: ``there`` when no trace was there."""
    match answer.line():
        case ["left"]:
            return
        case ["nothing", why]:
            raise Nothing(why)
        case words:
            raise answer.bad(f"{words[0]!r} was not expected")


def read_show(answer: Answer) -> Shown:
    """The answer to :func:`show` and to :func:`snapshot`; raises :class:`Nothing` where there is no snapshot."""
    found: dict[str, bytes | None] = {}
    modes: dict[str, str] = {}
    open_change = ""
    while True:
        match answer.line():
            case ["file", path, size, mode, *_] if _NUMBER.fullmatch(size):
                found[path] = answer.raw(int(size))
                modes[path] = _octal(mode)
            case ["absent", path]:
                found[path] = None
            case ["other", path]:
                what = f"/{path} is a link or a folder there, and only plain files can be pushed; nothing was changed"
                raise RouterError("router-refused", what, where=answer.router, hint="take it out of the playbook")
            case ["open", state, tx]:
                open_change = f"{state}.{tx}"
            case ["nothing", why]:
                raise Nothing(why)
            case ["end"]:
                return Shown(found, open_change, modes)
            case words:
                raise answer.bad(f"{words[0]!r} was not expected")


def _octal(listed: str) -> str:
    """``-rw-r--r--`` as ``644``; set-id and sticky bits are left out."""
    bits = "".join("0" if letter in "-ST" else "1" for letter in listed[1:10])
    return f"{int(bits, 2):03o}" if len(bits) == 9 else ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a change stands: ``pending``, ``undo``, ``confirmed``, ``rolledback``, ``unknown`` or ``busy``."""

    state: str
    wait: float = 0.0
    """Seconds until a confirm can count."""
    ubus: dict[str, Any] | None = None
    """What the daemons say: ``network.wireless`` and ``network.interface``; only while pending."""


def read_standing(answer: Answer) -> Standing:
    """The answer to :func:`look`, :func:`confirm` and :func:`take_back`."""
    words = answer.line()
    if words[0] != "state" or len(words) < 2:
        raise answer.bad(f"{words[0]!r} was not expected")
    wait = float(words[2]) if len(words) > 2 and _NUMBER.fullmatch(words[2]) else 0.0
    return Standing(words[1], wait)


def read_look(answer: Answer) -> Standing:
    """The answer to :func:`look`, with what the daemons say."""
    standing = read_standing(answer)
    if standing.state != "pending":
        return standing
    said: dict[str, Any] = {}
    while (words := answer.line())[0] == "ubus":
        name = " ".join(words[1:])
        try:
            said[name] = json.loads(answer.until_mark().decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            said[name] = None  # no such daemon, or none that answers right now
    return Standing(standing.state, standing.wait, said)
