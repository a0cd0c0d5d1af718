"""Consumers that are killed, drained, rebalanced, or whose database goes away."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client import REGISTRY

from libs.foundation.database.transaction import Transaction
from libs.foundation.messaging.definitions import ConsumerDefinition
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from libs.testkit.faults import running
from libs.testkit.proxy import Proxy, proxied
from tests.integration.messaging.consumer_toys import (
    ROLE,
    Noted,
    Toys,
    ToyTopic,
    definition,
    message,
    note,
    prompt_settings,
    send,
)


@pytest.fixture
async def proxy(database: Database) -> AsyncIterator[Proxy]:
    address = urlsplit(database.url)
    async with proxied(address.hostname or "", address.port or 0) as proxy:
        yield proxy


def through(proxy: Proxy, url: str) -> str:
    address = urlsplit(url)
    return url.replace(f"{address.hostname}:{address.port}", f"127.0.0.1:{proxy.port}")


def duplicates() -> float:
    labels = {"outcome": "duplicate", "type": Noted.type}
    return REGISTRY.get_sample_value("consumer_messages_total", labels) or 0


def rebalances() -> float:
    return REGISTRY.get_sample_value("consumer_rebalances_total") or 0


async def committed(toys: Toys, topic: ToyTopic) -> int:
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=toys.bootstrap, group_id=topic.name)
    await consumer.start()
    try:
        offsets = [
            await consumer.committed(TopicPartition(topic.name, i)) for i in range(topic.partitions)
        ]
    finally:
        await consumer.stop()
    return sum(offset or 0 for offset in offsets)


class Gate:
    """A handler that waits in its first call until the test opens it."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, tx: Transaction, messages: Sequence[Noted]) -> None:
        await note(tx, messages)
        self.entered.set()
        await self.open.wait()


async def test_a_member_killed_between_commit_and_offsets_leaves_each_effect_once(
    toys: Toys, topic: ToyTopic
) -> None:
    keys = [f"k{i}" for i in range(10)]
    await send(toys.bootstrap, topic, [message(Noted(key, n)) for n in range(5) for key in keys])
    arguments = (toys.bootstrap, toys.database.url_for(ROLE), topic.name)
    member = "tests.integration.messaging.toy_member"
    async with running(member, *arguments, environment={}, side_port=0, ready=False) as child:
        await eventually(toys.count, lambda count: count == 50)
        await child.kill()
    assert await committed(toys, topic) == 0
    dropped = duplicates()

    async with toys.consuming(definition(topic.name, [topic])):
        await send(toys.bootstrap, topic, [message(Noted(key, 5)) for key in keys])
        await eventually(toys.count, lambda count: count == 60)

    assert duplicates() - dropped == 50
    for key in keys:
        assert await toys.effects_of(key) == list(range(6))


@pytest.mark.parametrize("fault", ["cut", "freeze"])
async def test_a_database_away_for_longer_than_any_interval_stops_nothing_for_good(
    toys: Toys, topic: ToyTopic, proxy: Proxy, fault: str
) -> None:
    url = through(proxy, toys.database.url_for(ROLE))
    settings = prompt_settings(wave_timeout_ms=1_000)
    async with toys.consuming(definition(topic.name, [topic]), settings, url) as consumer:
        await send(toys.bootstrap, topic, [message(Noted("k", 0))])
        await eventually(toys.count)
        before = rebalances()
        getattr(proxy, fault)()
        await send(toys.bootstrap, topic, [message(Noted(f"k{i}", 0)) for i in range(50)])
        # The session timeout, 6 s, is the longest interval after which the group could act.
        away = await eventually(
            consumer.problems, lambda problems: "for 8 s" in str(problems), within_s=40
        )
        proxy.restore()
        await eventually(toys.count, lambda count: count == 51, within_s=30)
        await eventually(consumer.problems, lambda problems: problems == [])

    assert len(away) > 1
    assert rebalances() == before
    assert await toys.parked() == []


