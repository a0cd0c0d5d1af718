"""A reservation as people may see it."""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import fetch


class ReservationSeen(Struct, frozen=True, kw_only=True):
    """A row of inventory.reservations; the type of its answer tells what orders was told."""

    state: str
    answer_type: str | None
    created_at: datetime
    updated_at: datetime


_RESERVATION: Final = """
    SELECT state, answer_type, created_at, updated_at
    FROM inventory.reservations WHERE order_id = %(order_id)s::uuid"""


async def reservation(connection: Connection, order_id: UUID) -> ReservationSeen | None:
    """Return the reservation of an order; None before inventory has heard of it."""
    found = await fetch(connection, ReservationSeen, _RESERVATION, order_id=order_id)
    return found[0] if found else None
