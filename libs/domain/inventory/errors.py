"""Refusals of the inventory context."""

from collections.abc import Sequence
from uuid import UUID

from libs.foundation.errors import AppError, ErrorKind


class StockIsReserved(AppError):
    """The adjustment would leave fewer pieces than are promised: cancel units first."""

    kind = ErrorKind.CONFLICT
    code = "stock-reserved"

    def __init__(self, sku: str, order_ids: Sequence[UUID]) -> None:
        super().__init__(f"fewer pieces of {sku} would remain than are promised to orders")
        self.sku, self.order_ids = sku, tuple(order_ids)

    def extensions(self) -> dict[str, object]:
        return {"order_ids": [str(order_id) for order_id in self.order_ids]}


class StockLimitExceeded(AppError):
    """The adjustment would bring in more pieces than one SKU may have."""

    kind = ErrorKind.UNPROCESSABLE
    code = "stock-limit-exceeded"

    def __init__(self, sku: str, on_hand_max: int) -> None:
        super().__init__(f"{sku} may have at most {on_hand_max} pieces on hand")
        self.sku, self.on_hand_max = sku, on_hand_max

    def extensions(self) -> dict[str, object]:
        return {"on_hand_max": self.on_hand_max}


class ExceedsReservation(AppError):
    """A command names more than the order has: no history of the order explains it."""

    kind = ErrorKind.CONFLICT

    def __init__(self, order_id: UUID) -> None:
        super().__init__(f"order {order_id} does not have so many pieces: {self.code}")
        self.order_id = order_id


class ReleaseExceedsReservation(ExceedsReservation):
    code = "release-exceeds-reservation"


class ShipmentExceedsReservation(ExceedsReservation):
    code = "shipment-exceeds-reservation"


class ReturnExceedsReservation(ExceedsReservation):
    """More would come back than can ever have left."""

    code = "return-exceeds-reservation"
