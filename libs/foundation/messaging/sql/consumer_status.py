"""What consumers have parked, as their status shows it."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import fetch


class ParkedSummary(Struct, frozen=True, kw_only=True):
    """Parked keys of a consumer."""

    consumer: str
    keys: int
    oldest_s: float


_PARKED: Final = """
    SELECT consumer, count(*) AS keys,
        date_part('epoch', clock_timestamp() - min(parked_at)) AS oldest_s
    FROM messaging.parked_keys
    WHERE consumer = ANY (%(consumers)b::text[])
    GROUP BY consumer"""


async def parked(connection: Connection, consumers: Sequence[str]) -> list[ParkedSummary]:
    """Return a summary for each consumer that has parked something."""
    return await fetch(connection, ParkedSummary, _PARKED, consumers=list(consumers))
