"""Pools: promised lookups stay lookups, and connections of a server that was away fail nobody."""

from collections.abc import Generator
from contextlib import AsyncExitStack, contextmanager

import psycopg
import pytest
from psycopg import sql
from psycopg_pool import TooManyRequests

from libs.foundation.database import connections
from libs.foundation.database.connections import Pool, open_pool
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.database.transaction import Transaction, transaction
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually

_LET_IN = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
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


async def test_connections_that_the_server_has_closed_fail_no_caller(database: Database) -> None:
    settings = DatabaseSettings(url=database.url, pool_size_max=4)
    async with open_pool(settings, "closed by the server") as pool:
        async with AsyncExitStack() as held:  # All four at once, else one may serve two callers.
            taken = [await held.enter_async_context(pool.connection()) for _ in range(4)]
            closed = {connection.info.backend_pid for connection in taken}
        with psycopg.connect(database.url, autocommit=True) as server:
            for pid in closed:
                server.execute("SELECT pg_terminate_backend(%s, 10_000)", [pid])
        found = {await backend(pool) for _ in range(4)}
    assert len(closed) == 4
    assert closed.isdisjoint(found)


async def test_a_pool_whose_queue_filled_up_without_a_server_recovers(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_RECONNECT_S", 0.1)
    settings = DatabaseSettings(
        url=database.url, pool_size_max=1, pool_waiting_max=2, pool_wait_timeout_ms=50
    )
    async with open_pool(settings, "without a server") as pool:
        await pool.wait()
        with closed_to_everybody(database):
            await eventually(lambda: outcome(pool), lambda seen: seen is TooManyRequests)
            failed = pool.get_stats()["connections_errors"]
            # What the last caller began has been given up since.
            await eventually(lambda: pool.get_stats()["connections_errors"] >= failed + 3)
        assert await eventually(lambda: outcome(pool), lambda seen: isinstance(seen, int))


@contextmanager
def closed_to_everybody(database: Database) -> Generator[None]:
    """End every session of a database, and let nobody in until the end of the block."""
    address, _, name = database.url.rpartition("/")
    with psycopg.connect(f"{address}/postgres", autocommit=True) as server:
        server.execute(_LET_IN.format(sql.Identifier(name), sql.SQL("false")))
        server.execute(
            "SELECT pg_terminate_backend(pid, 10_000) FROM pg_stat_activity WHERE datname = %s",
            [name],
        )
        try:
            yield
        finally:
            server.execute(_LET_IN.format(sql.Identifier(name), sql.SQL("true")))


async def outcome(pool: Pool) -> int | type[Exception]:
    try:
        return await backend(pool)
    except psycopg.OperationalError as error:
        return type(error)


async def backend(pool: Pool) -> int:
    """Return the server process behind a connection."""
    async with transaction(pool) as tx:
        return (await tx.fetch(int, "SELECT pg_backend_pid()"))[0]
