"""Marks become shares: nothing below the soft one, everything from the hard one on, no flapping."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.foundation.web.pressure import (
    AdmissionSettings,
    Level,
    Marks,
    Pressure,
    Signal,
    Valve,
)

MARKS = Marks(soft=100.0, hard=500.0)


def valve() -> Valve:
    return Valve(MARKS, resume_ratio=0.8)


def levels(*values: float) -> list[Level]:
    one, found = valve(), list[Level]()
    for value in values:
        one.read(value)
        found.append(one.level)
    return found


def test_below_the_soft_mark_nothing_is_shed() -> None:
    one = valve()

    one.read(99.9)

    assert (one.level, one.share) == (Level.OPEN, 0.0)


def test_between_the_marks_the_share_grows_with_the_reading() -> None:
    one = valve()
    shares: list[float] = []
    for value in (100, 200, 300, 400, 499):
        one.read(value)
        shares.append(one.share)

    assert one.level is Level.SHEDDING
    assert all(0 < low < high < 1 for low, high in pairwise(shares))


def test_from_the_hard_mark_on_everything_is_shed() -> None:
    one = valve()

    one.read(500)

    assert (one.level, one.share) == (Level.CLOSED, 1.0)


def test_a_reading_that_swings_around_a_mark_does_not_flap() -> None:
    assert levels(101, 99, 101, 85, 81) == [Level.SHEDDING] * 5
    assert levels(501, 499, 450, 401) == [Level.CLOSED] * 4


def test_a_mark_is_taken_back_well_below_it() -> None:
    assert levels(500, 399, 100, 80, 79) == [
        Level.CLOSED,
        Level.SHEDDING,
        Level.SHEDDING,
        Level.SHEDDING,
        Level.OPEN,
    ]


@given(st.lists(st.floats(min_value=0, max_value=1_000), min_size=2, max_size=50))
def test_levels_change_only_outside_of_the_bands(values: list[float]) -> None:
    one = valve()
    for value in values:
        before = one.level
        one.read(value)

        assert 0.0 <= one.share <= 1.0
        assert (one.share == 1.0) == (one.level is Level.CLOSED)
        if 80 <= value < 100:
            assert (before is Level.OPEN) == (one.level is Level.OPEN)
        if 400 <= value < 500:
            assert (before is Level.CLOSED) == (one.level is Level.CLOSED)


@given(st.floats(min_value=0, max_value=1), st.integers(min_value=1, max_value=500))
def test_of_any_writes_in_a_row_exactly_the_share_is_shed(share: float, writes: int) -> None:
    pressure = Pressure(AdmissionSettings())
    pressure.share = share

    shed = sum(pressure.sheds_next() for _ in range(writes))

    assert abs(shed - share * writes) <= 1 + 1e-6


def test_the_signal_that_demands_the_most_decides_and_is_named() -> None:
    pressure = Pressure(AdmissionSettings())

    pressure.read({Signal.OUTBOX_AGE: 301.0, Signal.OUTBOX_BYTES: 4_000_000_000.0})

    assert pressure.signal is Signal.OUTBOX_BYTES
    assert pressure.level is Level.SHEDDING
    assert pressure.share > 0.9


def test_a_signal_without_a_new_reading_keeps_its_last() -> None:
    pressure = Pressure(AdmissionSettings())
    pressure.read({Signal.OUTBOX_AGE: 900.0})

    pressure.read({Signal.UNANSWERED: 1.0})

    assert (pressure.level, pressure.signal) == (Level.CLOSED, Signal.OUTBOX_AGE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"outbox_age_soft_ms": 900_000},
        {"unanswered_soft_ms": 400},
        {"retry_after_min_s": 16},
    ],
)
def test_marks_that_contradict_each_other_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must"):
        AdmissionSettings(**wrong)
