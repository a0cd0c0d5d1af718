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


def roll_back(database: Database, times: int) -> None:
    """Use up transaction ids that never reach the disk."""
    for _ in range(times):
        with psycopg.connect(database.url_for(WRITER)) as connection:
            connection.execute("SELECT pg_current_xact_id()")
            connection.rollback()


@pytest.mark.slow
async def test_rows_with_ids_handed_out_again_are_not_skipped() -> None:
    async with dedicated_postgres({"wal_writer_delay": "10s"}) as server:
        database = server.migrated_database()
        recorder, polls = Recorder(), Polls()
        await write(database, "toy")
        async with relaying(relay_settings(database, standby_poll_ms=20), recorder, polls):
            await recorder.until(lambda: recorder.changes() == [("toy", 1)])
            roll_back(database, 20)
            await polls.more(3)  # By now snapshots have been seen in which those ids are over.

            await server.kill9()
            await server.restart()
            await write(database, *["toy"] * 5)
            await recorder.until(lambda: len(recorder.firsts()) == 6)

    assert recorder.firsts() == [("toy", version) for version in range(1, 7)]
