"""A reduction leaves nothing held, wherever the authorisation stands when it comes."""

import pytest

from libs.contracts.payments import PaymentDeclined, PaymentReduced
from libs.foundation.ids import new_id
from libs.testkit.payments.commands import authorise, reduce
from libs.testkit.payments.memory_provider import MemoryProvider, Mishap
from tests.integration.payments.harness import Payments, dispatching


async def test_a_held_payment_is_released_when_it_is_reduced(payments: Payments) -> None:
    command, provider = authorise(), MemoryProvider()
    reduction = reduce(command.order_id)
    await payments.deliver(command)

    async with dispatching(payments, provider):
        await payments.until_settled()
        await payments.deliver(reduction)
        await payments.until_settled()
    await payments.deliver(reduction)

    assert await payments.event_types(command.order_id) == [
        "payment_authorised",
        "payment_reduced",
        "payment_reduced",
    ]
    events = await payments.events(command.order_id)
    assert events[1] == events[2]
    assert provider.live() == []
    assert (await payments.payment(command.order_id)).state == "voided"


async def test_a_reduction_that_comes_first_leaves_a_tombstone(payments: Payments) -> None:
    order_id, provider = new_id(), MemoryProvider()
    await payments.deliver(reduce(order_id), authorise(order_id))

    async with dispatching(payments, provider):
        await payments.until_settled()

    reduced, declined = await payments.events(order_id)
    assert isinstance(reduced, PaymentReduced)
    assert declined == PaymentDeclined(order_id=order_id, decline_code="superseded")
    assert provider.calls.total() == 0


async def test_a_reduction_before_the_call_makes_the_call_unnecessary(payments: Payments) -> None:
    command, provider = authorise(), MemoryProvider()
    await payments.deliver(command, reduce(command.order_id))

    async with dispatching(payments, provider):
        await payments.until_settled()

    assert await payments.event_types(command.order_id) == ["payment_reduced"]
    assert provider.calls.total() == 0


@pytest.mark.parametrize("mishap", [None, Mishap.LOST_AFTER, Mishap.LOST_BEFORE, Mishap.REFUSED])
async def test_a_reduction_while_the_call_is_under_way_leaves_nothing_held(
    payments: Payments, mishap: Mishap | None
) -> None:
    command, provider = authorise(), MemoryProvider()
    provider.mishaps = [] if mishap is None else [mishap]
    provider.gate.clear()
    await payments.deliver(command)

    async with dispatching(payments, provider):
        await provider.arrived.wait()
        await payments.deliver(reduce(command.order_id))
        assert await payments.events(command.order_id) == []
        provider.gate.set()
        await payments.until_settled()

    assert await payments.event_types(command.order_id) == ["payment_reduced"]
    assert provider.live() == []
    assert (await payments.payment(command.order_id)).state == "voided"
    assert await payments.live() == {}
