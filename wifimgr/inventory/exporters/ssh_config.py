"""``ssh_config``: log in with OpenSSH as wifimgr does, with the same users, keys, ways and trusted host keys.

The keywords are those of ssh_config(5). ``HostKeyAlias`` is the name of the router, under which ``known_hosts`` has
its key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wifimgr.inventory.exporters.base import jumps, with_address
from wifimgr.inventory.exporters.login import literal, login_of
from wifimgr.inventory.load import Inventory
from wifimgr.model import Router


def export(inventory: Inventory, routers: Sequence[Router]) -> str:
    """One ``Host`` for each router, and for each that we log in through on the way. Raises ConfigError."""
    chosen = with_address(routers)
    ways = (router for each in chosen for router in jumps(inventory, inventory.network, each))
    wanted = {router.name for router in (*chosen, *ways)}
    blocks = [_block(inventory, router) for router in inventory.routers.values() if router.name in wanted]
    return "\n\n".join([f"# Routers of {inventory.network.name}, for OpenSSH", *blocks]) + "\n"


def _block(inventory: Inventory, router: Router) -> str:
    return "\n".join([f"Host {router.name}", *(f"    {key} {value}" for key, value in _options(inventory, router))])


def _options(inventory: Inventory, router: Router) -> Iterator[tuple[str, str]]:
    login = login_of(inventory, router)
    yield "HostName", literal(login.endpoint.address)
    yield "Port", str(login.endpoint.port)
    yield "User", login.user
    if jump := inventory.network.jump(router):
        yield "ProxyJump", jump
    yield from login.options.items()
