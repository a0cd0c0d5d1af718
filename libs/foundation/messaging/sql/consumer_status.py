"""What consumers have parked, as their status shows it."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import fetch


class ParkedSummary(Struct, frozen=True, kw_only=True):
    """Parked keys of a consumer; `keys_in_a_minute` were parked just before the newest."""

    consumer: str
    keys: int
    oldest_s: float
    keys_in_a_minute: int


_PARKED: Final = """
    SELECT k.consumer, count(*) AS keys,
        date_part('epoch', clock_timestamp() - min(k.parked_at)) AS oldest_s,
        count(*) FILTER (WHERE k.parked_at > newest.at - interval '1 minute') AS keys_in_a_minute
    FROM messaging.parked_keys AS k
    JOIN (
        SELECT consumer, max(parked_at) AS at FROM messaging.parked_keys GROUP BY consumer
    ) AS newest ON newest.consumer = k.consumer
    WHERE k.consumer = ANY (%(consumers)s::text[])
    GROUP BY k.consumer"""


async def parked(connection: Connection, consumers: Sequence[str]) -> list[ParkedSummary]:
    """Return a summary for each consumer that has parked something."""
    return await fetch(connection, ParkedSummary, _PARKED, consumers=list(consumers))
