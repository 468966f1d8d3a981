"""What is watched: sources, flips, and the worker's sign of life."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "source",
        sa.Column("router", sa.String(63), primary_key=True),
        sa.Column("source", sa.String(16), primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False, index=True),
        sa.Column("latest", sa.Text, nullable=False),
        sa.Column("good", sa.Text),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("polls", sa.Integer, nullable=False),
        sa.Column("failed_timeout", sa.Integer, nullable=False),
        sa.Column("failed_refused", sa.Integer, nullable=False),
        sa.Column("failed_auth", sa.Integer, nullable=False),
        sa.Column("failed_answer", sa.Integer, nullable=False),
        sa.Column("failed_setup", sa.Integer, nullable=False),
    )
    op.create_table(
        "flip",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("before", sa.String(16)),
        sa.Column("after", sa.String(16), nullable=False),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("fault", sa.String(16)),
        sa.Index("ix_flip_kind_name_id", "kind", "name", "id"),
    )
    op.create_table(
        "beat",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("lag", sa.Float, nullable=False),
        sa.Column("inventory_error", sa.Text, nullable=False),
    )
