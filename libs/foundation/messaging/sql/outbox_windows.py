"""messaging.outbox as the relay reads it: snapshots, pages, backlogs cut into windows."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from psycopg import AsyncCursor
from psycopg.types.string import ByteaBinaryLoader

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import fetch


class OutboxRow(Struct, frozen=True, gc=False):
    """A row on its way to Kafka, text as UTF-8 bytes; the fields are in the order of _COLUMNS."""

    seq: int
    topic: bytes
    partition: int
    key: bytes
    id: bytes
    type: bytes
    source: bytes
    occurred_at: bytes  # In UTC, without a zone or trailing zeros: 2026-11-23 08:00:00.12.
    sequence: int | None
    traceparent: bytes | None
    payload: bytes
    written_at_s: float
    replay_request: bytes | None = None  # The request that made this copy.


class Run(Struct, frozen=True, gc=False):
    """A stretch of seq in which nearly every row belongs to one window."""

    first_seq: int
    last_seq: int
    rows: int
    window: tuple[int, int]


class Page(Struct, frozen=True):
    """Rows in order of seq; `complete` says that no other row is unpublished."""

    rows: list[OutboxRow]
    complete: bool


# Between two rows of one run at most so many rows of other windows are read and thrown away,
# which costs about as much as starting another run.
RUN_GAP_ROWS_MAX: Final = 64
# A plan is kept in memory: of a backlog scattered among rows of others only so much is planned.
RUNS_MAX: Final = 50_000

# Generic plans and no sequential scans: planning costs more than an idle poll, and no statement
# here has a use for a scan of the history. Compiling a plan takes longer than running it.
TUNING: Final = """
    SELECT set_config('plan_cache_mode', 'force_generic_plan', false),
        set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false),
        set_config('work_mem', '64MB', false), set_config('datestyle', 'ISO, YMD', false)"""

_SNAPSHOT: Final = "SELECT pg_current_snapshot()::text"

# What is visible in cur and not in prev. The range of tid, the fence (OFFSET 0) and LATERAL keep
# every plan on the index on tid: without them a generic plan walks the index on seq, or hashes
# the whole history as soon as prev has an open transaction.
_UNPUBLISHED: Final = """
    SELECT * FROM (
        SELECT * FROM messaging.outbox
        WHERE tid >= pg_snapshot_xmax(%(prev)s::pg_snapshot)
            AND tid < pg_snapshot_xmax(%(cur)s::pg_snapshot)
            AND pg_visible_in_snapshot(tid, %(cur)s::pg_snapshot)
        UNION ALL
        SELECT late.* FROM pg_snapshot_xip(%(prev)s::pg_snapshot) AS open_then (tid)
        CROSS JOIN LATERAL (
            SELECT * FROM messaging.outbox AS o
            WHERE o.tid = open_then.tid AND pg_visible_in_snapshot(o.tid, %(cur)s::pg_snapshot)
            OFFSET 0) AS late
        OFFSET 0) AS batch
    WHERE seq > %(after_seq)s"""

_COLUMNS: Final = """
    seq, topic, partition, aggregateid, id::text, type, source,
    (occurred_at AT TIME ZONE 'UTC')::text, sequence, traceparent, payload,
    date_part('epoch', written_at), replay_request::text"""

# The limit stands before the sort: of a backlog only the first rows in any order are looked at,
# enough to know that it is one.
_READ: Final = f"""
    SELECT {_COLUMNS}, found FROM (
        SELECT *, count(*) OVER () AS found,
            sum(octet_length(payload)) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING)
                - octet_length(payload) AS bytes_before
        FROM ({_UNPUBLISHED} LIMIT %(rows_max)s + 1) AS page) AS measured
    WHERE bytes_before < %(bytes_max)s
    ORDER BY seq"""  # noqa: S608  # Both names are literals of this module.

# Sorts a backlog once, as (seq, size) only, and cuts it into windows and those into runs.
_PLAN: Final = f"""
    SELECT min(seq), max(seq), count(*), by_rows, by_bytes FROM (
        SELECT seq, (row_number() OVER so_far - 1) / %(rows_max)s AS by_rows,
            (sum(bytes) OVER so_far - bytes) / %(bytes_max)s AS by_bytes,
            sum(gap) OVER so_far AS run
        FROM (
            SELECT seq, bytes,
                (seq - lag(seq, 1, seq) OVER (ORDER BY seq) > %(gap_rows_max)s)::int AS gap
            FROM (
                SELECT seq, octet_length(payload) AS bytes FROM ({_UNPUBLISHED}) AS unpublished
                ORDER BY seq LIMIT %(backlog_rows_max)s) AS piece) AS spaced
        WINDOW so_far AS (ORDER BY seq ROWS UNBOUNDED PRECEDING)) AS placed
    GROUP BY by_rows, by_bytes, run
    ORDER BY 1
    LIMIT %(runs_max)s"""  # noqa: S608  # Both names are literals of this module.

_READ_RUNS: Final = f"""
    SELECT {_COLUMNS} FROM unnest(%(first_seqs)b::bigint[], %(last_seqs)b::bigint[])
        AS run (first_seq, last_seq)
    CROSS JOIN LATERAL (
        SELECT * FROM messaging.outbox AS o
        WHERE o.seq BETWEEN run.first_seq AND run.last_seq
            AND NOT pg_visible_in_snapshot(o.tid, %(prev)s::pg_snapshot)
            AND pg_visible_in_snapshot(o.tid, %(cur)s::pg_snapshot)
        OFFSET 0) AS o
    ORDER BY seq"""  # noqa: S608  # Both names are literals of this module.


async def tune(connection: Connection) -> None:
    """Prepare a dedicated connection for the reads below."""
    await connection.execute(TUNING)


async def snapshot(connection: Connection) -> str:
    """Take a snapshot; the connection must be idle, so that it has no transaction id."""
    return (await fetch(connection, str, _SNAPSHOT))[0]


async def read(
    connection: Connection, prev: str, cur: str, after_seq: int, *, rows_max: int, bytes_max: int
) -> Page:
    """Read what is visible in `cur`, not in `prev`, above `after_seq`, unless it is a backlog.

    Of a backlog the page holds an arbitrary part and is not complete: plan it.
    """
    cursor = raw_cursor(connection)
    await cursor.execute(
        _READ,
        {
            "prev": prev,
            "cur": cur,
            "after_seq": after_seq,
            "rows_max": rows_max,
            "bytes_max": bytes_max,
        },
    )
    found = await cursor.fetchall()
    complete = not found or len(found) == found[0][-1] <= rows_max
    return Page([OutboxRow(*row[:-1]) for row in found], complete)


async def plan(
    connection: Connection,
    prev: str,
    cur: str,
    after_seq: int,
    *,
    rows_max: int,
    bytes_max: int,
    backlog_rows_max: int,
) -> list[Run]:
    """Cut the first `backlog_rows_max` unpublished rows into runs, in order of seq.

    As many runs as RUNS_MAX mean that there may be more.
    """
    cursor = connection.cursor(binary=True)
    await cursor.execute(
        _PLAN,
        {
            "prev": prev,
            "cur": cur,
            "after_seq": after_seq,
            "rows_max": rows_max,
            "bytes_max": bytes_max,
            "backlog_rows_max": backlog_rows_max,
            "gap_rows_max": RUN_GAP_ROWS_MAX,
            "runs_max": RUNS_MAX,
        },
    )
    return [
        Run(first_seq, last_seq, rows, (by_rows, by_bytes))
        for first_seq, last_seq, rows, by_rows, by_bytes in await cursor.fetchall()
    ]


async def read_runs(
    connection: Connection, prev: str, cur: str, runs: Sequence[Run]
) -> list[OutboxRow]:
    """Read the rows of one planned window, in order of seq."""
    cursor = raw_cursor(connection)
    await cursor.execute(
        _READ_RUNS,
        {
            "prev": prev,
            "cur": cur,
            "first_seqs": [run.first_seq for run in runs],
            "last_seqs": [run.last_seq for run in runs],
        },
    )
    return [OutboxRow(*row) for row in await cursor.fetchall()]


def raw_cursor(connection: Connection) -> AsyncCursor[tuple[Any, ...]]:
    """Open a cursor that gives text as the bytes it arrives in: Kafka takes bytes."""
    cursor = connection.cursor(binary=True)
    cursor.adapters.register_loader("text", ByteaBinaryLoader)
    return cursor
