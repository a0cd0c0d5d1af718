"""Drains a backlog with the relay, beside a bare producer that sends the same records.

`python -m loadtests.benchmarks.relay_drain [rows]`, with ORDERLY_TEST_DATABASE_URL (a superuser's)
and ORDERLY_TEST_KAFKA_BOOTSTRAP; its database and topic are its own and go at the end.
"""

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, closing
from time import perf_counter
from typing import Any, Final

import uvloop
from aiokafka import AIOKafkaProducer

from libs.foundation.database.connections import Connection, open_connection
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.messaging.relay.producer import open_publisher
from libs.foundation.messaging.relay.records import headers_of
from libs.foundation.messaging.relay.relay import OutboxRelay
from libs.foundation.messaging.relay.settings import RelaySettings
from libs.foundation.messaging.sql import outbox_cursor, outbox_windows
from libs.foundation.messaging.sql.outbox_windows import OutboxRow
from libs.foundation.settings import KafkaSettings, ProcessSettings
from libs.testkit.databases import Database, DatabaseServer
from libs.testkit.topics import TopicMaker
from loadtests.benchmarks.sql import outbox_backlog

_PARTITIONS: Final = 12
_PAYLOAD_BYTES: Final = 400
_SAMPLE_ROWS: Final = 60_000
_BATCH_ROWS: Final = 350


async def main(rows: int) -> None:
    bootstrap = os.environ["ORDERLY_TEST_KAFKA_BOOTSTRAP"]
    run = f"drain{uuid.uuid4().hex[:8]}"
    maker = TopicMaker(bootstrap, f"{run}.")
    with closing(DatabaseServer(os.environ["ORDERLY_TEST_DATABASE_URL"], run)) as server:
        try:
            server.make_template()
            (topic,) = await maker(["events"], partitions=_PARTITIONS)
            await _compare(server.make_database(), bootstrap, topic, rows)
        finally:
            server.drop_all()
            await maker.delete()


async def _compare(database: Database, bootstrap: str, topic: str, rows: int) -> None:
    async with open_connection(DatabaseSettings(url=database.url), "benchmark") as connection:
        before = await outbox_windows.snapshot(connection)
        started_s = perf_counter()
        await outbox_backlog.fill(
            connection, topic, partitions=_PARTITIONS, rows=rows, payload_bytes=_PAYLOAD_BYTES
        )
        print(f"wrote {rows:,} rows: {rows / (perf_counter() - started_s):,.0f}/s")
        await outbox_windows.tune(connection)
        sample = await _sample(connection, before)
        for _ in range(2):
            print(f"bare send_batch: {await _send_bare(bootstrap, topic, sample):,.0f}/s")
            print(f"relay:           {await _drain(connection, database, bootstrap, rows):,.0f}/s")
            await outbox_backlog.rewind(connection, before)


async def _sample(connection: Connection, before: str) -> list[OutboxRow]:
    page = await outbox_windows.read(
        connection,
        before,
        await outbox_windows.snapshot(connection),
        0,
        rows_max=_SAMPLE_ROWS,
        bytes_max=1 << 40,
    )
    return page.rows


async def _send_bare(bootstrap: str, topic: str, rows: Sequence[OutboxRow]) -> float:
    """Send rows that are in memory already, as many batches at once as there are partitions."""
    producer: Any = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, max_batch_size=524_288
    )
    async with producer:
        started_s = perf_counter()
        pending: list[asyncio.Future[Any]] = []
        for number, start in enumerate(range(0, len(rows), _BATCH_ROWS)):
            batch = producer.create_batch()
            for row in rows[start : start + _BATCH_ROWS]:
                headers = headers_of(row)
                batch.append(key=row.key, value=row.payload, timestamp=None, headers=headers)
            partition = number % _PARTITIONS
            pending.append(await producer.send_batch(batch, topic, partition=partition))
            if len(pending) >= _PARTITIONS:
                await pending.pop(0)
        await asyncio.gather(*pending)
        return len(rows) / (perf_counter() - started_s)


async def _drain(connection: Connection, database: Database, bootstrap: str, rows: int) -> float:
    """Run a whole relay, from taking the lease on, until its cursor has passed every row."""
    settings = RelaySettings(
        process=ProcessSettings(side_port=0),
        database=DatabaseSettings(url=database.url_for("orderly_outbox_relay")),
        kafka=KafkaSettings(bootstrap_servers=bootstrap),
    )
    async with _publishing(settings) as is_over:
        started_s = perf_counter()
        while not await _is_drained(connection):
            await asyncio.wait({is_over}, timeout=0.05)
        return rows / (perf_counter() - started_s)


@asynccontextmanager
async def _publishing(settings: RelaySettings) -> AsyncGenerator[asyncio.Task[None]]:
    stopping = asyncio.Event()
    async with open_publisher(settings.kafka, {}, stuck_s=60) as publisher:
        await publisher.prepare()
        running = asyncio.create_task(OutboxRelay(settings, publisher).run(stopping))
        try:
            yield running
        finally:
            stopping.set()
            await running


async def _is_drained(connection: Connection) -> bool:
    row = await outbox_cursor.latest(connection)
    return row is not None and row.n > 0 and row.cur is None


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 400_000))
