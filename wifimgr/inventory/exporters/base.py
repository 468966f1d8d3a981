"""What an exporter is, and what several of them mean by the same words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from wifimgr.inventory.load import Inventory
from wifimgr.model import Lifecycle, Router
from wifimgr.settings import Network
from wifimgr.settings.files import LocalFile
from wifimgr.settings.openssh import NOWHERE, OpenSsh

Exporter = Callable[[Inventory, Sequence[Router]], str]
"""Takes the inventory and the chosen routers of it; gives all of the output, which ends with a line break.

No secret, no contact and nothing private is ever part of it. The same files give the same output.
"""


def with_address(routers: Iterable[Router]) -> list[Router]:
    """The routers that have an address. What a retired one had may belong to another router by now."""
    return [router for router in routers if router.addresses and router.lifecycle is not Lifecycle.RETIRED]


def everywhere(network: Network) -> Network:
    """The network as it is on every machine: without the tunnels and keys of this one."""
    return replace(network, local=LocalFile(), openssh=OpenSsh(NOWHERE))
