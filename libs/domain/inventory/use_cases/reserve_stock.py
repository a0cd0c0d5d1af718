"""Promises stock to a wave of orders, in their order, never more than there is."""

from collections.abc import Sequence

from libs.contracts.inventory import ReserveStock
from libs.domain.inventory.reservation import reserve
from libs.domain.inventory.sql import reservations, stock
from libs.domain.inventory.stock import Shelf
from libs.domain.inventory.use_cases.save_outcomes import save_outcomes
from libs.foundation.database.transaction import Transaction


async def reserve_stock(tx: Transaction, commands: Sequence[ReserveStock]) -> None:
    """Answer every command; whoever comes first in the wave gets the last piece."""
    claimed = await reservations.claim(tx, [command.order_id for command in commands])
    by_order = {reservation.order_id: reservation for reservation in claimed}
    locked = await stock.lock(tx, {item.sku for command in commands for item in command.items})
    shelf = Shelf(locked)
    outcomes = [reserve(by_order[command.order_id], command, shelf) for command in commands]
    await save_outcomes(tx, claimed, locked, shelf, outcomes)
