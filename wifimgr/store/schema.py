"""The tables of the store, as they are now. How older stores get here is in ``migrations/``."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Float, Index, Integer, MetaData, String, Table, Text

from wifimgr.model import Failure

metadata = MetaData()

lease = Table(
    "lease",
    metadata,
    Column("router", String(63), primary_key=True),
    Column("owner", String(255), nullable=False),
    Column("expires", DateTime, nullable=False),
)
"""Who works on a router right now, and until when at the latest (UTC). ``*watch`` is no router but a duty."""

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

source = Table(
    "source",
    metadata,
    Column("router", String(63), primary_key=True),
    Column("source", String(16), primary_key=True),
    Column("version", BigInteger, nullable=False, index=True),
    Column("latest", Text, nullable=False),
    Column("good", Text),
    Column("failures", Integer, nullable=False),
    Column("polls", Integer, nullable=False),
    *(Column(f"failed_{failure}", Integer, nullable=False) for failure in Failure),
)
"""What each source last told about each router. ``latest`` and ``good`` are readings as JSON.

``good`` is only there while ``latest`` failed. ``version`` grows with every transaction that writes readings, so that
whoever has read before reads only what is new.
"""

flip = Table(
    "flip",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", DateTime, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("name", String(255), nullable=False),
    Column("before", String(16)),
    Column("after", String(16), nullable=False),
    Column("reasons", Text, nullable=False),
    Column("fault", String(16)),
    Index("ix_flip_kind_name_id", "kind", "name", "id"),
)
"""When (UTC) the health of a router or a place changed, and why: ``reasons`` as JSON."""

beat = Table(
    "beat",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", DateTime, nullable=False),
    Column("lag", Float, nullable=False),
    Column("inventory_error", Text, nullable=False),
)
"""The last sign of life of the worker: one row."""
