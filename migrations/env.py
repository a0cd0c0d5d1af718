"""Runs the history in one transaction per step, never waiting long for a lock."""

from collections.abc import Collection, Mapping
from logging.config import dictConfig

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import create_engine, pool, text
from sqlalchemy.exc import DBAPIError

# Two migrations at once would both read the same current revision. The lock is the session's:
# one that ends with a transaction would be given back after the first step.
HISTORY_LOCK = "SET lock_timeout = '30s'; SELECT pg_advisory_lock(hashtext('orderly.migrations'))"
# A migration that waits for a lock makes every later statement on that table wait behind it.
LIMITS = "SET lock_timeout = '2s'; SET statement_timeout = '60s'; SET transaction_timeout = '120s'"


def note_revision(
    ctx: MigrationContext,  # noqa: ARG001  # Alembic passes all four by name.
    step: MigrationInfo,
    heads: Collection[object],  # noqa: ARG001
    run_args: Mapping[str, object],  # noqa: ARG001
) -> None:
    """Tell the processes which schema they will find, in the transaction that makes it."""
    for revision in step.destination_revision_ids:  # None at the base, where no table is left.
        context.execute(f"UPDATE messaging.schema_contract SET schema_revision = {int(revision)}")


def run_offline() -> None:
    """Print the history as SQL."""
    context.configure(
        dialect_name="postgresql",
        # The default style of parameters doubles every percent sign, in format() too.
        dialect_opts={"paramstyle": "named"},
        literal_binds=True,
        transaction_per_migration=True,
        on_version_apply=note_revision,
    )
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
        for statement in (HISTORY_LOCK, LIMITS):
            connection.execute(text(statement))
        connection.commit()
        context.configure(
            connection=connection, transaction_per_migration=True, on_version_apply=note_revision
        )
        with context.begin_transaction():
            context.run_migrations()


dictConfig({"version": 1, "disable_existing_loggers": False})
if context.is_offline_mode():
    run_offline()
else:
    try:
        run_online()
    except DBAPIError as error:
        # Callers know psycopg's errors; SQLAlchemy is used in this file alone.
        raise error.orig or error from error
