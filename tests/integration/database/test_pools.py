"""A pool that promises lookups by key keeps its plans lookups, whatever their age."""

import psycopg
import pytest

from libs.foundation.database.connections import open_pool
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.database.transaction import Transaction, transaction
from libs.testkit.databases import Database

ROWS = 50_000
RAISE = "UPDATE public.counters SET n = n + 1 WHERE id = ANY(%(ids)s::bigint[])"
# What this transaction has read of the table by sequential scans.
ROWS_SCANNED = "SELECT pg_stat_get_xact_tuples_returned(to_regclass('public.counters'))"


async def rows_scanned_by_an_early_plan(database: Database, *, by_key: bool) -> int:
    """Plan on the small table, let it grow without statistics, and count what one wave scans."""
    settings = DatabaseSettings(url=database.url, pool_size_max=1)
    async with open_pool(settings, "test", by_key=by_key) as pool:
        # The server keeps a generic plan after five executions.
        for _ in range(6):
            async with transaction(pool) as tx:
                await raise_some(tx)
        with psycopg.connect(database.url, autocommit=True) as grower:
            grower.execute(
                "INSERT INTO public.counters SELECT g FROM generate_series(1, %s) AS g", [ROWS]
            )
        async with transaction(pool) as tx:
            assert await raise_some(tx) == 64
            return (await tx.fetch(int, ROWS_SCANNED))[0]


async def raise_some(tx: Transaction) -> int:
    return await tx.execute(RAISE, ids=list(range(1, 65)))


@pytest.fixture
def counters(database: Database) -> Database:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE public.counters (id bigint PRIMARY KEY, n bigint NOT NULL DEFAULT 0)"
            " WITH (autovacuum_enabled = false)"
        )
        # Of a table without statistics the server assumes ten pages; with them it believes one row.
        connection.execute("INSERT INTO public.counters VALUES (0)")
        connection.execute("ANALYZE public.counters")
    return database


async def test_a_plan_by_key_made_on_a_small_table_stays_a_lookup(counters: Database) -> None:
    assert await rows_scanned_by_an_early_plan(counters, by_key=True) == 0


async def test_without_the_promise_the_early_plan_reads_the_grown_table(counters: Database) -> None:
    # The reason for the promise; when this fails, the server no longer needs it.
    assert await rows_scanned_by_an_early_plan(counters, by_key=False) >= ROWS
