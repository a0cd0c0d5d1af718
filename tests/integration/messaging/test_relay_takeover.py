"""Two relay processes on one database: one is frozen, killed or drained, and order holds."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import msgspec
import psycopg
import pytest

from deploy.local.ports import free_port
from libs.contracts.topics import TOPICS
from libs.foundation.database.transaction import transaction
from libs.foundation.messaging import topics
from libs.foundation.settings import KafkaSettings
from libs.testkit.databases import Database
from libs.testkit.faults import ServiceProcess, running
from libs.testkit.records import read_all
from libs.testkit.topics import TopicMaker
from tests.integration.messaging.relay_harness import (
    RELAY,
    change,
    eventually,
    make_aggregates,
    until,
    writing,
)

KEYS = [f"toy-{number}" for number in range(20)]
ALL_PUBLISHED = """
    SELECT NOT EXISTS (
        SELECT FROM messaging.outbox AS o, (
            SELECT * FROM messaging.outbox_cursor ORDER BY epoch DESC, n DESC LIMIT 1) AS c
        WHERE NOT pg_visible_in_snapshot(o.tid, c.prev))"""


@asynccontextmanager
async def relay_process(database: Database, bootstrap: str) -> AsyncGenerator[ServiceProcess]:
    side_port = free_port()
    environment: Mapping[str, str] = {
        "RELAY_PROCESS_SIDE_PORT": str(side_port),
        "RELAY_DATABASE_URL": database.url_for(RELAY),
        "RELAY_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "RELAY_WINDOW_ROWS_MAX": "20",
        "RELAY_BACKLOG_ROWS_MAX": "100",
    }
    async with running(
        "services.outbox_relay", environment=environment, side_port=side_port
    ) as process:
        yield process


@asynccontextmanager
async def two_relays(
    database: Database, bootstrap: str
) -> AsyncGenerator[tuple[ServiceProcess, ServiceProcess]]:
    """Start two relays, and yield the one that publishes first."""
    async with topics.open_admin(KafkaSettings(bootstrap_servers=bootstrap)) as admin:
        await topics.apply(admin, TOPICS)
    async with (
        relay_process(database, bootstrap) as first,
        relay_process(database, bootstrap) as second,
    ):
        yield (first, second) if holder(database) == first.pid else (second, first)


def holder(database: Database) -> int:
    """Return the pid of the process that took the lease last."""
    with psycopg.connect(database.url) as connection:
        row = connection.execute("SELECT holder FROM messaging.relay_leases").fetchone()
    assert row is not None
    return int(row[0].split(":")[1])


async def until_said(process: ServiceProcess, words: str) -> None:
    """Wait until a process has logged `words`."""
    await until(lambda: words in process.output())


class Writer:
    """Changes toys, one after the other, until it is told to stop."""

    def __init__(self, database: Database, topic: str) -> None:
        self._database = database
        self._topic = topic
        self._stopping = asyncio.Event()
        self.versions: dict[str, int] = {}

    @asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None]:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write())
            yield
            self._stopping.set()

    async def more(self, number: int) -> None:
        """Wait until so many more changes are committed."""
        wanted = sum(self.versions.values()) + number
        await until(lambda: sum(self.versions.values()) >= wanted)

    async def _write(self) -> None:
        async with writing(self._database) as connection:
            await make_aggregates(connection, KEYS)
            while not self._stopping.is_set():
                for key in KEYS:
                    async with transaction(connection) as tx:
                        version = await change(tx, key, topic=self._topic)
                    self.versions[key] = version


async def first_versions(bootstrap: str, topic: str) -> tuple[dict[str, list[int]], int]:
    """Return the versions of each key where each came first, and the number of repeats."""
    found: dict[str, list[int]] = defaultdict(list)
    repeats = 0
    for record in await read_all(bootstrap, [topic]):
        body = msgspec.json.decode(record.value or b"")
        if body["version"] in found[body["key"]]:
            repeats += 1
        else:
            found[body["key"]].append(body["version"])
    return dict(found), repeats


def expected(writer: Writer) -> dict[str, list[int]]:
    return {key: list(range(1, last + 1)) for key, last in writer.versions.items()}


@pytest.mark.slow
async def test_a_frozen_relay_is_replaced_and_steps_down_when_it_wakes(
    database: Database, kafka_bootstrap: str, make_topics: TopicMaker
) -> None:
    (topic,) = await make_topics(["toys.events"], partitions=4)
    writer = Writer(database, topic)

    async with two_relays(database, kafka_bootstrap) as (active, standby), writer.at_work():
        await writer.more(200)
        active.pause()
        await until_said(standby, "lease_taken")
        await writer.more(200)
        active.resume()
        await until_said(active, "lease_given_up")
        await writer.more(200)
        still_leading = holder(database)
    async with relay_process(database, kafka_bootstrap):
        await eventually(database, ALL_PUBLISHED, expected=True)

    found, repeats = await first_versions(kafka_bootstrap, topic)
    print(f"{sum(writer.versions.values())} events, {repeats} repeated")  # noqa: T201
    assert still_leading == standby.pid
    assert found == expected(writer)


@pytest.mark.slow
async def test_a_drained_relay_repeats_nothing_and_hands_over_at_once(
    database: Database, kafka_bootstrap: str, make_topics: TopicMaker
) -> None:
    (topic,) = await make_topics(["toys.events"], partitions=4)
    writer = Writer(database, topic)

    async with two_relays(database, kafka_bootstrap) as (active, standby):
        async with writer.at_work():
            await writer.more(200)
            status = await active.terminate()
            await until_said(standby, "lease_taken")
            await writer.more(200)
        await eventually(database, ALL_PUBLISHED, expected=True)

    found, repeats = await first_versions(kafka_bootstrap, topic)
    assert status == 0
    assert found == expected(writer)
    assert repeats == 0
