"""Calls one provider: claims due operations, attempts them side by side, records the outcomes."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from libs.domain.payments import metrics
from libs.domain.payments.attempt import attempt, key_expires_at
from libs.domain.payments.operation import Operation
from libs.domain.payments.pacing import Pacing
from libs.domain.payments.provider import PaymentProvider
from libs.domain.payments.recorder import Recorder
from libs.domain.payments.settings import DispatchSettings
from libs.domain.payments.settlement import Attempted
from libs.domain.payments.sql import dispatch
from libs.foundation.clock import utc_now
from libs.foundation.database.connections import Pool
from libs.foundation.database.failures import is_environment
from libs.foundation.database.transaction import Transaction
from libs.foundation.messaging.definitions import Stopping
from libs.foundation.messaging.pausing import pause
from libs.foundation.observability.logs import get_logger
from libs.foundation.observability.tracing import SpanKind, span_from
from libs.foundation.resilience.breaker import Breaker, BreakerState
from libs.foundation.resilience.deadline import Deadline

_log: Final = get_logger(__name__)


class Dispatcher:
    """First try, retry, question and recovery after a crash are one path: claim, attempt, record.

    No transaction is open during a call. The limit on calls at the same time, the breaker and
    the retry budget belong to this one provider, so that another one's trouble stays there.
    """

    def __init__(
        self,
        pool: Pool,
        provider: PaymentProvider,
        settings: DispatchSettings,
        *,
        clock: Callable[[], datetime] = utc_now,
        breaker: Breaker | None = None,
    ) -> None:
        self._pool = pool
        self._provider = provider
        self._settings = settings
        self._clock = clock
        self._breaker = breaker or Breaker(
            provider.name,
            settings.breaker,
            on_change=lambda state: metrics.show_breaker(provider.name, state),
        )
        self._pacing = Pacing(settings)
        self._recorder = Recorder(pool, settings.patience(), clock, settings.backoff)
        self._in_flight: set[asyncio.Task[None]] = set()
        metrics.show_breaker(provider.name, BreakerState.CLOSED)

    async def run(self, stopping: Stopping) -> None:
        """Dispatch until `stopping`, then finish and record the calls in flight."""
        async with asyncio.TaskGroup() as group:
            recording = group.create_task(self._recorder.run())
            await self._dispatch(group, stopping)
            if self._in_flight:
                await asyncio.wait(self._in_flight)
            recording.cancel()

    async def observe(self, stopping: Stopping) -> None:
        """Measure how long the oldest operation has been without a definite outcome."""
        while not stopping.is_set():
            try:
                since = await dispatch.oldest_unresolved(self._pool, self._provider.name)
            except Exception as error:
                if not is_environment(error):
                    raise
                _log.warning("oldest_unresolved_not_measured", error=str(error))
            else:
                age_s = 0.0 if since is None else (self._clock() - since).total_seconds()
                metrics.OLDEST_UNRESOLVED_SECONDS.of(self._provider.name).set(age_s)
                metrics.RETRY_TOKENS.of(self._provider.name).set(self._pacing.tokens)
            await pause(stopping, self._settings.observe_interval_ms)

    async def _dispatch(self, group: asyncio.TaskGroup, stopping: Stopping) -> None:
        interval_ms = self._settings.poll_interval_min_ms
        while not stopping.is_set():
            deadline = Deadline.after_ms(self._settings.call_timeout_ms)
            claimed = await self._claim(self._room())
            for operation in claimed:
                task = group.create_task(self._handle(operation, deadline))
                self._in_flight.add(task)
                task.add_done_callback(self._in_flight.discard)
            metrics.IN_FLIGHT.of(self._provider.name).set(len(self._in_flight))
            if claimed:
                interval_ms = self._settings.poll_interval_min_ms
            else:
                interval_ms = min(interval_ms * 2, self._settings.poll_interval_max_ms)
            await pause(stopping, interval_ms)

    def _room(self) -> int:
        """Return how many calls may begin: none while the breaker is open, then one probe."""
        match self._breaker.state:
            case BreakerState.OPEN:
                return 0
            case BreakerState.HALF_OPEN:
                return 0 if self._in_flight else 1
            case BreakerState.CLOSED:
                return self._settings.concurrency_max - len(self._in_flight)

    async def _claim(self, room: int) -> list[Operation]:
        if room == 0:
            return []
        now = self._clock()
        recover_at = now + timedelta(milliseconds=self._settings.recovery_ms)
        try:
            async with self._pool.connection() as connection:
                # One statement is a transaction of its own.
                tx = Transaction(connection)
                return await dispatch.claim(tx, self._provider.name, room, now, recover_at)
        except Exception as error:
            if not is_environment(error):
                raise
            _log.warning("operations_not_claimed", error=str(error))
            return []

    async def _handle(self, operation: Operation, deadline: Deadline) -> None:
        name, kind = self._provider.name, operation.kind.value
        expires_at = key_expires_at(operation, timedelta(seconds=self._settings.key_window_s))
        with (
            metrics.ATTEMPT_SECONDS.of(name, kind).time(),
            span_from(operation.traceparent, f"payments.{kind}", kind=SpanKind.CLIENT) as span,
        ):
            outcome = await attempt(
                self._provider,
                self._breaker,
                operation,
                deadline,
                key_expired=expires_at is not None and self._clock() >= expires_at,
            )
            span.set_attribute("payments.outcome", outcome.label)
        metrics.ATTEMPTS.of(name, kind, outcome.label).inc()
        await self._recorder.record(
            Attempted(
                key=operation.key,
                order_id=operation.order_id,
                attempt=operation.attempts,
                outcome=outcome,
                next_at=self._pacing.next_at(operation, outcome, self._clock()),
            )
        )
