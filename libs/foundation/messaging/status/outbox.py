"""How far the outbox is published: what waits, how old it is, when it will be through."""

from typing import Final

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.messaging.relay.restore import refusal_of
from libs.foundation.messaging.sql import outbox_cursor, outbox_status, outbox_windows

_COUNTED_ROWS_MAX: Final = 100_000
_RATE_WINDOW_S: Final = 30


class TopicBacklog(Struct, frozen=True, kw_only=True):
    """Unpublished rows of a topic, among those that were counted."""

    topic: str
    rows: int
    bytes: int


class OutboxStatus(Struct, frozen=True, kw_only=True):
    """What is not published.

    `rows` stops at 100,000; `is_complete` says that it did not need to, and `estimated_rows`
    goes on by the sequence numbers. `drain_s` is None when the rate is not known or too low.
    """

    rows: int
    bytes: int
    is_complete: bool
    estimated_rows: int
    oldest_s: float
    topics: list[TopicBacklog]
    appended_per_s: float
    published_per_s: float | None
    drain_s: float | None
    held_back_keys: int


class ReanchorPreview(Struct, frozen=True, kw_only=True):
    """What a reanchor would do: nothing when it is not `needed`; `rows` stops at 100,000."""

    needed: bool
    why: str
    rows: int
    is_complete: bool


async def measure_outbox(connection: Connection) -> OutboxStatus | None:
    """Measure the outbox at a cost that does not grow with it; None without a cursor."""
    cursor = await outbox_cursor.latest(connection)
    if cursor is None:
        return None
    await outbox_windows.tune(connection)
    found = await outbox_status.backlog(
        connection, cursor.prev, cursor.cur, cursor.last_seq, _COUNTED_ROWS_MAX
    )
    rows = sum(each.rows for each in found)
    estimated = rows
    if rows >= _COUNTED_ROWS_MAX:
        newest = await outbox_status.newest_seq(connection)
        estimated = max(rows, newest - min(each.first_seq for each in found) + 1)
    rates = await outbox_status.rates(connection, _RATE_WINDOW_S, _COUNTED_ROWS_MAX)
    return OutboxStatus(
        rows=rows,
        bytes=sum(each.bytes for each in found),
        is_complete=rows < _COUNTED_ROWS_MAX,
        estimated_rows=estimated,
        oldest_s=max((each.oldest_s for each in found), default=0.0),
        topics=[TopicBacklog(topic=t.topic, rows=t.rows, bytes=t.bytes) for t in found],
        appended_per_s=rates.appended_per_s,
        published_per_s=rates.published_per_s,
        drain_s=drain_s(estimated, rates.published_per_s, rates.appended_per_s),
        held_back_keys=await outbox_status.held_back_keys(connection),
    )


def drain_s(rows: int, done_per_s: float | None, new_per_s: float) -> float | None:
    """Estimate when a backlog is worked off; None when it is not known, or never."""
    if rows == 0:
        return 0.0
    if done_per_s is None or done_per_s <= new_per_s:
        return None
    return rows / (done_per_s - new_per_s)


async def preview_reanchor(connection: Connection) -> ReanchorPreview:
    """Say whether a reanchor is needed, and what it would append anew."""
    refusal = refusal_of(
        await outbox_cursor.latest(connection), await outbox_cursor.server(connection)
    )
    if refusal is None:
        return ReanchorPreview(
            needed=False, why="the cursor belongs to this database", rows=0, is_complete=True
        )
    rows = await outbox_status.reanchored_rows(connection, _COUNTED_ROWS_MAX)
    return ReanchorPreview(
        needed=True, why=refusal.problem, rows=rows, is_complete=rows < _COUNTED_ROWS_MAX
    )
