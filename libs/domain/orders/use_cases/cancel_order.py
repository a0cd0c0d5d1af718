"""Cancels a whole order; final at once, whatever is in flight."""

from uuid import UUID

from libs.domain.orders.cancellation import CancellationReason, cancel
from libs.domain.orders.order import Order
from libs.domain.orders.sql import cancellations
from libs.domain.orders.timeline import Actor
from libs.domain.orders.use_cases.advance_sagas import store
from libs.domain.orders.use_cases.held_order import hold_order
from libs.foundation.clock import utc_now
from libs.foundation.database.transaction import Transaction


async def cancel_order(
    tx: Transaction,
    order_id: UUID,
    expected_version: int | None,
    reason: CancellationReason,
    actor: Actor,
) -> Order:
    """Cancel every unit and return the order as it is then; None expects no version.

    Raises UnknownOrder (also for another customer's order), VersionMismatch, IllegalTransition
    and QuantityUnavailable.
    """
    locked, situation = await hold_order(tx, order_id, expected_version, actor)
    at = utc_now()
    decision, cancellation = cancel(situation, reason, actor, at)
    await cancellations.insert(tx, order_id, cancellation, at)
    await store(tx, locked, [decision])
    return decision.order
