"""orders.orders and what belongs to an order, read for people and programs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from libs.domain.orders.order import Rejection
from libs.domain.orders.refund import Refund
from libs.domain.orders.shipment import Shipment
from libs.foundation.database.transaction import Transaction

# Aggregated per order beside the row: one round trip, whatever the number of lines.
_READ: Final = """
    SELECT o.id, o.number, o.external_reference, o.customer_id, o.channel, o.status, o.version,
        o.currency, o.taxes_included, o.subtotal_minor, o.discount_minor, o.tax_minor,
        o.total_minor, o.shipping_method, o.shipping_amount_minor, o.shipping_tax_minor,
        o.shipping_total_minor, o.payment_provider, o.payment_status, o.authorised_minor,
        o.captured_minor, o.returned_minor, o.refunded_minor, o.capture_before, o.rejection,
        o.attention, o.metadata, o.placed_at, o.confirmed_at, o.closed_at, o.updated_at,
        (SELECT json_agg(l ORDER BY l.line_no) FROM orders.order_lines AS l
            WHERE l.order_id = o.id) AS lines,
        (SELECT json_agg(c ORDER BY c.id) FROM orders.cancellations AS c
            WHERE c.order_id = o.id) AS cancellations,
        (SELECT json_agg(s ORDER BY s.id) FROM orders.shipments AS s
            WHERE s.order_id = o.id) AS shipments,
        (SELECT json_agg(r ORDER BY r.id) FROM (
            SELECT id, order_id, state, attempt, reason, lines, shipping_minor, adjustment_minor,
                amount_minor, tax_minor, requested_at, failure_code
            FROM orders.refunds AS refund WHERE refund.order_id = o.id) AS r) AS refunds
    FROM orders.orders AS o
    WHERE o.id = ANY(%(order_ids)b::uuid[])
    ORDER BY o.id DESC"""

_CONTACT: Final = """
    SELECT contact FROM orders.contacts WHERE order_id = %(order_id)s::uuid"""

# One statement per filter that has an index: a single one with every filter optional would be
# planned once, for none of them.
_IDS_OF_CUSTOMER: Final = """
    SELECT id FROM orders.orders
    WHERE customer_id = %(customer_id)s::text AND id < %(before)s::uuid
        AND (%(status)s::text IS NULL OR status = %(status)s::text)
        AND (%(placed_from)s::timestamptz IS NULL OR placed_at >= %(placed_from)s::timestamptz)
        AND (%(placed_to)s::timestamptz IS NULL OR placed_at < %(placed_to)s::timestamptz)
    ORDER BY id DESC LIMIT %(rows_max)s::bigint"""

_IDS_OF_ALL: Final = """
    SELECT id FROM orders.orders
    WHERE id < %(before)s::uuid
        AND (%(status)s::text IS NULL OR status = %(status)s::text)
        AND (%(placed_from)s::timestamptz IS NULL OR placed_at >= %(placed_from)s::timestamptz)
        AND (%(placed_to)s::timestamptz IS NULL OR placed_at < %(placed_to)s::timestamptz)
    ORDER BY id DESC LIMIT %(rows_max)s::bigint"""

_IDS_OF_ATTENTION: Final = """
    SELECT id FROM orders.orders
    WHERE attention <> '{}' AND %(attention)s::text = ANY(attention) AND id < %(before)s::uuid
    ORDER BY id DESC LIMIT %(rows_max)s::bigint"""

_ID_OF_REFERENCE: Final = """
    SELECT id FROM orders.orders
    WHERE external_reference = %(external_reference)s::text AND status <> 'rejected'
        AND id < %(before)s::uuid"""

_ID_OF_NUMBER: Final = """
    SELECT id FROM orders.orders WHERE number = %(number)s::bigint AND id < %(before)s::uuid"""

_TIMELINE: Final = """
    SELECT sequence, type, at, actor_kind, actor_id, reason, data
    FROM orders.timeline
    WHERE order_id = %(order_id)s::uuid AND sequence > %(after)s::bigint
        AND NOT type = ANY(%(hidden)b::text[])
    ORDER BY sequence
    LIMIT %(rows_max)s::bigint"""

_OWNERSHIP: Final = """
    SELECT customer_id FROM orders.orders WHERE id = %(order_id)s::uuid"""


class OrderLineRow(Struct, frozen=True, kw_only=True):
    line_no: int
    sku: str
    name: str
    quantity: int
    unit_price_minor: int
    discount_minor: int
    tax_minor: int
    total_minor: int
    shipped: int = 0
    cancelled: int = 0
    refunded: int = 0
    restocked: int = 0


class CancellationRow(Struct, frozen=True, kw_only=True):
    id: UUID
    reason: str
    lines: list[dict[str, Any]]
    value_minor: int
    at: datetime


class OrderRow(Struct, frozen=True, kw_only=True):
    """An order with its lines; amounts that a new order does not have yet default to zero."""

    id: UUID
    number: int
    external_reference: str | None
    customer_id: str | None
    channel: str | None
    status: str
    version: int
    currency: str
    taxes_included: bool
    subtotal_minor: int
    discount_minor: int
    tax_minor: int
    total_minor: int
    shipping_method: str | None
    shipping_amount_minor: int
    shipping_tax_minor: int
    shipping_total_minor: int
    payment_provider: str
    metadata: dict[str, str]
    placed_at: datetime
    updated_at: datetime
    lines: Sequence[OrderLineRow]
    payment_status: str = "none"
    authorised_minor: int = 0
    captured_minor: int = 0
    returned_minor: int = 0
    refunded_minor: int = 0
    capture_before: datetime | None = None
    rejection: Rejection | None = None
    attention: Sequence[str] = ()
    confirmed_at: datetime | None = None
    closed_at: datetime | None = None
    cancellations: Sequence[CancellationRow] | None = None
    shipments: Sequence[Shipment] | None = None
    refunds: Sequence[Refund] | None = None


class TimelineRow(Struct, frozen=True, kw_only=True):
    sequence: int
    type: str
    at: datetime
    actor_kind: str
    actor_id: str | None
    reason: str | None
    data: bytes


class Ownership(Struct, frozen=True, kw_only=True):
    """A guest's order has no customer."""

    customer_id: str | None


