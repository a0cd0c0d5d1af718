"""Follows orders through the platform's tables: accepted, published, taken by consumers, final."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from libs.foundation.database.connections import Connection

_STOCK_THE_SHOP: Final = """
    WITH adjusted AS (
        INSERT INTO inventory.movements (id, sku, kind, reference, on_hand_delta, reserved_delta,
            reason)
        SELECT uuidv7(), 'CD-' || n, 'adjust', uuidv7(), 1000000000, 0, 'received'
        FROM generate_series(1, 1000) AS n RETURNING sku, on_hand_delta
    )
    INSERT INTO inventory.stock (sku, on_hand) SELECT sku, on_hand_delta FROM adjusted"""

# Kafka has acknowledged a row when the relay begins to write the first cursor that covers it.
_PUBLISHED: Final = """
    SELECT 'published to ' || o.topic AS stage, count(*) AS messages,
        percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (
            ORDER BY date_part('epoch', covered.at - o.written_at) * 1000) AS percentiles_ms
    FROM messaging.outbox AS o CROSS JOIN LATERAL (
        SELECT c.written_at AS at
        FROM messaging.outbox_cursor AS c
        WHERE c.written_at >= o.written_at
            AND (pg_visible_in_snapshot(o.tid, c.prev)
                OR (o.seq <= c.last_seq AND pg_visible_in_snapshot(o.tid, c.cur)))
        ORDER BY c.written_at LIMIT 1) AS covered
    WHERE o.replay_request IS NULL
    GROUP BY o.topic
    ORDER BY min(o.seq)"""
# Both moments are starts of transactions by one clock: what it takes to commit is left out.
_CONSUMED: Final = """
    SELECT i.consumer || ' takes ' || o.type AS stage, count(*) AS messages,
        percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (
            ORDER BY date_part('epoch', i.claimed_at - o.written_at) * 1000) AS percentiles_ms
    FROM messaging.inbox AS i JOIN messaging.outbox AS o ON o.id = i.event_id
    WHERE o.replay_request IS NULL
    GROUP BY i.consumer, o.type
    ORDER BY min(o.seq), i.consumer"""
_FINAL: Final = """
    SELECT 'placed to confirmed' AS stage, count(*) AS messages,
        coalesce(percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (
            ORDER BY date_part('epoch', confirmed_at - placed_at) * 1000),
            ARRAY[0, 0, 0]::float8[]) AS percentiles_ms
    FROM orders.orders WHERE confirmed_at IS NOT NULL"""
_PENDING: Final = "SELECT count(*) FROM orders.orders WHERE status = 'pending'"


class StageLatency(Struct, frozen=True, kw_only=True):
    """How long messages took to a stage, from when they were written."""

    stage: str
    messages: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


async def stock_the_shop(connection: Connection) -> None:
    """Book pieces of CD-1 to CD-1000 in, with their ledger: the invariants look at both."""
    await connection.execute(_STOCK_THE_SHOP)


async def stage_latencies(connection: Connection) -> Sequence[StageLatency]:
    """Return the latency of every stage, the last one from placed to confirmed."""
    found: list[StageLatency] = []
    for statement in (_PUBLISHED, _CONSUMED, _FINAL):
        for stage, messages, (p50, p95, p99) in await (
            await connection.execute(statement)
        ).fetchall():
            found.append(
                StageLatency(
                    stage=stage,
                    messages=messages,
                    p50_ms=round(p50, 1),
                    p95_ms=round(p95, 1),
                    p99_ms=round(p99, 1),
                )
            )
    return found


async def pending(connection: Connection) -> int:
    """Count the orders that are not decided yet."""
    row = await (await connection.execute(_PENDING)).fetchone()
    count: int = row[0] if row else 0
    return count
