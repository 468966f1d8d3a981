"""The same playbooks against a router of the lab and real ones with ash and with dash: nobody can tell them apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.push.net import network as lab_network
from tests.real.conftest import PATIENT, TOP, Connect, Network, Start
from wifimgr.cli.plans import rows
from wifimgr.lab import make_key
from wifimgr.model import Result
from wifimgr.push import playbook
from wifimgr.push.plan import make_plan

pytestmark = pytest.mark.real

NAME = "haus-ap"
FILES = {
    # Without a radar channel, on which a push waits for a minute.
    f"etc/config/{path.name}": path.read_bytes().replace(b"channel '100'", b"channel '36'")
    for path in sorted((TOP / "tests/data/etc-config").iterdir())
} | {"etc/banner": b"Hello\n", "etc/goes": b"soon\n"}
SECRET = "a community 'with' $(quotes)"
VARIABLES = {
    "ssid": "frei 'n' \"offen\" $(id) ☕",
    "wifi_country": "DE",
    "help_line": "112",
    "monitoring_source": "192.0.2.7",
    "snmp_community": {"file": "community"},
    "name_servers": ["192.0.2.53", "2001:db8::53"],
}
_KEY = make_key()[0]
EVERYTHING: dict[str, Any] = {
    "name": "Everything",
    "about": "Each kind of wish that can be taken back.",
    "where": "platform=openwrt",
    "uci": {
        "system": [
            {"section": {"type": "system"}, "set": {"hostname": "{{ router_name }}", "notes": "two\nlines"}},
            {"section": {"type": "timeserver", "name": "ntp"}, "unset": ["enable_server"]},
        ],
        "wireless": [
            {"section": {"type": "wifi-device", "each": True}, "set": {"country": "{{ wifi_country }}"}},
            {
                "section": {"type": "wifi-iface", "match": {"ifname": "client0"}},
                "set": {"ssid": "{{ ssid }}"},
            },
            {"section": {"type": "wifi-iface", "per": "wifi-device", "name": "extra_{{ section }}"}, "absent": True},
        ],
        "dhcp": [
            {"section": {"type": "dnsmasq"}, "set": {"server": "{{ name_servers }}"}},
            {"section": {"type": "dhcp", "name": "lan"}, "absent": True},
        ],
        "brandnew": [{"section": {"type": "thing", "name": "it"}, "set": {"is": ["a", "b'c"], "on": True}}],
    },
    "files": [
        {"path": "/etc/deep/er/file", "content": "{{ ssid }}\n", "mode": "0640"},
        {"path": "/etc/banner", "content": "New\n", "mode": "0600"},
        {"path": "/etc/goes", "absent": True},
    ],
    "authorized_keys": {"present": [f"{_KEY.get_name()} {_KEY.get_base64()} office"]},
}
PLAYBOOKS = ("identity", "guest-wifi", "snmp-monitoring", "everything")

Tree = dict[str, tuple[bytes, int]]
"""Path to bytes and mode."""


def prepare(tree: Path, folder: Path) -> None:
    """Puts the files on a router and the playbooks into its network."""
    for path, content in FILES.items():
        (tree / path).unlink(missing_ok=True)
        (tree / path).write_bytes(content)
        (tree / path).chmod(0o644)
    (folder / "community").write_text(SECRET, encoding="utf-8")
    for name in PLAYBOOKS:
        source = TOP / f"playbooks/{name}.yaml"
        text = yaml.safe_dump(EVERYTHING) if name == "everything" else source.read_text(encoding="utf-8")
        (folder / f"playbooks/{name}.yaml").write_text(text, encoding="utf-8")


def tree_of(top: Path) -> Tree:
    """What a push may have changed on a router."""
    places = ("config/*", "banner", "goes", "deep/**/*", "dropbear/authorized_keys", "new")
    found = [path for place in places for path in (top / "etc").glob(place) if path.is_file()]
    return {str(path.relative_to(top)): (path.read_bytes(), path.stat().st_mode & 0o7777) for path in found}


@contextmanager
def places(tmp_path: Path, start: Start, network: Connect) -> Iterator[dict[str, tuple[Network, Path]]]:
    """Kind of router to its network and to its tree."""
    found = {}
    with ExitStack() as stack:
        for shell in ("ash", "dash"):
            router = start(shell)
            router.name = NAME
            net = network(router, folder=shell, **VARIABLES)
            prepare(router.tree, net.folder)
            router.run("reload_config boot")
            found[shell] = net, router.tree
        times = {"confirm_within": f"{PATIENT.confirm_within}s", "settle": {"connectivity": "1s", "other": "1s"}}
        lab = stack.enter_context(
            lab_network(tmp_path / "lab", {NAME: {"vars": VARIABLES}}, {**times, "login_gap": "1s"})
        )
        root = lab.router(NAME).root
        prepare(root, lab.folder)
        lab.router(NAME).run(["reload_config", "boot"])
        lab.store.close()
        found["lab"] = Network(lab.folder), root
        yield found


@pytest.mark.timeout(300)
def test_a_router_of_the_lab_and_real_ones_get_the_same_plan_and_the_same_files(
    tmp_path: Path, start: Start, network: Connect
) -> None:
    with places(tmp_path, start, network) as found:
        for name in PLAYBOOKS:
            plans, trees = {}, {}
            for kind, (net, top) in found.items():
                inventory = net.inventory
                wanted = playbook.load(net.folder, name)
                made = make_plan(inventory, net.known_hosts, wanted, [inventory.routers[NAME]])
                assert made.outcomes == (), (kind, name)
                [change] = made.to_do
                plans[kind] = rows(made, inventory), [asdict(path) for path in change.paths], change.touched
                outcome = net.push(name, change)
                assert outcome.result is Result.DONE, (kind, name, outcome)
                trees[kind] = tree_of(top)
            assert plans["ash"] == plans["lab"], name
            assert plans["dash"] == plans["lab"], name
            assert trees["ash"] == trees["lab"], name
            assert trees["dash"] == trees["lab"], name
        assert {"etc/deep/er/file", "etc/config/brandnew"} < trees["lab"].keys()
        assert "etc/goes" not in trees["lab"]
        assert any(SECRET.replace("'", "'\\''").encode() in content for content, _ in trees["lab"].values())
