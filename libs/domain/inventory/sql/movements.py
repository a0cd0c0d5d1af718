"""inventory.movements: the ledger of stock, insert-only."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.contracts.inventory import StockItem
from libs.domain.inventory.stock import Movement, MovementKind
from libs.foundation.database.transaction import Transaction

_APPEND: Final = """
    INSERT INTO inventory.movements
        (id, sku, kind, reference, on_hand_delta, reserved_delta, reason, note)
    SELECT id, sku, kind, reference, on_hand_delta, reserved_delta, reason, note
    FROM unnest(%(id)b::uuid[], %(sku)b::text[], %(kind)b::text[], %(reference)b::uuid[],
        %(on_hand_delta)b::bigint[], %(reserved_delta)b::bigint[], %(reason)b::text[],
        %(note)b::text[])
        AS new (id, sku, kind, reference, on_hand_delta, reserved_delta, reason, note)"""

_MOVED: Final = """
    SELECT reference, sku, greatest(abs(on_hand_delta), abs(reserved_delta)) AS quantity
    FROM inventory.movements
    WHERE kind = %(kind)s::text AND reference = ANY(%(references)b::uuid[])
    ORDER BY reference, sku"""

_PAGE: Final = """
    SELECT id, sku, kind, reference, on_hand_delta, reserved_delta, reason, note, at
    FROM inventory.movements
    WHERE sku = %(sku)s::text AND id < %(before)s::uuid
    ORDER BY id DESC
    LIMIT %(rows_max)s::bigint"""


LATEST: Final = UUID(int=2**128 - 1)
"""Above every id: where the first page begins."""


class RecordedMovement(Movement, frozen=True, kw_only=True):
    """A movement as it was written; `at` is the database's clock."""

    at: datetime


class _Moved(Struct, frozen=True, kw_only=True):
    reference: UUID
    sku: str
    quantity: int


async def append(tx: Transaction, movements: Sequence[Movement]) -> None:
    """Append movements of locked stock; one that happened before violates its unique key."""
    if not movements:
        return
    await tx.execute(
        _APPEND,
        id=[movement.id for movement in movements],
        sku=[movement.sku for movement in movements],
        kind=[movement.kind.value for movement in movements],
        reference=[movement.reference for movement in movements],
        on_hand_delta=[movement.on_hand_delta for movement in movements],
        reserved_delta=[movement.reserved_delta for movement in movements],
        reason=[movement.reason for movement in movements],
        note=[movement.note for movement in movements],
    )


async def moved_before(
    tx: Transaction, kind: MovementKind, references: Sequence[UUID]
) -> dict[UUID, tuple[StockItem, ...]]:
    """Read what each of these releases, shipments or refunds has already moved."""
    moved: dict[UUID, tuple[StockItem, ...]] = dict.fromkeys(references, ())
    for row in await tx.fetch(_Moved, _MOVED, kind=kind.value, references=list(references)):
        moved[row.reference] += (StockItem(sku=row.sku, quantity=row.quantity),)
    return moved


async def page(tx: Transaction, sku: str, before: UUID, rows_max: int) -> list[RecordedMovement]:
    """Read the movements of a SKU, the latest first, from below the id `before`."""
    return await tx.fetch(RecordedMovement, _PAGE, sku=sku, before=before, rows_max=rows_max)
