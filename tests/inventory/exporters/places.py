"""A network for tests of exports: every odd case that an inventory may hold, and what must not leave it."""

from __future__ import annotations

from pathlib import Path

from tests.networks import write
from wifimgr.inventory import Inventory, load

HOSTILE = "=cmd|' /C calc'!A0 {{ lookup('pipe', 'id') }} {% raw %} \"$(id)\" <b> ; a,b: #c \\n äß🦊"
"""Text that a spreadsheet, a template, a shell, a page and every format would take for something else."""

NETWORK = """\
name: Testnetz
operators:
  city: {name: Stadt, manage: push}
  community: {name: Freifunk, manage: watch}
contact: {public: {name: Telefon, phone: "0203 0000"}}
profiles:
  ssh:
    default: {user: root, key: {file: keys/id}}
    high: {user: admin, port: 2222, password: {env: ROUTER_PASSWORD}}
  snmp:
    monitor: {version: v2c, port: 1161, community: {file: secrets/community}}
internet: {dns: www.example.org, http: "http://www.example.org:8080/ok", network: guest}
defaults:
  operator: city
  platform: openwrt
  role: access-point
  snmp: monitor
  sources: [snmp, ubus, ping]
"""

HOF = f"""\
name: {HOSTILE!r}
kind: youth-center
public: true
district: {HOSTILE!r}
position: [51.4652, -6.7741]
jump: hof-gw
contact: [{{name: Frau Geheim, phone: "0203 12345"}}]
private: {{key_holder: Nachbarin}}
vars: {{ssid: {HOSTILE!r}, channels: [1, 6.5, true, {HOSTILE!r}], psk: {{file: secrets/psk}}}}
routers:
  hof-gw: {{addresses: [203.0.113.7], role: gateway, tags: [outdoor, mesh]}}
  hof-ap:
    addresses: ["fe80::1%eth0.5", 192.168.8.2]
    behind: hof-gw
    model: {HOSTILE!r}
    room: {HOSTILE!r}
    ports: {{ssh: 2200, ping: 7}}
    private: {{owner: Nachbarin}}
  hof-far: {{addresses: [192.168.9.2], jump: hof-ap, ssh: high, sources: []}}
  hof-plan: {{lifecycle: planned}}
  hof-soon: {{lifecycle: planned, addresses: [192.168.8.9], sources: [snmp]}}
  hof-old: {{lifecycle: retired, addresses: [192.168.8.2]}}
""".replace(repr(HOSTILE), '"' + HOSTILE.replace("\\", "\\\\").replace('"', '\\"') + '"')

NODE = """\
name: Knoten
kind: square
position: [-51.5, 6.5]
routers:
  node:
    addresses: ["2001:db8::c1"]
    platform: gluon
    operator: community
    role: mesh-node
    node_id: c0ffee
    sources: [respondd, ping]
  dns: {addresses: [dns.example.org], sources: [ping, map]}
"""


def places(folder: Path, local: str = "", network: str = NETWORK) -> Inventory:
    """The network, written to a folder and read from there."""
    return load(write(folder, network, local, hof=HOF, knoten=NODE))
