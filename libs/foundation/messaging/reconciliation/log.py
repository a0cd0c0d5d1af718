"""Reads the records of some topics by their time, up to where the topics ended at first."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka import TopicPartition

from libs.foundation.messaging.journey.brokers import event_id_of, open_consumer
from libs.foundation.messaging.reconciliation.comparing import Record
from libs.foundation.messaging.topics import open_admin, partition_counts
from libs.foundation.settings import KafkaSettings

_RECORDS_MAX: Final = 5_000
_POLL_MS: Final = 500


class TopicLog:
    """What the brokers keep of some topics; one that is missing has no records."""

    # aiokafka's results have no types of their own.
    def __init__(self, consumer: Any, ends: Mapping[TopicPartition, int]) -> None:  # noqa: ANN401
        self._consumer = consumer
        self._ends = ends

    async def read(self, since: datetime, until: datetime) -> AsyncGenerator[list[Record]]:
        """Yield the records from the first of `since` until before the first of `until`."""
        starts, stops = await self._offsets(since), await self._offsets(until)
        unread = {each for each in self._ends if starts[each] < stops[each]}
        if not unread:
            return
        self._consumer.assign(list(unread))
        for partition in unread:
            self._consumer.seek(partition, starts[partition])
        while unread:
            found: dict[TopicPartition, list[Any]] = await self._consumer.getmany(
                *unread, timeout_ms=_POLL_MS, max_records=_RECORDS_MAX
            )
            yield [
                _record(each)
                for partition, records in found.items()
                for each in records
                if each.offset < stops[partition]
            ]
            # By position: what a retention has removed meanwhile never comes.
            unread = {each for each in unread if await self._consumer.position(each) < stops[each]}

    async def _offsets(self, moment: datetime) -> dict[TopicPartition, int]:
        if not self._ends:
            return {}
        moment_ms = int(moment.timestamp() * 1_000)
        found = await self._consumer.offsets_for_times(dict.fromkeys(self._ends, moment_ms))
        return {
            each: end if found.get(each) is None else min(found[each].offset, end)
            for each, end in self._ends.items()
        }


@asynccontextmanager
async def open_log(kafka: KafkaSettings, topics: Sequence[str]) -> AsyncGenerator[TopicLog]:
    """Open a client that only looks, and note where each partition ends now."""
    async with open_admin(kafka) as admin:
        counts = await partition_counts(admin, topics)
    partitions = [
        TopicPartition(topic, number) for topic, count in counts.items() for number in range(count)
    ]
    async with open_consumer(kafka) as consumer:
        yield TopicLog(consumer, await consumer.end_offsets(partitions) if partitions else {})


def _record(found: Any) -> Record:  # noqa: ANN401  # As above.
    return Record(
        topic=found.topic,
        partition=found.partition,
        offset=found.offset,
        at=datetime.fromtimestamp(found.timestamp / 1_000, UTC),
        id=event_id_of(found.headers),
        headers=found.headers,
    )
