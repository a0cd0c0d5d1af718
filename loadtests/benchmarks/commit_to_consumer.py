"""Measures the time from a commit to a consumer under a steady flow, as a process of its own.

Transactions begin when they are due, whatever became of the earlier ones; an event's time runs
from the moment its COMMIT was answered to the moment a plain consumer has it in hand.
"""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from time import perf_counter
from typing import Any, Final

import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from libs.foundation.database.connections import Connection, open_connection
from loadtests.benchmarks.commands import run_to_end
from loadtests.benchmarks.events import PARTITIONS
from loadtests.benchmarks.machine import percentile
from loadtests.benchmarks.programs import python
from loadtests.benchmarks.site import Site, server_settings
from loadtests.benchmarks.sql import outbox, plain_outbox

EVENTS_A_TRANSACTION: Final = 40
_WRITERS: Final = 4
_SETTLE_S: Final = 5.0
_MARGIN_S: Final = 30
# Connections, plans and the first batches are not what is measured.
_WARM_S: Final = 1.0


class Flow(Struct, frozen=True, kw_only=True):
    """What to write where, and where to wait for it; `rate` is events a second."""

    url: str
    table: str
    """`outbox` for Orderly's, `plain_outbox` for the peers'."""
    bootstrap: str
    topic: str
    rate: float
    seconds: int


class FlowResult(Struct, frozen=True, kw_only=True):
    """Latencies of the events after the warm-up; `cores` is what measuring took."""

    wanted_rate: float
    sent_rate: float
    sent: int
    received: int
    p50_ms: float
    p99_ms: float
    cores: float = 0


class _Times:
    """When each transaction was committed, and when its events arrived."""

    def __init__(self) -> None:
        self.committed_s: dict[int, float] = {}
        self.arrived: list[tuple[int, float]] = []


async def run_flow(site: Site, flow: Flow) -> FlowResult:
    """Run the flow in a child process, so that its cost can be told apart."""
    done = await run_to_end(
        python("loadtests.benchmarks.commit_to_consumer", msgspec.json.encode(flow).decode()),
        environment=site.environment,
        limit_s=flow.seconds + _WARM_S + _SETTLE_S + _MARGIN_S,
    )
    result = msgspec.json.decode(done.output, type=FlowResult)
    return msgspec.structs.replace(result, cores=done.cores)


async def measure(flow: Flow) -> FlowResult:
    consumer: Any = AIOKafkaConsumer(
        bootstrap_servers=flow.bootstrap, enable_auto_commit=False, fetch_max_wait_ms=100
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(flow.topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_end(*partitions)
        for partition in partitions:
            await consumer.position(partition)
        times = _Times()
        consuming = asyncio.create_task(_consume(consumer, times))
        elapsed_s = await _write(flow, times)
        await _until_all_arrived(times)
        consuming.cancel()
    finally:
        await consumer.stop()
    return _result(flow, times, elapsed_s)


async def _consume(consumer: Any, times: _Times) -> None:  # noqa: ANN401 - aiokafka has no types.
    while True:
        batches: dict[TopicPartition, Sequence[Any]] = await consumer.getmany(timeout_ms=200)
        now_s = perf_counter()
        for records in batches.values():
            for record in records:
                number = int(record.key.split(b"-")[1])
                times.arrived.append((number, now_s))


async def _write(flow: Flow, times: _Times) -> float:
    """Write every transaction that is due, and return how long that took."""
    transactions = max(1, int(flow.rate * (flow.seconds + _WARM_S) / EVENTS_A_TRANSACTION))
    async with AsyncExitStack() as stack:
        connections = [
            await stack.enter_async_context(
                open_connection(server_settings(flow.url), f"flow-{writer}")
            )
            for writer in range(_WRITERS)
        ]
        started_s = perf_counter()
        await asyncio.gather(
            *(
                _write_share(flow, connection, range(share, transactions, _WRITERS), times)
                for share, connection in enumerate(connections)
            )
        )
        return perf_counter() - started_s


async def _write_share(flow: Flow, connection: Connection, numbers: range, times: _Times) -> None:
    started_s = perf_counter()
    for number in numbers:
        due_s = started_s + number * EVENTS_A_TRANSACTION / flow.rate
        if (early_s := due_s - perf_counter()) > 0:
            await asyncio.sleep(early_s)
        await _append(flow, connection, number)
        times.committed_s[number] = perf_counter()


async def _append(flow: Flow, connection: Connection, number: int) -> None:
    key = f"flow-{number}"
    if flow.table == "outbox":
        await outbox.append(
            connection, flow.topic, key=key, partitions=PARTITIONS, rows=EVENTS_A_TRANSACTION
        )
    else:
        await plain_outbox.append(
            connection,
            flow.topic,
            key=key,
            partitions=PARTITIONS,
            rows=EVENTS_A_TRANSACTION,
            payload_bytes=outbox.PAYLOAD_BYTES,
        )


async def _until_all_arrived(times: _Times) -> None:
    """Wait a while for the last events: what is missing then is reported as missing."""
    wanted = len(times.committed_s) * EVENTS_A_TRANSACTION
    ends_at_s = perf_counter() + _SETTLE_S
    while len(times.arrived) < wanted and perf_counter() < ends_at_s:  # noqa: ASYNC110 - bounded.
        await asyncio.sleep(0.01)


def _result(flow: Flow, times: _Times, elapsed_s: float) -> FlowResult:
    sent = len(times.committed_s) * EVENTS_A_TRANSACTION
    first = int(flow.rate * _WARM_S / EVENTS_A_TRANSACTION)
    latencies_s = [
        max(0.0, arrived_s - times.committed_s[number])
        for number, arrived_s in times.arrived
        if number >= first
    ]
    return FlowResult(
        wanted_rate=flow.rate,
        sent_rate=sent / max(elapsed_s, 1e-9),
        sent=sent,
        received=min(sent, len(times.arrived)),
        p50_ms=percentile(latencies_s, 50) * 1_000 if latencies_s else 0,
        p99_ms=percentile(latencies_s, 99) * 1_000 if latencies_s else 0,
    )


if __name__ == "__main__":
    given = msgspec.json.decode(sys.argv[1], type=Flow)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(measure(given))))
