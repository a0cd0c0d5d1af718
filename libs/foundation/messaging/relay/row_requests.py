"""Carries out what operators ask for rows of the outbox, beside publishing and in small steps."""

import asyncio
from collections.abc import Callable
from typing import Final

import psycopg

from libs.foundation.database.connections import Connection, open_connection
from libs.foundation.messaging.definitions import Stopping
from libs.foundation.messaging.relay import metrics
from libs.foundation.messaging.relay.requests import OWNER
from libs.foundation.messaging.relay.settings import RelaySettings
from libs.foundation.messaging.sql import row_requests
from libs.foundation.observability.logs import get_logger

_log: Final = get_logger(__name__)

# Rows looked at in one step, whether they are chosen or not: some tens of milliseconds.
_SCANNED_MAX: Final = 20_000
_WAIT_FIRST_S: Final = 0.01
_WAIT_GROWTH: Final = 1.5
_WAIT_MAX_S: Final = 1.0


class RowRequests:
    """Runs while this process leads, though a second one could do no harm.

    A step is one transaction, under the lock of the request's row, and its position is in that
    row: a relay that dies or is paused repeats nothing and leaves nothing out.
    """

    def __init__(self, settings: RelaySettings, is_leading: Callable[[], bool]) -> None:
        self._settings = settings
        self._is_leading = is_leading
        self._wait_s = _WAIT_FIRST_S

    async def run(self, stopping: Stopping) -> None:
        """Run until stopping; what the database refuses is tried again."""
        while not stopping.is_set():
            if self._is_leading():
                try:
                    async with open_connection(
                        self._settings.database, "outbox-relay row requests"
                    ) as one:
                        await self._serve(one, stopping)
                except (psycopg.Error, OSError) as error:
                    _log.warning("row_request_waits", error=str(error))
            await _pause(stopping, self._settings.request_poll_ms / 1_000)

    async def _serve(self, connection: Connection, stopping: Stopping) -> None:
        while self._is_leading() and not stopping.is_set():
            await _pause(stopping, await self.step(connection))

    async def step(self, connection: Connection) -> float:
        """Do one step of the oldest request, and return how long to wait before the next."""
        while await row_requests.stop_asked(connection, OWNER):
            _log.info("row_request_stopped")
        request = await row_requests.oldest(connection, OWNER)
        if request is None:
            return self._settings.request_poll_ms / 1_000
        done = await row_requests.step(
            connection, request.id, self._settings.replay_rows_max, _SCANNED_MAX
        )
        metrics.ROW_REQUEST_ROWS.of(request.verb).inc(done.touched)
        match done.state:
            case "stepped":
                self._wait_s = _WAIT_FIRST_S
                return 0.0
            case "finished":
                self._wait_s = _WAIT_FIRST_S
                _log.info("row_request_finished", verb=request.verb, request=str(request.id))
                return 0.0
            case "resting":
                return min(done.wait_s, _WAIT_MAX_S)
            case _:
                self._wait_s = min(self._wait_s * _WAIT_GROWTH, _WAIT_MAX_S)
                return self._wait_s


async def _pause(stopping: Stopping, pause_s: float) -> None:
    try:
        async with asyncio.timeout(pause_s):
            await stopping.wait()
    except TimeoutError:
        return
