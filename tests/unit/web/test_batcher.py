"""The self-clocking batcher: what goes together, and what waits."""

import asyncio

from libs.foundation.web.batcher import Batcher


class Flushes:
    """Records batches, and ends each only when it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = asyncio.Event()
        self._gates: list[asyncio.Event] = []

    async def __call__(self, batch: list[int]) -> None:
        gate = asyncio.Event()
        self._gates.append(gate)
        self.batches.append(batch)
        self.begun.set()
        await gate.wait()

    async def end_all(self) -> None:
        for gate in self._gates:
            gate.set()
        self.begun.clear()

    async def next_begun(self) -> None:
        async with asyncio.timeout(5):
            await self.begun.wait()


def batcher(flushes: Flushes, flush_max: int = 4, flushes_max: int = 1) -> Batcher[int]:
    return Batcher(flushes, flush_max=flush_max, flushes_max=flushes_max, waiting_max=8)


async def test_a_lone_item_goes_at_once() -> None:
    flushes = Flushes()
    batches = batcher(flushes)

    batches.add(1)
    await flushes.next_begun()

    assert flushes.batches == [[1]]
    await flushes.end_all()
    await batches.flushed(within_s=10.0)


async def test_a_burst_of_one_moment_goes_together() -> None:
    flushes = Flushes()
    batches = batcher(flushes)

    for number in range(3):
        batches.add(number)
    await flushes.next_begun()

    assert flushes.batches == [[0, 1, 2]]
    await flushes.end_all()
    await batches.flushed(within_s=10.0)


async def test_what_arrives_during_a_flush_waits_and_then_goes_together() -> None:
    flushes = Flushes()
    batches = batcher(flushes)
    batches.add(0)
    await flushes.next_begun()

    for number in range(1, 7):
        batches.add(number)
    assert (batches.waiting, batches.full) == (6, False)
    await flushes.end_all()
    await flushes.next_begun()
    await flushes.end_all()
    await flushes.next_begun()
    await flushes.end_all()
    await batches.flushed(within_s=10.0)

    assert flushes.batches == [[0], [1, 2, 3, 4], [5, 6]]


async def test_no_more_flushes_run_than_may() -> None:
    flushes = Flushes()
    batches = batcher(flushes, flush_max=1, flushes_max=2)

    for number in range(5):
        batches.add(number)
    await flushes.next_begun()
    await asyncio.sleep(0)

    assert flushes.batches == [[0], [1]]
    assert batches.waiting == 3
    while len(flushes.batches) < 5:
        await flushes.end_all()
        await flushes.next_begun()
    await flushes.end_all()
    await batches.flushed(within_s=10.0)


async def test_it_is_full_when_as_many_wait_as_may() -> None:
    flushes = Flushes()
    batches = batcher(flushes)
    batches.add(0)
    await flushes.next_begun()

    for number in range(8):
        batches.add(number)

    assert batches.full
    while batches.waiting:
        await flushes.end_all()
        await flushes.next_begun()
    await flushes.end_all()
    await batches.flushed(within_s=10.0)
    assert not batches.full
