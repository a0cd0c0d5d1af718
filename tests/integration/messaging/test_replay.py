"""A replay copies what was published, once, in order, whatever happens on the way."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from libs.foundation.messaging.relay.row_requests import RowRequests
from libs.foundation.messaging.replay.selection import ReplayAsked, StopAsked
from libs.foundation.messaging.sql import row_requests
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from tests.integration.messaging.consumer_toys import ToyTopic
from tests.integration.messaging.relay_harness import RELAY, Recorder
from tests.integration.messaging.replay_toys import (
    asked,
    copies,
    operating,
    outcome,
    prompt_relay,
    relaying_with_requests,
    rows,
    start_relay_process,
    write,
)

TOPIC = "toys.events"
ALL_PUBLISHED = """
    SELECT bool_and(pg_visible_in_snapshot(o.tid, c.prev))
    FROM messaging.outbox AS o, (
        SELECT prev FROM messaging.outbox_cursor ORDER BY epoch DESC, n DESC LIMIT 1) AS c"""
ALL = ReplayAsked(rate_per_s=100_000)
NUMBERED = [(f"k{n % 7}", n) for n in range(1, 301)]


async def published(database: Database, recorder: Recorder, *topics: str) -> None:
    """Write the numbered messages to each topic, and publish them."""
    for topic in topics or (TOPIC,):
        await write(database, topic, NUMBERED)
    wanted = len(recorder.rows) + len(NUMBERED) * max(1, len(topics))
    async with relaying_with_requests(prompt_relay(database, "127.0.0.1:9"), recorder):
        await recorder.until(lambda: len(recorder.rows) >= wanted)


async def test_copies_keep_their_ids_and_the_order_of_their_keys(database: Database) -> None:
    recorder = Recorder()
    await published(database, recorder)
    originals = [(row.key, row.id) for row in recorder.rows]

    request = await asked(database, "replay", ALL)
    settings = prompt_relay(database, "127.0.0.1:9", replay_rows_max=37)
    async with relaying_with_requests(settings, recorder):
        assert await outcome(database, request) == "finished: 300 copies were published"

    replayed = recorder.rows[len(originals) :]
    assert sorted(originals) == sorted((row.key, row.id) for row in replayed)
    assert {row.replay_request for row in replayed} == {str(request).encode()}
    assert await copies(database) == NUMBERED


async def test_topic_key_type_and_time_choose_what_is_copied(database: Database) -> None:
    recorder = Recorder()
    await published(database, recorder, TOPIC, "toys.others")
    middle = (await rows(database, "SELECT clock_timestamp()"))[0][0]
    await published(database, recorder)
    settings = prompt_relay(database, "127.0.0.1:9")
    wishes = [
        ReplayAsked(rate_per_s=9_999, topics=("toys.others",), keys=("k1", "k2")),
        ReplayAsked(rate_per_s=9_999, types=("toys.unknown.v1",)),
        ReplayAsked(rate_per_s=9_999, since=middle, keys=("k3",)),
        ReplayAsked(rate_per_s=9_999, until=middle, topics=(TOPIC,), keys=("k3",)),
    ]

    requests = [await asked(database, "replay", wish) for wish in wishes]
    async with relaying_with_requests(settings, recorder):
        outcomes = [await outcome(database, request) for request in requests]

    numbers = [len([1 for key, _ in NUMBERED if key in {"k1", "k2"}]), 0, 43, 43]
    assert outcomes == [f"finished: {number} copies were published" for number in numbers]


async def test_copies_and_what_is_not_published_are_left_out(database: Database) -> None:
    recorder = Recorder(refuses=lambda row: row.key == b"k1")
    await write(database, TOPIC, [("k1", 1), ("k1", 2), ("k2", 3)])
    settings = prompt_relay(database, "127.0.0.1:9")

    async with relaying_with_requests(settings, recorder):
        await recorder.until(lambda: len(recorder.rows) == 1)
        first = await outcome(database, await asked(database, "replay", ALL))
        second = await outcome(database, await asked(database, "replay", ALL))

    assert first == second == "finished: 1 copies were published"
    assert await copies(database) == [("k2", 3), ("k2", 3)]


async def test_rows_that_are_not_kept_any_more_are_refused_with_the_reason(
    database: Database,
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=3)
    wish = ReplayAsked(rate_per_s=1, since=long_ago)

    request = await asked(database, "replay", wish)
    async with relaying_with_requests(prompt_relay(database, "127.0.0.1:9"), Recorder()):
        found = await outcome(database, request)

    assert found.startswith("refused: rows since")
    assert "the outbox keeps rows since" in found


async def test_nothing_more_is_appended_before_the_last_copies_are_published(
    database: Database,
) -> None:
    await published(database, Recorder())
    await asked(database, "replay", ALL)
    runner = RowRequests(
        prompt_relay(database, "127.0.0.1:9", replay_rows_max=10), is_leading=lambda: True
    )

    async with operating(database, RELAY) as connection:
        for _ in range(5):
            await runner.step(connection)

    assert len(await copies(database)) == 10


async def test_the_rate_is_kept_over_restarts(database: Database) -> None:
    recorder = Recorder()
    await published(database, recorder)
    await asked(database, "replay", ReplayAsked(rate_per_s=1))
    settings = prompt_relay(database, "127.0.0.1:9", replay_rows_max=100)

    async with relaying_with_requests(settings, recorder):
        await recorder.until(lambda: len(recorder.rows) == len(NUMBERED) + 100)
    async with operating(database, RELAY) as connection:
        request = await row_requests.oldest(connection, "outbox-relay")
        assert request is not None
        step = await row_requests.step(connection, request.id, 100, 20_000)

    assert step.state == "resting"
    assert 50 < step.wait_s <= 100


async def test_a_pause_that_outlasts_its_meaning_is_ended(database: Database) -> None:
    """The database's clock was set back: the next step would be due in hours."""
    recorder = Recorder()
    await published(database, recorder)
    request = await asked(database, "replay", ReplayAsked(rate_per_s=1_000))
    settings = prompt_relay(database, "127.0.0.1:9", replay_rows_max=10)
    async with relaying_with_requests(settings, recorder):
        await recorder.until(lambda: len(recorder.rows) >= len(NUMBERED) + 10)
    with psycopg.connect(database.url) as owner:
        owner.execute(
            "UPDATE messaging.operator_requests SET row_position = row_position"
            " || jsonb_build_object('due_at', now() + interval '2 hours')"
        )

    async with relaying_with_requests(settings, recorder):
        assert await outcome(database, request) == "finished: 300 copies were published"


