"""Measures from outside how fast something is done: by a count that only rises."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from deploy.local.launch import Program

POLL_S: Final = 0.02


class TooSlow(Exception):
    """The work was not done within its time."""


class Seen(Struct, frozen=True):
    """How much was done at a moment."""

    at_s: float
    done: int

    @classmethod
    def now(cls, done: int) -> "Seen":
        return cls(perf_counter(), done)


async def watch(
    count: Callable[[], Awaitable[int]],
    wanted: int,
    *,
    limit_s: float,
    worker: Program | None = None,
    poll_s: float = POLL_S,
) -> list[Seen]:
    """Look until `wanted` is done; a worker that ends, or takes too long, is an error."""
    ends_at_s = perf_counter() + limit_s
    seen: list[Seen] = []
    while not seen or seen[-1].done < wanted:
        seen.append(Seen.now(await count()))
        if worker is not None and worker.child is not None and worker.child.poll() is not None:
            raise TooSlow(f"{worker.name} ended with {seen[-1].done:,} of {wanted:,} done")
        if seen[-1].at_s > ends_at_s:
            raise TooSlow(f"{seen[-1].done:,} of {wanted:,} within {limit_s:.0f} s")
        await asyncio.sleep(poll_s)
    return seen


def rate_of(seen: Sequence[Seen]) -> float:
    """Return the rate between the first look that saw something done and the last one.

    Starting up is left out, for everybody. When one look saw it all, the look before counts as
    the start: the rate is at least that.
    """
    last = seen[-1]
    if last.done <= 0:
        raise ValueError("nothing was done")
    position = next(number for number, each in enumerate(seen) if each.done > 0)
    first = seen[position]
    if first.done < last.done:
        return (last.done - first.done) / (last.at_s - first.at_s)
    if position == 0:
        raise ValueError("all was done before the first look")
    return first.done / (first.at_s - seen[position - 1].at_s)


class HighWatermark:
    """What Kafka has acknowledged in a topic: every replica in sync holds it."""

    def __init__(self, consumer: Any, topic: str, partitions: int) -> None:  # noqa: ANN401
        self._consumer = consumer
        self._partitions = [TopicPartition(topic, number) for number in range(partitions)]
        self._start = 0

    async def rebase(self) -> None:
        """Count from here on."""
        self._start = await self._read()

    async def count(self) -> int:
        return await self._read() - self._start

    async def _read(self) -> int:
        offsets: dict[TopicPartition, int] = await self._consumer.end_offsets(self._partitions)
        return sum(offsets.values())


@asynccontextmanager
async def high_watermark(
    bootstrap: str, topic: str, partitions: int
) -> AsyncGenerator[HighWatermark]:
    """Watch a topic without reading it."""
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        yield HighWatermark(consumer, topic, partitions)
    finally:
        await consumer.stop()
