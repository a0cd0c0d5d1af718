"""orders.shipments: read and changed only under the lock of the order."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from libs.domain.orders.shipment import Shipment
from libs.foundation.database.transaction import Transaction

_READ: Final = """
    SELECT id, order_id, state, lines, shipping_value_minor, amount_minor, requested_at,
        released_at, failure_code, stock_sent, stock_done, late_at
    FROM orders.shipments
    WHERE order_id = ANY(%(order_ids)b::uuid[])
    ORDER BY id"""

_INSERT: Final = """
    INSERT INTO orders.shipments (id, order_id, state, lines, shipping_value_minor, amount_minor,
        requested_at, released_at, stock_sent, late_at)
    VALUES (%(id)s::uuid, %(order_id)s::uuid, %(state)s::text, %(lines)s::text::jsonb,
        %(shipping_value_minor)s::bigint, %(amount_minor)s::bigint,
        %(requested_at)s::timestamptz, %(released_at)s::timestamptz, %(stock_sent)s::boolean,
        %(late_at)s::timestamptz)"""

_SAVE: Final = """
    UPDATE orders.shipments AS s
    SET state = c.state, released_at = c.released_at, failure_code = c.failure_code,
        stock_sent = c.stock_sent, stock_done = c.stock_done, late_at = c.late_at
    FROM unnest(%(id)b::uuid[], %(state)b::text[], %(released_at)b::timestamptz[],
        %(failure_code)b::text[], %(stock_sent)b::boolean[], %(stock_done)b::boolean[],
        %(late_at)b::timestamptz[])
        AS c (id, state, released_at, failure_code, stock_sent, stock_done, late_at)
    WHERE s.id = c.id"""


async def read(tx: Transaction, order_ids: Sequence[UUID]) -> dict[UUID, tuple[Shipment, ...]]:
    """Read the shipments of locked orders, by order id, the oldest first."""
    found: dict[UUID, tuple[Shipment, ...]] = {}
    for shipment in await tx.fetch(Shipment, _READ, order_ids=list(order_ids)):
        found[shipment.order_id] = (*found.get(shipment.order_id, ()), shipment)
    return found


async def insert(tx: Transaction, shipment: Shipment) -> None:
    """Insert a shipment of a locked order."""
    await tx.execute(
        _INSERT,
        id=shipment.id,
        order_id=shipment.order_id,
        state=shipment.state.value,
        lines=msgspec.json.encode(shipment.lines).decode(),
        shipping_value_minor=shipment.shipping_value_minor,
        amount_minor=shipment.amount_minor,
        requested_at=shipment.requested_at,
        released_at=shipment.released_at,
        stock_sent=shipment.stock_sent,
        late_at=shipment.late_at,
    )


async def save(tx: Transaction, shipments: Sequence[Shipment]) -> None:
    """Save what may change of shipments of locked orders."""
    if not shipments:
        return
    await tx.execute(
        _SAVE,
        id=[each.id for each in shipments],
        state=[each.state.value for each in shipments],
        released_at=[each.released_at for each in shipments],
        failure_code=[each.failure_code for each in shipments],
        stock_sent=[each.stock_sent for each in shipments],
        stock_done=[each.stock_done for each in shipments],
        late_at=[each.late_at for each in shipments],
    )
