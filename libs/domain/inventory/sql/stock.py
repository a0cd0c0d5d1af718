"""inventory.stock: one row per SKU that was ever adjusted."""

from collections.abc import Iterable, Sequence
from typing import Final

from libs.domain.inventory.stock import Stock
from libs.foundation.database.transaction import Locked, Transaction

_CLAIM: Final = """
    INSERT INTO inventory.stock (sku, on_hand) VALUES (%(sku)s::text, 0)
    ON CONFLICT (sku) DO NOTHING"""

_LOCK: Final = """
    SELECT sku, on_hand, reserved, sequence
    FROM inventory.stock
    WHERE sku = ANY(%(skus)b::text[])
    ORDER BY sku
    FOR NO KEY UPDATE"""

_SAVE: Final = """
    UPDATE inventory.stock AS s
    SET on_hand = c.on_hand, reserved = c.reserved, sequence = c.sequence
    FROM unnest(%(sku)b::text[], %(on_hand)b::bigint[], %(reserved)b::bigint[],
        %(sequence)b::bigint[])
        AS c (sku, on_hand, reserved, sequence)
    WHERE s.sku = c.sku"""

_SAVE_ADJUSTMENT: Final = """
    UPDATE inventory.stock
    SET on_hand = %(on_hand)s::bigint, sequence = %(sequence)s::bigint
    WHERE sku = %(sku)s::text"""

_READ: Final = """
    SELECT sku, on_hand, reserved, sequence FROM inventory.stock WHERE sku = %(sku)s::text"""


async def lock(tx: Transaction, skus: Iterable[str]) -> Locked[Stock]:
    """Lock in SKU order, so that two batches queue instead of deadlocking."""
    return Locked(await tx.fetch(Stock, _LOCK, skus=list(skus)))


async def claim(tx: Transaction, sku: str) -> Locked[Stock]:
    """Lock one SKU, whose row is made if it was never adjusted."""
    await tx.execute(_CLAIM, sku=sku)
    return await lock(tx, [sku])


async def save(tx: Transaction, rows: Sequence[Stock]) -> None:
    """Save locked SKUs after a wave has moved them."""
    if not rows:
        return
    await tx.execute(
        _SAVE,
        sku=[row.sku for row in rows],
        on_hand=[row.on_hand for row in rows],
        reserved=[row.reserved for row in rows],
        sequence=[row.sequence for row in rows],
    )


async def save_adjustment(tx: Transaction, row: Stock) -> None:
    """Save what is on hand of a locked SKU."""
    await tx.execute(_SAVE_ADJUSTMENT, sku=row.sku, on_hand=row.on_hand, sequence=row.sequence)


async def read(tx: Transaction, sku: str) -> Stock:
    """Read a SKU; one that was never adjusted has zeros."""
    return await tx.fetch_one(Stock, _READ, sku=sku) or Stock(sku=sku)
