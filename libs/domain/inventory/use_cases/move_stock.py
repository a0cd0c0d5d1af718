"""Moves the stock of reservations that exist: out of the promise, out of the house, back in."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from libs.contracts.inventory import (
    InventoryCommand,
    ReleaseStock,
    ReturnStock,
    ShipStock,
    StockItem,
)
from libs.domain.inventory.reservation import Outcome, Reservation, release, ship, take_back
from libs.domain.inventory.sql import movements, reservations, stock
from libs.domain.inventory.stock import MovementKind, Shelf
from libs.domain.inventory.use_cases.save_outcomes import save_outcomes
from libs.foundation.database.transaction import Transaction

C = TypeVar("C", bound=InventoryCommand)


async def release_stock(tx: Transaction, commands: Sequence[ReleaseStock]) -> None:
    """Give promised stock back, or make sure that it will never be promised."""
    ids = {command.order_id: command.release_id for command in commands}
    await _move(tx, commands, MovementKind.RELEASE, ids, release)


async def ship_stock(tx: Transaction, commands: Sequence[ShipStock]) -> None:
    """Let the items of released shipments leave the stock."""
    ids = {command.order_id: command.shipment_id for command in commands}
    await _move(tx, commands, MovementKind.SHIP, ids, ship)


async def return_stock(tx: Transaction, commands: Sequence[ReturnStock]) -> None:
    """Put the items that came back with refunds on the shelf again."""
    ids = {command.order_id: command.refund_id for command in commands}
    await _move(tx, commands, MovementKind.RETURN, ids, take_back)


async def _move(
    tx: Transaction,
    commands: Sequence[C],
    kind: MovementKind,
    references: Mapping[UUID, UUID],
    decide: Callable[[Reservation, C, tuple[StockItem, ...], Shelf], Outcome],
) -> None:
    """Answer every command of a wave; a repeat is told what its first delivery moved."""
    claimed = await reservations.claim(tx, list(references))
    filled = await reservations.with_items(tx, claimed)
    by_order = {reservation.order_id: reservation for reservation in filled}
    done = await movements.moved_before(tx, kind, list(references.values()))
    locked = await stock.lock(tx, {item.sku for each in filled for item in each.items})
    shelf = Shelf(locked)
    outcomes = [
        decide(by_order[each.order_id], each, done[references[each.order_id]], shelf)
        for each in commands
    ]
    await save_outcomes(tx, claimed, locked, shelf, outcomes)
