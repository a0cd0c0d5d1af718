"""What must hold in every database at every moment, as queries that return what breaks it."""

from typing import Final

import psycopg

_STOCK_IS_ITS_LEDGER: Final = """
    SELECT 'S1 ' || sku
    FROM inventory.stock AS s FULL JOIN (
        SELECT sku, sum(on_hand_delta) AS on_hand, sum(reserved_delta) AS reserved
        FROM inventory.movements GROUP BY sku) AS m USING (sku)
    WHERE s.on_hand IS DISTINCT FROM coalesce(m.on_hand, 0)
        OR s.reserved IS DISTINCT FROM coalesce(m.reserved, 0)"""

_NEVER_OVERSOLD: Final = """
    SELECT 'S2 ' || sku FROM inventory.stock WHERE NOT reserved BETWEEN 0 AND on_hand"""

_RESERVED_IS_HELD: Final = """
    SELECT 'S3 ' || sku
    FROM inventory.stock AS s FULL JOIN (
        SELECT sku, sum(quantity - shipped - released) AS held
        FROM inventory.reservation_items GROUP BY sku) AS i USING (sku)
    WHERE s.reserved IS DISTINCT FROM coalesce(i.held, 0)"""

_STATE_FOLLOWS_ITEMS: Final = """
    SELECT 'reservation ' || r.order_id
    FROM inventory.reservations AS r LEFT JOIN (
        SELECT order_id, sum(quantity - shipped - released) AS held
        FROM inventory.reservation_items GROUP BY order_id) AS i USING (order_id)
    WHERE (r.state = 'held') IS DISTINCT FROM (coalesce(i.held, 0) > 0) OR r.state = 'new'"""

_TIMELINE_IS_THE_VERSION: Final = """
    SELECT 'O1 timeline ' || o.id
    FROM orders.orders AS o LEFT JOIN (
        SELECT order_id, count(*) AS entries, min(sequence) AS first, max(sequence) AS last
        FROM orders.timeline GROUP BY order_id) AS t ON t.order_id = o.id
    WHERE (t.first, t.last, t.entries) IS DISTINCT FROM (1::bigint, o.version, o.version)"""

_OUTBOX_IS_IN_SEQUENCE: Final = """
    SELECT 'sequence ' || aggregatetype || ' ' || aggregateid
    FROM (
        SELECT aggregatetype, aggregateid, sequence, row_number() OVER (
            PARTITION BY aggregatetype, aggregateid ORDER BY seq) AS position
        FROM messaging.outbox WHERE sequence IS NOT NULL) AS event
    WHERE sequence <> position"""

_OUTBOX_IS_THE_TIMELINE: Final = """
    SELECT 'O1 outbox ' || order_id || ' ' || t.sequence
    FROM orders.timeline AS t LEFT JOIN messaging.outbox AS e
        ON e.aggregatetype = 'order' AND e.aggregateid = t.order_id::text
            AND e.sequence = t.sequence
    WHERE (e.type, e.payload) IS DISTINCT FROM (t.type, t.data)"""

_CANCELLED_IS_EVERYTHING: Final = """
    SELECT 'M3 ' || o.id
    FROM orders.orders AS o LEFT JOIN orders.cancellations AS c ON c.order_id = o.id
    WHERE (o.status = 'cancelled') <> (c.id IS NOT NULL) OR c.value_minor <> o.total_minor"""

_CHECKS: Final = (
    _STOCK_IS_ITS_LEDGER,
    _NEVER_OVERSOLD,
    _RESERVED_IS_HELD,
    _STATE_FOLLOWS_ITEMS,
    _TIMELINE_IS_THE_VERSION,
    _OUTBOX_IS_IN_SEQUENCE,
    _OUTBOX_IS_THE_TIMELINE,
    _CANCELLED_IS_EVERYTHING,
)


def broken_invariants(url: str) -> list[str]:
    """Return what breaks an invariant in this database; empty when all hold."""
    broken: list[str] = []
    with psycopg.connect(url) as connection:
        for check in _CHECKS:
            broken += [row[0] for row in connection.execute(check)]
    return broken
