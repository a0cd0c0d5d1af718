"""What runs beside the relay, leading or not: measuring, and keeping the house in order."""

import asyncio
from typing import Final

import psycopg

from libs.foundation.database.connections import Connection, open_connection
from libs.foundation.messaging.definitions import Stopping
from libs.foundation.messaging.relay import metrics
from libs.foundation.messaging.relay.chores import keep_house
from libs.foundation.messaging.relay.settings import RelaySettings
from libs.foundation.messaging.sql import (
    outbox_cursor,
    outbox_status,
    outbox_windows,
    upkeep_rounds,
)
from libs.foundation.messaging.status.partitions import partitions_of_all
from libs.foundation.observability.logs import get_logger

_log: Final = get_logger(__name__)

_BACKLOG_ROWS_MAX: Final = 100_000
_SCHEMA: Final = "messaging."


class Upkeep:
    """Runs in every relay: with the broker away none leads, and partitions must not run out."""

    def __init__(self, settings: RelaySettings) -> None:
        self._settings = settings

    async def run(self, stopping: Stopping) -> None:
        """Run until stopping; a failure is counted and tried again in the next round."""
        while not stopping.is_set():
            try:
                async with open_connection(self._settings.database, "outbox-relay upkeep") as one:
                    await outbox_windows.tune(one)
                    await self._rounds(one, stopping)
            except (psycopg.Error, OSError) as error:
                metrics.HOUSEKEEPING_FAILED.inc()
                _log.warning("upkeep_failed", error=str(error))
                await self._pause(stopping)

    async def _rounds(self, connection: Connection, stopping: Stopping) -> None:
        while not stopping.is_set():
            await keep_house(connection, self._settings, await measure_partitions(connection))
            await measure(connection)
            await self._pause(stopping)

    async def _pause(self, stopping: Stopping) -> None:
        try:
            async with asyncio.timeout(self._settings.observation_ms / 1_000):
                await stopping.wait()
        except TimeoutError:
            return


async def measure(connection: Connection) -> None:
    """Set the gauges of what is not published, and of when chores last succeeded.

    Without a cursor those of the outbox keep their last value.
    """
    for chore in await upkeep_rounds.ages(connection):
        if chore.age_s is not None:
            metrics.CHORE_AGE.of(chore.chore).set(chore.age_s)
    row = await outbox_cursor.latest(connection)
    if row is None:
        return
    found = await outbox_status.backlog(
        connection, row.prev, row.cur, row.last_seq, _BACKLOG_ROWS_MAX
    )
    metrics.BACKLOG_ROWS.set(sum(each.rows for each in found))
    metrics.OLDEST.set(max((each.oldest_s for each in found), default=0.0))


async def measure_partitions(connection: Connection) -> dict[str, float]:
    """Return, and show, for how many seconds from now each of our tables takes rows."""
    found = await partitions_of_all(connection)
    ahead_s = {table.name.removeprefix(_SCHEMA): table.ahead_s for table in found.tables}
    for name, seconds in ahead_s.items():
        metrics.PARTITIONS_AHEAD.of(name).set(seconds)
    return ahead_s
