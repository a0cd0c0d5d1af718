"""How much of messaging.outbox waits for the relay, as those may ask who may not read it."""

from typing import Final

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import fetch


class OutboxBacklog(Struct, frozen=True, kw_only=True):
    """Age of the first unpublished row; rows and bytes are estimates once there are many."""

    oldest_s: float
    rows: int
    bytes: int


_READ: Final = "SELECT oldest_s, rows, bytes FROM messaging.outbox_backlog()"


async def read(connection: Connection) -> OutboxBacklog:
    """Measure in a bounded time, whether a relay runs or not."""
    return (await fetch(connection, OutboxBacklog, _READ))[0]
