"""Packages, services and commands of a router with OpenWrt's userland: what to ask, what to do, and in which order.

What starts with the router are links in ``/etc/rc.d``, so that is part of a change and of its undo. Packages and
commands have none: they are steps, done before the change is armed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wifimgr.errors import ConfigError
from wifimgr.model import PathChange, Step, Touched
from wifimgr.platforms import diff
from wifimgr.platforms.edits import CommandEdit, Edit, PackageEdit, Questions, Service, ServiceEdit, Told
from wifimgr.settings import Secret

WITHOUT_FILE = (PackageEdit, ServiceEdit, CommandEdit)
"""Edits that no file has to be read for."""
LIFELINES = ("dropbear", "network", "firewall", "wpad", "wifimgr", "boot", "system")
"""Services that a router is lost without."""
GUARD = "S09wifimgr"
"""What takes an unconfirmed change back at boot. Who starts before it, and hangs, keeps it from that."""
PACKAGE_SECONDS = 300.0
"""What one package may take on a slow router with a slow line."""

_INSTALL = {"opkg": ("opkg update; opkg install", "opkg install"), "apk": ("apk -U add", "apk add")}
"""How the first package is installed, which may need newer lists, and how the others are."""
_REMOVE = {"opkg": "opkg remove", "apk": "apk del"}
_START_LINK = re.compile(r"etc/rc\.d/([SK])[0-9]{1,2}([^/]+)")


@dataclass(frozen=True, slots=True)
class Work:
    """What comes of edits besides changed files."""

    links: tuple[PathChange, ...] = ()
    touched: tuple[Touched, ...] = ()
    steps: tuple[Step, ...] = ()
    after: tuple[str, ...] = ()


def questions(edits: Iterable[Edit]) -> Questions:
    """What a router has to be asked for these edits."""
    wanted = list(edits)
    return Questions(
        packages=tuple(dict.fromkeys(edit.name for edit in wanted if isinstance(edit, PackageEdit))),
        services=tuple(dict.fromkeys(edit.name for edit in wanted if isinstance(edit, ServiceEdit))),
        unless=tuple(_plain(edit.unless) for edit in wanted if isinstance(edit, CommandEdit)),
    )


def work(edits: Sequence[Edit], told: Told, changed: Sequence[PathChange]) -> Work:
    """What has to be done, from what a router told and from its files that differ.

    Raises ConfigError ``bad-wish`` for a wish that does not fit the router.
    """
    steps, of_steps = _steps(edits, told)
    links, of_services = _links(edits, told, hoped=bool(steps))
    return Work(links, (*of_steps, *of_services), steps, _after(edits, told, links, changed))


# ---------------------------------------------------------------- steps


def _steps(edits: Sequence[Edit], told: Told) -> tuple[tuple[Step, ...], list[Touched]]:
    steps, touched = list[Step](), list[Touched]()
    right = iter(told.unless)
    install = iter(_INSTALL.get(told.manager, ()))
    code = ""
    for edit in edits:
        if isinstance(edit, PackageEdit):
            if not told.manager:
                raise _wrong(
                    edit, "packages", "there is neither opkg nor apk on the router", "build them into its image"
                )
            there = told.packages[edit.name]
            touched.append(Touched(f"package {edit.name}", "installed" if there else None, _shall(edit.present)))
            if there == edit.present:
                continue
            code = next(install, code) if edit.present else _REMOVE[told.manager]
            verb = "install" if edit.present else "remove"
            steps.append(_step(f"{verb} the package {edit.name}", PACKAGE_SECONDS, f"{code} {shlex.quote(edit.name)}"))
        elif isinstance(edit, CommandEdit):
            done = _is_done(edit, next(right), hoped=bool(steps))
            touched.append(Touched(f"command {edit.about}", "done" if done else None, "done"))
            if not done:
                steps.append(_step(edit.about, edit.within, _silent(edit)))
    return tuple(steps), touched


_NO_ANSWER = {
    "late": ("took too long", "let it look at something that answers at once"),
    "missing": ("calls a program that is not on the router, or may not be run", "correct its name"),
    "broken": ("cannot be read by the router's shell", "correct its quotes and brackets"),
}
"""Why a test of a command says nothing: how it is told, and what to do."""


def _is_done(edit: CommandEdit, said: str, *, hoped: bool) -> bool:
    """Whether a command is done already. ``hoped``: a program that is missing may come with a step before it."""
    if said in ("yes", "no") or (said == "missing" and hoped):
        return said == "yes"
    why, hint = _NO_ANSWER[said]
    raise _wrong(edit, "command", f"the test ('unless') of '{edit.about}' {why}", hint)


def _shall(present: bool) -> str | None:
    return "installed" if present else None


def _step(what: str, seconds: float, code: str) -> Step:
    return Step(what=what, script=code, takes=seconds)


def _silent(edit: CommandEdit) -> str:
    """The command; one with a secret says nothing, because what it says could be the secret."""
    return f"exec >/dev/null 2>&1\n{edit.run.reveal()}" if isinstance(edit.run, Secret) else edit.run


def _plain(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


# ---------------------------------------------------------------- services


def _links(edits: Sequence[Edit], told: Told, *, hoped: bool) -> tuple[tuple[PathChange, ...], list[Touched]]:
    """The links that change. ``hoped``: a service that is missing may come with a step."""
    changes, touched = list[PathChange](), list[Touched]()
    for edit in edits:
        if not isinstance(edit, ServiceEdit):
            continue
        service = told.services[edit.name]
        if service is None and edit.wish != "disabled" and not hoped:
            hint = "write the name of a file in /etc/init.d, or wish its package"
            raise _wrong(edit, "services", f"there is no service {edit.name!r} on the router", hint)
        if edit.wish == "restart_when_changed":
            continue
        links = {} if service is None else _differing(edit, service)
        changes += (link_change(path, before, after) for path, (before, after) in sorted(links.items()))
        other = "disabled" if edit.wish == "enabled" else "enabled"
        wrong = bool(links) or (service is None and edit.wish == "enabled") or _has_to_stop(edit, service)
        touched.append(Touched(f"service {edit.name}", other if wrong else edit.wish, edit.wish))
    return tuple(changes), touched


def _has_to_stop(edit: ServiceEdit, service: Service | None) -> bool:
    return edit.wish == "disabled" and service is not None and service.runs


def _differing(edit: ServiceEdit, service: Service) -> dict[str, tuple[bytes | None, bytes | None]]:
    """Path of a link to where it leads and where it shall lead."""
    target = f"../init.d/{edit.name}"
    wanted = {
        f"etc/rc.d/{letter}{number}{edit.name}": target
        for letter, number in (("S", service.start), ("K", service.stop))
        if number and edit.wish == "enabled"
    }
    if edit.wish == "enabled" and not service.start:
        hint = "its init script needs a line START="
        raise _wrong(edit, "services", f"the service {edit.name!r} cannot be enabled", hint)
    there = {path: leads for path, leads in service.links.items() if leads and not _is_anothers(path, leads, edit.name)}
    first = f"etc/rc.d/S{service.start}{edit.name}"
    if first in wanted and first not in there and first < f"etc/rc.d/{GUARD}":
        what = f"the service {edit.name!r} would start before the guard that takes an unconfirmed change back"
        raise _wrong(edit, "services", what, "write START=10 or more into its init script")
    return {
        path: (_bytes(there.get(path)), _bytes(wanted.get(path)))
        for path in there.keys() | wanted.keys()
        if path not in wanted or there.get(path) not in (target, f"/etc/init.d/{edit.name}")
    }


def _is_anothers(path: str, leads: str, name: str) -> bool:
    """Whether a link is about another service: S56in4 starts ``in4``, or ``6in4`` early."""
    other = leads.rpartition("/")[2]
    return other != name and bool(re.fullmatch(rf"etc/rc\.d/[SK][0-9]{{1,2}}{re.escape(other)}", path))


def link_change(path: str, before: bytes | None, after: bytes | None) -> PathChange:
    """A link that comes, goes, or leads to somewhere else."""
    old, new = (
        None if leads is None else f"a link to {leads.decode('utf-8', 'replace')}\n" for leads in (before, after)
    )
    return PathChange(path=path, before=before, after=after, link=True, diff=diff.unified(path, old, new))


def _after(
    edits: Sequence[Edit], told: Told, links: Iterable[PathChange], changed: Sequence[PathChange]
) -> tuple[str, ...]:
    lines = [line for line in take_up(links) if line.startswith("service start ")]
    for edit in edits:
        if isinstance(edit, ServiceEdit) and (service := told.services[edit.name]):
            if _has_to_stop(edit, service):
                lines.append(f"service stop {edit.name}")
            if edit.wish == "restart_when_changed" and changed:
                lines = [line for line in lines if line != f"service start {edit.name}"]
                lines.append(f"service restart {edit.name}")
    return tuple(lines)


def may_cut(after: Iterable[str]) -> bool:
    """Whether these lines can cut our way to the router: who knows what a service did, or will do. Its restart is known
    to be harmless, unless it is one that the router is lost without."""
    services = [line.split() for line in after if line.startswith("service ")]
    return any(how != "restart" or name in LIFELINES for _, how, name in services)


def take_up(links: Iterable[PathChange]) -> tuple[str, ...]:
    """What starts and stops now because of links that come and go."""
    found = ((change, _START_LINK.fullmatch(change.path)) for change in links if change.link)
    coming = {name[2]: change.after is not None for change, name in found if name and name[1] == "S"}
    return tuple(f"service {'start' if comes else 'stop'} {name}" for name, comes in coming.items())


def is_start_link(path: str) -> bool:
    """Whether a path is one of the links that start and stop services."""
    return bool(_START_LINK.fullmatch(path))


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")


def _wrong(edit: PackageEdit | ServiceEdit | CommandEdit, key: str, what: str, hint: str) -> ConfigError:
    return ConfigError("bad-wish", what, where=edit.where, key=key, hint=hint)
