"""What Kafka refuses waits with its key; operators release or skip it through requests."""

from typing import Final
from uuid import UUID

import msgspec
import psycopg

from libs.foundation.database.connections import open_connection
from libs.foundation.database.transaction import transaction
from libs.foundation.ids import new_id
from libs.foundation.messaging.relay.producer import open_publisher
from libs.foundation.messaging.relay.requests import OWNER
from libs.foundation.messaging.relay.session import Step
from libs.foundation.messaging.sql import operator_requests
from libs.foundation.messaging.sql.outbox_windows import OutboxRow
from libs.testkit.databases import Database
from libs.testkit.records import read_all
from libs.testkit.topics import TopicMaker
from tests.integration.messaging.relay_harness import (
    Recorder,
    accept,
    change,
    eventually,
    make_aggregates,
    relay_settings,
    relaying,
    settings_of,
    write,
    writing,
)

TOPIC: Final = "toys.events"


def is_second_of_bad(row: OutboxRow) -> bool:
    return row.key == b"bad" and row.sequence == 2


async def ask(database: Database, verb: str, key: str | None = "bad", topic: str = TOPIC) -> UUID:
    """Ask the relay as the operators' command does."""
    request_id = new_id()
    operator = settings_of(database.url_for("orderly_operator"))
    async with (
        open_connection(operator, "toy operator") as connection,
        transaction(connection) as tx,
    ):
        await operator_requests.insert(
            tx,
            request_id=request_id,
            owner=OWNER,
            verb=verb,
            topic=topic if key else None,
            key=key,
            requested_by="test",
            reason="test",
        )
    return request_id


async def outcome_of(database: Database, request_id: UUID) -> str:
    """Wait until no request is open, and return the outcome of one."""
    open_requests = "SELECT count(*) FROM messaging.operator_requests WHERE finished_at IS NULL"
    await eventually(database, open_requests, 0)
    with psycopg.connect(database.url) as connection:
        query = "SELECT outcome FROM messaging.operator_requests WHERE id = %s"
        row = connection.execute(query, [request_id]).fetchone()
    assert row is not None
    return row[0]


def parked(database: Database) -> tuple[list[str], list[tuple[str, int, bool, str | None]]]:
    """Return the parked keys, and each parked row: key, version, refused itself, resolution."""
    with psycopg.connect(database.url) as connection:
        keys = connection.execute("SELECT key FROM messaging.outbox_parked_keys ORDER BY key")
        rows = connection.execute(
            "SELECT aggregateid, sequence, error IS NOT NULL, resolution"
            " FROM messaging.outbox_parked_rows ORDER BY seq"
        )
        return [key for (key,) in keys.fetchall()], rows.fetchall()


async def park_bad(database: Database, recorder: Recorder) -> None:
    """Leave key `bad` parked with versions 2 and 3, everything else published."""
    await write(database, "bad", "good", "bad", "good", "bad", "good")
    async with relaying(relay_settings(database, standby_poll_ms=5), recorder):
        await recorder.until(lambda: ("good", 3) in recorder.changes())


async def test_a_refused_row_parks_its_key_and_later_windows_queue_behind_it(
    database: Database,
) -> None:
    recorder = Recorder(refuses=is_second_of_bad)
    settings = relay_settings(database, window_rows_max=2, standby_poll_ms=5)

    await write(database, "bad", "good", "bad", "good", "bad", "good")
    async with relaying(settings, recorder):
        await recorder.until(lambda: ("good", 3) in recorder.changes())
        await write(database, "bad", "good")
        await recorder.until(lambda: ("good", 4) in recorder.changes())

    assert recorder.changes() == [("bad", 1), *[("good", version) for version in range(1, 5)]]
    keys, rows = parked(database)
    assert keys == ["bad"]
    assert rows == [("bad", 2, True, None), ("bad", 3, False, None), ("bad", 4, False, None)]


async def test_a_released_key_is_published_before_newer_rows_of_it(database: Database) -> None:
    recorder = Recorder(refuses=is_second_of_bad)
    await park_bad(database, recorder)
    recorder.refuses = accept
    request = await ask(database, "retry")
    await write(database, "bad")  # Newer than what is parked, and unpublished when it is released.

    async with relaying(relay_settings(database, window_rows_max=1), recorder):
        outcome = await outcome_of(database, request)
        await recorder.until(lambda: ("bad", 4) in recorder.changes())

    of_bad = [version for key, version in recorder.changes() if key == "bad"]
    assert of_bad == [1, 2, 3, 4]
    # A page is one row here: the newer one came between two pages, and waited behind them.
    assert outcome == "finished: 3 published, and the key flows again"
    released = [(version, resolution) for _, version, _, resolution in parked(database)[1]]
    assert parked(database)[0] == []
    assert released == [(2, "released"), (3, "released"), (4, "released")]


