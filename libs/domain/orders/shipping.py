"""Ships all open units of a confirmed order: the money is taken first, then they may leave."""

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from libs.contracts.inventory import ShipStock, StockItem
from libs.contracts.orders import ValuedLine
from libs.contracts.payments import Amounts, CapturePayment
from libs.domain.orders.attention import (
    CAPTURE_FAILED,
    PAYMENT_UNRESOLVED,
    with_flag,
    without_flags,
    without_late_flag,
)
from libs.domain.orders.completion import ship_order
from libs.domain.orders.errors import OrderPartsLimit, QuantityUnavailable, ShipmentInProgress
from libs.domain.orders.order import Line, Order, PaymentStatus
from libs.domain.orders.saga import Decision, Situation, stock_items, unchanged
from libs.domain.orders.share import share
from libs.domain.orders.shipment import SHIPMENTS_MAX, Shipment, ShipmentState
from libs.domain.orders.status import Status
from libs.domain.orders.timeline import Actor, Entry
from libs.foundation.ids import new_id

CAPTURE_LATE_AFTER: Final = timedelta(hours=1)
SHIP_LATE_AFTER: Final = timedelta(hours=1)


def request_shipment(situation: Situation, actor: Actor, at: datetime) -> tuple[Decision, Shipment]:
    """Take every open unit into a new shipment, and ask for its money if it costs any."""
    _check(situation)
    wanted = _shipment_of(situation, at)
    if wanted.amount_minor == 0:
        shipment = _released(situation, wanted, at)
    else:
        shipment = replace(wanted, late_at=at + CAPTURE_LATE_AFTER)
    order = situation.order.next_version()
    decision = replace(
        unchanged(situation),
        lines=tuple(replace(line, shipped=line.shipped + line.open) for line in situation.lines),
        new_shipment=shipment,
    ).stepped(order, Entry(event=shipment.requested(order, at), actor=actor))
    if shipment.released:
        return _hand_over(decision, situation, shipment, at), shipment
    return replace(decision, commands=(capture_of(order, shipment),)), shipment


def capture_of(order: Order, shipment: Shipment) -> CapturePayment:
    """Return what asks for the money of a shipment, the same however often it is sent."""
    return CapturePayment(
        order_id=order.id, shipment_id=shipment.id, amount=order.money(shipment.amount_minor)
    )


def leaving_of(situation: Situation, shipment: Shipment) -> ShipStock:
    """Return what lets the pieces of a shipment leave, the same however often it is sent."""
    return ShipStock(
        order_id=situation.order.id,
        shipment_id=shipment.id,
        items=_items(situation, shipment),
    )


def release_shipment(
    situation: Situation, shipment: Shipment, amounts: Amounts, at: datetime
) -> Decision:
    """Let a shipment leave whose money is taken."""
    held = amounts.authorised.amount - amounts.captured.amount - amounts.released.amount
    status = PaymentStatus.AUTHORISED if held > 0 else PaymentStatus.SETTLED
    released = _released(situation, shipment, at)
    decision = replace(
        unchanged(situation),
        order=situation.order.with_amounts(amounts, status),
        shipments=(released,),
    )
    handed_over = _hand_over(decision, situation, released, at)
    cleared = without_flags(handed_over, (CAPTURE_FAILED, PAYMENT_UNRESOLVED), at)
    return without_late_flag(cleared, situation, at)


def fail_shipment(situation: Situation, shipment: Shipment, code: str, at: datetime) -> Decision:
    """Stop a shipment whose money cannot be taken: its units are open again."""
    stopped = {line.line_no: line.quantity for line in shipment.lines}
    order = situation.order.next_version()
    failed = replace(shipment, state=ShipmentState.FAILED, failure_code=code, late_at=None)
    decision = replace(
        unchanged(situation),
        lines=tuple(
            replace(line, shipped=line.shipped - stopped[line.line_no])
            for line in situation.lines
            if line.line_no in stopped
        ),
        shipments=(failed,),
    ).stepped(order, Entry(event=shipment.stopped(order, code, at), reason=code))
    flagged = with_flag(decision, CAPTURE_FAILED, code, at)
    return without_late_flag(without_flags(flagged, (PAYMENT_UNRESOLVED,), at), situation, at)


def stock_shipped(situation: Situation, shipment: Shipment, at: datetime) -> Decision:
    """Record that the pieces of a shipment have left the stock."""
    done = replace(shipment, stock_done=True, late_at=None)
    return without_late_flag(replace(unchanged(situation), shipments=(done,)), situation, at)


def _check(situation: Situation) -> None:
    order = situation.order
    order.require(Status.SHIPPED)
    if situation.awaits_capture:
        raise ShipmentInProgress(order.id)
    open_units = {line.line_no: line.open for line in situation.lines}
    if not any(open_units.values()):
        raise QuantityUnavailable(order.id, open_units)
    if len(situation.shipments) >= SHIPMENTS_MAX:
        raise OrderPartsLimit(order.id, "shipments", SHIPMENTS_MAX)


def _shipment_of(situation: Situation, at: datetime) -> Shipment:
    order = situation.order
    lines = tuple(_valued(order, line) for line in situation.lines if line.open > 0)
    first = not any(each.released for each in situation.shipments)
    shipping_minor = order.shipping_total_minor if first else 0
    return Shipment(
        id=new_id(),
        order_id=order.id,
        state=ShipmentState.AWAITING_CAPTURE,
        lines=lines,
        shipping_value_minor=shipping_minor,
        amount_minor=sum(line.value.amount for line in lines) + shipping_minor,
        requested_at=at,
    )


def _valued(order: Order, line: Line) -> ValuedLine:
    end = line.shipped + line.open
    return ValuedLine(
        line_no=line.line_no,
        sku=line.sku,
        quantity=line.open,
        value=order.money(share(line.total_minor, line.quantity, line.shipped, end)),
        tax=order.money(share(line.tax_minor, line.quantity, line.shipped, end)),
    )


def _released(situation: Situation, shipment: Shipment, at: datetime) -> Shipment:
    tracked = bool(_items(situation, shipment))
    return replace(
        shipment,
        state=ShipmentState.RELEASED,
        released_at=at,
        stock_sent=tracked,
        late_at=at + SHIP_LATE_AFTER if tracked else None,
    )


def _hand_over(
    decision: Decision, situation: Situation, released: Shipment, at: datetime
) -> Decision:
    """Add the version that lets the shipment leave, and the order's own if it was the last."""
    order = decision.order.next_version()
    decision = decision.stepped(order, Entry(event=released.handed_over(order, at)))
    if released.stock_sent:
        decision = replace(decision, commands=(leaving_of(situation, released),))
    return ship_order(decision, situation, at)


def _items(situation: Situation, shipment: Shipment) -> tuple[StockItem, ...]:
    tracked = {line.line_no for line in situation.lines if line.stock_tracked}
    return stock_items(
        (line.sku, line.quantity) for line in shipment.lines if line.line_no in tracked
    )
