"""The function that splits money."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.money import AMOUNT_MAX
from libs.domain.orders.share import share

TOTALS = st.integers(0, AMOUNT_MAX)
QUANTITIES = st.integers(1, 9_999)


def test_a_total_that_does_not_divide_gives_the_rest_to_the_last_units() -> None:
    assert [share(1_000, 3, unit, unit + 1) for unit in range(3)] == [333, 333, 334]


@given(TOTALS, QUANTITIES, st.data())
def test_any_history_of_parts_sums_to_the_total(
    total: int, quantity: int, data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(0, quantity), max_size=10))
    ends = sorted({0, quantity, *cuts})

    parts = [share(total, quantity, first, end) for first, end in pairwise(ends)]

    assert sum(parts) == total


@given(TOTALS, QUANTITIES, st.data())
def test_a_part_is_never_negative_and_within_one_of_its_exact_value(
    total: int, quantity: int, data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, quantity))
    end = data.draw(st.integers(first, quantity))

    part = share(total, quantity, first, end)

    assert part >= 0
    assert abs(part * quantity - total * (end - first)) < quantity
