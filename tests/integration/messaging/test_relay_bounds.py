"""What the relay keeps in memory is bounded by bytes and runs as well as by rows."""

from collections.abc import Sequence
from typing import Final

import psycopg
import pytest

from libs.foundation.database.connections import open_connection
from libs.foundation.database.transaction import transaction
from libs.foundation.messaging.relay.publisher import Check, HeldBack
from libs.foundation.messaging.sql import outbox_parked, outbox_windows
from libs.foundation.messaging.sql.outbox_windows import OutboxRow
from libs.testkit.databases import Database
from tests.integration.messaging.relay_harness import (
    RELAY,
    Recorder,
    change,
    make_aggregates,
    relay_settings,
    relaying,
    settings_of,
    write,
    writing,
)

PARKED: Final = """
    INSERT INTO messaging.outbox_parked_rows (seq, id, aggregatetype, aggregateid, type, topic,
        partition, source, occurred_at, payload)
    SELECT n, gen_random_uuid(), 'toy', 'one', 'toys.changed.v1', 'toys.events', 0, '/orderly/toys',
        now(), convert_to(repeat('x', 1000), 'UTF8')
    FROM generate_series(1, 20) AS n"""


class Windows(Recorder):
    """Remembers also how many rows came at once."""

    def __init__(self) -> None:
        super().__init__()
        self.window_rows: list[int] = []

    async def publish(self, rows: Sequence[OutboxRow], may_send: Check) -> list[HeldBack]:
        self.window_rows.append(len(rows))
        return await super().publish(rows, may_send)


async def test_a_scattered_backlog_is_planned_in_parts_and_published_once_in_order(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_windows, "RUN_GAP_ROWS_MAX", 1)
    monkeypatch.setattr(outbox_windows, "RUNS_MAX", 3)
    recorder = Recorder()
    settings = relay_settings(database, window_rows_max=4, standby_poll_ms=20)
    async with relaying(settings, recorder), writing(database) as late:
        await make_aggregates(late, ["late"])
        async with transaction(late) as tx:
            for _ in range(20):
                await change(tx, "late")
                await write(database, "early", "early")
            await recorder.until(lambda: len(recorder.rows) == 40)
        await recorder.until(lambda: len(recorder.rows) == 60)

    assert [version for key, version in recorder.changes() if key == "late"] == [*range(1, 21)]
    assert [version for key, version in recorder.changes() if key == "early"] == [*range(1, 41)]


async def test_large_rows_make_small_windows(database: Database) -> None:
    recorder = Windows()
    async with writing(database) as connection:
        await make_aggregates(connection, ["one"])
        for _ in range(12):
            async with transaction(connection) as tx:
                await change(tx, "one", padding="x" * 10_000)
    settings = relay_settings(database, window_bytes_max=25_000, standby_poll_ms=20)
    async with relaying(settings, recorder):
        await recorder.until(lambda: len(recorder.rows) == 12)

    assert max(recorder.window_rows) <= 3
    assert recorder.changes() == [("one", version) for version in range(1, 13)]


async def test_a_parked_queue_is_read_in_pages_of_bytes(database: Database) -> None:
    with psycopg.connect(database.url) as owner:
        owner.execute(PARKED)

    async with open_connection(settings_of(database.url_for(RELAY)), "toy relay") as connection:
        found = [
            await outbox_parked.open_rows(
                connection, "toys.events", "one", rows_max=rows_max, bytes_max=bytes_max
            )
            for rows_max, bytes_max in ((1_000, 5_000), (2, 5_000), (1_000, 1))
        ]

    assert [[row.seq for row in page] for page in found] == [[1, 2, 3, 4, 5], [1, 2], [1]]
