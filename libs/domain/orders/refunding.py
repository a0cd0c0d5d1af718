"""Gives money back for what was shipped: accepted at once, and counted from then on."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from libs.contracts.inventory import ReturnStock
from libs.contracts.messages import Command
from libs.contracts.money import Money
from libs.contracts.orders import RefundedLine
from libs.contracts.payments import Amounts, RefundPayment
from libs.domain.orders.attention import (
    PAYMENT_UNRESOLVED,
    REFUND_FAILED,
    with_flag,
    without_flags,
    without_late_flag,
)
from libs.domain.orders.completion import refund_order
from libs.domain.orders.errors import (
    IllegalRefundStep,
    OrderPartsLimit,
    QuantityUnavailable,
    RefundExceedsRefundable,
)
from libs.domain.orders.order import Line, Order
from libs.domain.orders.placing_errors import CurrencyMismatch
from libs.domain.orders.refund import (
    REFUND_NEXT,
    REFUNDS_MAX,
    Refund,
    RefundReason,
    RefundState,
)
from libs.domain.orders.saga import Decision, Situation, stock_items, unchanged
from libs.domain.orders.share import share
from libs.domain.orders.status import Status
from libs.domain.orders.timeline import SYSTEM, Actor, Entry
from libs.foundation.ids import new_id

REFUND_LATE_AFTER: Final = timedelta(days=10)


class RefundWish(Struct, frozen=True, kw_only=True):
    """What is asked for: everything that is left, or `adjustment` alone."""

    reason: RefundReason
    adjustment: Money | None = None
    restock: bool = False


def request_refund(
    situation: Situation, wish: RefundWish, actor: Actor, at: datetime
) -> tuple[Decision, Refund]:
    """Accept a refund and send after it what moves money and stock."""
    order = situation.order
    order.require(Status.REFUNDED)
    if len(situation.refunds) >= REFUNDS_MAX:
        raise OrderPartsLimit(order.id, "refunds", REFUNDS_MAX)
    refund = _refund_of(situation, wish, at)
    if refund.amount_minor > situation.refundable_minor:
        refundable = order.money(max(0, situation.refundable_minor))
        raise RefundExceedsRefundable(order.id, refundable)
    version = order.next_version()
    commands = commands_of(order, refund)
    if commands:
        refund = replace(refund, late_at=at + REFUND_LATE_AFTER)
    decision = replace(
        unchanged(situation),
        commands=commands,
        lines=_counted(situation.lines, refund.lines),
        new_refund=refund,
    ).stepped(version, Entry(event=refund.requested(version, at), actor=actor))
    if refund.given_back:
        decision = _announce(decision, situation, refund, at, SYSTEM)
    return decision, refund


def succeed(situation: Situation, refund: Refund, amounts: Amounts, at: datetime) -> Decision:
    """Show that the provider has given the money back."""
    order = situation.order.with_amounts(amounts, situation.order.payment_status)
    given_back = _without_wait(replace(refund, state=RefundState.SUCCEEDED))
    decision = replace(unchanged(situation), order=order, refunds=(given_back,))
    decision = _announce(decision, situation, given_back, at, SYSTEM)
    return _cleared(decision, situation, at)


def fail(situation: Situation, refund: Refund, code: str, at: datetime) -> Decision:
    """Show that this attempt gave nothing back, for a person to decide about the next."""
    order = situation.order.next_version()
    failed = _without_wait(replace(refund, state=RefundState.FAILED, failure_code=code))
    entry = Entry(event=failed.refused(order, code, at), reason=code)
    decision = replace(unchanged(situation), refunds=(failed,)).stepped(order, entry)
    return _cleared(with_flag(decision, REFUND_FAILED, code, at), situation, at)


def retry(situation: Situation, refund: Refund, actor: Actor, at: datetime) -> Decision:
    """Ask the provider again, under a new key."""
    _require(refund, RefundState.PENDING)
    again = replace(
        refund,
        state=RefundState.PENDING,
        attempt=refund.attempt + 1,
        failure_code=None,
        late_at=at + REFUND_LATE_AFTER,
    )
    order = situation.order.next_version()
    decision = replace(
        unchanged(situation), refunds=(again,), commands=(_payment(order, again),)
    ).stepped(order, Entry(event=again.requested(order, at), actor=actor))
    return _cleared(decision, situation, at)


def settle_manually(situation: Situation, refund: Refund, actor: Actor, at: datetime) -> Decision:
    """Record that a person has paid it back elsewhere."""
    _require(refund, RefundState.SETTLED_MANUALLY)
    settled = replace(refund, state=RefundState.SETTLED_MANUALLY)
    decision = replace(unchanged(situation), refunds=(settled,))
    return _cleared(_announce(decision, situation, settled, at, actor), situation, at)


def stock_returned(situation: Situation, refund: Refund, at: datetime) -> Decision:
    """Record that the pieces of a refund are in the stock again."""
    back = replace(refund, stock_done=True)
    decision = replace(unchanged(situation), refunds=(_without_wait(back),))
    return without_late_flag(decision, situation, at)


def _refund_of(situation: Situation, wish: RefundWish, at: datetime) -> Refund:
    order = situation.order
    if wish.adjustment is not None and wish.adjustment.currency != order.currency:
        raise CurrencyMismatch("adjustment", wish.adjustment.currency, order.currency)
    whole = wish.adjustment is None
    lines = _lines_left(situation, restock=wish.restock) if whole else ()
    refunded_minor = sum(each.shipping_minor for each in situation.refunds)
    shipping_minor = order.shipping_total_minor - refunded_minor if whole else 0
    if whole and not lines and shipping_minor == 0:
        raise QuantityUnavailable(order.id, {line.line_no: 0 for line in situation.lines})
    value_minor = sum(line.value.amount for line in lines) + shipping_minor
    if wish.adjustment is None:
        # Amounts given before are part of the value: the whole is what is left of it.
        adjustment_minor = min(0, situation.refundable_minor - value_minor)
    else:
        adjustment_minor = wish.adjustment.amount
    amount_minor = value_minor + adjustment_minor
    return Refund(
        id=new_id(),
        order_id=order.id,
        state=RefundState.PENDING if amount_minor else RefundState.SUCCEEDED,
        reason=wish.reason,
        lines=lines,
        shipping_minor=shipping_minor,
        adjustment_minor=adjustment_minor,
        amount_minor=amount_minor,
        tax_minor=sum(line.tax.amount for line in lines)
        + _shipping_tax(order, refunded_minor, shipping_minor),
        requested_at=at,
        stock_sent=any(line.restock for line in lines),
    )


def _lines_left(situation: Situation, *, restock: bool) -> tuple[RefundedLine, ...]:
    order = situation.order
    return tuple(
        RefundedLine(
            line_no=line.line_no,
            sku=line.sku,
            quantity=line.shipped - line.refunded,
            value=order.money(_part(line, line.total_minor)),
            tax=order.money(_part(line, line.tax_minor)),
            restock=restock and line.stock_tracked,
        )
        for line in situation.lines
        if line.shipped > line.refunded
    )


def _part(line: Line, of_minor: int) -> int:
    return share(of_minor, line.quantity, line.refunded, line.shipped)


def _shipping_tax(order: Order, refunded_minor: int, shipping_minor: int) -> int:
    if shipping_minor == 0:
        return 0
    end = refunded_minor + shipping_minor
    return share(order.shipping_tax_minor, order.shipping_total_minor, refunded_minor, end)


def _counted(lines: Sequence[Line], refunded: Sequence[RefundedLine]) -> tuple[Line, ...]:
    by_number = {line.line_no: line for line in lines}
    return tuple(
        replace(
            by_number[each.line_no],
            refunded=by_number[each.line_no].refunded + each.quantity,
            restocked=by_number[each.line_no].restocked + (each.quantity if each.restock else 0),
        )
        for each in refunded
    )


def commands_of(order: Order, refund: Refund) -> tuple[Command, ...]:
    """Return what asks for what is open of a refund, the same however often it is sent."""
    commands: tuple[Command, ...] = ()
    if refund.pending:
        commands = (_payment(order, refund),)
    if refund.stock_sent and not refund.stock_done:
        items = stock_items((line.sku, line.quantity) for line in refund.lines if line.restock)
        back = ReturnStock(order_id=order.id, refund_id=refund.id, items=items)
        commands = (*commands, back)
    return commands


def _payment(order: Order, refund: Refund) -> RefundPayment:
    return RefundPayment(
        order_id=order.id,
        refund_id=refund.id,
        attempt=refund.attempt,
        amount=order.money(refund.amount_minor),
    )


def _announce(
    decision: Decision, situation: Situation, refund: Refund, at: datetime, actor: Actor
) -> Decision:
    """Add the version that says the money is back, and the order's own if all of it is."""
    order = decision.order.next_version()
    entry = Entry(event=refund.succeeded(order, at), actor=actor)
    return refund_order(decision.stepped(order, entry), situation, at, actor)


def _cleared(decision: Decision, situation: Situation, at: datetime) -> Decision:
    """Take away the flags whose reason this step has ended."""
    codes = [PAYMENT_UNRESOLVED]
    if not any(each.failed for each in decision.after(situation).refunds):
        codes.append(REFUND_FAILED)
    return without_late_flag(without_flags(decision, codes, at), situation, at)


def _without_wait(refund: Refund) -> Refund:
    return refund if refund.waiting else replace(refund, late_at=None)


def _require(refund: Refund, wanted: RefundState) -> None:
    allowed = REFUND_NEXT[refund.state]
    if refund.state is not RefundState.FAILED or wanted not in allowed:
        raise IllegalRefundStep(refund.id, refund.state, frozenset(allowed))
