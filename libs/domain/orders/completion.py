"""How an order that has left comes to its end: shipped, then completed, or refunded."""

from datetime import datetime, timedelta
from typing import TypedDict

from msgspec.structs import replace

from libs.contracts.money import Money
from libs.contracts.orders import OrderCompleted, OrderRefunded, OrderShipped
from libs.domain.orders.saga import Decision, Situation, Step, unchanged
from libs.domain.orders.status import NEXT, Status
from libs.domain.orders.timeline import SYSTEM, Actor, Entry


class _Sums(TypedDict):
    due: Money
    captured: Money
    refunded: Money


def ship_order(decision: Decision, situation: Situation, at: datetime) -> Decision:
    """Add the version that makes the order shipped, once no unit is open or waits for money."""
    after = decision.after(situation)
    if after.awaits_capture or any(line.open for line in after.lines):
        return decision
    order = decision.order.become(Status.SHIPPED, at)
    event = OrderShipped(**order.head(at), **_sums(after))
    saga = replace(decision.saga, step=Step.SHIPPED, shipped_at=at)
    return replace(decision, saga=saga).stepped(order, Entry(event=event))


def complete(situation: Situation, complete_after: timedelta, at: datetime) -> Decision:
    """Complete an order that was shipped so long ago; any other is left alone."""
    shipped_at = situation.saga.shipped_at
    decision = unchanged(situation)
    if shipped_at is None or shipped_at + complete_after > at:
        return decision
    order = situation.order.become(Status.COMPLETED, at)
    event = OrderCompleted(**order.head(at), **_sums(situation))
    return _done(decision).stepped(order, Entry(event=event))


def refund_order(
    decision: Decision, situation: Situation, at: datetime, actor: Actor = SYSTEM
) -> Decision:
    """Add the version that makes the order refunded, once all that was due is given back."""
    after = decision.after(situation)
    if not after.given_back_minor == after.due_minor > 0:
        return decision
    if Status.REFUNDED not in NEXT[decision.order.status]:
        return decision
    order = decision.order.become(Status.REFUNDED, at)
    event = OrderRefunded(**order.head(at), **_sums(after))
    return _done(decision).stepped(order, Entry(event=event, actor=actor))


def _done(decision: Decision) -> Decision:
    return replace(decision, saga=replace(decision.saga, step=Step.DONE, shipped_at=None))


def _sums(situation: Situation) -> _Sums:
    order = situation.order
    return {
        "due": order.money(situation.due_minor),
        "captured": order.money(order.captured_minor),
        "refunded": order.money(situation.given_back_minor),
    }
