"""Kafka to handlers: each message of a group takes effect once, and in order for its key."""

import asyncio
from collections.abc import Collection
from typing import Final

from aiokafka.errors import KafkaError

from libs.foundation.clock import utc_now
from libs.foundation.database.connections import Pool
from libs.foundation.messaging.consumer.lane_worker import LaneWorker
from libs.foundation.messaging.consumer.member import Member, Partition
from libs.foundation.messaging.consumer.metrics import OFFSET_COMMITS, REBALANCES
from libs.foundation.messaging.consumer.requests import RequestRunner
from libs.foundation.messaging.consumer.settings import ConsumerSettings
from libs.foundation.messaging.consumer.wave_runner import WaveRunner
from libs.foundation.messaging.definitions import ConsumerDefinition, Stopping
from libs.foundation.messaging.topics import TopicError, open_admin, partition_counts
from libs.foundation.observability.logs import get_logger
from libs.foundation.resilience.retry import Backoff
from libs.foundation.runtime.interruption import interrupt
from libs.foundation.settings import KafkaSettings

_log: Final = get_logger(__name__)
_IDLE_POLL_MS: Final = 500
# While a lane is full or nothing is assigned: short, so that room found meanwhile is used soon.
_BUSY_POLL_MS: Final = 20
_WINDOW_REFRESH_S: Final = 60.0


