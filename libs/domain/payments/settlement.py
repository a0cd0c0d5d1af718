"""What a provider's answer does to an operation and its payment; the one place that decides."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from libs.contracts.payments import PaymentDeclined, PaymentUnresolved
from libs.domain.payments.change import Change, reductions_done, release_of
from libs.domain.payments.commands import SUPERSEDED, authorised
from libs.domain.payments.operation import Kind, Operation, OperationState
from libs.domain.payments.payment import Payment, State
from libs.domain.payments.provider import (
    Accepted,
    Declined,
    NotExecuted,
    Outcome,
    Succeeded,
    Unknown,
    Unresolvable,
)

TIMED_OUT: Final = "timed_out"


class Attempted(Struct, frozen=True, kw_only=True):
    """One attempt's outcome; `attempt` is the operation's count when it was claimed."""

    key: UUID
    order_id: UUID
    attempt: int
    outcome: Outcome
    next_at: datetime  # When to try or ask again, should this outcome not settle it.


class _Case(Struct, frozen=True, kw_only=True):
    payment: Payment
    operation: Operation
    waiting: tuple[UUID, ...]
    attempted: Attempted
    now: datetime
    patience: timedelta


def settle(
    payment: Payment,
    operation: Operation,
    waiting: tuple[UUID, ...],
    attempted: Attempted,
    *,
    now: datetime,
    patience: timedelta,
) -> Change | None:
    """Return what the outcome changes, or None when another attempt has decided already.

    `waiting` are the reductions not yet answered; `patience` is how long an operation that is
    provably not executed is tried again, counted from its first attempt.
    """
    if not operation.resolvable:
        return None
    case = _Case(
        payment=payment,
        operation=operation,
        waiting=waiting,
        attempted=attempted,
        now=now,
        patience=patience,
    )
    match attempted.outcome:
        case Succeeded() as done:
            return _succeeded(case, done)
        case Declined(code=code):
            return _declined(case, code)
        case outcome:
            return None if _overtaken(case) else _unsettled(case, outcome)


def _unsettled(case: _Case, outcome: Accepted | NotExecuted | Unknown | Unresolvable) -> Change:
    match outcome:
        case Unresolvable(reason=reason):
            return _manual(case, reason)
        case NotExecuted() as not_executed:
            return _not_executed(case, not_executed)
        case Accepted():
            return _later(case, OperationState.ACCEPTED, None)
        case Unknown(reason=reason):
            return _later(case, OperationState.UNKNOWN, reason)


def _overtaken(case: _Case) -> bool:
    """Say whether a newer attempt owns the operation; only a definite answer may pass it."""
    operation = case.operation
    return (
        operation.state is not OperationState.SENT or operation.attempts != case.attempted.attempt
    )


def _succeeded(case: _Case, done: Succeeded) -> Change:
    operation = replace(
        _closed(case.operation, OperationState.SUCCEEDED, None), provider_reference=done.reference
    )
    if operation.kind is Kind.RELEASE:
        return _reduced(case, case.payment.release(operation.amount_minor), operation)
    payment = case.payment.authorise(operation.amount_minor, done.reference, done.capture_before)
    if payment.state is State.VOIDED:
        # The order gave up meanwhile: the money goes back under a key of its own.
        return Change(
            payment=payment,
            resolved=operation,
            queued=release_of(payment, case.waiting[0], case.now, operation.traceparent),
            traceparent=operation.traceparent,
        )
    return Change(
        payment=payment.announced(1),
        resolved=operation,
        events=(authorised(payment),),
        traceparent=operation.traceparent,
    )


def _declined(case: _Case, code: str) -> Change:
    if case.operation.kind is Kind.RELEASE:
        return _manual(case, code)
    operation = _closed(case.operation, OperationState.DECLINED, code)
    return _no_money(case, operation, code)


def _no_money(case: _Case, operation: Operation, code: str) -> Change:
    payment = case.payment.decline(code)
    if payment.state is State.VOIDED:
        return _reduced(case, payment, operation)
    return Change(
        payment=payment.announced(1),
        resolved=operation,
        events=(PaymentDeclined(order_id=payment.order_id, decline_code=code),),
        traceparent=operation.traceparent,
    )


def _reduced(case: _Case, payment: Payment, operation: Operation) -> Change:
    return Change(
        payment=payment.announced(len(case.waiting)),
        resolved=operation,
        answered=case.waiting,
        events=reductions_done(payment, case.waiting),
        traceparent=operation.traceparent,
    )


def _not_executed(case: _Case, outcome: NotExecuted) -> Change:
    if case.operation.possibly_executed:
        # An earlier call may have arrived: this one's failure says nothing about it.
        return _later(case, OperationState.UNKNOWN, outcome.reason)
    operation = case.operation
    if outcome.attempted and operation.first_attempt_at is None:
        operation = replace(operation, first_attempt_at=operation.sent_at or case.now)
    if operation.kind is Kind.AUTHORISE:
        if case.payment.state is State.VOIDED:
            return _no_money(
                case, _closed(operation, OperationState.FAILED, SUPERSEDED), SUPERSEDED
            )
        if outcome.attempted and _out_of_patience(operation, case):
            return _no_money(case, _closed(operation, OperationState.FAILED, TIMED_OUT), TIMED_OUT)
    waiting = replace(
        operation,
        state=OperationState.QUEUED,
        next_at=case.attempted.next_at,
        outcome=outcome.reason,
    )
    return Change(payment=case.payment, resolved=waiting)


def _out_of_patience(operation: Operation, case: _Case) -> bool:
    """Say whether trying may end: patience counts from the first attempt, never from the order.

    Otherwise everything that waited behind an outage would be declined when it ends.
    """
    if operation.first_attempt_at is None:
        return False
    ends_at = operation.first_attempt_at + case.patience
    if operation.deadline_at is not None:
        ends_at = max(ends_at, operation.deadline_at)
    return case.now >= ends_at


def _later(case: _Case, state: OperationState, reason: str | None) -> Change:
    operation = replace(
        case.operation,
        state=state,
        possibly_executed=True,
        first_attempt_at=case.operation.first_attempt_at or case.operation.sent_at,
        next_at=case.attempted.next_at,
        outcome=reason,
    )
    return Change(payment=case.payment, resolved=operation)


def _manual(case: _Case, reason: str) -> Change:
    operation = _closed(case.operation, OperationState.MANUAL, reason)
    event = PaymentUnresolved(
        order_id=operation.order_id, operation=operation.kind.value, reason=reason
    )
    return Change(
        payment=case.payment.announced(1),
        resolved=operation,
        events=(event,),
        traceparent=operation.traceparent,
    )


def _closed(operation: Operation, state: OperationState, outcome: str | None) -> Operation:
    return replace(operation, state=state, next_at=None, outcome=outcome)
