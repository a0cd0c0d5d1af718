"""Builds orders, sagas and messages with defaults, so that a test names only what it is about."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from libs.contracts.inventory import (
    ReleaseStock,
    ReserveStock,
    ReturnStock,
    ShipStock,
    StockItem,
    StockRejected,
    StockReleased,
    StockReserved,
    StockReturned,
    StockShipped,
)
from libs.contracts.money import Money
from libs.contracts.orders import ShortItem
from libs.contracts.payments import (
    Amounts,
    CaptureFailed,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentDeclined,
    PaymentReduced,
    PaymentSource,
    PaymentUnresolved,
    RefundFailed,
    RefundSucceeded,
)
from libs.domain.orders.order import Line, Order, PaymentStatus
from libs.domain.orders.saga import Saga, Situation, Step
from libs.domain.orders.shipping import release_shipment, request_shipment, stock_shipped
from libs.domain.orders.status import Status
from libs.domain.orders.timeline import SYSTEM
from libs.foundation.ids import new_id

NOW: Final = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
SOURCE: Final = PaymentSource(provider="simulator", kind="token", value="tok_good")


def euros(amount_minor: int) -> Money:
    return Money(amount=amount_minor, currency="EUR")


def line(
    sku: str = "TEE",
    quantity: int = 1,
    total_minor: int = 2_000,
    *,
    line_no: int = 1,
    stock_tracked: bool = True,
) -> Line:
    return Line(
        line_no=line_no,
        sku=sku,
        name=f"The {sku}",
        quantity=quantity,
        stock_tracked=stock_tracked,
        tax_minor=total_minor // 6,
        total_minor=total_minor,
    )


def order(
    lines: Sequence[Line] = (),
    *,
    status: Status = Status.PENDING,
    version: int = 1,
    shipping_total_minor: int = 0,
    customer_id: str | None = "c_1",
) -> Order:
    order_id = new_id()
    return Order(
        id=order_id,
        number=100_000,
        external_reference=f"web-{order_id}",
        customer_id=customer_id,
        channel="web",
        status=status,
        version=version,
        currency="EUR",
        total_minor=sum(each.total_minor for each in lines) + shipping_total_minor,
        shipping_method="standard" if shipping_total_minor else None,
        shipping_total_minor=shipping_total_minor,
        shipping_tax_minor=shipping_total_minor // 6,
        destination_country="DE",
        destination_region=None,
    )


def situation(
    step: Step, status: Status, lines: Sequence[Line] | None = None, saga: Saga | None = None
) -> Situation:
    """Build an order in `status` whose saga stands at `step`, with all that led there sent."""
    held = (line(),) if lines is None else tuple(lines)
    placed = order(held, status=status)
    if saga is None:
        undone = step in {Step.COMPENSATE, Step.DONE}
        saga = Saga(
            order_id=placed.id,
            step=step,
            payment_source=SOURCE if step is Step.RESERVE else None,
            reserve_sent=True,
            authorise_sent=step is not Step.RESERVE,
            release_id=new_id() if undone else None,
            release_done=step is Step.DONE,
            reduction_id=new_id() if undone else None,
            reduction_done=step is Step.DONE,
        )
    return Situation(order=placed, saga=saga, lines=held)


def confirmed(lines: Sequence[Line] | None = None, shipping_total_minor: int = 0) -> Situation:
    """Build a confirmed order whose money is authorised and whose stock is held."""
    now = situation(Step.CONFIRMED, Status.CONFIRMED, lines)
    total_minor = now.order.total_minor + shipping_total_minor
    paid = replace(
        now.order,
        total_minor=total_minor,
        shipping_total_minor=shipping_total_minor,
        shipping_tax_minor=shipping_total_minor // 6,
        payment_status=PaymentStatus.AUTHORISED if total_minor else PaymentStatus.NONE,
        authorised_minor=total_minor,
    )
    return replace(now, order=paid)


def shipped(lines: Sequence[Line] | None = None, shipping_total_minor: int = 0) -> Situation:
    """Build an order that was shipped whole, and whose pieces have left the stock."""
    now = confirmed(lines, shipping_total_minor)
    decision, shipment = request_shipment(now, SYSTEM, NOW)
    now = decision.after(now)
    if not shipment.released:
        taken = amounts(shipment.amount_minor, captured_minor=shipment.amount_minor)
        now = release_shipment(now, shipment, taken, NOW).after(now)
    (released,) = now.shipments
    return stock_shipped(now, released, NOW).after(now) if released.stock_sent else now


def amounts(
    authorised_minor: int = 0,
    released_minor: int = 0,
    *,
    captured_minor: int = 0,
    refunded_minor: int = 0,
) -> Amounts:
    return Amounts(
        planned=euros(authorised_minor - released_minor),
        due=euros(captured_minor),
        authorised=euros(authorised_minor),
        captured=euros(captured_minor),
        released=euros(released_minor),
        returned=euros(0),
        refunded=euros(refunded_minor),
    )


def reserve_stock(order_id: UUID | None = None, /, **quantities: int) -> ReserveStock:
    return ReserveStock(order_id=order_id or new_id(), items=_items(quantities))


def release_stock(
    order_id: UUID,
    release_id: UUID | None = None,
    *,
    items: tuple[StockItem, ...] | None = None,
) -> ReleaseStock:
    return ReleaseStock(order_id=order_id, release_id=release_id or new_id(), items=items)


def ship_stock(order_id: UUID, shipment_id: UUID | None = None, /, **quantities: int) -> ShipStock:
    return ShipStock(
        order_id=order_id, shipment_id=shipment_id or new_id(), items=_items(quantities)
    )


def return_stock(
    order_id: UUID, refund_id: UUID | None = None, /, **quantities: int
) -> ReturnStock:
    return ReturnStock(order_id=order_id, refund_id=refund_id or new_id(), items=_items(quantities))


def stock_reserved(order_id: UUID) -> StockReserved:
    return StockReserved(order_id=order_id)


def stock_rejected(order_id: UUID, code: str = "short") -> StockRejected:
    short = (ShortItem(sku="TEE", requested=1, available=0),) if code == "short" else ()
    return StockRejected(order_id=order_id, short=short, code=code)


def stock_released(order_id: UUID, release_id: UUID | None) -> StockReleased:
    return StockReleased(order_id=order_id, release_id=release_id or new_id(), items=())


def payment_authorised(order_id: UUID, amount_minor: int) -> PaymentAuthorised:
    return PaymentAuthorised(
        order_id=order_id,
        amounts=amounts(amount_minor),
        capture_before=datetime(2026, 11, 30, tzinfo=UTC),
    )


def payment_declined(order_id: UUID, decline_code: str = "card_declined") -> PaymentDeclined:
    return PaymentDeclined(order_id=order_id, decline_code=decline_code)


def payment_reduced(
    order_id: UUID, reduction_id: UUID | None, given_back_minor: int = 0
) -> PaymentReduced:
    return PaymentReduced(
        order_id=order_id,
        reduction_id=reduction_id or new_id(),
        amounts=amounts(given_back_minor, given_back_minor),
    )


def payment_unresolved(
    order_id: UUID, subject_id: UUID | None = None, operation: str = "authorise"
) -> PaymentUnresolved:
    return PaymentUnresolved(
        order_id=order_id, operation=operation, reason="no answer", subject_id=subject_id
    )


def payment_captured(
    order_id: UUID, shipment_id: UUID, captured_minor: int, authorised_minor: int | None = None
) -> PaymentCaptured:
    held = captured_minor if authorised_minor is None else authorised_minor
    return PaymentCaptured(
        order_id=order_id,
        shipment_id=shipment_id,
        amounts=amounts(held, captured_minor=captured_minor),
    )


def capture_failed(order_id: UUID, shipment_id: UUID, code: str = "expired") -> CaptureFailed:
    return CaptureFailed(order_id=order_id, shipment_id=shipment_id, code=code)


def stock_has_shipped(order_id: UUID, shipment_id: UUID) -> StockShipped:
    return StockShipped(order_id=order_id, shipment_id=shipment_id, items=())


def stock_has_returned(order_id: UUID, refund_id: UUID) -> StockReturned:
    return StockReturned(order_id=order_id, refund_id=refund_id, items=())


def refund_succeeded(
    order_id: UUID, refund_id: UUID, refunded_minor: int = 0, attempt: int = 1
) -> RefundSucceeded:
    return RefundSucceeded(
        order_id=order_id,
        refund_id=refund_id,
        attempt=attempt,
        amounts=amounts(refunded_minor=refunded_minor),
    )


def refund_failed(order_id: UUID, refund_id: UUID, attempt: int = 1) -> RefundFailed:
    return RefundFailed(
        order_id=order_id, refund_id=refund_id, attempt=attempt, code="account_closed"
    )


def _items(quantities: dict[str, int]) -> tuple[StockItem, ...]:
    return tuple(StockItem(sku=sku, quantity=quantities[sku]) for sku in sorted(quantities))
