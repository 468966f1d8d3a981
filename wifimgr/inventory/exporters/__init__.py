"""Exporters: the inventory in the words of other programs. A format is one file and one line in :data:`EXPORTERS`."""

from __future__ import annotations

from collections.abc import Mapping

from wifimgr.inventory.exporters import ansible, csv_table, geojson, prometheus, ssh_config
from wifimgr.inventory.exporters.base import Exporter
from wifimgr.inventory.exporters.flows import COLUMNS, flows

__all__ = ["COLUMNS", "EXPORTERS", "WHOLE", "Exporter", "flows"]

EXPORTERS: Mapping[str, Exporter] = {
    "ansible": ansible.export,
    "prometheus": prometheus.export,
    "csv": csv_table.export,
    "geojson": geojson.export,
    "ssh_config": ssh_config.export,
}
"""Name of a format to what writes it."""
WHOLE: Mapping[str, Exporter] = {"geojson": geojson.export_all}
"""The formats that leave out what is not public, and what writes them with everything."""
