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
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

from wifimgr.errors import RouterError
from wifimgr.model import PathChange, Step
from wifimgr.platforms.edits import NOTHING_ASKED, NOTHING_TOLD, Questions, Service, Told

ROUTER_SH = (files("wifimgr.push") / "router.sh").read_text(encoding="ascii").rstrip("\n")
PROBES_SH = (files("wifimgr.push") / "probes.sh").read_text(encoding="ascii").rstrip("\n")
STEPS_SH = (files("wifimgr.push") / "steps.sh").read_text(encoding="ascii").rstrip("\n")
LARGEST_FILE = 256 << 10
"""Bytes. A larger file is no configuration."""
FLASH_BLOCK = 4
"""KiB that even the smallest file takes on flash."""
FLASH_RESERVE = 32
"""KiB of flash that a change leaves free, for the guard and what the file system needs for itself."""
LONGEST_QUOTE = 200
"""Characters of a router's own words in a message."""
LINK = "link"
"""What stands for the mode of a symbolic link. Its bytes are where it leads to."""
Probe = tuple[str, str]
"""What a router is asked to try, and with what: ``("ping", "192.0.2.1")``. Plain characters without spaces."""
READABLE = "# Without comments; the readable one is wifimgr/push/router.sh in the sources of wifimgr."
"""The second line of the script on a router."""
_FOR_PEOPLE = re.compile(r"(?m)^[ \t]*(#.*)?\n|^[ \t]+")
_SAFE = re.compile(r"[A-Za-z0-9._/@+-]+")
_NUMBER = re.compile(r"[0-9]{1,9}")
_PLACE = re.compile(r"[0-9]{1,2}|-")
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

    @property
    def end(self) -> bytes:
        """What a call prints last that leaves its shell to the next one."""
        return f"wifimgr:{self.nonce} end\n".encode()


_KEPT = '[ -z "$LOCKED" ] || { say end locked; exit; }\nsay end'
"""The end of a call whose shell is kept: not with the lock, which nobody else could have until the connection ends."""


def _call(*lines: str, known: bool = False, kept: bool = False) -> Call:
    """``kept``: its shell may be used for one more call. ``known``: it is that one, and finds the script there."""
    nonce = secrets.token_hex(8)
    begin = [f"NONCE={nonce}"] if known else [f"SELF={_sent(ROUTER_SH)}", f"NONCE={nonce}", 'eval "$SELF"']
    body = "\n".join([*begin, *lines, _KEPT if kept else "exit"])
    return Call(nonce, f"{{ {body}\n}} </dev/null\n")


@lru_cache(maxsize=1)
def _sent(text: str) -> str:
    """A script without what only people need, quoted: it travels with every call, and a router has to read it."""
    head, _, code = text.partition("\n")
    return shlex.quote("\n".join([head, READABLE, _FOR_PEOPLE.sub("", code)]))


def show(paths: Iterable[str], questions: Questions = NOTHING_ASKED) -> Call:
    """Asks for files by path, without leading slash; and for what else has to be known, in the same call."""
    wanted = "show " + " ".join(shlex.quote(path) for path in paths)
    if not questions:
        return _call(wanted)
    packages = [f"ask_packages {' '.join(map(shlex.quote, questions.packages))}"] if questions.packages else []
    services = [f"ask_service {shlex.quote(name)}" for name in questions.services]
    unless = [f"ask_unless {shlex.quote(code)}" for code in questions.unless]
    return _call(PROBES_SH, STEPS_SH, wanted, *packages, *services, *unless, "say end")


def step(wanted: Step) -> Call:
    """Does one thing that has no undo."""
    doing = f"take_step {max(1, _whole(wanted.takes))} {shlex.quote(wanted.script)}"
    return _call(PROBES_SH, STEPS_SH, doing)


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
    after: Iterable[str] = (),
    kept: Iterable[PathChange] = (),
    seen: Mapping[str, bytes | None] | None = None,
) -> Call:
    """Arms and applies a change. Times are in seconds and rounded up; ``reboot`` is counted from an undo, 0: never.

    ``after``, ``kept`` and ``seen`` are those of :class:`Change`: lines for the script, files that only the snapshot
    holds, files that only have to be as they were.
    """
    there = {path: raw for path, raw in sorted((seen or {}).items()) if raw is not None}
    changes, kept = sorted(paths, key=_by_path), list(kept)
    known = sorted([*changes, *kept], key=_by_path)
    have = [change for change in known if change.before is not None]
    put = [change for change in changes if change.after is not None]
    base = _sums((change, change.before) for change in have)
    more = "\n".join(f"{hashlib.sha256(raw).hexdigest()}  {path}" for path, raw in there.items())
    more = f"\n{more}" if base and more else more
    return _call(
        f"TX={shlex.quote(tx)}",
        _names("HAVE", have),
        _names("OVER", (change for change in put if change.before is not None and not change.link)),
        _names("ABSENT", (change for change in known if change.before is None)),
        f"BASE={shlex.quote(base)}",
        f"SEEN={shlex.quote(' '.join(there))}",
        f"LACKS={shlex.quote(' '.join(path for path, raw in (seen or {}).items() if raw is None))}",
        f"MORE={shlex.quote(more)}",
        f"NEED={_flash_needed(changes, kept)}",
        "begin",
        *(_new(change) for change in put),
        _names("PUT", put),
        _names("DROP", (change for change in changes if change.after is None)),
        f"WANT={shlex.quote(_sums((change, change.after) for change in put))}",
        f"WITHIN={_whole(within)} SETTLE={_whole(settle)} GAP={_whole(gap)} FORGET={int(forget)}",
        f"REBOOT={_whole(reboot)}",
        f"AFTER={_lines(after)}",
        "arm",
    )


