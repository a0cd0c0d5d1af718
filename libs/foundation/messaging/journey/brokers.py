"""Asks the brokers where the records of some rows are, and how far the groups have come."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from libs.foundation.messaging.journey.facts import Brokers, GroupPlace
from libs.foundation.messaging.replay.selection import Reader
from libs.foundation.messaging.sql.journeys import SentRow
from libs.foundation.messaging.status.lag import open_lag_reader
from libs.foundation.settings import KafkaSettings

_BROKERS_S: Final = 15.0
_RECORDS_S: Final = 5.0
_RECORDS_MAX: Final = 2_000
_POLL_MS: Final = 500
_FETCH_WAIT_MS: Final = 10
# A record is stamped by the relay's clock, its row by the database's.
_CLOCKS: Final = timedelta(seconds=2)


async def ask_brokers(
    kafka: KafkaSettings, rows: Sequence[SentRow], readers: Sequence[Reader]
) -> Brokers:
    """Return what the brokers know in time; one that is away makes its part unknown, no error."""
    try:
        async with asyncio.timeout(_BROKERS_S):
            return Brokers(
                places=await _places(kafka, rows, readers), offsets=await _offsets(kafka, rows)
            )
    except (KafkaError, OSError, TimeoutError) as error:
        return Brokers(problem=f"the brokers do not answer: {type(error).__name__}")


async def _places(
    kafka: KafkaSettings, rows: Sequence[SentRow], readers: Sequence[Reader]
) -> list[GroupPlace]:
    wanted = {(row.topic, row.partition) for row in rows}
    places: list[GroupPlace] = []
    async with open_lag_reader(kafka) as brokers:
        for reader in readers:
            found = await brokers.offsets(reader.name, reader.topics)
            places += [
                GroupPlace(
                    consumer=reader.name,
                    members=found.members,
                    topic=topic,
                    partition=partition,
                    next=offset,
                    end=found.ends[topic, partition],
                )
                for (topic, partition), offset in found.next.items()
                if (topic, partition) in wanted
            ]
    return places


async def _offsets(kafka: KafkaSettings, rows: Sequence[SentRow]) -> dict[UUID, int]:
    """Look for the records, the newest first: those are the ones that a person asks about."""
    found: dict[UUID, int] = {}
    async with open_consumer(kafka) as consumer:
        try:
            async with asyncio.timeout(_RECORDS_S):
                for row in reversed(rows):
                    if row.is_published and row.id not in found:
                        await _look_for(consumer, row, found)
        except TimeoutError:
            return found
    return found


async def _look_for(consumer: Any, row: SentRow, found: dict[UUID, int]) -> None:  # noqa: ANN401
    """Read on from the time of the row, until its record has come or enough were read."""
    partition = TopicPartition(row.topic, row.partition)
    since_ms = int((row.written_at - _CLOCKS).timestamp() * 1_000)
    starts = await consumer.offsets_for_times({partition: since_ms})
    if starts.get(partition) is None:
        return
    consumer.assign([partition])
    consumer.seek(partition, starts[partition].offset)
    read = 0
    while row.id not in found and read < _RECORDS_MAX:
        records = (await consumer.getmany(partition, timeout_ms=_POLL_MS)).get(partition)
        if not records:
            return
        read += len(records)
        for record in records:
            event_id = event_id_of(record.headers)
            if event_id is not None:
                found.setdefault(event_id, record.offset)


def event_id_of(headers: Sequence[tuple[str, bytes]]) -> UUID | None:
    text = next((value for name, value in headers if name == "ce_id"), None)
    try:
        return None if text is None else UUID(text.decode())
    except ValueError:
        return None


@asynccontextmanager
async def open_consumer(kafka: KafkaSettings) -> AsyncGenerator[Any]:
    """Open a client that only looks; it belongs to no group."""
    # A fetch that waits for new records at a broker holds up every question behind it.
    consumer: Any = AIOKafkaConsumer(
        **kafka.client_arguments(), enable_auto_commit=False, fetch_max_wait_ms=_FETCH_WAIT_MS
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()
