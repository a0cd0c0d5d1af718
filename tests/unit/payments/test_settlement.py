"""Which outcome may decide, and what each decides."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from libs.contracts.payments import PaymentDeclined, PaymentUnresolved
from libs.domain.payments import commands
from libs.domain.payments.agenda import Agenda, Reduction
from libs.domain.payments.change import Change
from libs.domain.payments.operation import Operation, OperationState
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
from libs.domain.payments.settlement import Attempted, Patience, settle
from libs.foundation.ids import new_id
from libs.testkit.payments.commands import authorise

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)
PATIENCE = Patience(authorise=timedelta(minutes=15), capture=timedelta(hours=24))
REFUSED = NotExecuted(reason="refused")


def sent(attempts: int = 1) -> tuple[Payment, Operation]:
    command = authorise(now=NOW)
    change = commands.authorise(
        commands.begin(command),
        command,
        NOW,
        providers=frozenset({"simulator"}),
        traceparent=None,
    )
    [queued] = change.queued
    operation = replace(queued, state=OperationState.SENT, attempts=attempts, sent_at=NOW)
    return change.payment, operation


def settled(
    payment: Payment,
    operation: Operation,
    outcome: Outcome,
    *,
    attempt: int | None = None,
    now: datetime = NOW,
) -> Change | None:
    attempted = Attempted(
        key=operation.key,
        order_id=operation.order_id,
        attempt=operation.attempts if attempt is None else attempt,
        outcome=outcome,
        next_at=LATER,
    )
    return settle(
        payment,
        operation,
        Agenda(begun=operation),
        attempted,
        now=now,
        patience=PATIENCE,
    )


def resolved(change: Change | None) -> Operation:
    assert change is not None
    assert change.resolved is not None
    return change.resolved


@pytest.mark.parametrize("outcome", [REFUSED, Unknown(reason="lost"), Accepted()])
def test_an_indefinite_outcome_of_an_older_attempt_changes_nothing(outcome: Outcome) -> None:
    payment, operation = sent(attempts=2)

    assert settled(payment, operation, outcome, attempt=1) is None


@pytest.mark.parametrize("state", [OperationState.SENT, OperationState.UNKNOWN])
def test_a_definite_outcome_of_an_older_attempt_decides(state: OperationState) -> None:
    payment, operation = sent(attempts=2)

    change = settled(payment, replace(operation, state=state), Succeeded(reference="a"), attempt=1)

    assert resolved(change).state is OperationState.SUCCEEDED


@pytest.mark.parametrize(
    "state",
    [
        OperationState.SUCCEEDED,
        OperationState.DECLINED,
        OperationState.FAILED,
        OperationState.MANUAL,
    ],
)
def test_what_is_resolved_never_changes_again(state: OperationState) -> None:
    payment, operation = sent()

    assert settled(payment, replace(operation, state=state), Declined(code="other")) is None


def test_a_failure_after_a_possible_effect_stays_unknown_and_never_times_out() -> None:
    payment, operation = sent(attempts=2)
    operation = replace(operation, possibly_executed=True, first_attempt_at=NOW)

    change = settled(payment, operation, REFUSED, now=NOW + timedelta(hours=2))

    assert resolved(change).state is OperationState.UNKNOWN
    assert resolved(change).next_at == LATER
    assert change is not None
    assert change.events == ()


def test_patience_counts_from_the_first_attempt_and_not_from_the_command() -> None:
    payment, operation = sent()
    late = NOW + timedelta(hours=3)
    operation = replace(operation, sent_at=late)

    change = settled(payment, operation, REFUSED, now=late)

    assert resolved(change).state is OperationState.QUEUED
    assert resolved(change).first_attempt_at == late


def test_out_of_patience_declines_timed_out() -> None:
    payment, operation = sent(attempts=9)
    operation = replace(operation, first_attempt_at=NOW)

    change = settled(payment, operation, REFUSED, now=NOW + PATIENCE.authorise)

    assert change is not None
    assert change.payment.state is State.DECLINED
    assert change.events == (PaymentDeclined(order_id=payment.order_id, decline_code="timed_out"),)


def test_a_longer_deadline_of_the_command_is_kept() -> None:
    payment, operation = sent(attempts=9)
    operation = replace(operation, first_attempt_at=NOW, deadline_at=NOW + timedelta(minutes=40))

    change = settled(payment, operation, REFUSED, now=NOW + PATIENCE.authorise)

    assert resolved(change).state is OperationState.QUEUED


def test_a_call_that_was_never_tried_starts_no_clock_and_ends_none() -> None:
    payment, operation = sent()
    untried = NotExecuted(reason="breaker_open", attempted=False)

    first = resolved(settled(payment, operation, untried))
    old = replace(operation, first_attempt_at=NOW)
    second = resolved(settled(payment, old, untried, now=NOW + timedelta(hours=2)))

    assert first.first_attempt_at is None
    assert second.state is OperationState.QUEUED


def test_what_cannot_be_learned_goes_to_a_person_with_a_reason() -> None:
    payment, operation = sent()

    change = settled(payment, operation, Unresolvable(reason="key_expired"))

    assert resolved(change).state is OperationState.MANUAL
    assert resolved(change).next_at is None
    assert change is not None
    assert change.events == (
        PaymentUnresolved(
            order_id=payment.order_id,
            operation="authorise",
            reason="key_expired",
            subject_id=payment.order_id,
        ),
    )


def test_a_refused_release_goes_to_a_person_and_keeps_the_money_on_the_books() -> None:
    payment, operation = sent()
    held = settled(payment, operation, Succeeded(reference="a"))
    assert held is not None
    reduction = Reduction(order_id=payment.order_id, reduction_id=new_id())
    asked = commands.reduce(held.payment, Agenda(waiting=(reduction,)), reduction, NOW, None)
    [queued] = asked.queued
    release = replace(queued, state=OperationState.SENT, attempts=1, sent_at=NOW)

    change = settled(asked.payment, release, Declined(code="authorisation_released"))

    assert resolved(change).state is OperationState.MANUAL
    assert change is not None
    assert change.payment.open_minor == operation.amount_minor
    assert change.answered == ()
