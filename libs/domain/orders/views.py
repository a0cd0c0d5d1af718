"""Orders, timelines and products as the API shows them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from libs.contracts.money import Money
from libs.contracts.orders import ShippingCharge, Totals
from libs.domain.orders.order import Rejection
from libs.domain.orders.part_views import (
    RefundView,
    ShipmentView,
    refund_view,
    shipment_view,
    time_or_none,
)
from libs.domain.orders.sql.orders import CancellationRow, OrderLineRow, OrderRow, TimelineRow
from libs.domain.orders.sql.products import ProductRow
from libs.foundation.clock import rfc3339


class LineView(Struct, frozen=True, kw_only=True):
    line_no: int
    sku: str
    name: str
    quantity: int
    unit_price: Money
    discount: Money
    tax: Money
    total: Money
    shipped: int
    cancelled: int
    refunded: int
    restocked: int


class PaymentView(Struct, frozen=True, kw_only=True):
    """Orders' own copy of the money, changed only together with the version."""

    status: str
    provider: str
    authorised: Money
    captured: Money
    returned: Money
    refunded: Money
    refundable: Money
    capture_before: str | None


class CancellationView(Struct, frozen=True, kw_only=True):
    id: UUID
    reason: str
    lines: list[dict[str, Any]]
    value: Money
    at: str


class OrderView(Struct, frozen=True, kw_only=True):
    """One order; `attention` and `contact` are there only for who may see them."""

    id: UUID
    number: str
    external_reference: str | None
    customer_id: str | None
    channel: str | None
    status: str
    version: int
    fulfilment: str
    currency: str
    taxes_included: bool
    lines: list[LineView]
    shipping: ShippingCharge | None
    totals: Totals
    payment: PaymentView
    shipments: list[ShipmentView]
    cancellations: list[CancellationView]
    refunds: list[RefundView]
    rejection: Rejection | None
    metadata: dict[str, str]
    placed_at: str
    confirmed_at: str | None
    closed_at: str | None
    updated_at: str
    attention: Sequence[str] | msgspec.UnsetType = msgspec.UNSET
    contact: dict[str, Any] | msgspec.UnsetType | None = msgspec.UNSET


class OrderList(Struct, frozen=True, kw_only=True):
    items: list[OrderView]
    next_cursor: str | None


class ActorView(Struct, frozen=True, kw_only=True):
    kind: str
    id: str | msgspec.UnsetType | None = msgspec.UNSET


class TimelineEntryView(Struct, frozen=True, kw_only=True):
    """One version of an order: its event and who caused it."""

    sequence: int
    type: str
    at: str
    actor: ActorView
    reason: str | None
    data: msgspec.Raw


class TimelineView(Struct, frozen=True, kw_only=True):
    items: list[TimelineEntryView]
    next_cursor: str | None


class ProductView(Struct, frozen=True, kw_only=True):
    sku: str
    name: str
    price: Money | None
    active: bool
    stock_tracked: bool
    version: int
    created_at: str
    updated_at: str


class ProductList(Struct, frozen=True, kw_only=True):
    items: list[ProductView]
    next_cursor: str | None


def order_view(row: OrderRow, *, for_customer: bool) -> OrderView:
    """Show an order; customers do not see which flags people work on."""
    money = Money(amount=0, currency=row.currency)
    return OrderView(
        id=row.id,
        number=str(row.number),
        external_reference=row.external_reference,
        customer_id=row.customer_id,
        channel=row.channel,
        status=row.status,
        version=row.version,
        fulfilment=_fulfilment(row.lines),
        currency=row.currency,
        taxes_included=row.taxes_included,
        lines=[_line_view(line, money) for line in row.lines],
        shipping=_shipping_view(row, money),
        totals=_totals_view(row, money),
        payment=_payment_view(row, money),
        shipments=[shipment_view(each, row.currency) for each in row.shipments or ()],
        cancellations=[_cancellation_view(each, money) for each in row.cancellations or ()],
        refunds=[refund_view(each, row.currency) for each in row.refunds or ()],
        attention=msgspec.UNSET if for_customer else row.attention,
        rejection=row.rejection,
        metadata=row.metadata,
        placed_at=rfc3339(row.placed_at),
        confirmed_at=time_or_none(row.confirmed_at),
        closed_at=time_or_none(row.closed_at),
        updated_at=rfc3339(row.updated_at),
    )


