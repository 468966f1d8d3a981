"""Import: an inventory from what other tools know about a network.

An importer translates one format (:mod:`~wifimgr.inventory.importers.base`); who is new, how it is called and where it
stands is decided for all of them in one place (:mod:`~wifimgr.inventory.importers.propose`).
"""

from __future__ import annotations

from collections.abc import Mapping

from wifimgr.inventory.importers import ansible, bbb_configs, csv_table, meshviewer, nodelist, nodes
from wifimgr.inventory.importers.base import Importer

IMPORTERS: Mapping[str, Importer] = {
    "meshviewer": meshviewer.read,
    "nodes": nodes.read,
    "nodelist": nodelist.read,
    "bbb-configs": bbb_configs.read,
    "ansible": ansible.read,
    "csv": csv_table.read,
}
"""Format to its importer."""
