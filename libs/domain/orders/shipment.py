"""A shipment: units that leave together, once they are paid; its states and its events."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.contracts.orders import (
    ShipmentFailed,
    ShipmentReleased,
    ShipmentRequested,
    ValuedLine,
)
from libs.domain.orders.order import Order

SHIPMENTS_MAX: Final = 50


class ShipmentState(StrEnum):
    AWAITING_CAPTURE = "awaiting_capture"
    RELEASED = "released"
    FAILED = "failed"


SHIPMENT_NEXT: Final[Mapping[ShipmentState, frozenset[ShipmentState]]] = {
    ShipmentState.AWAITING_CAPTURE: frozenset({ShipmentState.RELEASED, ShipmentState.FAILED}),
    ShipmentState.RELEASED: frozenset(),
    ShipmentState.FAILED: frozenset(),
}


class Shipment(Struct, frozen=True, kw_only=True):
    """A row of orders.shipments; `late_at` makes its current step visible and decides nothing.

    `stock_sent` says that its pieces were asked to leave the stock, `stock_done` that they have.
    """

    id: UUID
    order_id: UUID
    state: ShipmentState
    lines: tuple[ValuedLine, ...]
    shipping_value_minor: int
    amount_minor: int
    requested_at: datetime
    released_at: datetime | None = None
    failure_code: str | None = None
    stock_sent: bool = False
    stock_done: bool = False
    late_at: datetime | None = None

    @property
    def awaits_capture(self) -> bool:
        return self.state is ShipmentState.AWAITING_CAPTURE

    @property
    def released(self) -> bool:
        return self.state is ShipmentState.RELEASED

    @property
    def waiting(self) -> bool:
        """Whether somebody still owes an answer about it."""
        return self.awaits_capture or self.stock_sent is not self.stock_done

    @property
    def step(self) -> str:
        return "capture" if self.awaits_capture else "ship"

    def requested(self, order: Order, at: datetime) -> ShipmentRequested:
        return ShipmentRequested(
            **order.head(at),
            shipment_id=self.id,
            lines=self.lines,
            shipping_value=order.money(self.shipping_value_minor),
            amount=order.money(self.amount_minor),
        )

    def handed_over(self, order: Order, at: datetime) -> ShipmentReleased:
        return ShipmentReleased(
            **order.head(at),
            shipment_id=self.id,
            lines=self.lines,
            shipping_value=order.money(self.shipping_value_minor),
            amount=order.money(self.amount_minor),
        )

    def stopped(self, order: Order, code: str, at: datetime) -> ShipmentFailed:
        return ShipmentFailed(**order.head(at), shipment_id=self.id, code=code)
