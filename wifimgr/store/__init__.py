"""The store: what wifimgr remembers between two runs. The only SQL of the project is in this folder.

A :class:`Store` is a SQLite file in ``.wifimgr/`` (WAL; the command line and the worker write at the same time). It
holds leases, so that two processes never work on one router at once, the journal of changes, and what is watched:
the last readings, the flips of health, and the worker's sign of life.
"""

from wifimgr.store.journal import Entry, Journal
from wifimgr.store.leases import Held, Leases
from wifimgr.store.watched import Beat, Watched

__all__ = ["Beat", "Entry", "Held", "Store"]


class Store(Leases, Journal, Watched):
    """An open store. Every method raises StoreError (``store-failed``) when the database does."""
