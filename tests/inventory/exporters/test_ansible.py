"""The inventory for Ansible: what Ansible itself makes of it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.inventory.exporters.places import HOSTILE, places
from wifimgr.errors import ConfigError
from wifimgr.inventory import Inventory
from wifimgr.inventory.exporters.ansible import export

PATIENCE = 60.0
"""Seconds that Ansible may take on a busy machine."""


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    return places(tmp_path_factory.mktemp("net"))


def ansible(home: Path, command: str, text: str, *words: str) -> Any:
    """What a program of Ansible prints about an inventory, which must not give cause for a warning."""
    file = home / "hosts.yaml"
    file.write_text(text, encoding="utf-8")
    environment = {**os.environ, "HOME": str(home), "ANSIBLE_LOCALHOST_WARNING": "0", "LC_ALL": "C.UTF-8"}
    line = [sys.executable, "-m", "ansible", command, "-i", str(file), *words]
    done = subprocess.run(line, capture_output=True, text=True, env=environment, cwd=home, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def plain(value: Any) -> Any:
    """What ansible-inventory tells, without its marks of text that is no template."""
    if isinstance(value, dict):
        return value.get("__ansible_unsafe") or {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def listed(inventory: Inventory, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ``ansible-inventory --list`` says about all routers."""
    text = export(inventory, list(inventory.routers.values()))
    listed = plain(json.loads(ansible(tmp_path_factory.mktemp("home"), "inventory", text, "--list")))
    assert isinstance(listed, dict)
    return listed


def test_groups_have_names_that_ansible_takes_and_hold_their_routers(listed: dict[str, Any]) -> None:
    groups = {name: group["hosts"] for name, group in listed.items() if "hosts" in group}
    hof = ["hof-gw", "hof-ap", "hof-far", "hof-soon"]
    assert groups == {
        "site_hof": hof,
        "site_knoten": ["node", "dns"],
        "kind_youth_center": hof,
        "kind_square": ["node", "dns"],
        "role_gateway": ["hof-gw"],
        "role_access_point": ["hof-ap", "hof-far", "hof-soon", "dns"],
        "role_mesh_node": ["node"],
        "platform_openwrt": [*hof, "dns"],
        "platform_gluon": ["node"],
        "manage_push": [*hof, "dns"],
        "manage_watch": ["node"],
    }


def options(host: dict[str, Any]) -> dict[str, str]:
    """The options that Ansible gives to OpenSSH, as the words that Ansible makes of them."""
    marks, words = [shlex.split(host["ansible_ssh_common_args"])[start::2] for start in (0, 1)]
    assert set(marks) == {"-o"}
    return dict(word.partition("=")[::2] for word in words)  # type: ignore[misc]


def test_a_host_has_the_way_to_log_in(listed: dict[str, Any], inventory: Inventory) -> None:
    host = listed["_meta"]["hostvars"]["hof-gw"]
    ours = {name: value for name, value in host.items() if name.startswith("ansible_")}
    assert ours.pop("ansible_ssh_common_args")
    assert ours == {"ansible_host": "203.0.113.7", "ansible_port": 22, "ansible_user": "root"}
    folder = inventory.network.folder
    assert options(host) == {
        "IdentityFile": f'"{folder}/keys/id"',
        "IdentitiesOnly": "yes",
        "HostKeyAlias": "hof-gw",
        "UserKnownHostsFile": f'"{folder}/inventory/known_hosts"',
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
    }


def test_the_way_through_other_routers_is_told_with_the_options_of_each(listed: dict[str, Any]) -> None:
    """tests/real/test_exports.py goes this way."""
    hosts = listed["_meta"]["hostvars"]
    gateway = " ".join(f"-o {shlex.quote(f'{key}={value}')}" for key, value in options(hosts["hof-gw"]).items())
    assert (hosts["hof-ap"]["ansible_host"], hosts["hof-ap"]["ansible_port"]) == ("fe80::1%eth0.5", 2200)
    command = options(hosts["hof-ap"])["ProxyCommand"]
    assert command == f"ssh {gateway} -p 22 -W '[%h]:%p' root@203.0.113.7"
    inner = f"-o {shlex.quote(f'ProxyCommand={command}')}".replace("%", "%%")
    command = options(hosts["hof-far"])["ProxyCommand"]
    assert command.endswith(f" {inner} -p 2200 -W '[%h]:%p' root@fe80::1%%eth0.5")


def test_who_logs_in_with_a_password_has_no_key(listed: dict[str, Any]) -> None:
    host = listed["_meta"]["hostvars"]["hof-far"]
    assert (host["ansible_user"], host["ansible_port"]) == ("admin", 2222)
    assert {"IdentityFile", "IdentitiesOnly"} & options(host).keys() == set()


