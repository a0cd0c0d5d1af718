"""Captures and refunds reach the provider once, in the order of their commands."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from libs.contracts.payments import (
    CaptureFailed,
    PaymentCaptured,
    PaymentReduced,
    PaymentUnresolved,
    RefundFailed,
    RefundSucceeded,
)
from libs.domain.payments.errors import OperationReused, UnknownPayment
from libs.foundation.ids import new_id
from libs.foundation.resilience.breaker import BreakerSettings
from libs.testkit.eventually import eventually
from libs.testkit.payments.commands import authorise, capture, reduce, refund
from libs.testkit.payments.memory_provider import MemoryProvider, Mishap
from tests.integration.payments.harness import QUICK, Clock, Payments, dispatching


async def test_a_shipment_is_captured_refunded_and_told(payments: Payments) -> None:
    command, provider = authorise(), MemoryProvider()
    order_id = command.order_id
    taken, given = capture(order_id), refund(order_id, amount_minor=500)
    await payments.deliver(command, taken, given)

    async with dispatching(payments, provider):
        await payments.until_settled()

    _, captured, refunded = await payments.events(order_id)
    assert isinstance(captured, PaymentCaptured)
    assert captured.shipment_id == taken.shipment_id
    assert isinstance(refunded, RefundSucceeded)
    assert (refunded.refund_id, refunded.attempt) == (given.refund_id, 1)
    assert refunded.amounts.refunded.amount == 500
    row = await payments.payment(order_id)
    assert (row.state, row.due_minor, row.captured_minor) == ("settled", 1_999, 1_999)


async def test_repeated_commands_have_one_effect_and_the_same_answer(payments: Payments) -> None:
    command, provider = authorise(), MemoryProvider()
    taken = capture(command.order_id)
    given = refund(command.order_id, amount_minor=500)
    await payments.deliver(command, taken, taken, given, given)

    async with dispatching(payments, provider):
        await payments.until_settled()
    await payments.deliver(given)

    events = await payments.events(command.order_id)
    assert events[-1] == events[-2]
    assert len(await payments.operations(command.order_id)) == 3
    assert provider.calls.total() == 3


@pytest.mark.parametrize("mishap", [Mishap.LOST_BEFORE, Mishap.LOST_AFTER, Mishap.CRASH])
async def test_what_waits_begins_only_when_the_operation_before_it_is_known(
    payments: Payments, mishap: Mishap
) -> None:
    command, provider = authorise(), MemoryProvider()
    provider.mishaps = [mishap, mishap, mishap]
    await payments.deliver(command, capture(command.order_id), refund(command.order_id))

    async with dispatching(payments, provider):
        await payments.until_settled()

    kinds = [each.kind for each in await payments.operations(command.order_id)]
    assert kinds == ["authorise", "capture", "refund"]
    [held] = provider.held.values()
    assert (held.captured, held.refunded, provider.together_max) == (1_999, 1_999, 1)


async def test_a_refund_the_provider_refuses_is_tried_under_another_key(
    payments: Payments,
) -> None:
    command, provider = authorise(), MemoryProvider()
    await payments.deliver(command, capture(command.order_id))
    async with dispatching(payments, provider):
        await payments.until_settled()
        [held] = provider.held.values()
        held.refunded = 1_999  # Given back by hand at the provider, and taken back later.
        first = refund(command.order_id, amount_minor=100)
        await payments.deliver(first)
        await payments.until_settled()
        held.refunded = 0
        await payments.deliver(replace(first, attempt=2))
        await payments.until_settled()

    *_, failed, succeeded = await payments.events(command.order_id)
    assert failed == RefundFailed(
        order_id=command.order_id, refund_id=first.refund_id, attempt=1, code="amount_exceeds"
    )
    assert isinstance(succeeded, RefundSucceeded)
    assert succeeded.attempt == 2


async def test_a_reduction_while_the_capture_is_under_way_returns_the_money(
    payments: Payments,
) -> None:
    command, provider = authorise(), MemoryProvider()
    await payments.deliver(command)
    async with dispatching(payments, provider):
        await payments.until_settled()
        provider.gate.clear()
        provider.arrived.clear()
        provider.mishaps = [Mishap.LOST_AFTER]
        await payments.deliver(capture(command.order_id))
        await provider.arrived.wait()
        await payments.deliver(reduce(command.order_id))
        provider.gate.set()
        await payments.until_settled()

    kinds = [each.kind for each in await payments.operations(command.order_id)]
    assert kinds == ["authorise", "capture", "return"]
    assert await payments.event_types(command.order_id) == [
        "payment_authorised",
        "payment_captured",
        "payment_reduced",
    ]
    row = await payments.payment(command.order_id)
    assert (row.captured_minor, row.returned_minor, row.due_minor) == (1_999, 1_999, 0)


async def test_a_capture_that_waits_is_not_sent_any_more_once_all_is_cancelled(
    payments: Payments,
) -> None:
    command, provider = authorise(), MemoryProvider()
    taken = capture(command.order_id)
    await payments.deliver(command, taken, reduce(command.order_id))

    async with dispatching(payments, provider):
        await payments.until_settled()

    failed, reduced = await payments.events(command.order_id)
    assert failed == CaptureFailed(
        order_id=command.order_id, shipment_id=taken.shipment_id, code="superseded"
    )
    assert isinstance(reduced, PaymentReduced)
    assert provider.calls.total() == 0


async def test_a_part_that_is_cancelled_is_released_once_the_rest_is_captured(
    payments: Payments,
) -> None:
    command, provider = authorise(), MemoryProvider()
    order_id = command.order_id
    await payments.deliver(
        command, reduce(order_id, amount_minor=499), capture(order_id, amount_minor=1_500)
    )

    async with dispatching(payments, provider):
        await payments.until_settled()

    [held] = provider.held.values()
    assert (held.captured, held.released) == (1_500, 499)
    row = await payments.payment(order_id)
    assert (row.state, row.planned_minor, row.due_minor) == ("settled", 1_500, 1_500)


async def test_a_capture_nobody_could_execute_for_a_day_fails_and_nothing_earlier_does(
    payments: Payments,
) -> None:
    command, provider, clock = authorise(), MemoryProvider(), Clock()
    taken = capture(command.order_id)
    await payments.deliver(command)
    async with dispatching(payments, provider, clock=clock):
        await payments.until_settled()
        provider.always = Mishap.REFUSED
        await payments.deliver(taken)
        await eventually(lambda: provider.calls.total() >= 5)
    clock.advance(timedelta(hours=23))
    async with dispatching(payments, provider, clock=clock):
        await eventually(lambda: provider.calls.total() >= 10)
    assert await payments.event_types(command.order_id) == ["payment_authorised"]
    clock.advance(timedelta(hours=2))
    async with dispatching(payments, provider, clock=clock):
        await payments.until_settled()

    assert (await payments.events(command.order_id))[-1] == CaptureFailed(
        order_id=command.order_id, shipment_id=taken.shipment_id, code="timed_out"
    )


async def test_an_open_breaker_delays_captures_and_refunds_and_fails_none(
    payments: Payments,
) -> None:
    commands, provider = [authorise() for _ in range(10)], MemoryProvider()
    for command in commands:
        await payments.deliver(command)
    async with dispatching(payments, provider):
        await payments.until_settled()
    provider.always = Mishap.REFUSED
    settings = replace(QUICK, concurrency_max=3, breaker=BreakerSettings(samples_min=3, open_ms=50))
    before = provider.calls.total()
    for command in commands:
        await payments.deliver(capture(command.order_id), refund(command.order_id))

    async with dispatching(payments, provider, settings):
        await eventually(lambda: provider.calls.total() >= before + 5)
        provider.always = None
        await payments.until_settled()

    for command in commands:
        assert await payments.event_types(command.order_id) == [
            "payment_authorised",
            "payment_captured",
            "refund_succeeded",
        ]


async def test_a_refund_whose_key_the_provider_may_have_forgotten_is_left_to_a_person(
    payments: Payments,
) -> None:
    command, provider, clock = authorise(), MemoryProvider(), Clock()
    given = refund(command.order_id)
    await payments.deliver(command, capture(command.order_id))
    async with dispatching(payments, provider, clock=clock):
        await payments.until_settled()
        provider.always = Mishap.LOST_BEFORE
        before = provider.calls.total()
        await payments.deliver(given, reduce(command.order_id))
        await eventually(lambda: provider.calls.total() > before)
        clock.advance(timedelta(hours=24))
        await payments.until_settled()

    # What a person must tell holds up what comes behind it.
    assert (await payments.events(command.order_id))[-1] == PaymentUnresolved(
        order_id=command.order_id,
        operation="refund",
        reason="key_expired",
        subject_id=given.refund_id,
    )


async def test_money_of_a_payment_that_never_was_is_refused_loudly(payments: Payments) -> None:
    order_id = new_id()

    for command in (capture(order_id), refund(order_id), reduce(order_id, amount_minor=1)):
        with pytest.raises(UnknownPayment):
            await payments.deliver(command)


async def test_a_shipment_that_asks_for_another_amount_is_refused_loudly(
    payments: Payments,
) -> None:
    command = authorise()
    taken = capture(command.order_id)
    await payments.deliver(command, taken)
    other = replace(taken, amount=replace(taken.amount, amount=1))

    with pytest.raises(OperationReused):
        await payments.deliver(other)
