"""The transactions of a consumer: claim, look for parked keys, handle or park, commit."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Struct

from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import Transaction, transaction
from libs.foundation.ids import new_id
from libs.foundation.messaging import inbox, parking
from libs.foundation.messaging.consumer.metrics import WAVE_MESSAGES, WAVE_SECONDS
from libs.foundation.messaging.consumer.records import Item, Refusal
from libs.foundation.messaging.consumer.traces import wave_span
from libs.foundation.messaging.consumer.turns import Handled, Turns
from libs.foundation.messaging.definitions import ConsumerDefinition
from libs.foundation.messaging.sql import inbox as inbox_rows
from libs.foundation.messaging.sql import parked

Handler = Callable[[Transaction, Sequence[Any]], Awaitable[None]]


class ParkingStopped(RuntimeError):
    """Too many keys were parked within a minute; this one is left where it is."""


class Parked(Struct, frozen=True, kw_only=True):
    """What became of a refused message; neither: it had been parked before."""

    newly: bool
    queued: bool = False


class _Place:
    """The place of one key in the budget; free again unless the key is newly parked."""

    def __init__(self, budget: parking.ParkingBudget) -> None:
        self._budget = budget
        self._taken = False

    def take(self) -> None:
        if not self._budget.take():
            raise ParkingStopped("too many keys were parked within a minute")
        self._taken = True

    def free(self) -> None:
        if self._taken:
            self._budget.give_back()


class Effects:
    """Runs a bounded number of transactions at a time; lanes share those that handle."""

    def __init__(
        self,
        definition: ConsumerDefinition,
        pool: Pool,
        budget: parking.ParkingBudget,
        *,
        at_once_max: int,
        messages_max: int,
        timeout_ms: int,
    ) -> None:
        self._consumer = definition.name
        self._handlers = definition.handlers
        self._pool = pool
        self._budget = budget
        # Lanes wait here in line; in the pool's line they would time out under load.
        self._turns = Turns(self._handle, at_once_max=at_once_max, messages_max=messages_max)
        self._timeout_s = timeout_ms / 1_000

    async def handle(self, wave_type: str, items: Sequence[Item], *, alone: bool) -> Handled:
        """Give the messages that are neither taken nor parked behind to their handler.

        Unless they go `alone`, messages of other lanes may be in the same transaction.
        """
        return await self._turns.handle(wave_type, items, alone=alone)

    async def _handle(self, wave_type: str, items: Sequence[Item]) -> Handled:
        with wave_span(self._consumer, wave_type, items):
            async with self._transaction() as tx:
                handled = await self._apply(tx, self._handlers[wave_type], items)
        WAVE_MESSAGES.observe(len(handled.handled))
        return handled

    async def park(self, item: Item, refusal: Refusal) -> Parked | None:
        """Park a refused message, or queue it; None when another transaction had taken it.

        Raises ParkingStopped, and leaves everything as it was, when the budget is used up.
        """
        place = _Place(self._budget)
        try:
            async with self._turns.turn(), self._transaction() as tx:
                parked_now = await self._park(tx, item, refusal, place)
        except BaseException:
            place.free()
            raise
        if parked_now is None or not parked_now.newly:
            place.free()
        return parked_now

    async def _park(
        self, tx: Transaction, item: Item, refusal: Refusal, place: _Place
    ) -> Parked | None:
        fresh, _ = await self._claim(tx, [item])
        if not fresh:
            return None
        topic = item.record.topic
        if await parked.lock_shared(tx, self._consumer, topic, [item.key]):
            await parking.queue(tx, self._consumer, topic, [item])
            return Parked(newly=False, queued=True)
        place.take()
        return Parked(newly=await parking.park(tx, self._consumer, item, refusal))

    async def probe(self) -> bool:
        """Say whether the database answers an ordinary read."""
        try:
            async with self._turns.turn(), self._transaction() as tx:
                await inbox_rows.probe(tx, self._consumer, new_id())
        except Exception:  # noqa: BLE001 - whatever it is, the database did not pass.
            return False
        return True

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[Transaction]:
        # A server that is frozen or cut off ends no statement, so the wait ends here.
        with WAVE_SECONDS.time():
            async with asyncio.timeout(self._timeout_s), transaction(self._pool) as tx:
                yield tx

    async def _apply(self, tx: Transaction, handler: Handler, items: Sequence[Item]) -> Handled:
        fresh, duplicates = await self._claim(tx, items)
        if not fresh:
            return Handled(handled=[], queued=[], duplicates=duplicates)
        # After the claim, in a statement of its own: whoever parked the message before a claimed
        # one has committed by now, and only a new snapshot sees that.
        topic, keys = fresh[0].record.topic, [item.key for item in fresh]
        waiting = await parked.lock_shared(tx, self._consumer, topic, keys)
        queued = [item for item in fresh if item.key in waiting]
        ready = [item for item in fresh if item.key not in waiting]
        await parking.queue(tx, self._consumer, topic, queued)
        if ready:
            await handler(tx, [item.message for item in ready])
        return Handled(handled=ready, queued=queued, duplicates=duplicates)

    async def _claim(self, tx: Transaction, items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
        """Return the items that are ours, and the duplicates; no claimable id means ours."""
        ids = [item.event_id for item in items if item.claimable and item.event_id]
        claimed = await inbox.claim(tx, self._consumer, ids)
        fresh: list[Item] = []
        duplicates: list[Item] = []
        for item in items:
            if not item.claimable or item.event_id is None:
                fresh.append(item)
            elif item.event_id in claimed:
                # An id that occurs twice in one wave, under two keys, counts for the first.
                claimed.remove(item.event_id)
                fresh.append(item)
            else:
                duplicates.append(item)
        return fresh, duplicates
