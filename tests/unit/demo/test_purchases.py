"""The purchase log is read exactly, and rows that are no purchase are listed."""

import pytest

from loadtests.demo.purchases import MalformedRowError, parse

HEADER = " customer_id  date number_of_cds  dollar_value"


def test_rows_become_purchases_in_the_order_they_were_made() -> None:
    log = parse(f"{HEADER}\n 00002 19970112  5   77.00\n 00001 19970101  1   11.77\n")

    read = [(p.row, p.customer, p.quantity, p.value_cents) for p in log.purchases]

    assert read == [(2, "00001", 1, 1177), (1, "00002", 5, 7700)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("00001 19970101 0 11.77", "quantity is 0"),
        ("00001 19970101 1", "3 columns instead of 4"),
        ("00001 19970101 one 11.77", "quantity and date must be digits"),
        ("00001 19970101 -1 11.77", "quantity and date must be digits"),
        ("00001 19970101 1 11.7", "value '11.7' is not dollars and cents"),
        ("00001 19970101 1 -1.00", "value '-1.00' is not dollars and cents"),
        ("00001 19970101 1 1e3", "value '1e3' is not dollars and cents"),
    ],
)
def test_a_row_that_is_no_purchase_is_listed_as_skipped(line: str, reason: str) -> None:
    log = parse(f"{HEADER}\n{line}\n00002 19970112 1 12.00\n")

    assert [(skipped.row, skipped.reason) for skipped in log.skipped] == [(1, reason)]
    assert [purchase.row for purchase in log.purchases] == [2]


def test_a_changed_header_is_refused() -> None:
    with pytest.raises(MalformedRowError, match="header"):
        parse("date customer_id number_of_cds dollar_value\n")
