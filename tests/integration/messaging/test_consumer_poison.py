"""Which messages park, which wait, and how what is parked comes back in order."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from psycopg import sql

from libs.foundation.ids import first_id_at, new_id
from libs.testkit.eventually import eventually
from tests.integration.messaging.consumer_toys import (
    Added,
    Noted,
    Outgoing,
    Refused,
    ToyHandler,
    Toys,
    ToyTopic,
    definition,
    message,
    prompt_settings,
    send,
)

_LARGEST_ID: Final = UUID("ffffffff-ffff-7fff-bfff-ffffffffffff")


def id_at(offset: timedelta) -> UUID:
    """Make a UUIDv7 of now plus `offset`: its millisecond, with version and random bits."""
    moment = datetime.now(UTC) + offset
    random_bits = new_id().int & ((1 << 80) - 1)
    return UUID(int=first_id_at(moment).int | random_bits)


async def test_one_poison_message_among_good_ones_parks_alone(toys: Toys, topic: ToyTopic) -> None:
    handler = ToyHandler()
    handler.refused["k50", 0] = Refused("impossible")
    await send(toys.bootstrap, topic, [message(Noted(f"k{i}", 0)) for i in range(100)])

    async with toys.consuming(definition(topic.name, [topic], handler)):
        await eventually(toys.count, lambda count: count == 99)
        await eventually(toys.parked)

    assert await toys.parked() == [("k50", "toy-refused")]


async def test_a_violated_constraint_is_poison_at_once(toys: Toys, topic: ToyTopic) -> None:
    await send(toys.bootstrap, topic, [message(Added("k", 5_000)), message(Noted("other", 1))])

    async with toys.consuming(definition(topic.name, [topic])):
        await eventually(toys.parked, lambda parked: parked == [("k", "23514")])
        await eventually(toys.effects, lambda effects: effects == [("other", 1)])

    assert await toys.rows("SELECT attempts FROM messaging.parked_messages") == [(1,)]


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (message(Noted("k", 2), body=b"\xff{"), "undecodable"),
        (message(Noted("k", 2), body=b'{"key": "k", "n": "not a number"}'), "undecodable"),
        (message(Noted("k", 2), event_id=uuid4()), "bad-id"),
        (message(Noted("k", 2), event_id=id_at(timedelta(hours=6))), "bad-id"),
        (message(Noted("k", 2), event_id=_LARGEST_ID), "bad-id"),
        (message(Noted("k", 2), event_id=id_at(timedelta(days=-30))), "outside_window"),
    ],
    ids=["no JSON", "wrong field", "no UUIDv7", "ahead", "end of time", "outside the window"],
)
async def test_what_can_never_be_handled_parks_and_its_key_waits(
    toys: Toys, topic: ToyTopic, broken: Outgoing, code: str
) -> None:
    sent = [message(Noted("k", 1)), broken, message(Noted("k", 3))]
    await send(toys.bootstrap, topic, [*sent, message(Noted("free", 1))])

    async with toys.consuming(definition(topic.name, [topic])):
        await eventually(toys.parked, lambda parked: len(parked) == 2)
        await eventually(toys.effects, lambda effects: ("free", 1) in effects)

    assert await toys.parked() == [("k", code), ("k", "queued")]
    assert await toys.effects_of("k") == [1]


async def test_a_record_without_headers_parks_once_however_often_it_is_read(
    toys: Toys, topic: ToyTopic
) -> None:
    nameless = Outgoing(key="k", body=b"?", headers=(("odd", b"\x00\xff"),))
    await send(toys.bootstrap, topic, [nameless])

    for reading in (1, 2):
        async with toys.consuming(definition(topic.name, [topic])):
            await send(toys.bootstrap, topic, [message(Noted("free", reading))])
            await eventually(toys.count, reading.__eq__)
        await forget_offsets(toys, topic)

    assert await toys.parked() == [("k", "bad-envelope")]


async def forget_offsets(toys: Toys, topic: ToyTopic) -> None:
    """Set the group back to the beginning, as if nothing had been committed."""
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=toys.bootstrap, group_id=topic.name)
    consumer.assign([TopicPartition(topic.name, i) for i in range(topic.partitions)])
    await consumer.start()
    try:
        await consumer.commit({TopicPartition(topic.name, i): 0 for i in range(topic.partitions)})
    finally:
        await consumer.stop()


async def test_an_unexplained_failure_parks_after_five_attempts_while_others_pass(
    toys: Toys, topic: ToyTopic
) -> None:
    handler = ToyHandler()
    handler.refused["k", 7] = KeyError("a bug")
    good = [message(Noted(f"g{i}", 0)) for i in range(10)]
    await send(toys.bootstrap, ToyTopic(topic.name, 1), [*good, message(Noted("k", 7))])

    async with toys.consuming(definition(topic.name, [topic], handler)):
        await eventually(toys.parked, lambda parked: parked == [("k", "KeyError")])

    assert await toys.count() == len(good)
    assert await toys.rows("SELECT attempts FROM messaging.parked_messages") == [(5,)]
    assert [calls for calls in handler.calls if calls == [7]] == [[7]] * 5


async def test_a_lone_failure_parks_when_a_probe_of_the_database_passes(
    toys: Toys, topic: ToyTopic
) -> None:
    handler = ToyHandler()
    handler.refused["k", 7] = KeyError("a bug")
    await send(toys.bootstrap, topic, [message(Noted("k", 7))])

    async with toys.consuming(definition(topic.name, [topic], handler)):
        await eventually(toys.parked, lambda parked: parked == [("k", "KeyError")])

    assert handler.calls == [[7]] * 5


async def test_an_unexplained_failure_of_a_whole_batch_parks_nothing(
    toys: Toys, topic: ToyTopic
) -> None:
    handler = ToyHandler()
    handler.refused = {(f"k{i}", 0): KeyError("a bad release") for i in range(8)}
    await send(
        toys.bootstrap, ToyTopic(topic.name, 1), [message(Noted(f"k{i}", 0)) for i in range(8)]
    )

    async with toys.consuming(definition(topic.name, [topic], handler)) as consumer:
        await eventually(consumer.problems, lambda problems: "KeyError" in str(problems))
        assert await toys.parked() == []
        handler.refused.clear()
        await eventually(toys.count, lambda count: count == 8)
        await eventually(consumer.problems, lambda problems: problems == [])


async def test_too_many_parked_keys_a_minute_stop_the_parking(toys: Toys, topic: ToyTopic) -> None:
    handler = ToyHandler()
    handler.refused = {(f"k{i}", 0): Refused("a bad release") for i in range(30)}
    await send(
        toys.bootstrap, ToyTopic(topic.name, 1), [message(Noted(f"k{i}", 0)) for i in range(30)]
    )

    settings = prompt_settings(parked_keys_per_minute_max=5)
    async with toys.consuming(definition(topic.name, [topic], handler), settings) as consumer:
        await eventually(consumer.problems, lambda problems: "too many keys" in str(problems))

    assert len(await toys.parked()) == 5
    assert await toys.count() == 0


async def test_an_inbox_partition_dropped_under_a_running_consumer_parks_what_it_held(
    toys: Toys, topic: ToyTopic
) -> None:
    old = timedelta(days=-7, hours=-1)
    async with toys.consuming(definition(topic.name, [topic])):
        await send(toys.bootstrap, topic, [message(Noted("a", 1))])
        await eventually(toys.effects)
        for table in inbox_partitions_until(toys.database.url, datetime.now(UTC) + old):
            drop(toys.database.url, table)
        late = message(Noted("k", 1), event_id=id_at(old))
        await send(toys.bootstrap, topic, [late, message(Noted("k", 2))])
        await eventually(toys.parked, lambda parked: len(parked) == 2)

    assert await toys.parked() == [("k", "outside_window"), ("k", "queued")]


def inbox_partitions_until(url: str, moment: datetime) -> list[str]:
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT relname FROM pg_class WHERE relname ~ '^inbox_[0-9]{8}$' AND relname <= %s",
            [f"inbox_{moment:%Y%m%d}"],
        )
        return [row[0] for row in found]


def drop(url: str, table: str) -> None:
    statement = sql.SQL("DROP TABLE messaging.{}").format(sql.Identifier(table))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