def test_plain_variables_come_along_and_secrets_do_not(listed: dict[str, Any]) -> None:
    host = listed["_meta"]["hostvars"]["hof-gw"]
    assert {name: value for name, value in host.items() if not name.startswith("ansible_")} == {
        "ssid": HOSTILE,
        "channels": [1, 6.5, True, HOSTILE],
        "router_name": "hof-gw",
        "site_name": HOSTILE,
    }


def test_nothing_in_a_value_is_carried_out(inventory: Inventory, tmp_path: Path) -> None:
    router = replace(inventory.routers["hof-gw"], vars={"ssid": "{{ 6 * 7 }}", "names": ("{{ 6 * 7 }}",)})
    text = export(inventory, [router])
    words = ["hof-gw", "-m", "ansible.builtin.debug", "-a", "msg={{ [ssid, names] | to_json }}"]
    assert json.loads(ansible(tmp_path, "adhoc", text, *words).partition("=>")[2]) == {
        "msg": json.dumps(["{{ 6 * 7 }}", ["{{ 6 * 7 }}"]])
    }


def test_variables_do_not_steer_ansible(inventory: Inventory) -> None:
    evil = {"ansible_host": "evil.example", "ansible_connection": "local", "ansible_ssh_common_args": "-o x"}
    text = export(inventory, [replace(inventory.routers["hof-gw"], vars=evil)])
    assert "ansible_host: !unsafe 203.0.113.7\n" in text
    assert [word for word in ("evil", "local", "-o x") if word in text] == []


def test_who_has_no_address_or_lost_it_is_left_out(inventory: Inventory) -> None:
    routers = [inventory.routers[name] for name in ("hof-plan", "hof-old")]
    assert export(inventory, routers) == "all:\n  hosts: {}\n  children: {}\n"


def test_what_this_machine_says_counts(tmp_path: Path) -> None:
    local = 'endpoints: {hof-ap: {ssh: "127.0.0.1:40001"}}\nssh: {default: {user: me, key: {file: /keys/mine}}}\n'
    inventory = places(tmp_path, local)
    text = export(inventory, [inventory.routers["hof-ap"]])
    wanted = ["host: !unsafe 127.0.0.1\n", "port: 40001\n", "user: !unsafe me\n", 'IdentityFile="/keys/mine"']
    assert [word for word in wanted if word not in text] == []
    assert "ProxyCommand" not in text


@pytest.mark.parametrize("address", ["-oProxyCommand=id", "fe80::1%a'b", "fe80::1%a b", "a;b", "$(id)", "x\ny", ""])
def test_an_address_that_a_shell_would_obey_is_refused(inventory: Inventory, address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        export(inventory, [replace(inventory.routers["hof-ap"], addresses=(address,))])
    assert re.fullmatch(
        r"inventory/sites/hof.yaml:\d+: hof-ap: its address is none for OpenSSH; write letters, digits and . : - _ "
        r"only, and those after the % of a zone \[cannot-export\]",
        str(caught.value),
    )


def test_a_way_that_makes_too_long_a_command_is_refused(inventory: Inventory) -> None:
    names = [f"r{number}" for number in range(1000)]
    router = inventory.routers["hof-gw"]
    chain = {name: replace(router, name=name, jump=jump) for name, jump in zip(names, [None, *names], strict=False)}
    deep = replace(inventory, routers=chain)
    assert len(export(deep, [chain["r5"]])) < 10_000
    for name in ("r6", "r999"):
        with pytest.raises(ConfigError, match=f"{name}: is reached through more than 5 routers"):
            export(deep, [chain[name]])


class Loader(yaml.SafeLoader):
    """Reads what Ansible reads."""


Loader.add_constructor("!unsafe", lambda loader, node: ("unsafe", loader.construct_scalar(node)))  # type: ignore[arg-type]


@given(
    text=st.text(max_size=30), number=st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
)
def test_every_value_comes_out_as_it_is(inventory: Inventory, text: str, number: float) -> None:
    router = replace(inventory.routers["node"], vars={"text": text, "mixed": (text, number)})
    written = export(inventory, [router])
    assert written.endswith("\n")
    assert written.isascii()
    host = yaml.load(written, Loader)["all"]["hosts"]["node"]  # noqa: S506 (a safe loader)
    assert (host["text"], host["mixed"]) == (("unsafe", text), [("unsafe", text), number])
    assert type(host["mixed"][1]) is type(number)
