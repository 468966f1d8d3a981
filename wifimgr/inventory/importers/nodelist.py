"""nodelist.json: the short list of a network. It tells no address, so its routers are only known from the map.

Source of the fields: ``output/nodelist/nodelist.go`` of FreifunkBremen/yanic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wifimgr.inventory.importers.base import Found, Note, Options, Source
from wifimgr.inventory.importers.mesh import part, routers


def read(source: Source, options: Options) -> Iterator[Found | Note]:
    """The nodes of a nodelist.json. Raises ConfigError ``bad-import``."""
    return routers(source, "nodelist", _flat)


def _flat(node: Mapping[str, Any]) -> Mapping[str, Any]:
    place = part(node, "position")
    return {
        "node_id": node.get("id"),
        "hostname": node.get("name"),
        "location": {"latitude": place.get("lat"), "longitude": place.get("long")},
    }