def timeline_entry_view(row: TimelineRow, *, for_customer: bool) -> TimelineEntryView:
    """Show one version; customers do not see who of the staff it was."""
    actor_id = msgspec.UNSET if for_customer else row.actor_id
    return TimelineEntryView(
        sequence=row.sequence,
        type=row.type,
        at=rfc3339(row.at),
        actor=ActorView(kind=row.actor_kind, id=actor_id),
        reason=row.reason,
        data=msgspec.Raw(row.data),
    )


def product_view(row: ProductRow) -> ProductView:
    """Show a product."""
    price = None
    if row.price_minor is not None and row.currency is not None:
        price = Money(amount=row.price_minor, currency=row.currency)
    return ProductView(
        sku=row.sku,
        name=row.name,
        price=price,
        active=row.active,
        stock_tracked=row.stock_tracked,
        version=row.version,
        created_at=rfc3339(row.created_at),
        updated_at=rfc3339(row.updated_at),
    )


def _fulfilment(lines: Sequence[OrderLineRow]) -> str:
    shipped = sum(line.shipped for line in lines)
    if shipped == 0:
        return "none"
    still_open = any(line.shipped + line.cancelled < line.quantity for line in lines)
    return "partial" if still_open else "complete"


def _line_view(line: OrderLineRow, money: Money) -> LineView:
    return LineView(
        line_no=line.line_no,
        sku=line.sku,
        name=line.name,
        quantity=line.quantity,
        unit_price=replace(money, amount=line.unit_price_minor),
        discount=replace(money, amount=line.discount_minor),
        tax=replace(money, amount=line.tax_minor),
        total=replace(money, amount=line.total_minor),
        shipped=line.shipped,
        cancelled=line.cancelled,
        refunded=line.refunded,
        restocked=line.restocked,
    )


def _shipping_view(row: OrderRow, money: Money) -> ShippingCharge | None:
    if row.shipping_method is None:
        return None
    return ShippingCharge(
        method=row.shipping_method,
        amount=replace(money, amount=row.shipping_amount_minor),
        tax=replace(money, amount=row.shipping_tax_minor),
        total=replace(money, amount=row.shipping_total_minor),
    )


def _totals_view(row: OrderRow, money: Money) -> Totals:
    return Totals(
        subtotal=replace(money, amount=row.subtotal_minor),
        discount=replace(money, amount=row.discount_minor),
        shipping=replace(money, amount=row.shipping_total_minor),
        tax=replace(money, amount=row.tax_minor),
        total=replace(money, amount=row.total_minor),
    )


def _payment_view(row: OrderRow, money: Money) -> PaymentView:
    return PaymentView(
        status=row.payment_status,
        provider=row.payment_provider,
        authorised=replace(money, amount=row.authorised_minor),
        captured=replace(money, amount=row.captured_minor),
        returned=replace(money, amount=row.returned_minor),
        refunded=replace(money, amount=row.refunded_minor),
        refundable=replace(money, amount=_refundable_minor(row)),
        capture_before=time_or_none(row.capture_before),
    )


def _refundable_minor(row: OrderRow) -> int:
    """Every refund counts from its acceptance on, a failed one too."""
    due_minor = sum(each.amount_minor for each in row.shipments or () if each.released)
    return due_minor - sum(each.amount_minor for each in row.refunds or ())


def _cancellation_view(row: CancellationRow, money: Money) -> CancellationView:
    return CancellationView(
        id=row.id,
        reason=row.reason,
        lines=row.lines,
        value=replace(money, amount=row.value_minor),
        at=rfc3339(row.at),
    )
