"""Reads what the platform left behind: its tables, its topics and the provider's own ledger.

Nothing of the product is imported here: a checker that shares code shares mistakes.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final, LiteralString

import aiohttp
import msgspec
import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct
from psycopg.rows import dict_row

from loadtests.demo.sql import evidence as queries

Connection = psycopg.AsyncConnection[dict[str, Any]]
Untyped = Any  # aiokafka has no types of its own.

TOPICS: Final = (
    "orders.events",
    "inventory.commands",
    "inventory.events",
    "payments.commands",
    "payments.events",
)
_FETCH_TIMEOUT_MS: Final = 1_000
_FETCH_RECORDS_MAX: Final = 5_000
_EMPTY_FETCHES_MAX: Final = 20


class OrderRow(Struct, frozen=True, kw_only=True):
    """One order as the database holds it; money in minor units."""

    id: str
    external_reference: str
    customer_id: str
    status: str
    reason: str | None
    total_minor: int
    authorised_minor: int
    version: int
    placed_at: datetime
    final_at: datetime | None


class StockRow(Struct, frozen=True, kw_only=True):
    """One SKU: its row, and the sums of its ledger."""

    sku: str
    on_hand: int
    reserved: int
    ledger_on_hand: int
    ledger_reserved: int


class Record(Struct, frozen=True, kw_only=True):
    """The headers of one Kafka record; sequence is None for commands."""

    topic: str
    id: str
    source: str
    subject: str
    sequence: int | None


class LedgerEntry(Struct, frozen=True, kw_only=True):
    """One authorisation in the provider's ledger; money in minor units."""

    order_id: str
    amount: int
    live: bool
    captured: int = 0
    released: int = 0
    refunded: int = 0


class Database(Struct, frozen=True, kw_only=True):
    """Everything the checks need of PostgreSQL."""

    orders: tuple[OrderRow, ...]
    stock: tuple[StockRow, ...]
    outbox_ids: frozenset[str]
    broken_timelines: int
    repeated_reservations: int
    inbox_claims: int
    parked: int


async def read_database(url: str) -> Database:
    """Read every table in one consistent snapshot."""
    async with await connect(url) as connection:
        await connection.execute(queries.BEGIN)
        return Database(
            orders=tuple(msgspec.convert(await _all(connection, queries.ORDERS), list[OrderRow])),
            stock=tuple(msgspec.convert(await _all(connection, queries.STOCK), list[StockRow])),
            outbox_ids=frozenset(row["id"] for row in await _all(connection, queries.OUTBOX_IDS)),
            broken_timelines=await _count(connection, queries.BROKEN_TIMELINES),
            repeated_reservations=await _count(connection, queries.REPEATED_RESERVATIONS),
            inbox_claims=await _count(connection, queries.INBOX_CLAIMS),
            parked=await _count(connection, queries.PARKED),
        )


async def connect(url: str) -> Connection:
    """Open a connection whose rows are dictionaries."""
    return await psycopg.AsyncConnection[dict[str, Any]].connect(
        url,
        autocommit=True,
        row_factory=dict_row,
    )


async def _all(connection: Connection, query: LiteralString) -> list[dict[str, Any]]:
    return await (await connection.execute(query)).fetchall()


async def _count(connection: Connection, query: LiteralString) -> int:
    return (await _all(connection, query))[0]["count"]


async def read_topics(bootstrap: str, topics: tuple[str, ...]) -> list[Record]:
    """Read every record of `topics`, each partition in its own order."""
    # A seek to the beginning could be overtaken by the answer to the first, default reset to the
    # end: the reader would wait there for ever.
    consumer: Untyped = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        # Without a group every partition of the topics is assigned here.
        return [record async for record in _records(consumer, sorted(consumer.assignment()))]
    finally:
        await consumer.stop()


async def _records(consumer: Untyped, partitions: list[TopicPartition]) -> AsyncIterator[Record]:
    ends = await consumer.end_offsets(partitions)
    behind = {partition for partition, end in ends.items() if end > 0}
    empty_fetches = 0
    while behind and empty_fetches < _EMPTY_FETCHES_MAX:
        batches = await consumer.getmany(
            *behind, timeout_ms=_FETCH_TIMEOUT_MS, max_records=_FETCH_RECORDS_MAX
        )
        empty_fetches = 0 if batches else empty_fetches + 1
        for partition, messages in batches.items():
            for message in messages:
                yield _record(message)
            if messages[-1].offset + 1 >= ends[partition]:
                behind.discard(partition)
    if behind:
        raise RuntimeError(f"Kafka stopped answering for {sorted(behind)}")


def _record(message: Untyped) -> Record:
    headers = {name: value.decode() for name, value in message.headers}
    sequence = headers.get("ce_sequence")
    return Record(
        topic=message.topic,
        id=headers["ce_id"],
        source=headers["ce_source"],
        subject=headers["ce_subject"],
        sequence=None if sequence is None else int(sequence),
    )


async def read_ledger(url: str) -> list[LedgerEntry]:
    """Read the provider's ledger page by page."""
    entries: list[LedgerEntry] = []
    cursor: str | None = ""
    async with aiohttp.ClientSession() as session:
        while cursor is not None:
            parameters = {"limit": "1000", "cursor": cursor}
            async with session.get(f"{url}/v1/ledger", params=parameters) as response:
                response.raise_for_status()
                page = await response.json()
            entries += msgspec.convert(page["items"], list[LedgerEntry])
            cursor = page["next_cursor"]
    return entries
