"""``geojson``: the places on a map, as RFC 7946 has it. Longitude stands before latitude there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from wifimgr.inventory.checks import in_use
from wifimgr.inventory.load import Inventory
from wifimgr.model import Router, Site


def export(inventory: Inventory, routers: Sequence[Router]) -> str:
    """The places that are public and in use, as on the status page."""
    return _collection(inventory, routers, everything=False)


def export_all(inventory: Inventory, routers: Sequence[Router]) -> str:
    """All places, also those that nobody else shall see."""
    return _collection(inventory, routers, everything=True)


def _collection(inventory: Inventory, routers: Sequence[Router], *, everything: bool) -> str:
    """The places of the routers that have a position."""
    chosen = {router.site for router in routers}
    used = Counter(router.site for router in filter(in_use, routers))
    features = [
        _feature(site, used[slug])
        for slug, site in inventory.sites.items()
        if slug in chosen and site.position and (everything or (site.public and in_use(site)))
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, indent=2) + "\n"


def _feature(site: Site, routers: int) -> dict[str, Any]:
    assert site.position
    lat, lon = site.position
    properties = {"slug": site.slug, "name": site.name, "kind": site.kind, "district": site.district or None}
    return {
        "type": "Feature",
        "id": site.slug,
        "geometry": {"type": "Point", "coordinates": [lon, lat]},
        "properties": {**properties, "routers": routers},
    }
