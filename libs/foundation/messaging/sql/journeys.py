"""What is recorded of the messages of one key; every statement is bounded by time or by a key."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import fetch


class Span(Struct, frozen=True, kw_only=True):
    """A stretch of time in which rows are looked for; `until` no longer belongs to it."""

    since: datetime
    until: datetime


class SentRow(Struct, frozen=True, kw_only=True):
    """A row of the outbox; `is_copy` when a replay or a reanchor has appended it again."""

    seq: int
    id: UUID
    written_at: datetime
    type: str
    topic: str
    partition: int
    sequence: int | None
    traceparent: str | None
    is_copy: bool
    is_published: bool


class HeldRow(Struct, frozen=True, kw_only=True):
    """A row that the relay holds back; only the one that was refused has an `error`."""

    seq: int
    id: UUID
    type: str
    topic: str
    partition: int
    error: str | None
    parked_at: datetime


class Mark(Struct, frozen=True, kw_only=True):
    """A consumer has taken an event: handled it, or set it aside."""

    consumer: str
    event_id: UUID
    claimed_at: datetime


class ParkedMessage(Struct, frozen=True, kw_only=True):
    """A message that waits in the parking of a consumer; the first of a key is the bad one."""

    id: int
    consumer: str
    topic: str
    partition: int
    log_offset: int
    event_id: UUID | None
    type: str | None
    error_code: str
    error: str
    attempts: int
    parked_at: datetime


class ParkedKey(Struct, frozen=True, kw_only=True):
    """A key that a consumer or the relay has parked."""

    owner: str
    key: str


# No index knows the key, so that appending stays cheap: each stretch is read by its time, which
# the primary key begins with. The fence (OFFSET 0) keeps the plan there.
_SENT: Final = """
    SELECT o.seq, o.id, o.written_at, o.type, o.topic, o.partition, o.sequence, o.traceparent,
        o.replay AS is_copy,
        coalesce(pg_visible_in_snapshot(o.tid, known.prev), false)
            OR coalesce(pg_visible_in_snapshot(o.tid, known.cur) AND o.seq <= known.last_seq, false)
            AS is_published
    FROM unnest(%(since)b::timestamptz[], %(until)b::timestamptz[]) AS span (since, until)
    CROSS JOIN LATERAL (
        SELECT * FROM (
            SELECT seq, id, written_at, type, topic, partition, sequence, traceparent, replay, tid,
                aggregateid
            FROM messaging.outbox
            WHERE written_at >= span.since AND written_at < span.until OFFSET 0) AS passed
        WHERE passed.aggregateid = %(key)s::text) AS o
    LEFT JOIN (
        SELECT prev, cur, last_seq FROM messaging.outbox_cursor
        ORDER BY epoch DESC, n DESC LIMIT 1) AS known ON true
    ORDER BY o.seq
    LIMIT %(rows_max)s"""

_HELD: Final = """
    SELECT seq, id, type, topic, partition, error, parked_at
    FROM messaging.outbox_parked_rows
    WHERE topic = ANY (%(topics)b::text[]) AND aggregateid = %(key)s::text AND resolution IS NULL
    ORDER BY seq
    LIMIT %(rows_max)s"""

_MARKS: Final = """
    SELECT consumer, event_id, claimed_at FROM messaging.inbox
    WHERE consumer = ANY (%(consumers)b::text[]) AND event_id = ANY (%(event_ids)b::uuid[])
    ORDER BY claimed_at, consumer"""

_PARKED: Final = """
    SELECT id, consumer, topic, partition, log_offset, event_id, type, error_code, error, attempts,
        parked_at
    FROM messaging.parked_messages
    WHERE consumer = ANY (%(consumers)b::text[]) AND topic = ANY (%(topics)b::text[])
        AND key = %(key)s::text AND resolution IS NULL
    ORDER BY id
    LIMIT %(rows_max)s"""

# An id holds the millisecond in which it was made, within the transaction that wrote the row.
_KEY_OF_EVENT: Final = """
    SELECT aggregateid FROM (
        SELECT aggregateid, id FROM messaging.outbox
        WHERE written_at >= %(since)s::timestamptz AND written_at < %(until)s::timestamptz
        OFFSET 0) AS passed
    WHERE id = %(event_id)s::uuid
    UNION ALL
    SELECT aggregateid FROM messaging.outbox_parked_rows WHERE id = %(event_id)s::uuid
    UNION ALL
    SELECT key FROM messaging.parked_messages WHERE event_id = %(event_id)s::uuid
    LIMIT 1"""

_KEYS_OF_TRACE: Final = """
    SELECT DISTINCT aggregateid FROM messaging.outbox
    WHERE written_at >= %(since)s::timestamptz AND written_at < %(until)s::timestamptz
        AND substr(traceparent, 4, 32) = %(trace_id)s::text
    LIMIT %(rows_max)s"""

# "C" is the order in which ids rise; the database's own order may be another one.
_PARKED_KEYS: Final = """
    SELECT owner, key FROM (
        SELECT consumer AS owner, key FROM messaging.parked_keys
        UNION ALL
        SELECT 'outbox-relay', key FROM messaging.outbox_parked_keys) AS held
    WHERE key COLLATE "C" > %(after)s::text AND key ~ %(shape)s::text
    ORDER BY key COLLATE "C", owner
    LIMIT %(rows_max)s"""


async def sent(
    connection: Connection, key: str, spans: Sequence[Span], rows_max: int
) -> list[SentRow]:
    """Return the rows of a key that were written within `spans`, oldest first."""
    return await fetch(
        connection,
        SentRow,
        _SENT,
        key=key,
        since=[span.since for span in spans],
        until=[span.until for span in spans],
        rows_max=rows_max,
    )


async def held(
    connection: Connection, key: str, topics: Sequence[str], rows_max: int
) -> list[HeldRow]:
    """Return the rows of a key that the relay holds back, oldest first."""
    return await fetch(connection, HeldRow, _HELD, key=key, topics=list(topics), rows_max=rows_max)


async def marks(
    connection: Connection, consumers: Sequence[str], event_ids: Sequence[UUID]
) -> list[Mark]:
    """Return which consumers have taken which of the events."""
    return await fetch(
        connection, Mark, _MARKS, consumers=list(consumers), event_ids=list(event_ids)
    )


async def parked(
    connection: Connection,
    key: str,
    consumers: Sequence[str],
    topics: Sequence[str],
    rows_max: int,
) -> list[ParkedMessage]:
    """Return the messages of a key that wait in parkings, oldest first."""
    return await fetch(
        connection,
        ParkedMessage,
        _PARKED,
        key=key,
        consumers=list(consumers),
        topics=list(topics),
        rows_max=rows_max,
    )


async def key_of_event(connection: Connection, event_id: UUID, span: Span) -> str | None:
    """Return the key of an event that was written within `span`, or waits in a parking."""
    found = await fetch(
        connection, str, _KEY_OF_EVENT, event_id=event_id, since=span.since, until=span.until
    )
    return found[0] if found else None


async def keys_of_trace(
    connection: Connection, trace_id: str, span: Span, rows_max: int
) -> list[str]:
    """Return the keys of rows of a trace that were written within `span`."""
    return await fetch(
        connection,
        str,
        _KEYS_OF_TRACE,
        trace_id=trace_id,
        since=span.since,
        until=span.until,
        rows_max=rows_max,
    )


async def parked_keys(
    connection: Connection, shape: str, after: str, rows_max: int
) -> list[ParkedKey]:
    """Return parked keys behind `after` that the regular expression fits, in their order."""
    return await fetch(
        connection, ParkedKey, _PARKED_KEYS, shape=shape, after=after, rows_max=rows_max
    )