def look(tx: str, *, aside: bool = False, probes: Iterable[Probe] = (), limit: float = 0.0) -> Call:
    """Asks where a change stands; once it has settled, also what the daemons say and what becomes of the probes.

    A look from ``aside`` is no login that counts. A probe that takes longer than ``limit`` seconds has no answer.
    """
    wanted = " ".join(dict.fromkeys(f"{kind}={argument}" for kind, argument in probes))
    trying = [PROBES_SH, f"PROBES={shlex.quote(wanted)} LIMIT={_whole(limit)}"] if wanted else []
    return _call(*trying, f"look {shlex.quote(tx)} {'aside' if aside else ''}".rstrip(), kept=True)


def confirm(tx: str, *, known: bool = False) -> Call:
    """Makes a change permanent, if the router agrees that it is time. ``known``: it goes to the shell of a look."""
    return _call(f"confirm {shlex.quote(tx)}", known=known)


def take_back(tx: str, *, known: bool = False) -> Call:
    """Undoes a change inside its window. ``known``: it goes to the shell of a look."""
    return _call(f"take_back {shlex.quote(tx)}", known=known)


def _by_path(change: PathChange) -> str:
    return change.path


def _new(change: PathChange) -> str:
    content = (change.after or b"").decode("utf-8", "surrogateescape")
    return f"new {shlex.quote(change.path)} {LINK if change.link else change.mode or '-'} {shlex.quote(content)}"


def _names(variable: str, changes: Iterable[PathChange]) -> str:
    return f"{variable}={shlex.quote(' '.join(change.path for change in changes))}"


def _lines(lines: Iterable[str]) -> str:
    return shlex.quote("\n".join(lines))


def _sums(contents: Iterable[tuple[PathChange, bytes | None]]) -> str:
    """Lines as the router's ``sums`` prints them: like sha256sum, and links last."""
    links_last = sorted(contents, key=lambda each: each[0].link)
    return "\n".join(f"{_sum(change, raw or b'')}  {change.path}" for change, raw in links_last)


def _sum(change: PathChange, raw: bytes) -> str:
    return f"link:{raw.decode('utf-8', 'surrogateescape')}" if change.link else hashlib.sha256(raw).hexdigest()


def _flash_needed(changes: Iterable[PathChange], kept: Iterable[PathChange] = ()) -> int:
    """KiB that have to be free: new files and snapshot lie beside each other, so the larger of the two twice.

    Of files that are only ``kept`` nothing new is brought.
    """
    sizes = [(_blocks(change.before), _blocks(change.after)) for change in changes]
    brought = 2 * max(sum(before for before, _ in sizes), sum(after for _, after in sizes))
    return brought + sum(_blocks(each.before) for each in kept) + FLASH_RESERVE


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

    def listing(self) -> list[tuple[str, int, str]]:
        """The files whose bytes come next, one after the other: path, size, and mode as the router's ``ls`` has it."""
        lines = self.until_mark().decode("utf-8", "backslashreplace").splitlines()
        words = [line.split() for line in lines if line]
        if self.line() != ["contents"] or not all(len(each) == 5 and _NUMBER.fullmatch(each[3]) for each in words):
            raise self.bad("its list of files makes no sense")
        return [(path, int(size), mode) for mode, _, _, size, path in words]

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
    """Path to octal mode, ``644``, or to :data:`LINK`."""
    told: Told = NOTHING_TOLD
    """What it answered to questions."""


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
            case ["files"]:
                for path, size, mode in answer.listing():
                    found[path], modes[path] = answer.raw(size), _octal(mode)
            case ["absent", path]:
                found[path] = None
            case [kind, path, *target] if kind == LINK:
                found[path] = " ".join(target).encode("utf-8", "surrogateescape")
                modes[path] = LINK
            case ["other", path]:
                raise no_file(answer.router, path)
            case ["open", state, tx]:
                open_change = f"{state}.{tx}"
            case ["nothing", why]:
                raise Nothing(why)
            case ["end"]:
                return Shown(found, open_change, modes)
            case words:
                raise answer.bad(f"{words[0]!r} was not expected")


def no_file(router: str, path: str) -> RouterError:
    """What is at a path of a router cannot be pushed."""
    what = f"/{path} is a link or a folder there, and only plain files can be pushed; nothing was changed"
    return RouterError("router-refused", what, where=router, hint="take it out of the playbook")


