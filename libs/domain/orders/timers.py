"""Works off what is due, portion by portion, at intervals, for as long as the worker runs."""

import asyncio
from collections.abc import Awaitable, Callable
from random import SystemRandom
from typing import Final

from msgspec import Struct
from prometheus_client import Counter

from libs.foundation.database.connections import Pool
from libs.foundation.database.failures import is_environment
from libs.foundation.database.transaction import Transaction, transaction
from libs.foundation.messaging.definitions import Stopping
from libs.foundation.observability.logs import get_logger

_log: Final = get_logger(__name__)
_uniform: Final = SystemRandom().uniform


class Work(Struct, frozen=True, kw_only=True):
    """One portion: `handle` returns how many orders it has looked at, at most `orders_max`."""

    name: str
    handle: Callable[[Transaction], Awaitable[int]]
    orders_max: int
    interval_ms: int
    seen: Counter


class Timer:
    """A loop of short transactions; several workers may run it side by side."""

    def __init__(self, pool: Pool, work: Work) -> None:
        self._pool = pool
        self._work = work

    async def run(self, stopping: Stopping) -> None:
        """Work until `stopping` is set; a database that is away is waited for."""
        while not stopping.is_set():
            if not await self._handle_some():
                await self._rest(stopping)

    async def _handle_some(self) -> bool:
        """Handle one portion and say whether more may be due."""
        try:
            async with transaction(self._pool) as tx:
                seen = await self._work.handle(tx)
        except Exception as error:
            if not is_environment(error):
                raise
            _log.warning("timer_postponed", timer=self._work.name, error=type(error).__name__)
            return False
        self._work.seen.inc(seen)
        return seen == self._work.orders_max

    async def _rest(self, stopping: Stopping) -> None:
        # Half to one and a half intervals: workers that start together do not look together.
        rest_s = self._work.interval_ms / 1_000 * _uniform(0.5, 1.5)
        try:
            async with asyncio.timeout(rest_s):
                await stopping.wait()
        except TimeoutError:
            return
