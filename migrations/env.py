"""Runs the history in one transaction per step, never waiting long for a lock."""

from logging.config import dictConfig

from alembic import context
from sqlalchemy import create_engine, pool, text

# A migration that waits for a lock makes every later statement on that table wait behind it.
LIMITS = "SET lock_timeout = '2s'; SET statement_timeout = '60s'; SET transaction_timeout = '120s'"
# Two migrations at once would both read the same current revision.
HISTORY_LOCK = "SELECT pg_advisory_xact_lock(hashtext('orderly.migrations'))"


def run_offline() -> None:
    """Print the history as SQL."""
    context.configure(dialect_name="postgresql", literal_binds=True, transaction_per_migration=True)
    with context.begin_transaction():
        context.execute(LIMITS)
        context.run_migrations()


def run_online() -> None:
    """Apply the history to the configured database."""
    url = context.config.get_main_option("sqlalchemy.url", "")
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=pool.NullPool
    )
    with engine.connect() as connection:
        connection.execute(text(LIMITS))
        connection.commit()
        context.configure(connection=connection, transaction_per_migration=True)
        with context.begin_transaction():
            context.execute(HISTORY_LOCK)
            context.run_migrations()
    engine.dispose()


dictConfig({"version": 1, "disable_existing_loggers": False})
if context.is_offline_mode():
    run_offline()
else:
    run_online()
