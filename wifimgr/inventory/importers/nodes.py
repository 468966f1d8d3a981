"""nodes.json, version 1 and 2: what respondd answers to ``nodeinfo``, wrapped, with flags beside it.

Source of the fields: ``output/meshviewer/`` of FreifunkBremen/yanic, ``docs/features/monitoring.rst`` of Gluon.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wifimgr.inventory.importers.base import Found, Note, Options, Source
from wifimgr.inventory.importers.mesh import part, routers


def read(source: Source, options: Options) -> Iterator[Found | Note]:
    """The nodes of a nodes.json. Raises ConfigError ``bad-import``."""
    return routers(source, "nodes", _flat)


def _flat(node: Mapping[str, Any]) -> Mapping[str, Any]:
    info = part(node, "nodeinfo")
    return {
        "node_id": info.get("node_id"),
        "hostname": info.get("hostname"),
        "addresses": part(info, "network").get("addresses"),
        "firmware": part(info, "software", "firmware"),
        "is_gateway": part(node, "flags").get("gateway"),
        "model": part(info, "hardware").get("model"),
        "location": part(info, "location"),
        "owner": part(info, "owner").get("contact"),
    }
