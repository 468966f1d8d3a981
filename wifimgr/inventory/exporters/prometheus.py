"""``prometheus``: a file for ``file_sd_configs``, so that other exporters of Prometheus ask the same routers.

Each router is a group of its own, with the labels that our metrics have. Labels with ``__`` in front are there for
``relabel_configs`` and vanish afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from wifimgr.inventory.checks import in_use
from wifimgr.inventory.exporters.base import everywhere, with_address
from wifimgr.inventory.load import Inventory
from wifimgr.model import Router, Site
from wifimgr.settings import Network


def export(inventory: Inventory, routers: Sequence[Router]) -> str:
    """A list of target groups; an empty list when there is none."""
    network, watched = everywhere(inventory.network), filter(in_use, with_address(routers))
    groups = [
        {"targets": [router.addresses[0]], "labels": _labels(network, inventory.sites[router.site], router)}
        for router in watched
    ]
    return json.dumps(groups, indent=2) + "\n"


def _labels(network: Network, site: Site, router: Router) -> dict[str, str]:
    asked = "snmp" in router.sources
    labels = {
        "router": router.name,
        "site": router.site,
        "district": site.district,
        "kind": site.kind,
        "role": router.role,
        "platform": router.platform,
        "operator": router.operator,
        "__meta_wifimgr_snmp_target": str(network.endpoint(router, "snmp")) if asked else "",
        "__meta_wifimgr_snmp_profile": router.snmp if asked else "",
    }
    return {name: value for name, value in labels.items() if value}
