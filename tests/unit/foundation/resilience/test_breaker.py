"""A breaker opens on a ratio of failures, closes on one good probe, and never sticks."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from libs.foundation.errors import ErrorKind
from libs.foundation.resilience.breaker import (
    Attempt,
    Breaker,
    BreakerOpen,
    BreakerSettings,
    BreakerState,
)

SETTINGS = BreakerSettings(window_ms=10_000, samples_min=4, failure_ratio=0.5, open_ms=5_000)


class Fault(Exception):
    """What a failing dependency raises."""


class Rig:
    """A breaker on a clock of its own."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.changes: list[BreakerState] = []
        self.breaker = Breaker(
            "provider", SETTINGS, on_change=self.changes.append, clock=lambda: self.now_s
        )

    def succeed(self, times: int = 1) -> None:
        for _ in range(times):
            with self.breaker.attempt():
                pass

    def fail(self, times: int = 1) -> None:
        for _ in range(times):
            with pytest.raises(Fault), self.breaker.attempt():
                raise Fault

    def open(self) -> None:
        self.fail(4)
        assert self.breaker.state is BreakerState.OPEN


def test_few_failures_do_not_open_it() -> None:
    rig = Rig()

    rig.fail(3)

    assert rig.breaker.state is BreakerState.CLOSED


def test_it_opens_when_the_ratio_of_enough_results_is_reached() -> None:
    rig = Rig()

    rig.succeed(3)
    rig.fail(2)
    assert rig.breaker.state is BreakerState.CLOSED
    rig.fail()

    assert rig.changes == [BreakerState.OPEN]


def test_a_success_that_completes_the_samples_does_not_open_it() -> None:
    rig = Rig()

    rig.fail(3)
    rig.succeed(3)

    assert rig.breaker.state is BreakerState.CLOSED


def test_results_outside_the_window_are_forgotten() -> None:
    rig = Rig()
    rig.fail(3)

    rig.now_s += 10.1
    rig.fail(3)

    assert rig.breaker.state is BreakerState.CLOSED


def test_an_open_breaker_refuses_and_says_for_how_long() -> None:
    rig = Rig()
    rig.open()

    rig.now_s += 2
    with pytest.raises(BreakerOpen) as caught, rig.breaker.attempt():
        pytest.fail("the call was made")

    assert caught.value.retry_after_s == pytest.approx(3)
    assert caught.value.kind is ErrorKind.OVERLOADED
    assert "provider" in str(caught.value)


def test_one_good_probe_closes_it_with_a_clean_window() -> None:
    rig = Rig()
    rig.open()
    rig.now_s += 5

    rig.succeed()
    rig.fail(3)

    assert rig.changes == [BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED]


def test_a_bad_probe_opens_it_again_for_the_whole_time() -> None:
    rig = Rig()
    rig.open()
    rig.now_s += 5
    rig.fail()

    rig.now_s += 4.9

    assert rig.breaker.state is BreakerState.OPEN


def test_only_one_probe_is_under_way() -> None:
    rig = Rig()
    rig.open()
    rig.now_s += 5

    with rig.breaker.attempt(), pytest.raises(BreakerOpen), rig.breaker.attempt():
        pytest.fail("a second probe was made")

    assert rig.breaker.state is BreakerState.CLOSED


def test_a_cancelled_probe_makes_room_for_the_next() -> None:
    rig = Rig()
    rig.open()
    rig.now_s += 5

    with pytest.raises(asyncio.CancelledError), rig.breaker.attempt():
        raise asyncio.CancelledError
    assert rig.breaker.state is BreakerState.HALF_OPEN
    rig.succeed()

    assert rig.breaker.state is BreakerState.CLOSED


def test_cancelled_calls_count_as_nothing() -> None:
    rig = Rig()

    for _ in range(20):
        with pytest.raises(asyncio.CancelledError), rig.breaker.attempt():
            raise asyncio.CancelledError

    assert rig.breaker.state is BreakerState.CLOSED


def test_a_result_from_before_the_breaker_opened_does_not_close_it() -> None:
    rig = Rig()
    with rig.breaker.attempt():
        rig.open()
        rig.now_s += 5
        assert rig.breaker.state is BreakerState.HALF_OPEN

    assert rig.breaker.state is BreakerState.HALF_OPEN


def test_failures_from_before_the_breaker_closed_do_not_open_it_again() -> None:
    rig = Rig()
    old = [rig.breaker.attempt() for _ in range(4)]
    for attempt in old:
        attempt.__enter__()
    rig.open()
    rig.now_s += 5
    rig.succeed()

    for attempt in old:
        attempt.__exit__(Fault, None, None)

    assert rig.breaker.state is BreakerState.CLOSED


def test_the_caller_may_judge_an_error_as_an_answer() -> None:
    rig = Rig()

    def refused() -> None:
        with rig.breaker.attempt() as attempt:
            attempt.succeeded()
            raise Fault

    for _ in range(10):
        with pytest.raises(Fault):
            refused()

    assert rig.breaker.state is BreakerState.CLOSED


def test_the_caller_may_judge_an_answer_as_a_failure() -> None:
    rig = Rig()

    for _ in range(4):
        with rig.breaker.attempt() as attempt:
            attempt.failed()

    assert rig.breaker.state is BreakerState.OPEN


class BreakerMachine(RuleBasedStateMachine):
    """Overlapping calls, any results, any passing of time."""

    attempts: Bundle[Attempt] = Bundle("attempts")

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig()
        self.opened_at_s = 0.0
        self.under_way: dict[Attempt, BreakerState] = {}

    @rule(target=attempts)
    def begin(self) -> Attempt:
        attempt = self.rig.breaker.attempt()
        state = self.rig.breaker.state
        probing = BreakerState.HALF_OPEN in self.under_way.values()
        try:
            attempt.__enter__()
        except BreakerOpen:
            assert state is BreakerState.OPEN or (state is BreakerState.HALF_OPEN and probing)
        else:
            assert state is not BreakerState.OPEN
            assert not probing
            self.under_way[attempt] = state
        return attempt

    @rule(attempt=consumes(attempts), error=st.sampled_from([None, Fault, asyncio.CancelledError]))
    def end(self, attempt: Attempt, error: type[BaseException] | None) -> None:
        began_in = self.under_way.pop(attempt, None)
        if began_in is None:
            return
        changes = len(self.rig.changes)
        attempt.__exit__(error, None, None)
        new = self.rig.changes[changes:]
        if error is asyncio.CancelledError:
            assert new == []
        if BreakerState.OPEN in new:
            assert error is Fault
            self.opened_at_s = self.rig.now_s
        if BreakerState.CLOSED in new:
            assert error is None
            assert began_in is BreakerState.HALF_OPEN

    @rule(duration_s=st.sampled_from([0.01, 1.0, 4.99, 5.0, 11.0]))
    def wait(self, duration_s: float) -> None:
        self.rig.now_s += duration_s

    @invariant()
    def an_open_breaker_always_becomes_half_open_in_time(self) -> None:
        if self.rig.now_s - self.opened_at_s >= 5 + 1e-6:
            assert self.rig.breaker.state is not BreakerState.OPEN

    @invariant()
    def states_follow_each_other_as_drawn(self) -> None:
        allowed = {
            BreakerState.CLOSED: {BreakerState.OPEN},
            BreakerState.OPEN: {BreakerState.HALF_OPEN},
            BreakerState.HALF_OPEN: {BreakerState.OPEN, BreakerState.CLOSED},
        }
        path = [BreakerState.CLOSED, *self.rig.changes]
        for before, after in pairwise(path):
            assert after in allowed[before]


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
