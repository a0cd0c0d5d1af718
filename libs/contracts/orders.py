"""Events of the orders context; the aggregate is the order, its version is the sequence."""

from datetime import datetime
from typing import ClassVar, Final
from uuid import UUID

from msgspec import Struct

from libs.contracts import topics
from libs.contracts.messages import Event, decoders
from libs.contracts.money import Money
from libs.contracts.topics import Topic


class PlacedLine(Struct, frozen=True, kw_only=True):
    """One line as it was sold; `total` is subtotal - discount, plus tax when taxes are added."""

    line_no: int
    sku: str
    name: str
    quantity: int
    unit_price: Money
    discount: Money
    tax: Money
    total: Money


class PickLine(Struct, frozen=True, kw_only=True):
    """What a picker needs of one line."""

    line_no: int
    sku: str
    name: str
    quantity: int


class ValuedLine(Struct, frozen=True, kw_only=True):
    """Units of one line with their exact share of the line's value and tax."""

    line_no: int
    sku: str
    quantity: int
    value: Money
    tax: Money


class RefundedLine(ValuedLine, frozen=True, kw_only=True):
    """Shipped units that are paid back; `restock` says whether they return to the shelf."""

    restock: bool


class Totals(Struct, frozen=True, kw_only=True):
    """Sums over the order; `total` is what the customer pays."""

    subtotal: Money
    discount: Money
    shipping: Money
    tax: Money
    total: Money


class ShippingCharge(Struct, frozen=True, kw_only=True):
    """The one shipping charge of an order."""

    method: str
    amount: Money
    tax: Money
    total: Money


class Destination(Struct, frozen=True, kw_only=True):
    """All that events say of an address."""

    country: str
    region: str | None = None


class PaymentTerms(Struct, frozen=True, kw_only=True):
    """Which provider carries the money and how it was handed over (`token`, `authorisation`)."""

    provider: str
    source_kind: str


class ShortItem(Struct, frozen=True, kw_only=True):
    """A SKU that could not be promised."""

    sku: str
    requested: int
    available: int


class OrderEvent(Event, frozen=True, kw_only=True):
    """The head of every order event; `version` equals `ce_sequence`."""

    topic: ClassVar[Topic] = topics.ORDERS_EVENTS
    source: ClassVar[str] = "/orderly/orders"
    aggregate_type: ClassVar[str] = "order"

    order_id: UUID
    number: str
    external_reference: str | None
    customer_id: str | None
    channel: str | None
    currency: str
    version: int
    status: str
    occurred_at: datetime

    @property
    def subject(self) -> str:
        return str(self.order_id)


class OrderPlaced(OrderEvent, frozen=True, kw_only=True):
    """Accepted and durable; enough to book demand, revenue and tax."""

    type: ClassVar[str] = "orders.order_placed.v1"
    lines: tuple[PlacedLine, ...]
    shipping: ShippingCharge | None
    taxes_included: bool
    totals: Totals
    destination: Destination | None
    payment: PaymentTerms


class OrderConfirmed(OrderEvent, frozen=True, kw_only=True):
    """Stock is held and the money is authorised: picking may start."""

    type: ClassVar[str] = "orders.order_confirmed.v1"
    lines: tuple[PickLine, ...]
    shipping_method: str | None
    destination: Destination | None
    total: Money
    capture_before: datetime | None


class OrderRejected(OrderEvent, frozen=True, kw_only=True):
    """Not sold: `reason` is out_of_stock, payment_declined or timed_out."""

    type: ClassVar[str] = "orders.order_rejected.v1"
    reason: str
    short: tuple[ShortItem, ...] = ()
    decline_code: str | None = None


class OrderCancelled(OrderEvent, frozen=True, kw_only=True):
    """Every unit is cancelled; final at once, stock and money follow."""

    type: ClassVar[str] = "orders.order_cancelled.v1"
    cancellation_id: UUID
    reason: str
    lines: tuple[ValuedLine, ...]
    value: Money


