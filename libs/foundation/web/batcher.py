"""A self-clocking batcher: nothing waits for a timer, what arrives during a flush goes together."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from typing import Generic, TypeVar

from libs.foundation.runtime.interruption import interrupt

I = TypeVar("I")  # noqa: E741 - an item.


class Batcher(Generic[I]):
    """Hands waiting items to `flush`, at most `flush_max` at once, in `flushes_max` flushes.

    A lone item goes at once. `flush` must not raise and must settle every item it is given.
    """

    def __init__(
        self,
        flush: Callable[[list[I]], Awaitable[None]],
        *,
        flush_max: int,
        flushes_max: int,
        waiting_max: int,
    ) -> None:
        self._flush = flush
        self._flush_max = flush_max
        self._flushes_max = flushes_max
        self._waiting_max = waiting_max
        self._waiting: deque[I] = deque()
        self._flushes: set[asyncio.Task[None]] = set()
        self._woken = False

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether as many wait as may."""
        return len(self._waiting) >= self._waiting_max

    def add(self, item: I) -> None:
        """Take an item; whether it may still come in is for the caller to ask `full` before."""
        self._waiting.append(item)
        if not self._woken and len(self._flushes) < self._flushes_max:
            # After the callbacks that are ready now, so that a burst becomes one flush.
            self._woken = True
            asyncio.get_running_loop().call_soon(self._start_flushes)

    async def flushed(self, within_s: float) -> None:
        """Wait until nothing waits and nothing is in flight; then interrupt what still is."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._flushes or self._waiting:
                    await asyncio.wait(self._flushes) if self._flushes else await asyncio.sleep(0)
        await interrupt(*self._flushes)

    def _start_flushes(self) -> None:
        self._woken = False
        while self._waiting and len(self._flushes) < self._flushes_max:
            size = min(self._flush_max, len(self._waiting))
            batch = [self._waiting.popleft() for _ in range(size)]
            # An empty context: a flush serves many requests and belongs to the trace of none.
            task = asyncio.create_task(self._run(batch), context=Context())
            self._flushes.add(task)
            task.add_done_callback(self._ended)

    async def _run(self, batch: list[I]) -> None:
        await self._flush(batch)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._flushes.discard(task)
        self._start_flushes()
