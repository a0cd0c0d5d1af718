"""A restored database starts its transaction ids anew: the relay refuses until it is reanchored."""

import asyncio
import subprocess

import psycopg
import pytest

from deploy.local.database_url import with_database
from deploy.local.programs import postgres_programs
from libs.foundation.database.connections import open_connection
from libs.foundation.database.transaction import transaction
from libs.foundation.ids import new_id
from libs.foundation.messaging.relay.relay import OutboxRelay
from libs.foundation.messaging.relay.requests import OWNER
from libs.foundation.messaging.relay.session import Step
from libs.foundation.messaging.sql import operator_requests
from libs.testkit.databases import Database
from libs.testkit.dedicated import DedicatedServer, dedicated_postgres
from tests.integration.messaging.relay_harness import (
    Recorder,
    eventually,
    relay_settings,
    relaying,
    settings_of,
    until,
    write,
)


class Crash(Exception):
    """The relay died."""


def die_when_advanced(step: Step) -> None:
    if step is Step.ADVANCED:
        raise Crash


def restore(source: Database, server: DedicatedServer) -> Database:
    """Copy a database into another cluster as backups are: by its rows, not its files."""
    server.migrated_database()  # Makes the roles.
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE restored")
    restored = Database("restored", with_database(server.url, "restored"))
    programs = postgres_programs(None)
    dumped = subprocess.run(
        [programs / "pg_dump", source.url], check=True, capture_output=True, timeout=60
    )
    subprocess.run(
        [programs / "psql", "--quiet", "--set=ON_ERROR_STOP=1", restored.url],
        input=dumped.stdout,
        check=True,
        capture_output=True,
        timeout=60,
    )
    return restored


async def ask_to_reanchor(database: Database) -> None:
    url = settings_of(database.url_for("orderly_operator"))
    async with open_connection(url, "toy operator") as connection, transaction(connection) as tx:
        await operator_requests.insert(
            tx,
            request_id=new_id(),
            owner=OWNER,
            verb="reanchor",
            topic=None,
            key=None,
            requested_by="test",
            reason="restored",
        )


async def publish_half(database: Database, recorder: Recorder) -> None:
    """Publish toys 1 to 3, then die in the middle of the backlog of 4 to 9."""
    settings = relay_settings(database, window_rows_max=3, standby_poll_ms=5)
    await write(database, *["toy"] * 3)
    async with relaying(settings, recorder):
        await recorder.until(lambda: len(recorder.rows) == 3)
    await write(database, *["toy"] * 6)
    try:
        async with relaying(settings, recorder, die_when_advanced):
            await recorder.until(lambda: False)
    except* Crash:
        pass


@pytest.mark.slow
async def test_a_restored_outbox_is_published_only_once_reanchored(database: Database) -> None:
    before = Recorder()
    await publish_half(database, before)
    async with dedicated_postgres() as server:
        restored = await asyncio.to_thread(restore, database, server)
        await write(restored, "toy")  # Written here, with an id of this cluster.
        after, stopping = Recorder(), asyncio.Event()
        settings = relay_settings(restored, standby_poll_ms=5, blocked_retry_ms=50)
        relay = OutboxRelay(settings, after)

        async with asyncio.TaskGroup() as group:
            group.create_task(relay.run(stopping))
            await until(lambda: "reanchor" in relay.readiness().reason)
            published_before_asked = list(after.rows)
            await ask_to_reanchor(restored)
            await after.until(lambda: len(after.rows) == 4)
            await write(restored, "toy")
            await after.until(lambda: len(after.rows) == 5)
            stopping.set()

        with psycopg.connect(restored.url) as connection:
            replays = connection.execute(
                "SELECT sequence, replay FROM messaging.outbox ORDER BY seq"
            )
            kept = replays.fetchall()

    assert before.changes() == [("toy", version) for version in range(1, 7)]
    assert published_before_asked == []
    assert after.changes() == [("toy", version) for version in range(7, 12)]
    assert kept == [(7, True), (8, True), (9, True), (10, True), (11, False)]


async def test_an_unneeded_reanchor_is_refused(database: Database) -> None:
    recorder = Recorder()
    await ask_to_reanchor(database)
    await write(database, "toy")

    async with relaying(relay_settings(database, standby_poll_ms=5), recorder):
        await recorder.until(lambda: recorder.changes() == [("toy", 1)])
        outcome = "SELECT outcome FROM messaging.operator_requests"
        await eventually(database, outcome, "not needed: the cursor belongs to this database")

    assert recorder.changes() == [("toy", 1)]


async def test_a_lost_cursor_is_begun_anew_by_publishing_all_that_is_kept(
    database: Database,
) -> None:
    recorder = Recorder()
    settings = relay_settings(database, standby_poll_ms=5, blocked_retry_ms=50)
    await write(database, "toy", "toy")
    async with relaying(settings, recorder):
        await recorder.until(lambda: len(recorder.rows) == 2)
    with psycopg.connect(database.url) as owner:
        owner.execute("DELETE FROM messaging.outbox_cursor")
    await ask_to_reanchor(database)

    async with relaying(settings, recorder):
        await recorder.until(lambda: len(recorder.rows) == 4)

    assert recorder.changes() == [("toy", 1), ("toy", 2), ("toy", 1), ("toy", 2)]
