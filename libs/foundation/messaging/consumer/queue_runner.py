"""Runs the queue of a parked key in order, a bounded piece of it in each transaction."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import Transaction, transaction
from libs.foundation.messaging import parking
from libs.foundation.messaging.consumer.records import UNDECODABLE
from libs.foundation.messaging.consumer.traces import message_span
from libs.foundation.messaging.definitions import ConsumerDefinition
from libs.foundation.messaging.poison import Verdict, judge
from libs.foundation.messaging.quarantine.attempts import ended, failed
from libs.foundation.messaging.quarantine.failures import (
    Failure,
    failure_of,
    poison_of,
    refused,
)
from libs.foundation.messaging.sql import parked, parked_attempts
from libs.foundation.messaging.sql.parked import OpenMessage
from libs.foundation.messaging.sql.request_items import ItemStep, OpenItem

SKIP: Final = "skip"


class QueueRunner:
    """The key is locked for each piece, so that no wave of it runs meanwhile."""

    def __init__(self, definition: ConsumerDefinition) -> None:
        self._definition = definition

    async def step(
        self, connection: Connection, tx: Transaction, item: OpenItem, messages_max: int
    ) -> ItemStep:
        """Do a piece of what is asked for a key; what it raises undoes the piece."""
        consumer, topic, key = self._definition.name, item.topic, item.key
        must_skip = item.verb == SKIP and item.skipped == 0
        queue: Sequence[OpenMessage] = []
        if await parked.lock(tx, consumer, topic, key):
            queue = await parked.open_messages(tx, consumer, topic, key, messages_max)
        elif not must_skip:
            return ItemStep(result="done", outcome="finished: the key is not parked")
        if must_skip and (not queue or item.head not in {None, queue[0].id}):
            return _refused(item, queue)
        if must_skip:
            await parked.resolve(tx, [queue[0].id], "skipped")
            await parked_attempts.add(tx, [ended(queue[0].id, "skipped", item.request_id)])
        waiting = queue[1:] if must_skip else queue
        handled, failure = await self._run(connection, waiting)
        await self._resolve(tx, item, waiting[:handled])
        step = ItemStep(handled=handled, skipped=int(must_skip), outcome="running")
        if failure is not None:
            await self._keep(tx, item, waiting[handled], failure)
            outcome = f"stopped at message {waiting[handled].id}: {failure.error}"
            return _ended(item, step, "stopped", outcome)
        if len(queue) == messages_max:
            return step
        await parked.release_key(tx, consumer, topic, key)
        outcome = f"finished: {item.handled + handled} handled, and the key flows again"
        return _ended(item, step, "done", outcome)

    async def _run(
        self, connection: Connection, messages: Sequence[OpenMessage]
    ) -> tuple[int, Failure | None]:
        """Handle messages up to the first that fails; return how many, and what failed."""
        for position, message in enumerate(messages):
            failure = await self._retry(connection, message)
            if failure is not None:
                return position, failure
        return len(messages), None

    async def _retry(self, connection: Connection, message: OpenMessage) -> Failure | None:
        """Handle one message in a savepoint; return what stands against it."""
        if message.type is None or message.type not in self._definition.decoders:
            return refused("unknown-type", f"no contract has the type {message.type}")
        handler = self._definition.handlers.get(message.type)
        if handler is None:
            return None
        try:
            body = self._definition.decoders[message.type].decode(message.body or b"")
        except UNDECODABLE as error:
            return poison_of(error, "undecodable")
        trace = parking.header_text(message.headers, "traceparent")
        try:
            async with transaction(connection) as tx:
                with message_span(message.type, trace):
                    await handler(tx, [body])
        except Exception as error:
            if judge(error) is Verdict.ENVIRONMENT:
                raise
            return failure_of(error)
        return None

    async def _resolve(
        self, tx: Transaction, item: OpenItem, messages: Sequence[OpenMessage]
    ) -> None:
        ids = [message.id for message in messages]
        await parked.resolve(tx, ids, "retried")
        await parked_attempts.add(tx, [ended(each, "succeeded", item.request_id) for each in ids])

    async def _keep(
        self, tx: Transaction, item: OpenItem, message: OpenMessage, failure: Failure
    ) -> None:
        await parked.note_failure(
            tx,
            message.id,
            error_code=failure.code,
            error=failure.error,
            fingerprint=failure.fingerprint,
        )
        await parked_attempts.add(tx, [failed(message.id, failure, item.request_id)])


def _refused(item: OpenItem, queue: Sequence[OpenMessage]) -> ItemStep:
    if not queue:
        return ItemStep(result="refused", outcome="refused: the key is not parked")
    return ItemStep(
        result="refused",
        outcome=f"refused: message {item.head} is no longer the first of its queue,"
        f" {queue[0].id} is: nothing was left out",
    )


def _ended(item: OpenItem, step: ItemStep, result: str, outcome: str) -> ItemStep:
    """Return the last step of an item; it tells of the gap that a skip has left."""
    left_out = item.skipped + step.skipped
    gap = f"; {left_out} left out for ever, which leaves a gap" if left_out else ""
    return replace(step, result=result, outcome=f"{outcome}{gap}")
