"""Orders as people look at them when something is wrong: neither contacts nor what pays."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.domain.orders.saga import Saga
from libs.domain.orders.status import Status
from libs.foundation.database.transaction import Transaction


class OrderSeen(Struct, frozen=True, kw_only=True):
    """A row of orders.orders."""

    id: UUID
    number: int
    external_reference: str | None
    status: Status
    version: int
    currency: str
    total_minor: int
    payment_status: str
    attention: tuple[str, ...]
    rejected_for: str | None
    placed_at: datetime
    updated_at: datetime


class EntrySeen(Struct, frozen=True, kw_only=True):
    """A version of an order; who the customer is, is not told."""

    sequence: int
    type: str
    at: datetime
    actor_kind: str
    actor_id: str | None
    reason: str | None


class SagaTimes(Struct, frozen=True, kw_only=True):
    """When the saga began and when it moved last, by the database's clock."""

    started_at: datetime
    updated_at: datetime


class FlaggedOrder(Struct, frozen=True, kw_only=True):
    """An order that people were called to."""

    order_id: UUID
    attention: tuple[str, ...]


class LateOrder(Struct, frozen=True, kw_only=True):
    """An order a step of which is past its time; the timer has not flagged it yet."""

    order_id: UUID
    step: str
    late_at: datetime


class OrderHead(Struct, frozen=True, kw_only=True):
    """What a list shows of an order."""

    id: UUID
    number: int
    status: Status
    step: str
    placed_at: datetime


_ORDER: Final = """
    SELECT id, number, external_reference, status, version, currency, total_minor, payment_status,
        attention, rejection->>'reason' AS rejected_for, placed_at, updated_at
    FROM orders.orders WHERE id = %(order_id)s::uuid"""

# What pays for an order stands in this table too, and is not read.
_SAGA: Final = """
    SELECT order_id, step, deadline_at, reserve_sent, authorise_sent, release_id, release_done,
        reduction_id, reduction_done, shipped_at
    FROM orders.sagas WHERE order_id = %(order_id)s::uuid"""

_SAGA_TIMES: Final = """
    SELECT started_at, updated_at FROM orders.sagas WHERE order_id = %(order_id)s::uuid"""

_TIMELINE: Final = """
    SELECT sequence, type, at, actor_kind,
        CASE WHEN actor_kind <> 'customer' THEN actor_id END AS actor_id, reason
    FROM orders.timeline WHERE order_id = %(order_id)s::uuid ORDER BY sequence"""

_ID_OF: Final = """
    SELECT id FROM orders.orders WHERE number = %(number)s::bigint
    UNION ALL
    SELECT id FROM orders.orders
    WHERE external_reference = %(reference)s::text AND status <> 'rejected'
    LIMIT 1"""

_FLAGGED: Final = """
    SELECT id AS order_id, attention FROM orders.orders
    WHERE attention <> '{}' AND id > %(after)s::uuid
    ORDER BY id LIMIT %(rows_max)s::bigint"""

_LATE: Final = """
    SELECT order_id, step, late_at FROM (
        SELECT order_id, step, deadline_at AS late_at FROM orders.sagas
        WHERE deadline_at <= %(at)s::timestamptz AND order_id > %(after)s::uuid
        UNION ALL
        SELECT order_id, 'shipment', late_at FROM orders.shipments
        WHERE late_at <= %(at)s::timestamptz AND order_id > %(after)s::uuid
        UNION ALL
        SELECT order_id, 'refund', late_at FROM orders.refunds
        WHERE late_at <= %(at)s::timestamptz AND order_id > %(after)s::uuid) AS late
    ORDER BY order_id, late_at
    LIMIT %(rows_max)s::bigint"""

_HEADS: Final = """
    SELECT o.id, o.number, o.status, s.step, o.placed_at
    FROM orders.orders AS o JOIN orders.sagas AS s ON s.order_id = o.id
    WHERE o.id = ANY(%(order_ids)b::uuid[]) ORDER BY o.id"""


async def order(tx: Transaction, order_id: UUID) -> OrderSeen | None:
    """Return one order."""
    return await tx.fetch_one(OrderSeen, _ORDER, order_id=order_id)


async def saga(tx: Transaction, order_id: UUID) -> Saga | None:
    """Return where the saga of an order stands, without what pays for it."""
    return await tx.fetch_one(Saga, _SAGA, order_id=order_id)


async def saga_times(tx: Transaction, order_id: UUID) -> SagaTimes | None:
    """Return when the saga of an order began and moved."""
    return await tx.fetch_one(SagaTimes, _SAGA_TIMES, order_id=order_id)


async def timeline(tx: Transaction, order_id: UUID) -> Sequence[EntrySeen]:
    """Return the versions of an order, the first one first."""
    return await tx.fetch(EntrySeen, _TIMELINE, order_id=order_id)


async def id_of(tx: Transaction, number: int | None, reference: str) -> UUID | None:
    """Return the order that has this number or this external reference."""
    return await tx.fetch_one(UUID, _ID_OF, number=number, reference=reference)


async def flagged(tx: Transaction, after: UUID, rows_max: int) -> list[FlaggedOrder]:
    """Return flagged orders behind `after`, in order of their ids."""
    return await tx.fetch(FlaggedOrder, _FLAGGED, after=after, rows_max=rows_max)


async def late(tx: Transaction, at: datetime, after: UUID, rows_max: int) -> list[LateOrder]:
    """Return late steps of orders behind `after`, in order of their ids."""
    return await tx.fetch(LateOrder, _LATE, at=at, after=after, rows_max=rows_max)


async def heads(tx: Transaction, order_ids: Sequence[UUID]) -> dict[UUID, OrderHead]:
    """Return what a list shows of these orders, by id."""
    found = await tx.fetch(OrderHead, _HEADS, order_ids=list(order_ids))
    return {head.id: head for head in found}