class _ContactRow(Struct, frozen=True, kw_only=True):
    contact: dict[str, Any]


class OrderFilter(Struct, frozen=True, kw_only=True):
    """What a list is narrowed to; `number`, `external_reference` and `attention` stand alone."""

    customer_id: str | None = None
    status: str | None = None
    placed_from: datetime | None = None
    placed_to: datetime | None = None
    external_reference: str | None = None
    number: int | None = None
    attention: str | None = None


async def read(tx: Transaction, order_ids: Sequence[UUID]) -> list[OrderRow]:
    """Read orders with all that belongs to them but personal data, the newest first."""
    return await tx.fetch(OrderRow, _READ, order_ids=list(order_ids))


async def ownership(tx: Transaction, order_id: UUID) -> Ownership | None:
    """Return whose order it is; None when there is no such order."""
    return await tx.fetch_one(Ownership, _OWNERSHIP, order_id=order_id)


async def contact(tx: Transaction, order_id: UUID) -> dict[str, Any] | None:
    """Read the personal data of an order."""
    row = await tx.fetch_one(_ContactRow, _CONTACT, order_id=order_id)
    return None if row is None else row.contact


async def page_ids(tx: Transaction, wanted: OrderFilter, before: UUID, rows_max: int) -> list[UUID]:
    """Return ids of orders placed before `before`, the newest first."""
    if wanted.number is not None:
        return await tx.fetch(UUID, _ID_OF_NUMBER, number=wanted.number, before=before)
    if wanted.external_reference is not None:
        reference = wanted.external_reference
        return await tx.fetch(UUID, _ID_OF_REFERENCE, external_reference=reference, before=before)
    if wanted.attention is not None:
        return await tx.fetch(
            UUID, _IDS_OF_ATTENTION, attention=wanted.attention, before=before, rows_max=rows_max
        )
    return await _ids_by_time(tx, wanted, before, rows_max)


async def _ids_by_time(
    tx: Transaction, wanted: OrderFilter, before: UUID, rows_max: int
) -> list[UUID]:
    bounds: dict[str, object] = {
        "before": before,
        "status": wanted.status,
        "placed_from": wanted.placed_from,
        "placed_to": wanted.placed_to,
        "rows_max": rows_max,
    }
    if wanted.customer_id is None:
        return await tx.fetch(UUID, _IDS_OF_ALL, **bounds)
    return await tx.fetch(UUID, _IDS_OF_CUSTOMER, customer_id=wanted.customer_id, **bounds)


async def timeline(
    tx: Transaction, order_id: UUID, after: int, rows_max: int, hidden: Sequence[str] = ()
) -> list[TimelineRow]:
    """Read entries behind the sequence `after`, in order, without those of `hidden` types."""
    return await tx.fetch(
        TimelineRow,
        _TIMELINE,
        order_id=order_id,
        after=after,
        rows_max=rows_max,
        hidden=list(hidden),
    )
