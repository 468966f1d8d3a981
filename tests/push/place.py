"""The example network with some of its routers simulated, and playbooks carried out on one of them."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import paramiko

from wifimgr.inventory import Inventory, load, select
from wifimgr.lab import Lab, SimulatedRouter
from wifimgr.model import Change, Outcome, Router
from wifimgr.push import playbook
from wifimgr.push.apply import Pusher
from wifimgr.push.plan import PlaybookJob, make_plan
from wifimgr.settings import make_state_dir
from wifimgr.ssh import KnownHosts
from wifimgr.store import Store
from wifimgr.uci import Document

ROOT = Path(__file__).parents[2]
TIMES = {"confirm_within": "30s", "settle": {"connectivity": "1s", "other": "1s"}, "login_gap": "1s"}
SECRETS = {
    "snmp_community": "made-up",
    "snmp_auth": "made up and long",
    "snmp_priv": "made up, as long",
    "staff_password": "made up for staff",
}


@dataclass
class Place:
    """The example network, and one of its routers that is there."""

    folder: Path
    lab: Lab
    router: Router
    store: Store

    @property
    def inventory(self) -> Inventory:
        return load(self.folder)

    @property
    def simulated(self) -> SimulatedRouter:
        """What stands there."""
        return self.lab.routers[self.router.name]

    @property
    def key(self) -> str:
        """The public key that we log in with."""
        key = paramiko.PKey.from_path(self.lab.key_file)
        return f"{key.get_name()} {key.get_base64()} ours"

    def change(self, name: str) -> Change:
        """What a playbook would change on the router."""
        book, known_hosts = playbook.load(self.folder, name), KnownHosts(self.folder / "inventory/known_hosts")
        made = make_plan(self.inventory, known_hosts, book, [self.inventory.routers[self.router.name]])
        assert made.outcomes == ()
        return made.changes[0]

    def apply(self, name: str) -> Outcome:
        """Carries a playbook out, with what has no undo."""
        book, known_hosts = playbook.load(self.folder, name), KnownHosts(self.folder / "inventory/known_hosts")
        job, stop = PlaybookJob(book), threading.Event()
        pusher = Pusher(self.inventory, known_hosts, self.store, job, "a test", stop, allow_no_undo=True)
        return pusher.push(self.change(name))

    def uci(self, package: str) -> dict[str, dict[str, object]]:
        """The sections of a package by name, or by type where they have none."""
        raw = self.simulated.read(f"etc/config/{package}").decode()
        return {section.name or section.type: dict(section.options) for section in Document.parse(raw).sections}


@contextmanager
def place(folder: Path, selector: str) -> Iterator[Place]:
    """The first router that a selector chooses, and those on the way to it."""
    for part in ("inventory", "playbooks"):
        shutil.copytree(ROOT / part, folder / part)
    state = make_state_dir(folder)
    (state / "secrets").mkdir()
    for name, text in SECRETS.items():
        (state / "secrets" / name).write_text(f"{text}\n", encoding="utf-8")
    inventory = load(folder)
    router = select(inventory, [selector])[0]
    there = [router, *(inventory.routers[name] for name in [router.jump] if name)]
    with Lab(state / "lab", there) as lab:
        lab.move_in(folder, inventory.network.ssh_profiles, TIMES)
        store = Store(state)
        made = Place(folder, lab, router, store)
        network = folder / "inventory/network.yaml"
        text = re.sub(r"(admin_public_keys:.*\n *- ).*", rf"\g<1>{made.key}", network.read_text(encoding="utf-8"))
        network.write_text(text, encoding="utf-8")
        yield made
        store.close()
