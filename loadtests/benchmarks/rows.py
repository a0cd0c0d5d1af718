"""The rows of the comparison: which figure of which contender is divided by which, and the goal."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct


class Better(StrEnum):
    """On which side of the goal a ratio should lie."""

    AT_LEAST = "at least"
    AT_MOST = "at most"


class Figure(Struct, frozen=True):
    """One number that a contender measures in each round."""

    contender: str
    name: str = "rate"


class Row(Struct, frozen=True, kw_only=True):
    """A ratio, its goal, and what it says in words."""

    key: str
    over: Figure
    under: Figure
    goal: float
    better: Better = Better.AT_LEAST
    measured: str
    beside: str
    once: bool = False
    """Measured in one round only, because it takes long."""

    def meets(self, ratio: float) -> bool:
        return ratio >= self.goal if self.better is Better.AT_LEAST else ratio <= self.goal


ROWS: Final = (
    Row(
        key="api_vs_pgbench",
        over=Figure("api"),
        under=Figure("pgbench_orders"),
        goal=1.5,
        measured="accepted orders/s over HTTP: authentication, validation, prices, telemetry",
        beside="pgbench, one order a transaction, same reads and writes, best client count",
    ),
    Row(
        key="api_vs_fastapi",
        over=Figure("api"),
        under=Figure("fastapi"),
        goal=10,
        measured="the same",
        beside="FastAPI and SQLAlchemy on asyncpg, same tables and checks",
    ),
    Row(
        key="api_vs_hello",
        over=Figure("api"),
        under=Figure("hello"),
        goal=0.45,
        measured="the same",
        beside="a Litestar handler that only decodes the same body",
    ),
    Row(
        key="api_without_authentication_vs_hello",
        over=Figure("api_without_authentication"),
        under=Figure("hello"),
        goal=0.6,
        measured="accepted orders/s by an API that believes every caller",
        beside="the same Litestar handler",
    ),
    Row(
        key="telemetry",
        over=Figure("api"),
        under=Figure("api_without_telemetry"),
        goal=0.9,
        measured="accepted orders/s with logs, metrics and traces as they are by default",
        beside="the same API without them",
    ),
    Row(
        key="relay_vs_debezium",
        over=Figure("relay"),
        under=Figure("debezium"),
        goal=6,
        measured="events/s out of a backlog, 500 bytes and nine headers, until all are acked",
        beside="Debezium's outbox router, same headers, tuned and warm",
    ),
    Row(
        key="relay_vs_debezium_large",
        over=Figure("relay", "large_rate"),
        under=Figure("debezium", "large_rate"),
        goal=6,
        measured="the same out of a backlog five times as large",
        beside="Debezium, the same backlog",
        once=True,
    ),
    Row(
        key="relay_vs_send_batch",
        over=Figure("relay"),
        under=Figure("send_batch"),
        goal=0.5,
        measured="events/s out of a backlog",
        beside="a bare loop of aiokafka's send_batch over the same bytes in memory",
    ),
    Row(
        key="relay_p99_vs_debezium",
        over=Figure("relay", "p99_ms"),
        under=Figure("debezium", "p99_ms"),
        goal=0.25,
        better=Better.AT_MOST,
        measured="p99 from commit to consumer at half of what Debezium can do",
        beside="Debezium under the same load",
    ),
    Row(
        key="relay_vs_skip_locked",
        over=Figure("relay"),
        under=Figure("skip_locked"),
        goal=5,
        measured="events/s out of a backlog",
        beside="two relays with SKIP LOCKED and DELETE",
    ),
    Row(
        key="relay_pinned_xmin",
        over=Figure("relay_pinned"),
        under=Figure("relay"),
        goal=0.95,
        measured="events/s out of a backlog, behind a long history, one transaction held open",
        beside="the relay without either",
    ),
    Row(
        key="worker_vs_pgbench",
        over=Figure("worker"),
        under=Figure("pgbench_worker"),
        goal=0.6,
        measured="commands/s of the inventory worker, with inbox and effects",
        beside="pgbench with the same batched statements, best client count",
    ),
    Row(
        key="hot_sku",
        over=Figure("worker_hot"),
        under=Figure("pgbench_hot"),
        goal=2,
        measured="reservations/s of one SKU by the inventory worker",
        beside="pgbench, one atomic UPDATE of that row a transaction, best client count",
    ),
    Row(
        key="hot_sku_vs_spread",
        over=Figure("worker_hot"),
        under=Figure("worker_hot", "spread_rate"),
        goal=0.8,
        measured="reservations/s of one SKU",
        beside="the same commands over 1,000 SKUs",
    ),
    Row(
        key="end_to_end_vs_pgbench",
        over=Figure("end_to_end"),
        under=Figure("pgbench_orders"),
        goal=0.3,
        measured="orders/s from HTTP to confirmed, all processes and the payment simulator",
        beside="pgbench, one order a transaction",
    ),
    Row(
        key="overload",
        over=Figure("overload", "goodput_at_double"),
        under=Figure("overload", "goodput_at_capacity"),
        goal=0.75,
        measured="accepted orders/s at twice the capacity",
        beside="accepted orders/s at the capacity",
    ),
    Row(
        key="overload_p99",
        over=Figure("overload", "p99_at_double_ms"),
        under=Figure("overload", "p99_at_capacity_ms"),
        goal=3,
        better=Better.AT_MOST,
        measured="p99 of accepted orders at twice the capacity",
        beside="p99 of accepted orders at the capacity",
    ),
)


class UnknownRow(ValueError):
    """A row was asked for that does not exist."""


def chosen(names: Iterable[str]) -> Sequence[Row]:
    """Return the rows named, in the table's order; all if none is named."""
    wanted = set(names)
    unknown = wanted - {row.key for row in ROWS}
    if unknown:
        known = ", ".join(row.key for row in ROWS)
        raise UnknownRow(f"no row is called {', '.join(sorted(unknown))}; there are {known}")
    return [row for row in ROWS if not wanted or row.key in wanted]
