"""What runs beside the relay: measuring the backlog, making and dropping partitions."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

import psycopg

from libs.foundation.database.connections import Connection, open_connection
from libs.foundation.messaging.definitions import Stopping
from libs.foundation.messaging.relay import metrics
from libs.foundation.messaging.relay.settings import RelaySettings
from libs.foundation.messaging.sql import outbox_cursor, outbox_windows, partitions
from libs.foundation.messaging.sql.partitions import Parent
from libs.foundation.observability.logs import get_logger

_log: Final = get_logger(__name__)

_BACKLOG_ROWS_MAX: Final = 100_000
_EXPIRED_ROWS_MAX: Final = 1_000


class Upkeep:
    """Measures in every process, also in standbys; keeps house only while it leads."""

    def __init__(self, settings: RelaySettings, is_leading: Callable[[], bool]) -> None:
        self._settings = settings
        self._is_leading = is_leading
        self._housekeeping_due_s = 0.0

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
            await measure(connection)
            if self._is_leading() and monotonic() >= self._housekeeping_due_s:
                await keep_house(connection, self._settings)
                self._housekeeping_due_s = monotonic() + self._settings.housekeeping_ms / 1_000
            await self._pause(stopping)

    async def _pause(self, stopping: Stopping) -> None:
        try:
            async with asyncio.timeout(self._settings.observation_ms / 1_000):
                await stopping.wait()
        except TimeoutError:
            return


async def measure(connection: Connection) -> None:
    """Set the gauges of what is not published; without a cursor they keep their last value."""
    row = await outbox_cursor.latest(connection)
    if row is None:
        return
    found = await outbox_windows.backlog(
        connection, row.prev, row.cur, row.last_seq, rows_max=_BACKLOG_ROWS_MAX
    )
    metrics.BACKLOG_ROWS.set(found.rows)
    metrics.OLDEST.set(found.oldest_s)


async def keep_house(connection: Connection, settings: RelaySettings) -> None:
    """Make partitions ahead, then drop what is old; each step stands alone."""
    made = await partitions.make_ahead(connection, settings.partitions_ahead_hours)
    dropped = [
        *await _drop_all(connection, "outbox", settings.outbox_kept_hours),
        *await _drop_all(connection, "outbox_cursor", settings.outbox_kept_hours),
        *await _drop_all(connection, "inbox", settings.inbox_kept_hours),
    ]
    keys = await _expire_keys(connection, settings.idempotency_kept_hours)
    buckets = await _expire_buckets(connection)
    if made or dropped or keys or buckets:
        _log.info(
            "house_kept",
            partitions_made=made,
            dropped=dropped,
            keys_expired=keys,
            buckets_expired=buckets,
        )


async def _drop_all(connection: Connection, parent: Parent, keep_hours: int) -> list[str]:
    """Drop old partitions one by one; stop at the first that is busy or still needed."""
    dropped: list[str] = []
    try:
        while name := await partitions.drop_oldest(connection, parent, keep_hours):
            dropped.append(name)
    except psycopg.errors.LockNotAvailable:
        _log.info("partition_busy", parent=parent)
    except psycopg.errors.ObjectInUse as error:
        metrics.HOUSEKEEPING_FAILED.inc()
        _log.warning("partition_still_needed", parent=parent, error=str(error))
    return dropped


async def _expire_keys(connection: Connection, keep_hours: int) -> int:
    expired = 0
    while count := await partitions.expire_idempotency_keys(
        connection, keep_hours, _EXPIRED_ROWS_MAX
    ):
        expired += count
    return expired


async def _expire_buckets(connection: Connection) -> int:
    expired = 0
    while count := await partitions.expire_quota_buckets(connection, _EXPIRED_ROWS_MAX):
        expired += count
    return expired
