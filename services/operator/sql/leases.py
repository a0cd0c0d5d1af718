"""messaging.relay_leases, as an operator looks at it."""

from typing import Final

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import fetch


class Lease(Struct, frozen=True, kw_only=True):
    """Who relays; `is_held` is judged by the database's clock."""

    holder: str
    epoch: int
    is_held: bool


_LEASE: Final = """
    SELECT holder, epoch, expires_at > clock_timestamp() AS is_held
    FROM messaging.relay_leases
    WHERE name = 'outbox'"""


async def outbox_lease(connection: Connection) -> Lease:
    """Return the lease of the outbox; the migration has made its row."""
    return (await fetch(connection, Lease, _LEASE))[0]
