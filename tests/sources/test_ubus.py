"""ubus over SSH: what is made of the daemons' words, what never leaves a router, and the look at the internet."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from tests.networks import NETWORK, write
from wifimgr.inventory import load
from wifimgr.lab import Lab, SimulatedRouter, make_key
from wifimgr.model import Failure, Interface, Internet, Radio, Reading
from wifimgr.settings import make_state_dir
from wifimgr.sources import read, ubus
from wifimgr.sources.told import Told
from wifimgr.sources.ubus import Board, Guests, Ubus, addresses_in, guests_of, introduce, measured_of
from wifimgr.ssh import Connection, Deadline, KnownHosts, connect, target_of

MAC = re.compile(rb"(?i)(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}")

# ---------------------------------------------------------------- what the daemons say

BOARD = {
    "kernel": "6.6.110",
    "hostname": "haus-eins",
    "system": "Qualcomm Atheros QCA956X ver 1 rev 0",
    "model": "Ubiquiti UniFi AC Lite",
    "release": {"distribution": "OpenWrt", "version": "24.10.4", "description": "OpenWrt 24.10.4 r28959-29397011cc"},
}
INFO = {
    "localtime": 1785000000,
    "uptime": 7200,
    "load": [16384, 8192, 4096],
    "memory": {"total": 122454016, "free": 40000000, "shared": 1, "buffered": 2, "available": 60000000, "cached": 3},
    "swap": {"total": 0, "free": 0},
}


def access_point(ifname: str, ssid: str, network: str, **config: object) -> dict[str, Any]:
    return {
        "section": f"section_{ifname}",
        "ifname": ifname,
        "config": {"mode": "ap", "ssid": ssid, "network": [network], "encryption": "none", **config},
        "vlans": [],
        "stations": [{"section": "s1", "config": {"mac": "02:00:5e:10:00:77", "key": "stationsecret", "iface": "x"}}],
    }


def radio(band: str, up: bool, *interfaces: object, **config: object) -> dict[str, Any]:
    return {
        "up": up,
        "pending": False,
        "autostart": True,
        "disabled": False,
        "retry_setup_failed": False,
        "config": {"path": "platform/ahb/18100000.wmac", "band": band, "channel": "auto", "htmode": "HT20", **config},
        "interfaces": list(interfaces),
    }


WIRELESS = {
    "radio0": radio(
        "2g",
        True,
        access_point("phy0-ap0", 'Büro "intern", 1: $(id)', "lan", encryption="psk2", key="kennwort des Büros"),
        access_point("phy0-ap1", "freifunk", "guest"),
        {"section": "mesh", "ifname": "phy0-mesh0", "config": {"mode": "mesh", "mesh_id": "m", "network": ["mesh"]}},
    ),
    "radio1": radio("5g", True, access_point("phy1-ap0", "freifunk", "guest")),
    "radio2": radio("6g", False, access_point("", "freifunk", "guest")),
    "radio3": radio("5g", False) | {"disabled": True},
}


def hostapd(status: str, time: int, utilization: int) -> dict[str, Any]:
    return {
        "status": status,
        "bssid": "02:00:5e:00:00:01",
        "ssid": "freifunk",
        "airtime": {"time": time, "time_busy": time // 2, "utilization": utilization},
        "dfs": {"cac_seconds": 60, "cac_active": status == "DFS"},
    }


def stations(*authorized: bool) -> dict[str, Any]:
    def station(number: int, is_in: bool) -> dict[str, Any]:
        flags = {"auth": True, "assoc": True, "authorized": is_in, "preauth": False, "mfp": False}
        return flags | {"rrm": [0, 0], "aid": number, "bytes": {"rx": 1, "tx": 2}, "capabilities": {}}

    return {"freq": 2437, "clients": {f"02:00:5e:10:00:{n:02x}": station(n, each) for n, each in enumerate(authorized)}}


def device(**values: object) -> dict[str, Any]:
    counters = {"rx_bytes": 5000000000, "tx_bytes": 70, "rx_errors": 1, "tx_errors": 0, "rx_packets": 9}
    return (
        {"type": "bridge", "present": True, "up": True, "macaddr": "02:00:5e:00:00:02"}
        | values
        | {"statistics": counters}
    )


DEVICES = {
    "lo": device(),
    "br-guest": device(carrier=True),
    "lan2": device(carrier=False),
    "wan": device(up=False),
    "gone": device(present=False),
}
GUEST = {
    "up": True,
    "l3_device": "br-guest",
    "proto": "static",
    "device": "br-guest",
    "ipv4-address": [{"address": "172.31.64.1", "mask": 22}],
    "ipv6-address": [],
    "neighbors": [{"address": "172.31.64.9", "mac": "02:00:5e:10:00:78"}],
    "route": [],
}
SAID: dict[str, Any] = {
    "system info": INFO,
    "system board": BOARD,
    "network.wireless status": WIRELESS,
    "network.device status": DEVICES,
    "network.interface.guest status": GUEST,
    "hostapd.phy0-ap0 get_status": hostapd("ENABLED", 1000, 51),
    "hostapd.phy0-ap0 get_clients": stations(True, True, True),
    "hostapd.phy0-ap1 get_status": hostapd("ENABLED", 1000, 51),
    "hostapd.phy0-ap1 get_clients": stations(True, False, True, True, True),
    "hostapd.phy1-ap0 get_status": hostapd("ENABLED", 0, 0),
    "hostapd.phy1-ap0 get_clients": stations(),
}
SECRETS = ("kennwort", "stationsecret", "172.31.64.9")


def as_ubus(said: object) -> str:
    """JSON as ``ubus call`` prints it: tabs, a value a line, and empty lists over three lines."""
    text = json.dumps(said, indent="\t", ensure_ascii=False)
    return re.sub(
        r"^(\t*)(.*)(\[\]|\{\})(,?)$",
        lambda m: f"{m[1]}{m[2]}{m[3][0]}\n{m[1]}\t\n{m[1]}{m[3][1]}{m[4]}",
        text,
        flags=re.M,
    )


ASK = """#!{shell}
[ "$1" != -t ] || shift 2
[ -e "{said}/$2 $3" ] || {{ echo "Command failed: Not found" >&2; exit 4; }}
while IFS= read -r line || [ -n "$line" ]; do printf '%s\\n' "$line"; done <"{said}/$2 $3"
"""


class Here:
    """A connection to a shell on this machine, with only the programs that it is given."""

    def __init__(self, folder: Path, shell: str) -> None:
        self.folder, self.said = folder, folder / "said"
        self.said.mkdir(parents=True)
        self.command = "/bin/sh"
        for program in ("awk", "sed"):
            self.link(program, program if shell == "sh" else "busybox")
        if shell == "busybox":
            self.link("ash", "busybox")
            self.command = str(folder / "ash")
        self.put("ubus", ASK.format(shell=self.command, said=self.said))
        self.printed = b""

    def link(self, name: str, program: str) -> None:
        found = shutil.which(program)
        if found is None:
            pytest.skip(f"needs {program}")
        (self.folder / name).symlink_to(found)

    def put(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")
        (self.folder / name).chmod(0o755)

    def say(self, said: dict[str, Any]) -> None:
        for call, value in said.items():
            (self.said / call).write_text(value if isinstance(value, str) else as_ubus(value), encoding="utf-8")

    def run(self, script: str, deadline: Deadline) -> bytes:
        done = subprocess.run(
            [self.command, "-s"],
            input=script.encode(),
            capture_output=True,
            env={"PATH": str(self.folder)},
            timeout=30,
        )
        self.printed += done.stdout
        assert done.stderr == b""
        return done.stdout

    def values(self, said: dict[str, Any]) -> ubus.Sections:
        self.say(said)
        connection: Any = self
        return ubus._run(connection, Deadline(30), "values guest", lambda line: None)


@pytest.fixture(params=["sh", "busybox"])
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Here:
    return Here(tmp_path / "here", request.param)


def test_values_of_an_access_point(here: Here) -> None:
    found = measured_of(here.values(SAID), "guest")
    assert found.boot
    assert abs(datetime.now(UTC) - timedelta(hours=2) - found.boot) < timedelta(minutes=1)
    assert (found.load, found.memory_total, found.memory_available) == (0.25, 122454016, 60000000)
    assert (found.model, found.firmware) == ("Ubiquiti UniFi AC Lite", "OpenWrt 24.10.4 r28959-29397011cc")
    assert (found.wifi, found.clients) == (True, 4), "only guests count, and only those who are let in"
    assert found.radios == (
        Radio(
            name="radio0", band="2.4", up=True, ssids=('Büro "intern", 1: $(id)', "freifunk"), clients=4, busy=51 / 255
        ),
        Radio(name="radio1", band="5", up=True, ssids=("freifunk",), clients=0),
        Radio(name="radio2", band="6", up=False),
        Radio(name="radio3", band="5"),
    )
    counters = {"receive_bytes": 5000000000, "transmit_bytes": 70, "receive_errors": 1, "transmit_errors": 0}
    assert found.interfaces == tuple(
        Interface(name=name, up=up, **counters) for name, up in [("br-guest", True), ("lan2", False), ("wan", False)]
    )
    assert found.internet is found.round_trip is None


def test_no_hardware_address_and_no_secret_leaves_the_router(here: Here) -> None:
    here.values(SAID)
    asked = "".join((here.said / call).read_text(encoding="utf-8") for call in SAID)
    assert len(MAC.findall(asked.encode())) > 15
    assert [word for word in SECRETS if word not in asked] == []
    assert MAC.findall(here.printed) == []
    shown = here.printed.decode()
    assert [word for word in (*SECRETS, "haus-eins") if word in shown] == []


def test_what_no_daemon_says_is_not_zero(here: Here) -> None:
    found = measured_of(here.values({"system info": {"uptime": 60}}), "guest")
    assert found.boot
    assert (found.load, found.memory_total, found.model, found.firmware) == (None, None, "", "")
    assert (found.wifi, found.clients, found.radios, found.interfaces) == (None, None, (), ())


def test_guests_are_counted_by_iwinfo_where_hostapd_is_silent(here: Here) -> None:
    here.put(
        "iwinfo",
        f"""#!{here.command}
