"""Closes an operation that was left to a person: by the provider's word, else by the person's."""

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from libs.domain.payments.agenda import Agenda
from libs.domain.payments.change import Change
from libs.domain.payments.operation import Operation, OperationState
from libs.domain.payments.payment import Payment
from libs.domain.payments.provider import (
    Accepted,
    Declined,
    NotExecuted,
    Outcome,
    Succeeded,
    Unknown,
    Unresolvable,
)
from libs.domain.payments.settlement import MUST_SUCCEED, TIMED_OUT, Attempted, Patience, settle

OWNER: Final = "payments-settlement"
# Ask the provider again; and if it has nothing to say, go on by what the person found there.
ASK_AGAIN: Final = "retry"
BY_HAND: Final = "skip"


def objection(operation: Operation, heard: Outcome | None, *, by_hand: bool) -> str | None:
    """Say why the operation stays open; `heard` is the provider's word, None if it knows none."""
    if operation.state is not OperationState.MANUAL:
        return f"it is {operation.state}"
    match heard:
        case Succeeded():
            return None
        case Declined(code=code):
            refused = operation.kind in MUST_SUCCEED and not by_hand
            return f"the provider refuses it: {code}" if refused else None
        case None:
            return None if by_hand else "the provider knows nothing of it"
        case Accepted():
            return "the provider has not decided yet"
        case NotExecuted(reason=reason) | Unknown(reason=reason) | Unresolvable(reason=reason):
            return f"the provider could not be asked: {reason}"


def decide(
    payment: Payment,
    operation: Operation,
    agenda: Agenda,
    heard: Outcome | None,
    *,
    now: datetime,
    patience: Patience,
) -> Change | None:
    """Return what closing it changes, when there is no objection.

    Without the provider's word money is not moved on our books: what takes or gives it was never
    executed. Only what must succeed, a release or a return, was done at the provider by hand.
    """
    done_by_hand = operation.kind in MUST_SUCCEED and not isinstance(heard, Succeeded)
    outcome: Succeeded | Declined = Declined(code=TIMED_OUT)
    if done_by_hand:
        outcome = Succeeded(reference="")
    elif isinstance(heard, Succeeded | Declined):
        outcome = heard
    attempted = Attempted(
        key=operation.key,
        order_id=operation.order_id,
        attempt=operation.attempts,
        outcome=outcome,
        next_at=now,
    )
    open_again = replace(operation, state=OperationState.UNKNOWN)
    change = settle(payment, open_again, agenda, attempted, now=now, patience=patience)
    if change is None or change.resolved is None:
        return change
    if done_by_hand:
        return replace(
            change, resolved=replace(change.resolved, provider_reference=None, outcome="by_hand")
        )
    if heard is None:
        return replace(change, resolved=replace(change.resolved, state=OperationState.FAILED))
    return change
