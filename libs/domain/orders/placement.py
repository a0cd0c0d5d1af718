"""Turns one priced request into everything its placing writes; pure, so a batch decides first."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from libs.contracts.money import Money
from libs.contracts.orders import (
    Destination,
    OrderPlaced,
    PaymentTerms,
    PlacedLine,
    ShippingCharge,
    Totals,
)
from libs.contracts.payments import PaymentSource
from libs.domain.orders.order import Line, Order
from libs.domain.orders.order_request import OrderRequest
from libs.domain.orders.pricing import Priced, PricedLine
from libs.domain.orders.saga import Decision, begin
from libs.domain.orders.status import Status
from libs.domain.orders.timeline import Actor, Entry


class Placement(Struct, frozen=True, kw_only=True):
    """One request to place an order; the id is made at the door, so that a repeat keeps it."""

    order_id: UUID
    request: OrderRequest
    customer_id: str | None
    actor: Actor
    traceparent: str | None


class Draft(Struct, frozen=True, kw_only=True):
    """A placement that was priced and decided, ready to be written."""

    placement: Placement
    priced: Priced
    decision: Decision
    entries: tuple[Entry, ...]
    placed_at: datetime

    @property
    def order(self) -> Order:
        """The order after its first decision: confirmed at once if there is nothing to wait for."""
        return self.decision.order


def draft(placement: Placement, priced: Priced, number: int, at: datetime) -> Draft:
    """Decide what placing this order writes and sends."""
    placed = _order(placement, priced, number)
    source = placement.request.payment.source
    decision = begin(
        placed,
        [_line(line) for line in priced.lines],
        PaymentSource(provider=source.provider, kind=source.kind, value=source.value),
        at,
    )
    event = Entry(event=_placed_event(placement, placed, priced, at), actor=placement.actor)
    return Draft(
        placement=placement,
        priced=priced,
        decision=decision,
        entries=(event, *decision.entries),
        placed_at=at,
    )


def _order(placement: Placement, priced: Priced, number: int) -> Order:
    destination = _destination(placement.request)
    return Order(
        id=placement.order_id,
        number=number,
        external_reference=placement.request.external_reference,
        customer_id=placement.customer_id,
        channel=placement.request.channel,
        status=Status.PENDING,
        version=1,
        currency=priced.currency,
        total_minor=priced.total_minor,
        shipping_method=priced.shipping.method,
        shipping_total_minor=priced.shipping.total_minor,
        shipping_tax_minor=priced.shipping.tax_minor,
        destination_country=None if destination is None else destination.country,
        destination_region=None if destination is None else destination.region,
    )


def _destination(request: OrderRequest) -> Destination | None:
    if request.contact is None or request.contact.shipping_address is None:
        return None
    address = request.contact.shipping_address
    return Destination(country=address.country, region=address.region)


def _line(line: PricedLine) -> Line:
    return Line(
        line_no=line.line_no,
        sku=line.sku,
        name=line.name,
        quantity=line.quantity,
        stock_tracked=line.stock_tracked,
        tax_minor=line.tax_minor,
        total_minor=line.total_minor,
    )


def _placed_event(placement: Placement, order: Order, priced: Priced, at: datetime) -> OrderPlaced:
    source = placement.request.payment.source
    return OrderPlaced(
        **order.head(at),
        lines=tuple(_placed_line(order, line) for line in priced.lines),
        shipping=_shipping(order, priced),
        taxes_included=priced.taxes_included,
        totals=totals(priced),
        destination=order.destination,
        payment=PaymentTerms(provider=source.provider, source_kind=source.kind),
    )


def _placed_line(order: Order, line: PricedLine) -> PlacedLine:
    return PlacedLine(
        line_no=line.line_no,
        sku=line.sku,
        name=line.name,
        quantity=line.quantity,
        unit_price=order.money(line.unit_price_minor),
        discount=order.money(line.discount_minor),
        tax=order.money(line.tax_minor),
        total=order.money(line.total_minor),
    )


def _shipping(order: Order, priced: Priced) -> ShippingCharge | None:
    shipping = priced.shipping
    if shipping.method is None:
        return None
    return ShippingCharge(
        method=shipping.method,
        amount=order.money(shipping.amount_minor),
        tax=order.money(shipping.tax_minor),
        total=order.money(shipping.total_minor),
    )


def totals(priced: Priced) -> Totals:
    """Return the sums over the order as money."""
    nothing = Money(amount=0, currency=priced.currency)
    return Totals(
        subtotal=replace(nothing, amount=priced.subtotal_minor),
        discount=replace(nothing, amount=priced.discount_minor),
        shipping=replace(nothing, amount=priced.shipping.total_minor),
        tax=replace(nothing, amount=priced.tax_minor),
        total=replace(nothing, amount=priced.total_minor),
    )
