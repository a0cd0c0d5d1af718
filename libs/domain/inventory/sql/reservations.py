"""inventory.reservations and their items: one reservation per order."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from libs.contracts.inventory import EVENT_DECODERS
from libs.domain.inventory.reservation import Item, Reservation, State
from libs.foundation.database.transaction import Locked, Transaction

# A row that does not exist cannot be locked: the claim makes it, so that a release and a reserve
# of one order, in the hands of two workers during a rebalance, still come one after the other.
_CLAIM: Final = """
    INSERT INTO inventory.reservations (order_id, state, sequence)
    SELECT order_id, 'new', 0
    FROM unnest(%(order_ids)b::uuid[]) AS wanted (order_id)
    ORDER BY order_id
    ON CONFLICT (order_id) DO NOTHING"""

_LOCK: Final = """
    SELECT order_id, state, sequence, answer_type, answer
    FROM inventory.reservations
    WHERE order_id = ANY(%(order_ids)b::uuid[])
    ORDER BY order_id
    FOR NO KEY UPDATE"""

_READ_ITEMS: Final = """
    SELECT order_id, sku, quantity, shipped, released, returned
    FROM inventory.reservation_items
    WHERE order_id = ANY(%(order_ids)b::uuid[])
    ORDER BY order_id, sku"""

_SAVE: Final = """
    UPDATE inventory.reservations AS r
    SET state = c.state, sequence = c.sequence, answer_type = c.answer_type, answer = c.answer,
        updated_at = now()
    FROM unnest(%(order_id)b::uuid[], %(state)b::text[], %(sequence)b::bigint[],
        %(answer_type)b::text[], %(answer)b::bytea[])
        AS c (order_id, state, sequence, answer_type, answer)
    WHERE r.order_id = c.order_id"""

_SAVE_ITEMS: Final = """
    INSERT INTO inventory.reservation_items
        (order_id, sku, quantity, shipped, released, returned)
    SELECT order_id, sku, quantity, shipped, released, returned
    FROM unnest(%(order_id)b::uuid[], %(sku)b::text[], %(quantity)b::bigint[],
        %(shipped)b::bigint[], %(released)b::bigint[], %(returned)b::bigint[])
        AS new (order_id, sku, quantity, shipped, released, returned)
    ON CONFLICT (order_id, sku) DO UPDATE
        SET shipped = excluded.shipped, released = excluded.released,
            returned = excluded.returned"""

_HOLDERS: Final = """
    SELECT order_id
    FROM inventory.reservation_items
    WHERE sku = %(sku)s::text AND shipped + released < quantity
    ORDER BY order_id
    LIMIT %(rows_max)s::bigint"""


class _Row(Struct, frozen=True, kw_only=True):
    order_id: UUID
    state: State
    sequence: int
    answer_type: str | None
    answer: bytes | None


class _ItemRow(Item, frozen=True, kw_only=True):
    order_id: UUID


async def claim(tx: Transaction, order_ids: Sequence[UUID]) -> Locked[Reservation]:
    """Lock the reservations of these orders, in id order; new ones are made, without items."""
    await tx.execute(_CLAIM, order_ids=list(order_ids))
    rows = await tx.fetch(_Row, _LOCK, order_ids=list(order_ids))
    return Locked([_reservation(row) for row in rows])


async def with_items(tx: Transaction, locked: Locked[Reservation]) -> list[Reservation]:
    """Read the items of locked reservations."""
    order_ids = [reservation.order_id for reservation in locked]
    items: dict[UUID, tuple[Item, ...]] = dict.fromkeys(order_ids, ())
    for row in await tx.fetch(_ItemRow, _READ_ITEMS, order_ids=order_ids):
        items[row.order_id] += (row,)
    return [replace(each, items=items[each.order_id]) for each in locked]


async def save(tx: Transaction, reservations: Sequence[Reservation]) -> None:
    """Save locked reservations and those of their items that were read or made."""
    answers = [reservation.answer for reservation in reservations]
    await tx.execute(
        _SAVE,
        order_id=[reservation.order_id for reservation in reservations],
        state=[reservation.state.value for reservation in reservations],
        sequence=[reservation.sequence for reservation in reservations],
        answer_type=[None if answer is None else answer.type for answer in answers],
        answer=[None if answer is None else msgspec.json.encode(answer) for answer in answers],
    )
    items = [(each.order_id, item) for each in reservations for item in each.items]
    if not items:
        return
    await tx.execute(
        _SAVE_ITEMS,
        order_id=[order_id for order_id, _ in items],
        sku=[item.sku for _, item in items],
        quantity=[item.quantity for _, item in items],
        shipped=[item.shipped for _, item in items],
        released=[item.released for _, item in items],
        returned=[item.returned for _, item in items],
    )


async def holders(tx: Transaction, sku: str, rows_max: int) -> list[UUID]:
    """Read which orders hold pieces of a SKU."""
    return await tx.fetch(UUID, _HOLDERS, sku=sku, rows_max=rows_max)


def _reservation(row: _Row) -> Reservation:
    answer = None
    if row.answer_type is not None and row.answer is not None:
        answer = EVENT_DECODERS[row.answer_type].decode(row.answer)
    return Reservation(order_id=row.order_id, state=row.state, sequence=row.sequence, answer=answer)
