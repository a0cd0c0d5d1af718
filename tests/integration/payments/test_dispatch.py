"""Operations reach the provider exactly once in effect, whatever goes wrong on the way."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from libs.contracts.payments import PaymentDeclined
from libs.domain.payments.dispatcher import Dispatcher
from libs.foundation.resilience.breaker import BreakerSettings
from libs.testkit.eventually import eventually
from libs.testkit.payments.commands import authorise
from libs.testkit.payments.memory_provider import MemoryProvider, Mishap
from tests.integration.payments.harness import (
    QUICK,
    Clock,
    Payments,
    dispatching,
)


async def test_a_payment_is_authorised_and_announced(payments: Payments) -> None:
    command, provider = authorise(), MemoryProvider()
    await payments.deliver(command)

    async with dispatching(payments, provider):
        await payments.until_settled()

    assert await payments.event_types(command.order_id) == ["payment_authorised"]
    assert (await payments.payment(command.order_id)).state == "authorised"
    assert [held.order_id for held in provider.live()] == [command.order_id]


async def test_a_declined_card_is_announced_and_holds_nothing(payments: Payments) -> None:
    command, provider = authorise(token="tok_decline_1"), MemoryProvider()
    await payments.deliver(command)

    async with dispatching(payments, provider):
        await payments.until_settled()

    assert await payments.events(command.order_id) == [
        PaymentDeclined(order_id=command.order_id, decline_code="card_declined")
    ]
    assert provider.live() == []


async def test_a_repeated_command_has_one_operation_and_the_same_answer(
    payments: Payments,
) -> None:
    command, provider = authorise(), MemoryProvider()
    await payments.deliver(command, command)

    async with dispatching(payments, provider):
        await payments.until_settled()
    await payments.deliver(command)

    first, second = await payments.events(command.order_id)
    assert first == second
    assert len(await payments.operations(command.order_id)) == 1
    assert provider.calls.total() == 1


@pytest.mark.parametrize("mishap", [Mishap.LOST_BEFORE, Mishap.LOST_AFTER, Mishap.CRASH])
async def test_an_unknown_outcome_is_resolved_under_the_same_key(
    payments: Payments, mishap: Mishap
) -> None:
    command, provider = authorise(), MemoryProvider()
    provider.mishaps = [mishap]
    await payments.deliver(command)

    async with dispatching(payments, provider):
        await payments.until_settled()

    [operation] = await payments.operations(command.order_id)
    assert (operation.state, operation.possibly_executed) == ("succeeded", True)
    assert list(provider.calls) == [operation.key]
    assert len(provider.held) == 1
    assert await payments.event_types(command.order_id) == ["payment_authorised"]


async def test_an_answer_that_comes_later_is_asked_for(payments: Payments) -> None:
    command, provider = authorise(), MemoryProvider()
    provider.mishaps = [Mishap.ANSWERED_LATER]
    await payments.deliver(command)

    async with dispatching(payments, provider, replace(QUICK, accepted_poll_ms=1)):
        await payments.until_settled()

    assert await payments.event_types(command.order_id) == ["payment_authorised"]
    assert provider.calls.total() == 1


async def test_a_provider_nobody_reaches_for_fifteen_minutes_times_the_payment_out(
    payments: Payments,
) -> None:
    command, provider, clock = authorise(), MemoryProvider(), Clock()
    provider.always = Mishap.REFUSED
    await payments.deliver(command)

    async with dispatching(payments, provider, clock=clock):
        await eventually(lambda: _refused_often(provider))
    assert await payments.events(command.order_id) == []
    # Between two dispatchers nothing is under way that the jump of the clock could overtake.
    clock.advance(timedelta(minutes=16))
    async with dispatching(payments, provider, clock=clock):
        await payments.until_settled()

    assert await payments.events(command.order_id) == [
        PaymentDeclined(order_id=command.order_id, decline_code="timed_out")
    ]
    assert provider.live() == []


async def test_what_waited_behind_an_outage_is_not_timed_out_by_its_end(
    payments: Payments,
) -> None:
    command, provider, clock = authorise(), MemoryProvider(), Clock()
    await payments.deliver(command)
    clock.advance(timedelta(hours=3))
    provider.mishaps = [Mishap.REFUSED]

    async with dispatching(payments, provider, clock=clock):
        await payments.until_settled()

    assert await payments.event_types(command.order_id) == ["payment_authorised"]


async def test_an_operation_that_may_have_arrived_never_times_out(payments: Payments) -> None:
    command, provider, clock = authorise(), MemoryProvider(), Clock()
    provider.mishaps = [Mishap.LOST_BEFORE, *[Mishap.REFUSED] * 20]
    await payments.deliver(command)

    async with dispatching(payments, provider, clock=clock):
        await eventually(lambda: _refused_often(provider))
        clock.advance(timedelta(minutes=20))
        await payments.until_settled()

    assert await payments.event_types(command.order_id) == ["payment_authorised"]


async def test_a_key_the_provider_may_have_forgotten_is_left_to_a_person(
    payments: Payments,
) -> None:
    command, provider, clock = authorise(), MemoryProvider(), Clock()
    provider.always = Mishap.LOST_BEFORE
    await payments.deliver(command)

    async with dispatching(payments, provider, clock=clock):
        await eventually(lambda: _refused_often(provider))
        clock.advance(timedelta(hours=24))
        await payments.until_settled()

    [operation] = await payments.operations(command.order_id)
    assert (operation.state, operation.outcome) == ("manual", "key_expired")
    assert await payments.event_types(command.order_id) == ["payment_unresolved"]


async def test_an_operation_whose_dispatcher_died_is_recovered_by_asking(
    payments: Payments,
) -> None:
    command, provider, clock = authorise(), MemoryProvider(), Clock()
    provider.gate.clear()
    await payments.deliver(command)
    dead = asyncio.create_task(
        Dispatcher(payments.pool, provider, QUICK, clock=clock).run(asyncio.Event())
    )
    await provider.arrived.wait()
    dead.cancel()
    await asyncio.gather(dead, return_exceptions=True)
    provider.gate.set()

    async with dispatching(payments, provider, clock=clock):
        clock.advance(timedelta(milliseconds=QUICK.recovery_ms))
        await payments.until_settled()

    [operation] = await payments.operations(command.order_id)
    assert (operation.state, operation.attempts) == ("succeeded", 2)
    assert operation.possibly_executed
    assert len(provider.held) == 1


async def test_two_dispatchers_never_call_for_one_operation_together(payments: Payments) -> None:
    commands, provider = [authorise() for _ in range(200)], MemoryProvider()
    await payments.deliver_wave(commands)

    async with dispatching(payments, provider), dispatching(payments, provider):
        await payments.until_settled()

    assert provider.together_max == 1
    assert provider.calls.total() == len(commands)
    assert len(provider.live()) == len(commands)


async def test_an_open_breaker_delays_and_never_declines(payments: Payments) -> None:
    commands, provider, clock = [authorise() for _ in range(30)], MemoryProvider(), Clock()
    provider.always = Mishap.REFUSED
    settings = replace(
        QUICK,
        concurrency_max=5,
        breaker=BreakerSettings(samples_min=5, open_ms=50),
    )
    await payments.deliver_wave(commands)

    async with dispatching(payments, provider, settings, clock):
        await eventually(lambda: _refused_often(provider))
        tried = set(provider.calls)
        assert len(tried) < len(commands)
        provider.always = None
        await payments.until_settled()

    types = [await payments.event_types(command.order_id) for command in commands]
    assert types == [["payment_authorised"]] * len(commands)


async def test_an_unknown_provider_is_declined_and_never_called(payments: Payments) -> None:
    command = authorise()
    source = replace(command.payment_source, provider="elsewhere")
    await payments.deliver(replace(command, payment_source=source))

    assert await payments.events(command.order_id) == [
        PaymentDeclined(order_id=command.order_id, decline_code="source_invalid")
    ]
    assert await payments.operations(command.order_id) == []


async def test_an_outcome_the_database_refuses_goes_to_a_person_and_stops_nobody(
    payments: Payments,
) -> None:
    first, second, provider = authorise(), authorise(), MemoryProvider()
    await payments.deliver(first)
    async with dispatching(payments, provider):
        await payments.until_settled()
    # The provider names two authorisations alike: the second can never be stored.
    await payments.deliver(second, authorise())
    [operation] = await payments.operations(second.order_id)
    await payments.name_reference(first.order_id, f"auth_{operation.key.hex}")

    async with dispatching(payments, provider):
        await payments.until_settled()

    [operation] = await payments.operations(second.order_id)
    assert (operation.state, operation.outcome) == ("manual", "outcome_refused")
    assert await payments.event_types(second.order_id) == ["payment_unresolved"]


async def _refused_often(provider: MemoryProvider) -> bool:
    return provider.calls.total() >= 5
