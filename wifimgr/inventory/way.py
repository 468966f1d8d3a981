"""The way to a router: whom we log in through to reach it."""

from __future__ import annotations

from wifimgr.errors import ConfigError
from wifimgr.inventory.load import Inventory
from wifimgr.model import Router
from wifimgr.settings import Host, Network

Stop = Router | Host
"""Somebody who opens a connection to the next one for us."""


def jumps(inventory: Inventory, router: Router, network: Network | None = None) -> list[Stop]:
    """The routers and hosts that we log in through to reach a router, from us on; none: it is reached straight.

    A router of the inventory is logged in to as the inventory says, whoever names it. ``network`` is taken in place of
    that of the inventory. Raises ConfigError (``loop``, ``bad-ssh-config``) and Refused (``needs-program``) for what
    ``~/.ssh/config`` says.
    """
    network = network or inventory.network
    stop: Stop = router
    back: list[Stop] = []
    seen = {router.name}
    while hops := network.hops(stop) if isinstance(stop, Router) else stop.hops:
        if again := [hop.name for hop in hops if hop.name in seen]:
            what, hint = f"the way to it leads in a circle, through {again[0]}", "take one ProxyJump out, or one jump"
            raise ConfigError("loop", what, where=router.name, hint=hint)
        # Of several hops only the first one has a way of its own: the others are told theirs.
        stops = [inventory.routers.get(hop.name) or network.host(hop) for hop in hops]
        back += reversed(stops)
        seen |= {hop.name for hop in hops}
        stop = stops[0]
    return back[::-1]
