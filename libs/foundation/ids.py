"""Identifiers: UUIDv7, made in the application, sortable by the millisecond they were made in."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

_VERSION: Final = 7
_TIMESTAMP_SHIFT_BITS: Final = 80


def new_id() -> UUID:
    """Return a new UUIDv7; ids made by one process rise."""
    return uuid7()


def is_time_ordered(identifier: UUID) -> bool:
    """Say whether `identifier` is a UUIDv7, so that its time can be read."""
    return identifier.version == _VERSION


def first_id_at(moment: datetime) -> UUID:
    """Return the smallest UUIDv7-shaped value of `moment`: a bound for ranges, never an id."""
    return UUID(int=int(moment.timestamp() * 1_000) << _TIMESTAMP_SHIFT_BITS)


def time_of(identifier: UUID) -> datetime | None:
    """Return when a UUIDv7 was made; None for any other id."""
    if not is_time_ordered(identifier):
        return None
    return datetime.fromtimestamp((identifier.int >> _TIMESTAMP_SHIFT_BITS) / 1_000, UTC)
