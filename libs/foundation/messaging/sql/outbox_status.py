"""How far the outbox is published, how fast, and who does it; every statement is bounded."""

from typing import Final

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import fetch


class TopicSizes(Struct, frozen=True, kw_only=True):
    """Unpublished rows of one topic that were looked at."""

    topic: str
    rows: int
    bytes: int
    oldest_s: float
    first_seq: int


class Rates(Struct, frozen=True, kw_only=True):
    """Rows a second of the last while; `published_per_s` is None when no relay has told."""

    appended_per_s: float
    published_per_s: float | None


class LeaseRow(Struct, frozen=True, kw_only=True):
    """The lease by the database's clock."""

    holder: str
    epoch: int
    is_held: bool
    good_for_s: float | None
    renewed_s: float | None


class CursorAge(Struct, frozen=True, kw_only=True):
    """When the cursor moved last."""

    moved_s: float


# The limit stands on what is looked at, not on what is found: of a backlog that is half
# published, the published half lies below last_seq and is never read.
_BACKLOG: Final = """
    SELECT topic, count(*) AS rows, sum(bytes)::bigint AS bytes,
        greatest(date_part('epoch', clock_timestamp() - min(written_at)), 0) AS oldest_s,
        min(seq) AS first_seq
    FROM (
        SELECT * FROM (
            SELECT topic, bytes, written_at, seq FROM messaging.outbox_sizes
            WHERE %(cur)s::pg_snapshot IS NULL AND tid >= pg_snapshot_xmax(%(prev)s::pg_snapshot)
            ORDER BY tid LIMIT %(rows_max)s) AS fresh
        UNION ALL
        SELECT * FROM (
            SELECT topic, bytes, written_at, seq FROM messaging.outbox_sizes
            WHERE %(cur)s::pg_snapshot IS NOT NULL AND seq > %(last_seq)s
                AND NOT pg_visible_in_snapshot(tid, %(prev)s::pg_snapshot)
            ORDER BY seq LIMIT %(rows_max)s) AS rest
        UNION ALL
        SELECT late.* FROM pg_snapshot_xip(coalesce(%(cur)s::pg_snapshot, %(prev)s::pg_snapshot))
            AS open_then (tid)
        CROSS JOIN LATERAL (
            SELECT topic, bytes, written_at, seq FROM messaging.outbox_sizes AS o
            WHERE o.tid = open_then.tid
                AND (%(cur)s::pg_snapshot IS NULL OR o.seq <= %(last_seq)s)
            OFFSET 0) AS late
        LIMIT %(rows_max)s) AS unpublished
    GROUP BY topic ORDER BY topic"""

_NEWEST_SEQ: Final = "SELECT coalesce(max(seq), 0) FROM messaging.outbox"

# The time of the rows, or of the cursor, is what the partitions and their primary keys are by.
_RATES: Final = """
    SELECT (
        SELECT count(*) / %(window_s)s::double precision FROM (
            SELECT FROM messaging.outbox
            WHERE written_at > now() - %(window_s)s * interval '1 second'
            LIMIT %(rows_max)s) AS appended) AS appended_per_s,
        (SELECT sum(passed_rows) / %(window_s)s::double precision FROM (
            SELECT passed_rows FROM messaging.outbox_cursor
            WHERE written_at > now() - %(window_s)s * interval '1 second'
            LIMIT %(rows_max)s) AS passed) AS published_per_s"""

_LEASE: Final = """
    SELECT holder, epoch, expires_at > clock_timestamp() AS is_held,
        CASE WHEN isfinite(expires_at)
            THEN date_part('epoch', expires_at - clock_timestamp()) END AS good_for_s,
        date_part('epoch', clock_timestamp() - renewed_at) AS renewed_s
    FROM messaging.relay_leases WHERE name = 'outbox'"""

_CURSOR_AGE: Final = """
    SELECT date_part('epoch', clock_timestamp() - written_at) AS moved_s
    FROM messaging.outbox_cursor ORDER BY epoch DESC, n DESC LIMIT 1"""

# A relay that waits for the lease asks over a connection of this name; the name is for all to see.
_STANDBYS: Final = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'outbox-relay standby'"""

_HELD_BACK: Final = "SELECT count(*) FROM messaging.outbox_parked_keys"

# Rows that a relay whose cursor belongs to another database would publish once reanchored.
_REANCHORED: Final = """
    SELECT count(*) FROM (
        SELECT FROM messaging.outbox AS o
        LEFT JOIN (
            SELECT prev, cur, last_seq, written_at FROM messaging.outbox_cursor
            ORDER BY epoch DESC, n DESC LIMIT 1) AS known ON true
        WHERE known.prev IS NULL OR o.written_at > known.written_at
            OR (NOT pg_visible_in_snapshot(o.tid, known.prev) AND NOT (
                known.cur IS NOT NULL AND pg_visible_in_snapshot(o.tid, known.cur)
                AND o.seq <= known.last_seq))
        LIMIT %(rows_max)s) AS unpublished"""


async def backlog(
    connection: Connection, prev: str, cur: str | None, last_seq: int, rows_max: int
) -> list[TopicSizes]:
    """Measure what a cursor has not passed, of `rows_max` rows at most."""
    return await fetch(
        connection, TopicSizes, _BACKLOG, prev=prev, cur=cur, last_seq=last_seq, rows_max=rows_max
    )


async def newest_seq(connection: Connection) -> int:
    """Return the highest seq, 0 for an empty outbox."""
    return (await fetch(connection, int, _NEWEST_SEQ))[0]


async def rates(connection: Connection, window_s: int, rows_max: int) -> Rates:
    """Return the rates of the last `window_s` seconds, counted up to `rows_max` rows."""
    return (await fetch(connection, Rates, _RATES, window_s=window_s, rows_max=rows_max))[0]


async def lease(connection: Connection) -> LeaseRow:
    """Return the lease of the outbox; the migration has made its row."""
    return (await fetch(connection, LeaseRow, _LEASE))[0]


async def cursor_moved_s(connection: Connection) -> float | None:
    """Return how long ago the cursor moved."""
    found = await fetch(connection, CursorAge, _CURSOR_AGE)
    return found[0].moved_s if found else None


async def standbys(connection: Connection) -> int:
    """Count the relays that wait for the lease."""
    return (await fetch(connection, int, _STANDBYS))[0]


async def held_back_keys(connection: Connection) -> int:
    """Count the keys that the relay holds back."""
    return (await fetch(connection, int, _HELD_BACK))[0]


async def reanchored_rows(connection: Connection, rows_max: int) -> int:
    """Count what a reanchor would append anew, up to `rows_max`."""
    return (await fetch(connection, int, _REANCHORED, rows_max=rows_max))[0]
