"""The configuration for OpenSSH: what OpenSSH itself makes of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests import networks
from tests.conftest import require_real
from tests.inventory.exporters.places import NETWORK, places
from wifimgr.errors import ConfigError
from wifimgr.inventory import Inventory, load
from wifimgr.inventory.exporters import ansible
from wifimgr.inventory.exporters.flows import flows
from wifimgr.inventory.exporters.ssh_config import export
from wifimgr.model import Router

PATIENCE = 30.0
"""Seconds that ssh may take on a busy machine."""
DEFAULTS = {"identitiesonly": "no", "stricthostkeychecking": "ask", "proxyjump": ""}


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return places(tmp_path)


def every(inventory: Inventory) -> list[Router]:
    return list(inventory.routers.values())


def understood(config: str, folder: Path, name: str) -> Mapping[str, str]:
    """What ssh would do for a name: keyword in small letters to its value."""
    require_real("ssh")
    file = folder / "ssh_config"
    file.write_text(config, encoding="utf-8")
    command = ["ssh", "-T", "-G", "-F", str(file), name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")
    return DEFAULTS | dict(line.partition(" ")[::2] for line in done.stdout.splitlines())


def hosts(config: str) -> list[str]:
    return [line.removeprefix("Host ") for line in config.splitlines() if line.startswith("Host ")]


def test_ssh_understands_who_is_meant_and_which_key_is_trusted(inventory: Inventory, tmp_path: Path) -> None:
    config = export(inventory, every(inventory))
    told = understood(config, tmp_path, "hof-ap")
    wanted = {
        "hostname": "fe80::1%eth0.5",
        "port": "2200",
        "user": "root",
        "identityfile": f"{tmp_path}/keys/id",
        "identitiesonly": "yes",
        "proxyjump": "hof-gw",
        "hostkeyalias": "hof-ap",
        "userknownhostsfile": f"{tmp_path}/inventory/known_hosts",
        "globalknownhostsfile": "/dev/null",
        "stricthostkeychecking": "true",
        "updatehostkeys": "false",
    }
    assert {key: told[key] for key in wanted} == wanted
    told = understood(config, tmp_path, "hof-gw")
    assert [told[key] for key in ("hostname", "port", "proxyjump")] == ["203.0.113.7", "22", ""]


def test_a_way_through_two_routers_goes_from_one_to_the_next(inventory: Inventory, tmp_path: Path) -> None:
    told = understood(export(inventory, every(inventory)), tmp_path, "hof-far")
    keys = ("hostname", "port", "user", "proxyjump", "identitiesonly")
    assert [told[key] for key in keys] == ["192.168.9.2", "2222", "admin", "hof-ap", "no"]


def test_other_hosts_are_not_touched(inventory: Inventory, tmp_path: Path) -> None:
    nothing = understood("", tmp_path, "other")
    assert understood(export(inventory, every(inventory)), tmp_path, "other") == nothing


def test_who_stands_on_the_way_comes_along(inventory: Inventory) -> None:
    assert hosts(export(inventory, [inventory.routers["hof-far"]])) == ["hof-gw", "hof-ap", "hof-far"]


def test_who_has_no_address_or_lost_it_is_left_out(inventory: Inventory) -> None:
    assert hosts(export(inventory, every(inventory))) == ["hof-gw", "hof-ap", "hof-far", "hof-soon", "node", "dns"]
    assert export(inventory, [inventory.routers["hof-old"]]) == "# Routers of Testnetz, for OpenSSH\n"


def test_what_this_machine_says_counts(tmp_path: Path) -> None:
    local = 'endpoints: {hof-ap: {ssh: "127.0.0.1:40001"}}\nssh: {default: {user: me, key: {file: /keys/mine}}}\n'
    inventory = places(tmp_path, local)
    config = export(inventory, [inventory.routers["hof-far"]])
    assert hosts(config) == ["hof-ap", "hof-far"]
    told = understood(config, tmp_path, "hof-ap")
    keys = ("hostname", "port", "user", "identityfile", "proxyjump")
    assert [told[key] for key in keys] == ["127.0.0.1", "40001", "me", "/keys/mine", ""]


ODD = ["a b", 'a"b', "a\\b", "a%hb", "a$HOME", "~", "#a", "a'b", "äß🦊", "[x]*?"]
"""Names of files and folders that OpenSSH has marks for."""


@pytest.mark.parametrize("name", ODD)
def test_paths_of_any_name_are_the_ones_that_are_meant(tmp_path: Path, name: str) -> None:
    key = {"ssh": {"default": {"key": {"file": str(tmp_path / name / name)}}}}
    inventory = places(tmp_path / name, json.dumps(key, ensure_ascii=False))  # JSON is YAML, too
    told = understood(export(inventory, every(inventory)), tmp_path, "node")
    assert told["userknownhostsfile"] == f"{tmp_path}/{name}/inventory/known_hosts"
    # `ssh -G` tells keys before it expands them
    assert told["identityfile"].replace("%%", "%") == f"{tmp_path}/{name}/{name}"


@pytest.mark.parametrize("name", ["a${HOME}", "a\nProxyCommand id"])
def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path, name: str) -> None:
    inventory = places(tmp_path / name)
    with pytest.raises(ConfigError, match="a path holds \\$\\{ or an invisible character") as caught:
        export(inventory, every(inventory))
    assert caught.value.id == "cannot-export"


def test_a_name_of_the_network_starts_no_line_of_its_own(tmp_path: Path) -> None:
    inventory = places(tmp_path, network=NETWORK.replace("Testnetz", '"Host * # ProxyCommand id"'))
    config = export(inventory, every(inventory))
    assert config.startswith("# Routers of Host * # ProxyCommand id, for OpenSSH\n\nHost hof-gw\n")


@pytest.mark.parametrize("address", ["fe80::1%x'y", "$(id)", "-x", "a b", "a\nProxyCommand id"])
def test_an_address_that_a_shell_would_obey_is_refused(inventory: Inventory, address: str) -> None:
    router = replace(inventory.routers["hof-ap"], addresses=(address,))
    with pytest.raises(ConfigError) as caught:
        export(replace(inventory, routers={"hof-ap": router, "hof-gw": inventory.routers["hof-gw"]}), [router])
    assert caught.value.id == "cannot-export"
    assert address not in str(caught.value)


CONFIG = """\
Host eins-ap
  User admin
  Port 2222
  IdentityFile ~/.ssh/a
  IdentityFile ~/.ssh/b
  ProxyJump bastion
