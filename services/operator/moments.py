"""Reads a moment as people type it: a time, or how long ago."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_AGO: Final = re.compile(r"(\d+)([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(text: str, now: datetime) -> datetime:
    """Return the moment; a time without a zone is UTC. Raises ValueError when it is neither."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text} is no time like 2026-11-23T08:00Z and no age like 90m") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
