"""What every answer has in common: it moves something, or nothing, or no history explains it."""

from libs.contracts.inventory import (
    StockRejected,
    StockReleased,
    StockReserved,
    StockReturned,
    StockShipped,
)
from libs.contracts.payments import (
    CaptureFailed,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentDeclined,
    PaymentReduced,
    PaymentUnresolved,
    RefundFailed,
    RefundSucceeded,
)
from libs.domain.orders.errors import ImpossibleAnswer

Answer = (
    StockReserved
    | StockRejected
    | StockReleased
    | StockShipped
    | StockReturned
    | PaymentAuthorised
    | PaymentDeclined
    | PaymentCaptured
    | CaptureFailed
    | RefundSucceeded
    | RefundFailed
    | PaymentReduced
    | PaymentUnresolved
)


def require(condition: bool, answer: Answer, because: str) -> None:  # noqa: FBT001  # A guard.
    """Raise ImpossibleAnswer unless the order's history explains the answer."""
    if not condition:
        raise ImpossibleAnswer(answer.order_id, answer.type, because)
