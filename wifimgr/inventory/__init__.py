"""The inventory: which places and routers there are, read from ``inventory/sites/*.yaml``."""

from wifimgr.inventory.load import Inventory, load
from wifimgr.inventory.select import Selector, select

__all__ = ["Inventory", "Selector", "load", "select"]
