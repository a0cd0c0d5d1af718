"""What the checks ask of the database once nothing is in flight."""

from typing import Final

BEGIN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

ORDERS: Final = """
    SELECT id::text, external_reference, customer_id, status, rejection ->> 'reason' AS reason,
        total_minor, authorised_minor, version, placed_at,
        coalesce(confirmed_at, closed_at) AS final_at
    FROM orders.orders WHERE external_reference LIKE 'cdnow-%'"""

STOCK: Final = """
    SELECT s.sku, s.on_hand, s.reserved,
        coalesce(sum(m.on_hand_delta), 0)::bigint AS ledger_on_hand,
        coalesce(sum(m.reserved_delta), 0)::bigint AS ledger_reserved
    FROM inventory.stock AS s LEFT JOIN inventory.movements AS m USING (sku)
    GROUP BY s.sku"""

OUTBOX_IDS: Final = "SELECT id::text FROM messaging.outbox"

# A timeline is 1..version without a gap.
BROKEN_TIMELINES: Final = """
    SELECT count(*) FROM (
        SELECT o.id FROM orders.orders AS o LEFT JOIN orders.timeline AS t ON t.order_id = o.id
        GROUP BY o.id, o.version
        HAVING count(t.sequence) <> o.version OR min(t.sequence) <> 1
            OR max(t.sequence) <> o.version
    ) AS broken"""

REPEATED_RESERVATIONS: Final = """
    SELECT count(*) FROM (
        SELECT reference, sku FROM inventory.movements WHERE kind = 'reserve'
        GROUP BY reference, sku HAVING count(*) > 1
    ) AS repeated"""

INBOX_CLAIMS: Final = "SELECT count(*) FROM messaging.inbox"

PARKED: Final = """
    SELECT (SELECT count(*) FROM messaging.parked_messages WHERE resolution IS NULL)
        + (SELECT count(*) FROM messaging.outbox_parked_rows WHERE resolution IS NULL) AS count"""

PROGRESS: Final = """
    SELECT count(*) FILTER (WHERE status = 'confirmed') AS confirmed,
        count(*) FILTER (WHERE status = 'rejected') AS rejected,
        count(*) FILTER (WHERE status = 'pending') AS pending
    FROM orders.orders WHERE external_reference LIKE 'cdnow-%'"""

# Compensations follow a rejection; the books are compared once they are done too.
COMPENSATING: Final = "SELECT count(*) FROM orders.sagas WHERE step = 'compensate'"

UNPUBLISHED: Final = """
    SELECT count(*) FROM messaging.outbox AS o, (
        SELECT prev, coalesce(cur, prev) AS cur, last_seq FROM messaging.outbox_cursor
        ORDER BY epoch DESC, n DESC LIMIT 1
    ) AS c
    WHERE NOT pg_visible_in_snapshot(o.tid, c.prev)
        AND NOT (pg_visible_in_snapshot(o.tid, c.cur) AND o.seq <= c.last_seq)"""

LEASE: Final = "SELECT epoch, holder FROM messaging.relay_leases WHERE name = 'outbox'"

# The first window a relay of a later epoch has published and recorded.
TAKEOVER: Final = """
    SELECT extract(epoch FROM min(written_at) - %(killed_at)s::timestamptz)::float8 AS seconds
    FROM messaging.outbox_cursor WHERE epoch > %(epoch)s::bigint"""

RESUMED: Final = """
    SELECT extract(epoch FROM min(claimed_at) - %(killed_at)s::timestamptz)::float8 AS seconds
    FROM messaging.inbox
    WHERE consumer = %(consumer)s::text AND claimed_at > %(killed_at)s::timestamptz"""

NOW: Final = "SELECT clock_timestamp() AS now"
