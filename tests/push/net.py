"""A small network whose routers are simulated, driven from inside: plan, push, and what the routers hold."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.networks import write
from wifimgr.inventory import Inventory, load
from wifimgr.lab import Lab, SimulatedRouter
from wifimgr.model import Change, Outcome
from wifimgr.push import fleet, playbook
from wifimgr.push.apply import Pusher
from wifimgr.push.plan import Plan, PlaybookJob, make_plan
from wifimgr.settings import Rollout, make_state_dir
from wifimgr.ssh import KnownHosts
from wifimgr.store import Store

TIMES = {"confirm_within": "6s", "settle": {"connectivity": "2s", "other": "1s"}, "login_gap": "1s"}

PLAYBOOK = """\
name: Radio
about: A country and a guest network.
where: platform=openwrt
uci:
  wireless:
    - section: {type: wifi-device, name: radio0}
      set: {country: "{{ country }}", disabled: false}
    - section: {type: wifi-iface, name: guest}
      set: {device: radio0, mode: ap, ssid: "{{ ssid }}", encryption: none, network: lan}
checks:
  - ssid: "{{ on_air }}"
"""
NAME = """\
name: Name
about: The router's own name.
where: platform=openwrt
uci:
  system:
    - {section: {type: system}, set: {hostname: "{{ router_name }}"}}
"""

Keys = Mapping[str, object]


@dataclass
class Net:
    """A network folder, its inventory, its routers, its store."""

    folder: Path
    lab: Lab
    inventory: Inventory
    store: Store
    said: list[tuple[str, str]] = field(default_factory=list)

    def router(self, name: str) -> SimulatedRouter:
        """A simulated router."""
        return self.lab.routers[name]

    @property
    def known_hosts(self) -> KnownHosts:
        """The pinned keys as they stand in the file now."""
        return KnownHosts(self.folder / "inventory/known_hosts")

    def plan(self, *names: str, of: str = "radio") -> Plan:
        """A plan for some routers, or for all."""
        wanted = [self.inventory.routers[name] for name in names or self.inventory.routers]
        return make_plan(self.inventory, self.known_hosts, playbook.load(self.folder, of), wanted)

    def change(self, name: str, of: str = "radio") -> Change:
        """The change of one router."""
        [change] = self.plan(name, of=of).to_do
        return change

    def pusher(self, of: str = "radio", stop: threading.Event | None = None, say: Say | None = None) -> Pusher:
        """What pushes."""
        wanted = playbook.load(self.folder, of)
        stop = stop or threading.Event()
        say = say or (lambda name, text: self.said.append((name, text)))
        return Pusher(self.inventory, self.known_hosts, self.store, PlaybookJob(wanted), "a test", stop, say)

    def push(self, changes: Iterable[Change], of: str = "radio") -> dict[str, Outcome]:
        """Pushes all at once, whatever goes wrong; router to outcome."""
        outcomes = fleet.push_all(self.pusher(of), changes, lambda outcome: None, Rollout(canary=0, stop_after=0))
        return {each.router: each for each in outcomes}


Say = Callable[[str, str], None]


@contextmanager
def network(folder: Path, routers: Mapping[str, Keys], times: Mapping[str, Any] = TIMES) -> Iterator[Net]:
    """A network of these routers (name to their keys in the site's file), all running."""
    entries = {
        name: {"addresses": [f"192.0.2.{number}"], **keys} for number, (name, keys) in enumerate(routers.items(), 1)
    }
    site = {"name": "Haus", "kind": "library", "vars": {"ssid": "frei", "on_air": "frei"}, "routers": entries}
    write(folder, haus=yaml.safe_dump(site, sort_keys=False))
    (folder / "playbooks").mkdir()
    (folder / "playbooks/radio.yaml").write_text(PLAYBOOK, encoding="utf-8")
    (folder / "playbooks/name.yaml").write_text(NAME, encoding="utf-8")
    state = make_state_dir(folder)
    first = load(folder)
    with Lab(state / "lab", first.routers.values()) as lab:
        lab.move_in(folder, first.network.ssh_profiles, times)
        store = Store(state)
        try:
            yield Net(folder, lab, load(folder), store)
        finally:
            store.close()
