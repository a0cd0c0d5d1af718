"""Corrects the pieces on hand of one SKU by a difference, never below what is promised."""

from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.contracts.inventory import StockAdjusted
from libs.domain.inventory.errors import StockIsReserved, StockLimitExceeded
from libs.domain.inventory.sql import movements, reservations, stock
from libs.domain.inventory.stock import (
    ON_HAND_MAX,
    Movement,
    MovementKind,
    Stock,
    availability_changed,
    crossed_zero,
)
from libs.foundation.database.transaction import Locked, Transaction
from libs.foundation.ids import new_id
from libs.foundation.messaging import outbox
from libs.foundation.messaging.outbox import Outgoing

# A refusal names some of the orders to cancel, not thousands.
_HOLDERS_SHOWN_MAX: Final = 100


class AdjustmentReason(StrEnum):
    RECEIVED = "received"
    DAMAGED = "damaged"
    LOST = "lost"
    CORRECTION = "correction"


class Adjustment(Struct, frozen=True, kw_only=True):
    """An adjustment and the stock it left."""

    id: UUID
    delta: int
    reason: AdjustmentReason
    on_hand: int
    reserved: int
    available: int


async def adjust_stock(
    tx: Transaction, sku: str, delta: int, reason: AdjustmentReason, note: str | None
) -> Adjustment:
    """Move `delta` pieces in or out.

    Raises StockIsReserved and StockLimitExceeded.
    """
    locked = await stock.claim(tx, sku)
    adjustment_id = new_id()
    movement = Movement(
        id=adjustment_id,
        sku=sku,
        kind=MovementKind.ADJUST,
        reference=adjustment_id,
        on_hand_delta=delta,
        reason=reason.value,
        note=note,
    )
    after = locked[0].after(movement)
    if after.available < 0:
        raise StockIsReserved(sku, await reservations.holders(tx, sku, _HOLDERS_SHOWN_MAX))
    if after.on_hand > ON_HAND_MAX:
        raise StockLimitExceeded(sku, ON_HAND_MAX)
    await movements.append(tx, [movement])
    await _save_and_announce(tx, locked, after, movement)
    return Adjustment(
        id=adjustment_id,
        delta=delta,
        reason=reason,
        on_hand=after.on_hand,
        reserved=after.reserved,
        available=after.available,
    )


async def _save_and_announce(
    tx: Transaction, locked: Locked[Stock], after: Stock, movement: Movement
) -> None:
    latest = after.announced()
    adjusted = StockAdjusted(
        sku=after.sku,
        delta=movement.on_hand_delta,
        reason=movement.reason or "",
        on_hand=after.on_hand,
        reserved=after.reserved,
        available=after.available,
    )
    outgoing = [Outgoing(message=adjusted, sequence=latest.sequence)]
    if crossed_zero(locked[0].available, after.available):
        latest = latest.announced()
        event = availability_changed(latest)
        outgoing.append(Outgoing(message=event, sequence=latest.sequence))
    await stock.save_adjustment(tx, latest)
    await outbox.append(tx, locked, outgoing)
