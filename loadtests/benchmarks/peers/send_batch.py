"""Sends records that are in memory already: `send_batch BOOTSTRAP TOPIC ROWS`."""

import asyncio
import sys
from typing import Any, Final

import uvloop
from aiokafka import AIOKafkaProducer

from loadtests.benchmarks.events import PARTITIONS, Headers, payload, sample_headers

_BATCH_ROWS: Final = 350
_DISTINCT: Final = 20_000


async def main(bootstrap: str, topic: str, rows: int) -> None:
    """Keep one batch in flight for each partition, as fast as they are acknowledged."""
    records = _records(min(rows, _DISTINCT))
    value = payload()
    producer: Any = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, max_batch_size=524_288
    )
    async with producer:
        pending: list[asyncio.Future[Any]] = []
        for number, start in enumerate(range(0, rows, _BATCH_ROWS)):
            batch = producer.create_batch()
            for position in range(start, min(start + _BATCH_ROWS, rows)):
                key, headers = records[position % len(records)]
                batch.append(key=key, value=value, timestamp=None, headers=headers)
            partition = number % PARTITIONS
            pending.append(await producer.send_batch(batch, topic, partition=partition))
            if len(pending) >= PARTITIONS:
                await pending.pop(0)
        await asyncio.gather(*pending)


def _records(count: int) -> list[tuple[bytes, Headers]]:
    keys = [b"backlog-%d" % number for number in range(count)]
    return [(key, sample_headers(key)) for key in keys]


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
