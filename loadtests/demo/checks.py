"""Compares the plan, made from the log alone, with what the platform left behind."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct

from loadtests.demo.evidence import Database, LedgerEntry, OrderRow, Record
from loadtests.demo.plan import Expected, Plan
from loadtests.demo.replay import Sent

_SHOWN_MAX: Final = 3


class Evidence(Struct, frozen=True, kw_only=True):
    """Everything a check may look at."""

    plan: Plan
    sent: Sequence[Sent]
    database: Database
    records: Sequence[Record]
    ledger: Sequence[LedgerEntry]

    def rows(self) -> dict[str, OrderRow]:
        """Orders by the shop's reference."""
        return {row.external_reference: row for row in self.database.orders}


class Verdict(Struct, frozen=True, kw_only=True):
    """One check: what was compared, and the first differences if it failed."""

    name: str
    detail: str
    differences: tuple[str, ...]

    @property
    def held(self) -> bool:
        """Whether nothing differed."""
        return not self.differences


def _verdict(name: str, detail: str, differences: Iterable[str]) -> Verdict:
    found = list(differences)
    shown = tuple(found[:_SHOWN_MAX])
    if len(found) > _SHOWN_MAX:
        shown += (f"... and {len(found) - _SHOWN_MAX} more",)
    return Verdict(name=name, detail=detail, differences=shown)


def every_order_accounted_for(evidence: Evidence) -> Verdict:
    """Each accepted request is one row with the request's total, and there is no other row."""
    rows = evidence.rows()
    differences = [
        f"row {sent.order.row}: answered {sent.answer.status}, not in the database"
        for sent in evidence.sent
        if sent.order.reference not in rows
    ]
    differences += [
        f"row {sent.order.row}: total {rows[sent.order.reference].total_minor}"
        for sent in evidence.sent
        if sent.order.reference in rows
        and rows[sent.order.reference].total_minor != sent.order.total
    ]
    if len(evidence.database.orders) != len(evidence.plan.orders):
        differences.append(
            f"{len(evidence.database.orders)} rows for {len(evidence.plan.orders)} requests"
        )
    return _verdict(
        "every order accounted for", f"{len(evidence.plan.orders):,} accepted", differences
    )


def outcomes_as_expected(evidence: Evidence) -> Verdict:
    """Compare each order's outcome with what the log says, row by row."""
    rows = evidence.rows()
    differences: list[str] = []
    for order in evidence.plan.orders:
        row = rows.get(order.reference)
        seen = "missing" if row is None else row.reason or row.status
        if seen not in _allowed(order.expected):
            differences.append(f"row {order.row}: {seen}, expected {order.expected}")
    certain = sum(order.expected is not Expected.CONTESTED for order in evidence.plan.orders)
    return _verdict(
        "confirmed or rejected as expected",
        f"{certain:,} known in advance, {len(evidence.plan.orders) - certain:,} contested",
        differences,
    )


def _allowed(expected: Expected) -> frozenset[str]:
    if expected is Expected.CONTESTED:
        return frozenset({"confirmed", "out_of_stock", "payment_declined"})
    return frozenset({expected.value})


def stock_equals_confirmed_units(evidence: Evidence) -> Verdict:
    """Pieces reserved = pieces of confirmed orders = the ledger; never more than were received."""
    rows = evidence.rows()
    confirmed: Counter[str] = Counter()
    for order in evidence.plan.orders:
        if order.reference in rows and rows[order.reference].status == "confirmed":
            confirmed.update(dict(order.lines))
    differences: list[str] = []
    for stock in evidence.database.stock:
        received = evidence.plan.stock.get(stock.sku, 0)
        figures = (stock.on_hand, stock.ledger_on_hand, stock.reserved, stock.ledger_reserved)
        wanted = (received, received, confirmed[stock.sku], confirmed[stock.sku])
        if figures != wanted or stock.reserved > received:
            differences.append(f"{stock.sku}: {figures}, expected {wanted}")
    known = {stock.sku for stock in evidence.database.stock}
    differences += [f"{sku}: sold without stock" for sku in confirmed if sku not in known]
    return _verdict(
        "stock reserved = units of confirmed orders",
        f"{sum(confirmed.values()):,} pieces of {len(known):,} articles",
        differences,
    )


def hot_articles_never_oversold(evidence: Evidence) -> Verdict:
    """Look at the articles with half their demand: not one piece too many is sold."""
    reserved = {row.sku: row.reserved for row in evidence.database.stock}
    sold = {sku: (reserved.get(sku, 0), evidence.plan.stock[sku]) for sku in evidence.plan.hot}
    differences = [
        f"{sku}: {pieces} of {received}"
        for sku, (pieces, received) in sold.items()
        if pieces > received
    ]
    detail = ", ".join(f"{sku} {pieces}/{received}" for sku, (pieces, received) in sold.items())
    return _verdict("most wanted articles never oversold", detail, differences)


