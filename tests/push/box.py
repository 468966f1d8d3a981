"""A router for tests of router.sh alone: a directory tree, a shell, the lab's stand-ins, and a clock that obeys.

Nothing here waits for real seconds. The script's ``/proc/uptime`` is a file of the tree, and ``sleep`` waits for that
clock; :meth:`Box.advance` lets time pass.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from unittest import mock

from wifimgr.model import PathChange, Step
from wifimgr.platforms.edits import Questions, Told
from wifimgr.push import script

LAB = Path(__file__).parents[2] / "wifimgr" / "lab"
LOCKS = Path("/proc/locks")
LETTING_GO = 0.3
"""Seconds."""
GIVE_UP = 10.0
"""Seconds until a test that waits for something fails."""
LONGEST_CALL = 30.0
"""Seconds that one program may take on a busy machine."""

SLEEP = """#!/bin/sh
clock() { read -r now _ <"$WIFIMGR_ROOT/proc/uptime" && now=${now%%.*}; }
clock
end=$((now + ${1%%.*}))
echo $end >"$WIFIMGR_ROOT/proc/sleeper.$$"
while [ -d "$WIFIMGR_ROOT/proc" ] && clock && [ "$now" -lt "$end" ]; do /bin/sleep 0.02; done
rm -f "$WIFIMGR_ROOT/proc/sleeper.$$"
"""
REBOOT = """#!/bin/sh
echo x >>"$WIFIMGR_ROOT/lab/reboots"
"""
"""Only noted: a test cuts the power itself."""
BUSYBOX_APPLETS = [
    "ash",
    "awk",
    "cat",
    "chmod",
    "cmp",
    "cp",
    "date",
    "df",
    "find",
    "grep",
    "kill",
    "ln",
    "ls",
    "md5sum",
    "mkdir",
    "mv",
    "printf",
    "readlink",
    "rm",
    "rmdir",
    "sed",
    "sh",
    "sha256sum",
    "sort",
    "tail",
    "wc",
]

RAM = ("tmp", "var", "lab", "proc")
"""Folders at the top that are not on flash."""
OWN = ("etc/wifimgr", "etc/init.d/wifimgr", "etc/rc.d/S09wifimgr", "lib/upgrade/keep.d/wifimgr")
"""What is wifimgr's own on flash."""

Paths = Mapping[str, tuple[bytes | None, bytes | None]]
"""Path to bytes before and after."""


def changes(paths: Paths, modes: Mapping[str, str] | None = None) -> list[PathChange]:
    """Path to bytes before and after, as changes. The mode ``link`` makes it a link."""
    modes = modes or {}
    return [
        PathChange(
            path=path,
            before=before,
            after=after,
            mode=modes.get(path, "" if before is not None else "600"),
            link=modes.get(path) == script.LINK,
        )
        for path, (before, after) in paths.items()
    ]


def runs(process: int) -> bool:
    """Whether it still runs: one that was killed leaves its mark behind."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _line(process: int, parents: Mapping[int, int]) -> Iterator[int]:
    """A process, its parent, and so on, as far as they are known."""
    while process in parents:
        yield process
        process = parents[process]


@cache
def applets() -> frozenset[str]:
    """What this machine's busybox has inside of it."""
    return frozenset(subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True).stdout.split())


