"""Holds the shop back while too many of its orders are on their way."""

import asyncio
from typing import Final

# Enough to keep every process busy; beyond it, latency would only show how long the queue is.
ON_THEIR_WAY_MAX: Final = 400
STANDSTILL_S: Final = 60.0


class StandstillError(RuntimeError):
    """Orders are on their way and nothing moves."""


class Pace:
    """Counts orders that were sent and orders that are final; bounds the difference."""

    def __init__(self, on_their_way_max: int, standstill_s: float = STANDSTILL_S) -> None:
        self._max = on_their_way_max
        self._standstill_s = standstill_s
        self._sent = 0
        self._final = 0
        self._moved = asyncio.Event()

    async def enter(self) -> None:
        """Return when one more order may be sent; StandstillError when none becomes final."""
        while self._sent - self._final >= self._max:
            self._moved.clear()
            try:
                async with asyncio.timeout(self._standstill_s):
                    await self._moved.wait()
            except TimeoutError:
                raise StandstillError(
                    f"{self._sent - self._final} orders are on their way,"
                    f" and for {self._standstill_s:.0f} s none has become final"
                ) from None
        self._sent += 1

    def final(self, orders: int) -> None:
        """Take note that so many orders are final by now."""
        if orders != self._final:
            self._final = orders
            self._moved.set()
