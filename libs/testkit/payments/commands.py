"""Builds commands to payments with defaults, so that a test names only what it is about."""

from datetime import datetime, timedelta
from uuid import UUID

from libs.contracts.money import Money
from libs.contracts.payments import AuthorisePayment, PaymentSource, ReducePayment
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
        amount=Money(amount=amount_minor, currency="EUR"),
        payment_source=PaymentSource(provider="simulator", kind="token", value=token),
        external_reference=None,
        deadline_at=(now or utc_now()) + timedelta(minutes=15),
    )


def reduce(order_id: UUID, reduction_id: UUID | None = None) -> ReducePayment:
    return ReducePayment(order_id=order_id, reduction_id=reduction_id or new_id())
