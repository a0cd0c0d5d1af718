"""Balances the books of a whole stack: tables, topics and the provider's own ledger."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, LiteralString

import psycopg

from libs.testkit.eventually import eventually
from libs.testkit.sql.invariants import broken_invariants
from loadtests.demo.evidence import TOPICS, LedgerEntry, Record, read_ledger, read_topics
from loadtests.demo.sql import evidence as queries
from tests.e2e.stack import RunningStack

_SETTLED_S: Final = 60.0
_IN_FLIGHT: Final = """
    SELECT count(*) FROM orders.orders WHERE status = 'pending'
    UNION ALL SELECT count(*) FROM payments.operations
        WHERE state IN ('queued', 'sent', 'accepted', 'unknown')"""
_CONFIRMED: Final = """
    SELECT id::text, total_minor FROM orders.orders
    WHERE status = 'confirmed' AND total_minor > 0"""
_RESERVED_TWICE: Final = """
    SELECT 'reserved twice ' || reference FROM inventory.movements WHERE kind = 'reserve'
    GROUP BY reference, sku HAVING count(*) > 1"""


async def settled(stack: RunningStack) -> None:
    """Wait until nothing is in flight: every order final, every message published."""
    await eventually(
        lambda: _in_flight(stack.database_url),
        lambda counts: not any(counts),
        within_s=_SETTLED_S,
    )


async def balanced(stack: RunningStack) -> list[str]:
    """Wait until nothing is in flight, and return every difference between the books."""
    await settled(stack)
    url = stack.database_url
    written = {id_ for (id_,) in _rows(url, queries.OUTBOX_IDS)}
    records = await read_topics(stack.kafka_bootstrap, TOPICS)
    published = {record.id for record in records}
    ledger = await read_ledger(stack.simulator_url)
    return [
        *broken_invariants(stack.superuser_url),
        *(text for (text,) in _rows(url, _RESERVED_TWICE)),
        *(f"{count} parked" for (count,) in _rows(url, queries.PARKED) if count),
        *(f"not in Kafka: {id_}" for id_ in written - published),
        *(f"not in the outbox: {id_}" for id_ in published - written),
        *_broken_sequences(records),
        *_money_differences(dict(_rows(url, _CONFIRMED)), ledger),
    ]


def _in_flight(url: str) -> list[int]:
    counts = _rows(url, _IN_FLIGHT) + _rows(url, queries.COMPENSATING)
    return [count for (count,) in counts + _rows(url, queries.UNPUBLISHED)]


def _broken_sequences(records: Sequence[Record]) -> Iterator[str]:
    """Look at each event's first occurrence: a relay may publish it again, never out of order."""
    seen: set[str] = set()
    last: defaultdict[tuple[str, str], int] = defaultdict(int)
    for record in records:
        if record.sequence is None or record.id in seen:
            continue
        seen.add(record.id)
        aggregate = (record.source, record.subject)
        if record.sequence != last[aggregate] + 1:
            yield f"{aggregate}: {record.sequence} after {last[aggregate]}"
        last[aggregate] = record.sequence


def _money_differences(confirmed: Mapping[str, int], ledger: Sequence[LedgerEntry]) -> list[str]:
    held: defaultdict[str, list[int]] = defaultdict(list)
    for entry in ledger:
        if entry.live:
            held[entry.order_id].append(entry.amount)
    wanted = {order_id: [total] for order_id, total in confirmed.items()}
    return [
        f"{order_id}: held {held.get(order_id)}, confirmed {wanted.get(order_id)}"
        for order_id in held.keys() | wanted.keys()
        if held.get(order_id) != wanted.get(order_id)
    ]


def _rows(url: str, query: LiteralString) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()
