"""Leases and the journal."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the first tables."""
    op.create_table(
        "lease",
        sa.Column("router", sa.String(63), primary_key=True),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("expires", sa.DateTime, nullable=False),
    )
    op.create_table(
        "journal",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("began", sa.DateTime, nullable=False, index=True),
        sa.Column("ended", sa.DateTime),
        sa.Column("router", sa.String(63), nullable=False, index=True),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("transaction", sa.String(64), nullable=False),
        sa.Column("result", sa.String(32)),
        sa.Column("detail", sa.Text, nullable=False, server_default=""),
    )
