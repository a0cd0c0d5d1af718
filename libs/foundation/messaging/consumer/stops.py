"""Tells people that this process parks no more, and lets it go on when they ask for it."""

from typing import Final

from libs.foundation.database.transaction import Transaction
from libs.foundation.messaging.consumer.metrics import PARKING_STOPPED
from libs.foundation.messaging.parking import ParkingBudget
from libs.foundation.messaging.quarantine.failures import author
from libs.foundation.messaging.sql import parking_stops
from libs.foundation.observability.logs import get_logger

_log: Final = get_logger(__name__)


class StopDesk:
    """One row for each stop of this process: how the `orderly` command learns of it."""

    def __init__(self, consumer: str, budget: ParkingBudget) -> None:
        self._consumer = consumer
        self._budget = budget
        self._stop_id: int | None = None

    async def look(self, tx: Transaction) -> bool:
        """Tell of a stop that is new; True when it may end: `resume` once this has committed."""
        may_end = False
        if not self._budget.exhausted:
            self._stop_id = None
        elif self._stop_id is None:
            self._stop_id = await parking_stops.open_stop(
                tx, self._consumer, author().process, self._budget.keys_max
            )
        else:
            may_end = await parking_stops.end_if_asked(tx, self._stop_id)
        await parking_stops.close_asked(tx, self._consumer)
        return may_end

    def resume(self) -> None:
        """Park again."""
        self._stop_id = None
        self._budget.resume()
        PARKING_STOPPED.set(0)
        _log.info("parking_resumed", consumer=self._consumer)
