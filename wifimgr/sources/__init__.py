"""Sources: who can tell how a router is. Each file speaks one protocol and keeps its wire format to itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wifimgr.inventory import Inventory
from wifimgr.sources.base import Say, Source, SourceError, read
from wifimgr.sources.ping import Ping
from wifimgr.sources.respondd import Respondd
from wifimgr.sources.snmp import SnmpSource
from wifimgr.sources.ubus import Ubus
from wifimgr.ssh import KnownHosts

__all__ = ["SOURCES", "Say", "Source", "SourceError", "read"]

SOURCES: Mapping[str, Callable[[Inventory, KnownHosts], Source]] = {
    "snmp": SnmpSource,
    "respondd": Respondd,
    "ping": Ping,
    "ubus": Ubus,
}
"""The name of a source in the inventory, and what makes it. ``map`` is a word of the format that nothing reads yet."""
