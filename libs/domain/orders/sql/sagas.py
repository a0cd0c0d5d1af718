"""orders.sagas: one row per order, read and changed only under the lock of its order."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from libs.contracts.payments import PaymentSource
from libs.domain.orders.saga import Saga
from libs.foundation.database.transaction import Transaction

_READ: Final = """
    SELECT order_id, step, deadline_at, payment_source, reserve_sent, authorise_sent, release_id,
        release_done, reduction_id, reduction_done, shipped_at
    FROM orders.sagas
    WHERE order_id = ANY(%(order_ids)b::uuid[])"""

_SAVE: Final = """
    UPDATE orders.sagas AS s
    SET step = c.step, deadline_at = c.deadline_at, payment_source = c.payment_source,
        authorise_sent = c.authorise_sent, release_id = c.release_id,
        release_done = c.release_done, reduction_id = c.reduction_id,
        reduction_done = c.reduction_done, shipped_at = c.shipped_at, updated_at = now()
    FROM unnest(%(order_id)b::uuid[], %(step)b::text[], %(deadline_at)b::timestamptz[],
        %(payment_source)b::text[]::jsonb[], %(authorise_sent)b::boolean[],
        %(release_id)b::uuid[], %(release_done)b::boolean[], %(reduction_id)b::uuid[],
        %(reduction_done)b::boolean[], %(shipped_at)b::timestamptz[])
        AS c (order_id, step, deadline_at, payment_source, authorise_sent, release_id,
            release_done, reduction_id, reduction_done, shipped_at)
    WHERE s.order_id = c.order_id"""

# They lock the orders, never the sagas: a handler holds an order when it changes its saga, and the
# opposite order would deadlock. SKIP LOCKED waits for nobody: an order in hand is looked at later.
# The limit comes before the lock, and the lock is taken row by row: a join would be planned for as
# many late rows as there may be, and read every order. Orders in hand count against the limit.
_LOCK_DUE: Final = """
    SELECT held.id
    FROM (
        SELECT order_id, late_at
        FROM (
            (SELECT order_id, deadline_at AS late_at FROM orders.sagas
            WHERE deadline_at <= %(at)s::timestamptz
            ORDER BY deadline_at LIMIT %(orders_max)s::bigint)
            UNION ALL
            (SELECT order_id, late_at FROM orders.shipments
            WHERE late_at <= %(at)s::timestamptz ORDER BY late_at LIMIT %(orders_max)s::bigint)
            UNION ALL
            (SELECT order_id, late_at FROM orders.refunds
            WHERE late_at <= %(at)s::timestamptz ORDER BY late_at LIMIT %(orders_max)s::bigint)
        ) AS late
        ORDER BY late_at
        LIMIT %(orders_max)s::bigint
    ) AS due CROSS JOIN LATERAL (
        SELECT o.id FROM orders.orders AS o
        WHERE o.id = due.order_id
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS held
    ORDER BY due.late_at"""

_LOCK_SHIPPED: Final = """
    SELECT o.id
    FROM orders.sagas AS s JOIN orders.orders AS o ON o.id = s.order_id
    WHERE s.shipped_at <= %(shipped_by)s::timestamptz
    ORDER BY s.shipped_at
    LIMIT %(orders_max)s::bigint
    FOR NO KEY UPDATE OF o SKIP LOCKED"""


async def read(tx: Transaction, order_ids: Sequence[UUID]) -> dict[UUID, Saga]:
    """Read the sagas of locked orders, by order id."""
    rows = await tx.fetch(Saga, _READ, order_ids=list(order_ids))
    return {saga.order_id: saga for saga in rows}


async def save(tx: Transaction, sagas: Sequence[Saga]) -> None:
    """Save the sagas of locked orders; what was asked of inventory is settled at placing."""
    if sagas:
        await tx.execute(_SAVE, **_columns(sagas))


async def lock_due(tx: Transaction, at: datetime, orders_max: int) -> list[UUID]:
    """Lock orders that something is late of, the most overdue first, and return their ids.

    The times must be read again: the order may have moved before the lock was taken. An order
    comes once for each of its late steps.
    """
    return await tx.fetch(UUID, _LOCK_DUE, at=at, orders_max=orders_max)


async def lock_shipped(tx: Transaction, shipped_by: datetime, orders_max: int) -> list[UUID]:
    """Lock orders that wait to be completed since `shipped_by` or longer; read them again too."""
    return await tx.fetch(UUID, _LOCK_SHIPPED, shipped_by=shipped_by, orders_max=orders_max)


def _columns(sagas: Sequence[Saga]) -> dict[str, list[object]]:
    return {
        "order_id": [saga.order_id for saga in sagas],
        "step": [saga.step.value for saga in sagas],
        "deadline_at": [saga.deadline_at for saga in sagas],
        "payment_source": [_json_or_none(saga.payment_source) for saga in sagas],
        "authorise_sent": [saga.authorise_sent for saga in sagas],
        "release_id": [saga.release_id for saga in sagas],
        "release_done": [saga.release_done for saga in sagas],
        "reduction_id": [saga.reduction_id for saga in sagas],
        "reduction_done": [saga.reduction_done for saga in sagas],
        "shipped_at": [saga.shipped_at for saga in sagas],
    }


def _json_or_none(source: PaymentSource | None) -> str | None:
    return None if source is None else msgspec.json.encode(source).decode()