case "$*" in
"phy0-ap1 assoclist")
	echo "02:00:5E:10:00:01  -54 dBm / -95 dBm (SNR 41)  0 ms ago"
	echo "	RX: 6.0 MBit/s                                    1 Pkts."
	echo "	TX: 144.4 MBit/s, MCS 15, 20MHz, short GI         2 Pkts."
	echo "02:00:5E:10:00:02  -60 dBm / -95 dBm (SNR 35)  0 ms ago" ;;
"phy1-ap0 assoclist") echo "No station connected" ;;
*) echo "No such wireless device: $1" ;;
esac
""",
    )
    told = here.values({call: value for call, value in SAID.items() if not call.startswith("hostapd")})
    found = measured_of(told, "guest")
    assert [radio.clients for radio in found.radios] == [2, 0, None, None]
    assert (found.wifi, found.clients) == (True, 2)
    assert MAC.findall(here.printed) == []


def test_who_is_there_is_unknown_where_neither_counts(here: Here) -> None:
    found = measured_of(here.values({call: said for call, said in SAID.items() if "get_clients" not in call}), "guest")
    assert (found.wifi, found.clients, {radio.clients for radio in found.radios}) == (True, None, {None})


def test_without_a_network_of_guests_every_access_point_counts(here: Here) -> None:
    found = measured_of(
        here.values({call: said for call, said in SAID.items() if call != "network.interface.guest status"}), "guest"
    )
    assert (found.wifi, found.clients) == (True, 7)


@pytest.mark.parametrize(
    ("radio1", "status", "wifi"),
    [
        (radio("5g", True, access_point("phy1-ap0", "frei", "guest")), "ENABLED", True),
        (radio("5g", True, access_point("phy1-ap0", "frei", "guest")), "DFS", False),
        (radio("5g", True, access_point("phy1-ap0", "frei", "guest")), "", True),
        (radio("5g", True, access_point("", "frei", "guest")), "", False),
        (radio("5g", True, access_point("phy1-ap0", "Büro", "lan")), "ENABLED", False),
        (radio("5g", True, access_point("phy1-ap0", "frei", "guest", mode="sta")), "ENABLED", False),
        (radio("5g", True, access_point("phy1-ap0", "frei", "guest", mode="mesh")), "ENABLED", False),
        (radio("5g", False, access_point("phy1-ap0", "frei", "guest")), "ENABLED", False),
        (radio("5g", True), "ENABLED", False),
    ],
    ids=["on air", "radar", "no status", "not there", "staff", "client", "mesh", "radio off", "no network"],
)
def test_wifi_is_a_network_of_guests_on_the_air(here: Here, radio1: dict[str, Any], status: str, wifi: bool) -> None:
    said = SAID | {"network.wireless status": {"radio1": radio1}}
    del said["hostapd.phy1-ap0 get_status"]
    if status:
        said["hostapd.phy1-ap0 get_status"] = hostapd(status, 0, 0)
    found = measured_of(here.values(said), "guest")
    assert found.wifi is wifi
    assert found.clients == (0 if wifi else None)


def test_older_firmware_is_understood(here: Here) -> None:
    """OpenWrt 19.07: ``hwmode`` in place of ``band``, wlan0 in place of phy0-ap0, a network as text."""
    old = radio("", True, access_point("wlan0", "frei", "guest") | {"ifname": "wlan0"}, hwmode="11g")
    del old["config"]["band"]
    old["interfaces"][0]["config"]["network"] = "guest"
    said = {"system info": INFO, "network.interface.guest status": GUEST, "network.wireless status": {"radio0": old}}
    said["hostapd.wlan0 get_clients"] = stations(True, True)
    found = measured_of(here.values(said), "guest")
    assert found.radios == (Radio(name="radio0", band="2.4", up=True, ssids=("frei",), clients=2),)


@pytest.mark.parametrize(
    "wireless", ["", "{", '{"radio0": {"up": tru', "[]", "Command failed", '{"radio0": [\n\t1\n]}']
)
def test_half_an_answer_of_one_daemon_costs_only_that(here: Here, wireless: str) -> None:
    found = measured_of(here.values(SAID | {"network.wireless status": wireless}), "guest")
    assert found.wifi in (None, False)
    assert (found.clients, found.model) == (None, BOARD["model"])


def test_a_section_is_read_once_however_often_it_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a router that names one access point again and again keeps us busy for hours."""
    points = [access_point("phy0-ap0", "frei", "guest") for _ in range(200)]
    told = {
        "wireless": json.dumps({"radio0": radio("2g", True, *points)}).encode(),
        "clients phy0-ap0": b"3",
        "bss phy0-ap0": json.dumps(hostapd("ENABLED", 1, 51)).encode(),
    }
    read: list[bytes] = []
    really = Told.read

    def note(text: bytes) -> Told:
        read.append(text)
        return really(text)

    monkeypatch.setattr(Told, "read", note)
    assert measured_of(told, "guest").clients == 600
    assert read.count(told["clients phy0-ap0"]) == read.count(told["bss phy0-ap0"]) == 1


