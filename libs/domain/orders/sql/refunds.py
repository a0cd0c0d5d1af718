"""orders.refunds: read and changed only under the lock of the order; notes are read apart."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.domain.orders.refund import Refund
from libs.foundation.database.transaction import Transaction

_READ: Final = """
    SELECT id, order_id, state, attempt, reason, lines, shipping_minor, adjustment_minor,
        amount_minor, tax_minor, requested_at, failure_code, stock_sent, stock_done, late_at
    FROM orders.refunds
    WHERE order_id = ANY(%(order_ids)b::uuid[])
    ORDER BY id"""

_INSERT: Final = """
    INSERT INTO orders.refunds (id, order_id, state, attempt, reason, lines, shipping_minor,
        adjustment_minor, amount_minor, tax_minor, requested_at, stock_sent, late_at, note)
    VALUES (%(id)s::uuid, %(order_id)s::uuid, %(state)s::text, %(attempt)s::bigint,
        %(reason)s::text, %(lines)s::text::jsonb, %(shipping_minor)s::bigint,
        %(adjustment_minor)s::bigint, %(amount_minor)s::bigint, %(tax_minor)s::bigint,
        %(requested_at)s::timestamptz, %(stock_sent)s::boolean, %(late_at)s::timestamptz,
        %(note)s::text)"""

_SAVE: Final = """
    UPDATE orders.refunds AS r
    SET state = c.state, attempt = c.attempt, failure_code = c.failure_code,
        stock_done = c.stock_done, late_at = c.late_at
    FROM unnest(%(id)b::uuid[], %(state)b::text[], %(attempt)b::bigint[],
        %(failure_code)b::text[], %(stock_done)b::boolean[], %(late_at)b::timestamptz[])
        AS c (id, state, attempt, failure_code, stock_done, late_at)
    WHERE r.id = c.id"""

_SAVE_SETTLEMENT_NOTE: Final = """
    UPDATE orders.refunds SET settlement_note = %(note)s::text WHERE id = %(id)s::uuid"""

_NOTES: Final = """
    SELECT id, note, settlement_note FROM orders.refunds WHERE order_id = %(order_id)s::uuid"""


class Notes(Struct, frozen=True, kw_only=True):
    """What people wrote about a refund: personal data."""

    id: UUID
    note: str | None
    settlement_note: str | None


async def read(tx: Transaction, order_ids: Sequence[UUID]) -> dict[UUID, tuple[Refund, ...]]:
    """Read the refunds of locked orders, by order id, the oldest first."""
    found: dict[UUID, tuple[Refund, ...]] = {}
    for refund in await tx.fetch(Refund, _READ, order_ids=list(order_ids)):
        found[refund.order_id] = (*found.get(refund.order_id, ()), refund)
    return found


async def insert(tx: Transaction, refund: Refund, note: str | None) -> None:
    """Insert a refund of a locked order."""
    await tx.execute(
        _INSERT,
        id=refund.id,
        order_id=refund.order_id,
        state=refund.state.value,
        attempt=refund.attempt,
        reason=refund.reason.value,
        lines=msgspec.json.encode(refund.lines).decode(),
        shipping_minor=refund.shipping_minor,
        adjustment_minor=refund.adjustment_minor,
        amount_minor=refund.amount_minor,
        tax_minor=refund.tax_minor,
        requested_at=refund.requested_at,
        stock_sent=refund.stock_sent,
        late_at=refund.late_at,
        note=note,
    )


async def save(tx: Transaction, refunds: Sequence[Refund]) -> None:
    """Save what may change of refunds of locked orders."""
    if not refunds:
        return
    await tx.execute(
        _SAVE,
        id=[each.id for each in refunds],
        state=[each.state.value for each in refunds],
        attempt=[each.attempt for each in refunds],
        failure_code=[each.failure_code for each in refunds],
        stock_done=[each.stock_done for each in refunds],
        late_at=[each.late_at for each in refunds],
    )


async def save_settlement_note(tx: Transaction, refund_id: UUID, note: str) -> None:
    """Keep how a person has settled a refund of a locked order."""
    await tx.execute(_SAVE_SETTLEMENT_NOTE, id=refund_id, note=note)


async def notes(tx: Transaction, order_id: UUID) -> dict[UUID, Notes]:
    """Read what people wrote about the refunds of an order, by refund id."""
    return {each.id: each for each in await tx.fetch(Notes, _NOTES, order_id=order_id)}
