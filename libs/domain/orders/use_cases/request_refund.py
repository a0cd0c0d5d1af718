"""Gives money back for shipped units, or by amount alone."""

from uuid import UUID

from libs.domain.orders.order import Order
from libs.domain.orders.refund import Refund
from libs.domain.orders.refunding import RefundWish
from libs.domain.orders.refunding import request_refund as decide
from libs.domain.orders.sql import refunds
from libs.domain.orders.timeline import Actor
from libs.domain.orders.use_cases.advance_sagas import store
from libs.domain.orders.use_cases.held_order import hold_order
from libs.foundation.clock import utc_now
from libs.foundation.database.transaction import Transaction


async def request_refund(
    tx: Transaction,
    order_id: UUID,
    expected_version: int | None,
    wish: RefundWish,
    note: str | None,
    actor: Actor,
) -> tuple[Order, Refund]:
    """Return the order as it is then and its new refund; None expects no version.

    Raises UnknownOrder, VersionMismatch, IllegalTransition, RefundExceedsRefundable,
    QuantityUnavailable, CurrencyMismatch and OrderPartsLimit.
    """
    locked, situation = await hold_order(tx, order_id, expected_version, actor)
    decision, refund = decide(situation, wish, actor, utc_now())
    await refunds.insert(tx, refund, note)
    await store(tx, locked, [decision])
    return decision.order, refund
