"""A refund: money given back for what was shipped, with or without stock; states and events."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.contracts.orders import (
    OrderRefundFailed,
    OrderRefundSucceeded,
    RefundedLine,
    RefundRequested,
)
from libs.domain.orders.order import Order

REFUNDS_MAX: Final = 50


class RefundReason(StrEnum):
    RETURN = "return"
    DAMAGED = "damaged"
    NOT_RECEIVED = "not_received"
    GOODWILL = "goodwill"
    OTHER = "other"


class RefundState(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SETTLED_MANUALLY = "settled_manually"


REFUND_NEXT: Final[Mapping[RefundState, frozenset[RefundState]]] = {
    RefundState.PENDING: frozenset({RefundState.SUCCEEDED, RefundState.FAILED}),
    RefundState.FAILED: frozenset({RefundState.PENDING, RefundState.SETTLED_MANUALLY}),
    RefundState.SUCCEEDED: frozenset(),
    RefundState.SETTLED_MANUALLY: frozenset(),
}
_GIVEN_BACK: Final = frozenset({RefundState.SUCCEEDED, RefundState.SETTLED_MANUALLY})


class Refund(Struct, frozen=True, kw_only=True):
    """A row of orders.refunds without its notes; `attempt` counts what the provider was asked.

    Counted against the order from its acceptance on, whatever becomes of it. `late_at` makes it
    visible when it takes too long, and decides nothing.
    """

    id: UUID
    order_id: UUID
    state: RefundState
    attempt: int = 1
    reason: RefundReason
    lines: tuple[RefundedLine, ...]
    shipping_minor: int
    adjustment_minor: int
    amount_minor: int
    tax_minor: int
    requested_at: datetime
    failure_code: str | None = None
    stock_sent: bool = False
    stock_done: bool = False
    late_at: datetime | None = None

    @property
    def pending(self) -> bool:
        return self.state is RefundState.PENDING

    @property
    def failed(self) -> bool:
        return self.state is RefundState.FAILED

    @property
    def given_back(self) -> bool:
        return self.state in _GIVEN_BACK

    @property
    def waiting(self) -> bool:
        """Whether somebody still owes an answer about it."""
        return self.pending or self.stock_sent is not self.stock_done

    def requested(self, order: Order, at: datetime) -> RefundRequested:
        return RefundRequested(
            **order.head(at),
            refund_id=self.id,
            attempt=self.attempt,
            reason=self.reason.value,
            lines=self.lines,
            shipping=order.money(self.shipping_minor),
            adjustment=order.money(self.adjustment_minor),
            amount=order.money(self.amount_minor),
            tax=order.money(self.tax_minor),
        )

    def succeeded(self, order: Order, at: datetime) -> OrderRefundSucceeded:
        return OrderRefundSucceeded(
            **order.head(at),
            refund_id=self.id,
            attempt=self.attempt,
            reason=self.reason.value,
            lines=self.lines,
            shipping=order.money(self.shipping_minor),
            adjustment=order.money(self.adjustment_minor),
            amount=order.money(self.amount_minor),
            tax=order.money(self.tax_minor),
            settled_manually=self.state is RefundState.SETTLED_MANUALLY,
        )

    def refused(self, order: Order, code: str, at: datetime) -> OrderRefundFailed:
        return OrderRefundFailed(
            **order.head(at), refund_id=self.id, attempt=self.attempt, code=code
        )
