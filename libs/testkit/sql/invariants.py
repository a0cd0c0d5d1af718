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
        FROM messaging.outbox
        WHERE sequence IS NOT NULL AND replay_request IS NULL) AS event
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

# A line's units in its order's shipments and refunds; an awaiting shipment has its units already.
_COUNTERS_ARE_THE_PARTS: Final = """
    SELECT 'L1 ' || l.order_id || ' ' || l.line_no
    FROM orders.order_lines AS l
    LEFT JOIN (
        SELECT s.order_id, (p ->> 'line_no')::integer AS line_no,
            sum((p ->> 'quantity')::bigint) AS shipped
        FROM orders.shipments AS s CROSS JOIN jsonb_array_elements(s.lines) AS p
        WHERE s.state <> 'failed' GROUP BY 1, 2) AS s USING (order_id, line_no)
    LEFT JOIN (
        SELECT r.order_id, (p ->> 'line_no')::integer AS line_no,
            sum((p ->> 'quantity')::bigint) AS refunded,
            coalesce(sum((p ->> 'quantity')::bigint) FILTER (WHERE (p ->> 'restock')::boolean), 0)
                AS restocked
        FROM orders.refunds AS r CROSS JOIN jsonb_array_elements(r.lines) AS p
        GROUP BY 1, 2) AS r USING (order_id, line_no)
    WHERE (l.shipped, l.refunded, l.restocked) IS DISTINCT FROM
        (coalesce(s.shipped, 0), coalesce(r.refunded, 0), coalesce(r.restocked, 0))
        OR l.shipped + l.cancelled > l.quantity OR l.refunded > l.shipped"""

_TOTAL_IS_ITS_LINES: Final = """
    SELECT 'M1 ' || o.id
    FROM orders.orders AS o LEFT JOIN (
        SELECT order_id, sum(total_minor) AS total FROM orders.order_lines GROUP BY order_id
    ) AS l ON l.order_id = o.id
    WHERE o.total_minor <> coalesce(l.total, 0) + o.shipping_total_minor"""

_DUE_IS_THE_SHARE: Final = """
    SELECT 'M2 ' || o.id
    FROM orders.orders AS o
    JOIN (
        SELECT order_id, sum(amount_minor) AS due FROM orders.shipments
        WHERE state = 'released' GROUP BY order_id) AS s ON s.order_id = o.id
    JOIN (
        SELECT l.order_id, sum(div(l.total_minor * coalesce(g.shipped, 0), l.quantity)) AS value
        FROM orders.order_lines AS l LEFT JOIN (
            SELECT s.order_id, (p ->> 'line_no')::integer AS line_no,
                sum((p ->> 'quantity')::bigint) AS shipped
            FROM orders.shipments AS s CROSS JOIN jsonb_array_elements(s.lines) AS p
            WHERE s.state = 'released' GROUP BY 1, 2) AS g USING (order_id, line_no)
        GROUP BY l.order_id) AS v ON v.order_id = o.id
    WHERE s.due <> v.value + o.shipping_total_minor"""

_MONEY_IS_BOUNDED: Final = """
    SELECT CASE WHEN m.due > o.total_minor THEN 'M4 '
        WHEN o.captured_minor - o.returned_minor < m.due THEN 'M6 '
        WHEN m.refunds > m.due THEN 'M8 ' ELSE 'M5 ' END || o.id
    FROM orders.orders AS o CROSS JOIN LATERAL (
        SELECT coalesce((SELECT sum(amount_minor) FROM orders.shipments
                WHERE order_id = o.id AND state = 'released'), 0) AS due,
            coalesce((SELECT sum(amount_minor) FROM orders.refunds
                WHERE order_id = o.id), 0) AS refunds) AS m
    WHERE m.due > o.total_minor OR o.captured_minor - o.returned_minor < m.due
        OR m.refunds > m.due
        OR o.authorised_minor < o.captured_minor + o.released_minor
        OR o.returned_minor + o.refunded_minor > o.captured_minor"""

