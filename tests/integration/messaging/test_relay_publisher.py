"""What every publisher promises; the fake of other tests passes the same suite as the real one."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

import pytest

from libs.foundation.messaging.relay.errors import LeaseLost, TopicsDiffer
from libs.foundation.messaging.relay.producer import open_publisher
from libs.foundation.messaging.relay.publisher import Publisher
from libs.foundation.messaging.sql.outbox_windows import OutboxRow
from libs.foundation.settings import KafkaSettings
from libs.testkit.records import read_all
from libs.testkit.topics import TopicMaker
from tests.integration.messaging.relay_harness import Recorder

TOO_LARGE: Final = b"x" * 1_200_000
PARTITIONS: Final = 3


def kafka_at(bootstrap: str) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=bootstrap, request_timeout_ms=2_000)


def row(topic: str, seq: int, key: str, payload: bytes = b"{}") -> OutboxRow:
    return OutboxRow(
        seq=seq,
        topic=topic.encode(),
        partition=sum(key.encode()) % PARTITIONS,
        key=key.encode(),
        id=b"0190b5d2-aaaa-7bbb-8ccc-1234567890ab",
        type=b"toys.changed.v1",
        source=b"/orderly/toys",
        occurred_at=b"2026-11-23 08:00:00.5",
        sequence=seq,
        traceparent=None,
        payload=payload,
        written_at_s=0.0,
    )


class Stage(Protocol):
    """A publisher, the topic it publishes to, and what has arrived there."""

    publisher: Publisher
    topic: str

    async def arrived(self) -> dict[str, list[int]]: ...


class KafkaStage:
    def __init__(self, publisher: Publisher, topic: str, bootstrap: str) -> None:
        self.publisher, self.topic, self._bootstrap = publisher, topic, bootstrap

    async def arrived(self) -> dict[str, list[int]]:
        seqs: dict[str, list[int]] = defaultdict(list)
        for record in await read_all(self._bootstrap, [self.topic]):
            assert record.key is not None
            seqs[record.key.decode()].append(int(dict(record.headers)["ce_sequence"]))
        return dict(seqs)


class RecorderStage:
    def __init__(self) -> None:
        self.recorder = Recorder(refuses=lambda row: len(row.payload) > 1_000_000)
        self.publisher: Publisher = self.recorder
        self.topic = "toys.events"

    async def arrived(self) -> dict[str, list[int]]:
        seqs: dict[str, list[int]] = defaultdict(list)
        for each in self.recorder.rows:
            seqs[each.key.decode()].append(each.seq)
        return dict(seqs)


@asynccontextmanager
async def kafka_stage(bootstrap: str, topics: TopicMaker) -> AsyncGenerator[Stage]:
    (topic,) = await topics(["toys.events"], partitions=PARTITIONS)
    shape = {topic: PARTITIONS}
    async with open_publisher(kafka_at(bootstrap), shape, stuck_s=60) as publisher:
        await publisher.prepare()
        yield KafkaStage(publisher, topic, bootstrap)


@pytest.fixture(params=["kafka", "recorder"])
async def stage(
    request: pytest.FixtureRequest, kafka_bootstrap: str, make_topics: TopicMaker
) -> AsyncGenerator[Stage]:
    if request.param == "recorder":
        yield RecorderStage()
        return
    async with kafka_stage(kafka_bootstrap, make_topics) as real:
        yield real


def allow() -> None:
    """Let everything be sent."""


async def test_keys_arrive_in_order(stage: Stage) -> None:
    rows = [row(stage.topic, seq, f"key-{seq % 7}") for seq in range(1, 200)]

    held_back = await stage.publisher.publish(rows, allow)

    assert held_back == []
    assert await stage.arrived() == {
        f"key-{number}": [seq for seq in range(1, 200) if seq % 7 == number] for number in range(7)
    }


async def test_a_partition_with_more_than_a_batch_keeps_its_order(stage: Stage) -> None:
    rows = [row(stage.topic, seq, "one-key", b"x" * 100_000) for seq in range(1, 18)]

    await stage.publisher.publish(rows, allow)

    assert await stage.arrived() == {"one-key": list(range(1, 18))}


async def test_a_row_larger_than_a_batch_is_published_alone(stage: Stage) -> None:
    rows = [row(stage.topic, 1, "key"), row(stage.topic, 2, "key", b"x" * 900_000)]

    held_back = await stage.publisher.publish(rows, allow)

    assert held_back == []
    assert await stage.arrived() == {"key": [1, 2]}


async def test_a_refused_row_holds_back_its_key_and_nothing_else(stage: Stage) -> None:
    rows = [row(stage.topic, seq, f"key-{seq % 6}") for seq in range(1, 31)]
    rows[9] = row(stage.topic, 10, "key-4", TOO_LARGE)

    held_back = await stage.publisher.publish(rows, allow)

    assert [each.row.seq for each in held_back] == [10, 16, 22, 28]
    assert [each.failure is None for each in held_back] == [False, True, True, True]
    expected = {f"key-{number}": seqs_of(rows, number) for number in range(6)}
    expected["key-4"] = [4]
    assert await stage.arrived() == expected
    assert await stage.publisher.publish([row(stage.topic, 40, "key-1")], allow) == []


def seqs_of(rows: Sequence[OutboxRow], number: int) -> list[int]:
    return [each.seq for each in rows if each.seq % 6 == number]


async def test_nothing_is_sent_once_the_lease_is_lost(stage: Stage) -> None:
    def refuse() -> None:
        raise LeaseLost(7)

    with pytest.raises(LeaseLost):
        await stage.publisher.publish([row(stage.topic, 1, "key")], refuse)

    assert await stage.arrived() == {}


async def test_a_topic_with_another_partition_count_blocks(
    kafka_bootstrap: str, make_topics: TopicMaker
) -> None:
    (topic,) = await make_topics(["toys.events"], partitions=PARTITIONS)

    async with open_publisher(kafka_at(kafka_bootstrap), {topic: 12}, stuck_s=60) as publisher:
        with pytest.raises(TopicsDiffer, match=r"has 3 partitions, not 12.*orderly topics"):
            await publisher.prepare()


async def test_a_missing_topic_blocks(kafka_bootstrap: str, topic_prefix: str) -> None:
    missing = f"{topic_prefix}missing"

    async with open_publisher(kafka_at(kafka_bootstrap), {}, stuck_s=60) as publisher:
        await publisher.prepare()
        with pytest.raises(TopicsDiffer, match="orderly topics"):
            await publisher.publish([row(missing, 1, "key")], allow)


async def test_a_partition_the_topic_does_not_have_blocks(
    kafka_bootstrap: str, make_topics: TopicMaker
) -> None:
    (topic,) = await make_topics(["toys.events"], partitions=1)
    misplaced = next(each for each in map(str, range(9)) if row(topic, 1, each).partition > 0)

    async with open_publisher(kafka_at(kafka_bootstrap), {}, stuck_s=60) as publisher:
        await publisher.prepare()
        with pytest.raises(TopicsDiffer, match="has no partition"):
            await publisher.publish([row(topic, 1, misplaced)], allow)
