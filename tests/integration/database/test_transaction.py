"""A transaction is whole or nothing, whether its statements are waited for or sent along."""

import asyncio
import logging
from collections.abc import AsyncGenerator

import psycopg
import pytest
from psycopg.errors import CheckViolation, UniqueViolation

from libs.foundation.database.connections import Connection, Pool, open_connection, open_pool
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.database.transaction import transaction
from libs.testkit.databases import Database

INSERT = "INSERT INTO public.counters VALUES (%(id)s::bigint, 0)"
ADD = "UPDATE public.counters SET n = n + 1 WHERE id = %(id)s::bigint"
SUBTRACT = "UPDATE public.counters SET n = n - 1 WHERE id = %(id)s::bigint"
READ = "SELECT n FROM public.counters WHERE id = %(id)s::bigint"
DIE = "SELECT pg_terminate_backend(pg_backend_pid())"
SLEEP = "SELECT pg_sleep(60)"

both = pytest.mark.parametrize("deferred", [False, True], ids=["at once", "deferred"])


@pytest.fixture
def settings(database: Database) -> DatabaseSettings:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE public.counters (id bigint PRIMARY KEY, n bigint CHECK (n >= 0))"
        )
    return DatabaseSettings(url=database.url, pool_size_max=1)


@pytest.fixture
async def pool(settings: DatabaseSettings) -> AsyncGenerator[Pool]:
    async with open_pool(settings, "one connection") as opened:
        yield opened


@pytest.fixture
async def connection(settings: DatabaseSettings) -> AsyncGenerator[Connection]:
    async with open_connection(settings, "one connection") as opened:
        yield opened


async def rows(pool: Pool) -> list[int]:
    async with transaction(pool) as tx:
        return await tx.fetch(int, "SELECT n FROM public.counters ORDER BY id")


@both
async def test_what_was_executed_is_read_and_committed(pool: Pool, *, deferred: bool) -> None:
    async with transaction(pool, deferred=deferred) as tx:
        await tx.execute(INSERT, id=1)
        await tx.execute(ADD, id=1)
        assert await tx.fetch(int, READ, id=1) == [1]
        await tx.execute(ADD, id=1)

    assert await rows(pool) == [2]


@both
async def test_touched_rows_are_counted(pool: Pool, *, deferred: bool) -> None:
    async with transaction(pool, deferred=deferred) as tx:
        await tx.execute(INSERT, id=1)

        assert await tx.execute_counted(ADD, id=1) == 1
        assert await tx.execute_counted(ADD, id=2) == 0

    assert await rows(pool) == [1]


@both
async def test_a_block_that_raises_leaves_nothing(pool: Pool, *, deferred: bool) -> None:
    async def block() -> None:
        async with transaction(pool, deferred=deferred) as tx:
            await tx.execute(INSERT, id=1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await block()

    assert await rows(pool) == []


@both
async def test_a_failed_last_statement_leaves_nothing(pool: Pool, *, deferred: bool) -> None:
    async def block() -> None:
        async with transaction(pool, deferred=deferred) as tx:
            await tx.execute(INSERT, id=1)
            await tx.execute(INSERT, id=1)

    with pytest.raises(UniqueViolation):
        await block()

    assert await rows(pool) == []


async def test_the_first_error_of_several_is_raised_and_nothing_else_is_said(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    async def block() -> None:
        async with transaction(pool, deferred=True) as tx:
            await tx.execute(INSERT, id=1)
            await tx.execute(SUBTRACT, id=1)
            await tx.execute(INSERT, id=1)
            await tx.fetch(int, READ, id=1)

    with caplog.at_level(logging.WARNING), pytest.raises(CheckViolation):
        await block()

    assert caplog.messages == []
    assert await rows(pool) == []


async def test_statements_of_a_failed_transaction_work_in_the_next(pool: Pool) -> None:
    # The failed one never got to prepare what came after the failure.
    async def block(*ids: int) -> None:
        async with transaction(pool, deferred=True) as tx:
            for each in ids:
                await tx.execute(INSERT, id=each)
            await tx.execute(ADD, id=ids[0])
            await tx.fetch(int, READ, id=ids[0])

    with pytest.raises(UniqueViolation):
        await block(1, 1)
    await block(1)
    await block(2)

    assert await rows(pool) == [1, 1]


async def test_an_error_that_the_block_swallows_still_rolls_back(pool: Pool) -> None:
    async def block() -> None:
        async with transaction(pool, deferred=True) as tx:
            await tx.execute(INSERT, id=1)
            await tx.execute(SUBTRACT, id=1)
            with pytest.raises(CheckViolation):
                await tx.fetch(int, READ, id=1)

    with pytest.raises(psycopg.Error):
        await block()

    assert await rows(pool) == []


async def test_a_deferred_statement_is_not_waited_for(pool: Pool, database: Database) -> None:
    async with transaction(pool) as tx:
        await tx.execute(INSERT, id=1)
    with psycopg.connect(database.url) as other:
        other.execute("UPDATE public.counters SET n = 5")
        async with transaction(pool, deferred=True) as tx:
            # It would wait for the other transaction, which ends only after it.
            await tx.execute(ADD, id=1)
            other.commit()

    assert await rows(pool) == [6]


@both
async def test_a_cancelled_block_leaves_nothing_and_gives_the_connection_back(
    pool: Pool, *, deferred: bool
) -> None:
    async def block() -> None:
        async with transaction(pool, deferred=deferred) as tx:
            await tx.execute(INSERT, id=1)
            await tx.fetch(object, SLEEP)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(block(), 0.05)

    assert await rows(pool) == []


@both
async def test_a_lost_connection_is_replaced(pool: Pool, *, deferred: bool) -> None:
    async def block() -> None:
        async with transaction(pool, deferred=deferred) as tx:
            await tx.execute(INSERT, id=1)
            await tx.fetch(bool, DIE)

    with pytest.raises(psycopg.OperationalError):
        await block()

    assert await rows(pool) == []


async def test_a_deferred_transaction_stands_in_no_other(connection: Connection) -> None:
    async with transaction(connection, deferred=True) as tx:
        await tx.execute(INSERT, id=1)
        with pytest.raises(RuntimeError, match="a transaction is open"):
            async with transaction(connection, deferred=True):
                pass
        await tx.execute(ADD, id=1)

    assert (await (await connection.execute("SELECT n FROM public.counters")).fetchall()) == [(1,)]
