"""The answer to placing an order, made from what was written, without reading it back."""

from libs.domain.orders.order_request import OrderRequest
from libs.domain.orders.pricing import PricedLine
from libs.domain.orders.sql.orders import OrderLineRow, OrderRow
from libs.domain.orders.use_cases.place_orders import PlacedOrder


def placed_row(placed: PlacedOrder) -> OrderRow:
    """Return the row that a read of the new order returns."""
    order, priced = placed.draft.order, placed.draft.priced
    request: OrderRequest = placed.draft.placement.request
    return OrderRow(
        id=order.id,
        number=order.number,
        external_reference=order.external_reference,
        customer_id=order.customer_id,
        channel=order.channel,
        status=order.status.value,
        version=order.version,
        currency=order.currency,
        taxes_included=priced.taxes_included,
        subtotal_minor=priced.subtotal_minor,
        discount_minor=priced.discount_minor,
        tax_minor=priced.tax_minor,
        total_minor=priced.total_minor,
        shipping_method=priced.shipping.method,
        shipping_amount_minor=priced.shipping.amount_minor,
        shipping_tax_minor=priced.shipping.tax_minor,
        shipping_total_minor=priced.shipping.total_minor,
        payment_provider=request.payment.source.provider,
        metadata=request.metadata,
        placed_at=placed.draft.placed_at,
        updated_at=placed.inserted.updated_at,
        confirmed_at=order.confirmed_at,
        lines=[_line_row(line) for line in priced.lines],
    )


def _line_row(line: PricedLine) -> OrderLineRow:
    return OrderLineRow(
        line_no=line.line_no,
        sku=line.sku,
        name=line.name,
        quantity=line.quantity,
        unit_price_minor=line.unit_price_minor,
        discount_minor=line.discount_minor,
        tax_minor=line.tax_minor,
        total_minor=line.total_minor,
    )
