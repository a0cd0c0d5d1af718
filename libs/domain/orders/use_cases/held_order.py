"""Holds one order for a change that its caller has decided on."""

from uuid import UUID

from libs.domain.orders.errors import UnknownOrder, VersionMismatch
from libs.domain.orders.order import Order
from libs.domain.orders.saga import Situation
from libs.domain.orders.sql import order_changes
from libs.domain.orders.timeline import Actor, ActorKind
from libs.domain.orders.use_cases.advance_sagas import situations_of
from libs.foundation.database.transaction import Locked, Transaction


async def hold_order(
    tx: Transaction, order_id: UUID, expected_version: int | None, actor: Actor
) -> tuple[Locked[Order], Situation]:
    """Lock the order and read what decisions about it need; None expects no version.

    Raises UnknownOrder (also for another customer's order) and VersionMismatch.
    """
    locked = await order_changes.lock(tx, [order_id])
    if not locked or not _may_know(actor, locked[0]):
        raise UnknownOrder(order_id)
    order = locked[0]
    if expected_version is not None and expected_version != order.version:
        raise VersionMismatch(order_id, expected_version, order.version)
    return locked, (await situations_of(tx, locked))[order_id]


def _may_know(actor: Actor, order: Order) -> bool:
    return actor.kind is not ActorKind.CUSTOMER or actor.id == order.customer_id
