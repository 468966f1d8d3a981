"""Single calls of router.sh on a real router, and changes to make with them."""

from __future__ import annotations

import re

from tests.real.routers import PATIENCE, Router, wait_for
from wifimgr.model import PathChange
from wifimgr.push import script
from wifimgr.push.apply import new_transaction
from wifimgr.ssh import Connection, Deadline, connect

PACKAGES = ("dhcp", "firewall", "network", "system", "wireless")


def ask(router: Router, call: script.Call, connection: Connection | None = None) -> list[str]:
    """The first words that a router answers to one call."""
    if connection is None:
        with connect(router.target, Deadline(PATIENCE)) as connection:
            return ask(router, call, connection)
    return script.Answer(router.name, call, connection.run(call.text, Deadline(PATIENCE))).line()


def changes(router: Router, *, turn: int = 1) -> list[PathChange]:
    """A change of five packages, a new file, and a file that goes or comes back."""
    paths = [
        PathChange(path=path, before=before, after=re.sub(rb"# turn .*\n|\Z", b"# turn %d\n" % turn, before, count=1))
        for path, before in ((f"etc/config/{name}", router.read(f"etc/config/{name}")) for name in PACKAGES)
    ]
    new, banner = (router.tree / path for path in ("etc/new/folder/file", "etc/banner"))
    has_new = new.exists()
    paths.append(file_change(router, "etc/new/folder/file", None if has_new else b"new\n"))
    paths.append(file_change(router, "etc/banner", None if banner.exists() else b"banner\n"))
    return paths


def file_change(router: Router, path: str, after: bytes | None) -> PathChange:
    """A change of one file to these bytes; None: it goes."""
    there = (router.tree / path).exists()
    before = router.read(path) if there else None
    return PathChange(path=path, before=before, after=after, mode="" if there else "640")


def push(
    router: Router, paths: list[PathChange], *, within: float = 60, gap: float = 0, tx: str = ""
) -> tuple[str, list[str]]:
    """Applies a change that can be confirmed as soon as its reload was asked for; returns its name and the answer."""
    tx = tx or new_transaction()
    return tx, ask(router, script.push(tx, paths, within=within, settle=0, gap=gap, forget=False))


def confirm(router: Router, tx: str) -> list[str]:
    """Asks for a confirm until it is more than 'not yet'."""

    def answer() -> list[str]:
        words = ask(router, script.confirm(tx))
        return [] if words[1] in ("pending", "busy") else words

    return wait_for(answer)


def done(router: Router, paths: list[PathChange]) -> bool:
    """Whether a router has exactly these files."""
    return all(
        router.read(path.path) == path.after if path.after is not None else not (router.tree / path.path).exists()
        for path in paths
    )
