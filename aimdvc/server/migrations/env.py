"""What Alembic runs for each migration: on the connection, and in the transaction, that server/migrate.py gives it."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
