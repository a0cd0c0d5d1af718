"""Builds commands to payments with defaults, so that a test names only what it is about."""

from datetime import datetime, timedelta
from uuid import UUID

from libs.contracts.money import Money
from libs.contracts.payments import (
    AuthorisePayment,
    CapturePayment,
    PaymentSource,
    ReducePayment,
    RefundPayment,
)
from libs.foundation.clock import utc_now
from libs.foundation.ids import new_id


def authorise(
    order_id: UUID | None = None,
    *,
    token: str = "tok_ok",
    amount_minor: int = 1_999,
    now: datetime | None = None,
) -> AuthorisePayment:
    return AuthorisePayment(
        order_id=order_id or new_id(),
        amount=_euros(amount_minor),
        payment_source=PaymentSource(provider="simulator", kind="token", value=token),
        external_reference=None,
        deadline_at=(now or utc_now()) + timedelta(minutes=15),
    )


def capture(
    order_id: UUID, *, shipment_id: UUID | None = None, amount_minor: int = 1_999
) -> CapturePayment:
    return CapturePayment(
        order_id=order_id, shipment_id=shipment_id or new_id(), amount=_euros(amount_minor)
    )


def refund(
    order_id: UUID, *, refund_id: UUID | None = None, attempt: int = 1, amount_minor: int = 1_999
) -> RefundPayment:
    return RefundPayment(
        order_id=order_id,
        refund_id=refund_id or new_id(),
        attempt=attempt,
        amount=_euros(amount_minor),
    )


def reduce(
    order_id: UUID, reduction_id: UUID | None = None, *, amount_minor: int | None = None
) -> ReducePayment:
    return ReducePayment(
        order_id=order_id,
        reduction_id=reduction_id or new_id(),
        amount=None if amount_minor is None else _euros(amount_minor),
    )


def _euros(amount_minor: int) -> Money:
    return Money(amount=amount_minor, currency="EUR")
