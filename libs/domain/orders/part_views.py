"""Shipments and refunds as the API shows them, alone and as parts of their order."""

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from libs.contracts.money import Money
from libs.domain.orders.refund import Refund
from libs.domain.orders.shipment import Shipment
from libs.domain.orders.sql.refunds import Notes
from libs.foundation.clock import rfc3339


class ShipmentLineView(Struct, frozen=True, kw_only=True):
    line_no: int
    quantity: int


class TrackingView(Struct, frozen=True, kw_only=True):
    carrier: str
    number: str
    url: str | None


class ShipmentView(Struct, frozen=True, kw_only=True):
    """Units that leave together; `state` is awaiting_capture, released or failed."""

    id: UUID
    state: str
    lines: list[ShipmentLineView]
    amount: Money
    tracking: list[TrackingView]
    requested_at: str
    released_at: str | None
    delivered_at: str | None


class RefundLineView(Struct, frozen=True, kw_only=True):
    line_no: int
    quantity: int
    restock: bool
    value: Money
    tax: Money


class RefundView(Struct, frozen=True, kw_only=True):
    """Money given back; `state` is pending, succeeded, failed or settled_manually.

    The notes are there only for who may see them.
    """

    id: UUID
    state: str
    attempt: int
    reason: str
    amount: Money
    tax: Money
    lines: list[RefundLineView]
    shipping: Money
    adjustment: Money
    failure_code: str | None
    requested_at: str
    note: str | msgspec.UnsetType | None = msgspec.UNSET
    settlement_note: str | msgspec.UnsetType | None = msgspec.UNSET


def shipment_view(shipment: Shipment, currency: str) -> ShipmentView:
    """Show a shipment; nothing is known yet of its way and its arrival."""
    return ShipmentView(
        id=shipment.id,
        state=shipment.state.value,
        lines=[
            ShipmentLineView(line_no=line.line_no, quantity=line.quantity)
            for line in shipment.lines
        ],
        amount=Money(amount=shipment.amount_minor, currency=currency),
        tracking=[],
        requested_at=rfc3339(shipment.requested_at),
        released_at=time_or_none(shipment.released_at),
        delivered_at=None,
    )


def refund_view(refund: Refund, currency: str) -> RefundView:
    """Show a refund without personal data, so that the answer may be stored."""
    money = Money(amount=0, currency=currency)
    return RefundView(
        id=refund.id,
        state=refund.state.value,
        attempt=refund.attempt,
        reason=refund.reason.value,
        amount=replace(money, amount=refund.amount_minor),
        tax=replace(money, amount=refund.tax_minor),
        lines=[
            RefundLineView(
                line_no=line.line_no,
                quantity=line.quantity,
                restock=line.restock,
                value=line.value,
                tax=line.tax,
            )
            for line in refund.lines
        ],
        shipping=replace(money, amount=refund.shipping_minor),
        adjustment=replace(money, amount=refund.adjustment_minor),
        failure_code=refund.failure_code,
        requested_at=rfc3339(refund.requested_at),
    )


def with_notes(view: RefundView, notes: Notes) -> RefundView:
    """Add what people wrote."""
    return replace(view, note=notes.note, settlement_note=notes.settlement_note)


def time_or_none(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
