"""Asks the database once a second whether more work may come in, beside the requests."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import monotonic
from typing import Final, Protocol

from msgspec.structs import replace

from libs.foundation.database import failures
from libs.foundation.database.connections import Connection, open_connection
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.messaging.sql import outbox_backlog
from libs.foundation.observability import metrics
from libs.foundation.observability.logs import get_logger
from libs.foundation.runtime.interruption import interrupt
from libs.foundation.runtime.readiness import READY, Readiness
from libs.foundation.web.pressure import AdmissionSettings, Pressure, Signal

_log: Final = get_logger(__name__)
_SHARE: Final = metrics.gauge("admission_shed_share", "Share of the writes that is shed now.")
_READINGS: Final = metrics.gauge_by(
    "admission_reading", "What the door goes by, in seconds or bytes.", "signal"
)
_UNANSWERED: Final = metrics.counter(
    "admission_unanswered_questions_total", "Questions to the database without an answer in time."
)
_SECONDS: Final = metrics.histogram(
    "admission_question_seconds", "Time of one question to the database."
)

Connect = Callable[[], AbstractAsyncContextManager[Connection]]


class OpenWork(Protocol):
    """What the domain knows about work that was accepted and is not finished."""

    def age_s(self, connection: Connection) -> Awaitable[float]:
        """Return the age of the oldest open work that no person was called to, 0 without any."""
        ...


class PressureWatch:
    """Keeps `pressure` up to date; what is not answered counts too, by how long it is not."""

    def __init__(
        self,
        connect: Connect,
        open_work: OpenWork,
        settings: AdmissionSettings,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.pressure = Pressure(settings)
        self._connect = connect
        self._open_work = open_work
        self._interval_s = settings.question_interval_ms / 1_000
        self._timeout_s = settings.question_timeout_ms / 1_000
        self._clock = clock
        self._answered_at_s = clock()
        self._is_answered = False
        self._fails = False

    def readiness(self) -> Readiness:
        """Not ready before the first answer: a missing right shows before traffic comes."""
        if self._is_answered:
            return READY
        return Readiness(ready=False, reason="the database did not say yet how much work is open")

    async def tick(self) -> None:
        """Let the pressure of silence rise for ever, also while a question hangs."""
        while True:
            self._note({Signal.UNANSWERED: self._clock() - self._answered_at_s})
            await asyncio.sleep(self._interval_s)

    async def ask(self) -> None:
        """Ask for ever, over a new connection after each failure."""
        while True:
            try:
                async with self._connect() as connection:
                    while True:
                        await self._ask(connection)
                        await asyncio.sleep(self._interval_s)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is asked again.
                self._failed(error)
            await asyncio.sleep(self._interval_s)

    async def _ask(self, connection: Connection) -> None:
        with _SECONDS.time():
            async with asyncio.timeout(self._timeout_s):
                backlog = await outbox_backlog.read(connection)
                open_work_s = await self._open_work.age_s(connection)
        self._answered_at_s = self._clock()
        self._is_answered = True
        self._fails = False
        self._note(
            {
                Signal.OUTBOX_AGE: backlog.oldest_s,
                Signal.OUTBOX_BYTES: backlog.bytes,
                Signal.OPEN_WORK_AGE: open_work_s,
                Signal.UNANSWERED: 0.0,
            }
        )

    def _failed(self, error: Exception) -> None:
        _UNANSWERED.inc()
        if not self._fails:
            _log.warning("admission_not_answered", **failures.facts(error))
        self._fails = True

    def _note(self, readings: dict[Signal, float]) -> None:
        before = self.pressure.level
        self.pressure.read(readings)
        for signal, value in readings.items():
            _READINGS.of(signal).set(value)
        _SHARE.set(self.pressure.share)
        if self.pressure.level is not before:
            signal = self.pressure.signal
            _log.warning("admission_changed", state=self.pressure.level, was=before, signal=signal)


@asynccontextmanager
async def watching(
    database: DatabaseSettings, open_work: OpenWork, settings: AdmissionSettings
) -> AsyncGenerator[PressureWatch]:
    """Watch within the block, over one connection of its own, with its own short limits."""
    limits = replace(
        database,
        lock_timeout_ms=max(1, settings.question_timeout_ms // 2),
        statement_timeout_ms=settings.question_timeout_ms,
        transaction_timeout_ms=settings.question_timeout_ms,
        connect_timeout_s=min(2, database.connect_timeout_s),
    )
    watch = PressureWatch(lambda: open_connection(limits, "api-admission"), open_work, settings)
    running = [asyncio.create_task(watch.tick()), asyncio.create_task(watch.ask())]
    try:
        yield watch
    finally:
        await interrupt(*running)
