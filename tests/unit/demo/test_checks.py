"""Each check of the demo holds on good books and fails on books with one mistake."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from loadtests.demo import checks
from loadtests.demo.checks import CHECKS, Evidence
from loadtests.demo.evidence import Database, LedgerEntry, OrderRow, Record, StockRow
from loadtests.demo.plan import Expected, Plan, PlannedOrder, Twin
from loadtests.demo.replay import Sent
from loadtests.demo.shop import Answer

AT = datetime(2026, 1, 1, tzinfo=UTC)


def order(row: int, expected: Expected, sku: str, twin: Twin = Twin.NO) -> PlannedOrder:
    return PlannedOrder(
        row=row,
        customer=f"cdnow-{row}",
        lines=((sku, 2),),
        total=200,
        token="tok_ok",
        expected=expected,
        twin=twin,
    )


def stored(row: int, status: str, reason: str | None = None) -> OrderRow:
    return OrderRow(
        id=f"order-{row}",
        external_reference=f"cdnow-{row:06d}",
        customer_id=f"cdnow-{row}",
        status=status,
        reason=reason,
        total_minor=200,
        authorised_minor=200 if status == "confirmed" else 0,
        version=2,
        placed_at=AT,
        final_at=AT,
    )


def record(number: int, subject: str, sequence: int | None) -> Record:
    return Record(
        topic="orders.events",
        id=f"event-{number}",
        source="/orderly/orders",
        subject=subject,
        sequence=sequence,
    )


def stock_row(sku: str, on_hand: int, reserved: int) -> StockRow:
    return StockRow(
        sku=sku,
        on_hand=on_hand,
        reserved=reserved,
        ledger_on_hand=on_hand,
        ledger_reserved=reserved,
    )


ANSWER = Answer(status=201, body=b"{}", seconds=0.01, attempts=1)


ORDERS = (
    order(1, Expected.CONFIRMED, "CD-100", Twin.AFTERWARDS),
    order(2, Expected.OUT_OF_STOCK, "CD-0"),
    order(3, Expected.DECLINED, "CD-100"),
    order(4, Expected.CONTESTED, "CD-hot"),
)
ROWS = (
    stored(1, "confirmed"),
    stored(2, "rejected", "out_of_stock"),
    stored(3, "rejected", "payment_declined"),
    stored(4, "confirmed"),
)
# Two events for each of the four orders.
RECORDS = tuple(
    record(number, f"order-{(number + 1) // 2}", (number + 1) % 2 + 1) for number in range(1, 9)
)


def good() -> Evidence:
    return Evidence(
        plan=Plan(
            orders=ORDERS,
            prices={"CD-100": 100},
            stock={"CD-100": 4, "CD-0": 0, "CD-hot": 2},
            hot=("CD-hot",),
        ),
        sent=tuple(
            Sent(
                order=one,
                answer=ANSWER,
                twin=ANSWER if one.twin is not Twin.NO else None,
                calm=False,
            )
            for one in ORDERS
        ),
        database=Database(
            orders=ROWS,
            stock=(stock_row("CD-100", 4, 2), stock_row("CD-hot", 2, 2)),
            outbox_ids=frozenset(one.id for one in RECORDS),
            broken_timelines=0,
            repeated_reservations=0,
            inbox_claims=8,
            parked=0,
        ),
        records=RECORDS,
        ledger=(
            LedgerEntry(order_id="order-1", amount=200, live=True),
            LedgerEntry(order_id="order-4", amount=200, live=True),
            LedgerEntry(order_id="order-3", amount=200, live=False),
        ),
    )


def with_database(books: Evidence, **changes: object) -> Evidence:
    return replace(books, database=replace(books.database, **changes))


def with_order(books: Evidence, index: int, **changes: object) -> Evidence:
    rows = list(books.database.orders)
    rows[index] = replace(rows[index], **changes)
    return with_database(books, orders=tuple(rows))


MISTAKES: list[tuple[str, Callable[[Evidence], Evidence]]] = [
    ("every_order_accounted_for", lambda b: with_database(b, orders=b.database.orders[1:])),
    ("every_order_accounted_for", lambda b: with_order(b, 0, total_minor=199)),
    ("outcomes_as_expected", lambda b: with_order(b, 1, status="confirmed", reason=None)),
    ("outcomes_as_expected", lambda b: with_order(b, 3, status="pending")),
    (
        "stock_equals_confirmed_units",
        lambda b: with_database(b, stock=(stock_row("CD-100", 4, 3), stock_row("CD-hot", 2, 2))),
    ),
    (
        "hot_articles_never_oversold",
        lambda b: with_database(b, stock=(stock_row("CD-100", 4, 2), stock_row("CD-hot", 2, 3))),
    ),
    ("value_per_customer", lambda b: with_order(b, 0, status="rejected")),
    ("value_per_customer", lambda b: with_order(b, 3, total_minor=201)),
    ("ledger_equals_database", lambda b: replace(b, ledger=b.ledger[1:])),
    ("ledger_equals_database", lambda b: replace(b, ledger=(*b.ledger, b.ledger[0]))),
    ("outbox_equals_topics", lambda b: replace(b, records=b.records[1:])),
    ("outbox_equals_topics", lambda b: replace(b, records=(*b.records, record(99, "x", 1)))),
    ("sequences_without_gap", lambda b: replace(b, records=b.records[1:])),
    ("sequences_without_gap", lambda b: replace(b, records=tuple(reversed(b.records)))),
    ("effects_once", lambda b: with_database(b, repeated_reservations=1)),
    ("effects_once", lambda b: with_database(b, broken_timelines=1)),
    ("effects_once", lambda b: with_database(b, parked=1)),
    (
        "twins_identical",
        lambda b: replace(b, sent=(replace(b.sent[0], twin=replace(ANSWER, body=b"{ }")),)),
    ),
]


def test_good_books_pass_every_check() -> None:
    assert [verdict.differences for verdict in (check(good()) for check in CHECKS)] == [()] * 10


@pytest.mark.parametrize(("name", "spoil"), MISTAKES)
def test_one_mistake_fails_its_check(name: str, spoil: Callable[[Evidence], Evidence]) -> None:
    verdict = getattr(checks, name)(spoil(good()))

    assert not verdict.held


def test_a_repeated_record_is_a_duplicate_and_breaks_no_order() -> None:
    books = good()
    repeated = replace(books, records=(*books.records, books.records[0]))

    assert checks.sequences_without_gap(repeated).held
    assert checks.duplicates_absorbed(repeated.records) == 1
