"""wifimgr keeps a network of free Wi-Fi routers: inventory, safe push, health, metrics, status page."""

__version__ = "0.1.0.dev0"
