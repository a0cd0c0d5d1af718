"""`orderly reconcile`: what only the topics or only the outbox hold."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from aiokafka import AIOKafkaProducer

from libs.foundation.ids import new_id
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from libs.testkit.topics import TopicMaker
from tests.integration.messaging.consumer_toys import ToyTopic
from tests.integration.messaging.replay_toys import publishing, rows, write
from tests.integration.operator.asking import NUMBERED, as_json, asked

AGED = """
    SELECT messaging.make_time_partitions('outbox', now() - interval '1 hour', '1 hour', 0);
    UPDATE messaging.outbox SET written_at = now() - interval '10 minutes'"""
PASSED = """
    INSERT INTO messaging.outbox_cursor
        (epoch, n, prev, last_seq, system_identifier, database_oid, timeline)
    SELECT epoch, n + 1, pg_current_snapshot(), 0, system_identifier, database_oid, timeline
    FROM messaging.outbox_cursor ORDER BY epoch DESC, n DESC LIMIT 1"""
UNPUBLISHED = """
    SELECT count(*) FROM messaging.outbox AS o CROSS JOIN (
        SELECT prev FROM messaging.outbox_cursor ORDER BY epoch DESC, n DESC LIMIT 1) AS known
    WHERE NOT pg_visible_in_snapshot(o.tid, known.prev)"""


def change(database: Database, *statements: str) -> None:
    with psycopg.connect(database.url, autocommit=True) as owner:
        for statement in statements:
            owner.execute(statement.encode())


async def published(database: Database, bootstrap: str, topic: str) -> list[UUID]:
    """Publish rows that are ten minutes old, by a real relay; return their ids."""
    await write(database, topic, NUMBERED)
    change(database, AGED)
    async with publishing(database, bootstrap, ToyTopic(topic)):
        await eventually(lambda: rows(database, UNPUBLISHED), lambda found: found == [(0,)])
    return [event_id for (event_id,) in await rows(database, "SELECT id FROM messaging.outbox")]


async def send(bootstrap: str, topic: str, ids: Sequence[UUID]) -> None:
    """Send records by hand, stamped ten minutes ago."""
    at = datetime.now(UTC) - timedelta(minutes=10)
    producer: Any = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        for event_id in ids:
            headers = [("ce_id", str(event_id).encode()), ("ce_type", b"toys.noted.v1")]
            await producer.send_and_wait(
                topic,
                b"{}",
                partition=0,
                headers=headers,
                timestamp_ms=int(at.timestamp() * 1_000),
            )
    finally:
        await producer.stop()


async def test_what_the_relay_has_published_is_equal_on_both_sides(
    database: Database, kafka_bootstrap: str, make_topics: TopicMaker
) -> None:
    (topic,) = await make_topics(["toys.events"], partitions=4)
    ids = await published(database, kafka_bootstrap, topic)
    (again,) = await make_topics(["toys.more"], partitions=1)
    await send(kafka_bootstrap, again, [*ids[:10], *ids[:10]])

    code, found = await as_json(
        database,
        *("reconcile", "--since", "20m", "--topic", topic, "--topic", again),
        kafka=kafka_bootstrap,
    )

    assert (code, found["differences"], found["stopped"]) == (0, [], None)
    assert [(each["rows"], each["records"]) for each in found["topics"]] == [(100, 0), (0, 20)]


async def test_what_only_one_side_holds_is_listed(
    database: Database, kafka_bootstrap: str, make_topics: TopicMaker
) -> None:
    (topic,) = await make_topics(["toys.events"], partitions=4)
    restored_away = new_id()
    await send(kafka_bootstrap, topic, [restored_away])
    known = set(await published(database, kafka_bootstrap, topic))
    await write(database, topic, [("lost", 1)])
    change(database, AGED, PASSED)
    await write(database, topic, [("under way", 1)])
    wanted = ("reconcile", "--since", "20m", "--topic", topic)

    code, found = await as_json(database, *wanted, kafka=kafka_bootstrap)
    text_code, text = await asked(database, *wanted, kafka=kafka_bootstrap)
    late = await asked(database, *wanted, "--timeout-s", "0.001", kafka=kafka_bootstrap)

    ((lost,),) = await rows(database, "SELECT id FROM messaging.outbox WHERE aggregateid = 'lost'")
    assert (code, text_code) == (4, 4)
    assert lost not in known
    assert [(each["side"], each["id"], each["offset"]) for each in found["differences"]] == [
        ("only in Kafka", str(restored_away), 0),
        ("only in the outbox", str(lost), None),
    ]
    (counts,) = found["topics"]
    assert (counts["only_in_kafka"], counts["only_in_outbox"], counts["rows"]) == (1, 1, 101)
    assert str(restored_away) in text
    assert str(lost) in text
    assert late[0] == 3
    assert "the time of 0.001 s was over. Remedy: go on with --since" in late[1]


async def test_rows_that_are_not_kept_are_refused_and_brokers_that_are_away_are_told(
    database: Database,
) -> None:
    refused = await asked(database, "reconcile", "--since", "3d")
    change(database, AGED)
    away = await asked(database, "reconcile", "--since", "10m")

    assert refused[0] == 1
    assert "the outbox keeps rows since" in refused[1]
    assert away[0] == 69
    assert "KafkaConnectionError" in away[1]
