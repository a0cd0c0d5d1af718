"""The outbox of the peers: one plain table with the columns Debezium's router knows."""

from typing import Final

from libs.foundation.database.connections import Connection

SLOT: Final = "benchmark"
PUBLICATION: Final = "benchmark"

_MAKE_SCHEMA: Final = "CREATE SCHEMA bench"
_MAKE_TABLE: Final = """
    CREATE TABLE bench.outbox (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id uuid NOT NULL,
        aggregatetype text NOT NULL,
        aggregateid text NOT NULL,
        type text NOT NULL,
        topic text NOT NULL,
        partition integer NOT NULL,
        source text NOT NULL,
        sequence text,
        occurred_at timestamptz NOT NULL,
        traceparent text,
        payload bytea NOT NULL
    )"""
_FILL: Final = """
    INSERT INTO bench.outbox (id, aggregatetype, aggregateid, type, topic, partition, source,
        sequence, occurred_at, traceparent, payload)
    SELECT gen_random_uuid(), 'aggregate', %(key)s::text || '-' || g, 'benchmark.row_written.v1',
        %(topic)s::text, g %% %(partitions)s, '/orderly/benchmark', '0000000001',
        clock_timestamp(), '00-' || md5(g::text) || '-' || left(md5(g::text), 16) || '-00',
        convert_to(repeat('y', %(payload_bytes)s::int), 'UTF8')
    FROM generate_series(1, %(rows)s) AS g"""
_EMPTY: Final = "TRUNCATE bench.outbox"
_SLOT_IN_USE: Final = "SELECT active FROM pg_replication_slots WHERE slot_name = 'benchmark'"
_DROP_SLOT: Final = """
    SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
    WHERE slot_name = 'benchmark'"""
_DROP_PUBLICATION: Final = "DROP PUBLICATION IF EXISTS benchmark"

# What the contrast runs: rows are locked, sent, and deleted in one transaction.
CLAIM: Final = """
    SELECT seq, partition, aggregateid, id::text, type, source, sequence,
        (occurred_at AT TIME ZONE 'UTC')::text, traceparent, payload
    FROM bench.outbox ORDER BY seq LIMIT %(rows)s FOR UPDATE SKIP LOCKED"""
DELETE: Final = "DELETE FROM bench.outbox WHERE seq = ANY(%(seqs)b::bigint[])"


async def make(connection: Connection) -> None:
    await connection.execute(_MAKE_SCHEMA)
    await connection.execute(_MAKE_TABLE)


async def append(
    connection: Connection,
    topic: str,
    *,
    key: str,
    partitions: int,
    rows: int,
    payload_bytes: int,
) -> None:
    """Append `rows` messages in one transaction."""
    await connection.execute(
        _FILL,
        {
            "key": key,
            "topic": topic,
            "partitions": partitions,
            "rows": rows,
            "payload_bytes": payload_bytes,
        },
    )


async def empty(connection: Connection) -> None:
    await connection.execute(_EMPTY)


async def slot_is_active(connection: Connection) -> bool:
    """Say whether somebody reads the replication slot."""
    row = await (await connection.execute(_SLOT_IN_USE)).fetchone()
    return bool(row and row[0])


async def forget_reader(connection: Connection) -> None:
    """Drop the slot, which would keep the log for ever, and the publication."""
    await connection.execute(_DROP_SLOT)
    await connection.execute(_DROP_PUBLICATION)
