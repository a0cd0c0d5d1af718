"""Decides about a refund that failed: the provider is asked again, or a person has paid."""

from uuid import UUID

from libs.domain.orders.errors import UnknownPart
from libs.domain.orders.order import Order
from libs.domain.orders.refund import Refund
from libs.domain.orders.refunding import retry, settle_manually
from libs.domain.orders.saga import Situation
from libs.domain.orders.sql import refunds
from libs.domain.orders.timeline import Actor
from libs.domain.orders.use_cases.advance_sagas import store
from libs.domain.orders.use_cases.held_order import hold_order
from libs.foundation.clock import utc_now
from libs.foundation.database.transaction import Transaction


async def retry_refund(
    tx: Transaction, order_id: UUID, refund_id: UUID, expected_version: int | None, actor: Actor
) -> tuple[Order, Refund]:
    """Ask the provider again; raises UnknownOrder, UnknownPart, VersionMismatch, IllegalRefundStep.

    None expects no version.
    """
    locked, situation = await hold_order(tx, order_id, expected_version, actor)
    decision = retry(situation, _refund(situation, refund_id), actor, utc_now())
    await store(tx, locked, [decision])
    return decision.order, _refund(decision.after(situation), refund_id)


async def settle_refund_manually(
    tx: Transaction,
    order_id: UUID,
    refund_id: UUID,
    expected_version: int | None,
    note: str,
    actor: Actor,
) -> tuple[Order, Refund]:
    """Record that it was paid back elsewhere; raises what retry_refund raises."""
    locked, situation = await hold_order(tx, order_id, expected_version, actor)
    decision = settle_manually(situation, _refund(situation, refund_id), actor, utc_now())
    await refunds.save_settlement_note(tx, refund_id, note)
    await store(tx, locked, [decision])
    return decision.order, _refund(decision.after(situation), refund_id)


def _refund(situation: Situation, refund_id: UUID) -> Refund:
    for refund in situation.refunds:
        if refund.id == refund_id:
            return refund
    raise UnknownPart(situation.order.id, "refund")
