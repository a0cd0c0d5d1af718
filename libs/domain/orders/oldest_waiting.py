"""How long the oldest order has been waiting for its saga: what the door of the API looks at."""

from datetime import UTC, datetime, timedelta
from typing import Final

from libs.domain.orders.sql import orders_waiting
from libs.foundation.database.connections import Connection

# Longer than any transaction that places orders: what became visible late is not passed over.
_OVERLAP: Final = timedelta(minutes=1)
# An order whose flag was taken away waits again, and is older than where the last answer was.
_QUESTIONS_PER_SWEEP: Final = 60
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class OldestWaiting:
    """Asks on from where the last answer was, and from the beginning once in a while."""

    def __init__(self) -> None:
        self._since = _EVER
        self._questions = 0

    async def age_s(self, connection: Connection) -> float:
        """Return the age of the oldest pending order that nobody was called to, 0 without one."""
        sweeps = self._questions % _QUESTIONS_PER_SWEEP == 0
        self._questions += 1
        found = await orders_waiting.oldest(connection, _EVER if sweeps else self._since)
        oldest_at = found.oldest_at or found.now
        self._since = oldest_at - _OVERLAP
        return max(0.0, (found.now - oldest_at).total_seconds())
