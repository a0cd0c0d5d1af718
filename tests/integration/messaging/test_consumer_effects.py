"""What a consumer makes of records: once each, in order for their key, duplicates dropped."""

from libs.foundation.ids import new_id
from libs.testkit.eventually import eventually
from libs.testkit.topics import TopicMaker
from tests.integration.messaging.consumer_toys import (
    Added,
    Ignored,
    Noted,
    Toys,
    ToyTopic,
    definition,
    message,
    send,
)


async def test_every_message_takes_effect_once_and_in_order_for_its_key(
    toys: Toys, topic: ToyTopic
) -> None:
    keys = [f"k{i}" for i in range(20)]
    sent = [message(Noted(key, n)) for n in range(30) for key in keys]
    await send(toys.bootstrap, topic, sent)

    async with toys.consuming(definition(topic.name, [topic])):
        await eventually(toys.count, lambda count: count >= len(sent))

    effects = await toys.effects()
    assert {key: [n for k, n in effects if k == key] for key in keys} == {
        key: list(range(30)) for key in keys
    }


async def test_a_record_that_is_published_again_is_dropped(toys: Toys, topic: ToyTopic) -> None:
    twice = message(Noted("k", 1))
    await send(toys.bootstrap, topic, [twice, twice, message(Noted("k", 2)), twice])

    async with toys.consuming(definition(topic.name, [topic])):
        await send(toys.bootstrap, topic, [message(Noted("k", 3))])
        await eventually(toys.effects, lambda effects: ("k", 3) in effects)

    assert await toys.effects_of("k") == [1, 2, 3]


async def test_two_messages_of_one_key_in_a_batch_both_count(toys: Toys, topic: ToyTopic) -> None:
    await send(toys.bootstrap, topic, [message(Added("k", n)) for n in (5, 7)])

    async with toys.consuming(definition(topic.name, [topic])):
        total = await eventually(
            lambda: toys.rows("SELECT total FROM toys.counters WHERE key = 'k'"),
            lambda rows: rows == [(12,)],
        )

    assert total == [(12,)]


async def test_one_id_under_two_keys_takes_effect_once(toys: Toys, topic: ToyTopic) -> None:
    one_id = new_id()
    one_partition = ToyTopic(topic.name, 1)
    same = [message(Noted("a", 1), event_id=one_id), message(Noted("b", 1), event_id=one_id)]
    await send(toys.bootstrap, one_partition, [*same, message(Noted("c", 1))])

    async with toys.consuming(definition(topic.name, [topic])):
        await eventually(toys.effects, lambda effects: ("c", 1) in effects)

    assert await toys.effects() == [("a", 1), ("c", 1)]


async def test_unknown_types_are_skipped_on_events_and_parked_on_commands(
    toys: Toys, topic: ToyTopic, make_topics: TopicMaker
) -> None:
    commands = ToyTopic(
        (await make_topics(["toys.commands"], 4))[0], 4, accepts_unknown_types=False
    )
    later = message(Noted("k", 1), type_="toys.noted.v2")
    await send(toys.bootstrap, topic, [later, message(Noted("k", 2)), message(Ignored("k"))])
    await send(toys.bootstrap, commands, [later, message(Noted("k", 3)), message(Ignored("z"))])

    async with toys.consuming(definition(topic.name, [topic, commands])):
        await eventually(toys.parked, lambda parked: len(parked) == 2)
        await eventually(toys.effects, lambda effects: effects == [("k", 2)])

    assert await toys.parked() == [("k", "unknown-type"), ("k", "queued")]
