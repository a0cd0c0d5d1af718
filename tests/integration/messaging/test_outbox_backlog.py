"""The backlog as the API's role may ask for it: with the relay dead, and in a bounded time."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Final

import psycopg
import pytest

from libs.foundation.database.connections import open_connection
from libs.foundation.database.transaction import transaction
from libs.foundation.messaging.relay.session import Step
from libs.foundation.messaging.sql import outbox_backlog
from libs.foundation.messaging.sql.outbox_backlog import OutboxBacklog
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually as wait_until
from tests.integration.messaging.relay_harness import (
    Recorder,
    change,
    eventually,
    make_aggregates,
    relay_settings,
    relaying,
    settings_of,
    write,
    writing,
)

API: Final = "orderly_api"
EMPTY: Final = OutboxBacklog(oldest_s=0, rows=0, bytes=0)
ALL_PUBLISHED: Final = """
    SELECT NOT EXISTS (
        SELECT FROM messaging.outbox WHERE NOT pg_visible_in_snapshot(tid, prev))
    FROM messaging.outbox_cursor ORDER BY epoch DESC, n DESC LIMIT 1"""
# As `INSERT` of the product, but many at once; seq and tid are the database's.
MANY: Final = """
    INSERT INTO messaging.outbox (id, aggregatetype, aggregateid, type, topic, partition, source,
        sequence, occurred_at, payload)
    SELECT gen_random_uuid(), 'toy', 'toy-' || g %% 100, 'toys.changed.v1', 'toys.events', g %% 4,
        '/orderly/toys', g, now(), convert_to(repeat('x', %(payload_bytes)s), 'UTF8')
    FROM generate_series(1, %(rows)s) AS g"""
TOUCHED: Final = """
    SELECT coalesce(sum(heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit), 0)::bigint
    FROM pg_statio_all_tables WHERE schemaname = 'messaging' AND relname LIKE 'outbox%'"""
# About one lookup in each of the two dozen partitions of outbox and cursor, and a hundred rows.
BLOCKS_MAX: Final = 1_000


async def ask(database: Database) -> OutboxBacklog:
    async with open_connection(settings_of(database.url_for(API)), "toy door") as connection:
        return await outbox_backlog.read(connection)


def write_many(database: Database, rows: int, payload_bytes: int) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute(MANY, {"rows": rows, "payload_bytes": payload_bytes})


async def published(database: Database) -> None:
    """Run a relay until all that is committed is published, and let it end."""
    async with relaying(relay_settings(database, standby_poll_ms=20), Recorder()):
        await eventually(database, ALL_PUBLISHED, expected=True)


async def test_without_a_relay_the_first_row_gets_older_and_every_row_counts(
    database: Database,
) -> None:
    assert await ask(database) == EMPTY
    await write(database, "one", "two", "three")

    first = await ask(database)
    later = await ask(database)

    assert first.rows == 3
    assert 3 * 300 < first.bytes < 3 * 600
    assert 0 < first.oldest_s < later.oldest_s


async def test_what_is_published_is_no_backlog_and_what_comes_after_is(database: Database) -> None:
    await write(database, *["one"] * 5)
    await published(database)

    nothing_left = await ask(database)
    await write(database, "two")

    assert nothing_left == EMPTY
    assert (await ask(database)).rows == 1


@asynccontextmanager
async def stopped_inside_a_backlog(database: Database) -> AsyncGenerator[Recorder]:
    """Let a relay die after the first of the windows of a backlog."""
    recorder = Recorder()

    def die(step: Step) -> None:
        if step is Step.ADVANCED:
            raise ConnectionAbortedError

    settings = relay_settings(database, window_rows_max=20, standby_poll_ms=20, lease_ms=60_000)
    async with relaying(settings, recorder, die):
        await recorder.until(lambda: len(recorder.rows) == 20)
        await eventually(
            database,
            "SELECT cur IS NOT NULL FROM messaging.outbox_cursor"
            " ORDER BY epoch DESC, n DESC LIMIT 1",
            expected=True,
        )
        yield recorder


async def test_inside_a_backlog_the_rows_behind_the_cursor_do_not_count(
    database: Database,
) -> None:
    write_many(database, rows=1_000, payload_bytes=50)
    async with stopped_inside_a_backlog(database) as recorder:
        passed = len(recorder.rows)

        found = await ask(database)

    assert found.rows <= 1_000 - 20
    assert found.rows >= 1_000 - passed
    assert found.oldest_s > 0


async def test_many_rows_are_estimated_by_the_sequence_and_the_mean_of_the_first(
    database: Database,
) -> None:
    await write(database, "one")
    await published(database)
    write_many(database, rows=5_000, payload_bytes=700)

    found = await ask(database)

    assert found.rows == 5_000
    assert found.bytes == 5_000 * 1_000


async def test_a_transaction_that_is_still_open_hides_nobody(database: Database) -> None:
    async with writing(database) as slow:
        await make_aggregates(slow, ["slow"])
        async with transaction(slow) as tx:
            await change(tx, "slow")
            await write(database, "fast")
            during = await ask(database)
    after = await ask(database)

    assert (during.rows, after.rows) == (1, 2)


async def test_in_a_restored_database_what_was_written_since_the_cursor_waits(
    database: Database,
) -> None:
    await write(database, "one")
    await published(database)
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("UPDATE messaging.outbox_cursor SET system_identifier = 'another'")
    await write(database, "two", "three")

    assert (await ask(database)).rows == 2


async def test_an_emptied_cursor_is_an_error_and_not_an_empty_outbox(database: Database) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("DELETE FROM messaging.outbox_cursor")

    with pytest.raises(psycopg.errors.NoDataFound):
        await ask(database)


async def test_the_api_may_ask_this_and_read_neither_outbox_nor_cursor(database: Database) -> None:
    for table in ("outbox", "outbox_cursor"):
        with (
            psycopg.connect(database.url_for(API)) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(f"SELECT FROM messaging.{table}".encode())


@pytest.mark.slow
async def test_a_question_costs_the_same_whatever_waits(database: Database) -> None:
    write_many(database, rows=300_000, payload_bytes=200)
    url = settings_of(database.url_for(API))
    owner = await psycopg.AsyncConnection.connect(database.url, autocommit=True)
    async with owner, open_connection(url, "toy door") as connection:
        await owner.execute("VACUUM ANALYZE messaging.outbox")
        before = await blocks(owner)
        started_s = perf_counter()
        found = [await outbox_backlog.read(connection) for _ in range(20)]
        took_ms = (perf_counter() - started_s) * 1_000 / 20
        await connection.execute("SELECT pg_stat_force_next_flush()")
        after = await wait_until(lambda: blocks(owner), lambda count: count > before)

    print(f"one question: {took_ms:.2f} ms, {(after - before) / 20:.0f} blocks")  # noqa: T201
    assert {each.rows for each in found} == {300_000}
    assert (after - before) / 20 < BLOCKS_MAX


async def blocks(connection: psycopg.AsyncConnection) -> int:
    row = await (await connection.execute(TOUCHED)).fetchone()
    assert row is not None
    return row[0]
