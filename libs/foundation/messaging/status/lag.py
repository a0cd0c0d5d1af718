"""Reads from the brokers how far a consumer group has come, without joining it."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from msgspec import Struct

from libs.foundation.clock import utc_now
from libs.foundation.messaging.topics import open_admin
from libs.foundation.settings import KafkaSettings

Partition = tuple[str, int]

# The age of what waits is read from the records themselves; a slow broker leaves it unknown.
_RECORDS_S: Final = 3.0


class GroupOffsets(Struct, frozen=True, kw_only=True):
    """Where a group will read next and where the partitions end, at one moment."""

    members: int
    next: Mapping[Partition, int]
    ends: Mapping[Partition, int]

    def lag(self, topic: str) -> int:
        """Count the messages of a topic that are not finished."""
        return sum(
            end - self.next[partition]
            for partition, end in self.ends.items()
            if partition[0] == topic
        )

    @property
    def behind(self) -> dict[Partition, int]:
        """Return the offset of the first unfinished message of each partition that has one."""
        return {one: offset for one, offset in self.next.items() if offset < self.ends[one]}


class LagReader:
    """Looks at groups over one pair of clients; made by `open_lag_reader`."""

    def __init__(
        self,
        admin: AIOKafkaAdminClient,
        consumer: Any,  # noqa: ANN401 - aiokafka's consumer has no types.
    ) -> None:
        self._admin = admin
        self._consumer = consumer

    async def offsets(self, group: str, topics: Sequence[str]) -> GroupOffsets:
        """Read a group's offsets; where it has none it will begin with what the broker keeps."""
        described = await self._admin.describe_topics(list(topics))
        partitions = [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            for partition in topic["partitions"]
        ]
        begins = await self._consumer.beginning_offsets(partitions)
        ends = await self._consumer.end_offsets(partitions)
        stored = await self._admin.list_consumer_group_offsets(group)
        committed = {one: stored[one].offset if one in stored else -1 for one in partitions}
        return GroupOffsets(
            members=await self._members(group),
            next={
                (one.topic, one.partition): min(max(committed[one], begins[one]), ends[one])
                for one in partitions
            },
            ends={(one.topic, one.partition): ends[one] for one in partitions},
        )

    async def oldest_s(self, behind: Mapping[Partition, int]) -> dict[str, float | None]:
        """Return the age of the oldest unfinished message of each topic; None when not known."""
        found = await self._timestamps(behind)
        now_ms = utc_now().timestamp() * 1_000
        ages: dict[str, float | None] = {}
        for partition in behind:
            topic, at_ms = partition[0], found.get(partition)
            age_s = None if at_ms is None else max(0.0, (now_ms - at_ms) / 1_000)
            known = ages.get(topic, 0.0)
            ages[topic] = None if age_s is None or known is None else max(known, age_s)
        return ages

    async def _timestamps(self, behind: Mapping[Partition, int]) -> dict[Partition, int]:
        found: dict[Partition, int] = {}
        if not behind:
            return found
        self._consumer.assign([TopicPartition(*one) for one in behind])
        for one, offset in behind.items():
            self._consumer.seek(TopicPartition(*one), offset)
        try:
            async with asyncio.timeout(_RECORDS_S):
                while missing := _missing(behind, found):
                    batches = await self._consumer.getmany(
                        *missing, timeout_ms=int(_RECORDS_S * 1_000), max_records=1
                    )
                    for one, records in batches.items():
                        found.setdefault((one.topic, one.partition), records[0].timestamp)
        except TimeoutError:
            return found
        return found

    async def _members(self, group: str) -> int:
        answers: list[Any] = await self._admin.describe_consumer_groups([group])
        # error, id, state, protocol type, protocol, members, ...
        return sum(len(described[5]) for answer in answers for described in answer.groups)


@asynccontextmanager
async def open_lag_reader(kafka: KafkaSettings) -> AsyncGenerator[LagReader]:
    """Open clients that only look; they belong to no group."""
    async with open_admin(kafka) as admin:
        consumer: Any = AIOKafkaConsumer(**kafka.client_arguments(), enable_auto_commit=False)
        try:
            await consumer.start()
            yield LagReader(admin, consumer)
        finally:
            await consumer.stop()


def _missing(behind: Mapping[Partition, int], found: Collection[Partition]) -> list[TopicPartition]:
    return [TopicPartition(*one) for one in behind if one not in found]