Host bastion
  HostName 198.51.100.1
  User USER
  HostKeyAlias gate
"""


def person(folder: Path, monkeypatch: pytest.MonkeyPatch, user: str = "gast") -> Inventory:
    """A network that says little, and what this person's ~/.ssh/config adds to it."""
    ssh = folder / "home/.ssh"
    ssh.mkdir(parents=True)
    (ssh / "config").write_text(CONFIG.replace("USER", user))
    monkeypatch.setenv("HOME", str(ssh.parent))
    site = "name: Eins\nkind: library\nrouters: {eins-ap: {addresses: [192.0.2.2]}}\n"
    network = networks.NETWORK.replace("{user: root, key: {file: keys/id}}", "{}")
    return load(networks.write(folder / "net", network, eins=site))


def test_what_the_persons_own_configuration_adds_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = person(tmp_path, monkeypatch)
    text = export(inventory, [inventory.routers["eins-ap"]])
    ap, bastion = text.split("\n\n")[1:]
    home = tmp_path / "home/.ssh"
    assert ap.splitlines()[:8] == [
        "Host eins-ap",
        "    HostName 192.0.2.2",
        "    Port 2222",
        "    User admin",
        "    ProxyJump bastion",
        f'    IdentityFile "{home}/a"',
        f'    IdentityFile "{home}/b"',
        "    IdentitiesOnly yes",
    ]
    assert bastion == ("Host bastion\n    HostName 198.51.100.1\n    Port 22\n    User gast\n    HostKeyAlias gate\n")
    assert "gast@198.51.100.1" in ansible.export(inventory, every(inventory))


def test_nothing_of_the_persons_own_configuration_is_obeyed_by_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = person(tmp_path, monkeypatch, user="$(reboot)")
    for exporter in (export, ansible.export):
        with pytest.raises(ConfigError) as caught:
            exporter(inventory, every(inventory))
        assert caught.value.line().startswith("~/.ssh/config: bastion: its user is none for OpenSSH; ")


def test_flows_are_those_of_every_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = person(tmp_path, monkeypatch)
    assert {flow["port"] for flow in flows(inventory, every(inventory)) if "push" in flow["purpose"]} == {22}
