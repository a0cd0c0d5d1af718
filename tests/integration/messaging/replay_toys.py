"""Messages on their way through outbox, relay and Kafka, and requests about them."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal
from uuid import UUID

import msgspec
import psycopg
from msgspec import Struct

from libs.foundation.database.connections import Connection, open_connection
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.database.transaction import Locked, transaction
from libs.foundation.messaging import outbox
from libs.foundation.messaging.asker import Asker
from libs.foundation.messaging.relay.producer import open_publisher
from libs.foundation.messaging.relay.publisher import Publisher
from libs.foundation.messaging.relay.relay import OutboxRelay
from libs.foundation.messaging.relay.row_requests import RowRequests
from libs.foundation.messaging.relay.settings import RelaySettings
from libs.foundation.messaging.replay.asking import ask
from libs.foundation.messaging.replay.selection import ForgetAsked, ReplayAsked, StopAsked
from libs.foundation.settings import KafkaSettings
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from tests.integration.messaging.consumer_toys import ToyTopic
from tests.integration.messaging.relay_harness import WRITER, relay_settings

ROOT = Path(__file__).parents[3]
ASKER = Asker(requested_by="ada", reason="a new consumer")


class NotedOut(Struct, frozen=True, omit_defaults=True):
    """A toy message as its writer has it; consumers decode its body as `Noted`."""

    type: ClassVar[str] = "toys.noted.v1"
    source: ClassVar[str] = "/orderly/toys"
    aggregate_type: ClassVar[str] = "toy"
    key: str
    n: int
    topic_name: str = ""

    @property
    def sent_to(self) -> ToyTopic:
        return ToyTopic(self.topic_name)

    @property
    def subject(self) -> str:
        return self.key


class Held(Struct, frozen=True):
    """Stands for the lock of an aggregate: here nobody else writes."""

    aggregate_id: str


async def write(database: Database, topic: str, messages: Sequence[tuple[str, int]]) -> None:
    """Append messages in their order, a hundred a transaction."""
    settings = DatabaseSettings(url=database.url_for(WRITER))
    async with open_connection(settings, "toy writer") as connection:
        for first in range(0, len(messages), 100):
            part = messages[first : first + 100]
            outgoing = [
                outbox.Outgoing(message=NotedOut(key, n, topic), sequence=n) for key, n in part
            ]
            async with transaction(connection) as tx:
                locked = Locked([Held(key) for key, _ in part])
                await outbox.append(tx, locked, outgoing)


async def rows(database: Database, query: str, *values: object) -> list[tuple[Any, ...]]:
    connection = await psycopg.AsyncConnection.connect(database.url, autocommit=True)
    async with connection:
        return await (await connection.execute(query.encode(), values)).fetchall()


async def copies(database: Database) -> list[tuple[str, int]]:
    """Return key and number of every copy, in order."""
    found = await rows(
        database,
        "SELECT payload FROM messaging.outbox WHERE replay_request IS NOT NULL ORDER BY seq",
    )
    bodies = [msgspec.json.decode(payload) for (payload,) in found]
    return [(body["key"], body["n"]) for body in bodies]


async def asked(
    database: Database,
    verb: Literal["replay", "forget", "stop"],
    wanted: ReplayAsked | ForgetAsked | StopAsked,
) -> UUID:
    async with operating(database) as connection:
        return await ask(connection, verb, wanted, ASKER)


async def outcome(database: Database, request: UUID) -> str:
    """Wait until a request is finished, and return what came of it."""
    query = (
        "SELECT outcome FROM messaging.operator_requests WHERE id = %s AND finished_at IS NOT NULL"
    )
    found = await eventually(lambda: rows(database, query, request))
    return found[0][0]


@asynccontextmanager
async def operating(
    database: Database, role: str = "orderly_operator"
) -> AsyncGenerator[Connection]:
    settings = DatabaseSettings(url=database.url_for(role))
    async with open_connection(settings, "toy operator") as connection:
        yield connection


@asynccontextmanager
async def relaying_with_requests(
    settings: RelaySettings, publisher: Publisher
) -> AsyncGenerator[None]:
    """Run what the relay's process runs, without its upkeep."""
    stopping = asyncio.Event()
    relay = OutboxRelay(settings, publisher)
    requests = RowRequests(settings, lambda: relay.is_leading)
    async with asyncio.TaskGroup() as group:
        group.create_task(relay.run(stopping))
        group.create_task(requests.run(stopping))
        yield
        stopping.set()


def prompt_relay(database: Database, bootstrap: str, **changes: object) -> RelaySettings:
    changes = {"standby_poll_ms": 5, "request_poll_ms": 20, **changes}
    return relay_settings(database, bootstrap, **changes)


@asynccontextmanager
async def publishing(
    database: Database, bootstrap: str, topic: ToyTopic, **changes: object
) -> AsyncGenerator[None]:
    """Relay to Kafka within the block."""
    kafka = KafkaSettings(bootstrap_servers=bootstrap)
    topics = {topic.name: topic.partitions}
    async with (
        open_publisher(kafka, topics, stuck_s=60) as publisher,
        relaying_with_requests(prompt_relay(database, bootstrap, **changes), publisher),
    ):
        yield


async def start_relay_process(
    database: Database, bootstrap: str, topic: ToyTopic, rows_max: int
) -> asyncio.subprocess.Process:
    """Start a relay in a process of its own, for a test that kills it."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.messaging.toy_relay",
        *(database.url, bootstrap, topic.name, str(rows_max)),
        cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
    )