_STATUS_FOLLOWS_THE_PARTS: Final = """
    SELECT 'O1 status ' || o.id
    FROM orders.orders AS o CROSS JOIN LATERAL (
        SELECT
            EXISTS (SELECT FROM orders.shipments WHERE order_id = o.id AND state = 'released')
                AND NOT EXISTS (SELECT FROM orders.shipments
                    WHERE order_id = o.id AND state = 'awaiting_capture')
                AND NOT EXISTS (SELECT FROM orders.order_lines
                    WHERE order_id = o.id AND shipped + cancelled < quantity) AS gone,
            coalesce((SELECT sum(amount_minor) FROM orders.shipments
                WHERE order_id = o.id AND state = 'released'), 0) AS due,
            coalesce((SELECT sum(amount_minor) FROM orders.refunds WHERE order_id = o.id
                AND state IN ('succeeded', 'settled_manually')), 0) AS given_back) AS m
    WHERE (o.status IN ('shipped', 'completed', 'refunded')) <> m.gone
        OR (o.status = 'refunded') <> (m.due > 0 AND m.given_back = m.due)"""

# By the events that change a status: each follows one after which it is legal.
_STATUSES_ARE_LEGAL: Final = """
    SELECT 'O1 step ' || order_id || ' ' || sequence
    FROM (
        SELECT order_id, sequence, split_part(type, '.', 2) AS became,
            lag(split_part(type, '.', 2)) OVER (PARTITION BY order_id ORDER BY sequence) AS was
        FROM orders.timeline
        WHERE type IN ('orders.order_placed.v1', 'orders.order_confirmed.v1',
            'orders.order_rejected.v1', 'orders.order_cancelled.v1', 'orders.order_shipped.v1',
            'orders.order_completed.v1', 'orders.order_refunded.v1')) AS step
    WHERE (coalesce(was, ''), became) NOT IN (('', 'order_placed'),
        ('order_placed', 'order_confirmed'), ('order_placed', 'order_rejected'),
        ('order_placed', 'order_cancelled'), ('order_confirmed', 'order_cancelled'),
        ('order_confirmed', 'order_shipped'), ('order_shipped', 'order_completed'),
        ('order_shipped', 'order_refunded'), ('order_completed', 'order_refunded'))"""

# Once inventory has answered: what left and came back is what orders asked for.
_STOCK_FOLLOWED: Final = """
    SELECT p.rule || ' ' || p.id
    FROM (
        SELECT 'S4' AS rule, 'ship' AS kind, id, order_id, lines, stock_done FROM orders.shipments
        UNION ALL
        SELECT 'S5', 'return', id, order_id, lines, stock_done FROM orders.refunds
    ) AS p
    JOIN inventory.reservations AS r ON r.order_id = p.order_id AND r.state IN ('held', 'closed')
    LEFT JOIN LATERAL (
        SELECT sum((part ->> 'quantity')::bigint) AS pieces
        FROM jsonb_array_elements(p.lines) AS part
        JOIN orders.order_lines AS l
            ON l.order_id = p.order_id AND l.line_no = (part ->> 'line_no')::integer
        WHERE l.stock_tracked AND coalesce((part ->> 'restock')::boolean, true)) AS asked ON true
    LEFT JOIN LATERAL (
        SELECT sum(abs(on_hand_delta)) AS pieces FROM inventory.movements
        WHERE kind = p.kind AND reference = p.id) AS moved ON true
    WHERE p.stock_done AND moved.pieces IS DISTINCT FROM asked.pieces"""

_CHECKS: Final = (
    _STOCK_IS_ITS_LEDGER,
    _NEVER_OVERSOLD,
    _RESERVED_IS_HELD,
    _STATE_FOLLOWS_ITEMS,
    _TIMELINE_IS_THE_VERSION,
    _OUTBOX_IS_IN_SEQUENCE,
    _OUTBOX_IS_THE_TIMELINE,
    _CANCELLED_IS_EVERYTHING,
    _COUNTERS_ARE_THE_PARTS,
    _TOTAL_IS_ITS_LINES,
    _DUE_IS_THE_SHARE,
    _MONEY_IS_BOUNDED,
    _STATUS_FOLLOWS_THE_PARTS,
    _STATUSES_ARE_LEGAL,
    _STOCK_FOLLOWED,
)


def broken_invariants(url: str) -> list[str]:
    """Return what breaks an invariant in this database; empty when all hold."""
    broken: list[str] = []
    with psycopg.connect(url) as connection:
        for check in _CHECKS:
            broken += [row[0] for row in connection.execute(check)]
    return broken
