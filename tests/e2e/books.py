"""Balances the books of a whole stack: tables, topics and the provider's own ledger."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, LiteralString, NamedTuple

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
        WHERE state IN ('queued', 'sent', 'accepted', 'unknown')
    UNION ALL SELECT count(*) FROM orders.shipments
        WHERE state = 'awaiting_capture' OR (stock_sent AND NOT stock_done)
    UNION ALL SELECT count(*) FROM orders.refunds
        WHERE state = 'pending' OR (stock_sent AND NOT stock_done)"""
# By what was shipped and refunded, not by the copies that orders keep of the payment's amounts.
_MONEY: Final = """
    SELECT o.id::text, CASE o.status WHEN 'confirmed' THEN o.total_minor ELSE 0 END AS held,
        coalesce((SELECT sum(amount_minor) FROM orders.shipments
            WHERE order_id = o.id AND state = 'released'), 0)::bigint AS captured,
        coalesce((SELECT sum(amount_minor) FROM orders.refunds
            WHERE order_id = o.id AND state = 'succeeded'), 0)::bigint AS refunded
    FROM orders.orders AS o"""
_RESERVED_TWICE: Final = """
    SELECT 'reserved twice ' || reference FROM inventory.movements WHERE kind = 'reserve'
    GROUP BY reference, sku HAVING count(*) > 1"""


class Sums(NamedTuple):
    """The money of one order in minor units; a whole order is in one shipment."""

    held: int = 0
    captured: int = 0
    refunded: int = 0


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
        *_money_differences({id_: Sums(*row) for id_, *row in _rows(url, _MONEY)}, ledger),
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


def _money_differences(orders: Mapping[str, Sums], ledger: Sequence[LedgerEntry]) -> list[str]:
    there: defaultdict[str, Sums] = defaultdict(Sums)
    for entry in ledger:
        sums = there[entry.order_id]
        open_ = entry.amount - entry.captured - entry.released if entry.live else 0
        there[entry.order_id] = Sums(
            sums.held + open_, sums.captured + entry.captured, sums.refunded + entry.refunded
        )
    return [
        f"{order_id}: the provider has {there[order_id]}, orders {orders.get(order_id)}"
        for order_id in there.keys() | orders.keys()
        if there[order_id] != orders.get(order_id)
    ]


def _rows(url: str, query: LiteralString) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()
