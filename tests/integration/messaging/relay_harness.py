"""A toy aggregate that writes to the outbox, and a publisher that remembers instead of sending."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import ClassVar, Final, LiteralString

import msgspec
import psycopg
from msgspec import Struct
from msgspec.structs import replace

from libs.foundation.database.connections import Connection, open_connection
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.database.transaction import Locked, Transaction, transaction
from libs.foundation.messaging import outbox
from libs.foundation.messaging.quarantine.failures import refused
from libs.foundation.messaging.relay.publisher import Check, HeldBack, Publisher, lanes_of
from libs.foundation.messaging.relay.relay import OutboxRelay
from libs.foundation.messaging.relay.session import Reached, nothing
from libs.foundation.messaging.relay.settings import RelaySettings
from libs.foundation.messaging.sql.outbox_windows import OutboxRow
from libs.foundation.settings import KafkaSettings, ProcessSettings
from libs.testkit.databases import Database

WRITER: Final = "orderly_worker_orders"
RELAY: Final = "orderly_outbox_relay"
SCHEMA: Final = f"""
    CREATE SCHEMA toys;
    CREATE TABLE toys.aggregates (id text PRIMARY KEY, version bigint NOT NULL DEFAULT 0);
    CREATE TABLE toys.scratch (value integer);
    GRANT USAGE ON SCHEMA toys TO {WRITER};
    GRANT SELECT, INSERT, UPDATE ON toys.aggregates, toys.scratch TO {WRITER};"""
DEADLINE_S: Final = 30.0
REFUSED: Final = refused("toy-refused", "refused by the test")


class ToyTopic(Struct, frozen=True):
    name: str
    partitions: int = 4


class Toy(Struct, frozen=True):
    aggregate_id: str
    version: int


class Changed(Struct, frozen=True):
    """The one message of the toy aggregate; `padding` makes it as large as a test wants."""

    type: ClassVar[str] = "toys.changed.v1"
    source: ClassVar[str] = "/orderly/toys"
    aggregate_type: ClassVar[str] = "toy"
    key: str
    version: int
    topic_name: str = "toys.events"
    padding: str = ""

    @property
    def sent_to(self) -> ToyTopic:
        return ToyTopic(self.topic_name)

    @property
    def subject(self) -> str:
        return self.key


_LOCK: Final = """
    UPDATE toys.aggregates SET version = version + 1 WHERE id = %(key)s::text
    RETURNING id AS aggregate_id, version"""
_MAKE: Final = """
    INSERT INTO toys.aggregates (id) SELECT unnest(%(keys)s::text[]) ON CONFLICT DO NOTHING"""


async def change(
    tx: Transaction, key: str, *, topic: str = "toys.events", padding: str = ""
) -> int:
    """Raise an aggregate's version and announce it, as a use case does; return the version."""
    locked = Locked(await tx.fetch(Toy, _LOCK, key=key))
    version = locked[0].version
    message = Changed(key=key, version=version, topic_name=topic, padding=padding)
    await outbox.append(tx, locked, [outbox.Outgoing(message=message, sequence=version)])
    return version


async def make_aggregates(connection: Connection, keys: Sequence[str]) -> None:
    """Make the aggregates that `change` locks; needs the toy schema."""
    await connection.execute(_MAKE, {"keys": list(keys)})


async def write(database: Database, *keys: str, topic: str = "toys.events") -> None:
    """Change each of `keys` in a transaction of its own, in their order."""
    async with writing(database) as connection:
        await make_aggregates(connection, keys)
        for key in keys:
            async with transaction(connection) as tx:
                await change(tx, key, topic=topic)


@asynccontextmanager
async def writing(database: Database) -> AsyncGenerator[Connection]:
    """Open a connection as the role that writes to the toy schema, made by the first caller."""
    with psycopg.connect(database.url) as owner:
        if owner.execute("SELECT to_regnamespace('toys')").fetchone() == (None,):
            owner.execute(SCHEMA)
    async with open_connection(settings_of(database.url_for(WRITER)), "toy writer") as connection:
        yield connection


def settings_of(url: str) -> DatabaseSettings:
    return DatabaseSettings(url=url, statement_timeout_ms=20_000, transaction_timeout_ms=30_000)


def relay_settings(
    database: Database, bootstrap: str = "127.0.0.1:9", **changes: object
) -> RelaySettings:
    """Return the product's settings, with the relay's own role."""
    settings = RelaySettings(
        process=ProcessSettings(side_port=0),
        database=DatabaseSettings(url=database.url_for(RELAY)),
        kafka=KafkaSettings(bootstrap_servers=bootstrap),
    )
    return replace(settings, **changes)


class Recorder(Publisher):
    """Remembers what was published, over any number of relays, as a broker would.

    It refuses what `refuses` says of a row, in lanes like the real one.
    """

    def __init__(self, refuses: Callable[[OutboxRow], bool] | None = None) -> None:
        self.rows: list[OutboxRow] = []
        self.refuses = refuses or accept
        self._changed = asyncio.Condition()

    async def prepare(self) -> None: ...

    async def publish(self, rows: Sequence[OutboxRow], may_send: Check) -> list[HeldBack]:
        lanes = lanes_of(rows)
        for lane in lanes:
            while lane.rows:
                may_send()
                batch = lane.rows[: lane.rows_max]
                if any(self.refuses(row) for row in batch):
                    lane.refused(len(batch), REFUSED)
                else:
                    self.rows += batch
                    lane.acknowledged(len(batch))
        async with self._changed:
            self._changed.notify_all()
        return [each for lane in lanes for each in lane.held_back]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds; it is looked at whenever something was published."""
        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(condition)

    def changes(self) -> list[tuple[str, int]]:
        """Return the key and version of everything published, in order."""
        return [
            (row.key.decode(), msgspec.json.decode(row.payload)["version"]) for row in self.rows
        ]

    def firsts(self) -> list[tuple[str, int]]:
        """Return each change once, where it was published first."""
        return list(dict.fromkeys(self.changes()))


@asynccontextmanager
async def relaying(
    settings: RelaySettings, publisher: Publisher, reached: Reached = nothing
) -> AsyncGenerator[OutboxRelay]:
    """Run a relay within the block; what it raises, the block raises."""
    stopping = asyncio.Event()
    relay = OutboxRelay(settings, publisher, reached=reached)
    async with asyncio.TaskGroup() as group:
        group.create_task(relay.run(stopping))
        yield relay
        stopping.set()


async def eventually(database: Database, query: LiteralString, expected: object) -> None:
    """Wait until the first column of the first row that `query` finds is `expected`."""
    async with (
        open_connection(settings_of(database.url), "toy watcher") as connection,
        asyncio.timeout(DEADLINE_S),
    ):
        while True:
            row = await (await connection.execute(query)).fetchone()
            if row is not None and row[0] == expected:
                return
            await connection.execute("SELECT pg_sleep(0.02)")


def accept(_row: OutboxRow) -> bool:
    """Refuse no row."""
    return False


async def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds, looking every 20 ms."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await moment()


async def moment() -> None:
    """Let 20 ms pass before a condition is looked at again."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.02):
            await asyncio.Event().wait()
