"""messaging.inbox: which message a consumer has taken, and which ids its partitions hold."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.database.transaction import Transaction


class Bounds(Struct, frozen=True, kw_only=True):
    """The ids that have a partition: `first` belongs to it, `end` no longer."""

    first: UUID
    end: UUID


# Rows go in by position: members that overlap for a moment queue at the first common row.
_CLAIM: Final = """
    INSERT INTO messaging.inbox (consumer, event_id)
    SELECT %(consumer)s::text, event_id
    FROM unnest(%(event_ids)b::uuid[]) WITH ORDINALITY AS new (event_id, position)
    ORDER BY position
    ON CONFLICT DO NOTHING
    RETURNING event_id"""

# The catalogue shows a bound as FOR VALUES FROM ('<id>') TO ('<id>').
_BOUNDS: Final = """
    WITH partitions AS (
        SELECT regexp_match(pg_get_expr(child.relpartbound, child.oid),
            'FROM \\(''([0-9a-f-]{36})''\\) TO \\(''([0-9a-f-]{36})''\\)') AS bound
        FROM pg_inherits
        JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
        WHERE pg_inherits.inhparent = 'messaging.inbox'::regclass
    )
    SELECT min(bound[1])::uuid AS first, max(bound[2])::uuid AS end
    FROM partitions
    WHERE bound IS NOT NULL
    HAVING count(*) > 0"""

_PROBE: Final = """
    SELECT EXISTS (
        SELECT FROM messaging.inbox WHERE consumer = %(consumer)s::text
            AND event_id = %(event_id)s::uuid)"""


async def claim(tx: Transaction, consumer: str, event_ids: Sequence[UUID]) -> list[UUID]:
    """Insert the ids and return the ones that were not there; waits for other claimants."""
    return await tx.fetch(UUID, _CLAIM, consumer=consumer, event_ids=list(event_ids))


async def bounds(tx: Transaction) -> Bounds | None:
    """Return what the partitions hold, or None when there is none."""
    return await tx.fetch_one(Bounds, _BOUNDS)


async def probe(tx: Transaction, consumer: str, event_id: UUID) -> None:
    """Read one row by its key, to see whether the database works."""
    await tx.fetch_one(bool, _PROBE, consumer=consumer, event_id=event_id)
