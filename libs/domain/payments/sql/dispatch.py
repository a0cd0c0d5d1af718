"""What the dispatcher asks of payments.operations: what is due, and how old the oldest is."""

from datetime import datetime
from typing import Final

from libs.domain.payments.operation import Operation
from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import Transaction, fetch

# A claim that finds `sent` finds a call whose process died: nobody knows whether it arrived.
# The keys go through an array: a join would make a generic plan walk the whole table.
_CLAIM: Final = """
    WITH due AS (
        SELECT key FROM payments.operations
        WHERE provider = %(provider)s::text AND next_at <= %(now)s::timestamptz
        ORDER BY next_at
        LIMIT %(operations_max)s::bigint
        FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE payments.operations AS operation
    SET state = 'sent', attempts = operation.attempts + 1, sent_at = %(now)s::timestamptz,
        next_at = %(recover_at)s::timestamptz,
        possibly_executed = operation.possibly_executed OR operation.state = 'sent',
        first_attempt_at = CASE WHEN operation.state = 'sent'
            THEN coalesce(operation.first_attempt_at, operation.sent_at)
            ELSE operation.first_attempt_at END,
        updated_at = now()
    WHERE operation.key = ANY(ARRAY(SELECT key FROM due))
    RETURNING operation.key, operation.order_id, operation.provider, operation.kind,
        operation.subject_id, operation.subject_attempt, operation.amount_minor,
        operation.currency, operation.source_value, operation.external_reference,
        operation.target_reference, operation.state, operation.provider_reference,
        operation.attempts, operation.first_attempt_at, operation.sent_at, operation.next_at,
        operation.deadline_at, operation.possibly_executed, operation.outcome,
        operation.traceparent, coalesce(operation.turn, 0) AS turn"""

_OLDEST_UNRESOLVED: Final = """
    SELECT min(created_at) FROM payments.operations
    WHERE provider = %(provider)s::text
        AND state IN ('queued', 'sent', 'accepted', 'unknown', 'manual')"""


async def claim(
    tx: Transaction, provider: str, operations_max: int, now: datetime, recover_at: datetime
) -> list[Operation]:
    """Take due operations that nobody else is taking; they come back at `recover_at`."""
    return await tx.fetch(
        Operation,
        _CLAIM,
        provider=provider,
        operations_max=operations_max,
        now=now,
        recover_at=recover_at,
    )


async def oldest_unresolved(pool: Pool, provider: str) -> datetime | None:
    """Return when the oldest operation without a definite outcome was queued."""
    async with pool.connection() as connection:
        rows = await fetch(connection, object, _OLDEST_UNRESOLVED, provider=provider)
    found = rows[0]
    return found if isinstance(found, datetime) else None
