"""Walks over a stretch of time, minute by minute: the rows of the outbox, then the records."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.messaging.reconciliation.comparing import (
    Comparison,
    Difference,
    Record,
    TopicCounts,
    made_at,
)
from libs.foundation.messaging.reconciliation.log import TopicLog, open_log
from libs.foundation.messaging.sql import reconciliations, row_previews
from libs.foundation.messaging.sql.journeys import Span
from libs.foundation.messaging.sql.reconciliations import Published
from libs.foundation.settings import KafkaSettings

_STEP: Final = timedelta(minutes=1)
# A transaction may last 30 s, and clocks differ.
_MARGIN: Final = timedelta(minutes=1)
_DEFAULT: Final = timedelta(hours=1)
# How long after the stretch the record of a row may come: a relay may have been away.
_LATE: Final = timedelta(hours=1)
_PAGE_ROWS_MAX: Final = 10_000
_WAITING_ROWS_MAX: Final = 100_000


class ReconcileRefused(Exception):
    """What is asked for cannot be had; the text says why and what helps."""


class Stretch(Struct, frozen=True, kw_only=True):
    """What is compared; a moment that is not given is chosen."""

    since: datetime | None = None
    until: datetime | None = None
    topics: tuple[str, ...]


class Reconciliation(Struct, frozen=True, kw_only=True):
    """What came of it; `stopped` is why it ended at `compared_until`, before `until`."""

    since: datetime
    until: datetime
    compared_until: datetime
    stopped: str | None
    topics: list[TopicCounts]
    differences: list[Difference]

    @property
    def is_equal(self) -> bool:
        return not any(each.only_in_kafka or each.only_in_outbox for each in self.topics)


class _TooManyWait(Exception):
    """So many rows have no record that remembering more of them would cost too much memory."""


async def reconcile(
    connection: Connection,
    kafka: KafkaSettings,
    stretch: Stretch,
    *,
    listed_max: int,
    timeout_s: float,
) -> Reconciliation:
    """Compare both sides; raises ReconcileRefused when the outbox does not keep the stretch."""
    published = await reconciliations.published(connection)
    kept_since = (await row_previews.extent(connection)).kept_since
    if published is None or kept_since is None:
        raise ReconcileRefused("the outbox has no partition or no cursor. Remedy: orderly doctor")
    kept_since = max(kept_since, published.reanchored_at or kept_since)
    span = span_of(stretch, kept_since, published.now)
    comparison = Comparison(span, kept_since + _MARGIN, stretch.topics, listed_max)
    async with open_log(kafka, stretch.topics) as log:
        walk = _Walk(connection, log, comparison, published, span)
        stopped: str | None = None
        try:
            async with asyncio.timeout(timeout_s):
                await walk.run(stretch.topics)
        except TimeoutError:
            stopped = f"the time of {timeout_s:g} s was over"
        except _TooManyWait:
            stopped = f"more than {_WAITING_ROWS_MAX} rows had no record"
    until = span.until if stopped is None else walk.done_until - _MARGIN
    differences = comparison.finish(until)
    return Reconciliation(
        since=span.since,
        until=span.until,
        compared_until=max(span.since, min(until, span.until)),
        stopped=stopped,
        topics=list(comparison.counts.values()),
        differences=differences,
    )


def span_of(stretch: Stretch, kept_since: datetime, now: datetime) -> Span:
    """Return what to compare, without the last minute; raises ReconcileRefused."""
    since = stretch.since or max(kept_since, now - _DEFAULT)
    until = min(stretch.until or now, now - _MARGIN)
    if since < kept_since:
        raise ReconcileRefused(
            f"rows since {since.isoformat()} were asked for, and the outbox keeps rows since"
            f" {kept_since.isoformat()}"
        )
    if since >= until:
        raise ReconcileRefused(
            f"{since.isoformat()} is not before {until.isoformat()}; the last minute is left out"
        )
    return Span(since=since, until=until)


class _Walk:
    def __init__(
        self,
        connection: Connection,
        log: TopicLog,
        comparison: Comparison,
        published: Published,
        span: Span,
    ) -> None:
        self._connection = connection
        self._log = log
        self._comparison = comparison
        self._published = published
        self._span = span
        self.done_until = span.since

    async def run(self, topics: Sequence[str]) -> None:
        """Read rows one step ahead of the records: clocks differ."""
        at, end = self._span.since - _MARGIN, self._span.until + _MARGIN
        await self._take_rows(topics, at, at + _STEP)
        while at < end:
            until = min(at + _STEP, end)
            await self._take_rows(topics, at + _STEP, until + _STEP)
            await self._take_records(at, until)
            self._comparison.forget_before(at - _STEP)
            self.done_until = at = until
            if self._comparison.waiting > _WAITING_ROWS_MAX:
                raise _TooManyWait
        if self._comparison.waiting:
            await self._take_records(end, end + _LATE)

    async def _take_rows(self, topics: Sequence[str], since: datetime, until: datetime) -> None:
        behind = (since, -1)
        while True:
            rows = await reconciliations.rows(
                self._connection, self._published, topics, behind, until, _PAGE_ROWS_MAX
            )
            self._comparison.take_rows(rows)
            if len(rows) < _PAGE_ROWS_MAX:
                return
            behind = (rows[-1].written_at, rows[-1].seq)

    async def _take_records(self, since: datetime, until: datetime) -> None:
        async for records in self._log.read(since, until):
            strange = self._comparison.take_records(records)
            self._comparison.judge(strange, await self._known(strange))

    async def _known(self, strange: Sequence[Record]) -> set[UUID]:
        """Ask the outbox, for the ids of each minute at once."""
        by_minute: dict[datetime, list[UUID]] = {}
        for record in strange:
            if record.id is not None:
                minute = made_at(record).replace(second=0, microsecond=0)
                by_minute.setdefault(minute, []).append(record.id)
        known: set[UUID] = set()
        for minute, ids in by_minute.items():
            since, until = minute - _MARGIN, minute + _STEP + _MARGIN
            known.update(await reconciliations.known_ids(self._connection, ids, since, until))
        return known
