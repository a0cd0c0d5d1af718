"""payments.operations, as an operator looks at one."""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import fetch


class OperationSeen(Struct, frozen=True, kw_only=True):
    """What was asked of the provider, and how much is known of it; money in minor units."""

    order_id: UUID
    provider: str
    kind: str
    amount_minor: int
    currency: str
    state: str
    outcome: str | None
    first_attempt_at: datetime | None


_READ: Final = """
    SELECT order_id, provider, kind, amount_minor, currency, state, outcome, first_attempt_at
    FROM payments.operations WHERE key = %(key)s::uuid"""


async def read(connection: Connection, key: UUID) -> OperationSeen | None:
    """Return the operation of this key, if there is one."""
    found = await fetch(connection, OperationSeen, _READ, key=key)
    return found[0] if found else None
