"""How long ``wifimgr check`` takes for 1,000 sites and 5,000 routers. Peer: nornir reading the same 5,000 hosts.

Both are whole programs, from their start to their end. The peer's files are one for all hosts and one for all groups,
as its SimpleInventory has them; it composes host, group and defaults, keeps no origins and checks nothing across files.
Networks of 100 and of 10,000 sites show that the time grows with the number of places and no faster.
Prints one JSON line: seconds (median of three), the peer's seconds, their ratio, memory, growth, and the goals.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import yaml

SITES, ROUTERS_PER_SITE = 1000, 5
SMALL, LARGE = 100, 10_000
GOAL_SECONDS, GOAL_MEGABYTES = 2.0, 200.0
GOAL_GROWTH = 1.25
"""Seconds a site in the large network, as a multiple of those in the network of 1,000 sites."""
RUNS = 3

NETWORK = """\
name: Freies WLAN
holidays: {region: DE-NW}
prefixes: [10.0.0.0/8]
area: {center: [51.43, 6.76], radius: 200km}
operators:
  city: {name: Stadt, manage: push}
uplinks:
  provider-a: {kind: provider, name: Anbieter A}
defaults:
  operator: city
  platform: openwrt
  role: access-point
  sources: [ubus, ping]
  vars: {ssid: frei, wifi_country: DE}
"""

SITE = """\
# A place, with about as much as people write about one.
name: Jugendzentrum {number}
kind: youth-center
district: Bezirk {district}
address: Beispielstraße {number}, 47137 Duisburg
position: [51.{place}, 6.{place}]
prefixes: [{prefix}]
opening_hours: "Mo-Fr 14:00-{closing}:00; Sa 15:00-22:00; PH off"
uplink: {{provider: provider-a}}
private: {{key_holder: Hausmeisterei}}
vars: {{ssid: frei-{number}}}
routers:
"""

ROUTER = """\
  jz-{number}-ap-{router}:
    model: TP-Link EAP225 v3
    addresses: [{address}]
    room: Obergeschoss {router}
    tags: [indoor, mesh]
"""


def address(site: int, router: int) -> str:
    """An address in the range of a site, ``10.x.y.z/28``."""
    number = (site << 4) + router + 1
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def write_network(folder: Path, sites: int) -> Path:
    """A network of so many sites."""
    (folder / "inventory" / "sites").mkdir(parents=True)
    (folder / "inventory" / "network.yaml").write_text(NETWORK, encoding="utf-8")
    for number in range(sites):
        prefix = address(number, -1) + "/28"
        words = {"district": number % 50, "place": 4000 + number % 900, "closing": 18 + number % 4, "prefix": prefix}
        text = SITE.format(number=number, **words)
        for router in range(ROUTERS_PER_SITE):
            text += ROUTER.format(number=number, router=router, address=address(number, router))
            text += f"    behind: jz-{number}-ap-0\n" if router else "    role: gateway\n"
        (folder / "inventory" / "sites" / f"jz-{number}.yaml").write_text(text, encoding="utf-8")
    return folder


def write_for_nornir(folder: Path) -> Path:
    """The same places and routers as nornir's groups and hosts."""
    folder.mkdir()
    hosts, groups = {}, {}
    for site in range(SITES):
        data = {"kind": "youth-center", "district": f"Bezirk {site % 50}", "ssid": f"frei-{site}"}
        groups[f"jz-{site}"] = {"data": {"name": f"Jugendzentrum {site}", **data}}
        for router in range(ROUTERS_PER_SITE):
            about = {"model": "TP-Link EAP225 v3", "room": f"Obergeschoss {router}", "tags": ["indoor", "mesh"]}
            host = {"hostname": address(site, router), "groups": [f"jz-{site}"], "data": about}
            hosts[f"jz-{site}-ap-{router}"] = host
    files = {"hosts": hosts, "groups": groups, "defaults": {"platform": "openwrt", "data": {"ssid": "frei"}}}
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return folder


NORNIR = """\
import sys
from nornir.plugins.inventory import SimpleInventory
folder = sys.argv[1]
inventory = SimpleInventory(*(f"{folder}/{name}.yaml" for name in ("hosts", "groups", "defaults"))).load()
assert len(inventory.hosts) == int(sys.argv[2])
assert all(host["ssid"] != "frei" for host in inventory.hosts.values())
"""


def run(command: Sequence[str]) -> tuple[float, float]:
    """Seconds and megabytes that a program needs. It has to end well."""
    began = time.monotonic()
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, 1, 0)])
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f"failed: {' '.join(command)}")
    return time.monotonic() - began, usage.ru_maxrss / 1024


def median(command: Sequence[str], runs: int = RUNS) -> tuple[float, float]:
    """The median of seconds and the most megabytes."""
    seconds, megabytes = zip(*(run(command) for _ in range(runs)), strict=True)
    return statistics.median(seconds), max(megabytes)


def check(folder: Path) -> list[str]:
    """The command line that is measured."""
    program = "import sys; from wifimgr.cli import main; sys.exit(main())"
    return [sys.executable, "-c", program, "--network", str(folder), "check"]


def main() -> None:
    """Measures all, one after the other, and prints the result."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds, megabytes = median(check(write_network(folder / "wanted", SITES)))
        small, _ = median(check(write_network(folder / "small", SMALL)))
        large, _ = median(check(write_network(folder / "large", LARGE)), runs=1)
        hosts = str(SITES * ROUTERS_PER_SITE)
        peer, _ = median([sys.executable, "-c", NORNIR, str(write_for_nornir(folder / "nornir")), hosts])
    growth = large / LARGE / (seconds / SITES)
    result = {
        "name": f"wifimgr check of {SITES} sites with {hosts} routers",
        "value": round(seconds, 2),
        "unit": "s",
        "peer": f"nornir {version('nornir')} reading {hosts} hosts: {peer:.2f} s",
        "ratio": round(seconds / peer, 2),
        "goal": GOAL_SECONDS,
        "megabytes": round(megabytes),
        "goal_megabytes": GOAL_MEGABYTES,
        f"seconds_for_{SMALL}_sites": round(small, 2),
        f"seconds_for_{LARGE}_sites": round(large, 2),
        "growth": round(growth, 2),
        "met": seconds <= GOAL_SECONDS and megabytes <= GOAL_MEGABYTES and growth <= GOAL_GROWTH,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
