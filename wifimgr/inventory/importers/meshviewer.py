"""meshviewer.json, as yanic and others write it for the map of that name: every node with all about it side by side.

Source of the fields: ``output/meshviewer-ffrgb/struct.go`` of FreifunkBremen/yanic.
"""

from __future__ import annotations

from collections.abc import Iterator

from wifimgr.inventory.importers.base import Found, Note, Options, Source
from wifimgr.inventory.importers.mesh import routers


def read(source: Source, options: Options) -> Iterator[Found | Note]:
    """The nodes of a meshviewer.json. Raises ConfigError ``bad-import``."""
    return routers(source, "meshviewer")
