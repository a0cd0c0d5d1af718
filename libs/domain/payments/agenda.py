"""Whose turn it is: the operations and reductions of one payment take place one at a time."""

from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from libs.contracts.payments import PaymentEvent, PaymentReduced
from libs.domain.payments.answers import failure_of
from libs.domain.payments.operation import Kind, Operation, OperationState, operation_key
from libs.domain.payments.payment import Payment, State

SUPERSEDED: Final = "superseded"
PAYMENT_DECLINED: Final = "payment_declined"
EXCEEDS_PLANNED: Final = "amount_exceeds_planned"
EXCEEDS_CAPTURED: Final = "amount_exceeds_captured"


class Reduction(Struct, frozen=True, kw_only=True):
    """One reduction of one payment; its lock is the payment's."""

    order_id: UUID
    reduction_id: UUID
    amount_minor: int | None = None
    answered: bool = False
    turn: int = 0


Entry: TypeAlias = Operation | Reduction


class Agenda(Struct, frozen=True, kw_only=True):
    """What is left to do of one payment: the operation that has begun, and who waits behind it.

    An operation whose effect a person must tell is `begun` until then: nothing passes it.
    """

    begun: Operation | None = None
    waiting: tuple[Entry, ...] = ()

    @classmethod
    def of(cls, operations: list[Operation], reductions: list[Reduction]) -> "Agenda":
        """Order what is not resolved and not answered."""
        unresolved = [
            each for each in operations if each.resolvable or each.state is OperationState.MANUAL
        ]
        waiting: list[Entry] = [each for each in unresolved if each.waits]
        waiting += [each for each in reductions if not each.answered]
        return cls(
            begun=next((each for each in unresolved if not each.waits), None),
            waiting=tuple(sorted(waiting, key=lambda entry: entry.turn)),
        )

    def followed_by(self, entry: Entry) -> "Agenda":
        """Return the agenda with one more entry at its end."""
        return replace(self, waiting=(*self.waiting, entry))

    def without_begun(self) -> "Agenda":
        """Return the agenda after the operation that had begun is over."""
        return replace(self, begun=None)


class Progress(Struct, frozen=True, kw_only=True):
    """What the next turns came to; `moved` operations were waiting, `queued` is a new one."""

    moved: tuple[Operation, ...] = ()
    queued: Operation | None = None
    answered: tuple[UUID, ...] = ()
    events: tuple[PaymentEvent, ...] = ()


def advance(
    payment: Payment,
    agenda: Agenda,
    *,
    now: datetime,
    traceparent: str | None = None,
    ended: Operation | None = None,
) -> Progress:
    """Take turns until an operation begins or nobody waits.

    What the plan has left over is given back in the name of the reduction whose turn it is, or,
    when nobody waits, of what `ended` was for.
    """
    if agenda.begun is not None:
        return Progress()
    moved: list[Operation] = []
    answered: list[UUID] = []
    events: list[PaymentEvent] = []
    queued: Operation | None = None
    for entry in agenda.waiting:
        if isinstance(entry, Reduction):
            queued = _next_step(payment, entry.reduction_id, ended, now, traceparent)
            if queued is not None:
                break
            answered.append(entry.reduction_id)
            events.append(reduced(payment, entry.reduction_id))
            continue
        moved.append(_taken(payment, entry, now))
        if moved[-1].state is OperationState.QUEUED:
            break
        events.append(failure_of(moved[-1]))
    else:
        queued = ended and _next_step(payment, ended.subject_id, ended, now, traceparent)
    return Progress(
        moved=tuple(moved), queued=queued, answered=tuple(answered), events=tuple(events)
    )


def refusal(payment: Payment, operation: Operation) -> str | None:
    """Return why a capture or refund is not asked of the provider, as things are now."""
    amount = operation.amount_minor
    if payment.state is State.DECLINED:
        return PAYMENT_DECLINED
    if operation.kind is Kind.CAPTURE:
        if payment.state is State.VOIDED or payment.planned_minor == 0:
            return SUPERSEDED
        room = min(payment.open_minor, payment.planned_minor - payment.kept_minor)
        return EXCEEDS_PLANNED if amount > room else None
    refundable = payment.kept_minor - payment.refunded_minor
    return EXCEEDS_CAPTURED if amount > refundable else None


def correction(
    payment: Payment, subject_id: UUID, now: datetime, traceparent: str | None
) -> Operation | None:
    """Return the operation that brings the provider's books down to the plan, if one must.

    Money captured above the plan goes back first; the held rest is released once the plan is
    reached, under a key of its own.
    """
    if payment.excess_minor > 0:
        kind, amount_minor = Kind.RETURN, payment.excess_minor
    elif payment.open_minor > 0 and payment.kept_minor >= payment.planned_minor:
        kind, amount_minor = Kind.RELEASE, payment.open_minor
    else:
        return None
    return Operation(
        key=operation_key(payment.order_id, kind, subject_id),
        order_id=payment.order_id,
        provider=payment.provider,
        kind=kind,
        subject_id=subject_id,
        amount_minor=amount_minor,
        currency=payment.currency,
        target_reference=payment.provider_reference,
        next_at=now,
        traceparent=traceparent,
    )


def _next_step(
    payment: Payment,
    subject_id: UUID,
    ended: Operation | None,
    now: datetime,
    traceparent: str | None,
) -> Operation | None:
    """Return what is left to do in the subject's name: one return at most, then one release.

    What is too much after that came with a later reduction, and goes back in its name: a second
    operation of one kind and subject would have the key of the first.
    """
    step = correction(payment, subject_id, now, traceparent)
    if step is None or ended is None or ended.subject_id != subject_id:
        return step
    if ended.kind is Kind.RELEASE or step.kind is ended.kind:
        return None
    return step


def reduced(payment: Payment, reduction_id: UUID) -> PaymentReduced:
    """Answer a reduction with the amounts as they are now."""
    return PaymentReduced(
        order_id=payment.order_id, reduction_id=reduction_id, amounts=payment.amounts
    )


def _taken(payment: Payment, operation: Operation, now: datetime) -> Operation:
    code = refusal(payment, operation)
    if code is not None:
        return replace(operation, state=OperationState.FAILED, outcome=code)
    return replace(operation, next_at=now, target_reference=payment.provider_reference)
