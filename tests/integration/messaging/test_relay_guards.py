"""What the relay refuses to do, and what nobody but the database decides."""

import asyncio
from typing import LiteralString

import psycopg
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from deploy.local.ports import LOOPBACK, free_port
from libs.foundation.database.connections import open_connection
from libs.foundation.messaging.relay.cursor import Cursor, Position
from libs.foundation.messaging.relay.errors import LeaseLost
from libs.foundation.messaging.relay.producer import open_publisher
from libs.foundation.messaging.relay.relay import OutboxRelay
from libs.foundation.messaging.relay.restore import WrongServer, open_cursor, origin_of
from libs.foundation.messaging.relay.session import Step
from libs.foundation.messaging.sql import outbox_cursor, relay_leases
from libs.foundation.messaging.tracing import tracing_subjects
from libs.foundation.observability.trace_export import open_exporter
from libs.foundation.observability.tracing import use_provider
from libs.testkit.databases import Database
from tests.integration.messaging.relay_harness import (
    DEADLINE_S,
    RELAY,
    WRITER,
    Recorder,
    eventually,
    moment,
    relay_settings,
    relaying,
    settings_of,
    write,
)

COLUMNS: LiteralString = (
    "id, aggregatetype, aggregateid, type, topic, partition, source, occurred_at, payload"
)
VALUES: LiteralString = "gen_random_uuid(), 'toy', 'k', 't', 'toys', 0, '/toys', now(), 'x'"


def execute(url: str, statement: LiteralString) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement)


NOTHING_BEHIND: LiteralString = """
    SELECT cur IS NULL AND NOT EXISTS (
        SELECT FROM messaging.outbox AS o WHERE NOT pg_visible_in_snapshot(o.tid, c.prev))
    FROM messaging.outbox_cursor AS c ORDER BY epoch DESC, n DESC LIMIT 1"""


@pytest.mark.parametrize(
    ("column", "value"), [("tid", "'1'"), ("written_at", "now()"), ("seq", "1"), ("replay", "true")]
)
def test_a_writer_cannot_choose_what_the_database_sets(
    database: Database, column: LiteralString, value: LiteralString
) -> None:
    insert = f"INSERT INTO messaging.outbox ({COLUMNS}, {column}) VALUES ({VALUES}, {value})"

    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.GeneratedAlways)):
        execute(database.url_for(WRITER), insert)


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT INTO messaging.outbox ({COLUMNS}) VALUES ({VALUES})",
        "DELETE FROM messaging.outbox",
        "UPDATE messaging.outbox SET topic = 'x'",
        "DELETE FROM messaging.outbox_cursor",
        "DELETE FROM messaging.outbox_parked_rows",
        "UPDATE messaging.operator_requests SET verb = 'skip'",
    ],
)
def test_the_relay_cannot_write_messages_or_rewrite_history(
    database: Database, statement: LiteralString
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(database.url_for(RELAY), statement)


async def test_a_lost_cursor_blocks_and_names_the_remedy(database: Database) -> None:
    execute(database.url, "DELETE FROM messaging.outbox_cursor")
    await write(database, "toy")
    recorder, stopping = Recorder(), asyncio.Event()
    relay = OutboxRelay(relay_settings(database, standby_poll_ms=5), recorder)

    async with asyncio.TaskGroup() as group:
        group.create_task(relay.run(stopping))
        await eventually(database, "SELECT epoch FROM messaging.relay_leases", 1)
        given_back = "SELECT expires_at = '-infinity' FROM messaging.relay_leases"
        await eventually(database, given_back, expected=True)
        readiness = relay.readiness()
        stopping.set()

    assert not readiness.ready
    assert "orderly outbox reanchor" in readiness.reason
    assert recorder.rows == []


async def test_a_relay_whose_epoch_is_over_moves_no_cursor(database: Database) -> None:
    async with open_connection(settings_of(database.url_for(RELAY)), "toy relay") as connection:
        epoch = await relay_leases.take(connection, "first", 0)
        assert epoch is not None
        latest = await outbox_cursor.latest(connection)
        assert latest is not None
        origin = origin_of(await outbox_cursor.server(connection))
        cursor = Cursor(connection, latest, origin, epoch)
        assert await relay_leases.take(connection, "second", 2_000) == epoch + 1

        with pytest.raises(LeaseLost):
            await cursor.advance(Position(prev="99999999:99999999:"), 0)

        assert await outbox_cursor.latest(connection) == latest


async def test_a_lease_that_is_held_is_not_taken(database: Database) -> None:
    async with open_connection(settings_of(database.url_for(RELAY)), "toy relay") as connection:
        first = await relay_leases.take(connection, "first", 60_000)

        second = await relay_leases.take(connection, "second", 60_000)

        assert (first, second) == (1, None)


async def test_two_connections_to_different_databases_make_no_session(
    database: Database, module_database: Database
) -> None:
    async with (
        open_connection(settings_of(database.url_for(RELAY)), "toy reader") as reading,
        open_connection(settings_of(module_database.url_for(RELAY)), "toy cursor") as writing,
    ):
        with pytest.raises(WrongServer):
            await open_cursor(reading, writing, 1)


async def test_a_broken_connection_ends_the_session_and_the_next_continues(
    database: Database,
) -> None:
    recorder = Recorder()
    polled = asyncio.Event()

    async with relaying(
        relay_settings(database, standby_poll_ms=5),
        recorder,
        lambda step: polled.set() if step is Step.POLLED else None,
    ):
        await polled.wait()
        kill_relay = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'outbox-relay%' AND datname = current_database()"
        )
        execute(database.url, kill_relay)
        await write(database, "toy", "toy")
        await recorder.until(lambda: recorder.firsts() == [("toy", 1), ("toy", 2)])