async def test_a_replay_can_be_stopped(database: Database) -> None:
    recorder = Recorder()
    await published(database, recorder)
    request = await asked(database, "replay", ReplayAsked(rate_per_s=1))
    settings = prompt_relay(database, "127.0.0.1:9", replay_rows_max=100)

    async with relaying_with_requests(settings, recorder):
        await recorder.until(lambda: len(recorder.rows) == len(NUMBERED) + 100)
        stop = await asked(database, "stop", StopAsked(request=request))
        again = await asked(database, "stop", StopAsked(request=request))
        found = [await outcome(database, each) for each in (request, stop, again)]

    assert found == [
        "stopped by ada after 100",
        "finished: it is stopped",
        "refused: no such request is running",
    ]


async def test_a_partition_that_a_replay_still_reads_is_not_dropped(database: Database) -> None:
    with psycopg.connect(database.url) as owner:
        owner.execute(
            "SELECT messaging.make_time_partitions('outbox', now() - interval '48 hours',"
            " '1 hour', 0)"
        )
        owner.execute("""
            INSERT INTO messaging.outbox (written_at, id, aggregatetype, aggregateid, type, topic,
                partition, source, occurred_at, payload)
            SELECT now() - interval '48 hours', gen_random_uuid(), 'toy', 'old', 't', 'toys.events',
                0, '/toys', now(), convert_to('{"key": "old", "n": 1}', 'UTF8')
            FROM generate_series(1, 3)""")
    recorder = Recorder()
    settings = prompt_relay(database, "127.0.0.1:9", replay_rows_max=1)
    drop = "SELECT messaging.drop_old_partition('outbox', '24 hours')"
    async with relaying_with_requests(settings, recorder):
        await recorder.until(lambda: len(recorder.rows) == 3)
        request = await asked(database, "replay", ReplayAsked(rate_per_s=1))
        await recorder.until(lambda: len(recorder.rows) >= 4)
    with pytest.raises(psycopg.errors.ObjectInUse, match="still read by a replay"):
        await rows(database, drop)

    async with relaying_with_requests(settings, recorder):
        assert await outcome(database, request) == "finished: 3 copies were published"

    assert (await rows(database, drop))[0][0].startswith("outbox_2")


