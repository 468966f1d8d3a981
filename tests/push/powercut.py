"""Power cuts: everything that a run of router.sh could leave on flash, wherever the power goes.

A :class:`Recorder` stops the script before each program that changes files and remembers the tree. What is on flash
after a cut is not only that tree: what was written since the last ``sync`` may be lost. So each cut gives several
trees: all of it arrived; the names arrived and the contents did not; each single step since the last ``sync`` is
missing; the last step overtook all others. A step with its renames is one thing: it arrives whole or not at all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from tests.push.box import OWN, RAM, Box

WATCHED = ("mv", "sync", "rm", "rmdir", "cp", "mkdir", "chmod", "ln", "sha256sum", "cat")
TOOL = """#!/bin/sh
case "$*" in
*{root}/etc/* | *{root}/lib/*) ;;
*{root}/tmp/*) exec {real} "$@" ;; # RAM is lost anyway
esac
echo "{name} $*" >"{folder}/events"
read -r _ <"{folder}/go"
exec {real} "$@"
"""


@dataclass(frozen=True)
class Entry:
    """One name on flash."""

    kind: str
    mode: int
    inode: int = field(compare=False)
    content: bytes = b""


Tree = dict[str, Entry]
Step = dict[str, Entry | None]
"""What one program changed; None: the name is gone."""


@dataclass(frozen=True)
class Cut:
    """A moment just before a program runs: what is written, what the last sync has made safe, the steps since."""

    before: str
    tree: Tree
    safe: Tree
    since: tuple[Step, ...]


def tree_of(root: Path) -> Tree:
    """What is on flash."""
    found = {}
    waiting = [path for path in root.iterdir() if path.name not in RAM]
    while waiting:
        path = waiting.pop()
        stat = path.lstat()
        if path.is_symlink():
            entry = Entry("link", 0, stat.st_ino, str(path.readlink()).encode())
        elif path.is_dir():
            entry = Entry("folder", stat.st_mode & 0o7777, stat.st_ino)
            waiting += path.iterdir()
        else:
            entry = Entry("file", stat.st_mode & 0o7777, stat.st_ino, path.read_bytes())
        found[path.relative_to(root).as_posix()] = entry
    return found


def lay_out(tree: Tree, root: Path) -> None:
    """Writes a tree to disk, with empty RAM."""
    for path, entry in sorted(tree.items()):
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if entry.kind == "folder":
            target.mkdir(exist_ok=True)
            target.chmod(entry.mode)
        elif entry.kind == "link":
            target.symlink_to(entry.content.decode())
        else:
            target.write_bytes(entry.content)
            target.chmod(entry.mode)
    (root / "tmp/run").mkdir(parents=True)
    (root / "var").symlink_to("tmp")
    (root / "proc").mkdir()
    (root / "proc/uptime").write_text("5.00 0.00\n")


class Recorder:
    """Records all cuts of what happens on a router inside a ``with`` block."""

    def __init__(self, box: Box) -> None:
        self._box, self._folder = box, box.root.parent / "recorder"
        self.cuts: list[Cut] = []
        self._tree = self._safe = tree_of(box.root)
        self._since: list[Step] = []

    def __enter__(self) -> Recorder:
        self._folder.mkdir()
        os.mkfifo(self._folder / "events")
        os.mkfifo(self._folder / "go")
        self._events = os.open(self._folder / "events", os.O_RDWR)
        self._go = os.open(self._folder / "go", os.O_RDWR)
        for name in WATCHED:
            real = "/bin/true" if name == "sync" else shutil.which(name, path="/usr/bin:/bin")
            self._box.put_tool(name, TOOL.format(name=name, folder=self._folder, root=self._box.root, real=real))
        # What the daemons do is not recorded, and must not come in between.
        self._reload_config = (self._box.tools / "reload_config").read_text()
        self._box.put_tool("reload_config", "#!/bin/sh\n")
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._events, b"end\n")
        self._thread.join()
        self._note("end")
        os.close(self._events)
        os.close(self._go)
        for name in WATCHED:
            self._box.drop_tool(name)
        self._box.put_tool("sync", "#!/bin/sh\n")
        self._box.put_tool("reload_config", self._reload_config)
        shutil.rmtree(self._folder)

    @property
    def safe(self) -> Tree:
        """What is on flash for sure at the end."""
        return self.cuts[-1].safe

    def _watch(self) -> None:
        with os.fdopen(os.dup(self._events)) as events:
            for line in events:
                if line == "end\n":
                    return
                self._note(line.strip())
                os.write(self._go, b"\n")

    def _note(self, before: str) -> None:
        tree = tree_of(self._box.root)
        step = {
            path: tree.get(path) for path in self._tree.keys() | tree.keys() if self._tree.get(path) != tree.get(path)
        }
        self._since += [step] if step else []
        self._tree = tree
        self.cuts.append(Cut(before, tree, self._safe, tuple(self._since)))
        if before.startswith("sync"):
            self._safe, self._since = tree, []


def outcomes(cut: Cut) -> Iterator[Tree]:
    """The trees that a cut at this moment can leave on flash."""
    yield cut.tree
    contents = {(entry.inode, entry.content) for entry in cut.safe.values()}
    yield {path: _emptied(entry, contents) for path, entry in cut.tree.items()}
    for missing in range(len(cut.since)):
        yield _made(cut.safe, [step for number, step in enumerate(cut.since) if number != missing])
    yield _made(cut.safe, cut.since[-1:])


def _emptied(entry: Entry, safe: set[tuple[int, bytes]]) -> Entry:
    written = entry.kind != "file" or (entry.inode, entry.content) in safe
    return entry if written else Entry("file", entry.mode, entry.inode)


def _made(tree: Tree, steps: Sequence[Step]) -> Tree:
    made: dict[str, Entry | None] = dict(tree)
    for step in steps:
        made |= step
    return {path: entry for path, entry in made.items() if entry}


class Reboots:
    """Boots trees; each different one once. ``old``, ``new``: what the router may come up with, without and with ``tx``
    confirmed."""

    all_checked: ClassVar[int] = 0
    """How many different trees were looked at by all of these."""

    def __init__(self, box: Box, old: Tree, new: Tree, tx: str = "t1") -> None:
        self._box, self._folder = box, box.root.parent / "reboots"
        self._old, self._new = configuration(old), configuration(new)
        self._confirmed = f"etc/wifimgr/confirmed.{tx}"
        self.booted = 0

    def check_all(self, recorder: Recorder) -> None:
        """After a boot the router is all old, or all new and confirmed, and nothing is left open: for every cut."""
        steps = [step for cut in recorder.cuts for step in cut.since]
        changed = sorted({path for step in steps for path in step})
        seen = set()
        for cut in recorder.cuts:
            for tree in outcomes(cut):
                known = tuple(tree.get(path) for path in changed)
                if known not in seen:
                    seen.add(known)
                    Reboots.all_checked += 1
                    self._check(tree, cut.before)

    def _check(self, tree: Tree, before: str) -> None:
        after = self._boot(tree) if any(_is_open(path) for path in tree) else tree
        wanted = self._new if self._confirmed in after else self._old
        assert configuration(after) == wanted, f"mixed after a power cut before {before!r}"
        assert not any(_is_open(path) for path in after), f"left open after a power cut before {before!r}"

    def _boot(self, tree: Tree) -> Tree:
        self.booted += 1
        root = self._folder / str(self.booted)
        lay_out(tree, root)
        command = [*self._box.shell, str(root / "etc/rc.d/S09wifimgr"), "boot"]
        environment = {**self._box.environment, "WIFIMGR_ROOT": str(root)}
        subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
        after = tree_of(root)
        shutil.rmtree(root)
        return after


def _is_open(path: str) -> bool:
    return path.startswith(("etc/wifimgr/pending.", "etc/wifimgr/undo."))


def configuration(tree: Tree) -> Tree:
    """The tree without what is wifimgr's own."""
    return {path: entry for path, entry in tree.items() if not path.startswith(OWN)}
