"""Large messages, and a side that does not move: relay and consumer stay small, and go on."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import psycopg
import pytest

from deploy.local.ports import free_port
from libs.contracts.topics import TOPICS
from libs.foundation.messaging import topics
from libs.foundation.settings import KafkaSettings
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from libs.testkit.faults import ServiceProcess, running
from libs.testkit.memory import peak_mib
from libs.testkit.records import read_all
from libs.testkit.topics import TopicMaker
from tests.integration.messaging.consumer_toys import (
    ROLE,
    Noted,
    Outgoing,
    Toys,
    ToyTopic,
    message,
    send,
)
from tests.integration.messaging.relay_harness import RELAY
from tests.integration.messaging.test_relay_takeover import ALL_PUBLISHED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CAP_MIB: Final = 256
_BODY_BYTES: Final = 100_000
_MESSAGES: Final = 3_000
_BACKLOG: Final = """
    INSERT INTO messaging.outbox (id, aggregatetype, aggregateid, type, topic, partition, source,
        sequence, occurred_at, payload)
    SELECT gen_random_uuid(), 'toy', 'toy-' || g %% 100, 'toys.changed.v1', %(topic)s, g %% 4,
        '/orderly/toys', g, now(), convert_to(rpad(g::text, %(bytes)s, 'x'), 'UTF8')
    FROM generate_series(1, %(rows)s) AS g"""


@asynccontextmanager
async def relay(database: Database, bootstrap: str) -> AsyncGenerator[ServiceProcess]:
    """Run a relay as it is deployed."""
    side_port = free_port()
    environment = {
        "RELAY_PROCESS_SIDE_PORT": str(side_port),
        "RELAY_DATABASE_URL": database.url_for(RELAY),
        "RELAY_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
    }
    async with running(
        "services.outbox_relay", environment=environment, side_port=side_port
    ) as process:
        yield process


def all_published(database: Database) -> bool:
    with psycopg.connect(database.url) as connection:
        return connection.execute(ALL_PUBLISHED).fetchone() == (True,)


async def test_a_relay_passes_a_backlog_that_is_larger_than_its_memory(
    database: Database, kafka_bootstrap: str, make_topics: TopicMaker
) -> None:
    (topic,) = await make_topics(["toys.events"], partitions=4)
    async with topics.open_admin(KafkaSettings(bootstrap_servers=kafka_bootstrap)) as admin:
        await topics.apply(admin, TOPICS)
    with psycopg.connect(database.url) as owner:
        owner.execute(_BACKLOG, {"topic": topic, "bytes": _BODY_BYTES, "rows": _MESSAGES})

    async with relay(database, kafka_bootstrap) as process:
        await eventually(lambda: all_published(database), within_s=90.0)
        peak = peak_mib(process.pid)

    records = await read_all(kafka_bootstrap, [topic])
    print(f"{_MESSAGES * _BODY_BYTES >> 20} MiB published, peak {peak:.0f} MiB")  # noqa: T201
    assert peak < CAP_MIB
    bodies = [int((record.value or b"").partition(b"x")[0]) for record in records]
    assert sorted(bodies) == list(range(1, _MESSAGES + 1))


def large(number: int) -> Outgoing:
    """Build a message whose body is padded with a field that its contract does not know."""
    padding = "x" * _BODY_BYTES
    body = f'{{"key": "k{number % 100}", "n": {number}, "padding": "{padding}"}}'.encode()
    return message(Noted(f"k{number % 100}", number), body=body)


async def test_a_consumer_that_cannot_move_holds_little_and_takes_each_message_once(
    toys: Toys, topic: ToyTopic
) -> None:
    for start in range(0, _MESSAGES, 500):
        await send(toys.bootstrap, topic, [large(number) for number in range(start, start + 500)])
    arguments = (toys.bootstrap, toys.database.url_for(ROLE), topic.name)
    member = "tests.integration.messaging.toy_member"
    with psycopg.connect(toys.database.url) as lock:
        lock.execute("LOCK TABLE toys.effects IN ACCESS EXCLUSIVE MODE")
        async with running(member, *arguments, environment={}, side_port=0, ready=False) as child:
            # Its waves wait for the lock and fail, again and again.
            await eventually(lambda: child.output().count("wave_failed") >= 8, within_s=60.0)
            stuck = peak_mib(child.pid)
            lock.rollback()
            await eventually(toys.count, lambda count: count == _MESSAGES, within_s=90.0)
            peak = peak_mib(child.pid)

    print(f"peak {stuck:.0f} MiB while stuck, {peak:.0f} MiB in all")  # noqa: T201
    assert peak < CAP_MIB
    effects = await toys.effects()
    assert sorted(n for _, n in effects) == list(range(_MESSAGES))
    assert all(
        found == sorted(found)
        for key in range(100)
        if (found := [n for each, n in effects if each == f"k{key}"])
    )
