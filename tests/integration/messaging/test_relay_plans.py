"""What a poll costs must not depend on the history, whatever plan the server keeps."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Final

import pytest
from msgspec import Struct

from libs.foundation.database.connections import Connection, open_connection
from libs.foundation.database.transaction import fetch, transaction
from libs.foundation.messaging.relay.cursor import Position
from libs.foundation.messaging.relay.windows import Limits, open_windows
from libs.foundation.messaging.sql import outbox_status, outbox_windows
from libs.testkit.databases import Database
from tests.integration.messaging.relay_harness import RELAY, settings_of, writing

HISTORY_ROWS: Final = 2_000_000
# Every poll looks once into each index on tid; there are 25 partitions. A walk through the
# history would touch tens of thousands of blocks.
BLOCKS_MAX: Final = 1_000

APPEND: Final = """
    INSERT INTO messaging.outbox (id, aggregatetype, aggregateid, type, topic, partition, source,
        sequence, occurred_at, payload)
    SELECT gen_random_uuid(), 'toy', 'toy-' || g %% 1000, 'toys.changed.v1', 'toys.events', g %% 12,
        '/orderly/toys', g, now(), 'x'
    FROM generate_series(1, %(rows)s) AS g"""
INDEXES: Final = """
    SELECT indexdef FROM pg_indexes
    WHERE schemaname = 'messaging' AND indexname IN ('outbox_tid', 'outbox_seq')"""
TOUCHED: Final = """
    SELECT coalesce(sum(heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit), 0)::bigint
            AS blocks,
        (SELECT coalesce(sum(seq_tup_read), 0)::bigint FROM pg_stat_all_tables
            WHERE schemaname = 'messaging') AS scanned_rows
    FROM pg_statio_all_tables WHERE schemaname = 'messaging' AND relname LIKE 'outbox_2%%'"""


class Touched(Struct, frozen=True):
    """What statements have touched of the outbox so far."""

    blocks: int
    scanned_rows: int


async def look(connection: Connection) -> Touched:
    await connection.execute("SELECT pg_stat_force_next_flush()")
    return (await fetch(connection, Touched, TOUCHED))[0]


async def append(connection: Connection, rows: int) -> None:
    await connection.execute(APPEND, {"rows": rows})


@asynccontextmanager
async def reading(database: Database) -> AsyncGenerator[Connection]:
    url = database.url_for(RELAY)
    async with open_connection(settings_of(url), "toy relay") as connection:
        await outbox_windows.tune(connection)
        yield connection


async def fill(database: Database) -> None:
    """Write the history in few transactions, which mislead a planner: many rows for each tid."""
    async with open_connection(settings_of(database.url), "toy history") as owner:
        await owner.execute("SET statement_timeout = 0")
        await owner.execute("SET transaction_timeout = 0")
        # An autovacuum worker that has begun gives its table away only after a while.
        await owner.execute("SET lock_timeout = 0")
        await owner.execute("SET maintenance_work_mem = '256MB'")
        # Building an index afterwards takes a third of the time of maintaining it row by row.
        definitions = await fetch(owner, str, INDEXES)
        await owner.execute("DROP INDEX messaging.outbox_tid, messaging.outbox_seq")
        for _ in range(20):
            await append(owner, HISTORY_ROWS // 20)
        for definition in definitions:
            await owner.execute(definition.replace(" ON ONLY ", " ON ").encode())
        await owner.execute("VACUUM ANALYZE messaging.outbox")


@pytest.mark.slow
async def test_no_read_walks_through_the_history(database: Database) -> None:
    await fill(database)
    async with (
        writing(database) as late,
        writing(database) as writer,
        reading(database) as relay,
    ):
        async with transaction(late):
            await append(late, 1)  # An open transaction pins xmin and will be late.
            prev = await outbox_windows.snapshot(relay)
            await append(writer, 20)
            cur = await outbox_windows.snapshot(relay)

            touched = [await look(relay)]
            idle = await outbox_windows.read(relay, cur, cur, 0, rows_max=100, bytes_max=10**6)
            touched.append(await look(relay))
            few = await outbox_windows.read(relay, prev, cur, 0, rows_max=100, bytes_max=10**6)
            touched.append(await look(relay))
            runs = await outbox_windows.plan(
                relay, prev, cur, 0, rows_max=8, bytes_max=10**6, backlog_rows_max=1_000
            )
            touched.append(await look(relay))
            planned = await outbox_windows.read_runs(relay, prev, cur, runs)
            touched.append(await look(relay))
            left = await outbox_status.backlog(relay, prev, None, 0, 1_000)
            touched.append(await look(relay))
            for at in ((None, 0), (cur, HISTORY_ROWS // 2)):  # All of it waits, then half of it.
                found = await outbox_status.backlog(relay, "3:3:", *at, 1_000)
                touched.append(await look(relay))
                assert sum(each.rows for each in found) == 1_000
        passed, cur = cur, await outbox_windows.snapshot(relay)
        lone = await outbox_windows.read(relay, passed, cur, 0, rows_max=100, bytes_max=10**6)
        touched.append(await look(relay))

    blocks = [after.blocks - before.blocks for before, after in pairwise(touched)]
    print(f"blocks of idle poll, read, plan, runs, backlog, late row: {blocks}")  # noqa: T201
    assert [len(page) for page in (idle.rows, few.rows, planned, lone.rows)] == [0, 20, 20, 1]
    assert sum(each.rows for each in left) == 20
    assert [run.rows for run in runs] == [8, 8, 4]
    assert max(blocks) < BLOCKS_MAX
    assert touched[-1].scanned_rows == touched[0].scanned_rows


async def test_a_poll_after_which_nobody_has_committed_reads_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(window_rows_max=100, window_bytes_max=10**6, backlog_rows_max=1_000)
    async with writing(database) as writer, reading(database) as relay:
        passed = await outbox_windows.snapshot(relay)
        async with open_windows(relay, Position(prev=passed), limits) as windows:
            touched = [await look(relay)]
            with monkeypatch.context() as quiet:
                # Other databases of the server commit too: here, for two polls, nobody does.
                quiet.setattr(outbox_windows, "snapshot", _always(passed))
                assert await windows.next() is None
                touched.append(await look(relay))
                assert await windows.next() is None
                touched.append(await look(relay))
            await append(writer, 3)
            found = await windows.next()

    blocks = [after.blocks - before.blocks for before, after in pairwise(touched)]
    assert blocks[0] > 0
    assert blocks[1] == 0
    assert found is not None
    assert len(found.rows) == 3


def _always(snapshot: str) -> Callable[[Connection], Awaitable[str]]:
    async def answer(_connection: Connection) -> str:
        return snapshot

    return answer
