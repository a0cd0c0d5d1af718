"""One decision about one payment: what becomes of it, of its operations, and what is told."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from libs.contracts.payments import PaymentEvent, PaymentReduced
from libs.domain.payments.operation import Kind, Operation, operation_key
from libs.domain.payments.payment import Payment


class Change(Struct, frozen=True, kw_only=True):
    """What a decision leaves to write; `answered` are the reductions its events answer."""

    payment: Payment
    resolved: Operation | None = None
    queued: Operation | None = None
    answered: tuple[UUID, ...] = ()
    events: tuple[PaymentEvent, ...] = ()
    traceparent: str | None = None


def reductions_done(payment: Payment, reductions: tuple[UUID, ...]) -> tuple[PaymentReduced, ...]:
    """Answer every waiting reduction with the amounts as they are now."""
    return tuple(
        PaymentReduced(
            order_id=payment.order_id, reduction_id=reduction_id, amounts=payment.amounts
        )
        for reduction_id in reductions
    )


def release_of(
    payment: Payment, reduction_id: UUID, now: datetime, traceparent: str | None
) -> Operation:
    """Queue the release of everything that the provider still holds, under its own key."""
    return Operation(
        key=operation_key(payment.order_id, Kind.RELEASE, reduction_id),
        order_id=payment.order_id,
        provider=payment.provider,
        kind=Kind.RELEASE,
        subject_id=reduction_id,
        amount_minor=payment.open_minor,
        currency=payment.currency,
        target_reference=payment.provider_reference,
        next_at=now,
        traceparent=traceparent,
    )