def value_per_customer(evidence: Evidence) -> Verdict:
    """Sum what each customer bought: exact where no contested order blurs it, else bounded."""
    actual: Counter[str] = Counter()
    for row in evidence.database.orders:
        if row.status == "confirmed":
            actual[row.customer_id] += row.total_minor
    certain: Counter[str] = Counter()
    contested: Counter[str] = Counter()
    for order in evidence.plan.orders:
        if order.expected is Expected.CONFIRMED:
            certain[order.customer] += order.total
        elif order.expected is Expected.CONTESTED:
            contested[order.customer] += order.total
    customers = {order.customer for order in evidence.plan.orders}
    differences = [
        f"{customer}: {actual[customer]}, expected {certain[customer]} to "
        f"{certain[customer] + contested[customer]}"
        for customer in sorted(customers)
        if not certain[customer] <= actual[customer] <= certain[customer] + contested[customer]
    ]
    return _verdict(
        "confirmed value per customer",
        f"{len(customers):,} customers, {len(customers - contested.keys()):,} of them exact, "
        f"{sum(actual.values()) / 100:,.2f} USD",
        differences,
    )


def ledger_equals_database(evidence: Evidence) -> Verdict:
    """Live authorisations at the provider are exactly the confirmed orders that cost money."""
    live: dict[str, int] = {}
    differences: list[str] = []
    for entry in evidence.ledger:
        if entry.live and entry.order_id in live:
            differences.append(f"{entry.order_id}: two live authorisations")
        if entry.live:
            live[entry.order_id] = entry.amount
    wanted = {
        row.id: row.total_minor
        for row in evidence.database.orders
        if row.status == "confirmed" and row.total_minor > 0
    }
    differences += [
        f"{order_id}: provider {live.get(order_id)}, database {wanted.get(order_id)}"
        for order_id in live.keys() | wanted.keys()
        if live.get(order_id) != wanted.get(order_id)
    ]
    return _verdict(
        "the provider's ledger equals the database",
        f"{len(wanted):,} live authorisations, {len(evidence.ledger):,} in all",
        differences,
    )


def outbox_equals_topics(evidence: Evidence) -> Verdict:
    """Every outbox row is in Kafka, and Kafka holds nothing else."""
    published = {record.id for record in evidence.records}
    written = evidence.database.outbox_ids
    differences = [f"{missing}: not in Kafka" for missing in written - published]
    differences += [f"{phantom}: not in the outbox" for phantom in published - written]
    return _verdict(
        "every outbox row in Kafka, nothing else",
        f"{len(written):,} rows, {len(evidence.records):,} records",
        differences,
    )


def sequences_without_gap(evidence: Evidence) -> Verdict:
    """At first occurrence, the sequence of each aggregate runs 1, 2, 3 ... n."""
    seen: set[str] = set()
    last: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    differences: list[str] = []
    for record in evidence.records:
        if record.sequence is None or record.id in seen:
            continue
        seen.add(record.id)
        aggregate = (record.topic, record.source, record.subject)
        if record.sequence != last[aggregate] + 1:
            differences.append(f"{aggregate}: {record.sequence} after {last[aggregate]}")
        last[aggregate] = record.sequence
    return _verdict(
        "ce_sequence 1..n per aggregate",
        f"{len(last):,} aggregates, {len(seen):,} events",
        differences,
    )


def effects_once(evidence: Evidence) -> Verdict:
    """No order placed twice, no stock reserved twice, no gap in a timeline, nothing parked."""
    database = evidence.database
    differences = [
        f"{label}: {count}"
        for label, count in (
            ("reservations repeated", database.repeated_reservations),
            ("timelines broken", database.broken_timelines),
            ("messages parked", database.parked),
        )
        if count
    ]
    return _verdict("each effect once", f"{database.inbox_claims:,} inbox claims", differences)


def twins_identical(evidence: Evidence) -> Verdict:
    """Compare both answers to each request that was sent twice, byte by byte."""
    twins = [sent for sent in evidence.sent if sent.twin is not None]
    differences = [
        f"row {sent.order.row}: the answers differ"
        for sent in twins
        if sent.twin is not None and sent.twin.body != sent.answer.body
    ]
    return _verdict("twins answered with the same bytes", f"{len(twins):,} sent twice", differences)


CHECKS: Final[tuple[Callable[[Evidence], Verdict], ...]] = (
    every_order_accounted_for,
    outcomes_as_expected,
    stock_equals_confirmed_units,
    hot_articles_never_oversold,
    value_per_customer,
    ledger_equals_database,
    outbox_equals_topics,
    sequences_without_gap,
    effects_once,
    twins_identical,
)


def duplicates_absorbed(records: Sequence[Record]) -> int:
    """Count the records that repeat an earlier one: what the inbox had to drop."""
    return len(records) - len({record.id for record in records})
