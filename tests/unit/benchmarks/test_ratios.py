"""A ratio is the median of the rounds' ratios, or there is none and a reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.benchmarks.ratios import result_of
from loadtests.benchmarks.rows import Better
from tests.unit.benchmarks.measured import row, sample, samples

rates = st.floats(min_value=0.1, max_value=1e6)


def test_the_median_is_of_the_ratios_and_not_the_ratio_of_the_medians() -> None:
    turns = samples([10, 40, 30], [1, 40, 10])

    result = result_of(row(), turns, {}, rounds=3)

    assert result.ratios == [10, 1, 3]
    assert result.median == 3
    assert (result.lowest, result.highest) == (1, 10)
    assert result.spread == pytest.approx(3)


def test_figures_of_different_rounds_are_never_divided() -> None:
    turns = samples([10, None, 30], [None, 20, 10])

    result = result_of(row(once=True), turns, {}, rounds=3)

    assert result.ratios == [3]


@given(pairs=st.lists(st.tuples(rates, rates), min_size=5, max_size=5))
def test_a_slower_machine_changes_no_ratio(pairs: list[tuple[float, float]]) -> None:
    turns = samples([over for over, _ in pairs], [under for _, under in pairs])
    slower = samples([over / 2 for over, _ in pairs], [under / 2 for _, under in pairs])

    assert result_of(row(), slower, {}, 5).median == result_of(row(), turns, {}, 5).median


def test_two_of_five_rounds_are_too_few_for_a_median() -> None:
    turns = samples([10, 10, None, None, None], [5, 5, 5, 5, 5])

    result = result_of(row(), turns, {}, rounds=5)

    assert result.median is None
    assert result.met is None
    assert result.reasons == [
        f"ours, round {number}: the generator was slow" for number in (3, 4, 5)
    ]


def test_three_of_five_rounds_are_enough_and_the_others_are_explained() -> None:
    turns = samples([10, 10, 10, None, None], [5, 5, 5, 5, 5])

    result = result_of(row(), turns, {}, rounds=5)

    assert result.median == 2
    assert len(result.reasons) == 2


def test_a_row_that_is_measured_once_needs_one_round() -> None:
    result = result_of(row(once=True), samples([10], [5]), {}, rounds=5)

    assert result.median == 2


def test_a_contender_that_never_ran_is_named_with_its_reason() -> None:
    result = result_of(row(), samples([10], []), {"theirs": "there is no JVM"}, rounds=1)

    assert result.median is None
    assert result.reasons == ["theirs: there is no JVM"]


def test_a_failed_turn_is_named_with_its_reason() -> None:
    turns = [sample("ours", 0, 10), sample("theirs", 0, 5, failure="it ended")]

    result = result_of(row(), turns, {}, rounds=1)

    assert result.reasons == ["theirs, round 1: it ended"]


def test_a_figure_that_is_missing_without_a_reason_is_counted() -> None:
    result = result_of(row(), [sample("ours", 0, 10)], {}, rounds=1)

    assert result.reasons == ["0 of 1 rounds have both figures, 1 are needed"]


@pytest.mark.parametrize(
    ("better", "over", "met"),
    [
        (Better.AT_LEAST, 10.0, True),
        (Better.AT_LEAST, 9.9, False),
        (Better.AT_MOST, 10.0, True),
        (Better.AT_MOST, 10.1, False),
    ],
)
def test_the_goal_itself_is_met_and_the_wrong_side_is_not(
    better: Better, over: float, *, met: bool
) -> None:
    result = result_of(row(goal=2, better=better), samples([over], [5]), {}, rounds=1)

    assert result.met is met


def test_a_rate_of_zero_divides_nothing() -> None:
    result = result_of(row(), samples([10], [0]), {}, rounds=1)

    assert result.median is None