async def test_other_requests_are_served_while_a_replay_goes_on(database: Database) -> None:
    recorder = Recorder()
    await published(database, recorder)
    await asked(database, "replay", ReplayAsked(rate_per_s=1))
    with psycopg.connect(database.url) as owner:
        owner.execute(
            "INSERT INTO messaging.operator_requests (id, owner, verb, requested_by, reason)"
            " VALUES (gen_random_uuid(), 'outbox-relay', 'reanchor', 'ada', 'by mistake')"
        )

    async with relaying_with_requests(prompt_relay(database, "127.0.0.1:9"), recorder):
        await eventually(
            lambda: rows(
                database,
                "SELECT outcome FROM messaging.operator_requests WHERE verb = 'reanchor'"
                " AND outcome LIKE 'not needed%%'",
            )
        )


async def test_a_reanchor_ends_a_replay_and_keeps_what_its_copies_are(database: Database) -> None:
    """What a replay has seen of a restored outbox means nothing; its copies remain copies."""
    recorder = Recorder()
    await published(database, recorder)
    request = await asked(database, "replay", ReplayAsked(rate_per_s=1_000))
    settings = prompt_relay(database, "127.0.0.1:9", replay_rows_max=10, blocked_retry_ms=20)
    async with operating(database, RELAY) as connection:
        await RowRequests(settings, is_leading=lambda: True).step(connection)
    with psycopg.connect(database.url) as owner:
        owner.execute("UPDATE messaging.outbox_cursor SET system_identifier = 'elsewhere'")
        owner.execute(
            "INSERT INTO messaging.operator_requests (id, owner, verb, requested_by, reason)"
            " VALUES (gen_random_uuid(), 'outbox-relay', 'reanchor', 'ada', 'restored')"
        )

    async with relaying_with_requests(settings, recorder):
        assert await outcome(database, request) == "stopped: the outbox was reanchored"
        await recorder.until(lambda: len(recorder.rows) == len(NUMBERED) + 10)

    assert {row.replay_request for row in recorder.rows[-10:]} == {str(request).encode()}


@pytest.mark.slow
async def test_a_relay_that_is_killed_in_the_middle_leaves_nothing_out_and_repeats_nothing(
    database: Database, kafka_bootstrap: str, topic: ToyTopic
) -> None:
    numbered = [(f"k{n % 7}", n) for n in range(1, 1_501)]
    await write(database, topic.name, numbered)
    process = await start_relay_process(database, kafka_bootstrap, topic, 20)
    try:
        await eventually(lambda: rows(database, ALL_PUBLISHED), lambda found: found == [(True,)])
        request = await asked(database, "replay", ReplayAsked(rate_per_s=1_500))
        for threshold in (200, 700):
            await eventually(
                lambda: copies(database), lambda found, least=threshold: len(found) > least
            )
            process.kill()
            await process.wait()
            assert len(await copies(database)) < len(numbered)
            process = await start_relay_process(database, kafka_bootstrap, topic, 20)
        assert await outcome(database, request) == "finished: 1500 copies were published"
    finally:
        process.kill()
        await process.wait()

    assert await copies(database) == numbered
