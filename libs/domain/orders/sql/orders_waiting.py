"""orders.orders, asked for the one that has waited longest."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import fetch


class Waiting(Struct, frozen=True, kw_only=True):
    """The database's clock, and when the oldest waiting order was placed; None when none waits."""

    now: datetime
    oldest_at: datetime | None


# An order that was flagged is left to people. The bound from below skips the index entries of
# orders that waited once: as long as an old transaction is open nobody may remove them.
_OLDEST: Final = """
    SELECT clock_timestamp() AS now, (
        SELECT placed_at FROM orders.orders
        WHERE status = 'pending' AND attention = '{}' AND placed_at >= %(since)s::timestamptz
        ORDER BY placed_at LIMIT 1) AS oldest_at"""


async def oldest(connection: Connection, since: datetime) -> Waiting:
    """Find the pending order that was placed first, not before `since`, and is not flagged."""
    return (await fetch(connection, Waiting, _OLDEST, since=since))[0]
