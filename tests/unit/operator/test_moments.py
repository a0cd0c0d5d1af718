"""A moment is a time or an age, and numbers are written as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from services.operator import output
from services.operator.moments import moment

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("2h", NOW - timedelta(hours=2)),
        ("0s", NOW),
        ("1d", NOW - timedelta(days=1)),
        ("2026-11-23T08:00Z", NOW - timedelta(minutes=30)),
        ("2026-11-23T09:00+01:00", NOW - timedelta(minutes=30)),
        ("2026-11-23T08:00", NOW - timedelta(minutes=30)),
    ],
)
def test_a_time_and_an_age_are_read(text: str, expected: datetime) -> None:
    assert moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["yesterday", "90", "m", "-5m", "2026-13-01", ""])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time like"):
        moment(text, NOW)


def test_durations_sizes_and_rates_are_written_for_people() -> None:
    assert [output.seconds(value) for value in (None, 0.25, 119.0, 600.0, 86_400.0, 700_000.0)] == [
        "unknown",
        "0.2 s",
        "119.0 s",
        "10.0 min",
        "24.0 h",
        "8.1 d",
    ]
    assert [output.size(count) for count in (0, 9_999, 10_000, 45_000_000)] == [
        "0 B",
        "9999 B",
        "10 kB",
        "45 MB",
    ]
    assert [output.rate(value) for value in (None, 12.34)] == ["unknown", "12.3/s"]