class Consumer:
    """One consumer of one process: bounded lanes between Kafka and the database."""

    def __init__(
        self,
        definition: ConsumerDefinition,
        kafka: KafkaSettings,
        pool: Pool,
        settings: ConsumerSettings,
    ) -> None:
        self._definition = definition
        self._kafka = kafka
        self._settings = settings
        self._topics = {topic.name: topic for topic in definition.topics}
        self._runner = WaveRunner(definition, pool, settings)
        self._requests = RequestRunner(definition, pool, settings, self._runner.budget)
        self._member = Member(definition.name, kafka, settings)
        self._backoff = Backoff(first_ms=settings.retry_first_ms, cap_ms=settings.retry_cap_ms)
        self._lanes: dict[Partition, LaneWorker] = {}
        self._lane_tasks: dict[LaneWorker, asyncio.Task[None]] = {}
        self._starting: str | None = "it has not started"
        self._leaving = False

    def problems(self) -> list[str]:
        """Say what keeps this consumer from making progress; nothing when it is ready."""
        if self._starting is not None:
            return [self._starting]
        limit_s = self._settings.stall_limit_ms / 1_000
        stalls = [worker.progress.stalled(limit_s) for worker in self._lanes.values()]
        found = [stall for stall in stalls if stall is not None]
        if self._runner.budget.exhausted:
            found.append(
                "too many keys were parked within a minute; parking has stopped, until"
                f" `orderly parked resume {self._definition.name}`"
            )
        return found

    async def run(self, stopping: Stopping) -> None:
        """Consume until `stopping` is set; then finish the batches in hand, commit and leave."""
        async with asyncio.TaskGroup() as tasks:
            loops = [
                tasks.create_task(self._consume(tasks)),
                tasks.create_task(self._commit_from_time_to_time()),
                tasks.create_task(self._refresh_window_from_time_to_time()),
                tasks.create_task(self._requests.run()),
            ]
            try:
                await stopping.wait()
            finally:
                self._leaving = True
                for loop in loops:
                    loop.cancel()
                await asyncio.wait(loops)
                await self._release(list(self._lanes))
                await self._member.leave()
                _log.info("consumer_left", consumer=self._definition.name)

    async def _consume(self, tasks: asyncio.TaskGroup) -> None:
        await self._start()
        _log.info("consumer_started", consumer=self._definition.name, topics=list(self._topics))
        self._member.subscribe(
            list(self._topics), self._release, lambda assigned: self._assign(assigned, tasks)
        )
        await self._poll()

    async def _start(self) -> None:
        """Wait for the database, the brokers and the topics, however long they take."""
        failures = 0
        while True:
            try:
                if await self._runner.refresh_window():
                    await self._check_topics()
                    await self._member.start()
                    self._starting = "it has no answer from its group yet"
                    return
                self._starting = "the database does not answer"
            except (KafkaError, OSError, TopicError) as error:
                self._starting = str(error)
            failures += 1
            _log.warning("consumer_waits_to_start", reason=self._starting, failures=failures)
            await asyncio.sleep(self._backoff.delay_ms(failures) / 1_000)

    async def _check_topics(self) -> None:
        """Refuse topics of another shape: their keys would be on other partitions."""
        async with open_admin(self._kafka) as admin:
            found = await partition_counts(admin, list(self._topics))
        for topic in self._topics.values():
            if found.get(topic.name) != topic.partitions:
                raise TopicError(
                    f"topic {topic.name} has {found.get(topic.name, 'no')} partitions, its contract"
                    f" says {topic.partitions}; see `orderly topics check`"
                )

    async def _poll(self) -> None:
        while True:
            with_room = [one for one, worker in self._lanes.items() if worker.lane.has_room]
            all_have_room = with_room and len(with_room) == len(self._lanes)
            timeout_ms = _IDLE_POLL_MS if all_have_room else _BUSY_POLL_MS
            try:
                batches = await self._member.poll(with_room, timeout_ms)
            except KafkaError as error:
                # What cannot be retried has ended the client's own tasks: only a new process helps.
                if not error.retriable:
                    raise
                _log.warning("poll_failed", reason=f"{type(error).__name__}: {error}")
                await asyncio.sleep(self._backoff.delay_ms(1) / 1_000)
                continue
            for partition, batch in batches.items():
                self._lanes[partition].put(batch)

    def _assign(self, assigned: Collection[Partition], tasks: asyncio.TaskGroup) -> None:
        REBALANCES.inc()
        self._starting = None
        if self._leaving:
            # A rebalance that ends while the member leaves; lanes made now would never be closed.
            return
        for topic, partition in assigned:
            worker = LaneWorker(
                self._definition,
                self._topics[topic],
                partition,
                self._runner,
                batches_max=self._settings.lane_batches_max,
                bytes_max=self._settings.lane_bytes_max,
            )
            self._lanes[topic, partition] = worker
            self._lane_tasks[worker] = tasks.create_task(worker.run())
        _log.info("partitions_assigned", partitions=len(assigned))

    async def _release(self, partitions: Collection[Partition]) -> None:
        """Give partitions up: throw waiting batches away, let those in hand end, commit.

        A batch that does not end in time is abandoned: its waves that have committed are
        duplicates for the next owner, and the others never happened.
        """
        workers = {one: self._lanes.pop(one) for one in partitions if one in self._lanes}
        for worker in workers.values():
            worker.close()
            worker.hide_lag()
        await self._end([self._lane_tasks.pop(worker) for worker in workers.values()])
        await self._commit(workers)
        if not self._leaving:
            await self._member.abandon_commit()

    async def _end(self, lane_tasks: Collection[asyncio.Task[None]]) -> None:
        if not lane_tasks:
            return
        _, unfinished = await asyncio.wait(
            lane_tasks, timeout=self._settings.revoke_grace_ms / 1_000
        )
        # Should the server finish a statement that is given up here, the inbox makes it harmless.
        await interrupt(*unfinished)

    async def _commit_from_time_to_time(self) -> None:
        while True:
            await asyncio.sleep(self._settings.offset_commit_interval_ms / 1_000)
            await self._commit(self._lanes)
            self._show_lag()

    async def _commit(self, workers: dict[Partition, LaneWorker]) -> None:
        """Commit what is finished; a failure only means that more is read twice."""
        pending = {one: worker.lane.to_commit for one, worker in workers.items()}
        offsets = {one: offset for one, offset in pending.items() if offset is not None}
        if not offsets:
            return
        lanes = {one: workers[one].lane for one in offsets}
        try:
            await self._member.commit(offsets)
        except (KafkaError, TimeoutError) as error:
            OFFSET_COMMITS.of("failed").inc()
            _log.warning("offsets_not_committed", reason=f"{type(error).__name__}: {error}")
            return
        OFFSET_COMMITS.of("done").inc()
        for one, lane in lanes.items():
            lane.committed(offsets[one])

    def _show_lag(self) -> None:
        now = utc_now()
        for partition, worker in self._lanes.items():
            worker.show_lag(now, self._member.end_offset(partition))

    async def _refresh_window_from_time_to_time(self) -> None:
        while True:
            await asyncio.sleep(_WINDOW_REFRESH_S)
            await self._runner.refresh_window()
