"""messaging.relay_leases: who may move the cursor, by the database's clock."""

from typing import Final

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import Transaction, fetch

_TAKE: Final = """
    UPDATE messaging.relay_leases
    SET epoch = epoch + 1, holder = %(holder)s::text, renewed_at = clock_timestamp(),
        expires_at = clock_timestamp() + %(lease_ms)s * interval '1 millisecond'
    WHERE name = 'outbox' AND expires_at < clock_timestamp()
    RETURNING epoch"""

_RENEW: Final = """
    UPDATE messaging.relay_leases
    SET expires_at = clock_timestamp() + %(lease_ms)s * interval '1 millisecond',
        renewed_at = clock_timestamp()
    WHERE name = 'outbox' AND epoch = %(epoch)s"""

_RELEASE: Final = """
    UPDATE messaging.relay_leases SET expires_at = '-infinity'
    WHERE name = 'outbox' AND epoch = %(epoch)s"""


async def take(connection: Connection, holder: str, lease_ms: int) -> int | None:
    """Take the lease if it is over, and return the new epoch."""
    found = await fetch(connection, int, _TAKE, holder=holder, lease_ms=lease_ms)
    return found[0] if found else None


async def renew(connection: Connection, epoch: int, lease_ms: int) -> bool:
    """Prolong the lease; False when another epoch has begun."""
    return await Transaction(connection).execute(_RENEW, epoch=epoch, lease_ms=lease_ms) == 1


async def release(connection: Connection, epoch: int) -> None:
    """End the lease now, if it is still held, so that a standby need not wait."""
    await Transaction(connection).execute(_RELEASE, epoch=epoch)
