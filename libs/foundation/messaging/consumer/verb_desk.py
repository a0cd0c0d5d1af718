"""Executes what operators ask of a consumer by the verbs that its context declares."""

import asyncio
from typing import Final

from libs.foundation.database.connections import Connection, Pool
from libs.foundation.database.transaction import transaction
from libs.foundation.messaging.definitions import ConsumerDefinition, Verb
from libs.foundation.messaging.poison import Verdict, error_code, error_text, judge
from libs.foundation.messaging.sql import operator_requests
from libs.foundation.messaging.sql.operator_requests import Request
from libs.foundation.observability.logs import get_logger

_log: Final = get_logger(__name__)


class VerbDesk:
    """One request a transaction; what the domain refuses is the outcome, and changes nothing."""

    def __init__(self, definition: ConsumerDefinition, pool: Pool, timeout_s: float) -> None:
        self._definition = definition
        self._pool = pool
        self._timeout_s = timeout_s

    async def look(self) -> None:
        """Execute every open request; an error of the environment leaves it open."""
        while await self._step():
            pass

    async def _step(self) -> bool:
        async with (
            asyncio.timeout(self._timeout_s),
            self._pool.connection() as connection,
            transaction(connection) as tx,
        ):
            request = await operator_requests.lock_next(tx, self._definition.name)
            if request is None:
                return False
            outcome = await self._outcome(connection, request)
            await operator_requests.finish(tx, request.id, outcome)
        _log.info(
            "operator_request_finished",
            verb=request.verb,
            topic=request.topic,
            key=request.key,
            requested_by=request.requested_by,
            outcome=outcome,
        )
        return True

    async def _outcome(self, connection: Connection, request: Request) -> str:
        verb = self._definition.verbs.get(request.verb)
        if verb is None:
            return "refused: this consumer does not know the verb, or it lacks its topic and key"
        return await _decided(connection, verb, request)


async def _decided(connection: Connection, verb: Verb, request: Request) -> str:
    """Let the verb decide in a savepoint; what it refuses leaves nothing behind."""
    try:
        async with transaction(connection) as tx:
            return f"finished: {await verb(tx, request)}"
    except Exception as error:
        if judge(error) is Verdict.ENVIRONMENT:
            raise
        return f"refused: {error_code(error)}: {error_text(error)}"
