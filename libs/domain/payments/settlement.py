"""What a provider's answer does to an operation and its payment; the one place that decides."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from libs.contracts.payments import PaymentEvent
from libs.domain.payments.agenda import SUPERSEDED, Agenda, refusal
from libs.domain.payments.answers import failure_of, success_of, unresolved
from libs.domain.payments.change import Change, carry_on
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
# A refusal of these leaves our money where the plan does not want it: a person must look.
MUST_SUCCEED: Final = frozenset({Kind.RELEASE, Kind.RETURN})


class Patience(Struct, frozen=True, kw_only=True):
    """How long an operation that is provably not executed is tried, from its first attempt."""

    authorise: timedelta
    capture: timedelta

    def of(self, kind: Kind) -> timedelta | None:
        """Return the bound; None for what is tried until it is done."""
        match kind:
            case Kind.AUTHORISE:
                return self.authorise
            case Kind.CAPTURE:
                return self.capture
            case Kind.RELEASE | Kind.RETURN | Kind.REFUND:
                return None


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
    agenda: Agenda
    attempted: Attempted
    now: datetime
    patience: Patience


def settle(
    payment: Payment,
    operation: Operation,
    agenda: Agenda,
    attempted: Attempted,
    *,
    now: datetime,
    patience: Patience,
) -> Change | None:
    """Return what the outcome changes, or None when another attempt has decided already.

    `agenda` is what is left to do of the payment, this operation included.
    """
    if not operation.resolvable:
        return None
    case = _Case(
        payment=payment,
        operation=operation,
        agenda=agenda,
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
    payment = _moved(case.payment, operation, done)
    told = success_of(payment, operation)
    if operation.kind is Kind.AUTHORISE and payment.state is State.VOIDED:
        told = None  # The order gave up meanwhile: the money goes back under a key of its own.
    return _over(case, payment, operation, told)


def _moved(payment: Payment, operation: Operation, done: Succeeded) -> Payment:
    amount_minor = operation.amount_minor
    match operation.kind:
        case Kind.AUTHORISE:
            return payment.authorise(amount_minor, done.reference, done.capture_before)
        case Kind.CAPTURE:
            return payment.capture(amount_minor)
        case Kind.RELEASE:
            return payment.release(amount_minor)
        case Kind.RETURN:
            return payment.give_back(amount_minor)
        case Kind.REFUND:
            return payment.refund(amount_minor)


def _declined(case: _Case, code: str) -> Change:
    if case.operation.kind in MUST_SUCCEED:
        return _manual(case, code)
    return _nothing_done(case, _closed(case.operation, OperationState.DECLINED, code))


def _nothing_done(case: _Case, operation: Operation) -> Change:
    if operation.kind is not Kind.AUTHORISE:
        return _over(case, case.payment, operation, failure_of(operation))
    payment = case.payment.decline(operation.outcome or "other")
    void = payment.state is State.VOIDED
    return _over(case, payment, operation, None if void else failure_of(operation))


def _over(case: _Case, payment: Payment, operation: Operation, told: PaymentEvent | None) -> Change:
    """Close the operation, tell it, and let those that waited for it take their turns."""
    change = Change(
        payment=payment,
        resolved=operation,
        events=() if told is None else (told,),
        traceparent=operation.traceparent,
    )
    return carry_on(change, case.agenda.without_begun(), now=case.now, ended=operation)


def _not_executed(case: _Case, outcome: NotExecuted) -> Change:
    if case.operation.possibly_executed:
        # An earlier call may have arrived: this one's failure says nothing about it.
        return _later(case, OperationState.UNKNOWN, outcome.reason)
    operation = case.operation
    if outcome.attempted and operation.first_attempt_at is None:
        operation = replace(operation, first_attempt_at=operation.sent_at or case.now)
    code = _pointless(case) or _timed_out(case, operation, outcome)
    if code is not None:
        return _nothing_done(case, _closed(operation, OperationState.FAILED, code))
    waiting = replace(
        operation,
        state=OperationState.QUEUED,
        next_at=case.attempted.next_at,
        outcome=outcome.reason,
    )
    return Change(payment=case.payment, resolved=waiting)


def _pointless(case: _Case) -> str | None:
    """Say why trying again would only make something to undo."""
    if case.operation.kind is Kind.AUTHORISE:
        return SUPERSEDED if case.payment.state is State.VOIDED else None
    if case.operation.kind is Kind.CAPTURE:
        return refusal(case.payment, case.operation)
    return None


def _timed_out(case: _Case, operation: Operation, outcome: NotExecuted) -> str | None:
    """Say whether trying may end: patience counts from the first attempt, never from the order.

    Otherwise everything that waited behind an outage would be given up when it ends.
    """
    patience = case.patience.of(operation.kind)
    if patience is None or not outcome.attempted or operation.first_attempt_at is None:
        return None
    ends_at = operation.first_attempt_at + patience
    if operation.deadline_at is not None:
        ends_at = max(ends_at, operation.deadline_at)
    return TIMED_OUT if case.now >= ends_at else None


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
    """Leave it to a person; whoever waits behind it goes on waiting."""
    operation = _closed(case.operation, OperationState.MANUAL, reason)
    return Change(
        payment=case.payment.announced(1),
        resolved=operation,
        events=(unresolved(operation, reason),),
        traceparent=operation.traceparent,
    )


def _closed(operation: Operation, state: OperationState, outcome: str | None) -> Operation:
    return replace(operation, state=state, next_at=None, outcome=outcome)
