"""Executes what operators ask of a consumer: about its parked keys, and by verbs of its own."""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from libs.foundation.clock import utc_now
from libs.foundation.database.connections import Connection, Pool
from libs.foundation.database.transaction import Transaction, transaction
from libs.foundation.messaging import parking
from libs.foundation.messaging.consumer.metrics import PARKED_AGE_SECONDS, PARKED_KEYS
from libs.foundation.messaging.consumer.settings import ConsumerSettings
from libs.foundation.messaging.consumer.traces import message_span
from libs.foundation.messaging.definitions import ConsumerDefinition, Verb
from libs.foundation.messaging.poison import Verdict, error_code, error_text, judge
from libs.foundation.messaging.sql import operator_requests as requests
from libs.foundation.messaging.sql import parked
from libs.foundation.observability.logs import get_logger
from libs.foundation.resilience.retry import Backoff

_log: Final = get_logger(__name__)
# Messages of a queue that run in one transaction; the key stays locked and parked between two.
_STEP_MESSAGES_MAX: Final = 50
_SKIP: Final = "skip"
_VERBS: Final = frozenset({_SKIP, "retry"})


class RequestRunner:
    """Runs the queue of a key in order while the key is locked, so that nothing overtakes."""

    def __init__(
        self, definition: ConsumerDefinition, pool: Pool, settings: ConsumerSettings
    ) -> None:
        self._definition = definition
        self._pool = pool
        self._timeout_s = settings.wave_timeout_ms / 1_000
        self._interval = Backoff(
            first_ms=settings.request_poll_interval_ms, cap_ms=settings.request_poll_interval_ms
        )

    async def run(self) -> None:
        """Look for requests for ever; the environment's errors leave a request where it is."""
        while True:
            try:
                await self.run_open()
            except Exception as error:  # noqa: BLE001 - asked again at the next look.
                _log.warning("operator_requests_wait", reason=error_text(error))
            await asyncio.sleep(self._interval.delay_ms(1) / 1_000)

    async def run_open(self) -> None:
        """Run every open request of this consumer, and show what stays parked."""
        while await self._step():
            pass
        async with asyncio.timeout(self._timeout_s), transaction(self._pool) as tx:
            summary = await parked.summary(tx, self._definition.name)
        PARKED_KEYS.set(summary.keys)
        oldest = summary.oldest_at
        PARKED_AGE_SECONDS.set(0 if oldest is None else (utc_now() - oldest).total_seconds())

    async def _step(self) -> bool:
        """Run a part of the oldest request; False when there is none."""
        async with (
            asyncio.timeout(self._timeout_s),
            self._pool.connection() as connection,
            transaction(connection) as tx,
        ):
            request = await requests.lock_next(tx, self._definition.name)
            if request is None:
                return False
            outcome = await self._execute(connection, tx, request)
            if outcome is None:
                await requests.note(tx, request.id, "running")
                return True
            await requests.finish(tx, request.id, outcome)
        _log.info(
            "operator_request_finished",
            verb=request.verb,
            topic=request.topic,
            key=request.key,
            requested_by=request.requested_by,
            outcome=outcome,
        )
        return True

    async def _execute(
        self, connection: Connection, tx: Transaction, request: requests.Request
    ) -> str | None:
        """Return the outcome, or None while the queue has more than this step took."""
        verb = self._definition.verbs.get(request.verb)
        if verb is not None:
            return await self._decide(connection, verb, request)
        topic, key, consumer = request.topic, request.key, self._definition.name
        if topic is None or key is None or request.verb not in _VERBS:
            return "refused: a consumer retries or skips the messages of one topic and key"
        if not await parked.lock(tx, consumer, topic, key):
            return "finished: the key is not parked"
        queue = await parked.open_messages(tx, consumer, topic, key, _STEP_MESSAGES_MAX)
        waiting: Sequence[parked.OpenMessage] = queue
        if request.verb == _SKIP and request.outcome is None and queue:
            await parked.resolve(tx, queue[0].id, "skipped")
            waiting = queue[1:]
        for message in waiting:
            failure = await self._retry(connection, message)
            if failure is not None:
                await parked.note_failure(tx, message.id, error_code(failure), error_text(failure))
                return f"stopped: message {message.id}: {error_text(failure)}"
            await parked.resolve(tx, message.id, "retried")
        if len(queue) == _STEP_MESSAGES_MAX:
            return None
        await parked.release_key(tx, consumer, topic, key)
        return "finished: the queue is empty and the key flows again"

    async def _decide(self, connection: Connection, verb: Verb, request: requests.Request) -> str:
        """Let the verb decide in a savepoint; what it refuses leaves nothing behind."""
        try:
            async with transaction(connection) as tx:
                return f"finished: {await verb(tx, request)}"
        except Exception as error:
            if judge(error) is Verdict.ENVIRONMENT:
                raise
            return f"refused: {error_code(error)}: {error_text(error)}"

    async def _retry(self, connection: Connection, message: parked.OpenMessage) -> Exception | None:
        """Handle one message in a savepoint; return what stands against it."""
        try:
            async with transaction(connection) as tx:
                await self._handle(tx, message)
        except Exception as error:
            if judge(error) is Verdict.ENVIRONMENT:
                raise
            return error
        return None

    async def _handle(self, tx: Transaction, message: parked.OpenMessage) -> None:
        if message.type is None or message.type not in self._definition.decoders:
            raise msgspec.ValidationError(f"no contract has the type {message.type}")
        handler = self._definition.handlers.get(message.type)
        if handler is None:
            return
        body = self._definition.decoders[message.type].decode(message.body or b"")
        trace = parking.header_text(message.headers, "traceparent")
        with message_span(message.type, trace):
            await handler(tx, [body])
