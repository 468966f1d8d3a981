"""``flows``: who talks to whom, on which port and why, for those who open firewalls. Only what is really used."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from wifimgr.inventory.exporters.base import everywhere, with_address
from wifimgr.inventory.load import Inventory
from wifimgr.inventory.way import jumps
from wifimgr.model import Manage, Router
from wifimgr.settings import Network

COLUMNS = ("from", "to", "address", "port", "protocol", "purpose", "router", "site")
"""``router`` and ``site`` tell for whose sake it is, ``port`` is None where the protocol has none."""
US = "wifimgr"
PUSHED = ("openwrt", "gluon", "routeros")
"""The platforms that configuration is pushed to."""
DNS_PORT, HTTP_PORT = 53, 80

Flow = Mapping[str, Any]


def flows(inventory: Inventory, routers: Sequence[Router]) -> list[Flow]:
    """What routers need to be managed and watched, each for itself; also those that are planned, before they come."""
    network = everywhere(inventory.network)
    return [flow for router in with_address(routers) for flow in _of(inventory, network, router)]


def _of(inventory: Inventory, network: Network, router: Router) -> Iterator[Flow]:
    flow = partial(_flow, router)
    logins = ["push"] if router.manage is Manage.PUSH and router.platform in PUSHED else []
    logins += ["health (ubus)"] if "ubus" in router.sources else []
    ways = [stop for stop in jumps(inventory, router, network) if isinstance(stop, Router)]
    for before, stop in pairwise([None, *ways, router]) if logins else ():
        assert stop
        endpoint = network.endpoint(stop, "ssh")
        purpose = ", ".join(logins) if stop is router else f"jump to {router.name}"
        yield flow(before.name if before else US, stop.name, endpoint.address, endpoint.port, "tcp", purpose)
    for service in ("snmp", "respondd", "ping"):
        if service in router.sources:
            endpoint = network.endpoint(router, service)
            protocol = "udp" if endpoint.port else _echo(endpoint.address)
            yield flow(US, router.name, endpoint.address, endpoint.port or None, protocol, f"health ({service})")
    if network.internet and "ubus" in router.sources:  # it is asked over SSH to ask for these
        page = urlsplit(network.internet.http)
        yield flow(router.name, "its resolver", "", DNS_PORT, "udp", "internet check")
        yield flow(router.name, page.hostname, page.hostname, page.port or HTTP_PORT, "tcp", "internet check")


def _echo(address: str) -> str:
    """The protocol of an ICMP echo to an address; of a DNS name nobody knows the version."""
    try:
        return "icmp" if ipaddress.ip_address(address).version == 4 else "icmpv6"
    except ValueError:
        return "icmp"


def _flow(router: Router, *values: str | int | None) -> Flow:
    return dict(zip(COLUMNS, (*values, router.name, router.site), strict=True))