class ShipmentRequested(OrderEvent, frozen=True, kw_only=True):
    """Units are to leave together; nothing is handed over before its money is taken."""

    type: ClassVar[str] = "orders.shipment_requested.v1"
    shipment_id: UUID
    lines: tuple[ValuedLine, ...]
    shipping_value: Money
    amount: Money


class ShipmentReleased(OrderEvent, frozen=True, kw_only=True):
    """The money of the shipment is taken: hand it over."""

    type: ClassVar[str] = "orders.shipment_released.v1"
    shipment_id: UUID
    lines: tuple[ValuedLine, ...]
    shipping_value: Money
    amount: Money


class ShipmentFailed(OrderEvent, frozen=True, kw_only=True):
    """The money could not be taken: stop the parcel, its units are open again."""

    type: ClassVar[str] = "orders.shipment_failed.v1"
    shipment_id: UUID
    code: str


class OrderSettled(OrderEvent, frozen=True, kw_only=True):
    """The money of an order that has left: what is due, taken and given back."""

    due: Money
    captured: Money
    refunded: Money


class OrderShipped(OrderSettled, frozen=True, kw_only=True):
    """No unit is open any more and one or more have left."""

    type: ClassVar[str] = "orders.order_shipped.v1"


class OrderCompleted(OrderSettled, frozen=True, kw_only=True):
    """The time to complain has passed: close the books."""

    type: ClassVar[str] = "orders.order_completed.v1"


class OrderRefunded(OrderSettled, frozen=True, kw_only=True):
    """All that was due is given back."""

    type: ClassVar[str] = "orders.order_refunded.v1"


class RefundEvent(OrderEvent, frozen=True, kw_only=True):
    """A refund and what it comes to: lines and shipping by their value, and the adjustment."""

    refund_id: UUID
    attempt: int
    reason: str
    lines: tuple[RefundedLine, ...]
    shipping: Money
    adjustment: Money
    amount: Money
    tax: Money


class RefundRequested(RefundEvent, frozen=True, kw_only=True):
    """Money is to be given back; an `attempt` above 1 is a retry of a failed one."""

    type: ClassVar[str] = "orders.refund_requested.v1"


class OrderRefundSucceeded(RefundEvent, frozen=True, kw_only=True):
    """The money is given back, by the provider or, if `settled_manually`, by a person."""

    type: ClassVar[str] = "orders.refund_succeeded.v1"
    settled_manually: bool = False


class OrderRefundFailed(OrderEvent, frozen=True, kw_only=True):
    """The provider refused to give the money back: a person decides."""

    type: ClassVar[str] = "orders.refund_failed.v1"
    refund_id: UUID
    attempt: int
    code: str


class PaymentReleased(OrderEvent, frozen=True, kw_only=True):
    """The money of a rejected or cancelled order is given back."""

    type: ClassVar[str] = "orders.payment_released.v1"
    released: Money
    returned: Money


class AttentionRaised(OrderEvent, frozen=True, kw_only=True):
    """A person should look; nothing is blocked."""

    type: ClassVar[str] = "orders.attention_raised.v1"
    code: str
    detail: str | None = None


class AttentionCleared(OrderEvent, frozen=True, kw_only=True):
    """The reason to look is gone."""

    type: ClassVar[str] = "orders.attention_cleared.v1"
    code: str
    detail: str | None = None


DECODERS: Final = decoders(
    OrderPlaced,
    OrderConfirmed,
    OrderRejected,
    OrderCancelled,
    ShipmentRequested,
    ShipmentReleased,
    ShipmentFailed,
    OrderShipped,
    OrderCompleted,
    OrderRefunded,
    RefundRequested,
    OrderRefundSucceeded,
    OrderRefundFailed,
    PaymentReleased,
    AttentionRaised,
    AttentionCleared,
)
