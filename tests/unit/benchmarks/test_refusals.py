"""A figure is refused when the generator, and not what it loads, decided it."""

import pytest

from loadtests.benchmarks import refusals


@pytest.mark.parametrize(("cores", "refused"), [(0.2, False), (0.9, False), (0.95, True)])
def test_a_saturated_generator_is_refused(cores: float, *, refused: bool) -> None:
    assert (refusals.busy_generator(cores) is not None) is refused


@pytest.mark.parametrize(("offered", "refused"), [(1_000, False), (990, False), (989, True)])
def test_a_load_that_was_not_offered_is_refused(offered: float, *, refused: bool) -> None:
    assert (refusals.missed_load(1_000, offered) is not None) is refused


@pytest.mark.parametrize(
    ("accepted", "other", "refused"),
    [(1_000, 0, False), (990, 10, False), (989, 11, True), (0, 5, True), (0, 0, True)],
)
def test_a_rate_of_something_else_than_acceptance_is_refused(
    accepted: int, other: int, *, refused: bool
) -> None:
    assert (refusals.other_answers(accepted, other) is not None) is refused


@pytest.mark.parametrize(
    ("written", "refused"),
    [(1_000, False), (1_030, False), (970, False), (1_031, True), (900, True)],
)
def test_a_count_that_the_database_does_not_confirm_is_refused(
    written: float, *, refused: bool
) -> None:
    assert (refusals.uncounted(1_000, written, tolerated=10) is not None) is refused


def test_the_first_reason_is_the_one_given() -> None:
    assert refusals.first(None, "slow", "wrong") == "slow"
    assert refusals.first(None, None) is None
