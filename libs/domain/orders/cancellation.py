"""Cancels a whole order: every unit from the back, and the shipping with the last of them."""

from datetime import datetime
from enum import StrEnum

from msgspec.structs import replace

from libs.contracts.orders import ValuedLine
from libs.domain.orders.attention import CAPTURE_FAILED, STEP_LATE, without_flags
from libs.domain.orders.errors import QuantityUnavailable
from libs.domain.orders.order import Cancellation, Line, Order
from libs.domain.orders.saga import Decision, Situation, compensate
from libs.domain.orders.share import share
from libs.domain.orders.status import Status
from libs.domain.orders.timeline import Actor, Entry
from libs.foundation.ids import new_id


class CancellationReason(StrEnum):
    CUSTOMER_REQUEST = "customer_request"
    FRAUD_SUSPECTED = "fraud_suspected"
    STOCK_MISSING = "stock_missing"
    PRICING_ERROR = "pricing_error"
    OTHER = "other"


def cancel(
    situation: Situation, reason: CancellationReason, actor: Actor, at: datetime
) -> tuple[Decision, Cancellation]:
    """Close the order at once and send after it what gives stock and money back.

    Units in a shipment cannot be taken back: as long as there is one, nothing is cancelled.
    """
    situation.order.require(Status.CANCELLED)
    if any(line.shipped for line in situation.lines):
        open_units = {line.line_no: line.open for line in situation.lines}
        raise QuantityUnavailable(situation.order.id, open_units)
    cancellation = _cancellation_of(situation, reason)
    order, event = situation.order.cancel(cancellation, at)
    saga, commands = compensate(situation.saga, order.total_minor, at)
    cancelled = Decision(
        order=order,
        saga=saga,
        entries=(Entry(event=event, actor=actor, reason=reason.value),),
        commands=commands,
        lines=tuple(
            replace(line, cancelled=line.quantity - line.shipped) for line in situation.lines
        ),
    )
    return without_flags(cancelled, (STEP_LATE, CAPTURE_FAILED), at), cancellation


def _cancellation_of(situation: Situation, reason: CancellationReason) -> Cancellation:
    order = situation.order
    lines = tuple(_open_units(order, line) for line in situation.lines)
    value_minor = sum(line.value.amount for line in lines) + order.shipping_total_minor
    return Cancellation(id=new_id(), reason=reason.value, lines=lines, value_minor=value_minor)


def _open_units(order: Order, line: Line) -> ValuedLine:
    end = line.quantity - line.cancelled
    return ValuedLine(
        line_no=line.line_no,
        sku=line.sku,
        quantity=end - line.shipped,
        value=order.money(share(line.total_minor, line.quantity, line.shipped, end)),
        tax=order.money(share(line.tax_minor, line.quantity, line.shipped, end)),
    )
