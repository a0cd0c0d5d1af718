"""Reads stored webhooks as they come, and forgets those that were processed long ago."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from libs.domain.payments import metrics
from libs.domain.payments.provider import PaymentProvider
from libs.domain.payments.settings import DispatchSettings, WebhookSettings
from libs.domain.payments.sql import webhooks
from libs.domain.payments.sql.webhooks import Read
from libs.domain.payments.use_cases.read_webhooks import Reading, read_webhooks
from libs.foundation.clock import utc_now
from libs.foundation.database.connections import Pool
from libs.foundation.database.failures import facts, is_data, is_environment
from libs.foundation.database.transaction import transaction
from libs.foundation.errors import AppError
from libs.foundation.messaging.definitions import Stopping
from libs.foundation.messaging.pausing import pause
from libs.foundation.observability.logs import get_logger

_BATCH_MAX: Final = 128
_REFUSED: Final = "refused"
_log: Final = get_logger(__name__)


class WebhookReader:
    """Reads the webhooks of one provider; several workers share them without meeting."""

    def __init__(
        self,
        pool: Pool,
        provider: PaymentProvider,
        settings: WebhookSettings,
        dispatch: DispatchSettings,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._pool = pool
        self._provider = provider
        self._settings = settings
        self._patience = dispatch.patience()
        self._clock = clock

    async def run(self, stopping: Stopping) -> None:
        """Read until `stopping`; what the database cannot take now is read again."""
        interval_ms = self._settings.poll_interval_min_ms
        while not stopping.is_set():
            if await self._read_some():
                interval_ms = self._settings.poll_interval_min_ms
            else:
                interval_ms = min(interval_ms * 2, self._settings.poll_interval_max_ms)
            await pause(stopping, interval_ms)

    async def keep_house(self, stopping: Stopping) -> None:
        """Delete what was processed long ago, in chunks, and measure what waits."""
        while not stopping.is_set():
            try:
                await self._expire()
                found = await webhooks.backlog(self._pool, self._provider.name)
            except Exception as error:
                if not is_environment(error):
                    raise
                _log.warning("webhooks_not_expired", error=str(error))
            else:
                metrics.WEBHOOKS_WAITING.of(self._provider.name).set(found.waiting)
                metrics.WEBHOOKS_UNMATCHED.of(self._provider.name).set(found.unmatched)
            await pause(stopping, self._settings.housekeeping_interval_ms)

    async def _read_some(self) -> bool:
        """Read a batch; where one webhook spoils it, read them one by one."""
        try:
            return await self._read_apart()
        except Exception as error:
            if not is_environment(error):
                raise
            _log.warning("webhooks_not_read", **facts(error))
            return False

    async def _read_apart(self) -> bool:
        webhooks_max = _BATCH_MAX
        for _ in range(_BATCH_MAX):
            try:
                found = await self._read(webhooks_max)
            except Exception as error:
                if not (is_data(error) or isinstance(error, AppError)):
                    raise
                if webhooks_max == 1:
                    await self._set_aside(error)
                webhooks_max = 1
            else:
                if webhooks_max > 1 or not found:
                    return found
        return True

    async def _read(self, webhooks_max: int) -> bool:
        async with transaction(self._pool) as tx:
            reading = await read_webhooks(
                tx,
                self._provider,
                self._clock(),
                self._patience,
                webhooks_max=webhooks_max,
                unmatched_wait=timedelta(seconds=self._settings.unmatched_wait_s),
            )
        self._count(reading)
        return reading.found > 0

    async def _set_aside(self, error: Exception) -> None:
        """Leave the first due webhook to people: the database refuses what it says."""
        async with transaction(self._pool) as tx:
            for webhook in await webhooks.lock_due(tx, self._provider.name, 1, self._clock()):
                refused = Read(event_id=webhook.event_id, outcome=_REFUSED, next_at=None)
                await webhooks.note(tx, self._provider.name, [refused])
                _log.error("webhook_refused", event_id=webhook.event_id, **facts(error))
                metrics.WEBHOOKS.of(self._provider.name, _REFUSED).inc()

    async def _expire(self) -> None:
        before = self._clock() - timedelta(seconds=self._settings.kept_s)
        while True:
            async with transaction(self._pool) as tx:
                expired = await webhooks.expire(tx, before, self._settings.expiry_rows_max)
            if expired < self._settings.expiry_rows_max:
                return
            await asyncio.sleep(0)

    def _count(self, reading: Reading) -> None:
        name = self._provider.name
        for each in reading.read:
            metrics.WEBHOOKS.of(name, each.outcome).inc()
        for operation in reading.changed:
            if not operation.resolvable:
                metrics.RESOLVED.of(name, operation.kind, operation.state).inc()
