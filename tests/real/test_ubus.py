"""ubus over SSH against dropbear and BusyBox' shell, and the look at the internet over a kernel's real routes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import find_program, require_real
from tests.real.conftest import Connect
from tests.real.routers import Router
from wifimgr.sources import read
from wifimgr.sources.ubus import Ubus

pytestmark = pytest.mark.real

LIFE = "seed=1\nbooted=1000\nguests_radio0=4\nguests_radio1=0\n"


def test_a_router_with_dropbear_tells_everything_and_is_not_changed(router: Router, network: Connect) -> None:
    router.run(f"printf '{LIFE}' >/lab/life")
    router.run("sed -i \"s/disabled '1'/disabled '0'/\" /etc/config/wireless && reload_config boot")
    net = network(router)
    inventory = net.inventory
    lines: list[str] = []

    async def main() -> None:
        source = Ubus(inventory, net.known_hosts)
        try:
            before = router.inodes()
            for _ in range(2):
                reading = await read("ubus", source, inventory.routers[router.name], 60, lines.append)
                found = reading.measured
                assert found, reading.detail
                assert (found.wifi, found.firmware, found.internet) == (True, "OpenWrt 24.10.4", None)
                assert found.clients in (4, 5)
                assert [radio.ssids for radio in found.radios] == [("OpenWrt", "Büro intern"), ("OpenWrt",)]
                assert found.memory_total == 128 << 20
            assert router.inodes() == before
        finally:
            await source.close()

    asyncio.run(main())
    assert "02:00:5e" not in "".join(lines)


NAMES = """
import socket, struct
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("172.31.64.1", 53))
print("ready", flush=True)
while True:
    question, peer = sock.recvfrom(512)
    name = question[12:question.index(b"\\0", 12) + 1]
    known = name == b"\\3www\\7example\\3org\\0"
    answer = b"\\xc0\\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton("10.9.0.1") if known else b""
    head = question[:2] + struct.pack("!HHHHH", 0x8180 if known else 0x8183, 1, int(known), 0, 0)
    sock.sendto(head + question[12:len(name) + 16] + answer, peer)
"""
PAGES = """
import http.server
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204 if self.path == "/" else 503)
        self.end_headers()
    def log_message(self, *rest):
        pass
server = http.server.HTTPServer(("0.0.0.0", 80), Page)
print("ready", flush=True)
server.serve_forever()
"""
# In network namespaces of their own: a router with guests on a bridge, and the internet at the end of its cable.
SCENE = """
import ipaddress, json, subprocess, sys
from wifimgr.settings.files import InternetEntry
from wifimgr.sources.ubus import Guests, internet as look_at_it
from wifimgr.ssh import Deadline

tools, names, pages = sys.argv[1:]
def sh(text):
    subprocess.run(["sh", "-ec", text], check=True)
def start(*command):
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\\n"
    return process
class Here:
    def run(self, script, deadline):
        return subprocess.run(
            [tools + "/sh", "-s"], input=script.encode(), stdout=subprocess.PIPE, env={"PATH": tools}, timeout=30
        ).stdout
def look(what, dns="www.example.org", path=""):
    wanted = InternetEntry(dns=dns, http="http://10.9.0.1/" + path)
    guests = Guests(ipaddress.IPv4Address("172.31.64.1"), ipaddress.IPv4Address("172.31.64.2"), "br-guest")
    found = look_at_it(Here(), Deadline(60), wanted, guests, lambda line: None)
    print(json.dumps([what, found.works, found.asked_from, found.why]), flush=True)

sh("echo 1 >/proc/sys/net/ipv4/ip_forward; ip link set lo up; ip link add br-guest type bridge;"
   "ip addr add 172.31.64.1/22 dev br-guest; ip link set br-guest up; ip link add wan type veth peer name far")
internet = start("unshare", "--net", sys.executable, "-c", pages)
names = start(sys.executable, "-c", names)
try:
    sh(f"ip link set far netns {internet.pid}; ip addr add 10.9.0.2/24 dev wan; ip link set wan up;"
       f"nsenter -t {internet.pid} -n sh -ec 'ip addr add 10.9.0.1/24 dev far; ip link set far up'")
    look("all is well")
    look("an error of the page", path="missing")
    look("an unknown name", dns="nowhere.example.org")
    sh("ip rule add iif br-guest unreachable")
    look("guests are kept in")
    sh("ip rule del iif br-guest unreachable; ip rule add iif br-guest prohibit")
    look("guests are kept in by rule")
    sh("ip rule del iif br-guest prohibit; ip link add vpn type veth peer name gate; ip link set vpn up;"
       "ip rule add iif br-guest lookup 77; ip route add default dev vpn table 77")
    look("guests go another way")
    sh("ip rule del iif br-guest lookup 77; ip link set wan down")
    look("the cable is out")
    names.kill()
    names.wait()
    look("no names")
finally:
    for each in (internet, names):
        each.kill()
        each.communicate()
"""


def lay_out_tools(folder: Path) -> Path:
    """The programs of a router: dash, which takes them from the PATH, BusyBox, and wget for uclient-fetch."""
    folder.mkdir()
    for name, program in {
        "sh": "dash",
        "nslookup": "busybox",
        "ip": "busybox",
        "uclient-fetch": "wget",
        "sed": "busybox",
        "awk": "busybox",
    }.items():
        (folder / name).symlink_to(str(find_program(program)))
    return folder


def test_the_internet_is_judged_over_real_routes_names_and_pages(tmp_path: Path) -> None:
    require_real("root", "namespaces", "nsenter", "ip", "busybox", "dash", "wget")
    tools = lay_out_tools(tmp_path / "tools")
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", SCENE, str(tools), NAMES, PAGES],
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.stderr == ""
    missing, unreachable = "DNS: no answer for {} at 172.31.64.1", "guests have no route to 10.9.0.1"
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        ["all is well", True, "guest", ""],
        ["an error of the page", False, "guest", "HTTP: http://10.9.0.1/missing cannot be fetched"],
        ["an unknown name", False, "guest", missing.format("nowhere.example.org")],
        ["guests are kept in", False, "guest", unreachable],
        ["guests are kept in by rule", False, "guest", unreachable],
        ["guests go another way", True, "router", ""],
        ["the cable is out", False, "guest", unreachable],
        ["no names", False, "guest", missing.format("www.example.org")],
    ]
