"""orders.cancellations: one row per cancellation, never changed."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from libs.domain.orders.order import Cancellation
from libs.foundation.database.transaction import Transaction

_INSERT: Final = """
    INSERT INTO orders.cancellations (id, order_id, reason, lines, value_minor, at)
    VALUES (%(id)s::uuid, %(order_id)s::uuid, %(reason)s::text, %(lines)s::text::jsonb,
        %(value_minor)s::bigint, %(at)s::timestamptz)"""


async def insert(tx: Transaction, order_id: UUID, cancellation: Cancellation, at: datetime) -> None:
    """Insert a cancellation of a locked order."""
    await tx.execute(
        _INSERT,
        id=cancellation.id,
        order_id=order_id,
        reason=cancellation.reason,
        lines=msgspec.json.encode(cancellation.lines).decode(),
        value_minor=cancellation.value_minor,
        at=at,
    )
