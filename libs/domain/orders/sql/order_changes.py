"""orders.orders: locks existing orders and saves their next versions."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from libs.domain.orders.order import Order, Rejection
from libs.foundation.database.transaction import Locked, Transaction

# No join and no subquery: after waiting for a lock PostgreSQL reads the locked row anew, but
# other tables as they were before the wait.
_LOCK: Final = """
    SELECT id, number, external_reference, customer_id, channel, status, version, currency,
        total_minor, shipping_method, shipping_total_minor, shipping_tax_minor,
        destination_country, destination_region, payment_status, authorised_minor,
        captured_minor, released_minor, returned_minor, refunded_minor, capture_before, rejection,
        attention, confirmed_at, closed_at
    FROM orders.orders
    WHERE id = ANY(%(order_ids)b::uuid[])
    ORDER BY id
    FOR NO KEY UPDATE"""

# An array of arrays must be rectangular, so each order's attention codes travel as one text.
_SAVE: Final = """
    UPDATE orders.orders AS o
    SET status = c.status, version = c.version, payment_status = c.payment_status,
        authorised_minor = c.authorised_minor, captured_minor = c.captured_minor,
        released_minor = c.released_minor, returned_minor = c.returned_minor,
        refunded_minor = c.refunded_minor, capture_before = c.capture_before,
        rejection = c.rejection, attention = string_to_array(c.attention, ' '),
        confirmed_at = c.confirmed_at, closed_at = c.closed_at, updated_at = clock_timestamp()
    FROM unnest(%(id)b::uuid[], %(status)b::text[], %(version)b::bigint[],
        %(payment_status)b::text[], %(authorised_minor)b::bigint[], %(captured_minor)b::bigint[],
        %(released_minor)b::bigint[], %(returned_minor)b::bigint[], %(refunded_minor)b::bigint[],
        %(capture_before)b::timestamptz[], %(rejection)b::text[]::jsonb[], %(attention)b::text[],
        %(confirmed_at)b::timestamptz[], %(closed_at)b::timestamptz[])
        AS c (id, status, version, payment_status, authorised_minor, captured_minor,
            released_minor, returned_minor, refunded_minor, capture_before, rejection, attention,
            confirmed_at, closed_at)
    WHERE o.id = c.id"""


async def lock(tx: Transaction, order_ids: Sequence[UUID]) -> Locked[Order]:
    """Lock in id order, so that two batches queue instead of deadlocking."""
    return Locked(await tx.fetch(Order, _LOCK, order_ids=list(order_ids)))


async def save(tx: Transaction, orders: Sequence[Order]) -> None:
    """Save the latest version of locked orders."""
    if not orders:
        return
    await tx.execute(
        _SAVE,
        id=[order.id for order in orders],
        status=[order.status.value for order in orders],
        version=[order.version for order in orders],
        payment_status=[order.payment_status.value for order in orders],
        authorised_minor=[order.authorised_minor for order in orders],
        captured_minor=[order.captured_minor for order in orders],
        released_minor=[order.released_minor for order in orders],
        returned_minor=[order.returned_minor for order in orders],
        refunded_minor=[order.refunded_minor for order in orders],
        capture_before=[order.capture_before for order in orders],
        rejection=[_json_or_none(order.rejection) for order in orders],
        attention=[" ".join(order.attention) for order in orders],
        confirmed_at=[order.confirmed_at for order in orders],
        closed_at=[order.closed_at for order in orders],
    )


def _json_or_none(rejection: Rejection | None) -> str | None:
    return None if rejection is None else msgspec.json.encode(rejection).decode()
