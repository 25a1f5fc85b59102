"""Alembic runs this for every command: the connection is the caller's, and so is its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
