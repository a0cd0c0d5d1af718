"""Wall-clock time in UTC; order never comes from it."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the current time as an aware datetime in UTC."""
    return datetime.now(UTC)


def rfc3339(at: datetime) -> str:
    """Write a time as interfaces show it: RFC 3339, UTC, milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
