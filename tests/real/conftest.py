"""What tests with real daemons share: routers of their own, and a network folder to reach them by."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import require_real
from tests.real.routers import House, Router, Shell
from wifimgr.inventory import Inventory, load
from wifimgr.model import Change, Outcome
from wifimgr.push import plan, playbook
from wifimgr.push.apply import Pusher
from wifimgr.settings import PushTimes
from wifimgr.ssh import KnownHosts
from wifimgr.store import Store

TOP = Path(__file__).parents[2]
OPENING = threading.Lock()
"""The store's migrations are for one thread at a time."""
PATIENT = PushTimes(confirm_within=40, settle_connectivity=1, settle_other=1, login_gap=1)
"""For pushes that are confirmed, on a busy machine too; times are in seconds."""
HURRY = replace(PATIENT, confirm_within=5)
"""For pushes that are not: a router goes back as soon as can be."""
PARTS = ("root", "namespaces", "nsenter", "mount", "busybox", "dash", "flock", "dropbear", "dropbearkey")

Start = Callable[..., Router]
"""Starts a router, as :meth:`House.router` does; it is removed at the end of the test."""


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    """Where the routers of this test process stand."""
    require_real(*PARTS)
    house = House()
    try:
        yield house
    finally:
        house.close()


@pytest.fixture
def start(house: House) -> Iterator[Start]:
    """Starts routers that end with the test."""
    with ExitStack() as stack:
        yield lambda shell="ash", **options: stack.enter_context(house.router(shell, **options))


@pytest.fixture(params=["ash", "dash"])
def shell(request: pytest.FixtureRequest) -> Shell:
    """What ``/bin/sh`` is on a router."""
    found: Shell = request.param
    return found


@pytest.fixture
def router(start: Start, shell: Shell) -> Router:
    """One router, once with each shell."""
    return start(shell)


@dataclass
class Network:
    """A network folder with some real routers, and what is done with it."""

    folder: Path
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def inventory(self) -> Inventory:
        return load(self.folder)

    @property
    def known_hosts(self) -> KnownHosts:
        return KnownHosts(self.folder / "inventory/known_hosts")

    def write_playbook(self, name: str, **keys: Any) -> str:
        """Writes a playbook of one's own; returns its name."""
        text = yaml.safe_dump({"name": name, "about": name, "where": "platform=openwrt", **keys}, allow_unicode=True)
        (self.folder / f"playbooks/{name}.yaml").write_text(text, encoding="utf-8")
        return name

    def plan(self, name: str, router: Router) -> plan.Plan:
        """What a playbook would change on a router."""
        inventory = self.inventory
        wanted = [inventory.routers[router.name]]
        return plan.make_plan(inventory, self.known_hosts, playbook.load(self.folder, name), wanted)

    def change(self, name: str, router: Router) -> Change:
        """The one change of a plan."""
        made = self.plan(name, router)
        assert made.outcomes == ()
        return made.changes[0]

    def push(self, name: str, planned: Change, state: str = ".wifimgr") -> Outcome:
        """Carries out a change. ``state`` is the folder of the store: another one plays another machine."""
        with OPENING:
            store = Store(self.folder / state)
        try:
            wanted = playbook.load(self.folder, name)
            return Pusher(self.inventory, self.known_hosts, store, plan.PlaybookJob(wanted), "", self.stop).push(
                planned
            )
        finally:
            store.close()


Connect = Callable[..., Network]


@pytest.fixture
def network(tmp_path: Path, house: House) -> Connect:
    """Makes a network folder for routers: ``network(*routers, times=…, **vars)``."""

    def make(*routers: Router, times: PushTimes = PATIENT, folder: str = "net", **variables: Any) -> Network:
        return write_network(tmp_path / folder, house, routers, times, variables)

    return make


def write_network(
    folder: Path, house: House, routers: tuple[Router, ...], times: PushTimes, variables: dict[str, Any]
) -> Network:
    """Writes a network folder with one place where all these routers stand.

    Several are known by addresses of their own, and local.yaml says where each really is: all share one address here.
    """
    (folder / "inventory/sites").mkdir(parents=True)
    shutil.copytree(TOP / "playbooks", folder / "playbooks")
    (folder / ".wifimgr").mkdir(mode=0o700)
    settings = {
        "name": "Netz",
        "operators": {"city": {"name": "Stadt", "manage": "push"}},
        "profiles": {"ssh": {"default": {"user": "root", "key": {"file": str(house.key_file)}}}},
        "push": {
            "confirm_within": f"{times.confirm_within:g}s",
            "settle": {"connectivity": f"{times.settle_connectivity:g}s", "other": f"{times.settle_other:g}s"},
            "login_gap": f"{times.login_gap:g}s",
            "reboot_after": f"{times.reboot_after:g}s",
        },
        "defaults": {
            "operator": "city",
            "platform": "openwrt",
            "role": "access-point",
            "vars": {"ssid": "freifunk", "wifi_country": "DE", "help_line": "112", **variables},
        },
    }
    site = {
        "name": "Haus",
        "kind": "library",
        "routers": {
            router.name: {"addresses": [router.endpoint.address], "ports": {"ssh": router.endpoint.port}}
            for router in routers
        },
    }
    if len(routers) > 1:
        site["routers"] = {router.name: {"addresses": [f"10.0.0.{at}"]} for at, router in enumerate(routers, 1)}
        endpoints = {router.name: {"ssh": str(router.endpoint)} for router in routers}
        (folder / ".wifimgr/local.yaml").write_text(yaml.safe_dump({"endpoints": endpoints}), encoding="utf-8")
    for path, content in (("network.yaml", settings), ("sites/haus.yaml", site)):
        text = yaml.safe_dump(content, sort_keys=False)  # escaped: YAML takes some letters for line breaks
        (folder / "inventory" / path).write_text(text, encoding="utf-8")
    keys = "".join(f"{router.name} {router.host_key.type} {router.host_key.base64}\n" for router in routers)
    (folder / "inventory/known_hosts").write_text(keys, encoding="ascii")
    return Network(folder)
