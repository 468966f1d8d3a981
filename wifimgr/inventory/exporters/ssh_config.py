"""``ssh_config``: log in with OpenSSH as wifimgr does, with the same users, keys, ways and trusted host keys.

The keywords are those of ssh_config(5). ``HostKeyAlias`` is the name of the router, under which ``known_hosts`` has
its key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wifimgr.inventory.exporters.base import with_address
from wifimgr.inventory.exporters.login import literal, login_of
from wifimgr.inventory.load import Inventory
from wifimgr.inventory.way import Stop, jumps
from wifimgr.model import Router


def export(inventory: Inventory, routers: Sequence[Router]) -> str:
    """One ``Host`` for each router, and for each that we log in through on the way. Raises ConfigError, Refused."""
    chosen = with_address(routers)
    stops: dict[str, Stop] = {}
    for router in chosen:
        stops[router.name] = router
        stops |= {stop.name: stop for stop in jumps(inventory, router)}
    ours = [stops.pop(name) for name in inventory.routers if name in stops]
    blocks = [_block(inventory, stop) for stop in [*ours, *stops.values()]]
    return "\n\n".join([f"# Routers of {inventory.network.name}, for OpenSSH", *blocks]) + "\n"


def _block(inventory: Inventory, stop: Stop) -> str:
    return "\n".join([f"Host {stop.name}", *(f"    {key} {value}" for key, value in _options(inventory, stop))])


def _options(inventory: Inventory, stop: Stop) -> Iterator[tuple[str, str]]:
    login = login_of(inventory, stop)
    yield "HostName", literal(login.endpoint.address)
    yield "Port", str(login.endpoint.port)
    yield "User", login.user
    hops = inventory.network.hops(stop) if isinstance(stop, Router) else stop.hops
    if hops:
        yield "ProxyJump", ",".join(hop.name for hop in hops)
    yield from login.options
