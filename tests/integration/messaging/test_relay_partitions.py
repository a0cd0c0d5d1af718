"""Old partitions go, but never one that holds what is not published, or the cursor."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final, LiteralString

import psycopg
import pytest

from libs.foundation.database.connections import open_connection
from libs.foundation.messaging.relay.chores import keep_house
from libs.testkit.databases import Database
from tests.integration.messaging.relay_harness import (
    RELAY,
    Recorder,
    relay_settings,
    relaying,
    settings_of,
    write,
)

DROP: Final = "SELECT messaging.drop_old_partition(%s, '24 hours')"
# The oldest partition, two days old; rows get there only by a superuser's hand.
MAKE_OLD: Final = (
    "SELECT messaging.make_time_partitions('outbox', now() - interval '48 hours', '1 hour', 0)"
)
INSERT_OLD: Final = """
    INSERT INTO messaging.outbox (written_at, id, aggregatetype, aggregateid, type, topic,
        partition, source, occurred_at, payload)
    VALUES (now() - interval '48 hours', gen_random_uuid(), 'toy', 'old', 't', 'toys.events', 0,
        '/toys', now(), convert_to('{"version": 1}', 'UTF8'))"""


def execute(database: Database, statement: LiteralString) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute(statement)


def drop(database: Database, parent: str = "outbox") -> str | None:
    with psycopg.connect(database.url_for(RELAY), autocommit=True) as connection:
        row = connection.execute(DROP, [parent]).fetchone()
        assert row is not None
        return row[0]


async def publish_all(database: Database, key: str) -> None:
    recorder = Recorder()
    async with relaying(relay_settings(database, standby_poll_ms=5), recorder):
        await recorder.until(lambda: any(row.key == key.encode() for row in recorder.rows))


def test_a_partition_with_an_unpublished_row_stays(database: Database) -> None:
    execute(database, MAKE_OLD)
    execute(database, INSERT_OLD)

    with pytest.raises(psycopg.errors.ObjectInUse):
        drop(database)


async def test_a_published_partition_goes_once_it_is_old(database: Database) -> None:
    execute(database, MAKE_OLD)
    execute(database, INSERT_OLD)
    await publish_all(database, "old")

    dropped = [drop(database), drop(database)]

    assert dropped[0] is not None
    assert dropped[0].startswith("outbox_2")
    assert dropped[1] is None


async def test_the_row_of_an_open_writer_is_never_dropped(database: Database) -> None:
    """A check before the lock would see an empty partition, then drop the writer's row."""
    execute(database, MAKE_OLD)
    with psycopg.connect(database.url) as writer, ThreadPoolExecutor(1) as thread:
        writer.execute(INSERT_OLD)

        with pytest.raises(psycopg.errors.LockNotAvailable):
            drop(database)
        # With a patient caller the drop waits behind the writer, and then sees its row.
        execute(database, "ALTER FUNCTION messaging.drop_old_partition SET lock_timeout = '10s'")
        waiting = thread.submit(drop, database)
        while not _is_waiting(database):
            assert not waiting.done()
        writer.commit()
        with pytest.raises(psycopg.errors.ObjectInUse):
            waiting.result()

    await publish_all(database, "old")


def _is_waiting(database: Database) -> bool:
    with psycopg.connect(database.url) as connection:
        query = (
            "SELECT count(*) FROM pg_locks JOIN pg_database AS d ON d.oid = database"
            " WHERE NOT granted AND mode = 'AccessExclusiveLock' AND datname = current_database()"
        )
        return connection.execute(query).fetchone() != (0,)


def test_the_partition_of_the_newest_cursor_row_stays(database: Database) -> None:
    execute(
        database,
        "SELECT messaging.make_time_partitions("
        "'outbox_cursor', now() - interval '48 hours', '1 hour', 1)",
    )
    execute(database, "UPDATE messaging.outbox_cursor SET written_at = now() - interval '48 hours'")

    assert (drop(database, "outbox_cursor") or "").startswith("outbox_cursor_2")
    assert drop(database, "outbox_cursor") is None
    with psycopg.connect(database.url) as connection:
        assert connection.execute("SELECT count(*) FROM messaging.outbox_cursor").fetchone() == (1,)


async def test_housekeeping_makes_what_is_missing_and_drops_what_is_old(
    database: Database,
) -> None:
    # Named by their start: how many there are depends on when the database was migrated.
    now = datetime.now(UTC)
    old = {f"outbox_{now - timedelta(hours=48):%Y%m%dt%H00}", f"inbox_{now - timedelta(20):%Y%m%d}"}
    ahead = {
        *(f"outbox_{now + timedelta(hours=n):%Y%m%dt%H00}" for n in range(31)),
        *(f"outbox_cursor_{now + timedelta(hours=n):%Y%m%dt%H00}" for n in range(31)),
        *(f"inbox_{now + timedelta(days=n):%Y%m%d}" for n in range(4)),
    }
    execute(database, MAKE_OLD)
    execute(database, "DROP TABLE messaging.inbox")
    execute(
        database,
        "CREATE TABLE messaging.inbox (consumer text, event_id uuid,"
        " PRIMARY KEY (consumer, event_id)) PARTITION BY RANGE (event_id);"
        " ALTER TABLE messaging.inbox OWNER TO orderly_owner;"
        " SELECT messaging.make_inbox_partitions(now() - interval '20 days', 0)",
    )
    assert _partitions(database) >= old
    assert not _partitions(database) >= ahead
    await write(database, "toy")
    await publish_all(database, "toy")
    url = settings_of(database.url_for(RELAY))

    async with open_connection(url, "toy housekeeper") as connection:
        await keep_house(connection, relay_settings(database, partitions_ahead_hours=30))

    assert _partitions(database) >= ahead
    assert _partitions(database).isdisjoint(old)


def _partitions(database: Database) -> set[str]:
    with psycopg.connect(database.url) as connection:
        query = "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'"
        return {name for (name,) in connection.execute(query).fetchall()}
