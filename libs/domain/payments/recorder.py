"""Writes outcomes in batches: while one transaction runs, the next batch gathers."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

from libs.domain.payments import metrics
from libs.domain.payments.provider import Unresolvable
from libs.domain.payments.settlement import Attempted, Patience
from libs.domain.payments.use_cases.record_outcomes import record_outcomes
from libs.foundation.database.connections import Pool
from libs.foundation.database.failures import is_data, is_environment
from libs.foundation.database.transaction import transaction
from libs.foundation.observability.logs import get_logger
from libs.foundation.resilience.retry import Backoff

_BATCH_MAX: Final = 128
_log = get_logger(__name__)


class Recorder:
    """Takes outcomes from the attempts in flight and records them, whatever the database does.

    An outcome that is lost with the process is learned again: its operation stays claimed until
    its recovery time and is then asked about under the same key.
    """

    def __init__(
        self, pool: Pool, patience: Patience, clock: Callable[[], datetime], backoff: Backoff
    ) -> None:
        self._pool = pool
        self._patience = patience
        self._clock = clock
        self._backoff = backoff
        self._waiting: asyncio.Queue[tuple[Attempted, asyncio.Future[None]]] = asyncio.Queue()

    async def record(self, attempted: Attempted) -> None:
        """Return when the outcome is recorded, or when it is clear that it never can be."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((attempted, done))
        await done

    async def run(self) -> None:
        """Record until cancelled."""
        while True:
            batch = await self._next_batch()
            await self._record_surely([attempted for attempted, _ in batch])
            for _, done in batch:
                if not done.done():
                    done.set_result(None)

    async def _next_batch(self) -> list[tuple[Attempted, asyncio.Future[None]]]:
        batch = [await self._waiting.get()]
        while len(batch) < _BATCH_MAX and not self._waiting.empty():
            batch.append(self._waiting.get_nowait())
        return batch

    async def _record_surely(self, attempts: list[Attempted]) -> None:
        failures = 0
        while True:
            try:
                await self._record(attempts)
            except Exception as error:  # noqa: BLE001  # One outcome must not stop the others.
                if not is_environment(error):
                    await self._record_apart(attempts, error)
                    return
                failures += 1
                _log.warning("outcomes_not_recorded", count=len(attempts), error=str(error))
                await asyncio.sleep(self._backoff.delay_ms(failures) / 1_000)
            else:
                return

    async def _record_apart(self, attempts: list[Attempted], error: Exception) -> None:
        """Find the outcome that spoils its batch; it alone goes to a person."""
        if len(attempts) > 1:
            for attempted in attempts:
                await self._record_surely([attempted])
            return
        [attempted] = attempts
        _log.error("outcome_refused", operation=str(attempted.key), exc_info=error)
        if is_data(error) and not isinstance(attempted.outcome, Unresolvable):
            refused = Unresolvable(reason="outcome_refused")
            await self._record_surely([_with_outcome(attempted, refused)])

    async def _record(self, attempts: list[Attempted]) -> None:
        """Record outcomes of different payments together; a second one of a payment waits."""
        rest: list[Attempted] = attempts
        while rest:
            first = {attempted.order_id: attempted for attempted in reversed(rest)}
            batch = list(first.values())
            async with transaction(self._pool) as tx:
                changed = await record_outcomes(tx, batch, self._clock(), self._patience)
            for operation in changed:
                if not operation.resolvable:
                    metrics.RESOLVED.of(operation.provider, operation.kind, operation.state).inc()
            metrics.OVERTAKEN.inc(len(batch) - len(changed))
            rest = [each for each in rest if first[each.order_id] is not each]


def _with_outcome(attempted: Attempted, outcome: Unresolvable) -> Attempted:
    return Attempted(
        key=attempted.key,
        order_id=attempted.order_id,
        attempt=attempted.attempt,
        outcome=outcome,
        next_at=attempted.next_at,
    )
