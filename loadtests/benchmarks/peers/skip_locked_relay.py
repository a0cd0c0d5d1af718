"""Empties an outbox with SKIP LOCKED and DELETE: `skip_locked_relay DSN BOOTSTRAP TOPIC`."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any, Final

import uvloop
from aiokafka import AIOKafkaProducer

from libs.foundation.database.connections import Connection, open_connection
from loadtests.benchmarks.events import headers_of
from loadtests.benchmarks.site import server_settings
from loadtests.benchmarks.sql import plain_outbox

_ROWS: Final = 1_000
_RELAYS: Final = 2

Row = tuple[int, int, str, str, str, str, str, str, str, bytes]


async def main(url: str, bootstrap: str, topic: str) -> None:
    producer: Any = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        max_batch_size=524_288,
        max_request_size=4_194_304,
    )
    async with producer:
        await asyncio.gather(*(_relay(url, producer, topic) for _ in range(_RELAYS)))


async def _relay(url: str, producer: Any, topic: str) -> None:  # noqa: ANN401
    """Publish until nothing is left."""
    async with open_connection(server_settings(url), "skip-locked") as connection:
        while await _publish_some(connection, producer, topic):
            pass


async def _publish_some(connection: Connection, producer: Any, topic: str) -> int:  # noqa: ANN401
    async with connection.transaction(), connection.cursor(binary=True) as cursor:
        await cursor.execute(plain_outbox.CLAIM, {"rows": _ROWS})
        rows: Sequence[Row] = await cursor.fetchall()
        if rows:
            await _send(producer, topic, rows)
            await cursor.execute(plain_outbox.DELETE, {"seqs": [row[0] for row in rows]})
        return len(rows)


async def _send(producer: Any, topic: str, rows: Sequence[Row]) -> None:  # noqa: ANN401
    by_partition: dict[int, list[Row]] = {}
    for row in rows:
        by_partition.setdefault(row[1], []).append(row)
    sent: list[Any] = []
    for partition, members in by_partition.items():
        batch = producer.create_batch()
        for _, _, key, identifier, type_, source, sequence, at, _, payload in members:
            subject = key.encode()
            headers = headers_of(
                identifier=identifier.encode(),
                type_=type_.encode(),
                source=source.encode(),
                subject=subject,
                time=at.replace(" ", "T").encode() + b"Z",
                sequence=sequence.encode(),
            )
            batch.append(key=subject, value=bytes(payload), timestamp=None, headers=headers)
        sent.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*sent)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], sys.argv[3]))
