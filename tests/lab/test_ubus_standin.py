"""The stand-in for `ubus` on simulated routers: the same numbers as everything else there, in the real one's format."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from wifimgr.lab.life import Life

STANDINS = Path(__file__).parents[2] / "wifimgr" / "lab" / "standins"
ROOTFS = STANDINS.parent / "rootfs"
NOON = 1_790_000_000
APPLETS = ("ash", "awk", "cat", "date")


class Tree:
    """The tree of a router with its stand-ins, and a shell to run them in."""

    def __init__(self, folder: Path, shell: str) -> None:
        self.root, tools = folder / "root", folder / "tools"
        shutil.copytree(ROOTFS, self.root)
        (self.root / "lab").mkdir()
        (self.root / "var/run").mkdir(parents=True)
        self.daemons = self.root / "var/run/running"
        shutil.copytree(ROOTFS / "etc/config", self.daemons)
        shutil.copytree(STANDINS, tools)
        self.shell, path = "/bin/sh", f"{tools}:/usr/bin:/bin"
        if shell == "busybox":
            busybox = shutil.which("busybox")
            if busybox is None:
                pytest.skip("needs busybox")
            for applet in APPLETS:
                (tools / applet).symlink_to(busybox)
            self.shell, path = str(tools / "ash"), str(tools)
            for script in STANDINS.iterdir():  # "#!/bin/sh" would be the system's
                (tools / script.name).write_text(
                    f"#!{self.shell}\n{script.read_text(encoding='utf-8')}", encoding="utf-8"
                )
        self.environment = {"PATH": path, "WIFIMGR_ROOT": str(self.root)}
        self.tools = tools

    def stop_the_clock(self, at: int) -> None:
        """From now on it is always ``at`` (seconds since 1970) for the stand-ins."""
        self.environment["LAB_CLOCK"] = str(at)

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [self.shell, str(self.tools / name), *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=self.environment, timeout=30)

    def call(self, *arguments: str) -> Any:
        done = self.run("ubus", "-t", "5", "call", *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        for line in done.stdout.splitlines():
            assert re.fullmatch(r'\t*("([^"\\]|\\.)*": )?([{[]|[]}],?|[^{}[\]\t].*)?', line), line
        return json.loads(done.stdout)


@pytest.fixture(params=["sh", "busybox"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Tree:
    return Tree(tmp_path, request.param)


@pytest.mark.parametrize("guests", [0, 1, 9, 300])
def test_numbers_are_those_of_the_life(tree: Tree, guests: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.stop_the_clock(NOON)
    monkeypatch.setattr("wifimgr.lab.life.time.time", lambda: NOON)
    life = Life("eins-ap", tree.root / "lab")
    life.seat(guests)
    info, now = tree.call("system", "info"), life.now()
    assert info["uptime"] == now.uptime
    assert info["memory"]["total"] == now.memory_total
    assert info["memory"]["available"] == now.memory_available
    assert [load / 65536 for load in info["load"]] == pytest.approx([now.load] * 3, abs=1e-4)
    devices = tree.call("network.device", "status")
    assert {name: each["statistics"]["rx_bytes"] for name, each in devices.items()} == now.receive_bytes
    assert {name: each["statistics"]["tx_bytes"] for name, each in devices.items()} == now.transmit_bytes
    for number, radio in enumerate(Life.RADIOS):
        said = tree.call(f"hostapd.phy{number}-ap0", "get_clients")
        assert len(said["clients"]) == now.guests[radio]
    assert tree.call("hostapd.phy0-ap1", "get_clients")["clients"] == {}


def test_a_router_without_a_life_has_numbers_too(tree: Tree) -> None:
    assert tree.call("system", "info")["uptime"] == 3600
    assert tree.call("hostapd.phy0-ap0", "get_clients")["clients"] == {}


def test_wifi_is_what_the_daemons_run_with(tree: Tree) -> None:
    radios = tree.call("network.wireless", "status")
    assert {name: radio["up"] for name, radio in radios.items()} == {"radio0": False, "radio1": False}
    path = tree.daemons / "wireless"
    path.write_text(path.read_text(encoding="utf-8").replace("disabled '1'", "disabled '0'"), encoding="utf-8")
    radio = tree.call("network.wireless", "status")["radio0"]
    assert (radio["up"], radio["disabled"], radio["config"]["band"]) == (True, False, "2g")
    assert [(each["ifname"], each["config"]["ssid"], each["config"]["network"]) for each in radio["interfaces"]] == [
        ("phy0-ap0", "OpenWrt", ["lan"]),
        ("phy0-ap1", "Büro intern", ["lan"]),
    ]
    assert radio["interfaces"][1]["config"]["key"] == 'nur für "uns" $(id) it\'s'


def test_interfaces_have_their_addresses(tree: Tree) -> None:
    lan = tree.call("network.interface.lan", "status")
    assert (lan["up"], lan["l3_device"]) == (True, "br-lan")
    assert lan["ipv4-address"] == [{"address": "10.77.0.1", "mask": 24}]
    assert [each["interface"] for each in tree.call("network.interface", "dump")["interface"]] == [
        "loopback",
        "lan",
        "wan",
        "wan6",
    ]


@pytest.mark.parametrize("what", ["network.interface.guest status", "network.interface.globals status", "no thing"])
def test_what_is_not_there_is_not_found(tree: Tree, what: str) -> None:
    done = tree.run("ubus", "call", *what.split())
    assert (done.returncode, done.stdout, done.stderr) == (4, "", "Command failed: Not found\n")


def test_names_and_pages_are_there_as_long_as_the_internet_is(tree: Tree, tmp_path: Path) -> None:
    way = tmp_path / "way"
    (way / "lab").mkdir(parents=True)
    (tree.root / "lab/way").symlink_to(way)
    asked = ("nslookup", "-type=a", "www.example.org", "10.77.0.1")
    fetched = ("uclient-fetch", "-q", "-O", "/dev/null", "http://www.example.org/")
    answer = tree.run(*asked)
    assert (answer.returncode, "Name:\twww.example.org\nAddress: 192.0.2.80\n" in answer.stdout) == (0, True)
    assert tree.run(*fetched).returncode == 0
    for sign in (tree.root / "lab/no-internet", way / "lab/no-internet"):
        sign.touch()
        assert tree.run(*asked).returncode == 1
        assert tree.run(*fetched).returncode == 4
        sign.unlink()


def test_shellcheck_has_nothing_to_say() -> None:
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("needs shellcheck")
    command = [shellcheck, "--shell=dash", *map(str, sorted(STANDINS.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
