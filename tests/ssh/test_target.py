"""What is needed to log in: what the inventory and ~/.ssh/config say together."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.networks import write
from tests.push.net import network
from tests.ssh.servers import refused
from wifimgr.errors import ConfigError, Refused
from wifimgr.inventory import load
from wifimgr.lab import make_key
from wifimgr.settings import Endpoint, Secret
from wifimgr.settings.openssh import OpenSsh
from wifimgr.ssh import Deadline, HostKey, KnownHosts, Target, connect, target_of

SITE = """\
name: Eins
kind: library
routers:
  eins-gw: {addresses: [192.0.2.1]}
  eins-ap: {addresses: [192.0.2.2]}
  plain: {addresses: [192.0.2.3], ssh: plain}
  own: {addresses: [192.0.2.4], ssh: plain, ports: {ssh: 2204}, jump: eins-gw}
  local: {addresses: [192.0.2.5], ssh: plain}
"""
NETWORK = """\
name: Testnetz
operators: {city: {name: Stadt, manage: push}}
profiles:
  ssh:
    default: {user: root, port: 22, key: {file: keys/id}}
    plain: {}
defaults: {operator: city, platform: openwrt, role: access-point}
"""
LOCAL = "endpoints: {local: {ssh: '127.0.0.1:40005'}}\n"
CONFIG = """\
Host plain own local eins-*
  User admin
  Port 2222
  IdentityFile ~/.ssh/mine
Host plain own local
  ProxyJump bastion
Host eins-ap
  ProxyJump root@bastion:2200,eins-gw
Host bastion
  HostName 198.51.100.1
  User gast
  Port 2201
"""


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The .ssh folder of who runs wifimgr."""
    folder = tmp_path / "home/.ssh"
    folder.mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(folder.parent))
    (folder / "config").write_text(CONFIG, encoding="utf-8")
    return folder


def targets(folder: Path) -> dict[str, Target]:
    inventory = load(write(folder, NETWORK, LOCAL, eins=SITE))
    nobody = KnownHosts(folder / "none")
    return {name: target_of(inventory, nobody, router) for name, router in inventory.routers.items()}


def test_the_inventory_counts_first_then_the_configuration_then_what_is_built_in(tmp_path: Path, person: Path) -> None:
    made = targets(tmp_path / "net")
    plain, gw, own, local = (made[name] for name in ("plain", "eins-gw", "own", "local"))
    assert (gw.user, str(gw.endpoint), gw.key_file) == ("root", "192.0.2.1:22", tmp_path / "net/keys/id")
    assert (gw.through, gw.usual_keys, gw.agent) == (None, (), False)
    assert (plain.user, str(plain.endpoint), plain.key_file) == ("admin", "192.0.2.3:2222", None)
    assert (plain.usual_keys, plain.agent) == ((person / "mine",), False)
    assert (own.user, str(own.endpoint), own.through) == ("admin", "192.0.2.4:2204", gw)
    assert (local.user, str(local.endpoint), local.through) == ("admin", "127.0.0.1:40005", None)


def test_without_a_configuration_all_is_as_built_in(tmp_path: Path, person: Path) -> None:
    (person / "config").unlink()
    plain = targets(tmp_path / "net")["plain"]
    assert (plain.user, str(plain.endpoint), plain.through, plain.agent) == ("root", "192.0.2.3:22", None, True)
    assert plain.usual_keys == tuple(person / name for name in ("id_ed25519", "id_ecdsa", "id_rsa"))


def test_the_way_may_lead_through_hosts_and_routers(tmp_path: Path, person: Path) -> None:
    bastion, other = make_key()[0], make_key()[0]
    lines = [
        f"[198.51.100.1]:2200 {bastion.get_name()} {bastion.get_base64()}",
        f"[198.51.100.1]:2201 {other.get_name()} {other.get_base64()}",
    ]
    (person / "known_hosts").write_text("\n".join(lines))
    made = targets(tmp_path / "net")
    gw = made["eins-ap"].through
    assert gw
    assert (gw.name, gw.user, str(gw.endpoint), gw.outside) == ("eins-gw", "root", "192.0.2.1:22", False)
    first = gw.through
    assert first
    assert (first.name, first.user, str(first.endpoint)) == ("bastion", "root", "198.51.100.1:2200")
    assert (first.outside, first.through) == (True, None)
    assert first.keys == (HostKey(bastion.get_name(), bastion.get_base64()),)
    single = made["plain"].through
    assert single
    assert (single.user, str(single.endpoint)) == ("gast", "198.51.100.1:2201")
    assert single.keys == (HostKey(other.get_name(), other.get_base64()),)
    assert single.usual_keys == tuple(person / name for name in ("id_ed25519", "id_ecdsa", "id_rsa"))