async def test_skip_leaves_out_the_refused_row_and_publishes_the_rest(database: Database) -> None:
    recorder = Recorder(refuses=is_second_of_bad)
    await park_bad(database, recorder)
    request = await ask(database, "skip")

    async with relaying(relay_settings(database, window_rows_max=1), recorder):
        outcome = await outcome_of(database, request)
        await write(database, "bad")
        await recorder.until(lambda: ("bad", 4) in recorder.changes())

    assert [version for key, version in recorder.changes() if key == "bad"] == [1, 3, 4]
    assert outcome == (
        "finished: 1 published, and the key flows again; 1 left out for ever, which leaves a gap"
    )
    assert parked(database) == ([], [("bad", 2, True, "skipped"), ("bad", 3, False, "released")])


async def test_what_is_refused_again_stays_parked(database: Database) -> None:
    recorder = Recorder(refuses=is_second_of_bad)
    await park_bad(database, recorder)
    request = await ask(database, "retry")

    async with relaying(relay_settings(database), recorder):
        outcome = await outcome_of(database, request)

    assert outcome == "stopped: 0 published, then refused: refused by the test"
    assert parked(database)[0] == ["bad"]


class Crash(Exception):
    """The relay died."""


async def test_a_crash_after_parking_neither_loses_nor_repeats_what_is_parked(
    database: Database,
) -> None:
    recorder = Recorder(refuses=is_second_of_bad)
    died = False

    def die_once(step: Step) -> None:
        nonlocal died
        if step is Step.PUBLISHED and not died:
            died = True
            raise Crash

    await write(database, "bad", "bad", "bad", "good")
    settings = relay_settings(database, standby_poll_ms=5)
    try:
        async with relaying(settings, recorder, die_once):
            await recorder.until(lambda: False)
    except* Crash:
        pass
    async with relaying(settings, recorder):
        await write(database, "good")
        await recorder.until(lambda: ("good", 2) in recorder.changes())

    assert died
    assert parked(database) == (["bad"], [("bad", 2, True, None), ("bad", 3, False, None)])


async def test_a_handover_lets_the_standby_publish_next(database: Database) -> None:
    first, second = Recorder(), Recorder()
    settings = relay_settings(database, standby_poll_ms=5)

    async with relaying(settings, first):
        await write(database, "toy")
        await first.until(lambda: first.changes() == [("toy", 1)])
        async with relaying(settings, second):
            outcome = await outcome_of(database, await ask(database, "handover", key=None))
            await write(database, "toy")
            await second.until(lambda: second.changes() == [("toy", 2)])

    assert outcome == "handed over"
    assert first.changes() == [("toy", 1)]


async def test_kafka_refuses_a_message_its_topic_finds_too_large(
    database: Database, kafka_bootstrap: str, make_topics: TopicMaker
) -> None:
    (topic,) = await make_topics(["toys.events"], partitions=4)
    settings = relay_settings(database, bootstrap=kafka_bootstrap, standby_poll_ms=5)
    async with writing(database) as connection:
        await make_aggregates(connection, ["bad", "good"])
        for key in ("bad", "bad", "good", "bad"):
            async with transaction(connection) as tx:
                await change(tx, key, topic=topic)
    with psycopg.connect(database.url) as owner:
        # The writer's own limit refuses this; it stands for a topic with a smaller limit.
        owner.execute(
            "UPDATE messaging.outbox SET payload = convert_to(repeat('x', 1200000), 'UTF8')"
            " WHERE aggregateid = 'bad' AND sequence = 2"
        )

    async with (
        open_publisher(settings.kafka, {topic: 4}, stuck_s=60) as publisher,
        relaying(settings, publisher),
    ):
        await eventually(database, "SELECT count(*) FROM messaging.outbox_parked_rows", 2)

    records = await read_all(kafka_bootstrap, [topic])
    arrived = [msgspec.json.decode(each.value or b"") for each in records]
    assert sorted((each["key"], each["version"]) for each in arrived) == [("bad", 1), ("good", 1)]
    assert parked(database) == (["bad"], [("bad", 2, True, None), ("bad", 3, False, None)])
    with psycopg.connect(database.url) as connection:
        query = (
            "SELECT r.fingerprint, r.error_code, r.attempts, a.error_class, a.error_type"
            " FROM messaging.outbox_parked_rows AS r"
            " JOIN messaging.parked_attempts AS a ON a.outbox_seq = r.seq"
        )
        history = connection.execute(query).fetchall()
    place = "libs/foundation/messaging/relay/producer.py:KafkaPublisher._send_lane"
    refused = "MessageSizeTooLargeError"
    assert history == [(f"{refused}@{place}", refused, 1, "refused", refused)]
