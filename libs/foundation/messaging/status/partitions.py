"""What the partitions of each table cover: how far ahead, how far back, and what is missing."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.messaging.sql import partition_status
from libs.foundation.messaging.sql.partition_status import PartitionRow

_ID_TIME_SHIFT_BITS: Final = 80


class Gap(Struct, frozen=True, kw_only=True):
    """A stretch of time that no partition takes rows of."""

    since: datetime
    until: datetime


class PartitionedTable(Struct, frozen=True, kw_only=True):
    """`ahead_s` is how long rows are taken from now on without a gap, 0 when they are refused.

    A default partition is a trap: rows that fall into it keep the right one from being made.
    """

    name: str
    partitions: int
    since: datetime | None
    until: datetime | None
    ahead_s: float
    behind_s: float
    gaps: list[Gap]
    bytes: int
    has_default: bool


class Partitions(Struct, frozen=True, kw_only=True):
    """Every partitioned table, and the former partitions that a reanchor has put aside."""

    tables: list[PartitionedTable]
    put_aside: list[str]
    put_aside_bytes: int


async def partitions_of_all(connection: Connection) -> Partitions:
    """Read the catalogue; no table is touched."""
    now = await partition_status.now(connection)
    rows = await partition_status.partitions(connection)
    aside = await partition_status.detached(connection)
    return Partitions(
        tables=[
            table_of(parent, [row for row in rows if row.parent == parent], now)
            for parent in await partition_status.parents(connection)
        ],
        put_aside=[each.name for each in aside],
        put_aside_bytes=sum(each.bytes for each in aside),
    )


def table_of(parent: str, rows: Sequence[PartitionRow], now: datetime) -> PartitionedTable:
    """Judge the partitions of one table."""
    spans = sorted(
        (_moment(row.lower), _moment(row.upper))
        for row in rows
        if row.lower is not None and row.upper is not None
    )
    gaps = [
        Gap(since=before[1], until=after[0])
        for before, after in pairwise(spans)
        if before[1] < after[0]
    ]
    return PartitionedTable(
        name=parent,
        partitions=len(rows),
        since=spans[0][0] if spans else None,
        until=spans[-1][1] if spans else None,
        ahead_s=max(0.0, (_taken_until(spans, now) - now).total_seconds()),
        behind_s=max(0.0, (now - spans[0][0]).total_seconds()) if spans else 0.0,
        gaps=gaps,
        bytes=sum(row.bytes for row in rows),
        has_default=any(row.lower is None for row in rows),
    )


def _taken_until(spans: Sequence[tuple[datetime, datetime]], now: datetime) -> datetime:
    """Return the end of what is covered from now on without a gap."""
    until = now
    for since, end in spans:
        if since <= until < end:
            until = end
    return until


def _moment(bound: str) -> datetime:
    """Read a bound: a time, or an id that begins with one."""
    try:
        at = datetime.fromisoformat(bound)
    except ValueError:
        milliseconds = UUID(bound).int >> _ID_TIME_SHIFT_BITS
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    return at.astimezone(UTC)