def test_shellcheck_has_nothing_to_say() -> None:
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("needs shellcheck")
    path = Path(ubus.__file__).with_name("ubus.sh")
    done = subprocess.run([shellcheck, "--shell=dash", str(path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


# ---------------------------------------------------------------- small parts


def test_address_of_guests_and_somebody_beside_it() -> None:
    told = {"guest": as_ubus(GUEST).encode()}
    assert guests_of(told) == Guests(IPv4Address("172.31.64.1"), IPv4Address("172.31.64.2"), "br-guest")


@pytest.mark.parametrize(
    "change",
    [
        {"ipv4-address": []},
        {"ipv4-address": [{"address": "172.31.64.1", "mask": 32}]},
        {"ipv4-address": [{"address": "$(reboot)", "mask": 22}, {"address": "172.31.64.1"}]},
        {"l3_device": "br guest; reboot"},
        {"l3_device": None},
    ],
)
def test_without_an_address_for_guests_the_router_asks_for_itself(change: dict[str, Any]) -> None:
    assert guests_of({"guest": as_ubus(GUEST | change).encode()}) is None


@pytest.mark.parametrize(
    ("answer", "addresses"),
    [
        ("Server:\t\t10.0.0.1\nAddress:\t10.0.0.1:53\n\nName:\twww.example.org\nAddress: 192.0.2.80\n", ["192.0.2.80"]),
        (
            "Server:\t10.0.0.1\nAddress:\t10.0.0.1#53\n\nwww.example.org\tcanonical name = a.example.org\n"
            "Name:\ta.example.org\nAddress: 192.0.2.80\nName:\ta.example.org\nAddress: 192.0.2.81\n"
            "Name:\ta.example.org\nAddress: 2001:db8::80\n",
            ["192.0.2.80", "192.0.2.81"],
        ),
        (
            "Server:    10.0.0.1\nAddress 1: 10.0.0.1 router.lan\n\nName:      www.example.org\n"
            "Address 1: 192.0.2.80 www.example.org\n",
            ["192.0.2.80"],
        ),
        ("Server:\t\t10.0.0.1\nAddress:\t10.0.0.1:53\n\n** server can't find www.example.org: NXDOMAIN\n", []),
        (";; connection timed out; no servers could be reached\n", []),
        ("Name:\nAddress: $(reboot)\nAddress: 300.1.1.1\n", []),
        ("", []),
    ],
)
def test_addresses_in_an_answer_of_nslookup(answer: str, addresses: list[str]) -> None:
    assert addresses_in(answer.encode()) == addresses


# ---------------------------------------------------------------- over SSH, on simulated routers

SHORT_LOGIN = NETWORK.replace("default: {user: root", "default: {timeout: 500ms, user: root")
INTERNET = "internet: {dns: www.example.org, http: 'http://www.example.org/?a=1&b=%20'}\n"
SITE = """\
name: Haus Eins
kind: library
routers:
  eins-gw:
    addresses: [192.0.2.1]
    role: gateway
    sources: [ubus]
  eins-ap:
    addresses: [192.0.2.2]
    behind: eins-gw
    sources: [ubus]
"""
GUEST_WIFI = """
config wifi-device 'radio0'
	option band '2g'

config wifi-iface 'guest_radio0'
	option device 'radio0'
	option mode 'ap'
	option network 'guest'
	option ssid 'frei'

config wifi-device 'radio1'
	option band '5g'

config wifi-iface 'guest_radio1'
	option device 'radio1'
	option mode 'ap'
	option network 'guest'
	option ssid 'frei'

config wifi-iface 'office'
	option device 'radio1'
	option mode 'ap'
	option network 'lan'
	option ssid 'Büro'
	option encryption 'psk2'
	option key 'kennwort des Büros'
"""
GUEST_NETWORK = """
config interface 'guest'
	option device 'br-guest'
	option proto 'static'
	option ipaddr '172.31.64.1'
	option netmask '255.255.252.0'
"""


@dataclass
class Net:
    """A network of two simulated routers, one behind the other."""

    folder: Path
    lab: Lab

    @property
    def ap(self) -> SimulatedRouter:
        return self.lab.routers["eins-ap"]

    def reconfigure(self, network: str) -> None:
        """Writes a file of the access point and lets its daemons take it up."""
        path = self.ap.root / "etc/config/network"
        path.write_text(network, encoding="utf-8")
        self.ap.run(["reload_config", "boot"])

    @contextmanager
    def tool(self, name: str, text: str) -> Iterator[None]:
        """Another program in place of one that routers have."""
        path = self.lab.folder / "tools" / name
        before = path.read_text(encoding="utf-8")
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(before, encoding="utf-8")

    @contextmanager
    def reached_at(self, port: int) -> Iterator[None]:
        """The access point's SSH is looked for at another port."""
        path = self.folder / ".wifimgr/local.yaml"
        before = path.read_text(encoding="ascii")
        path.write_text(before.replace(f":{self.ap.port}", f":{port}"), encoding="ascii")
        try:
            yield
        finally:
            path.write_text(before, encoding="ascii")

    def ask(self, seconds: float = 60.0, name: str = "eins-ap", known_hosts: KnownHosts | None = None) -> Reading:
        """Asks a router once."""
        inventory = load(self.folder)
        known_hosts = known_hosts or KnownHosts(self.folder / "inventory/known_hosts")

        async def main() -> Reading:
            source = Ubus(inventory, known_hosts)
            try:
                return await read("ubus", source, inventory.routers[name], seconds, self.said.append)
            finally:
                await source.close()

        self.said: list[str] = []
        return asyncio.run(main())

    def internet(self, seconds: float = 60.0) -> Internet | None:
        """What it found out about the internet; the other values must be there in any case."""
        reading = self.ask(seconds)
        assert reading.measured, reading.detail
        assert reading.measured.wifi is True
        return reading.measured.internet


@pytest.fixture(scope="module")
def one_net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    folder = tmp_path_factory.mktemp("net")
    write(folder, NETWORK + INTERNET, eins=SITE)
    inventory = load(folder)
    with Lab(make_state_dir(folder) / "lab", inventory.routers.values()) as lab:
        lab.move_in(folder, inventory.network.ssh_profiles, {})
        net = Net(folder, lab)
        (net.ap.root / "etc/config/wireless").write_text(GUEST_WIFI, encoding="utf-8")
        yield net


@pytest.fixture
def net(one_net: Net) -> Iterator[Net]:
    """The network as it was at first: with guests, on the internet."""
    one_net.reconfigure(GUEST_NETWORK)
    one_net.ap.life.seat(9)
    yield one_net
    for router in one_net.lab.routers.values():
        router.set_internet(True)
        router.link.silent, router.link.powered = False, True


def test_a_router_tells_everything_in_one_login(net: Net) -> None:
    now = net.ap.life.now()
    reading = net.ask()
    found = reading.measured
    assert found, reading.detail
    assert found.internet == Internet(works=True, asked_from="guest")
    assert (found.wifi, found.firmware) == (True, "OpenWrt 24.10.4")
    assert [(radio.name, radio.up, radio.ssids) for radio in found.radios] == [
        ("radio0", True, ("frei",)),
        ("radio1", True, ("frei", "Büro")),
    ]
    assert found.clients
    assert abs(found.clients - sum(now.guests.values())) <= 2
    assert {each.name for each in found.interfaces} == {"br-lan", "wan", "phy0-ap0", "phy1-ap0"}
    assert "http://www.example.org/?a=1&b=%20" not in " ".join(net.said), "arguments are quoted, not echoed"


def test_addresses_and_keys_stay_on_the_router(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = []
    run = Connection.run

    def listen(self: Connection, script: str, deadline: Deadline) -> bytes:
        printed.append(run(self, script, deadline))
        return printed[-1]

    monkeypatch.setattr(Connection, "run", listen)
    net.ap.life.seat(40)
    reading = net.ask()
    assert reading.measured
    assert reading.measured.clients
    assert reading.measured.clients >= 40
    everything = b"".join(printed) + "\n".join(net.said).encode()
    assert b"uptime" in everything
    assert MAC.findall(everything) == []
    assert b"kennwort" not in everything


def test_asking_changes_nothing_on_the_router(net: Net) -> None:
    net.ask()
    before = net.ap.inodes()
    assert net.ask().failure is None
    assert net.ap.inodes() == before


def test_without_a_target_the_internet_is_not_asked(net: Net) -> None:
    (net.folder / "inventory/network.yaml").write_text(NETWORK, encoding="utf-8")
    try:
        reading = net.ask()
    finally:
        (net.folder / "inventory/network.yaml").write_text(NETWORK + INTERNET, encoding="utf-8")
    assert reading.measured
    assert reading.measured.internet is None
    assert reading.measured.clients, "guests are those in the network 'guest' by default"


# --- the internet ---


def test_no_internet_is_seen_by_those_behind_as_well(net: Net) -> None:
    net.lab.routers["eins-gw"].set_internet(False)
    why = "DNS: no answer for www.example.org at 172.31.64.1"
    assert net.internet() == Internet(works=False, asked_from="guest", why=why)
    net.lab.routers["eins-gw"].set_internet(True)
    assert net.internet() == Internet(works=True, asked_from="guest")


def test_a_page_that_does_not_come(net: Net) -> None:
    with net.tool("uclient-fetch", "exit 8"):
        found = net.internet()
    why = "HTTP: http://www.example.org/?a=1&b=%20 cannot be fetched"
    assert found == Internet(works=False, asked_from="guest", why=why)


def test_the_page_is_asked_for_by_its_exact_address(net: Net) -> None:
    with net.tool("uclient-fetch", 'for last; do :; done; [ "$last" = "http://www.example.org/?a=1&b=%20" ]'):
        assert net.internet() == Internet(works=True, asked_from="guest")


def test_names_are_asked_where_guests_ask(net: Net) -> None:
    with net.tool("nslookup", 'echo "Name: x"; [ "$3" != 172.31.64.1 ] || echo "Address: 192.0.2.80"'):
        assert net.internet() == Internet(works=True, asked_from="guest")


def test_without_a_network_of_guests_the_router_asks_for_itself(net: Net) -> None:
    net.reconfigure("\nconfig interface 'lan'\n\toption device 'br-lan'\n")
    with net.tool("nslookup", '[ $# -eq 2 ] && echo "Name: x" && echo "Address: 192.0.2.80"'):
        assert net.internet() == Internet(works=True, asked_from="router")
    net.ap.set_internet(False)
    why = "DNS: no answer for www.example.org"
    assert net.internet() == Internet(works=False, asked_from="router", why=why)


def test_another_way_for_guests_than_for_the_router_is_not_called_the_same(net: Net) -> None:
    with net.tool("ip", 'case "$*" in *iif*) echo "$3 from $5 dev vpn" ;; *) echo "$3 via 10.0.0.1 dev wan" ;; esac'):
        assert net.internet() == Internet(works=True, asked_from="router")


@pytest.mark.parametrize("ip", ["exit 127", "echo 'ip: RTNETLINK answers: Invalid argument' >&2; exit 2"])
def test_a_kernel_that_does_not_tell_the_way_is_not_taken_for_the_same(net: Net, ip: str) -> None:
    with net.tool("ip", ip):
        assert net.internet() == Internet(works=True, asked_from="router")


@pytest.mark.parametrize(
    "said", ["No route to host", "Host is unreachable", "Network is unreachable", "Permission denied"]
)
def test_guests_without_a_way_out_have_no_internet_though_the_router_has(net: Net, said: str) -> None:
    answer = f'echo "ip: RTNETLINK answers: {said}" >&2; exit 2'
    with net.tool("ip", f'case "$*" in *iif*) {answer} ;; *) echo "$3 via 10.0.0.1 dev wan" ;; esac'):
        found = net.internet()
    assert found == Internet(works=False, asked_from="guest", why="guests have no route to 192.0.2.80")


@pytest.mark.parametrize("tool", ["nslookup", "uclient-fetch"])
def test_without_the_tools_to_ask_nothing_is_claimed(net: Net, tool: str) -> None:
    with net.tool(tool, "exit 127"):
        assert net.internet() is None


@pytest.mark.parametrize(
    ("tool", "limit", "why"),
    [
        ("nslookup", 0.5, "DNS: no answer for www.example.org at 172.31.64.1"),
        ("uclient-fetch", 4.0, "HTTP: http://www.example.org/?a=1&b=%20 cannot be fetched"),
    ],
)
def test_a_step_that_hangs_costs_no_other_value(
    net: Net, monkeypatch: pytest.MonkeyPatch, tool: str, limit: float, why: str
) -> None:
    monkeypatch.setattr(ubus, "STEP_SECONDS", limit)
    with net.tool(tool, "exec sleep 30"):
        found = net.internet()
    assert found
    assert (found.works, found.why) == (False, why)


def test_with_too_little_time_left_the_internet_is_not_judged(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ubus, "SHORTEST_LOOK", 1000.0)
    assert net.internet() is None


def test_a_router_that_goes_away_meanwhile_says_nothing_about_the_internet(net: Net) -> None:
    sign = net.ap.root / "lab/asked"

    def cut_the_power() -> None:
        until(sign.exists)
        sign.unlink()
        net.ap.power_cut()

    cut = threading.Thread(target=cut_the_power)
    cut.start()
    with net.tool("nslookup", ': >"$WIFIMGR_ROOT/lab/asked"; exec sleep 30'):
        found = net.internet()
    cut.join(60)
    net.ap.boot()
    assert found is None


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Waits until something holds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


# --- who it is ---


class Answering:
    """Stands for a connection to somebody who answers like this, after the mark of the question."""

    def __init__(self, *parts: str) -> None:
        self.parts = parts

    def run(self, script: str, deadline: Deadline) -> bytes:
        nonce = re.search(r"NONCE=(\w+)", script)
        assert nonce
        return "".join(f"wifimgr:{nonce[1]} {part}\n" for part in self.parts).encode()


def introduced(*parts: str) -> Board | None:
    return introduce(Answering(*parts), Deadline(60))  # type: ignore[arg-type]


def test_a_router_introduces_itself(net: Net) -> None:
    net.ap.root.joinpath("lib/gluon").mkdir(exist_ok=True)
    inventory = load(net.folder)
    target = target_of(inventory, KnownHosts(net.folder / "inventory/known_hosts"), inventory.routers["eins-ap"])
    plain = Board("OpenWrt", "Simulated router", "wifimgr,lab", "OpenWrt 24.10.4", gluon=False)
    for gluon in (False, True):
        if gluon:
            net.ap.root.joinpath("lib/gluon/gluon-version").touch()
        deadline = Deadline(60)
        with connect(target, deadline) as connection:
            assert introduce(connection, deadline) == replace(plain, gluon=gluon)
    shutil.rmtree(net.ap.root / "lib/gluon")


@pytest.mark.parametrize("told", ["", "sh: ubus: not found", "[]", "7", "{"])
def test_who_has_no_ubus_is_no_openwrt(told: str) -> None:
    assert introduced(f"board\n{told}") is None
    assert introduced() is None


def test_what_a_router_leaves_out_is_empty() -> None:
    assert introduced('board\n{"model": 7, "release": []}') == Board("", "", "", "", gluon=False)
    assert introduced('board\n{"hostname": "x"}', "gluon") == Board("x", "", "", "", gluon=True)


# --- why there is no answer ---


def test_a_silent_router_is_a_timeout(net: Net) -> None:
    net.ap.link.silent = True
    assert net.ask(1.0).failure is Failure.TIMEOUT


def test_a_silent_way_to_it_is_a_timeout_too(net: Net) -> None:
    net.lab.routers["eins-gw"].link.silent = True
    assert net.ask(1.0).failure is Failure.TIMEOUT


def test_a_login_that_takes_too_long_is_a_timeout_whatever_time_is_left(net: Net) -> None:
    """The SSH profile gives it less time than the poll."""
    net.ap.link.silent = True
    inventory = load(net.folder, {"inventory/network.yaml": SHORT_LOGIN})

    async def main() -> Reading:
        source = Ubus(inventory, KnownHosts(net.folder / "inventory/known_hosts"))
        try:
            return await read("ubus", source, inventory.routers["eins-ap"], 60.0, lambda line: None)
        finally:
            await source.close()

    reading = asyncio.run(main())
    assert reading.failure is Failure.TIMEOUT


def test_a_router_that_hangs_up_refuses(net: Net) -> None:
    net.ap.link.powered = False
    assert net.ask().failure is Failure.REFUSED


def test_a_closed_port_refuses(net: Net) -> None:
    with net.reached_at(1):
        reading = net.ask()
    assert reading.failure is Failure.REFUSED
    assert "Connection refused" in reading.detail


def serve(server: socket.socket, behave: Callable[[socket.socket], None]) -> None:
    """Behaves like this with each client, until the server is shut down."""
    with suppress(OSError):
        while True:
            behave(server.accept()[0])


def hang_up(client: socket.socket) -> None:
    client.close()


def speak_nonsense(client: socket.socket) -> None:
    client.sendall(b"\xff\x00nonsense\n")
    client.recv(1000)
    client.close()


@pytest.mark.parametrize(("behave", "failure"), [(hang_up, Failure.REFUSED), (speak_nonsense, Failure.ANSWER)])
def test_somebody_who_speaks_no_ssh_is_not_silence(
    net: Net, behave: Callable[[socket.socket], None], failure: Failure
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, net.reached_at(server.getsockname()[1]):
        other = threading.Thread(target=serve, args=(server, behave))
        other.start()
        reading = net.ask(seconds=3)
        server.shutdown(socket.SHUT_RDWR)
        other.join(60)
    assert reading.failure is failure


def test_host_keys_that_are_not_trusted(net: Net, tmp_path: Path) -> None:
    unknown = net.ask(known_hosts=KnownHosts(tmp_path / "none"))
    assert (unknown.failure, "wifimgr router trust eins-ap" in unknown.detail) == (Failure.AUTH, True)
    key = make_key()[0]
    (tmp_path / "other").write_text(f"eins-ap {key.get_name()} {key.get_base64()}\n", encoding="ascii")
    changed = net.ask(known_hosts=KnownHosts(tmp_path / "other"))
    assert (changed.failure, "HOST KEY CHANGED" in changed.detail) == (Failure.AUTH, True)


def test_a_login_that_is_refused(net: Net, tmp_path: Path) -> None:
    key = net.lab.key_file.read_text(encoding="ascii")
    net.lab.key_file.write_text(make_key()[1], encoding="ascii")
    try:
        assert net.ask().failure is Failure.AUTH
    finally:
        net.lab.key_file.write_text(key, encoding="ascii")


def test_a_missing_secret_is_a_matter_of_setup(net: Net) -> None:
    site = net.folder / "inventory/sites/eins.yaml"
    site.write_text(SITE.replace("    behind", "    ssh: high\n    behind"), encoding="utf-8")
    try:
        reading = net.ask()
    finally:
        site.write_text(SITE, encoding="utf-8")
    assert reading.failure is Failure.SETUP
    assert "ROUTER_PASSWORD" in reading.detail


@pytest.mark.parametrize("text", ["exit 127", "echo '{}'", "printf '\\377\\000garbage\\n'; exit 1"])
def test_what_has_no_ubus_is_not_understood(net: Net, text: str) -> None:
    with net.tool("ubus", text):
        reading = net.ask()
    assert reading.failure is Failure.ANSWER
    assert "OpenWrt" in reading.detail


def test_nobody_waits_for_a_thread_that_was_given_up(net: Net) -> None:
    net.ap.link.silent = True
    inventory = load(net.folder)
    threads = set(threading.enumerate())

    async def main() -> None:
        source = Ubus(inventory, KnownHosts(net.folder / "inventory/known_hosts"))
        asked = asyncio.create_task(source.ask(inventory.routers["eins-ap"], 1.0, lambda line: None))
        await asyncio.sleep(0.1)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await source.close()

    asyncio.run(main())
    until(lambda: not {each for each in threading.enumerate() if each.name.startswith("ubus")} - threads)


def test_many_routers_are_asked_at_the_same_time(net: Net) -> None:
    inventory = load(net.folder)
    router = inventory.routers["eins-ap"]

    async def main() -> list[Reading]:
        source = Ubus(inventory, KnownHosts(net.folder / "inventory/known_hosts"))
        try:
            copies = [replace(router, site=str(number)) for number in range(8)]
            return list(await asyncio.gather(*(read("ubus", source, copy, 60, lambda line: None) for copy in copies)))
        finally:
            await source.close()

    assert [reading.failure for reading in asyncio.run(main())] == [None] * 8