def _octal(listed: str) -> str:
    """``-rw-r--r--`` as ``644``; set-id and sticky bits are left out."""
    bits = "".join("0" if letter in "-ST" else "1" for letter in listed[1:10])
    return f"{int(bits, 2):03o}" if len(bits) == 9 else ""


def read_told(answer: Answer, questions: Questions) -> Told:
    """What is answered to questions, behind the files. Raises RouterError where a router cannot tell."""
    manager, packages, unless = "", dict[str, bool](), list[str]()
    services = dict[str, Service | None]()
    name = ""
    while True:
        match answer.line():
            case ["manager", "opkg" | "apk" | "none" as manager]:
                manager = manager.removeprefix("none")
            case ["package", package, "yes" | "no" as there] if package in questions.packages:
                packages[package] = there == "yes"
            case ["service", name, "absent"] if name in questions.services:
                services[name] = None
            case ["service", name, start, stop, runs] if name in questions.services and _in_order(start, stop):
                services[name] = Service(start.strip("-"), stop.strip("-"), runs == "yes", {})
            case ["link", path, *target] if (service := services.get(name)) and _is_of(path, name):
                services[name] = replace(service, links={**service.links, path: " ".join(target)})
            case ["absent", path] if (service := services.get(name)) and _is_of(path, name):
                services[name] = replace(service, links={**service.links, path: None})
            case ["files"] | ["other", _]:
                raise answer.bad(f"what starts or stops the service {name} is no link in /etc/rc.d")
            case ["unless", "yes" | "no" | "late" | "missing" | "broken" as word]:
                unless.append(word)
            case ["package", package, *_] if package in questions.packages:
                raise answer.bad(f"it cannot say whether the package {package} is installed")
            case ["end"] if _all_told(questions, packages, services, unless):
                return Told(manager=manager, packages=packages, services=services, unless=tuple(unless))
            case words:
                raise answer.bad(f"{words[0]!r} was not expected")


def _in_order(*numbers: str) -> bool:
    """Whether these are places in the order of start and stop; ``-``: it has none."""
    return all(_PLACE.fullmatch(number) for number in numbers)


def _is_of(path: str, service: str) -> bool:
    """Whether a path is that of a link that starts or stops a service."""
    return bool(re.fullmatch(rf"etc/rc\.d/[SK][0-9]{{1,2}}{re.escape(service)}", path))


def _all_told(
    questions: Questions, packages: Collection[str], services: Collection[str], unless: Collection[str]
) -> bool:
    asked = len(set(questions.packages)), len(set(questions.services)), len(questions.unless)
    return asked == (len(packages), len(services), len(unless))


class StepFailed(Exception):
    """A step did not end well: its exit code, and what it ``said`` last, which may be any secret of the router."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(code)
        self.code, self.said = code, said


def read_step(answer: Answer) -> list[str]:
    """The answer to :func:`step`: nothing when it was done, the words of a refusal. Raises :class:`StepFailed`."""
    match answer.line():
        case ["done"]:
            return []
        case ["failed", code] if _NUMBER.fullmatch(code):
            raise StepFailed(code, answer.until_mark().decode("utf-8", "replace").strip())
        case ["refused", *_] as words:
            return words
        case words:
            raise answer.bad(f"{words[0]!r} was not expected")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a change stands: ``pending``, ``undo``, ``confirmed``, ``rolledback``, ``unknown`` or ``busy``."""

    state: str
    wait: float = 0.0
    """Seconds until a confirm can count."""
    ubus: dict[str, Any] | None = None
    """What the daemons say: ``network.wireless``, ``network.interface``, ``hostapd.NAME``; only while pending, and
    empty while there is something to wait for."""
    probes: Mapping[Probe, str] = field(default_factory=dict)
    """What became of the probes that ended in time, in one word."""
    failed: str = ""
    """What could not take the change up, in one word; empty: nothing is known to have failed."""


def read_standing(answer: Answer) -> Standing:
    """The answer to :func:`look`, :func:`confirm` and :func:`take_back`."""
    words = answer.line()
    if words[0] != "state" or len(words) < 2:
        raise answer.bad(f"{words[0]!r} was not expected")
    wait = int(words[2]) / 100 if len(words) > 2 and _NUMBER.fullmatch(words[2]) else 0.0
    return Standing(words[1], wait, failed=" ".join(words[3:])[:LONGEST_QUOTE])


def read_look(answer: Answer) -> Standing:
    """The answer to :func:`look`, with what the daemons say."""
    standing = read_standing(answer)
    if standing.state != "pending":
        return standing
    said: dict[str, Any] = {}
    probes: dict[Probe, str] = {}
    while True:
        match answer.line():
            case ["ubus", *words]:
                said[" ".join(words)] = _json(answer.until_mark())
            case ["probe", kind, argument, word]:
                probes[kind, argument] = word
            case _:
                return replace(standing, ubus=said, probes=probes)


def _json(text: bytes) -> Any:
    """What a daemon said; None: there is no such daemon, or none that answers right now."""
    try:
        return json.loads(text.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
