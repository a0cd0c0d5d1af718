"""A crash of the database hands transaction ids out again; no snapshot in memory may survive it."""

import asyncio

import psycopg
import pytest

from libs.foundation.messaging.relay.session import Step
from libs.testkit.databases import Database
from libs.testkit.dedicated import dedicated_postgres
from tests.integration.messaging.relay_harness import (
    WRITER,
    Recorder,
    relay_settings,
    relaying,
    write,
)


class Polls:
    """Counts idle polls, and lets a test wait for more of them."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, step: Step) -> None:
        if step is Step.POLLED:
            self._count += 1
            task = asyncio.create_task(self._notify())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def more(self, number: int) -> None:
        """Wait for so many polls from now on."""
        wanted = self._count + number
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: self._count >= wanted)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


async def use_up_ids(database: Database, polls: Polls) -> None:
    """Let the relay see transaction ids that are over and whose end is not on the disk.

    The server flushes now and then for reasons of its own; then it is done again.
    """
    with psycopg.connect(database.url, autocommit=True) as watching:
        flushed = True
        while flushed:
            before = watching.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
            for _ in range(20):
                with psycopg.connect(database.url_for(WRITER)) as connection:
                    connection.execute("SELECT pg_current_xact_id()")
                    connection.rollback()
            await polls.more(3)
            check = "SELECT pg_current_wal_flush_lsn() > %s::pg_lsn"
            flushed = watching.execute(check, before).fetchone() == (True,)


@pytest.mark.slow
async def test_rows_with_ids_handed_out_again_are_not_skipped() -> None:
    async with dedicated_postgres({"wal_writer_delay": "10s"}) as server:
        database = server.migrated_database()
        recorder, polls = Recorder(), Polls()
        await write(database, "toy")
        # No renewal comes between the roll back and the crash: its commit would flush the ids.
        settings = relay_settings(
            database, standby_poll_ms=20, lease_ms=9_000, lease_renewal_ms=3_000
        )
        async with relaying(settings, recorder, polls):
            await recorder.until(lambda: recorder.changes() == [("toy", 1)])
            await use_up_ids(database, polls)

            await server.kill9()
            await server.restart()
            await write(database, *["toy"] * 5)
            await recorder.until(lambda: len(recorder.firsts()) == 6)

    assert recorder.firsts() == [("toy", version) for version in range(1, 7)]
