"""A toy context for the consumer's tests: one table, three contracts, records to send."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Final, LiteralString
from uuid import UUID

import msgspec
import psycopg
from aiokafka import AIOKafkaProducer
from msgspec import Struct
from msgspec.structs import replace

from libs.foundation.database.connections import Pool, open_pool
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.database.transaction import Transaction
from libs.foundation.errors import AppError, ErrorKind
from libs.foundation.ids import new_id
from libs.foundation.messaging.consumer.consumer import Consumer
from libs.foundation.messaging.consumer.settings import ConsumerSettings
from libs.foundation.messaging.definitions import ConsumerDefinition, Route
from libs.foundation.messaging.partitions import partition_of
from libs.foundation.settings import KafkaSettings
from libs.testkit.databases import Database

ROLE: Final = "orderly_worker_orders"
SCHEMA: Final = f"""
    CREATE SCHEMA toys;
    CREATE TABLE toys.effects (
        position bigint GENERATED ALWAYS AS IDENTITY, key text NOT NULL, n integer NOT NULL,
        at timestamptz NOT NULL DEFAULT clock_timestamp());
    CREATE TABLE toys.counters (key text PRIMARY KEY, total bigint NOT NULL CHECK (total < 1000));
    GRANT USAGE ON SCHEMA toys TO {ROLE};
    GRANT SELECT, INSERT ON toys.effects TO {ROLE};
    GRANT SELECT, INSERT, UPDATE ON toys.counters TO {ROLE};"""


class ToyTopic(Struct, frozen=True):
    name: str
    partitions: int = 4
    accepts_unknown_types: bool = True


class Noted(Struct, frozen=True):
    type: ClassVar[str] = "toys.noted.v1"
    key: str
    n: int


class Added(Struct, frozen=True):
    type: ClassVar[str] = "toys.added.v1"
    key: str
    n: int


class Ignored(Struct, frozen=True):
    type: ClassVar[str] = "toys.ignored.v1"
    key: str


DECODERS: Final = {each.type: msgspec.json.Decoder(each) for each in (Noted, Added, Ignored)}


async def note(tx: Transaction, messages: Sequence[Noted]) -> None:
    await tx.execute(
        "INSERT INTO toys.effects (key, n)"
        " SELECT key, n FROM unnest(%(keys)s::text[], %(ns)s::int[])"
        " WITH ORDINALITY AS new (key, n, i) ORDER BY i",
        keys=[message.key for message in messages],
        ns=[message.n for message in messages],
    )


async def add(tx: Transaction, messages: Sequence[Added]) -> None:
    """Set-based on purpose: two messages of one key in one call would lose one of them."""
    params = {"keys": [m.key for m in messages], "ns": [m.n for m in messages]}
    await tx.execute(
        "INSERT INTO toys.counters SELECT unnest(%(keys)s::text[]), 0 ON CONFLICT DO NOTHING",
        **params,
    )
    await tx.execute(
        "UPDATE toys.counters AS counter SET total = total + new.n"
        " FROM unnest(%(keys)s::text[], %(ns)s::int[]) AS new (key, n)"
        " WHERE counter.key = new.key",
        **params,
    )


Handler = Callable[[Transaction, Sequence[Any]], Awaitable[None]]


def definition(name: str, topics: Sequence[ToyTopic], noting: Handler = note) -> ConsumerDefinition:
    return ConsumerDefinition(name, topics, DECODERS, [Route(Noted, noting), Route(Added, add)])


def prompt_settings(**changes: int) -> ConsumerSettings:
    """Limits small enough for a test that waits for them."""
    prompt = ConsumerSettings(
        retry_first_ms=20,
        retry_cap_ms=200,
        offset_commit_interval_ms=50,
        request_poll_interval_ms=50,
        stall_limit_ms=1_000,
    )
    return replace(prompt, **changes)


class Outgoing(Struct, frozen=True, kw_only=True):
    key: str
    body: bytes
    headers: tuple[tuple[str, bytes], ...]


def message(
    content: Noted | Added | Ignored,
    *,
    event_id: UUID | None = None,
    type_: str | None = None,
    body: bytes | None = None,
) -> Outgoing:
    return Outgoing(
        key=content.key,
        body=msgspec.json.encode(content) if body is None else body,
        headers=(
            ("ce_specversion", b"1.0"),
            ("ce_id", str(event_id or new_id()).encode()),
            ("ce_type", (type_ or content.type).encode()),
            ("ce_subject", content.key.encode()),
        ),
    )


async def send(bootstrap: str, topic: ToyTopic, messages: Sequence[Outgoing]) -> None:
    """Send in order, each to its key's partition."""
    producer: Any = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    async with producer:
        sent = [
            await producer.send(
                topic.name,
                one.body,
                key=one.key.encode(),
                partition=partition_of(one.key, topic.partitions),
                headers=list(one.headers),
            )
            for one in messages
        ]
        await asyncio.gather(*sent)


class Refused(AppError):
    kind = ErrorKind.CONFLICT
    code = "toy-refused"


class ToyHandler:
    """Refuses what the test names; what it does not name is noted."""

    def __init__(self) -> None:
        self.refused: dict[tuple[str, int], Exception] = {}
        self.calls: list[list[int]] = []

    async def __call__(self, tx: Transaction, messages: Sequence[Noted]) -> None:
        self.calls.append([one.n for one in messages])
        await note(tx, messages)
        for one in messages:
            if (one.key, one.n) in self.refused:
                raise self.refused[one.key, one.n]


class Toys:
    """The toy tables as a test sees them, and consumers that work on them."""

    def __init__(self, database: Database, bootstrap: str) -> None:
        self.database = database
        self.bootstrap = bootstrap
        with psycopg.connect(database.url, autocommit=True) as connection:
            connection.execute(SCHEMA)

    async def rows(self, query: LiteralString) -> list[tuple[Any, ...]]:
        connection = await psycopg.AsyncConnection.connect(self.database.url, autocommit=True)
        async with connection:
            return await (await connection.execute(query)).fetchall()

    async def effects(self) -> list[tuple[str, int]]:
        return await self.rows("SELECT key, n FROM toys.effects ORDER BY position")

    async def effects_of(self, key: str) -> list[int]:
        return [n for found, n in await self.effects() if found == key]

    async def count(self) -> int:
        return (await self.rows("SELECT count(*) FROM toys.effects"))[0][0]

    async def parked(self) -> list[tuple[str, str]]:
        return await self.rows(
            "SELECT key, error_code FROM messaging.parked_messages WHERE resolution IS NULL"
            " ORDER BY id"
        )

    @asynccontextmanager
    async def pool(self, url: str | None = None, size: int = 4) -> AsyncGenerator[Pool]:
        settings = DatabaseSettings(url=url or self.database.url_for(ROLE), pool_size_max=size)
        async with open_pool(settings, "toys") as pool:
            yield pool

    @asynccontextmanager
    async def consuming(
        self,
        consumed: ConsumerDefinition,
        settings: ConsumerSettings | None = None,
        url: str | None = None,
    ) -> AsyncGenerator[Consumer]:
        """Run one member until the block ends, then let it drain."""
        async with self.pool(url) as pool:
            kafka = KafkaSettings(bootstrap_servers=self.bootstrap)
            consumer = Consumer(consumed, kafka, pool, settings or prompt_settings())
            stopping = asyncio.Event()
            running = asyncio.create_task(consumer.run(stopping))
            try:
                yield consumer
            finally:
                stopping.set()
                await running
