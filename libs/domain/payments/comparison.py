"""One comparison with the provider's books: page by page, every difference written down."""

import asyncio
from datetime import datetime
from typing import Final
from uuid import UUID

from libs.domain.payments.provider import (
    NotExecuted,
    ObjectPage,
    Outcome,
    PaymentProvider,
    Unknown,
)
from libs.domain.payments.reconciliation import (
    OBJECT_KINDS,
    Difference,
    OurOperation,
    compare,
    missing_there,
)
from libs.domain.payments.settings import DispatchSettings, ReconciliationSettings
from libs.domain.payments.sql import reconciliations
from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import transaction
from libs.foundation.messaging.definitions import Stopping
from libs.foundation.observability.logs import get_logger
from libs.foundation.resilience.deadline import Deadline

_ATTEMPTS_MAX: Final = 5
# A restored database may differ in everything: what is more than this is only counted.
_WRITTEN_MAX: Final = 10_000
_LOGGED_MAX: Final = 100
_BEFORE_ALL_KEYS: Final = UUID(int=0)
_log: Final = get_logger(__name__)


class Incomplete(Exception):
    """The comparison could not be carried out to its end."""


class Comparison:
    """Reads the provider's list against our rows, then our successes against what was listed."""

    def __init__(
        self,
        pool: Pool,
        provider: PaymentProvider,
        id_: UUID,
        since: datetime,
        started_at: datetime,
        dispatch: DispatchSettings,
        settings: ReconciliationSettings,
    ) -> None:
        self._pool = pool
        self._provider = provider
        self._id = id_
        self._since = since
        self._started_at = started_at
        self._dispatch = dispatch
        self._page_rows = settings.page_rows
        self._seen: set[UUID] = set()
        self._objects = 0
        self._operations = 0
        self._differences = 0

    @property
    def summary(self) -> str:
        return (
            f"{self._differences} differences in {self._objects} objects"
            f" and {self._operations} operations"
        )

    async def run(self, stopping: Stopping) -> None:
        """Compare both ways; raises Incomplete, and then what was found until then stays."""
        cursor: str | None = None
        while True:
            self._go_on(stopping)
            read_from = await self._sign_of_life()
            page = await self._page(cursor)
            await self._compare(page, read_from)
            cursor = page.next_cursor
            if cursor is None:
                break
        after = (self._since, _BEFORE_ALL_KEYS)
        while True:
            self._go_on(stopping)
            await self._sign_of_life()
            page_of_ours = await self._succeeded(after)
            self._operations += len(page_of_ours)
            await self._look_up([each for each in page_of_ours if each.key not in self._seen])
            if len(page_of_ours) < self._page_rows:
                break
            after = (page_of_ours[-1].updated_at, page_of_ours[-1].key)
        await self._sign_of_life()

    def _go_on(self, stopping: Stopping) -> None:
        if stopping.is_set():
            raise Incomplete("the worker was asked to end")

    async def _sign_of_life(self) -> datetime:
        async with transaction(self._pool) as tx:
            alive_at = await reconciliations.sign_of_life(
                tx,
                self._id,
                objects=self._objects,
                operations=self._operations,
                differences=self._differences,
            )
        if alive_at is None:
            raise Incomplete("it was given up for dead")
        return alive_at

    async def _page(self, cursor: str | None) -> ObjectPage:
        reason = ""
        for attempt in range(1, _ATTEMPTS_MAX + 1):
            page = await self._provider.objects(self._since, cursor, self._deadline())
            if isinstance(page, ObjectPage):
                return page
            reason = page.reason
            await asyncio.sleep(self._dispatch.backoff.delay_ms(attempt) / 1_000)
        raise Incomplete(f"the provider's list could not be read: {reason}")

    async def _compare(self, page: ObjectPage, read_from: datetime) -> None:
        keys = [each.key for each in page.objects if each.key is not None]
        self._seen.update(keys)
        self._objects += len(page.objects)
        async with transaction(self._pool) as tx:
            found = await reconciliations.operations(tx, self._provider.name, keys)
            sums = await reconciliations.payments(tx, [each.order_id for each in found])
            differences = compare(
                page.objects,
                {each.key: each for each in found},
                {each.order_id: each for each in sums},
                read_from,
            )
            await reconciliations.note(tx, self._id, self._counted(differences))

    async def _succeeded(self, after: tuple[datetime, UUID]) -> list[OurOperation]:
        async with transaction(self._pool) as tx:
            return await reconciliations.succeeded(
                tx, self._provider.name, after, self._started_at, self._page_rows
            )

    async def _look_up(self, unlisted: list[OurOperation]) -> None:
        for ours in unlisted:
            if ours.kind not in OBJECT_KINDS:
                continue
            difference = missing_there(ours, await self._outcome(ours.key))
            if difference is not None:
                async with transaction(self._pool) as tx:
                    await reconciliations.note(tx, self._id, self._counted([difference]))

    async def _outcome(self, key: UUID) -> Outcome | None:
        reason = ""
        for attempt in range(1, _ATTEMPTS_MAX + 1):
            outcome = await self._provider.lookup(key, self._deadline())
            if not isinstance(outcome, NotExecuted | Unknown):
                return outcome
            reason = outcome.reason
            await asyncio.sleep(self._dispatch.backoff.delay_ms(attempt) / 1_000)
        raise Incomplete(f"the provider could not be asked: {reason}")

    def _counted(self, differences: list[Difference]) -> list[Difference]:
        """Count, log the first of them, and return those that are still written down."""
        for each in differences[: max(0, _LOGGED_MAX - self._differences)]:
            _log.error(
                "payment_difference_found",
                kind=each.kind,
                subject=each.subject,
                order=each.order_id,
                ours=each.ours,
                theirs=each.theirs,
            )
        room = max(0, _WRITTEN_MAX - self._differences)
        self._differences += len(differences)
        return differences[:room]

    def _deadline(self) -> Deadline:
        return Deadline.after_ms(self._dispatch.call_timeout_ms)
