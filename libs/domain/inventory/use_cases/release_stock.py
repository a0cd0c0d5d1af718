"""Gives promised stock back, or makes sure that it will never be promised."""

from collections.abc import Sequence

from libs.contracts.inventory import ReleaseStock
from libs.domain.inventory.reservation import release
from libs.domain.inventory.sql import movements, reservations, stock
from libs.domain.inventory.stock import Shelf
from libs.domain.inventory.use_cases.save_outcomes import save_outcomes
from libs.foundation.database.transaction import Transaction


async def release_stock(tx: Transaction, commands: Sequence[ReleaseStock]) -> None:
    """Answer every command; a repeat is told what its first delivery gave back."""
    claimed = await reservations.claim(tx, [command.order_id for command in commands])
    filled = await reservations.with_items(tx, claimed)
    by_order = {reservation.order_id: reservation for reservation in filled}
    done = await movements.released_before(tx, [command.release_id for command in commands])
    locked = await stock.lock(tx, {item.sku for each in filled for item in each.items})
    shelf = Shelf(locked)
    outcomes = [
        release(by_order[command.order_id], command, done[command.release_id], shelf)
        for command in commands
    ]
    await save_outcomes(tx, claimed, locked, shelf, outcomes)
