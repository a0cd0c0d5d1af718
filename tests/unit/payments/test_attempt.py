"""One attempt asks before it repeats, and never raises what a provider can cause."""

import pytest
from msgspec.structs import replace

from libs.domain.payments.attempt import attempt
from libs.domain.payments.operation import Kind, Operation
from libs.domain.payments.provider import NotExecuted, Succeeded, Unknown, Unresolvable
from libs.foundation.clock import utc_now
from libs.foundation.ids import new_id
from libs.foundation.resilience.breaker import Breaker, BreakerSettings, BreakerState
from libs.foundation.resilience.deadline import Deadline
from libs.testkit.payments.memory_provider import MemoryProvider, Mishap


@pytest.fixture
def provider() -> MemoryProvider:
    return MemoryProvider()


@pytest.fixture
def breaker() -> Breaker:
    return Breaker("simulator", BreakerSettings(samples_min=1, failure_ratio=1))


@pytest.fixture
def operation() -> Operation:
    order_id = new_id()
    return Operation(
        key=new_id(),
        order_id=order_id,
        provider="simulator",
        kind=Kind.AUTHORISE,
        subject_id=order_id,
        amount_minor=1_999,
        currency="EUR",
        source_value="tok_ok",
        attempts=1,
        next_at=utc_now(),
    )


def soon() -> Deadline:
    return Deadline.after_ms(10_000)


async def test_what_may_have_arrived_is_asked_about_and_not_called_again(
    provider: MemoryProvider, breaker: Breaker, operation: Operation
) -> None:
    first = await attempt(provider, breaker, operation, soon(), key_expired=False)

    again = replace(operation, possibly_executed=True)
    second = await attempt(provider, breaker, again, soon(), key_expired=False)

    assert isinstance(first, Succeeded)
    assert second == first
    assert provider.calls.total() == 1


async def test_an_expired_key_is_never_called(
    provider: MemoryProvider, breaker: Breaker, operation: Operation
) -> None:
    lost = replace(operation, possibly_executed=True)

    outcome = await attempt(provider, breaker, lost, soon(), key_expired=True)

    assert outcome == Unresolvable(reason="key_expired")
    assert provider.calls.total() == 0


async def test_an_expired_key_that_the_provider_still_knows_is_resolved(
    provider: MemoryProvider, breaker: Breaker, operation: Operation
) -> None:
    await attempt(provider, breaker, operation, soon(), key_expired=False)

    lost = replace(operation, possibly_executed=True)
    outcome = await attempt(provider, breaker, lost, soon(), key_expired=True)

    assert isinstance(outcome, Succeeded)


async def test_a_passed_deadline_or_an_open_breaker_calls_nobody(
    provider: MemoryProvider, breaker: Breaker, operation: Operation
) -> None:
    late = await attempt(provider, breaker, operation, Deadline.after_ms(-1), key_expired=False)
    with breaker.attempt() as call:
        call.failed()
    refused = await attempt(provider, breaker, operation, soon(), key_expired=False)

    assert late == NotExecuted(reason="deadline_before_call", attempted=False)
    assert refused == NotExecuted(reason="breaker_open", attempted=False)
    assert provider.calls.total() == 0


@pytest.mark.parametrize("mishap", [Mishap.REFUSED, Mishap.LOST_AFTER, Mishap.CRASH])
async def test_a_failed_call_counts_against_the_provider(
    provider: MemoryProvider, breaker: Breaker, operation: Operation, mishap: Mishap
) -> None:
    provider.mishaps = [mishap]

    outcome = await attempt(provider, breaker, operation, soon(), key_expired=False)

    assert isinstance(outcome, NotExecuted if mishap is Mishap.REFUSED else Unknown)
    assert breaker.state is BreakerState.OPEN
