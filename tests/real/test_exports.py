"""What is exported, in the hands of the programs it is for: OpenSSH and Ansible log in, promtool reads."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.conftest import find_program, require_real
from tests.inventory.exporters.places import places
from tests.real.conftest import PATIENT, TOP, Network, Start, write_network
from tests.real.routers import House, Router, write
from wifimgr.inventory.exporters import EXPORTERS
from wifimgr.lab import make_key

pytestmark = pytest.mark.real

PATIENCE = 60.0
"""Seconds that anything here may take on a busy machine."""
Done = subprocess.CompletedProcess[str]
LogIn = Callable[["Chain", str], Done]
"""Prints the banner of one router of a chain, by its name, with an export."""


@dataclass(frozen=True)
class Chain:
    """Three routers, each behind the one before, in a network folder whose name OpenSSH has marks for."""

    network: Network
    routers: list[Router]

    def exported(self, format: str) -> str:
        """The path of a file with an export. All these routers have the same address, which no file may say."""
        inventory, before, chained = self.network.inventory, None, {}
        for router in self.routers:
            found = inventory.routers[router.name]
            chained[router.name] = replace(found, addresses=(router.endpoint.address,), jump=before)
            before = router.name
        path = self.network.folder.parent / f"{format}.yaml"
        write(path, EXPORTERS[format](replace(inventory, routers=chained), list(chained.values())))
        return str(path)

    def pin(self, *routers: Router) -> None:
        """Trusts the host keys of these routers, and no other."""
        lines = (f"{router.name} {router.host_key.type} {router.host_key.base64}\n" for router in routers)
        write(self.network.folder / "inventory/known_hosts", "".join(lines))


def with_ssh(chain: Chain, name: str) -> Done:
    require_real("ssh")
    command = ["ssh", "-T", "-o", "BatchMode=yes", "-F", chain.exported("ssh_config"), name, "cat /etc/banner"]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)


def with_ansible(chain: Chain, name: str) -> Done:
    require_real("ssh")
    words = ["-i", chain.exported("ansible"), name, "-m", "raw", "-a", "cat /etc/banner"]
    no_terminal = {"ANSIBLE_SSH_ARGS": "-o BatchMode=yes", "ANSIBLE_SSH_USETTY": "false"}
    environment = os.environ | {"HOME": str(chain.network.folder)} | no_terminal
    command = [sys.executable, "-m", "ansible", "adhoc", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=environment)


@pytest.fixture(params=[with_ssh, with_ansible], ids=["ssh", "ansible"])
def log_in(request: pytest.FixtureRequest) -> LogIn:
    log_in: LogIn = request.param
    return log_in


@pytest.fixture
def chain(start: Start, tmp_path: Path, house: House) -> Chain:
    routers = [start() for _ in range(3)]
    for router in routers:
        write(router.tree / "etc/banner", f"this is {router.name}\n")
    network = write_network(tmp_path / 'a "net" 100%h\'s', house, tuple(routers[:1]), PATIENT, {})
    addresses = [f"192.0.2.{number}" for number in range(3)]
    entries = {
        router.name: {"addresses": [address], "ports": {"ssh": router.endpoint.port}}
        for router, address in zip(routers, addresses, strict=True)
    }
    site = {"name": "Haus", "kind": "library", "routers": entries}
    write(network.folder / "inventory/sites/haus.yaml", json.dumps(site))  # JSON is YAML, too
    chain = Chain(network, routers)
    chain.pin(*routers)
    return chain


def test_it_logs_in_through_other_routers(chain: Chain, log_in: LogIn) -> None:
    first, second, third = chain.routers
    for router in (first, third):
        done = log_in(chain, router.name)
        assert (done.returncode, f"this is {router.name}\n" in done.stdout) == (0, True), done.stdout + done.stderr
    second.power_cut()
    assert log_in(chain, first.name).returncode == 0
    assert log_in(chain, third.name).returncode != 0


@pytest.mark.parametrize("unknown", [0, 1, 2])
def test_every_host_key_on_the_way_is_a_trusted_one(chain: Chain, log_in: LogIn, unknown: int) -> None:
    chain.pin(*(router for router in chain.routers if router is not chain.routers[unknown]))
    done = log_in(chain, chain.routers[2].name)
    assert done.returncode != 0
    assert "Host key verification failed" in done.stdout + done.stderr
    assert "this is" not in done.stdout


def test_another_host_key_is_refused(chain: Chain, log_in: LogIn) -> None:
    name, key = chain.routers[0].name, make_key()[0]
    write(chain.network.folder / "inventory/known_hosts", f"{name} {key.get_name()} {key.get_base64()}\n")
    done = log_in(chain, name)
    assert done.returncode != 0
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in done.stdout + done.stderr
    assert "this is" not in done.stdout


# ---------------------------------------------------------------- Prometheus


def promtool_takes(folder: Path, config: str) -> None:
    """Has promtool read a configuration, and the files that it names."""
    require_real("promtool")
    write(folder / "prometheus.yml", config)
    command = [str(find_program("promtool")), "check", "config", str(folder / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.parametrize("count", [5, 0])
def test_promtool_takes_the_targets(tmp_path: Path, count: int) -> None:
    inventory = places(tmp_path)
    text = EXPORTERS["prometheus"](inventory, list(inventory.routers.values()) if count else [])
    assert len(json.loads(text)) == count
    write(tmp_path / "routers.json", text)
    config = {"scrape_configs": [{"job_name": "routers", "file_sd_configs": [{"files": ["routers.json"]}]}]}
    promtool_takes(tmp_path, json.dumps(config))  # JSON is YAML, too


def test_promtool_takes_the_configuration_of_the_docs(tmp_path: Path) -> None:
    inventory = places(tmp_path)
    write(tmp_path / "wifimgr.json", EXPORTERS["prometheus"](inventory, list(inventory.routers.values())))
    [config] = re.findall(
        r"(?ms)^```yaml\n(scrape_configs:.*?)^```$", (TOP / "docs/export.md").read_text(encoding="utf-8")
    )
    promtool_takes(tmp_path, config)
