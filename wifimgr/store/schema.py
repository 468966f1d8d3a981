"""The tables of the store, as they are now. How older stores get here is in ``migrations/``."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Integer, MetaData, String, Table, Text

metadata = MetaData()

lease = Table(
    "lease",
    metadata,
    Column("router", String(63), primary_key=True),
    Column("owner", String(255), nullable=False),
    Column("expires", DateTime, nullable=False),
)
"""Who works on a router right now, and until when at the latest (UTC)."""

journal = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("began", DateTime, nullable=False, index=True),
    Column("ended", DateTime),
    Column("router", String(63), nullable=False, index=True),
    Column("what", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("transaction", String(64), nullable=False),
    Column("result", String(32)),
    Column("detail", Text, nullable=False, server_default=""),
)
"""What was changed on which router, when (UTC), why, and with which result. Never what a file holds."""
