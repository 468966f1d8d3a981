"""The inventory: which places and routers there are, read from ``inventory/sites/*.yaml``."""

from wifimgr.inventory.load import Inventory, Survey, load, survey
from wifimgr.inventory.select import Selector, select
from wifimgr.inventory.way import jumps

__all__ = ["Inventory", "Selector", "Survey", "jumps", "load", "select", "survey"]
