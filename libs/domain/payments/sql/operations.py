"""payments.operations: queue, lock and resolve."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from libs.domain.payments.operation import Operation
from libs.foundation.database.transaction import Transaction

_QUEUE: Final = """
    INSERT INTO payments.operations (key, order_id, provider, kind, subject_id, amount_minor,
        currency, source_value, external_reference, target_reference, state, next_at, deadline_at,
        traceparent)
    SELECT key, order_id, provider, kind, subject_id, amount_minor, currency, source_value,
        external_reference, target_reference, 'queued', next_at, deadline_at, traceparent
    FROM unnest(%(key)s::uuid[], %(order_id)s::uuid[], %(provider)s::text[], %(kind)s::text[],
        %(subject_id)s::uuid[], %(amount_minor)s::bigint[], %(currency)s::text[],
        %(source_value)s::text[], %(external_reference)s::text[], %(target_reference)s::text[],
        %(next_at)s::timestamptz[], %(deadline_at)s::timestamptz[], %(traceparent)s::text[])
        AS new (key, order_id, provider, kind, subject_id, amount_minor, currency, source_value,
            external_reference, target_reference, next_at, deadline_at, traceparent)"""

_LOCK: Final = """
    SELECT key, order_id, provider, kind, subject_id, amount_minor, currency, source_value,
        external_reference, target_reference, state, provider_reference, attempts,
        first_attempt_at, sent_at, next_at, deadline_at, possibly_executed, outcome, traceparent
    FROM payments.operations
    WHERE key = ANY(%(keys)s::uuid[])
    ORDER BY key
    FOR NO KEY UPDATE"""

# A list of the wanted states would make the planner walk all that is unresolved, of every order.
_LOCK_UNRESOLVED: Final = """
    SELECT key, order_id, provider, kind, subject_id, amount_minor, currency, source_value,
        external_reference, target_reference, state, provider_reference, attempts,
        first_attempt_at, sent_at, next_at, deadline_at, possibly_executed, outcome, traceparent
    FROM payments.operations
    WHERE order_id = ANY(%(order_ids)s::uuid[])
        AND state <> ALL('{succeeded,declined,failed}')
    ORDER BY key
    FOR NO KEY UPDATE"""

_RESOLVE: Final = """
    UPDATE payments.operations AS operation
    SET state = changed.state, provider_reference = changed.provider_reference,
        first_attempt_at = changed.first_attempt_at, next_at = changed.next_at,
        possibly_executed = changed.possibly_executed, outcome = changed.outcome,
        updated_at = now()
    FROM unnest(%(key)s::uuid[], %(state)s::text[], %(provider_reference)s::text[],
        %(first_attempt_at)s::timestamptz[], %(next_at)s::timestamptz[],
        %(possibly_executed)s::boolean[], %(outcome)s::text[])
        AS changed (key, state, provider_reference, first_attempt_at, next_at, possibly_executed,
            outcome)
    WHERE operation.key = changed.key
        AND operation.state <> ALL('{succeeded,declined,failed,manual}')"""

_QUEUED: Final = (
    "key",
    "order_id",
    "provider",
    "kind",
    "subject_id",
    "amount_minor",
    "currency",
    "source_value",
    "external_reference",
    "target_reference",
    "next_at",
    "deadline_at",
    "traceparent",
)
_RESOLVED: Final = (
    "key",
    "state",
    "provider_reference",
    "first_attempt_at",
    "next_at",
    "possibly_executed",
    "outcome",
)


async def queue(tx: Transaction, operations: Sequence[Operation]) -> None:
    """Insert operations for the dispatcher to claim."""
    if operations:
        await tx.execute(_QUEUE, **_columns(operations, _QUEUED))


async def lock(tx: Transaction, keys: Sequence[UUID]) -> list[Operation]:
    """Lock operations in order of their key; their payments are locked before them."""
    return await tx.fetch(Operation, _LOCK, keys=list(keys))


async def lock_unresolved(tx: Transaction, order_ids: Sequence[UUID]) -> list[Operation]:
    """Lock what may still have an effect at the provider, at most one operation per payment."""
    return await tx.fetch(Operation, _LOCK_UNRESOLVED, order_ids=list(order_ids))


async def resolve(tx: Transaction, operations: Sequence[Operation]) -> None:
    """Write outcomes; a resolved operation never changes again."""
    if operations:
        await tx.execute(_RESOLVE, **_columns(operations, _RESOLVED))


def _columns(operations: Sequence[Operation], names: Sequence[str]) -> dict[str, list[object]]:
    return {name: [getattr(operation, name) for operation in operations] for name in names}
