"""Saves what a wave did to reservations and stock, then announces it."""

from collections.abc import Sequence

from libs.domain.inventory.reservation import Outcome, Reservation
from libs.domain.inventory.sql import movements, reservations, stock
from libs.domain.inventory.stock import Shelf, Stock
from libs.foundation.database.transaction import Locked, Transaction
from libs.foundation.messaging import outbox
from libs.foundation.messaging.outbox import Outgoing


async def save_outcomes(
    tx: Transaction,
    claimed: Locked[Reservation],
    locked: Locked[Stock],
    shelf: Shelf,
    outcomes: Sequence[Outcome],
) -> None:
    crossings = shelf.announce_crossings()
    await reservations.save(tx, [outcome.reservation for outcome in outcomes])
    await stock.save(tx, shelf.changed())
    await movements.append(tx, shelf.movements)
    answers = [
        Outgoing(message=outcome.event, sequence=outcome.reservation.sequence)
        for outcome in outcomes
    ]
    await outbox.append(tx, claimed, answers)
    levels = [Outgoing(message=event, sequence=shelf.sequence(event.sku)) for event in crossings]
    await outbox.append(tx, locked, levels)
