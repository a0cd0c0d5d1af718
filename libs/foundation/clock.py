"""Wall-clock time in UTC; order never comes from it."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the current time, aware, in UTC, to the millisecond.

    What is stored, sent and shown is this value: with microseconds in one of them, a time read
    from an event would differ from the same time read over HTTP.
    """
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1_000 * 1_000)


def rfc3339(at: datetime) -> str:
    """Write a time as interfaces show it: RFC 3339, UTC, milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
