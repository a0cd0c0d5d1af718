"""One epoch over one pair of connections: read a window, publish it, move the cursor."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from itertools import islice
from time import monotonic
from typing import Final

from libs.foundation.database.connections import Connection, open_connection
from libs.foundation.messaging.relay import metrics, parking, requests, restore
from libs.foundation.messaging.relay.cursor import Cursor
from libs.foundation.messaging.relay.lease import Lease
from libs.foundation.messaging.relay.parking import ParkedKeys
from libs.foundation.messaging.relay.publisher import HeldBack, Publisher
from libs.foundation.messaging.relay.records import sampled_traceparent
from libs.foundation.messaging.relay.settings import RelaySettings
from libs.foundation.messaging.relay.windows import Limits, Window, WindowReader, open_windows
from libs.foundation.messaging.sql import outbox_windows
from libs.foundation.messaging.sql.outbox_windows import OutboxRow
from libs.foundation.observability.logs import get_logger
from libs.foundation.observability.tracing import LINKS_MAX, SpanKind, links_from, span

_log: Final = get_logger(__name__)

_PAUSE_GROWTH: Final = 1.5
_WRITE_MAX_S: Final = 3.0


class Step(StrEnum):
    """Moments between which a relay may die; tests let it die at each by name."""

    POLLED = "polled"
    READ = "read"
    PUBLISHED = "published"
    ADVANCED = "advanced"
    REQUEST_SERVED = "request-served"


Reached = Callable[[Step], None]


def nothing(_step: Step) -> None:
    """Let every step pass."""


class Session:
    """Publishes from the committed cursor on until it raises or is asked to stop."""

    def __init__(
        self,
        settings: RelaySettings,
        lease: Lease,
        publisher: Publisher,
        *,
        progressed: Callable[[], None],
        reached: Reached,
    ) -> None:
        self._settings = settings
        self._lease = lease
        self._publisher = publisher
        self._progressed = progressed
        self._reached = reached
        self._pause_ms = float(settings.poll_interval_min_ms)
        self._requests_due_s = 0.0

    async def run(self, is_stopping: Callable[[], bool]) -> None:
        """Publish until stopping; any error of a connection ends the session.

        A session is never resumed: another one starts from the committed cursor, because no
        snapshot in memory may outlive the connection it was taken on.
        """
        async with self._open() as (reading, writing):
            cursor = await restore.open_cursor(reading, writing, self._lease.epoch)
            parked = await parking.load(writing)
            metrics.PARKED_KEYS.set(len(parked))
            limits = Limits(
                window_rows_max=self._settings.window_rows_max,
                window_bytes_max=self._settings.window_bytes_max,
                backlog_rows_max=self._settings.backlog_rows_max,
            )
            async with open_windows(reading, cursor.committed, limits) as windows:
                while not is_stopping():
                    self._lease.check()
                    await self._serve_requests(writing, parked)
                    await self._turn(windows, cursor, parked)

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[tuple[Connection, Connection]]:
        async with (
            open_connection(self._settings.reading, "outbox-relay reader") as reading,
            open_connection(self._settings.writing, "outbox-relay cursor") as writing,
        ):
            await outbox_windows.tune(reading)
            yield reading, writing

    async def _turn(self, windows: WindowReader, cursor: Cursor, parked: ParkedKeys) -> None:
        """Deal with the next window, or pause longer and longer while there is none."""
        async with asyncio.timeout(self._settings.read_timeout_ms / 1_000):
            with metrics.READ.time():
                window = await windows.next()
        self._reached(Step.POLLED if window is None else Step.READ)
        if window is None:
            self._progressed()
            await asyncio.sleep(self._pause_ms / 1_000)
            longer_ms = self._pause_ms * _PAUSE_GROWTH
            self._pause_ms = min(longer_ms, self._settings.poll_interval_max_ms)
            return
        self._pause_ms = self._settings.poll_interval_min_ms
        await self._deliver(window, cursor, parked)
        self._progressed()

    async def _deliver(self, window: Window, cursor: Cursor, parked: ParkedKeys) -> None:
        free, queued = parked.split(window.rows)
        with metrics.PUBLISH.time():
            refused = await self._publish(free)
        self._reached(Step.PUBLISHED)
        held_back = [*queued, *refused]
        async with asyncio.timeout(_WRITE_MAX_S):
            await cursor.advance(
                window.after,
                len(window.rows),
                parking.new_keys(refused),
                parking.rows_to_park(held_back),
            )
        self._reached(Step.ADVANCED)
        if refused:
            parked.add(refused)
            metrics.PARKED_KEYS.set(len(parked))
            _log.error("keys_parked", keys=[each.key for each in parking.new_keys(refused)])
        metrics.count_window(window.rows, len(held_back))

    async def _publish(self, rows: Sequence[OutboxRow]) -> list[HeldBack]:
        sampled = (each for row in rows if (each := sampled_traceparent(row)) is not None)
        links = links_from(islice(sampled, LINKS_MAX))
        attributes = {"messaging.system": "kafka", "messaging.batch.message_count": len(rows)}
        with span("outbox publish", kind=SpanKind.PRODUCER, attributes=attributes, links=links):
            return await self._publisher.publish(rows, self._lease.check)

    async def _serve_requests(self, writing: Connection, parked: ParkedKeys) -> None:
        if monotonic() < self._requests_due_s:
            return
        desk = requests.Desk(
            connection=writing,
            publisher=self._publisher,
            parked=parked,
            epoch=self._lease.epoch,
            check_lease=self._lease.check,
            rows_max=self._settings.window_rows_max,
            bytes_max=self._settings.window_bytes_max,
            bulk_rows_per_s=self._settings.bulk_rows_per_s,
        )
        rest_s = await requests.serve_next(desk)
        if rest_s is None:
            self._requests_due_s = monotonic() + self._settings.request_poll_ms / 1_000
            return
        self._requests_due_s = monotonic() + rest_s
        metrics.PARKED_KEYS.set(len(parked))
        self._reached(Step.REQUEST_SERVED)
