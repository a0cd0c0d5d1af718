"""Settles what was left to a person when an operator asks: the provider is asked first."""

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.domain.payments.manual import ASK_AGAIN, BY_HAND, OWNER
from libs.domain.payments.provider import Outcome, PaymentProvider
from libs.domain.payments.settings import DispatchSettings, ReconciliationSettings
from libs.domain.payments.sql import operations
from libs.domain.payments.use_cases.settle_manual import settle_manual
from libs.foundation.clock import utc_now
from libs.foundation.database.connections import Pool
from libs.foundation.database.failures import is_data, is_environment
from libs.foundation.database.transaction import transaction
from libs.foundation.errors import AppError
from libs.foundation.messaging.definitions import Stopping
from libs.foundation.messaging.pausing import pause
from libs.foundation.messaging.sql import operator_requests
from libs.foundation.observability.logs import get_logger
from libs.foundation.resilience.deadline import Deadline

_VERBS: Final = (ASK_AGAIN, BY_HAND)
_log: Final = get_logger(__name__)


class _Asked(Struct, frozen=True, kw_only=True):
    request_id: UUID
    key: UUID
    order_id: UUID
    by_hand: bool


class Settler:
    """Takes one request after the other; no transaction is open while the provider is asked."""

    def __init__(
        self,
        pool: Pool,
        provider: PaymentProvider,
        dispatch: DispatchSettings,
        settings: ReconciliationSettings,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._pool = pool
        self._provider = provider
        self._dispatch = dispatch
        self._look_interval_ms = settings.look_interval_ms
        self._clock = clock

    async def run(self, stopping: Stopping) -> None:
        """Look for requests until `stopping`."""
        while not stopping.is_set():
            try:
                asked = await self._next()
                if asked is not None:
                    await self._settle(asked)
            except Exception as error:
                if not is_environment(error):
                    raise
                _log.warning("settlement_waits", error=str(error))
            await pause(stopping, self._look_interval_ms)

    async def _next(self) -> _Asked | None:
        """Return the oldest request that names an operation; refuse what names none."""
        async with transaction(self._pool) as tx:
            request = await operator_requests.lock_next(tx, OWNER)
            if request is None:
                return None
            key = _uuid(request.key)
            of_key = {} if key is None else await operations.orders(tx, self._provider.name, [key])
            if key is None or key not in of_key or request.verb not in _VERBS:
                await operator_requests.finish(tx, request.id, "refused: no such operation")
                return None
        return _Asked(
            request_id=request.id,
            key=key,
            order_id=of_key[key],
            by_hand=request.verb == BY_HAND,
        )

    async def _settle(self, asked: _Asked) -> None:
        deadline = Deadline.after_ms(self._dispatch.call_timeout_ms)
        heard = await self._provider.lookup(asked.key, deadline)
        try:
            outcome = await self._decide(asked, heard)
        except Exception as error:
            # A step the payment's state does not allow, or a row the database does not take.
            if not (isinstance(error, AppError) or is_data(error)):
                raise
            told = str(error) if isinstance(error, AppError) else "the database does not take it"
            outcome = f"refused: {told}"
            async with transaction(self._pool) as tx:
                await operator_requests.finish(tx, asked.request_id, outcome)
        _log.info("settlement_decided", operation=str(asked.key), outcome=outcome)

    async def _decide(self, asked: _Asked, heard: Outcome | None) -> str:
        async with transaction(self._pool) as tx:
            request = await operator_requests.lock_next(tx, OWNER)
            if request is None or request.id != asked.request_id:
                return "another worker took the request"
            outcome = await settle_manual(
                tx,
                asked.order_id,
                asked.key,
                heard,
                by_hand=asked.by_hand,
                now=self._clock(),
                patience=self._dispatch.patience(),
            )
            await operator_requests.finish(tx, asked.request_id, outcome)
        return outcome


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None
