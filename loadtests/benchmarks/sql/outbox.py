"""Fills Orderly's outbox: with messages nobody has published, or with a published history."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from psycopg import IsolationLevel

from libs.foundation.database.connections import Connection

PAYLOAD_BYTES: Final = 500
ROWS_A_TRANSACTION: Final = 50
_HOURS: Final = 23
_BLOCK_ROWS: Final = 5_000

# Nine headers come of such a row: every column of the envelope is set.
_FILL: Final = """
    INSERT INTO messaging.outbox (id, aggregatetype, aggregateid, type, topic, partition, source,
        sequence, occurred_at, traceparent, payload)
    SELECT gen_random_uuid(), 'aggregate', %(key)s::text || '-' || g, 'benchmark.row_written.v1',
        %(topic)s::text, g %% %(partitions)s, '/orderly/benchmark', 1, clock_timestamp(),
        '00-' || md5(g::text) || '-' || left(md5(g::text), 16) || '-00',
        convert_to(repeat('y', %(payload_bytes)s::int), 'UTF8')
    FROM generate_series(1, %(rows)s) AS g"""

# The newest row counts, so one more row of the newest epoch moves the cursor.
_MARK_PUBLISHED: Final = """
    INSERT INTO messaging.outbox_cursor
        (epoch, n, prev, cur, last_seq, system_identifier, database_oid, timeline)
    SELECT epoch + 1, 0, pg_current_snapshot(), NULL, 0, system_identifier, database_oid, timeline
    FROM messaging.outbox_cursor ORDER BY epoch DESC, n DESC LIMIT 1"""
_NEXT_EPOCH: Final = "UPDATE messaging.relay_leases SET epoch = epoch + 1"

_PAST_PARTITIONS: Final = """
    SELECT messaging.make_time_partitions('outbox', now() - interval '23 hours', '1 hour', 23)"""
_COPY: Final = """
    COPY messaging.outbox (written_at, id, aggregatetype, aggregateid, type, topic, partition,
        source, sequence, occurred_at, payload) FROM STDIN"""
_TIDY: Final = "VACUUM (ANALYZE) messaging.outbox"
_TAKE_ID: Final = "SELECT pg_current_xact_id()"


async def append(
    connection: Connection, topic: str, *, key: str, partitions: int, rows: int
) -> None:
    """Append `rows` messages in one transaction; their keys are `key-1`, `key-2` and so on."""
    await connection.execute(
        _FILL,
        {
            "key": key,
            "topic": topic,
            "partitions": partitions,
            "rows": rows,
            "payload_bytes": PAYLOAD_BYTES,
        },
    )


async def fill(connection: Connection, topic: str, *, partitions: int, rows: int) -> None:
    """Append a backlog in transactions of the size of an ordinary batch."""
    for number in range(rows // ROWS_A_TRANSACTION):
        await append(
            connection,
            topic,
            key=f"backlog-{number}",
            partitions=partitions,
            rows=ROWS_A_TRANSACTION,
        )


async def mark_published(connection: Connection) -> None:
    """Make everything written so far count as published."""
    await connection.execute(_MARK_PUBLISHED)
    await connection.execute(_NEXT_EPOCH)


async def make_history(connection: Connection, rows: int) -> None:
    """Copy in `rows` published messages, spread over the hours that are kept."""
    await connection.execute(_PAST_PARTITIONS)
    now = datetime.now(UTC)
    blocks = max(1, rows // _HOURS // _BLOCK_ROWS)
    block_rows = min(_BLOCK_ROWS, max(1, rows // _HOURS))
    for hour in range(_HOURS):
        block = _block(now - timedelta(hours=hour), block_rows)
        async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for _ in range(blocks):
                await copy.write(block)
    await connection.execute(_TIDY)
    await mark_published(connection)


def _block(moment: datetime, rows: int) -> bytes:
    """Return lines for COPY; ids may repeat, as they do in replays."""
    at = moment.isoformat()
    line = (
        f"{at}\t{uuid4()}\taggregate\tk-%d\tbenchmark.row_written.v1\tbenchmark.history\t0"
        f"\t/orderly/benchmark\t1\t{at}\t\\\\x7b7d\n"
    )
    return "".join(line % number for number in range(rows)).encode()


@asynccontextmanager
async def held_open(connection: Connection) -> AsyncGenerator[None]:
    """Hold a transaction open that has an id and a snapshot: nothing newer can be cleaned up."""
    await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    async with connection.transaction():
        await connection.execute(_TAKE_ID)
        yield