async def test_members_that_come_and_go_under_load_keep_effects_single_and_in_order(
    toys: Toys, topic: ToyTopic
) -> None:
    keys = [f"k{i}" for i in range(40)]
    total = 60
    toy = definition(topic.name, [topic])
    small = prompt_settings(batch_records_max=20)
    async with toys.consuming(toy, small):
        load = asyncio.create_task(
            send(toys.bootstrap, topic, [message(Noted(k, n)) for n in range(total) for k in keys])
        )
        await eventually(toys.count)
        async with toys.consuming(toy, small) as second:
            await eventually(lambda: second.problems() == [])
            await eventually(toys.count, lambda count: count > 200)
        await load
        async with toys.consuming(toy, small) as third:
            await eventually(lambda: third.problems() == [])
            await eventually(toys.count, lambda count: count >= total * len(keys), within_s=60)

    effects = await toys.effects()
    by_key = {key: [n for found, n in effects if found == key] for key in keys}
    assert by_key == {key: list(range(total)) for key in keys}


async def test_a_drain_finishes_the_batch_in_hand_commits_and_leaves(
    toys: Toys, topic: ToyTopic
) -> None:
    gate = Gate()
    await send(toys.bootstrap, topic, [message(Noted("k", n)) for n in range(10)])
    stopped = asyncio.create_task(consume_until(toys, definition(topic.name, [topic], gate), gate))
    await eventually(gate.entered.is_set)

    gate.open.set()
    await stopped

    effects = await toys.effects_of("k")
    assert effects == list(range(len(effects)))
    assert await committed(toys, topic) == len(effects)
    dropped = duplicates()
    async with toys.consuming(definition(topic.name, [topic])) as successor:
        # It left: a member that only fell silent would hold its successor up for 6 s.
        await eventually(lambda: successor.problems() == [], within_s=4)
        await eventually(lambda: toys.effects_of("k"), lambda found: found == list(range(10)))
    assert duplicates() == dropped


async def consume_until(toys: Toys, toy: ConsumerDefinition, gate: Gate) -> None:
    async with toys.consuming(toy):
        await gate.entered.wait()


async def test_a_batch_that_does_not_end_in_time_is_abandoned_to_the_next_owner(
    toys: Toys, topic: ToyTopic
) -> None:
    gate = Gate()
    hanging = definition(topic.name, [topic], gate)
    keys = [f"k{i}" for i in range(20)]
    await send(toys.bootstrap, topic, [message(Noted(key, 0)) for key in keys])

    async with toys.consuming(
        hanging, prompt_settings(revoke_grace_ms=100, wave_timeout_ms=60_000)
    ):
        await gate.entered.wait()
        async with toys.consuming(definition(topic.name, [topic])) as successor:
            await eventually(lambda: successor.problems() == [])
            gate.open.set()
            await eventually(toys.count, lambda count: count >= len(keys))

    assert sorted(key for key, _ in await toys.effects()) == sorted(keys)


async def test_a_member_without_its_database_gives_its_partitions_up(
    toys: Toys, topic: ToyTopic, proxy: Proxy
) -> None:
    toy = definition(topic.name, [topic])
    keys = [f"k{i}" for i in range(20)]
    async with toys.consuming(toy, url=through(proxy, toys.database.url_for(ROLE))) as cut_off:
        await eventually(lambda: cut_off.problems() == [])
        proxy.cut()
        await send(toys.bootstrap, topic, [message(Noted(key, 0)) for key in keys])
        await eventually(lambda: "no progress" in str(cut_off.problems()))

    async with toys.consuming(toy):
        await eventually(toys.count, lambda count: count == len(keys))

    assert sorted(key for key, _ in await toys.effects()) == sorted(keys)
    assert await toys.parked() == []


async def test_a_consumer_waits_for_topics_of_the_contract_s_shape(
    toys: Toys, topic: ToyTopic
) -> None:
    other_shape = ToyTopic(topic.name, 12)

    async with toys.consuming(definition(topic.name, [other_shape])) as consumer:
        problems = await eventually(consumer.problems, lambda found: "partitions" in str(found))

    assert problems == [
        f"topic {topic.name} has 4 partitions, its contract says 12; see `orderly topics check`"
    ]