def test_a_way_in_a_circle_is_told(tmp_path: Path, person: Path) -> None:
    (person / "config").write_text("Host plain\nProxyJump a\nHost a\nProxyJump b\nHost b\nProxyJump a\n")
    with pytest.raises(ConfigError) as caught:
        targets(tmp_path / "net")
    assert caught.value.line() == (
        "plain: the way to it leads in a circle, through a; take one ProxyJump out, or one jump [loop]"
    )


def test_a_host_on_the_way_that_nobody_trusts_gets_nothing_and_the_line_says_what_to_do(
    tmp_path: Path, person: Path
) -> None:
    target = replace(targets(tmp_path / "net")["plain"], keys=(HostKey("ssh-ed25519", "AAAA"),))
    assert refused(target).line() == (
        "plain (192.0.2.3:2222 through bastion): the way through bastion (198.51.100.1:2201): its host key was never "
        "trusted, so nothing was sent; log in once with 'ssh bastion' and compare the fingerprint: then "
        "~/.ssh/known_hosts has it [host-key-unknown]"
    )


def test_a_program_is_never_started_for_a_way(tmp_path: Path, person: Path) -> None:
    ran = tmp_path / "ran"
    (person / "config").write_text(f"Host plain\nProxyCommand touch {ran}; nc %h %p\n")
    with pytest.raises(Refused) as caught:
        targets(tmp_path / "net")
    assert caught.value.id == "needs-program"
    assert not ran.exists()


def test_a_router_is_reached_through_a_host_of_the_configuration(tmp_path: Path, person: Path) -> None:
    """The lab's router ``ap`` plays the bastion: it stands in no inventory here, and known_hosts has its key."""
    with network(tmp_path / "other", {"gate": {}, "far": {"addresses": ["192.168.8.2"], "jump": "gate"}}) as made:
        gate = made.router("gate")
        [key] = made.known_hosts.of("gate")
        (person / "known_hosts").write_text(f"[127.0.0.1]:{gate.port} {key.type} {key.base64}\n")
        shutil.copy(made.lab.key_file, person / "id_ed25519")
        (person / "config").write_text(
            f"Host far\nProxyJump bastion\nHost bastion\nHostName 127.0.0.1\nPort {gate.port}\nUser root\n"
        )
        site = made.folder / "inventory/sites/haus.yaml"
        site.write_text(site.read_text().replace("jump: gate", "room: Keller"))
        inventory = load(made.folder)
        target = target_of(inventory, made.known_hosts, inventory.routers["far"])
        assert target.describe() == "far (192.168.8.2:22 through bastion)"
        deadline = Deadline(30)
        with connect(target, deadline) as connection:
            assert connection.run('echo "$WIFIMGR_ROOT"', deadline) == f"{made.router('far').root}\n".encode()
        (person / "known_hosts").write_text("")
        os.utime(person / "known_hosts", ns=(1, 1))
        again = target_of(inventory, made.known_hosts, inventory.routers["far"])
        assert refused(again).id == "host-key-unknown"


def test_openssh_is_asked_when_it_is_needed_and_once(tmp_path: Path, person: Path) -> None:
    (person / "config").write_text("}{")
    inventory = load(write(tmp_path / "net", NETWORK, LOCAL, eins=SITE))
    with pytest.raises(ConfigError) as caught:
        target_of(inventory, KnownHosts(tmp_path / "none"), inventory.routers["plain"])
    assert caught.value.line().startswith("~/.ssh/config:1: is no line of a configuration of OpenSSH; ")
    assert isinstance(inventory.network.openssh, OpenSsh)


def test_password_shows_in_nothing_that_is_printed() -> None:
    made = Target(name="ap", endpoint=Endpoint("192.0.2.1", 22), user="root", keys=(), password=Secret("sehr-geheim"))
    assert "sehr-geheim" not in repr(made) + str(made) + made.describe()
