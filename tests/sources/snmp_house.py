"""A network folder with two routers, and a source that asks them in one event loop, as the worker does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType

from tests.networks import write
from wifimgr.inventory import load
from wifimgr.model import Reading, Router
from wifimgr.sources import read
from wifimgr.sources.snmp import SnmpSource
from wifimgr.ssh import KnownHosts

ROUTERS = ("eins-ap", "eins-gw")
COMMUNITY, AUTH, PRIV = "sesame street", "auth phrase 1", "priv phrase 1"
NETWORK = """\
name: Testnetz
operators:
  city: {name: Stadt, manage: push}
profiles:
  snmp:
    v1: {version: v1, community: {file: secrets/community}}
    v2c: {version: v2c, community: {file: secrets/community}}
    open: {version: v3, user: guest}
    auth: {version: v3, user: monitor, auth: {sha256: {file: secrets/auth}}}
    v3: {version: v3, user: monitor, auth: {sha256: {file: secrets/auth}}, priv: {aes128: {file: secrets/priv}}}
    stranger: {version: v3, user: nobody, auth: {sha256: {file: secrets/auth}}, priv: {aes128: {file: secrets/priv}}}
    strong: {version: v3, user: strong, auth: {sha512: {file: secrets/auth}}, priv: {aes256: {file: secrets/priv}}}
    old: {version: v3, user: old, auth: {md5: {file: secrets/auth}}, priv: {des: {file: secrets/priv}}}
defaults: {operator: city, platform: openwrt, role: access-point, sources: [snmp]}
"""
SITE = """\
name: Haus Eins
kind: library
routers:
  eins-ap: {addresses: [192.0.2.1], KEYS}
  eins-gw: {addresses: [192.0.2.2], KEYS}
"""


def house(folder: Path, profile: str = "v2c", *endpoints: str, **secrets: str) -> None:
    """Writes a network folder whose routers are asked with one profile. ``secrets`` replace the usual ones."""
    places = [f"{name}: {{snmp: '{endpoint}'}}" for name, endpoint in zip(ROUTERS, endpoints, strict=False)]
    keys = f"snmp: {profile}" if profile else "platform: openwrt"
    local = f"endpoints: {{{', '.join(places)}}}\n"
    write(folder, network=NETWORK, local=local, eins=SITE.replace("KEYS", keys))
    for name, secret in ({"community": COMMUNITY, "auth": AUTH, "priv": PRIV} | secrets).items():
        path = folder / "secrets" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{secret}\n", encoding="utf-8")


class Asker:
    """Asks the routers of a folder. A context manager. ``said`` is what ``poll --explain`` would show."""

    def __init__(self, folder: Path) -> None:
        inventory = load(folder)
        self.routers = [inventory.routers[name] for name in ROUTERS]
        self.said: list[str] = []
        self._runner = asyncio.Runner()
        self._source = SnmpSource(inventory, KnownHosts(folder / "inventory/known_hosts"))
        self.read(0.001)  # makes pysnmp's engine, which takes its time on a slow machine; there is none left to ask

    def read(self, seconds: float = 20.0) -> Reading:
        """One poll of the first router."""
        return self._runner.run(self._poll(self.routers[:1], seconds))[0]

    def read_both(self, seconds: float = 20.0) -> list[Reading]:
        """One poll of both routers at the same time."""
        return self._runner.run(self._poll(self.routers, seconds))

    async def _poll(self, routers: list[Router], seconds: float) -> list[Reading]:
        self.said.clear()
        return await asyncio.gather(
            *(read("snmp", self._source, router, seconds, self.said.append) for router in routers)
        )

    def __enter__(self) -> Asker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the source and its event loop."""
        self._runner.run(self._source.close())
        self._runner.close()
