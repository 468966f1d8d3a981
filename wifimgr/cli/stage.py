"""The stage of the demo: a network folder with its simulated routers, and how the story is told and judged there."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console

from wifimgr.cli import common
from wifimgr.inventory import Inventory, load
from wifimgr.lab import SERVICES, Lab
from wifimgr.settings import NETWORK_FILE, SecretRef, load_network, make_state_dir
from wifimgr.ssh import KnownHosts
from wifimgr.store import Store

PUSH_TIMES = {"confirm_within": "8s", "settle": {"connectivity": "2s", "other": "1s"}, "login_gap": "1s"}
"""Short, so that nobody has to wait; the built-in times are much longer."""
WATCH_TIMES = {"interval": "4s"}
CALM_WATCH_TIMES = {"interval": "15s"}
"""For afterwards: the machine may be busy with what people try, and a late answer counts as none."""
PATIENCE = 90.0
"""Seconds that anything in the demo may take until it counts as broken."""
LOOK_SECONDS = 0.2


class Stage:
    """A network folder that is ours to play with. ``wrong`` collects what was not as it should be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wrong: list[str] = []
        self.console = Console(highlight=False, soft_wrap=True)
        self._step = 0
        self._began = time.monotonic()

    # ------------------------------------------------------------ set up and clean up

    def __enter__(self) -> Stage:
        _set_the_scene(self.folder)
        first = load(self.folder)
        state = make_state_dir(self.folder)
        common.log_to(state)
        _invent_secrets(first)
        self.lab = Lab(state / "lab", first.routers.values(), tuple(SERVICES), first.network.snmp_profile)
        self.lab.__enter__()
        try:
            self.lab.move_in(self.folder, first.network.ssh_profiles, PUSH_TIMES, WATCH_TIMES)
            self.inventory: Inventory = load(self.folder)
            self.known_hosts = KnownHosts(self.folder / "inventory/known_hosts")
            self.store = Store(state)
        except BaseException:
            self.lab.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()
        self.lab.__exit__(None, None, None)

    def calm_down(self) -> None:
        """From now on the routers are asked less often."""
        self.lab.move_in(self.folder, self.inventory.network.ssh_profiles, PUSH_TIMES, CALM_WATCH_TIMES)

    # ------------------------------------------------------------ telling

    def title(self, text: str) -> None:
        """Begins the next step."""
        self._step += 1
        self.console.print()
        self.console.print(f"[bold cyan]{self._step:<2}[/]  [bold]{text}[/]")

    def say(self, text: str, style: str = "") -> None:
        """One line of the step."""
        self.console.print(f"    {text}", style=style, markup=False)

    def check(self, fine: bool, what: str, wrong: str) -> None:
        """One thing that must be so: told as seen, or named as wrong."""
        self.say(f"{'✓' if fine else '✗'} {what if fine else wrong}", "green" if fine else "bold red")
        if not fine:
            self.wrong.append(wrong)

    def wait(self, condition: Callable[[], bool]) -> bool:
        """Whether something becomes true before our patience ends."""
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def end(self) -> None:
        """The last line."""
        self.console.print()
        verdict = f"{len(self.wrong)} wrong" if self.wrong else "everything as promised"
        self.console.print(f"[bold]{verdict}[/], in {time.monotonic() - self._began:.0f} s")

    def command(self, words: str) -> str:
        """A command to type in another terminal."""
        program = "wifimgr" if shutil.which("wifimgr") else os.path.relpath(sys.argv[0])
        return f"{shlex.quote(program)} --network {shlex.quote(str(self.folder))} {words}"


def _set_the_scene(folder: Path) -> None:
    """Sets the hours of the copy by the clock, so that a demo at night shows the same.

    The first library is closed, the first youth centre open for some hours more, and every other place open always.
    The lamp posts of the first place that has some are off. All of that stays so for an hour at least, also where the
    clocks are turned meanwhile.
    """
    now = datetime.now(ZoneInfo(load_network(folder).file.timezone))
    later, around = _hours(now, 3, 6), _hours(now, -3, 6)
    closed = dark = opened = False
    for path in sorted((folder / NETWORK_FILE).parent.glob("sites/*.yaml")):
        text = path.read_text(encoding="utf-8")
        off = not dark and "\npower: {switched:" in text
        shut = not closed and not off and "\nkind: library" in text and "\nopening_hours:" in text
        text = _put(text, "power", f'{{switched: "{later if off else "24/7"}"}}', instead_of=r"\{switched:.*\}")
        busy = not opened and not off and "\nkind: youth-center" in text and "\nopening_hours:" in text
        hours = later if shut else around if busy else "24/7"
        text = _put(text, "opening_hours", f'"{hours}"', instead_of=".*")
        path.write_text(text, encoding="utf-8")
        dark, closed, opened = dark or off, closed or shut, opened or busy


def _hours(now: datetime, begin: int, end: int) -> str:
    """Hours of every day, from so many hours after now (negative: before) until so many after; also over midnight."""
    return f"{now + timedelta(hours=begin):%H}:00-{now + timedelta(hours=end):%H}:00"


def _put(text: str, key: str, value: str, *, instead_of: str) -> str:
    """The text of a file with another value for a key of its top level, where it stands on one line."""
    return re.sub(rf"(?m)^{key}: {instead_of}$", lambda _: f"{key}: {value}", text)


def _invent_secrets(inventory: Inventory) -> None:
    """Secrets for the copy: random ones, so that no real one is needed. Existing ones are never replaced."""
    network = inventory.network
    for router in inventory.routers.values():
        profile = network.snmp_profile(router)
        pairs = (profile.auth, profile.priv) if profile else ()
        refs = [*router.vars.values(), profile and profile.community, *(pair[1] for pair in pairs if pair)]
        for ref in refs:
            if isinstance(ref, SecretRef):
                _invent(network.folder, ref.kind, ref.name)


def _invent(folder: Path, kind: str, name: str) -> None:
    if kind == "env":
        os.environ.setdefault(name, secrets.token_urlsafe(12))
        return
    path = folder / name
    if path.is_relative_to(folder) and ".." not in path.parts and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(12) + "\n", encoding="ascii")
