"""The lab: all routers of an inventory start, nothing is left behind, and faults do what they say."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.networks import NETWORK, SITE, write
from wifimgr.errors import LabError, RouterError
from wifimgr.inventory import Inventory, load
from wifimgr.lab import Lab, SimulatedRouter
from wifimgr.settings import make_state_dir
from wifimgr.ssh import Deadline, KnownHosts, Target, connect, scan, target_of

GLUON = (
    SITE.replace("eins-", "zwei-")
    .replace("192.0.2.", "192.0.2.1")
    .replace("kind: library", "kind: library\nplatform: gluon")
)
TIMES = {"confirm_within": "8s", "settle": {"connectivity": "2s", "other": "1s"}, "login_gap": "1s"}


def processes(folder: Path) -> list[str]:
    """Processes that belong to a lab in this folder."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"WIFIMGR_ROOT={folder}".encode() in (each / "environ").read_bytes():
                found.append((each / "cmdline").read_bytes().decode().replace("\0", " "))
    return found


def until(true: object) -> None:
    """Waits until something holds."""
    end = time.monotonic() + 10
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


class House:
    """A network folder with a lab."""

    def __init__(self, folder: Path) -> None:
        write(folder, eins=SITE, zwei=GLUON)
        self.folder, self.inventory = folder, load(folder)
        self.lab = Lab(make_state_dir(folder) / "lab", self.inventory.routers.values())

    def target(self, name: str) -> Target:
        inventory: Inventory = load(self.folder)
        hosts = KnownHosts(self.folder / "inventory/known_hosts")
        return target_of(inventory, hosts, inventory.routers[name])

    def run(self, script: str, name: str = "eins-ap", seconds: float = 5.0) -> bytes:
        """Logs in and runs something."""
        deadline = Deadline(seconds)
        with connect(self.target(name), deadline) as connection:
            return connection.run(script, deadline)

    def reaches(self, name: str = "eins-ap") -> bool:
        """Whether a login succeeds."""
        try:
            self.run("true", name, 0.7)
        except RouterError:
            return False
        return True

    @property
    def ap(self) -> SimulatedRouter:
        return self.lab.routers["eins-ap"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    with house.lab as lab:
        lab.move_in(tmp_path, house.inventory.network.ssh_profiles, TIMES)
        yield house


# --- from one router to another ---


def test_a_router_opens_connections_to_other_routers_and_to_nobody_else(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(ConnectionRefusedError):
        house.ap.reach(*listener.getsockname())
    with house.ap.reach("192.0.2.1", 22) as line:
        assert line.getpeername() == ("127.0.0.1", house.lab.routers["eins-gw"].port)
        assert line.recv(8) == b"SSH-2.0-"
    house.lab.routers["eins-gw"].link.powered = False
    with pytest.raises(ConnectionRefusedError):
        house.ap.reach("192.0.2.1", 22)
    house.ap.forwards = False
    with pytest.raises(PermissionError):
        house.ap.reach("192.0.2.11", 22)


def test_the_address_of_a_retired_router_leads_to_who_has_it_now(tmp_path: Path) -> None:
    old = "  eins-old:\n    addresses: [192.0.2.2]\n    lifecycle: retired\n"
    inventory = load(write(tmp_path, eins=SITE + old))
    lab = Lab(make_state_dir(tmp_path) / "lab", inventory.routers.values())
    with lab, lab.routers["eins-gw"].reach("192.0.2.2", 22) as line:
        assert line.getpeername()[1] == lab.routers["eins-ap"].port


# --- start and end ---


def test_all_routers_of_an_inventory_start_and_can_be_logged_in_to(house: House) -> None:
    assert set(house.lab.routers) == set(house.inventory.routers) == {"eins-gw", "eins-ap", "zwei-gw", "zwei-ap"}
    for name in house.inventory.routers:
        root = house.lab.routers[name].root
        assert house.run('echo "$WIFIMGR_ROOT"', name) == f"{root}\n".encode()
    assert len({router.port for router in house.lab.routers.values()}) == 4
    assert len({router.host_key.get_base64() for router in house.lab.routers.values()}) == 4


def test_routers_are_what_the_inventory_says(house: House) -> None:
    assert (house.lab.routers["zwei-ap"].root / "lib/gluon/gluon-version").exists()
    assert not (house.ap.root / "lib/gluon").exists()
    assert house.ap.read("/etc/config/system").startswith(b"\nconfig system\n")
    status = json.loads(house.run("ubus call network.wireless status"))
    assert set(status) == {"radio0", "radio1"}


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    house = House(tmp_path)
    threads = {thread.ident for thread in threading.enumerate()}
    with house.lab as lab:
        lab.move_in(tmp_path, house.inventory.network.ssh_profiles, TIMES)
        house.run("sleep 600 </dev/null >/dev/null 2>&1 & (trap '' HUP; sleep 600) </dev/null >/dev/null 2>&1 &")
        assert len(processes(lab.folder)) >= 2
        ports = [router.port for router in lab.routers.values()]
    until(lambda: not processes(house.lab.folder))
    assert not house.lab.folder.exists()
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 1)
    until(lambda: not {thread.ident for thread in threading.enumerate()} - threads)


def test_lab_that_fails_to_start_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(tmp_path)
    start = SimulatedRouter.__init__

    def fail(self: SimulatedRouter, name: str, *rest: object, **named: object) -> None:
        if name == "zwei-ap":
            raise LabError("lab-failed", "out of memory")
        start(self, name, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(SimulatedRouter, "__init__", fail)
    with pytest.raises(LabError), house.lab:
        pass
    assert not house.lab.folder.exists()
    until(lambda: not processes(house.lab.folder))


def test_folder_that_is_there_already_is_left_alone(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.lab.folder.mkdir()
    (house.lab.folder / "mine").touch()
    with pytest.raises(FileExistsError), house.lab:
        pass
    assert (house.lab.folder / "mine").exists()


def test_move_in_tells_the_network_where_its_routers_are(house: House) -> None:
    network = load(house.folder).network
    assert network.push.confirm_within == 8.0
    for name, router in house.lab.routers.items():
        assert str(house.target(name).endpoint) == f"127.0.0.1:{router.port}"
        assert [key.base64 for key in house.target(name).keys] == [router.host_key.get_base64()]
    assert (house.lab.key_file.stat().st_mode & 0o777) == 0o600
    assert (house.folder / "inventory/network.yaml").read_text() == NETWORK, "what people wrote is not touched"


# --- what a shell of a router is ---


def test_what_a_script_leaves_in_the_background_outlives_the_login(house: House) -> None:
    house.run('(sleep 1; echo x >"$WIFIMGR_ROOT/etc/later") </dev/null >/dev/null 2>&1 &')
    until(lambda: (house.ap.root / "etc/later").exists())


def test_each_login_is_a_connection_of_its_own(house: House) -> None:
    first, second = house.run('echo "$SSH_CONNECTION"'), house.run('echo "$SSH_CONNECTION"')
    assert first != second
    assert first.decode().split()[3] == str(house.ap.port)


def test_only_a_shell_on_standard_input_is_offered(house: House) -> None:
    from paramiko import SSHException, Transport
    from paramiko.pkey import PKey

    transport = Transport(("127.0.0.1", house.ap.port))
    try:
        transport.start_client(timeout=5)
        transport.auth_publickey("root", PKey.from_path(house.lab.key_file))
        channel = transport.open_session(timeout=5)
        with pytest.raises(SSHException):
            channel.exec_command("cat /etc/passwd")
        with pytest.raises(SSHException):
            transport.open_session(timeout=5).invoke_subsystem("sftp")
    finally:
        transport.close()


# --- faults ---


def change(house: House) -> None:
    """The router gets other files and is told to reload."""
    house.run('echo "# x" >>"$WIFIMGR_ROOT/etc/config/system"; reload_config')


def test_reload_takes_effect_later_and_says_so_until_then(house: House) -> None:
    house.ap.misbehave("", late=2.0)
    house.run(
        'sed "s/disabled \'1\'/disabled \'0\'/" "$WIFIMGR_ROOT/etc/config/wireless" >"$WIFIMGR_ROOT/tmp/w" &&'
        'mv "$WIFIMGR_ROOT/tmp/w" "$WIFIMGR_ROOT/etc/config/wireless"; reload_config'
    )
    radio = json.loads(house.run("ubus call network.wireless status"))["radio0"]
    assert not radio["up"], "the daemons run with the old files"
    until(lambda: json.loads(house.run("ubus call network.wireless status"))["radio0"]["up"])


def test_lockout_lasts_until_the_good_files_are_back(house: House) -> None:
    house.ap.misbehave("lockout")
    assert house.reaches()
    change(house)
    until(lambda: house.ap.link.state() == "down")
    assert not house.reaches()
    assert house.reaches("eins-gw")
    path = house.ap.root / "etc/config/system"
    path.write_bytes(path.read_bytes().removesuffix(b"# x\n"))
    house.ap.run(["reload_config"])
    until(lambda: house.ap.link.state() == "up")
    assert house.reaches()


def test_lockout_after_a_login_lets_exactly_one_in(house: House) -> None:
    house.ap.misbehave("lockout-login")
    change(house)
    assert house.reaches()
    assert not house.reaches()


def test_power_cut_kills_everything_empties_ram_and_keeps_flash(house: House) -> None:
    house.run(
        'echo x >"$WIFIMGR_ROOT/tmp/ram"; echo x >"$WIFIMGR_ROOT/etc/flash"; sleep 600 </dev/null >/dev/null 2>&1 &'
    )
    assert processes(house.ap.root)
    house.ap.power_cut()
    until(lambda: not processes(house.ap.root))
    assert not house.reaches()
    assert not (house.ap.root / "tmp/ram").exists()
    assert house.ap.flash()["etc/flash"] == b"x\n"
    house.ap.boot()
    assert house.reaches()
    assert (house.ap.root / "var/run/config.md5").exists(), "a boot makes the baseline"


def test_power_cut_as_a_fault_of_the_new_files_comes_back_by_itself(house: House) -> None:
    house.ap.misbehave("power-cut")
    house.run('touch "$WIFIMGR_ROOT/tmp/before"')
    change(house)
    until(lambda: not (house.ap.root / "tmp/before").exists())
    until(house.reaches)


def test_hang_is_a_reload_that_never_ends(house: House) -> None:
    house.ap.misbehave("hang")
    house.run('(reload_config; touch "$WIFIMGR_ROOT/tmp/ended") </dev/null >/dev/null 2>&1 &')
    time.sleep(0.3)
    assert not (house.ap.root / "tmp/ended").exists()
    assert any("reload_config" in each for each in processes(house.ap.root))


def test_full_flash_lets_no_file_grow(house: House) -> None:
    house.ap.fill_flash()
    assert house.run('cd "$WIFIMGR_ROOT" && printf x 2>/dev/null >etc/neu || echo full; cat etc/neu') == b"full\n"
    assert house.run('cd "$WIFIMGR_ROOT" && mv etc/banner etc/b2 && ls etc/b2') == b"etc/b2\n", "a rename needs no room"


def test_silent_router_takes_the_connection_and_says_nothing(house: House) -> None:
    house.ap.link.silent = True
    with socket.create_connection(("127.0.0.1", house.ap.port), 1) as client:
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
    house.ap.link.silent = False
    assert house.reaches()


def test_lag_makes_each_answer_late(house: House) -> None:
    house.ap.link.lag = 0.4
    began = time.monotonic()
    assert house.run("echo x") == b"x\n"
    assert time.monotonic() - began > 0.8


def test_other_host_key_is_shown_from_now_on(house: House) -> None:
    from wifimgr.lab import make_key

    key = make_key()[0]
    house.ap.change_host_key(key)
    assert scan(house.target("eins-ap"), Deadline(5)).key.base64 == key.get_base64()


def test_command_that_cannot_be_run_is_an_error_of_the_lab(house: House) -> None:
    with pytest.raises(LabError) as caught:
        house.ap.run(["/nowhere/command"])
    assert "eins-ap: /nowhere/command: " in caught.value.line()


def test_inodes_tell_when_anything_was_written(house: House) -> None:
    before = house.ap.inodes()
    assert house.ap.inodes() == before
    house.run('cat "$WIFIMGR_ROOT/etc/banner" >/dev/null')
    assert house.ap.inodes() == before
    house.run(
        'cp "$WIFIMGR_ROOT/etc/banner" "$WIFIMGR_ROOT/tmp/x" && mv "$WIFIMGR_ROOT/tmp/x" "$WIFIMGR_ROOT/etc/banner"'
    )
    assert house.ap.inodes() != before


def test_machine_without_flock_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wifimgr.lab.shutil.which", lambda name: None)
    house = House(tmp_path)
    with house.lab as lab:
        flock = lab.folder / "tools/flock"
        assert os.access(flock, os.X_OK)
        lock = f'exec 9>"$WIFIMGR_ROOT/tmp/l"; {flock} -n 9 && echo mine'
        lab.move_in(tmp_path, house.inventory.network.ssh_profiles, TIMES)
        assert (
            house.run(f'{lock}; ( exec 9>&-; exec 8>"$WIFIMGR_ROOT/tmp/l"; {flock} -n 8 || echo taken )')
            == b"mine\ntaken\n"
        )
    assert shutil.which("sh") is None, "the patch was in place"
