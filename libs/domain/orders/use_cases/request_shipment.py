"""Ships all open units of an order, once their money is taken."""

from uuid import UUID

from libs.domain.orders.order import Order
from libs.domain.orders.shipment import Shipment
from libs.domain.orders.shipping import request_shipment as decide
from libs.domain.orders.sql import shipments
from libs.domain.orders.timeline import Actor
from libs.domain.orders.use_cases.advance_sagas import store
from libs.domain.orders.use_cases.held_order import hold_order
from libs.foundation.clock import utc_now
from libs.foundation.database.transaction import Transaction


async def request_shipment(
    tx: Transaction, order_id: UUID, expected_version: int | None, actor: Actor
) -> tuple[Order, Shipment]:
    """Return the order as it is then and its new shipment; None expects no version.

    Raises UnknownOrder, VersionMismatch, IllegalTransition, ShipmentInProgress,
    QuantityUnavailable and OrderPartsLimit.
    """
    locked, situation = await hold_order(tx, order_id, expected_version, actor)
    decision, shipment = decide(situation, actor, utc_now())
    await shipments.insert(tx, shipment)
    await store(tx, locked, [decision])
    return decision.order, shipment
