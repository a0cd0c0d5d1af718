"""Refusals of the orders context."""

from collections.abc import Mapping
from enum import StrEnum
from uuid import UUID

from libs.contracts.money import Money
from libs.foundation.errors import AppError, ErrorKind
from libs.foundation.web.refusals import RETRY_SOON, HttpRefusal


class UnknownOrder(AppError):
    """There is no such order, or the caller may not know of it."""

    kind = ErrorKind.NOT_FOUND
    code = "not-found"

    def __init__(self, order_id: UUID) -> None:
        super().__init__(f"there is no order {order_id}")
        self.order_id = order_id


class VersionMismatch(AppError):
    """The caller decided on a version that is no longer the current one."""

    kind = ErrorKind.PRECONDITION_FAILED
    code = "version-mismatch"

    def __init__(self, order_id: UUID, expected: int, current: int) -> None:
        super().__init__(f"order {order_id} is at version {current}, not {expected}")
        self.order_id, self.expected, self.current = order_id, expected, current

    def extensions(self) -> dict[str, object]:
        return {"version": self.current}


class ImpossibleAnswer(AppError):
    """No history of the order explains this answer: a person has to look before anything moves."""

    kind = ErrorKind.CONFLICT
    code = "impossible-answer"

    def __init__(self, order_id: UUID, answer: str, because: str) -> None:
        super().__init__(f"order {order_id} cannot have got {answer}: {because}")
        self.order_id, self.answer = order_id, answer


class StaffOnly(HttpRefusal):
    """A person has to decide this, whatever scopes a program carries."""

    kind = ErrorKind.FORBIDDEN
    code = "insufficient-scope"

    def __init__(self) -> None:
        super().__init__("only staff may do this")
        self.headers = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}


class UnknownPart(AppError):
    """The order has no such shipment, refund or flag."""

    kind = ErrorKind.NOT_FOUND
    code = "not-found"

    def __init__(self, order_id: UUID, what: str) -> None:
        super().__init__(f"order {order_id} has no such {what}")
        self.order_id = order_id


class QuantityUnavailable(AppError):
    """Units are wanted that are in a shipment, cancelled or refunded already."""

    kind = ErrorKind.CONFLICT
    code = "quantity-unavailable"

    def __init__(self, order_id: UUID, open_units: Mapping[int, int]) -> None:
        super().__init__(f"order {order_id} does not have the wanted units")
        self.order_id, self.open_units = order_id, dict(open_units)

    def extensions(self) -> dict[str, object]:
        return {
            "lines": [
                {"line_no": line_no, "open": units} for line_no, units in self.open_units.items()
            ]
        }


class ShipmentInProgress(HttpRefusal):
    """A shipment of the order waits for its money; its end decides what may follow."""

    kind = ErrorKind.CONFLICT
    code = "shipment-in-progress"
    headers = RETRY_SOON

    def __init__(self, order_id: UUID) -> None:
        super().__init__(f"a shipment of order {order_id} waits for its money")
        self.order_id = order_id


class RefundExceedsRefundable(AppError):
    """More would be given back than is due, counted with every refund asked for before."""

    kind = ErrorKind.CONFLICT
    code = "refund-exceeds-refundable"

    def __init__(self, order_id: UUID, refundable: Money) -> None:
        super().__init__(f"{refundable.amount} {refundable.currency} may be refunded at most")
        self.order_id, self.refundable = order_id, refundable

    def extensions(self) -> dict[str, object]:
        return {"refundable": self.refundable}


class IllegalRefundStep(AppError):
    """The refund's state does not allow the step."""

    kind = ErrorKind.CONFLICT
    code = "illegal-transition"

    def __init__(self, refund_id: UUID, current: StrEnum, allowed: frozenset[StrEnum]) -> None:
        super().__init__(f"refund {refund_id} is {current}")
        self.refund_id, self.current, self.allowed = refund_id, current, allowed

    def extensions(self) -> dict[str, object]:
        return {"status": str(self.current), "allowed": sorted(self.allowed)}


class OrderPartsLimit(AppError):
    """The order has as many shipments or refunds as one may have."""

    kind = ErrorKind.CONFLICT
    code = "order-limit-exceeded"

    def __init__(self, order_id: UUID, what: str, limit: int) -> None:
        super().__init__(f"order {order_id} has {limit} {what} already")
        self.order_id, self.limit = order_id, limit

    def extensions(self) -> dict[str, object]:
        return {"limit": self.limit}
