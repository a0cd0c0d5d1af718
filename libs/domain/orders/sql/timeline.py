"""orders.timeline: appends the entries of new versions."""

from collections.abc import Sequence
from typing import Final

import msgspec

from libs.domain.orders.timeline import Entry
from libs.foundation.database.transaction import Transaction

_APPEND: Final = """
    INSERT INTO orders.timeline
        (order_id, sequence, type, at, actor_kind, actor_id, reason, data)
    SELECT order_id, sequence, type, at, actor_kind, actor_id, reason, data
    FROM unnest(%(order_id)b::uuid[], %(sequence)b::bigint[], %(type)b::text[],
        %(at)b::timestamptz[], %(actor_kind)b::text[], %(actor_id)b::text[], %(reason)b::text[],
        %(data)b::bytea[])
        AS new (order_id, sequence, type, at, actor_kind, actor_id, reason, data)"""


async def append(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Append entries of locked orders, or of orders inserted in this transaction."""
    if not entries:
        return
    await tx.execute(
        _APPEND,
        order_id=[entry.event.order_id for entry in entries],
        sequence=[entry.event.version for entry in entries],
        type=[entry.event.type for entry in entries],
        at=[entry.event.occurred_at for entry in entries],
        actor_kind=[entry.actor.kind.value for entry in entries],
        actor_id=[entry.actor.id for entry in entries],
        reason=[entry.reason for entry in entries],
        data=[msgspec.json.encode(entry.event) for entry in entries],
    )
