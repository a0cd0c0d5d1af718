"""payments.operations: queue, lock and resolve."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.domain.payments.operation import Operation
from libs.foundation.database.transaction import Transaction

# The turn is drawn by the database, while the payment's lock is held.
_QUEUE: Final = """
    INSERT INTO payments.operations (key, order_id, provider, kind, subject_id, subject_attempt,
        amount_minor, currency, source_value, external_reference, target_reference, state, outcome,
        next_at, deadline_at, traceparent)
    SELECT key, order_id, provider, kind, subject_id, subject_attempt, amount_minor, currency,
        source_value, external_reference, target_reference, state, outcome, next_at, deadline_at,
        traceparent
    FROM unnest(%(key)b::uuid[], %(order_id)b::uuid[], %(provider)b::text[], %(kind)b::text[],
        %(subject_id)b::uuid[], %(subject_attempt)b::integer[], %(amount_minor)b::bigint[],
        %(currency)b::text[], %(source_value)b::text[], %(external_reference)b::text[],
        %(target_reference)b::text[], %(state)b::text[], %(outcome)b::text[],
        %(next_at)b::timestamptz[], %(deadline_at)b::timestamptz[], %(traceparent)b::text[])
        AS new (key, order_id, provider, kind, subject_id, subject_attempt, amount_minor, currency,
            source_value, external_reference, target_reference, state, outcome, next_at,
            deadline_at, traceparent)"""

# A list of the wanted states would make the planner walk all that is unresolved, of every order.
_LOCK: Final = """
    SELECT key, order_id, provider, kind, subject_id, subject_attempt, amount_minor, currency,
        source_value, external_reference, target_reference, state, provider_reference, attempts,
        first_attempt_at, sent_at, next_at, deadline_at, possibly_executed, outcome, traceparent,
        coalesce(turn, 0) AS turn
    FROM payments.operations
    WHERE order_id = ANY(%(order_ids)b::uuid[])
        AND (state <> ALL('{succeeded,declined,failed}') OR key = ANY(%(keys)b::uuid[]))
    ORDER BY key
    FOR NO KEY UPDATE"""

_ORDERS: Final = """
    SELECT key, order_id FROM payments.operations
    WHERE key = ANY(%(keys)b::uuid[]) AND provider = %(provider)s::text"""

_RESOLVE: Final = """
    UPDATE payments.operations AS operation
    SET state = changed.state, provider_reference = changed.provider_reference,
        first_attempt_at = changed.first_attempt_at, next_at = changed.next_at,
        possibly_executed = changed.possibly_executed, outcome = changed.outcome,
        target_reference = changed.target_reference, updated_at = now()
    FROM unnest(%(key)b::uuid[], %(state)b::text[], %(provider_reference)b::text[],
        %(first_attempt_at)b::timestamptz[], %(next_at)b::timestamptz[],
        %(possibly_executed)b::boolean[], %(outcome)b::text[], %(target_reference)b::text[])
        AS changed (key, state, provider_reference, first_attempt_at, next_at, possibly_executed,
            outcome, target_reference)
    WHERE operation.key = changed.key
        AND operation.state <> ALL('{succeeded,declined,failed}')"""

_QUEUED: Final = (
    "key",
    "order_id",
    "provider",
    "kind",
    "subject_id",
    "subject_attempt",
    "amount_minor",
    "currency",
    "source_value",
    "external_reference",
    "target_reference",
    "state",
    "outcome",
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
    "target_reference",
)


class OrderOf(Struct, frozen=True, kw_only=True):
    """Which order an operation belongs to."""

    key: UUID
    order_id: UUID


async def queue(tx: Transaction, operations: Sequence[Operation]) -> None:
    """Insert operations, for the dispatcher to claim or to wait for their turn."""
    if operations:
        await tx.execute(_QUEUE, **_columns(operations, _QUEUED))


async def lock(
    tx: Transaction, order_ids: Sequence[UUID], keys: Sequence[UUID] = ()
) -> list[Operation]:
    """Lock what is not over of locked payments, and their operations named by `keys`."""
    return await tx.fetch(Operation, _LOCK, order_ids=list(order_ids), keys=list(keys))


async def orders(tx: Transaction, provider: str, keys: Sequence[UUID]) -> dict[UUID, UUID]:
    """Return the orders of the operations that exist, by key."""
    found = await tx.fetch(OrderOf, _ORDERS, provider=provider, keys=list(keys))
    return {each.key: each.order_id for each in found}


async def resolve(tx: Transaction, operations: Sequence[Operation]) -> None:
    """Write outcomes; an operation that is over never changes again."""
    if operations:
        await tx.execute(_RESOLVE, **_columns(operations, _RESOLVED))


def _columns(operations: Sequence[Operation], names: Sequence[str]) -> dict[str, list[object]]:
    return {name: [getattr(operation, name) for operation in operations] for name in names}
