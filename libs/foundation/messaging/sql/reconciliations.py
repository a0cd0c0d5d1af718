"""What the outbox holds, read for a comparison with the topics."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import fetch


class Published(Struct, frozen=True, kw_only=True):
    """How far the outbox is published, by a cursor that was written at `written_at`."""

    prev: str
    cur: str | None
    last_seq: int
    written_at: datetime
    now: datetime
    reanchored_at: datetime | None


class KeptRow(Struct, frozen=True, kw_only=True, gc=False):
    """A row of the outbox; `is_expected` when a topic should hold its record."""

    seq: int
    id: UUID
    written_at: datetime
    topic: str
    partition: int
    type: str
    subject: str
    is_expected: bool


_PUBLISHED: Final = """
    SELECT prev::text, cur::text, last_seq, written_at, now() AS now, (
        SELECT max(finished_at) FROM messaging.operator_requests
        WHERE verb = 'reanchor' AND outcome LIKE '%% will be published again') AS reanchored_at
    FROM messaging.outbox_cursor ORDER BY epoch DESC, n DESC LIMIT 1"""

# A cursor knows nothing of rows that began after it: after a restore into another cluster their
# transaction ids would pass for published ones. Copies share the id of what they repeat.
_ROWS: Final = """
    SELECT o.seq, o.id, o.written_at, o.topic, o.partition, o.type, o.aggregateid AS subject,
        o.replay_request IS NULL AND o.written_at <= %(published_at)s::timestamptz
            AND (pg_visible_in_snapshot(o.tid, %(prev)s::pg_snapshot)
                OR coalesce(pg_visible_in_snapshot(o.tid, %(cur)s::pg_snapshot)
                    AND o.seq <= %(last_seq)s, false))
            AND NOT EXISTS (
                SELECT FROM messaging.outbox_parked_rows AS held
                WHERE held.seq = o.seq AND (held.resolution IS DISTINCT FROM 'released'
                    OR held.resolved_at > %(published_at)s::timestamptz)) AS is_expected
    FROM (
        SELECT seq, tid, id, written_at, topic, partition, type, aggregateid, replay_request
        FROM messaging.outbox
        WHERE written_at >= %(since)s::timestamptz AND written_at < %(until)s::timestamptz
            AND (written_at, seq) > (%(since)s::timestamptz, %(after_seq)s::bigint)
            AND topic = ANY (%(topics)b::text[])
        ORDER BY written_at, seq LIMIT %(rows_max)s) AS o
    ORDER BY o.written_at, o.seq"""

# No index knows the id, so that appending stays cheap: rows are read by their time.
_KNOWN: Final = """
    SELECT id FROM (
        SELECT id FROM messaging.outbox
        WHERE written_at >= %(since)s::timestamptz AND written_at < %(until)s::timestamptz
        OFFSET 0) AS passed
    WHERE id = ANY (%(ids)b::uuid[])
    UNION
    SELECT id FROM messaging.outbox_parked_rows WHERE id = ANY (%(ids)b::uuid[])"""


async def published(connection: Connection) -> Published | None:
    """Return the cursor; None when there is none."""
    found = await fetch(connection, Published, _PUBLISHED)
    return found[0] if found else None


async def rows(
    connection: Connection,
    known: Published,
    topics: Sequence[str],
    since: tuple[datetime, int],
    until: datetime,
    rows_max: int,
) -> list[KeptRow]:
    """Return a page of the rows behind `since`, a moment and a seq, in this order."""
    return await fetch(
        connection,
        KeptRow,
        _ROWS,
        published_at=known.written_at,
        prev=known.prev,
        cur=known.cur,
        last_seq=known.last_seq,
        topics=list(topics),
        since=since[0],
        after_seq=since[1],
        until=until,
        rows_max=rows_max,
    )


async def known_ids(
    connection: Connection, ids: Sequence[UUID], since: datetime, until: datetime
) -> list[UUID]:
    """Return those of `ids` that were written from `since` until before `until`, or are parked."""
    return await fetch(connection, UUID, _KNOWN, ids=list(ids), since=since, until=until)
