"""Fills an outbox with messages nobody has published."""

from typing import Final

from libs.foundation.database.connections import Connection

_FILL: Final = """
    INSERT INTO messaging.outbox (id, aggregatetype, aggregateid, type, topic, partition, source,
        sequence, occurred_at, traceparent, payload)
    SELECT gen_random_uuid(), 'aggregate', gen_random_uuid()::text, 'benchmark.row_written.v1',
        %(topic)s::text, g %% %(partitions)s, '/orderly/benchmark', 1, clock_timestamp(),
        '00-' || md5(g::text) || '-' || left(md5(g::text), 16) || '-00',
        convert_to(repeat('y', %(payload_bytes)s::int), 'UTF8')
    FROM generate_series(1, %(rows)s) AS g"""


async def fill(
    connection: Connection, topic: str, *, partitions: int, rows: int, payload_bytes: int
) -> None:
    """Append `rows` messages in transactions of 50, the size of an ordinary batch."""
    for _ in range(rows // 50):
        await connection.execute(
            _FILL,
            {"topic": topic, "partitions": partitions, "rows": 50, "payload_bytes": payload_bytes},
        )


# The newest row counts, so one more row of the newest epoch takes the cursor back.
_REWIND: Final = """
    INSERT INTO messaging.outbox_cursor
        (epoch, n, prev, cur, last_seq, system_identifier, database_oid, timeline)
    SELECT epoch + 1, 0, %(prev)s::pg_snapshot, NULL, 0, system_identifier, database_oid, timeline
    FROM messaging.outbox_cursor ORDER BY epoch DESC, n DESC LIMIT 1"""
_NEXT_EPOCH: Final = "UPDATE messaging.relay_leases SET epoch = epoch + 1"


async def rewind(connection: Connection, prev: str) -> None:
    """Make everything written after `prev` unpublished again."""
    await connection.execute(_REWIND, {"prev": prev})
    await connection.execute(_NEXT_EPOCH)
