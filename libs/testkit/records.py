"""Sends records to Kafka and reads them back, for tests that look at a topic from outside."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from msgspec import Struct

_READ_S: Final = 20.0


class Record(Struct, frozen=True):
    """One record of a topic, as a consumer sees it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


async def send(
    bootstrap: str,
    topic: str,
    value: bytes | None,
    *,
    key: bytes | None = None,
    headers: Mapping[str, bytes] | None = None,
    partition: int | None = None,
) -> None:
    """Send one record and wait until the broker has it."""
    producer: Any = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    async with producer:
        await producer.send_and_wait(
            topic, value, key=key, partition=partition, headers=list((headers or {}).items())
        )


async def read_all(bootstrap: str, topics: Sequence[str]) -> list[Record]:
    """Read what the topics hold at this moment, each partition in order."""
    consumer: Any = AIOKafkaConsumer(
        *topics, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None
    )
    records: list[Record] = []
    async with consumer, asyncio.timeout(_READ_S):
        ends: dict[TopicPartition, int] = await consumer.end_offsets(consumer.assignment())
        while [one for one, end in ends.items() if await consumer.position(one) < end]:
            batches: dict[TopicPartition, list[Any]] = await consumer.getmany(timeout_ms=200)
            records += [_record(one) for batch in batches.values() for one in batch]
    return records


def _record(received: Any) -> Record:  # noqa: ANN401 - aiokafka's records are generic and untyped.
    return Record(
        topic=received.topic,
        partition=received.partition,
        offset=received.offset,
        key=received.key,
        value=received.value,
        headers=tuple(received.headers),
    )
