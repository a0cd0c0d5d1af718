"""Making topics, and refusing those of another shape."""

from collections.abc import AsyncIterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from msgspec import Struct

from libs.foundation.messaging import topics
from libs.foundation.settings import KafkaSettings


class Wanted(Struct, frozen=True):
    name: str
    partitions: int = 3
    retention_days: int = 7


@pytest.fixture
async def admin(kafka_bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    async with topics.open_admin(KafkaSettings(bootstrap_servers=kafka_bootstrap)) as admin:
        yield admin


@pytest.fixture
async def wanted(admin: AIOKafkaAdminClient, topic_prefix: str) -> AsyncIterator[list[Wanted]]:
    made = [Wanted(f"{topic_prefix}a"), Wanted(f"{topic_prefix}b", 2, 1)]
    yield made
    await admin.delete_topics([topic.name for topic in made])


async def test_missing_topics_are_made_as_their_contracts_say(
    admin: AIOKafkaAdminClient, wanted: list[Wanted]
) -> None:
    missing = await topics.check(admin, wanted)

    made = await topics.apply(admin, wanted)

    assert [one.problem for one in missing] == ["is missing", "is missing"]
    assert made == [topic.name for topic in wanted]
    assert await topics.check(admin, wanted) == []


async def test_applying_again_changes_nothing(
    admin: AIOKafkaAdminClient, wanted: list[Wanted]
) -> None:
    await topics.apply(admin, wanted)

    assert await topics.apply(admin, wanted) == []


async def test_another_partition_count_or_retention_is_reported_and_left_alone(
    admin: AIOKafkaAdminClient, wanted: list[Wanted]
) -> None:
    first, second = wanted
    await admin.create_topics([NewTopic(first.name, num_partitions=4, replication_factor=1)])
    await topics.apply(admin, [second])
    stricter = Wanted(second.name, second.partitions, 30)

    assert await topics.apply(admin, [first, stricter]) == []
    differences = await topics.check(admin, [first, stricter])

    assert [one.topic for one in differences] == [first.name, second.name]
    assert "has 4 partitions, its contract says 3" in differences[0].problem
    assert "never alter" in differences[0].remedy
    assert "retention.ms=2592000000" in differences[1].remedy
