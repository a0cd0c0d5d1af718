"""The history can be walked back over data, step by step, and leads to the same place again."""

from collections.abc import Generator

import psycopg
import pytest
from alembic.script import ScriptDirectory

from libs.foundation.database import migrate
from libs.testkit.databases import Database
from libs.testkit.sql.databases import release_migration_lock, take_migration_lock
from tests.integration.database.catalog import shape

DATA = """
    INSERT INTO orders.products (sku, name, price_minor, currency, active, stock_tracked)
    VALUES ('TEE', 'T-shirt', 2000, 'EUR', true, true);
    INSERT INTO inventory.stock (sku, on_hand) VALUES ('TEE', 5);
    INSERT INTO messaging.outbox
        (id, aggregatetype, aggregateid, type, topic, partition, source, occurred_at, payload)
    VALUES (gen_random_uuid(), 'stock', 'TEE', 'a.b.v1', 'a.events', 0, '/a', now(), '{}');
    INSERT INTO messaging.inbox (consumer, event_id) SELECT 'a', messaging.first_id_at(now())"""
REMAINS = """
    SELECT nspname FROM pg_namespace
    WHERE nspname IN ('messaging', 'web', 'orders', 'inventory', 'payments')"""


@pytest.fixture
def migrated(database: Database) -> Generator[Database]:
    """Give a database with data while no other run migrates: roles belong to the whole server."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        take_migration_lock(connection)
        connection.execute(DATA)
        yield database
        release_migration_lock(connection)


def test_each_step_can_be_taken_back_over_data_and_again(migrated: Database) -> None:
    before = shape(migrated.url)

    for previous in [*revisions()[1:], "base"]:
        taken = shape(migrated.url)
        migrate.downgrade(migrated.url, previous)
        assert shape(migrated.url) != taken
        migrate.upgrade(migrated.url, "+1")
        assert shape(migrated.url) == taken
        migrate.downgrade(migrated.url, previous)

    with psycopg.connect(migrated.url) as connection:
        assert connection.execute(REMAINS).fetchall() == []
    migrate.upgrade(migrated.url)
    assert shape(migrated.url) == before


def test_the_history_is_one_line() -> None:
    heads = ScriptDirectory(str(migrate.MIGRATIONS)).get_heads()

    assert heads == [revisions()[0]]


def revisions() -> list[str]:
    """Return the revisions, the newest first."""
    return [step.revision for step in ScriptDirectory(str(migrate.MIGRATIONS)).walk_revisions()]
