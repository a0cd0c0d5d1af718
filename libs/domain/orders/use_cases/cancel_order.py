"""Cancels a whole order; final at once, whatever is in flight."""

from uuid import UUID

from libs.domain.orders.cancellation import CancellationReason, cancel
from libs.domain.orders.errors import UnknownOrder, VersionMismatch
from libs.domain.orders.order import Order
from libs.domain.orders.sql import cancellations, order_changes
from libs.domain.orders.timeline import Actor, ActorKind
from libs.domain.orders.use_cases.advance_sagas import situations_of, store
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

    Raises UnknownOrder (also for another customer's order), VersionMismatch and
    IllegalTransition.
    """
    locked = await order_changes.lock(tx, [order_id])
    if not locked or not _may_know(actor, locked[0]):
        raise UnknownOrder(order_id)
    order = locked[0]
    if expected_version is not None and expected_version != order.version:
        raise VersionMismatch(order_id, expected_version, order.version)
    situations = await situations_of(tx, locked)
    at = utc_now()
    decision, cancellation = cancel(situations[order_id], reason, actor, at)
    await cancellations.insert(tx, order_id, cancellation, at)
    await store(tx, locked, [decision])
    return decision.order


def _may_know(actor: Actor, order: Order) -> bool:
    return actor.kind is not ActorKind.CUSTOMER or actor.id == order.customer_id
