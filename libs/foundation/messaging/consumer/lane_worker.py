"""Runs one partition's lane: batch by batch, wave by wave, in order."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from libs.foundation.clock import utc_now
from libs.foundation.messaging.consumer.metrics import LAG_MESSAGES, LAG_SECONDS, MESSAGES
from libs.foundation.messaging.consumer.progress import LaneClosed, LaneProgress
from libs.foundation.messaging.consumer.records import Record, sort_batch
from libs.foundation.messaging.definitions import ConsumedTopic, ConsumerDefinition
from libs.foundation.messaging.lanes import Lane
from libs.foundation.messaging.waves import Wave, cut


class RunsWaves(Protocol):
    """What finishes a wave; raises LaneClosed when the lane is closed before it could."""

    async def run(self, wave: Wave, progress: LaneProgress) -> None: ...


class LaneWorker:
    """The lane of one assigned partition and the task that empties it."""

    def __init__(
        self,
        definition: ConsumerDefinition,
        topic: ConsumedTopic,
        partition: int,
        runner: RunsWaves,
        *,
        batches_max: int,
        bytes_max: int,
    ) -> None:
        self._definition = definition
        self._topic = topic
        self._partition = str(partition)
        self._runner = runner
        self._arrived = asyncio.Event()
        self.lane = Lane(batches_max, bytes_max)
        self.progress = LaneProgress(f"{topic.name}[{partition}]")

    def put(self, batch: Sequence[Record]) -> None:
        """Add a batch that Kafka gave for this partition."""
        self.lane.put(batch)
        self._arrived.set()

    def close(self) -> None:
        """Let the batch in hand end, and nothing after it; a lane that waits gives up at once."""
        self.lane.close()
        self.progress.close()
        self._arrived.set()

    async def run(self) -> None:
        """Work until the lane is closed."""
        while not self.lane.closed:
            batch = self.lane.take()
            if batch is None:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            self.progress.begin()
            try:
                await self._finish(batch)
            except LaneClosed:
                return
            self.lane.finish()
            self.progress.rest()

    async def _finish(self, batch: Sequence[Record]) -> None:
        batch_sorted = sort_batch(self._definition, self._topic, batch, utc_now())
        for skipped_type in batch_sorted.skipped:
            MESSAGES.of("skipped", skipped_type).inc()
        for wave in cut(batch_sorted.items):
            await self._runner.run(wave, self.progress)

    def show_lag(self, now: datetime, end: int | None) -> None:
        """Set the lag in seconds, and in messages as far as the partition's `end` is known."""
        labels = (self._topic.name, self._partition)
        oldest = self.lane.oldest
        age_s = 0.0 if oldest is None else now.timestamp() - oldest.timestamp / 1_000
        LAG_SECONDS.of(*labels).set(max(0.0, age_s))
        if end is not None and self.lane.done is not None:
            LAG_MESSAGES.of(*labels).set(max(0, end - self.lane.done))

    def hide_lag(self) -> None:
        """Set the lag to nothing: the partition is another member's now."""
        LAG_SECONDS.of(self._topic.name, self._partition).set(0)
        LAG_MESSAGES.of(self._topic.name, self._partition).set(0)
