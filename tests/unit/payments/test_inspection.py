"""What holds a payment up, case by case."""

from datetime import datetime, timedelta
from typing import Final

import pytest
from msgspec.structs import replace

from libs.domain.payments.inspection import PaymentFacts, holds_of
from libs.domain.payments.operation import Kind, OperationState
from libs.domain.payments.sql.inspections import OperationSeen, ProviderSeen
from libs.foundation.ids import new_id
from libs.foundation.messaging.journey.holds import Hold
from libs.testkit.build import NOW

LONG_AGO: Final = NOW - timedelta(minutes=3)
SOON: Final = NOW + timedelta(seconds=8)


def operation(
    state: OperationState,
    *,
    attempts: int = 0,
    outcome: str | None = None,
    next_at: datetime | None = SOON,
) -> OperationSeen:
    return OperationSeen(
        key=new_id(),
        provider="simulator",
        kind=Kind.AUTHORISE,
        amount_minor=2_000,
        currency="EUR",
        state=state,
        attempts=attempts,
        first_attempt_at=None,
        next_at=next_at,
        possibly_executed=False,
        outcome=outcome,
        created_at=LONG_AGO,
        updated_at=LONG_AGO,
    )


def hold_of(one: OperationSeen, provider: ProviderSeen | None = None) -> Hold | None:
    found = holds_of(PaymentFacts(operations=[one], provider=provider), NOW)
    return found[0] if found else None


@pytest.mark.parametrize(
    "state", [OperationState.SUCCEEDED, OperationState.DECLINED, OperationState.FAILED]
)
def test_an_operation_that_is_over_holds_nothing_up(state: OperationState) -> None:
    assert hold_of(operation(state)) is None


def test_an_operation_that_waits_for_its_turn_leaves_the_word_to_the_one_before() -> None:
    first = operation(OperationState.MANUAL, outcome="key_expired", next_at=None)
    second = operation(OperationState.QUEUED, next_at=None)

    found = holds_of(PaymentFacts(operations=[first, second]), NOW)

    assert [hold.code for hold in found] == ["payment_manual"]
    assert found[0].needs_person
    assert found[0].actions == ('orderly payments reconcile --reason "why"',)
    assert str(first.key) in found[0].reason


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (operation(OperationState.UNKNOWN, attempts=3, outcome="timeout"), "payment_unknown"),
        (operation(OperationState.ACCEPTED, attempts=1), "payment_waits_for_provider"),
        (operation(OperationState.SENT, attempts=1), "payment_in_flight"),
        (operation(OperationState.QUEUED, attempts=2, outcome="refused"), "payment_retrying"),
        (operation(OperationState.QUEUED, outcome="breaker_open"), "payment_breaker_open"),
        (operation(OperationState.QUEUED, next_at=LONG_AGO), "payment_not_called"),
    ],
)
def test_an_open_operation_says_what_it_waits_for_and_ends_by_itself(
    one: OperationSeen, code: str
) -> None:
    hold = hold_of(one)

    assert hold is not None
    assert (hold.code, hold.needs_person, hold.is_slow) == (code, False, True)
    assert str(one.key) in hold.reason


def test_an_operation_that_began_just_now_is_not_slow() -> None:
    hold = hold_of(replace(operation(OperationState.SENT, attempts=1), created_at=NOW))

    assert hold is not None
    assert not hold.is_slow


def test_due_calls_that_nobody_makes_while_others_fail_mean_an_open_breaker() -> None:
    provider = ProviderSeen(
        succeeded_at=NOW - timedelta(minutes=9),
        tried_at=NOW - timedelta(seconds=20),
        unresolved=12,
    )
    due = operation(OperationState.QUEUED, attempts=4, outcome="refused", next_at=LONG_AGO)

    hold = hold_of(due, provider)

    assert hold is not None
    assert hold.code == "payment_breaker_open"
    assert "12 operations wait there, the last one succeeded 540 s ago" in hold.reason
