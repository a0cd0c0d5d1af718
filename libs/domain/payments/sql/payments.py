"""payments.payments: begin, lock and save."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from libs.domain.payments.payment import Payment
from libs.foundation.database.transaction import Locked, Transaction

_BEGIN: Final = """
    INSERT INTO payments.payments (order_id, provider, source_kind, state, currency,
        planned_minor, sequence)
    SELECT order_id, provider, source_kind, state, currency, planned_minor, 0
    FROM unnest(%(order_id)b::uuid[], %(provider)b::text[], %(source_kind)b::text[],
        %(state)b::text[], %(currency)b::text[], %(planned_minor)b::bigint[])
        AS new (order_id, provider, source_kind, state, currency, planned_minor)
    ORDER BY order_id
    ON CONFLICT (order_id) DO NOTHING
    RETURNING order_id"""

_LOCK: Final = """
    SELECT order_id, provider, provider_reference, source_kind, state, currency, planned_minor,
        due_minor, authorised_minor, captured_minor, released_minor, returned_minor,
        refunded_minor, capture_before, decline_code, sequence
    FROM payments.payments
    WHERE order_id = ANY(%(order_ids)b::uuid[])
    ORDER BY order_id
    FOR NO KEY UPDATE"""

_SAVE: Final = """
    UPDATE payments.payments AS payment
    SET provider_reference = changed.provider_reference, state = changed.state,
        planned_minor = changed.planned_minor, due_minor = changed.due_minor,
        authorised_minor = changed.authorised_minor, captured_minor = changed.captured_minor,
        released_minor = changed.released_minor, returned_minor = changed.returned_minor,
        refunded_minor = changed.refunded_minor, capture_before = changed.capture_before,
        decline_code = changed.decline_code, sequence = changed.sequence, updated_at = now()
    FROM unnest(%(order_id)b::uuid[], %(provider_reference)b::text[], %(state)b::text[],
        %(planned_minor)b::bigint[], %(due_minor)b::bigint[], %(authorised_minor)b::bigint[],
        %(captured_minor)b::bigint[], %(released_minor)b::bigint[], %(returned_minor)b::bigint[],
        %(refunded_minor)b::bigint[], %(capture_before)b::timestamptz[], %(decline_code)b::text[],
        %(sequence)b::bigint[])
        AS changed (order_id, provider_reference, state, planned_minor, due_minor,
            authorised_minor, captured_minor, released_minor, returned_minor, refunded_minor,
            capture_before, decline_code, sequence)
    WHERE payment.order_id = changed.order_id"""

_BEGUN: Final = ("order_id", "provider", "source_kind", "state", "currency", "planned_minor")
_SAVED: Final = (
    "order_id",
    "provider_reference",
    "state",
    "planned_minor",
    "due_minor",
    "authorised_minor",
    "captured_minor",
    "released_minor",
    "returned_minor",
    "refunded_minor",
    "capture_before",
    "decline_code",
    "sequence",
)


async def begin(tx: Transaction, payments: Sequence[Payment]) -> set[UUID]:
    """Insert the payments that do not exist yet, and return the orders of those."""
    columns = {name: [getattr(payment, name) for payment in payments] for name in _BEGUN}
    return set(await tx.fetch(UUID, _BEGIN, **columns))


async def lock(tx: Transaction, order_ids: Sequence[UUID]) -> Locked[Payment]:
    """Lock in order of the id, so that two batches queue instead of deadlocking."""
    return Locked(await tx.fetch(Payment, _LOCK, order_ids=list(order_ids)))


async def save(tx: Transaction, payments: Sequence[Payment]) -> None:
    """Write what a decision changed; the rows are locked."""
    if payments:
        columns = {name: [getattr(payment, name) for payment in payments] for name in _SAVED}
        await tx.execute(_SAVE, **columns)
