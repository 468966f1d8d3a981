"""Alembic's entry: runs inside the transaction that :func:`wifimgr.store.migrate.migrate` was given."""

from alembic import context

from wifimgr.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