@pytest.mark.parametrize("rows", [9, 10, 11, 20])
async def test_a_finished_backlog_leaves_no_row_ahead_of_the_cursor(
    database: Database, rows: int
) -> None:
    # Ten rows are sorted at once: a backlog may end with a piece, and nothing may come after it.
    await write(database, *(f"toy-{number}" for number in range(rows)))
    settings = relay_settings(database, window_rows_max=4, backlog_rows_max=10)

    async with relaying(settings, Recorder()):
        await eventually(database, NOTHING_BEHIND, expected=True)


async def test_an_idle_relay_writes_no_cursor(database: Database) -> None:
    polls = 0
    enough = asyncio.Event()

    def count(step: Step) -> None:
        nonlocal polls
        polls += step is Step.POLLED
        if polls == 20:
            enough.set()

    async with relaying(relay_settings(database, standby_poll_ms=5), Recorder(), count):
        await enough.wait()

    with psycopg.connect(database.url) as connection:
        rows = connection.execute("SELECT max(n) FROM messaging.outbox_cursor WHERE epoch = 1")
        assert rows.fetchone() == (None,)


async def test_without_a_broker_the_relay_is_not_ready_and_leaves_the_lease_to_others(
    database: Database,
) -> None:
    settings = relay_settings(database, bootstrap=f"{LOOPBACK}:{free_port()}")
    stopping = asyncio.Event()
    async with open_publisher(settings.kafka, {}, stuck_s=60) as publisher:
        relay = OutboxRelay(settings, publisher)
        running = asyncio.create_task(relay.run(stopping))
        await moment()

        readiness = relay.readiness()
        stopping.set()
        async with asyncio.timeout(DEADLINE_S):
            await running

    assert not readiness.ready
    await eventually(database, "SELECT epoch FROM messaging.relay_leases", 0)


async def test_a_window_links_the_recorded_traces_and_no_others(database: Database) -> None:
    exporter = InMemorySpanExporter()
    use_provider(open_exporter("toy relay", exporter), 0.0)
    recorded = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    unrecorded = "00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
    recorder = Recorder()
    try:
        with tracing_subjects({"recorded": recorded, "unrecorded": unrecorded}):
            await write(database, "recorded", "unrecorded")
        async with relaying(relay_settings(database, standby_poll_ms=5), recorder):
            await recorder.until(lambda: len(recorder.rows) == 2)
    finally:
        use_provider(None, 0.0)

    spans = exporter.get_finished_spans()
    assert [each.name for each in spans] == ["outbox publish"]
    assert [f"{link.context.trace_id:032x}" for link in spans[0].links] == [recorded[3:35]]
