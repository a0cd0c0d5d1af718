"""The history can be walked back over data, step by step, and leads to the same place again."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final
from uuid import uuid4

import psycopg
import pytest
from alembic.script import Script, ScriptDirectory
from psycopg.sql import SQL, Identifier

from deploy.local.database_url import with_database
from libs.foundation.database import migrate
from libs.foundation.database.migrate import MigrationBlockedError
from libs.testkit.databases import Database, DatabaseServer
from libs.testkit.eventually import eventually
from tests.integration.database.catalog import row_counts, shape
from tests.integration.database.rows import ROWS

REMAINS: Final = """
    SELECT nspname FROM pg_namespace
    WHERE nspname IN ('messaging', 'web', 'orders', 'inventory', 'payments')"""
WAITING: Final = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = %s AND wait_event_type = 'Lock'"""


def test_each_step_can_be_taken_back_over_data_and_again(database: Database) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute(ROWS)
    before = shape(database.url)

    for previous in [*revisions()[1:], "base"]:
        full, taken = row_counts(database.url), shape(database.url)
        migrate.downgrade(database.url, previous)
        left = row_counts(database.url)
        assert left == {table: full[table] for table in left}
        assert shape(database.url) != taken
        migrate.upgrade(database.url, "+1")
        assert shape(database.url) == taken
        migrate.downgrade(database.url, previous)

    with psycopg.connect(database.url) as connection:
        assert connection.execute(REMAINS).fetchall() == []
    migrate.upgrade(database.url)
    assert shape(database.url) == before


def test_every_table_has_a_row_to_walk_over(database: Database) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute(ROWS)

    assert [table for table, rows in row_counts(database.url).items() if rows == 0] == []


def test_the_history_is_one_line_without_gaps() -> None:
    directory = ScriptDirectory(str(migrate.MIGRATIONS))
    numbers = list(reversed(revisions()))

    assert directory.get_heads() == numbers[-1:]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]
    assert all(step.path.rpartition("/")[2].startswith(step.revision) for step in steps())


def test_the_history_as_text_makes_the_same_schema(
    postgres_server: DatabaseServer, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    migrate.offline_sql()
    text = capsys.readouterr().out

    with empty_database(postgres_server) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(text.encode())
        assert shape(url) == shape(database.url)


async def test_a_step_that_meets_a_lock_gives_up_in_words_and_leaves_no_trace(
    database: Database,
) -> None:
    migrate.downgrade(database.url, "0007")  # Steps above it do not meet the lock.
    before = shape(database.url)

    with psycopg.connect(database.url) as connection:
        connection.execute("LOCK TABLE messaging.inbox IN ACCESS SHARE MODE")
        async with asyncio.timeout(10):
            with pytest.raises(MigrationBlockedError, match=r"lock timeout.*Remedy"):
                await asyncio.to_thread(migrate.downgrade, database.url, "0006")

    assert shape(database.url) == before
    migrate.downgrade(database.url, "0006")


async def test_a_second_migration_waits_for_the_first(database: Database) -> None:
    migrate.downgrade(database.url, "0003")
    with psycopg.connect(database.url, autocommit=True) as first:
        first.execute("SELECT pg_advisory_lock(hashtext('orderly.migrations'))")

        second = asyncio.create_task(asyncio.to_thread(migrate.upgrade, database.url))
        await eventually(lambda: first.execute(WAITING, [database.name]).fetchone() == (1,))
        first.execute("SELECT pg_advisory_unlock(hashtext('orderly.migrations'))")
        await second

    with psycopg.connect(database.url) as connection:
        revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert revision == (revisions()[0],)


def revisions() -> list[str]:
    """Return the revisions, the newest first."""
    return [step.revision for step in steps()]


def steps() -> list[Script]:
    return list(ScriptDirectory(str(migrate.MIGRATIONS)).walk_revisions())


@contextmanager
def empty_database(server: DatabaseServer) -> Generator[str]:
    """Make a database that was never migrated, and drop it at the end."""
    name = f"orderly_test_empty_{uuid4().hex[:12]}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {} TEMPLATE template0").format(Identifier(name)))
        try:
            yield with_database(server.url, name)
        finally:
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
