"""Whether the work of one partition moves on, and the pauses it makes when it does not."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import monotonic


class LaneClosed(Exception):
    """The partition was taken away while its lane waited; what is unfinished stays unfinished."""


class LaneProgress:
    """Marked with every step forward; stalled when work was there too long without one."""

    def __init__(self, name: str, clock: Callable[[], float] = monotonic) -> None:
        self._name = name
        self._clock = clock
        self._closing = asyncio.Event()
        self._waiting_since: float | None = None
        self._error: str | None = None

    def begin(self) -> None:
        """Note that there is work."""
        self._waiting_since = self._clock()

    def mark(self) -> None:
        """Note a step forward."""
        self._waiting_since = self._clock()
        self._error = None

    def rest(self) -> None:
        """Note that the work is done."""
        self._waiting_since = None
        self._error = None

    def failed(self, error: str) -> None:
        """Keep why the work does not move on."""
        self._error = error

    def stalled(self, limit_s: float) -> str | None:
        """Say what is wrong when nothing has moved for `limit_s`, else return None."""
        if self._waiting_since is None:
            return None
        stalled_s = self._clock() - self._waiting_since
        if stalled_s <= limit_s:
            return None
        return f"{self._name}: no progress for {stalled_s:.0f} s: {self._error or 'busy'}"

    def close(self) -> None:
        """End every pause, now and later."""
        self._closing.set()

    async def pause(self, delay_s: float) -> None:
        """Wait; raises LaneClosed as soon as the lane is closed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._closing.wait()
        if self._closing.is_set():
            raise LaneClosed

    async def until(self, event: asyncio.Event) -> None:
        """Wait for `event`, however long it takes; raises LaneClosed once the lane is closed."""
        waiting = [asyncio.create_task(each.wait()) for each in (event, self._closing)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        if self._closing.is_set():
            raise LaneClosed
