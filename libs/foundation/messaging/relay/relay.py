"""The life of one relay: stand by, take the lease, publish, give the lease back."""

import asyncio
import os
import socket
from typing import Final

import psycopg

from libs.foundation.ids import new_id
from libs.foundation.messaging.definitions import Stopping
from libs.foundation.messaging.relay import metrics
from libs.foundation.messaging.relay.errors import Blocked, HandedOver, LeaseLost
from libs.foundation.messaging.relay.lease import Lease, LeaseTerms
from libs.foundation.messaging.relay.publisher import Publisher
from libs.foundation.messaging.relay.session import Reached, Session, nothing
from libs.foundation.messaging.relay.settings import RelaySettings
from libs.foundation.observability.logs import get_logger
from libs.foundation.resilience.retry import Backoff
from libs.foundation.runtime.readiness import Progress, Readiness

_log: Final = get_logger(__name__)

_BACKOFF: Final = Backoff(first_ms=50, cap_ms=2_000)


class OutboxRelay:
    """One of several relays of a database; whoever holds the lease publishes."""

    def __init__(
        self, settings: RelaySettings, publisher: Publisher, *, reached: Reached = nothing
    ) -> None:
        self._settings = settings
        self._publisher = publisher
        self._reached = reached
        self._progress = Progress("outbox relay", settings.progress_deadline_ms / 1_000)
        self._blocked: Blocked | None = None
        self._failures = 0
        self._is_leading = False
        self._terms = LeaseTerms(
            settings.writing,
            holder=f"{socket.gethostname()}:{os.getpid()}:{new_id()}",
            lease_ms=settings.lease_ms,
            renewal_ms=settings.lease_renewal_ms,
            standby_poll_ms=settings.standby_poll_ms,
        )

    @property
    def is_leading(self) -> bool:
        """Whether this process holds the lease, as far as it knows."""
        return self._is_leading

    def readiness(self) -> Readiness:
        """Ready while it publishes, finds nothing to publish, or stands by."""
        if self._blocked is not None:
            return Readiness(ready=False, reason=str(self._blocked))
        return self._progress.check()

    async def run(self, stopping: Stopping) -> None:
        """Run until stopping; raises ProducerFailed when the process must be replaced."""
        while not stopping.is_set():
            try:
                await self._stand_by_and_lead(stopping)
            except LeaseLost as error:
                self._note(error)
            except HandedOver as error:
                self._note(error)
                # Long enough for a standby to be first.
                await _wait(stopping, self._settings.lease_ms)
            except Blocked as error:
                self._note(error)
                self._become_blocked(error)
                await _wait(stopping, self._settings.blocked_retry_ms)
            except (psycopg.Error, OSError, TimeoutError) as error:
                self._note(error)
                self._failures += 1
                await _wait(stopping, _BACKOFF.delay_ms(self._failures))

    async def _stand_by_and_lead(self, stopping: Stopping) -> None:
        if not await self._prepare(stopping):
            return
        lease = await self._terms.wait(stopping.is_set, self._progressed)
        if lease is not None:
            async with self._terms.holding(lease):
                await self._lead(lease, stopping)

    async def _prepare(self, stopping: Stopping) -> bool:
        """Get the publisher ready; False when stopping came first, as it may without a broker."""
        preparing = asyncio.create_task(self._publisher.prepare())
        stopped = asyncio.ensure_future(stopping.wait())
        try:
            await asyncio.wait({preparing, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not preparing.done():
                return False
            await preparing
            return True
        finally:
            preparing.cancel()
            stopped.cancel()
            await asyncio.gather(preparing, stopped, return_exceptions=True)

    async def _lead(self, lease: Lease, stopping: Stopping) -> None:
        _log.info("lease_taken", epoch=lease.epoch)
        metrics.TAKEOVERS.inc()
        metrics.EPOCH.set(lease.epoch)
        metrics.LEADING.set(1)
        self._is_leading = True
        try:
            session = Session(
                self._settings,
                lease,
                self._publisher,
                progressed=self._progressed,
                reached=self._reached,
            )
            await session.run(stopping.is_set)
        finally:
            self._is_leading = False
            metrics.LEADING.set(0)
            _log.info("lease_given_up", epoch=lease.epoch)

    def _progressed(self) -> None:
        self._failures = 0
        self._blocked = None
        metrics.BLOCKED.set(0)
        self._progress.mark()

    def _become_blocked(self, error: Blocked) -> None:
        self._blocked = error
        metrics.BLOCKED.set(1)

    def _note(self, error: Exception) -> None:
        kind = type(error).__name__
        metrics.SESSIONS_LOST.of(kind).inc()
        _log.warning("session_ended", error=kind, reason=str(error))


async def _wait(stopping: Stopping, pause_ms: float) -> None:
    """Pause, but not a moment longer than the process runs."""
    try:
        async with asyncio.timeout(pause_ms / 1_000):
            await stopping.wait()
    except TimeoutError:
        return
