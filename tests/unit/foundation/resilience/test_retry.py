"""Retries wait at random up to a cap, share a budget, and never pass the deadline."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from libs.foundation.resilience.deadline import Deadline, DeadlineExceeded
from libs.foundation.resilience.retry import Backoff, RetryBudget, retry


class Passing(Exception):
    """An error that may be gone next time."""


class Lasting(Exception):
    """An error that will not."""


class World:
    """A clock that only sleeping moves, and a call that fails as told."""

    def __init__(self, *errors: Exception) -> None:
        self.now_s = 0.0
        self.slept_s: list[float] = []
        self.calls = 0
        self._errors = list(errors)

    def clock(self) -> float:
        return self.now_s

    async def sleep(self, duration_s: float) -> None:
        self.slept_s.append(duration_s)
        self.now_s += duration_s

    async def call(self) -> str:
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return "done"

    async def retry(
        self, *, tries_max: int = 10, within_ms: float = 60_000, budget: RetryBudget | None = None
    ) -> str:
        return await retry(
            self.call,
            retry_on=(Passing,),
            tries_max=tries_max,
            deadline=Deadline.after_ms(within_ms, self.clock),
            backoff=Backoff(first_ms=100, cap_ms=300),
            budget=budget,
            sleep=self.sleep,
            uniform=longest,
        )


def longest(_low: float, high: float) -> float:
    return high


async def test_errors_that_pass_are_retried_with_doubling_capped_waits() -> None:
    world = World(*[Passing() for _ in range(4)])

    assert await world.retry() == "done"

    assert world.slept_s == pytest.approx([0.1, 0.2, 0.3, 0.3])


async def test_an_error_that_lasts_is_raised_at_once() -> None:
    world = World(Lasting())

    with pytest.raises(Lasting):
        await world.retry()

    assert world.calls == 1


async def test_the_last_error_is_raised_when_the_tries_are_used_up() -> None:
    last = Passing("third")
    world = World(Passing("first"), Passing("second"), last, Passing("never reached"))

    with pytest.raises(Passing) as caught:
        await world.retry(tries_max=3)

    assert caught.value is last
    assert world.calls == 3


async def test_no_wait_ends_after_the_deadline() -> None:
    world = World(Passing(), Passing(), Passing())

    with pytest.raises(Passing):
        await world.retry(within_ms=250)

    assert world.slept_s == pytest.approx([0.1])


async def test_a_passed_deadline_stops_the_first_call() -> None:
    world = World()

    with pytest.raises(DeadlineExceeded):
        await world.retry(within_ms=0)

    assert world.calls == 0


async def test_an_empty_budget_forbids_retries_but_not_first_calls() -> None:
    budget = RetryBudget(tokens_max=10, retry_cost=10, success_deposit=1)
    spending = World(Passing())
    refused = World(Passing())

    assert await spending.retry(budget=budget) == "done"
    with pytest.raises(Passing):
        await refused.retry(budget=budget)

    assert refused.calls == 1
    assert budget.tokens == 1


@pytest.mark.parametrize(("tokens", "cost", "deposit"), [(5, 10, 1), (10, 10, 0), (20, 10, 11)])
def test_a_budget_that_cannot_work_is_refused(tokens: int, cost: int, deposit: int) -> None:
    with pytest.raises(ValueError, match="must hold"):
        RetryBudget(tokens_max=tokens, retry_cost=cost, success_deposit=deposit)


def test_a_wait_follows_a_failure() -> None:
    with pytest.raises(ValueError, match="follows a failure"):
        Backoff().delay_ms(0)


@given(failures=st.integers(1, 10_000), share=st.floats(0, 1))
def test_every_wait_lies_between_zero_and_the_cap(failures: int, share: float) -> None:
    backoff = Backoff(first_ms=7, cap_ms=5_000)

    def at_share(low: float, high: float) -> float:
        return low + (high - low) * share

    bounds: list[Callable[[float, float], float]] = [at_share, longest]
    delay_ms, bound_ms = (backoff.delay_ms(failures, uniform) for uniform in bounds)

    assert 0 <= delay_ms <= bound_ms <= 5_000
    assert bound_ms == min(5_000, 7 * 2 ** min(failures - 1, 60))


def test_waits_use_the_whole_range() -> None:
    backoff = Backoff(first_ms=1_000, cap_ms=1_000)

    waits_ms = [backoff.delay_ms(1) for _ in range(500)]

    assert min(waits_ms) < 250
    assert max(waits_ms) > 750


class BudgetMachine(RuleBasedStateMachine):
    """Whatever happens, retries never exceed the burst and the share that successes earned."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = RetryBudget(tokens_max=50, retry_cost=10, success_deposit=3)
        self.successes = 0
        self.retries = 0

    @rule(times=st.integers(1, 30))
    def succeed(self, times: int) -> None:
        for _ in range(times):
            self.budget.deposit()
        self.successes += times

    @rule()
    def ask(self) -> None:
        before = self.budget.tokens
        granted = self.budget.withdraw()
        self.retries += granted

        assert granted == (before >= 10)
        assert self.budget.tokens == before - (10 if granted else 0)

    @precondition(lambda self: self.budget.tokens < 10)
    @rule()
    def recover(self) -> None:
        needed = math.ceil((10 - self.budget.tokens) / 3)
        for _ in range(needed):
            assert self.budget.tokens < 10
            self.budget.deposit()
        self.successes += needed

        assert self.budget.tokens >= 10

    @invariant()
    def tokens_stay_in_range(self) -> None:
        assert 0 <= self.budget.tokens <= 50

    @invariant()
    def retries_are_a_burst_and_a_share(self) -> None:
        assert self.retries * 10 <= 50 + self.successes * 3


TestBudgetMachine = BudgetMachine.TestCase
TestBudgetMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
