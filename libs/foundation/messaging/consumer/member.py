"""One member of a consumer group: aiokafka behind a small typed surface, its traps avoided."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError

from libs.foundation.messaging.consumer.records import Record
from libs.foundation.messaging.consumer.settings import ConsumerSettings
from libs.foundation.runtime.interruption import interrupt
from libs.foundation.settings import KafkaSettings

Partition = tuple[str, int]
Revoked = Callable[[Collection[Partition]], Awaitable[None]]
Assigned = Callable[[Collection[Partition]], None]

# The largest the protocol takes, 24 days. When it fires the member leaves its group, and a
# database that is away for long would become a storm of rebalances.
_POLL_INTERVAL_MAX_MS: Final = 2**31 - 1
# getmany() of no partition reads all of them, so this one, which nobody has, is named instead.
_NOWHERE: Final = TopicPartition("", -1)
_LEAVE_TIMEOUT_S: Final = 5.0
# A broker that has just come back may know no topic yet. Whoever joins then is assigned nothing,
# and looks again only after this time; the client's default of 5 min was an outage of 5 min.
_METADATA_AGE_MAX_MS: Final = 5_000
_BROKERS_LOOK_S: Final = 0.2


class Member:
    """Reads with manual offsets; decoding is the caller's, since a failing one never advances."""

    def __init__(self, group: str, kafka: KafkaSettings, settings: ConsumerSettings) -> None:
        self._settings = settings
        self._committing: asyncio.Task[None] | None = None
        self._consumer: Any = AIOKafkaConsumer(
            **kafka.client_arguments(),
            client_id=group,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=settings.heartbeat_interval_ms,
            rebalance_timeout_ms=settings.rebalance_timeout_ms,
            max_poll_interval_ms=_POLL_INTERVAL_MAX_MS,
            metadata_max_age_ms=_METADATA_AGE_MAX_MS,
            fetch_max_wait_ms=settings.fetch_wait_max_ms,
            # Each partition holds one answer until it is read: these bound what that comes to.
            fetch_max_bytes=settings.fetch_bytes_max,
            max_partition_fetch_bytes=settings.fetch_partition_bytes_max,
            # Every rebalance takes all partitions away, and lanes keep nothing in memory that
            # staying would save: the even and stateless assignment is the best one.
            partition_assignment_strategy=(RoundRobinPartitionAssignor,),
        )

    async def start(self) -> None:
        """Reach the brokers; the group is joined by `subscribe`.

        A broker that has just come back may say that no broker is in service. To look for the
        group's coordinator then would end the client's own tasks for good.
        """
        await self._consumer.start()
        client = self._consumer._client  # noqa: SLF001  # The client has no public look at them.
        while not client.cluster.brokers():
            await client.force_metadata_update()
            await asyncio.sleep(_BROKERS_LOOK_S)

    def subscribe(self, topics: Sequence[str], revoked: Revoked, assigned: Assigned) -> None:
        """Join the group; `revoked` holds up the rebalance until it returns."""
        self._consumer.subscribe(topics, listener=_Listener(revoked, assigned))

    async def poll(
        self, partitions: Collection[Partition], timeout_ms: int
    ) -> dict[Partition, Sequence[Record]]:
        """Return what is there of `partitions`, none of them included, or wait for it.

        To be awaited directly: then no other code runs between the moment the records leave the
        client and the caller's next line, and they belong to the assignment of that line.
        """
        asked = [TopicPartition(*partition) for partition in partitions] or [_NOWHERE]
        found: dict[TopicPartition, list[Record]] = await self._consumer.getmany(
            *asked, timeout_ms=timeout_ms, max_records=self._settings.batch_records_max
        )
        return {(one.topic, one.partition): records for one, records in found.items()}

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Store the next offsets to read; raises KafkaError or TimeoutError.

        A commit that takes too long goes on, because the client leaves an error behind when one
        is cancelled; until it has an answer no other one begins, or they would pile up.
        """
        if self._committing is not None and not self._committing.done():
            raise TimeoutError("the commit before this one has no answer yet")
        structured = {TopicPartition(*one): offset for one, offset in offsets.items()}
        committing = asyncio.create_task(self._consumer.commit(offsets=structured))
        committing.add_done_callback(_take_error)
        self._committing = committing
        limit_s = self._settings.offset_commit_timeout_ms / 1_000
        done, _ = await asyncio.wait({committing}, timeout=limit_s)
        if not done:
            raise TimeoutError(f"no answer within {limit_s:.1f} s")
        try:
            committing.result()
        except IllegalStateError as error:
            raise KafkaError("the partitions are not assigned any more") from error

    async def abandon_commit(self) -> None:
        """Give up a commit without an answer: later it would speak for another member's lanes."""
        if self._committing is not None:
            await interrupt(self._committing)

    def end_offset(self, partition: Partition) -> int | None:
        """Return the end of a partition as of the last fetch."""
        with suppress(KafkaError, AssertionError):
            return self._consumer.highwater(TopicPartition(*partition))
        return None

    async def leave(self) -> None:
        """Leave the group at once, or give up waiting: the session timeout does it then."""
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(_LEAVE_TIMEOUT_S):
                await self._consumer.stop()
        await self.abandon_commit()


def _take_error(committing: asyncio.Task[None]) -> None:
    """Take note of an error that nobody waits for any more."""
    if not committing.cancelled():
        committing.exception()


class _Listener(ConsumerRebalanceListener):
    """Turns aiokafka's callbacks into ours; aiokafka swallows what a callback raises."""

    def __init__(self, revoked: Revoked, assigned: Assigned) -> None:
        self._revoked = revoked
        self._assigned = assigned

    # aiokafka awaits what its callbacks return, which its annotations do not say.
    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, revoked: Collection[TopicPartition]
    ) -> None:
        await self._revoked([(one.topic, one.partition) for one in revoked])

    async def on_partitions_assigned(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, assigned: Collection[TopicPartition]
    ) -> None:
        self._assigned([(one.topic, one.partition) for one in assigned])
