"""What a replay would choose and what each consumer would do with it, read page by page."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import fetch


class Extent(Struct, frozen=True, kw_only=True):
    """What the outbox holds: rows since `kept_since`."""

    kept_since: datetime | None
    now: datetime


class Stretch(Struct, frozen=True, kw_only=True):
    """The rows of some hours lie above `after_seq`, up to `upto_seq`."""

    after_seq: int
    upto_seq: int


class Range(Struct, frozen=True, kw_only=True):
    """What is looked at: the same rows that a step of the request would look at."""

    since: datetime
    until: datetime
    topics: Sequence[str]
    keys: Sequence[str]
    types: Sequence[str]
    prev: str
    cur: str | None
    last_seq: int
    after_seq: int
    upto_seq: int


class PageEnd(Struct, frozen=True, kw_only=True):
    """How far a page reaches; without rows it is the last one."""

    rows: int
    last_seq: int | None


class TopicCount(Struct, frozen=True, kw_only=True):
    """Rows of a topic on one page, by what a replay would do with them."""

    topic: str
    chosen: int
    unpublished: int
    held_back: int


class VerdictCount(Struct, frozen=True, kw_only=True):
    """Chosen rows of one page that a consumer would treat alike, with some of their ids."""

    consumer: str
    topic: str
    verdict: str
    messages: int
    samples: list[UUID]


_EXTENT: Final = """
    SELECT now() AS now, (
        SELECT min(to_timestamp(substr(c.relname, 8), 'YYYYMMDD"t"HH24MI'))
        FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'messaging.outbox'::regclass) AS kept_since"""

# Hours are what partitions are by: of each the first and the last entry of one index are read.
_STRETCH: Final = """
    SELECT coalesce(min(seq) - 1, 0) AS after_seq, coalesce(max(seq), 0) AS upto_seq
    FROM messaging.outbox
    WHERE written_at >= date_trunc('hour', %(since)s::timestamptz)
        AND written_at < date_trunc('hour', %(until)s::timestamptz) + interval '1 hour'"""

_PAGE_END: Final = """
    SELECT count(*) AS rows, max(seq) AS last_seq FROM (
        SELECT seq FROM messaging.outbox
        WHERE seq > %(after_seq)s AND seq <= %(upto_seq)s
        ORDER BY seq LIMIT %(rows_max)s) AS page"""

# The same choice as in messaging.step_row_request. The fence (OFFSET 0) keeps the plan on the
# index on seq: the one by time would be read from its beginning for every page.
_MATCHING: Final = """
    SELECT o.seq, o.id, o.topic, o.type, o.aggregateid,
        pg_visible_in_snapshot(o.tid, %(prev)s::pg_snapshot)
            OR coalesce(pg_visible_in_snapshot(o.tid, %(cur)s::pg_snapshot)
                AND o.seq <= %(last_seq)s, false) AS is_published,
        EXISTS (SELECT FROM messaging.outbox_parked_rows AS held
            WHERE held.seq = o.seq AND held.resolution IS DISTINCT FROM 'released') AS is_held_back
    FROM (
        SELECT seq, tid, id, written_at, topic, type, aggregateid, replay_request
        FROM messaging.outbox WHERE seq > %(after_seq)s AND seq <= %(page_end)s OFFSET 0) AS o
    WHERE o.replay_request IS NULL
        AND o.written_at >= %(since)s::timestamptz AND o.written_at < %(until)s::timestamptz
        AND (%(topics)b::text[] = '{}' OR o.topic = ANY (%(topics)b::text[]))
        AND (%(keys)b::text[] = '{}' OR o.aggregateid = ANY (%(keys)b::text[]))
        AND (%(types)b::text[] = '{}' OR o.type = ANY (%(types)b::text[]))"""

_COUNTS: Final = f"""
    SELECT topic, count(*) FILTER (WHERE is_published AND NOT is_held_back) AS chosen,
        count(*) FILTER (WHERE NOT is_published) AS unpublished,
        count(*) FILTER (WHERE is_published AND is_held_back) AS held_back
    FROM ({_MATCHING}) AS matching GROUP BY topic"""  # noqa: S608  # A literal of this module.

# In the order in which a consumer decides.
_VERDICTS: Final = f"""
    WITH chosen AS MATERIALIZED (
        SELECT * FROM ({_MATCHING}) AS matching WHERE is_published AND NOT is_held_back),
    reader AS (
        SELECT consumer, topic
        FROM unnest(%(reading)b::text[], %(read)b::text[]) AS r (consumer, topic)),
    judged AS (
        SELECT reader.consumer, chosen.topic, chosen.id, chosen.seq, CASE
            WHEN uuid_extract_version(chosen.id) IS DISTINCT FROM 7 THEN 'refused'
            WHEN reader.consumer = ANY (%(choosy)b::text[]) AND NOT EXISTS (
                SELECT FROM unnest(%(handling)b::text[], %(handled)b::text[]) AS h (consumer, type)
                WHERE h.consumer = reader.consumer AND h.type = chosen.type) THEN 'skipped'
            WHEN chosen.id < %(first_id)s::uuid THEN 'refused'
            WHEN mark.is_there THEN 'dropped'
            WHEN EXISTS (SELECT FROM messaging.parked_keys AS k
                WHERE k.consumer = reader.consumer AND k.topic = chosen.topic
                    AND k.key = chosen.aggregateid) THEN 'queued'
            ELSE 'processed' END AS verdict
        FROM chosen JOIN reader ON reader.topic = chosen.topic
        LEFT JOIN LATERAL (
            SELECT true AS is_there FROM messaging.inbox AS i
            WHERE i.consumer = reader.consumer AND i.event_id = chosen.id OFFSET 0) AS mark ON true)
    SELECT consumer, topic, verdict, count(*) AS messages,
        (array_agg(id ORDER BY seq))[1:%(samples_max)s::int] AS samples
    FROM judged GROUP BY consumer, topic, verdict"""  # noqa: S608  # A literal of this module.

# The same choice again, and of it what messaging.step_row_request would delete.
_MARKS: Final = f"""
    SELECT count(*) FILTER (WHERE NOT waits) AS forgotten, count(*) FILTER (WHERE waits) AS kept
    FROM ({_MATCHING}) AS matching
    CROSS JOIN LATERAL (
        SELECT EXISTS (SELECT FROM messaging.parked_messages AS p
            WHERE p.consumer = i.consumer AND p.event_id = i.event_id
                AND p.resolution IS NULL) AS waits
        FROM messaging.inbox AS i
        WHERE i.consumer = %(consumer)s::text AND i.event_id = matching.id OFFSET 0) AS mark
    WHERE is_published AND NOT is_held_back"""  # noqa: S608  # A literal of this module.


class MarkCount(Struct, frozen=True, kw_only=True):
    """Marks of one page that would go, and those of messages that wait in the parking."""

    forgotten: int
    kept: int


class Readers(Struct, frozen=True, kw_only=True):
    """Pairs of consumer and topic, and of consumer and type for those that choose by type."""

    reading: Sequence[str]
    read: Sequence[str]
    choosy: Sequence[str]
    handling: Sequence[str]
    handled: Sequence[str]


async def extent(connection: Connection) -> Extent:
    """Say what the outbox holds; `kept_since` is None when it has no partition."""
    return (await fetch(connection, Extent, _EXTENT))[0]


async def stretch(connection: Connection, since: datetime, until: datetime) -> Stretch:
    """Find where the rows of the hours from `since` to `until` lie."""
    return (await fetch(connection, Stretch, _STRETCH, since=since, until=until))[0]


async def page_end(connection: Connection, chosen: Range, after_seq: int, rows_max: int) -> PageEnd:
    """Find where a page of at most `rows_max` rows ends."""
    found = await fetch(
        connection,
        PageEnd,
        _PAGE_END,
        upto_seq=chosen.upto_seq,
        after_seq=after_seq,
        rows_max=rows_max,
    )
    return found[0]


async def counts(
    connection: Connection, chosen: Range, after_seq: int, last_seq: int
) -> list[TopicCount]:
    """Count the rows of a page by topic."""
    return await fetch(connection, TopicCount, _COUNTS, **_page(chosen, after_seq, last_seq))


async def verdicts(
    connection: Connection,
    chosen: Range,
    after_seq: int,
    last_seq: int,
    *,
    readers: Readers,
    first_id: UUID,
    samples_max: int,
) -> list[VerdictCount]:
    """Count what each consumer would do with the rows of a page."""
    return await fetch(
        connection,
        VerdictCount,
        _VERDICTS,
        **_page(chosen, after_seq, last_seq),
        reading=readers.reading,
        read=readers.read,
        choosy=readers.choosy,
        handling=readers.handling,
        handled=readers.handled,
        first_id=first_id,
        samples_max=samples_max,
    )


async def marks(
    connection: Connection, chosen: Range, after_seq: int, last_seq: int, consumer: str
) -> MarkCount:
    """Count the marks of a consumer for the rows of a page."""
    found = await fetch(
        connection, MarkCount, _MARKS, **_page(chosen, after_seq, last_seq), consumer=consumer
    )
    return found[0]


def _page(chosen: Range, after_seq: int, last_seq: int) -> dict[str, object]:
    return {
        "since": chosen.since,
        "until": chosen.until,
        "topics": list(chosen.topics),
        "keys": list(chosen.keys),
        "types": list(chosen.types),
        "prev": chosen.prev,
        "cur": chosen.cur,
        "last_seq": chosen.last_seq,
        "after_seq": after_seq,
        "page_end": last_seq,
    }
