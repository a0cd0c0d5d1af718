"""Retries wait: with jitter, as asked, and longer once the budget is used up."""

from datetime import UTC, datetime, timedelta

from libs.domain.payments.operation import Kind, Operation
from libs.domain.payments.pacing import Pacing
from libs.domain.payments.provider import (
    Accepted,
    NotExecuted,
    Outcome,
    Succeeded,
    Unknown,
)
from libs.domain.payments.settings import DispatchSettings
from libs.foundation.ids import new_id
from libs.foundation.resilience.retry import Backoff

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
LOST = Unknown(reason="lost")
SETTINGS = DispatchSettings(
    retry_tokens_max=20,
    accepted_poll_ms=700,
    retry_after_max_ms=9_000,
    backoff=Backoff(first_ms=100, cap_ms=6_400),
)


def upper(_low: float, high: float) -> float:
    return high


def wait_ms(pacing: Pacing, outcome: Outcome, attempts: int = 1) -> float:
    order_id = new_id()
    operation = Operation(
        key=new_id(),
        order_id=order_id,
        provider="simulator",
        kind=Kind.AUTHORISE,
        subject_id=order_id,
        amount_minor=1,
        currency="EUR",
        attempts=attempts,
        next_at=NOW,
    )
    return (pacing.next_at(operation, outcome, NOW) - NOW) / timedelta(milliseconds=1)


def test_waits_double_with_each_attempt() -> None:
    pacing = Pacing(DispatchSettings(backoff=SETTINGS.backoff), upper)

    assert [wait_ms(pacing, LOST, attempts) for attempts in (1, 2, 3)] == [100, 200, 400]


def test_an_empty_budget_makes_retries_wait_the_longest() -> None:
    pacing = Pacing(SETTINGS, upper)

    waits = [wait_ms(pacing, LOST) for _ in range(3)]

    assert waits == [100, 100, 6_400]


def test_successes_earn_retries_back() -> None:
    pacing = Pacing(SETTINGS, upper)
    for _ in range(2):
        wait_ms(pacing, LOST)

    for _ in range(10):
        wait_ms(pacing, Succeeded(reference="a"))

    assert wait_ms(pacing, LOST) == 100


def test_a_provider_may_ask_for_patience_up_to_a_limit() -> None:
    pacing = Pacing(SETTINGS, upper)

    modest = wait_ms(pacing, NotExecuted(reason="busy", retry_after_ms=2_000))
    greedy = wait_ms(pacing, NotExecuted(reason="busy", retry_after_ms=10**9))

    assert (modest, greedy) == (2_100, 9_100)


def test_what_is_no_retry_costs_nothing() -> None:
    pacing = Pacing(SETTINGS, upper)

    waits = [
        wait_ms(pacing, Accepted()),
        wait_ms(pacing, NotExecuted(reason="breaker_open", attempted=False), attempts=9),
    ]

    assert waits == [700, 100]
    assert pacing.tokens == SETTINGS.retry_tokens_max
