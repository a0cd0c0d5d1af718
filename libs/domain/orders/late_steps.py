"""Looks for late saga steps, at intervals, for as long as the worker runs."""

import asyncio
from random import SystemRandom
from typing import Annotated, Final

from msgspec import Meta, Struct

from libs.domain.orders.use_cases.flag_late_steps import flag_late_steps
from libs.foundation.database.connections import Pool
from libs.foundation.database.failures import is_environment
from libs.foundation.database.transaction import transaction
from libs.foundation.messaging.definitions import Stopping
from libs.foundation.observability.logs import get_logger
from libs.foundation.observability.metrics import counter

_log: Final = get_logger(__name__)
_uniform: Final = SystemRandom().uniform
_FLAGGED: Final = counter("orders_late_steps_total", "Saga steps found past their deadline.")


class LateStepsSettings(Struct, frozen=True, kw_only=True):
    """How often and in what portions sagas are looked at."""

    interval_ms: Annotated[int, Meta(ge=1)] = 10_000
    """Mean time between two looks."""
    orders_max: Annotated[int, Meta(ge=1, le=1_000)] = 200
    """Orders flagged in one transaction."""


class LateSteps:
    """A loop of short transactions; several workers may run it side by side."""

    def __init__(self, pool: Pool, settings: LateStepsSettings) -> None:
        self._pool = pool
        self._settings = settings

    async def run(self, stopping: Stopping) -> None:
        """Flag until `stopping` is set; a database that is away is waited for."""
        while not stopping.is_set():
            if not await self._flag_some():
                await self._rest(stopping)

    async def _flag_some(self) -> bool:
        """Flag one portion and say whether more may be due."""
        try:
            async with transaction(self._pool) as tx:
                seen = await flag_late_steps(tx, self._settings.orders_max)
        except Exception as error:
            if not is_environment(error):
                raise
            _log.warning("late_steps_postponed", error=type(error).__name__)
            return False
        _FLAGGED.inc(seen)
        return seen == self._settings.orders_max

    async def _rest(self, stopping: Stopping) -> None:
        # Half to one and a half intervals: workers that start together do not look together.
        rest_s = self._settings.interval_ms / 1_000 * _uniform(0.5, 1.5)
        try:
            async with asyncio.timeout(rest_s):
                await stopping.wait()
        except TimeoutError:
            return
