"""The statuses of an order and the steps between them: a step that is not listed is refused."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final
from uuid import UUID

from libs.foundation.errors import AppError, ErrorKind


class Status(StrEnum):
    """Where an order stands; what is shown beside it is derived, never set."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    SHIPPED = "shipped"
    COMPLETED = "completed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


NEXT: Final[Mapping[Status, frozenset[Status]]] = {
    Status.PENDING: frozenset({Status.CONFIRMED, Status.REJECTED, Status.CANCELLED}),
    Status.CONFIRMED: frozenset({Status.SHIPPED, Status.CANCELLED}),
    Status.SHIPPED: frozenset({Status.COMPLETED, Status.REFUNDED}),
    Status.COMPLETED: frozenset({Status.REFUNDED}),
    Status.REJECTED: frozenset(),
    Status.CANCELLED: frozenset(),
    Status.REFUNDED: frozenset(),
}
CLOSED: Final = frozenset(
    {Status.REJECTED, Status.CANCELLED, Status.COMPLETED, Status.REFUNDED},
)


class IllegalTransition(AppError):
    """The order's status does not allow the step."""

    kind = ErrorKind.CONFLICT
    code = "illegal-transition"

    def __init__(self, order_id: UUID, current: Status, wanted: Status) -> None:
        super().__init__(f"order {order_id} is {current}; it cannot become {wanted}")
        self.order_id, self.current, self.wanted = order_id, current, wanted

    def extensions(self) -> dict[str, object]:
        return {"order_status": str(self.current), "allowed": sorted(NEXT[self.current])}