class Box:
    """One router that runs this router.sh in this shell, ``sh`` or ``busybox``."""

    def __init__(
        self, folder: Path, text: str = script.ROUTER_SH, shell: str = "sh", steps: str = script.STEPS_SH
    ) -> None:
        self.root, self.tools = folder / "root", folder / "tools"
        self._text = text.replace("/proc/uptime", '"$R/proc/uptime"')
        self._steps = steps
        self._own_tools: list[str] = []
        self._groups: list[int] = []
        self._login = 0
        self._connected = False
        shutil.copytree(LAB / "rootfs", self.root)
        for path in self.root.glob("etc/config/*"):
            path.chmod(0o600)
        for name in ("etc/init.d", "etc/rc.d", "lib/upgrade/keep.d", "tmp/run", "lab", "proc"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        (self.root / "var").symlink_to("tmp")
        self._lay_out_tools(shell)
        self.write("sbin/reboot", REBOOT)
        (self.root / "sbin/reboot").chmod(0o755)
        self.set_clock(1000)
        self.run([*self.shell, str(self.tools / "reload_config"), "boot"])

    def _lay_out_tools(self, shell: str) -> None:
        self.tools.mkdir()
        for source in (LAB / "standins").iterdir():
            shutil.copy(source, self.tools)
        path, self.shell = "/usr/sbin:/usr/bin:/sbin:/bin", ["/bin/sh"]
        if shell == "busybox":
            busybox = shutil.which("busybox")
            assert busybox
            for applet in BUSYBOX_APPLETS:
                (self.tools / applet).symlink_to(busybox)
            flock = shutil.which("flock")
            assert flock
            (self.tools / "flock").symlink_to(flock)
            path, self.shell = "", [str(self.tools / "ash")]
        self.put_tool("sleep", SLEEP)
        self.put_tool("pidof", "#!/bin/sh\nexit 1\n")  # a test's machine runs what it likes
        self.put_tool("sync", "#!/bin/sh\n")  # the real one waits for the disk of the whole machine
        self.environment = {"PATH": f"{self.tools}:{path}".rstrip(":"), "WIFIMGR_ROOT": str(self.root), "LC_ALL": "C"}

    def put_tool(self, name: str, text: str) -> None:
        """A program that comes first on the router's PATH."""
        for path in (self.tools / name, self.tools / f"own_{name}"):
            path.unlink(missing_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        self._own_tools = sorted({*self._own_tools, name})

    def drop_tool(self, name: str) -> None:
        """Takes a program of :meth:`put_tool` away again."""
        self._own_tools.remove(name)
        (self.tools / f"own_{name}").unlink()
        (self.tools / name).unlink()
        if self.shell[-1].endswith("ash") and name in BUSYBOX_APPLETS:
            (self.tools / name).symlink_to(self.shell[-1])

    @property
    def text(self) -> str:
        """router.sh as it is sent and installed. Busybox takes its own applets, whatever is on the PATH."""
        return self._with_own_tools(self._text)

    def _with_own_tools(self, text: str) -> str:
        for name in applets().intersection(self._own_tools) if self.shell[-1].endswith("ash") else ():
            text = re.sub(rf"(?<![\w./$\"-]){name}(?![\w./=-])", f"own_{name}", text)
        return text

    # ------------------------------------------------------------ time

    def set_clock(self, seconds: int) -> None:
        """The uptime is this now."""
        fresh = self.root / "proc/fresh"
        fresh.write_text(f"{seconds}.00 0.00\n")
        fresh.replace(self.root / "proc/uptime")

    @property
    def clock(self) -> int:
        """The uptime in seconds."""
        return int(float((self.root / "proc/uptime").read_text().split()[0]))

    def advance(self, seconds: int) -> None:
        """Lets time pass. What goes on now takes no time; what wakes up then has been done."""
        self.rest()
        self.set_clock(self.clock + seconds)
        self.rest()

    def until(self, true: Callable[[], object]) -> None:
        """Waits until something holds; fails when it does not come true."""
        end = time.monotonic() + GIVE_UP
        while not true():
            assert time.monotonic() < end, "it never came true"
            time.sleep(0.01)

    def rest(self) -> None:
        """Waits until nothing goes on here: what still runs waits for the clock."""
        self.until(lambda: not self._busy() and not self._busy())  # twice: a process may hand over while we look

    def later(self, true: Callable[[], object]) -> None:
        """Lets seconds pass until something holds."""

        def holds() -> object:
            self.advance(1)
            return true()

        self.until(holds)

    def _busy(self) -> set[int]:
        """Its processes but those that are asleep, wait for one that is, or were started by one."""
        parents = dict(self._processes())
        asleep = self._sleepers(after=self.clock)
        idle = {each for sleeper in asleep & parents.keys() for each in _line(sleeper, parents)}
        return {each for each in parents.keys() - idle if not asleep.intersection(_line(each, parents))}

    def _processes(self) -> Iterator[tuple[int, int]]:
        """Number and parent's number of all that runs here."""
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it has ended meanwhile
                state, parent, group = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
                if state not in "ZX" and int(group) in self._groups:
                    yield int(stat.parent.name), int(parent)

    # ------------------------------------------------------------ running things

    def run(self, command: list[str], text: str = "", extra: Mapping[str, str] | None = None) -> bytes:
        """Runs a program on the router and returns what it prints."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**self.environment, **(extra or {})},
            start_new_session=True,
        )
        self._groups.append(process.pid)
        return process.communicate(text.encode("utf-8", "surrogateescape"), timeout=LONGEST_CALL)[0]

    @contextmanager
    def one_connection(self) -> Iterator[None]:
        """Everything inside runs over one and the same connection."""
        self._login += 1
        self._connected = True
        yield
        self._connected = False

    def ask(self, make: Callable[[], script.Call]) -> script.Answer:
        """Runs a call, over a connection of its own."""
        self._login += not self._connected
        self._wait_for_the_lock()
        scripts = {"PROBES_SH": self._with_own_tools(script.PROBES_SH), "STEPS_SH": self._with_own_tools(self._steps)}
        with mock.patch.multiple(script, ROUTER_SH=self.text, **scripts):
            call = make()
        connection = {"SSH_CONNECTION": f"192.0.2.9 {self._login} 192.0.2.1 22"}
        return script.Answer("box", call, self.run([*self.shell, "-s"], call.text, connection))

    def _wait_for_the_lock(self) -> None:
        """What a call leaves in the background lets go of the lock first of all, long before anybody can log in again.
        Here the next call is faster than that on a machine with much to do. Whoever holds the lock longer means it."""
        lock, end = self.root / "tmp/wifimgr.lock", time.monotonic() + LETTING_GO
        while lock.exists() and f":{lock.stat().st_ino} " in LOCKS.read_text() and time.monotonic() < end:
            time.sleep(0.002)

    def show(self, *paths: str) -> script.Shown:
        """Reads files."""
        return script.read_show(self.ask(lambda: script.show(paths)))

    def told(self, **questions: Sequence[str]) -> Told:
        """Asks questions besides files."""
        asked = Questions(**{key: tuple(values) for key, values in questions.items()})
        answer = self.ask(lambda: script.show([], asked))
        script.read_show(answer)
        return script.read_told(answer, asked)

    def step(self, step: Step) -> list[str]:
        """Does a step; returns the words of a refusal. Raises StepFailed."""
        return script.read_step(self.ask(lambda: script.step(step)))

    def snapshot(self) -> script.Shown | str:
        """Asks for the last snapshot; the word why there is none."""
        try:
            return script.read_show(self.ask(script.snapshot))
        except script.Nothing as nothing:
            return nothing.why

    def leave(self) -> str:
        """Asks to remove all traces; the word why not."""
        try:
            script.read_leave(self.ask(script.leave))
        except script.Nothing as nothing:
            return nothing.why
        return ""

    def push(
        self,
        paths: Paths,
        tx: str = "t1",
        *,
        within: int = 60,
        settle: int = 0,
        gap: int = 0,
        forget: bool = False,
        reboot: int = 0,
        modes: Mapping[str, str] | None = None,
        after: Sequence[str] = (),
        kept: Paths | None = None,
        seen: Mapping[str, bytes | None] | None = None,
    ) -> list[str]:
        """Arms and applies; returns the words of the answer."""
        made, only_kept = changes(paths, modes), changes(kept or {}, modes)
        times = {"within": within, "settle": settle, "gap": gap, "reboot": reboot}
        answer = self.ask(lambda: script.push(tx, made, forget=forget, after=after, kept=only_kept, seen=seen, **times))
        words = answer.line()
        if words == ["applied"]:
            self.rest()
        return words

    def _sleepers(self, after: int = -1) -> set[int]:
        """Numbers of the processes that sleep until a moment after this one."""
        found = set[int]()
        for path in (self.root / "proc").glob("sleeper.*"):
            with suppress(OSError):  # it has just woken up
                until, number = path.read_text(), int(path.suffix[1:])
                if runs(number) and (not until or int(until) > after):  # where nothing can be written it is not known
                    found.add(number)
        return found

    @property
    def asleep(self) -> bool:
        """Whether any of its programs waits for its clock."""
        return bool(self._sleepers())

    @property
    def sleepers(self) -> int:
        """How many do."""
        return len(self._sleepers())

    def look(
        self, tx: str = "t1", *, aside: bool = False, probes: Sequence[script.Probe] = (), limit: float = 8
    ) -> script.Standing:
        """Asks where a change stands."""
        return script.read_look(self.ask(lambda: script.look(tx, aside=aside, probes=probes, limit=limit)))

    def confirm(self, tx: str = "t1") -> script.Standing:
        """Asks to confirm."""
        return script.read_standing(self.ask(lambda: script.confirm(tx)))

    def take_back(self, tx: str = "t1") -> script.Standing:
        """Asks to undo."""
        return script.read_standing(self.ask(lambda: script.take_back(tx)))

    def settle(self, tx: str = "t1") -> None:
        """Lets the reload happen, and a second more."""
        self.later(lambda: bool(self.read(f"tmp/wifimgr/reloaded.{tx}")))  # it is there before anything is in it
        self.advance(1)

    @property
    def reboots(self) -> int:
        """How often it was told to reboot."""
        return (self.read("lab/reboots") or b"").count(b"x")

    def confirmed(
        self, paths: Paths, tx: str = "t1", *, forget: bool = False, modes: Mapping[str, str] | None = None
    ) -> None:
        """Makes a change that stays."""
        assert self.push(paths, tx, forget=forget, modes=modes) == ["applied"]
        self.settle(tx)
        self.look(tx)
        assert self.confirm(tx).state == "confirmed"

    def kill_all(self) -> None:
        """SIGKILL for every process of the router."""
        for group in self._groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        self._groups.clear()

    def power_cut(self) -> None:
        """Every process dies, RAM is empty, the clock begins anew."""
        self.kill_all()
        for sleeper in (self.root / "proc").glob("sleeper.*"):
            sleeper.unlink()
        shutil.rmtree(self.root / "tmp")
        (self.root / "tmp/run").mkdir(parents=True)
        self.set_clock(5)

    def boot(self) -> None:
        """What init does before the network starts."""
        guard = self.root / "etc/rc.d/S09wifimgr"
        if guard.exists():
            self.run([*self.shell, str(guard), "boot"])

    # ------------------------------------------------------------ looking

    def read(self, path: str) -> bytes | None:
        """A file of the router, or where a link leads to; None: it is not there."""
        file = self.root / path
        if file.is_symlink():
            return str(file.readlink()).encode()
        with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return file.read_bytes()
        return None

    def write(self, path: str, text: str) -> None:
        """Writes a file of the router, as somebody else would."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def has(self, path: str) -> bool:
        """Whether there is something at a path, be it a link to nowhere."""
        return os.path.lexists(self.root / path)

    def state(self) -> list[str]:
        """The names in /etc/wifimgr."""
        folder = self.root / "etc/wifimgr"
        return sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []

    def flash(self) -> dict[str, tuple[int, bytes]]:
        """Every file and folder on flash but our own: path to mode and bytes."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            inside = path.relative_to(self.root).as_posix()
            if not inside.startswith((*RAM, *OWN)):
                found[inside] = (path.lstat().st_mode, self.read(inside) or b"")
        return found
