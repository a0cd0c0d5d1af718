"""Times of the domain: RFC 3339, UTC, milliseconds, the same everywhere."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from libs.foundation import clock


class Clock(datetime):
    """A clock that shows a fixed time."""

    shows = datetime(2026, 11, 23, 8, 0, 0, 123_999, UTC)

    @classmethod
    def now(cls, tz: object = None) -> datetime:
        return cls.shows


def test_now_is_utc_and_never_ahead_of_the_clock() -> None:
    before = datetime.now(UTC)

    now = clock.utc_now()

    assert now.tzinfo is UTC
    assert timedelta(0) <= now - before + timedelta(milliseconds=1) < timedelta(seconds=5)


def test_what_is_below_a_millisecond_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "datetime", Clock)

    assert clock.utc_now() == datetime(2026, 11, 23, 8, 0, 0, 123_000, UTC)


def test_a_time_is_the_same_in_a_message_and_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "datetime", Clock)
    now = clock.utc_now()

    in_message = msgspec.json.decode(msgspec.json.encode(now), type=datetime)

    assert in_message == datetime.fromisoformat(clock.rfc3339(now))


def test_a_time_is_shown_in_utc_with_milliseconds() -> None:
    berlin = timezone(timedelta(hours=1))

    assert clock.rfc3339(datetime(2026, 11, 23, 9, 0, tzinfo=berlin)) == "2026-11-23T08:00:00.000Z"
