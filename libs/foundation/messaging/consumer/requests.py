"""Executes what operators ask of a consumer: about its parked keys, and by verbs of its own."""

import asyncio
from time import monotonic
from typing import Final
from uuid import UUID

from libs.foundation.clock import utc_now
from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import transaction
from libs.foundation.messaging.consumer.metrics import PARKED_AGE_SECONDS, PARKED_KEYS
from libs.foundation.messaging.consumer.queue_runner import QueueRunner
from libs.foundation.messaging.consumer.settings import ConsumerSettings
from libs.foundation.messaging.consumer.stops import StopDesk
from libs.foundation.messaging.consumer.verb_desk import VerbDesk
from libs.foundation.messaging.definitions import ConsumerDefinition
from libs.foundation.messaging.parking import ParkingBudget
from libs.foundation.messaging.poison import error_code, error_text
from libs.foundation.messaging.sql import parked, request_items
from libs.foundation.messaging.sql.request_items import ItemStep, OpenItem
from libs.foundation.observability.logs import get_logger
from libs.foundation.resilience.retry import Backoff

_log: Final = get_logger(__name__)
# Messages of a queue that run in one transaction; the key stays locked and parked between two.
_STEP_MESSAGES_MAX: Final = 50
# Failures of the environment over a single message, after which its key is given up.
_SETBACKS_MAX: Final = 5


class RequestRunner:
    """Runs the queues of keys in order while they are locked, so that nothing overtakes."""

    def __init__(
        self,
        definition: ConsumerDefinition,
        pool: Pool,
        settings: ConsumerSettings,
        budget: ParkingBudget,
    ) -> None:
        self._consumer = definition.name
        self._pool = pool
        self._queues = QueueRunner(definition)
        self._stops = StopDesk(definition.name, budget)
        self._timeout_s = settings.wave_timeout_ms / 1_000
        self._verbs = VerbDesk(definition, pool, self._timeout_s)
        self._look_s = settings.request_poll_interval_ms / 1_000
        self._messages_per_s = settings.bulk_messages_per_s
        self._interval = Backoff(
            first_ms=settings.request_poll_interval_ms, cap_ms=settings.request_poll_interval_ms
        )
        self._messages_max = _STEP_MESSAGES_MAX
        self._setbacks: dict[tuple[UUID, int], int] = {}

    async def run(self) -> None:
        """Look for requests for ever; the environment's errors leave a request where it is."""
        while True:
            has_more = False
            try:
                has_more = await self.look()
            except Exception as error:  # noqa: BLE001 - asked again at the next look.
                _log.warning("operator_requests_wait", reason=error_text(error))
            if not has_more:
                await asyncio.sleep(self._interval.delay_ms(1) / 1_000)

    async def look(self) -> bool:
        """Work on requests for one interval at most; return whether keys are left to do.

        What stays parked is shown again after each, also while a request for many keys runs.
        """
        async with asyncio.timeout(self._timeout_s), transaction(self._pool) as tx:
            may_resume = await self._stops.look(tx)
            await request_items.adopt(tx, self._consumer)
            await request_items.stop_asked(tx, self._consumer)
        if may_resume:
            self._stops.resume()
        await self._verbs.look()
        until_s = monotonic() + self._look_s
        while (has_more := await self._step()) and monotonic() < until_s:
            pass
        async with asyncio.timeout(self._timeout_s), transaction(self._pool) as tx:
            await request_items.close_finished(tx)
            summary = await parked.summary(tx, self._consumer)
        PARKED_KEYS.set(summary.keys)
        oldest = summary.oldest_at
        PARKED_AGE_SECONDS.set(0 if oldest is None else (utc_now() - oldest).total_seconds())
        return has_more

    async def _step(self) -> bool:
        """Do a piece of the first open item, or set it back; False when there is none."""
        item: OpenItem | None = None
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._pool.connection() as connection,
                transaction(connection) as tx,
            ):
                item = await request_items.lock_next(tx, self._consumer)
                if item is None:
                    return False
                step = await self._queues.step(connection, tx, item, self._messages_max)
                await request_items.note(tx, item, step)
                if step.result is not None:
                    await request_items.close_finished(tx)
        except Exception as error:
            if item is not None:
                await self._set_back(item, error)
            raise
        self._setbacks.pop((item.request_id, item.position), None)
        self._messages_max = _STEP_MESSAGES_MAX
        self._tell(item, step)
        if item.of_many:
            # Whatever is asked for thousands of keys leaves room for the messages that arrive.
            await asyncio.sleep((step.handled + step.skipped) / self._messages_per_s)
        return True

    async def _set_back(self, item: OpenItem, error: Exception) -> None:
        """Try less at once; give a key up over whose first message the environment fails alone.

        One that always takes too long would hold up every request after it.
        """
        if self._messages_max > 1:
            self._messages_max //= 2
            return
        place = (item.request_id, item.position)
        self._setbacks[place] = self._setbacks.get(place, 0) + 1
        if self._setbacks[place] < _SETBACKS_MAX:
            return
        outcome = f"stopped by the environment: {error_code(error)}: {error_text(error)}"
        step = ItemStep(result="stopped", outcome=outcome)
        async with asyncio.timeout(self._timeout_s), transaction(self._pool) as tx:
            if await request_items.lock_unchanged(tx, item):
                await request_items.note(tx, item, step)
                await request_items.close_finished(tx)
        del self._setbacks[place]
        self._messages_max = _STEP_MESSAGES_MAX
        self._tell(item, step)

    def _tell(self, item: OpenItem, step: ItemStep) -> None:
        if step.result is not None:
            _log.info(
                "operator_request_finished",
                verb=item.verb,
                topic=item.topic,
                key=item.key,
                requested_by=item.requested_by,
                outcome=step.outcome,
            )
