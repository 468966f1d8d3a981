"""Small network folders for tests, written as files and read by the real loader."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

NETWORK = """\
name: Testnetz
operators:
  city: {name: Stadt, manage: push}
  community: {name: Freifunk, manage: watch}
uplinks:
  line: {kind: provider, name: Anbieter}
  tunnel: {kind: gateway, name: Gateway}
profiles:
  ssh:
    default: {user: root, key: {file: keys/id}}
    high: {user: admin, port: 2222, password: {env: ROUTER_PASSWORD}, timeout: 3s}
  snmp:
    monitor: {version: v2c, port: 1161, community: {file: secrets/community}}
defaults:
  operator: city
  platform: openwrt
  role: access-point
  snmp: monitor
  vars: {ssid: frei, country: DE}
"""

SITE = """\
name: Haus Eins
kind: library
district: Meiderich
routers:
  eins-gw:
    addresses: [192.0.2.1]
    role: gateway
  eins-ap:
    addresses: [192.0.2.2]
    behind: eins-gw
"""


def write(folder: Path, network: str = NETWORK, local: str = "", **sites: str) -> Path:
    """Write a network folder; every other name is a site's slug (``_`` for ``-``), and without any there is one."""
    files = {f"inventory/sites/{slug.replace('_', '-')}.yaml": text for slug, text in sites.items()}
    files = files or {"inventory/sites/eins.yaml": SITE}
    files["inventory/network.yaml"] = network
    if local:
        files[".wifimgr/local.yaml"] = local
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    return folder
