"""``router trust``: pins host keys, as the routers show them now or as a file has them, after asking once for all."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wifimgr.cli import common, output
from wifimgr.errors import ConfigError, Refused, RouterError, WifimgrError

if TYPE_CHECKING:
    from wifimgr.inventory import Inventory
    from wifimgr.model import Router
    from wifimgr.ssh import HostKey, KeyList, KnownHosts

AT_ONCE = 16
"""Routers that are looked at at the same time."""
LOOK_SECONDS = 10.0
"""What looking at one router may take."""
MOST_LINES = 3
"""Lines of a file that one message names."""
SAID_NO = 1
WORST = (RouterError.exit_code, Refused.exit_code, ConfigError.exit_code, SAID_NO)
"""Exit codes, the one that counts first."""

File = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="FILE", help="Take the keys from a known_hosts file or ssh-keyscan's output; - is stdin."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    router = common.noun(app, "router", "Routers: access points, gateways, mesh nodes.")
    common.command(router, "trust")(trust)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A host key for a router, that may be trusted; or why there is none."""

    router: str
    where: str
    """The router and where it is reached, for messages."""
    trusted: tuple[HostKey, ...]
    """What is pinned now."""
    key: HostKey | None = None
    told: str = "it shows"
    """Who says that this is its key, for messages."""
    error: WifimgrError | None = None

    @property
    def state(self) -> str:
        """``same``, ``new``, ``CHANGED`` or ``none``: what the key is beside the pinned ones."""
        if self.key is None:
            return "none"
        if self.key in self.trusted:
            return "same"
        return "CHANGED" if self.trusted else "new"

    def row(self) -> output.Row:
        """For the table."""
        key = {"type": self.key.type, "fingerprint": self.key.fingerprint} if self.key else {}
        return {"router": self.router, **key, "state": self.state}

    def refused(self) -> Refused:
        """What is said of a key that differs from the pinned one."""
        assert self.key
        trusted = ", ".join(known.fingerprint for known in self.trusted)
        what = f"HOST KEY CHANGED: {self.told} {self.key.fingerprint}, trusted is {trusted}"
        hint = "if the router was reset or replaced, say --replace"
        return Refused("host-key-changed", what, where=self.where, hint=hint)


def trust(
    run: common.Run,
    names: Annotated[list[str] | None, typer.Argument(metavar="[ROUTER]...", help="Routers by name.")] = None,
    select: common.Select = [],  # noqa: B006 (typer makes a new list for each call)
    file: File = None,
    yes: common.Yes = False,
    replace: Annotated[bool, typer.Option("--replace", help="Also where another key is trusted now.")] = False,
) -> None:
    """Look at the host keys of routers, or read them from a file, and trust them after asking."""
    from wifimgr.inventory import load
    from wifimgr.inventory import select as choose
    from wifimgr.ssh import KnownHosts

    selectors = [*(f"name={name}" for name in names or ()), *select]
    if not selectors:
        raise ConfigError("nothing-selected", "no router is named", hint="name one, or use -s")
    common.need_somebody(yes, "compare the fingerprints and say --yes")
    folder = run.folder()
    inventory = load(folder)
    known_hosts = KnownHosts(folder / "inventory/known_hosts")
    routers = choose(inventory, selectors)
    if file is None:
        offers = _shown(inventory, known_hosts, routers)
    else:
        offers = _listed(inventory, known_hosts, routers, _read(run, file), "stdin" if file == "-" else file)
    codes = _settle(run, known_hosts, offers, yes=yes, replace=replace)
    raise typer.Exit(next((code for code in WORST if code in codes), 0))


# ---------------------------------------------------------------- where keys come from


def _shown(inventory: Inventory, known_hosts: KnownHosts, routers: Sequence[Router]) -> list[Offer]:
    """The keys that the routers show now."""
    from wifimgr.ssh import Deadline, scan, target_of

    def look(router: Router) -> Offer:
        trusted = known_hosts.of(router.name)
        try:
            target = target_of(inventory, known_hosts, router)
            key = scan(target, Deadline(LOOK_SECONDS)).key
        except WifimgrError as error:
            return Offer(router=router.name, where=router.name, trusted=trusted, error=error)
        return Offer(router=router.name, where=target.describe(), trusted=trusted, key=key)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(look, routers))


def _read(run: common.Run, file: str) -> KeyList:
    from wifimgr.ssh import KeyList

    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).expanduser().read_bytes()
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ConfigError("unreadable-file", f"cannot be read: {reason}", where=file) from None
    keys = KeyList(raw.decode("utf-8", "replace"))
    for why, lines in keys.passed_over.items():
        some = ", ".join(map(str, lines[:MOST_LINES])) + (", …" if len(lines) > MOST_LINES else "")
        run.say(f"passed over: {why} (line {some})")
    return keys


def _listed(
    inventory: Inventory, known_hosts: KnownHosts, routers: Sequence[Router], keys: KeyList, file: str
) -> list[Offer]:
    """The keys that a file has for the routers: a pinned one where it has that, else the one of the best type."""
    from wifimgr.ssh import ssh_names

    def look_up(router: Router) -> Offer:
        trusted, found = known_hosts.of(router.name), keys.of(ssh_names(inventory, router))
        best = [key for key in found if key in trusted][:1] or [key for key in found if key.type == found[0].type]
        if len(best) == 1:
            return Offer(router=router.name, where=router.name, trusted=trusted, key=best[0], told=f"{file} has")
        what, hint = (
            f"{file} has no host key for it",
            "add the output of ssh-keyscan for it, or trust it without --from",
        )
        if best:
            what, hint = (
                f"{file} has {len(best)} different keys of type {best[0].type} for it",
                "take the wrong one out",
            )
        error = RouterError("no-host-key", what, where=router.name, hint=hint)
        return Offer(router=router.name, where=router.name, trusted=trusted, error=error)

    return [look_up(router) for router in routers]


# ---------------------------------------------------------------- asking and pinning


def _settle(run: common.Run, known_hosts: KnownHosts, offers: Sequence[Offer], *, yes: bool, replace: bool) -> set[int]:
    """Shows everything, asks once, pins; returns the exit codes that are due."""
    refused = [offer.refused() for offer in offers if offer.state == "CHANGED" and not replace]
    errors = [*(offer.error for offer in offers if offer.error), *refused]
    wanted = {
        offer.router: offer.key
        for offer in offers
        if offer.key and (offer.state == "new" or (offer.state == "CHANGED" and replace))
    }
    if (wanted and not yes) or not run.quiet:
        columns = ("router", "type", "fingerprint", "state")
        output.show([offer.row() for offer in offers], "key", columns, output.Form.TABLE, to=sys.stderr)
    for error in errors:
        print(f"error: {error.line()}", file=sys.stderr)
    codes = {error.exit_code for error in errors}
    for offer in offers:
        if offer.state == "same":
            run.say(f"{offer.router}: {offer.row()['fingerprint']} is trusted already")
    if not wanted:
        return codes
    if not (yes or typer.confirm(_question(wanted), err=True)):
        run.say(f"not trusted: {', '.join(wanted)}")
        return codes | {SAID_NO}
    known_hosts.trust(wanted)
    for name in wanted:
        run.say(f"{name}: trusted, written to inventory/known_hosts")
    return codes


def _question(wanted: Iterable[str]) -> str:
    number = len(list(wanted))
    return "Is that the router's own key?" if number == 1 else f"Are these {number} keys the routers' own?"
