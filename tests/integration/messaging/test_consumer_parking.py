"""What is parked comes back in order when an operator asks for it."""

from uuid import UUID

from libs.foundation.database.transaction import transaction
from libs.foundation.ids import new_id
from libs.foundation.messaging.sql import operator_requests
from libs.testkit.eventually import eventually
from tests.integration.messaging.consumer_toys import (
    Noted,
    Refused,
    ToyHandler,
    Toys,
    ToyTopic,
    definition,
    message,
    send,
)


async def ask(toys: Toys, consumer: str, topic: ToyTopic, verb: str, key: str) -> UUID:
    request_id = new_id()
    async with (
        toys.pool(toys.database.url_for("orderly_operator")) as pool,
        transaction(pool) as tx,
    ):
        await operator_requests.insert(
            tx,
            request_id=request_id,
            owner=consumer,
            verb=verb,
            topic=topic.name,
            key=key,
            requested_by="a tester",
            reason="the test says so",
        )
    return request_id


async def outcome(toys: Toys) -> str:
    rows = await eventually(
        lambda: toys.rows(
            "SELECT outcome FROM messaging.operator_requests WHERE finished_at IS NOT NULL"
        )
    )
    return rows[-1][0]


async def test_a_parked_key_keeps_its_order_and_retry_runs_the_queue(
    toys: Toys, topic: ToyTopic
) -> None:
    handler = ToyHandler()
    handler.refused["k", 2] = Refused("not yet")
    await send(toys.bootstrap, topic, [message(Noted("k", n)) for n in range(1, 80)])

    async with toys.consuming(definition(topic.name, [topic], handler)):
        await eventually(toys.parked, lambda parked: len(parked) == 78)
        await ask(toys, topic.name, topic, "retry", "k")
        assert "stopped" in await outcome(toys)
        handler.refused.clear()
        await ask(toys, topic.name, topic, "retry", "k")
        await eventually(toys.parked, lambda parked: parked == [])
        await send(toys.bootstrap, topic, [message(Noted("k", 80))])
        await eventually(toys.effects, lambda effects: effects[-1:] == [("k", 80)])

    assert await toys.effects_of("k") == list(range(1, 81))
    assert await toys.rows("SELECT * FROM messaging.parked_keys") == []


async def test_skip_leaves_the_first_message_out_and_runs_the_rest(
    toys: Toys, topic: ToyTopic
) -> None:
    handler = ToyHandler()
    handler.refused["k", 2] = Refused("never")
    await send(toys.bootstrap, topic, [message(Noted("k", n)) for n in range(1, 120)])

    async with toys.consuming(definition(topic.name, [topic], handler)):
        await eventually(toys.parked, lambda parked: len(parked) == 118)
        await ask(toys, topic.name, topic, "skip", "k")
        await eventually(toys.parked, lambda parked: parked == [])

    assert await toys.effects_of("k") == [1, *range(3, 120)]
    resolutions = "SELECT resolution, count(*) FROM messaging.parked_messages GROUP BY 1 ORDER BY 1"
    assert await toys.rows(resolutions) == [("retried", 117), ("skipped", 1)]
    request = "SELECT requested_by, reason, outcome FROM messaging.operator_requests"
    assert (await toys.rows(request))[0][:2] == ("a tester", "the test says so")


async def test_what_queued_behind_a_parked_key_is_known_when_it_arrives_again(
    toys: Toys, topic: ToyTopic
) -> None:
    handler = ToyHandler()
    handler.refused["k", 1] = Refused("not yet")
    sent = [message(Noted("k", n)) for n in (1, 2)]
    await send(toys.bootstrap, topic, sent)

    async with toys.consuming(definition(topic.name, [topic], handler)):
        await eventually(toys.parked, lambda parked: len(parked) == 2)
        handler.refused.clear()
        await ask(toys, topic.name, topic, "retry", "k")
        await eventually(toys.parked, lambda parked: parked == [])
        await send(toys.bootstrap, topic, [*sent, message(Noted("k", 3))])
        await eventually(toys.effects, lambda effects: ("k", 3) in effects)

    assert await toys.effects_of("k") == [1, 2, 3]
