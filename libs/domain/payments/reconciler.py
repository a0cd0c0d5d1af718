"""Compares the provider's books with ours: when an operator asks, and by the clock."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.domain.payments import metrics
from libs.domain.payments.comparison import Comparison, Incomplete
from libs.domain.payments.provider import PaymentProvider
from libs.domain.payments.reconciliation import OWNER, VERB, DifferenceKind
from libs.domain.payments.settings import DispatchSettings, ReconciliationSettings
from libs.domain.payments.sql import reconciliations
from libs.domain.payments.sql.reconciliations import Rhythm
from libs.foundation.database.connections import Pool
from libs.foundation.database.failures import is_environment
from libs.foundation.database.transaction import Transaction, transaction
from libs.foundation.ids import new_id
from libs.foundation.messaging.definitions import Stopping
from libs.foundation.messaging.pausing import pause
from libs.foundation.messaging.sql import operator_requests
from libs.foundation.observability.logs import get_logger

# After one that did not come to its end the next begins sooner, but not at once.
_TRIES_PER_INTERVAL: Final = 24
_random: Final = SystemRandom().random
_log: Final = get_logger(__name__)


class _Begun(Struct, frozen=True, kw_only=True):
    id: UUID
    since: datetime
    started_at: datetime
    request_id: UUID | None


class Reconciler:
    """Runs at most one comparison of a provider at a time, whatever the number of workers."""

    def __init__(
        self,
        pool: Pool,
        provider: PaymentProvider,
        settings: ReconciliationSettings,
        dispatch: DispatchSettings,
        *,
        uniform: Callable[[], float] = _random,
    ) -> None:
        self._pool = pool
        self._provider = provider
        self._settings = settings
        self._dispatch = dispatch
        jitter = 1 + settings.jitter_ratio * uniform()
        self._interval = timedelta(seconds=settings.interval_s * jitter)

    async def run(self, stopping: Stopping) -> None:
        """Look for what is to do until `stopping`; a comparison under way is given up then."""
        while not stopping.is_set():
            try:
                begun = await self._begin()
                if begun is not None:
                    await self._compare(begun, stopping)
                await self._show()
            except Exception as error:
                if not is_environment(error):
                    raise
                _log.warning("reconciliation_waits", error=str(error))
            await pause(stopping, self._settings.look_interval_ms)

    async def _begin(self) -> _Begun | None:
        name = self._provider.name
        async with transaction(self._pool) as tx:
            await reconciliations.give_up_dead(tx, name, self._settings.dead_after_s)
            rhythm = await reconciliations.rhythm(tx, name)
            if rhythm.running:
                return None
            request = await operator_requests.lock_next(tx, OWNER)
            if request is not None and request.verb != VERB:
                await operator_requests.finish(tx, request.id, f"refused: it can only {VERB}")
                return None
            if request is None and not self._is_due(rhythm):
                return None
            begun = _Begun(
                id=new_id(),
                since=rhythm.now - timedelta(seconds=self._settings.window_s),
                started_at=rhythm.now,
                request_id=None if request is None else request.id,
            )
            if not await reconciliations.begin(tx, begun.id, name, begun.request_id, begun.since):
                return None
            if request is not None:
                await operator_requests.note(tx, request.id, "running")
        _log.info("reconciliation_begun", reconciliation=str(begun.id))
        return begun

    def _is_due(self, rhythm: Rhythm) -> bool:
        if rhythm.last_at is None:
            return True
        soon = rhythm.last_at + self._interval / _TRIES_PER_INTERVAL
        complete = rhythm.last_complete_at
        return rhythm.now >= soon and (complete is None or rhythm.now >= complete + self._interval)

    async def _compare(self, begun: _Begun, stopping: Stopping) -> None:
        comparison = Comparison(
            self._pool,
            self._provider,
            begun.id,
            begun.since,
            begun.started_at,
            self._dispatch,
            self._settings,
        )
        try:
            await comparison.run(stopping)
        except Incomplete as incomplete:
            outcome = f"stopped: {incomplete}"
        else:
            outcome = f"finished: {comparison.summary}"
        async with transaction(self._pool) as tx:
            if await reconciliations.finish(tx, begun.id, outcome):
                await self._answer(tx, begun, outcome)
        _log.info("reconciliation_finished", reconciliation=str(begun.id), outcome=outcome)

    async def _answer(self, tx: Transaction, begun: _Begun, outcome: str) -> None:
        if begun.request_id is not None:
            await operator_requests.finish(tx, begun.request_id, outcome)

    async def _show(self) -> None:
        name = self._provider.name
        async with transaction(self._pool) as tx:
            counts = await reconciliations.counts(tx, name)
            complete = (await reconciliations.rhythm(tx, name)).last_complete_at
        for kind in DifferenceKind:
            metrics.DIFFERENCES.of(name, kind).set(counts.get(kind, 0))
        metrics.RECONCILED_AT.of(name).set(0.0 if complete is None else complete.timestamp())
