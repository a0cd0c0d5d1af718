"""Queues of toy messages that are parked already, and the runner that works on them."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg

from libs.foundation.database.transaction import transaction
from libs.foundation.ids import new_id
from libs.foundation.messaging.asker import Asker
from libs.foundation.messaging.consumer.requests import RequestRunner
from libs.foundation.messaging.definitions import ConsumerDefinition
from libs.foundation.messaging.parking import ParkingBudget
from libs.foundation.messaging.quarantine import asking
from libs.foundation.messaging.quarantine.asking import Asked, Outcome, Verb
from libs.foundation.messaging.sql import operator_requests
from libs.foundation.messaging.sql.parked_listing import Narrowing
from tests.integration.messaging.consumer_toys import Noted, Toys, prompt_settings

OPERATOR: Final = "orderly_operator"
ASKER: Final = Asker(requested_by="ada", reason="the test says so")
CAUSE: Final = "Refused@toys.py:note"

_KEY: Final = """
    INSERT INTO messaging.parked_keys (consumer, topic, key, reason)
    VALUES (%(owner)s, %(topic)s, %(key)s, 'toy-refused') ON CONFLICT DO NOTHING"""
_MESSAGE: Final = """
    INSERT INTO messaging.parked_messages (consumer, topic, key, partition, log_offset, event_id,
        type, headers, body, error_code, error, attempts, fingerprint)
    VALUES (%(owner)s, %(topic)s, %(key)s, 0, %(offset)s, %(event_id)s, %(type)s,
        '[{"name": "ce_type", "text": "toys.noted.v1"}, {"name": "x-user", "text": "ada"}]',
        %(body)s, %(code)s, %(error)s, %(attempts)s, %(fingerprint)s)"""


class ParkedToys:
    """Parks what a test wants parked, under the name of one consumer."""

    def __init__(self, toys: Toys, owner: str, topic: str = "toys.events") -> None:
        self.toys = toys
        self.owner = owner
        self.topic = topic
        self.budget = ParkingBudget(20)
        self._offset = 0

    def park(self, key: str, numbers: Sequence[int], fingerprint: str | None = CAUSE) -> None:
        """Park a key with a queue of messages; the first one has failed once."""
        with psycopg.connect(self.toys.database.url) as connection:
            place = {"owner": self.owner, "topic": self.topic, "key": key}
            connection.execute(_KEY, place)
            for position, number in enumerate(numbers):
                self._offset += 1
                failed = position == 0 and fingerprint is not None
                connection.execute(
                    _MESSAGE,
                    {
                        **place,
                        "offset": self._offset,
                        "event_id": new_id(),
                        "type": Noted.type,
                        "body": msgspec.json.encode(Noted(key, number)),
                        "code": "toy-refused" if failed else "queued",
                        "error": "not yet" if failed else "an earlier message is parked",
                        "attempts": int(failed),
                        "fingerprint": fingerprint if failed else None,
                    },
                )

    async def waiting(self, key: str) -> list[int]:
        """Return what is still parked of a key, in order."""
        rows = await self._fetch(
            "SELECT body FROM messaging.parked_messages WHERE consumer = %s AND key = %s"
            " AND resolution IS NULL ORDER BY id",
            self.owner,
            key,
        )
        return [msgspec.json.decode(body, type=Noted).n for (body,) in rows]

    async def head(self, key: str) -> int:
        """Return the id of the first message of a key's queue."""
        rows = await self._fetch(
            "SELECT min(id) FROM messaging.parked_messages WHERE consumer = %s AND key = %s"
            " AND resolution IS NULL",
            self.owner,
            key,
        )
        return rows[0][0]

    async def parked_keys(self) -> list[str]:
        rows = await self._fetch(
            "SELECT key FROM messaging.parked_keys WHERE consumer = %s ORDER BY key", self.owner
        )
        return [key for (key,) in rows]

    async def ask(self, verb: Verb, narrowing: Narrowing | None = None) -> Asked:
        """Ask as the operators' command does, with an operator's rights."""
        async with (
            self.toys.pool(self.toys.database.url_for(OPERATOR), size=1) as pool,
            transaction(pool) as tx,
        ):
            return await asking.ask(tx, verb, narrowing or Narrowing(owner=self.owner), ASKER)

    async def ask_stop(self, request_id: UUID) -> UUID:
        async with (
            self.toys.pool(self.toys.database.url_for(OPERATOR), size=1) as pool,
            transaction(pool) as tx,
        ):
            return await asking.ask_stop(tx, request_id, ASKER)

    async def outcome(self, request_id: UUID) -> Outcome:
        async with (
            self.toys.pool(self.toys.database.url_for(OPERATOR), size=1) as pool,
            transaction(pool) as tx,
        ):
            found = await asking.outcome(tx, request_id, 1_000)
        assert found is not None
        return found

    async def _fetch(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        connection = await psycopg.AsyncConnection.connect(self.toys.database.url, autocommit=True)
        async with connection:
            return await (await connection.execute(query.encode(), values)).fetchall()

    @asynccontextmanager
    async def runner(
        self, consumed: ConsumerDefinition, **settings: int
    ) -> AsyncGenerator[RequestRunner]:
        """Give what a member of the consumer runs for operators."""
        async with self.toys.pool(size=3) as pool:
            yield RequestRunner(consumed, pool, prompt_settings(**settings), self.budget)

    @asynccontextmanager
    async def running(self, consumed: ConsumerDefinition, **settings: int) -> AsyncGenerator[None]:
        """Let a member work on requests until the block ends."""
        async with self.runner(consumed, **settings) as runner:
            running = asyncio.create_task(runner.run())
            try:
                yield
            finally:
                running.cancel()
                await asyncio.wait({running})


async def ask_for_one(
    toys: Toys, owner: str, topic: str, verb: str, key: str, *, head: int | None = None
) -> UUID:
    """Write a request for one key, whatever else is asked for it; `head` is what a skip means."""
    request_id = new_id()
    async with toys.pool(toys.database.url_for(OPERATOR), size=1) as pool, transaction(pool) as tx:
        await operator_requests.insert(
            tx,
            request_id=request_id,
            owner=owner,
            verb=verb,
            topic=topic,
            key=key,
            requested_by="a tester",
            reason="the test says so",
        )
        if head is not None:
            await tx.execute(
                "INSERT INTO messaging.operator_request_items"
                " (request_id, position, owner, topic, key, head, of_many)"
                " VALUES (%(id)s, 1, %(owner)s, %(topic)s, %(key)s, %(head)s, false)",
                id=request_id,
                owner=owner,
                topic=topic,
                key=key,
                head=head,
            )
    return request_id


async def work_off(runner: RequestRunner) -> None:
    """Look again and again, as a member does, also after what ends a step."""
    has_more = True
    while has_more:
        # A database that went away is asked again.
        with suppress(psycopg.OperationalError):
            has_more = await runner.look()
