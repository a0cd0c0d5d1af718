"""messaging.outbox_cursor: the log of how far the outbox is published, fenced by the lease."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import Transaction, fetch
from libs.foundation.messaging.quarantine.failures import Author


class Origin(Struct, frozen=True, kw_only=True):
    """The database whose transaction ids a snapshot is made of."""

    system_identifier: str
    database_oid: int
    timeline: int


class CursorRow(Struct, frozen=True, kw_only=True):
    """All that `prev` sees is published, and of what `cur` sees the rows up to `last_seq`."""

    epoch: int
    n: int
    prev: str
    cur: str | None
    last_seq: int
    system_identifier: str
    database_oid: int
    timeline: int


class Server(Struct, frozen=True, kw_only=True):
    """Which server a connection leads to."""

    system_identifier: str
    database_oid: int
    timeline: int
    in_recovery: bool
    started_at: str


class ParkedSeq(Struct, frozen=True, kw_only=True):
    """A row to be copied out of the outbox; the rest only when the row itself was refused."""

    seq: int
    error: str | None = None
    error_class: str | None = None
    error_code: str | None = None
    error_type: str | None = None
    frame: str | None = None
    fingerprint: str | None = None


class NewParkedKey(Struct, frozen=True, kw_only=True):
    """A key that is held back from now on."""

    topic: str
    key: str
    reason: str


_LATEST: Final = """
    SELECT epoch, n, prev::text, cur::text, last_seq, system_identifier,
        database_oid::bigint, timeline
    FROM messaging.outbox_cursor ORDER BY epoch DESC, n DESC LIMIT 1"""

_SERVER: Final = """
    SELECT s.system_identifier::text, d.oid::bigint AS database_oid, c.timeline_id AS timeline,
        pg_is_in_recovery() AS in_recovery, pg_postmaster_start_time()::text AS started_at
    FROM pg_control_system() AS s, pg_control_checkpoint() AS c, pg_database AS d
    WHERE d.datname = current_database()"""

# The lock on the lease row lasts for this one statement: a takeover waits for it, and a relay
# whose epoch is over finds no row and writes nothing.
_ADVANCE: Final = """
    INSERT INTO messaging.outbox_cursor
        (epoch, n, prev, cur, last_seq, system_identifier, database_oid, timeline, passed_rows)
    SELECT epoch, %(n)s, %(prev)s::pg_snapshot, %(cur)s::pg_snapshot, %(last_seq)s,
        %(system_identifier)s, %(database_oid)s::bigint::oid, %(timeline)s, %(passed_rows)s
    FROM messaging.relay_leases WHERE name = 'outbox' AND epoch = %(epoch)s FOR SHARE"""

# What is parked is copied in the statement that moves the cursor past it: partitions may be
# dropped later, and no crash can come between the two.
_ADVANCE_AND_PARK: Final = """
    WITH held AS (
        SELECT epoch FROM messaging.relay_leases
        WHERE name = 'outbox' AND epoch = %(epoch)s FOR SHARE),
    parked_keys AS (
        INSERT INTO messaging.outbox_parked_keys (topic, key, reason)
        SELECT k.topic, k.key, k.reason
        FROM held, unnest(%(topics)b::text[], %(keys)b::text[], %(reasons)b::text[])
            AS k (topic, key, reason)),
    parked_rows AS (
        INSERT INTO messaging.outbox_parked_rows (seq, id, aggregatetype, aggregateid, type, topic,
            partition, source, sequence, occurred_at, traceparent, payload, replay_request, error,
            error_code, fingerprint, attempts)
        SELECT o.seq, o.id, o.aggregatetype, o.aggregateid, o.type, o.topic, o.partition, o.source,
            o.sequence, o.occurred_at, o.traceparent, o.payload, o.replay_request, p.error,
            p.error_code, p.fingerprint, num_nonnulls(p.error)
        FROM held, unnest(%(seq)b::bigint[], %(error)b::text[], %(error_code)b::text[],
            %(fingerprint)b::text[]) AS p (seq, error, error_code, fingerprint)
        CROSS JOIN LATERAL (
            SELECT * FROM messaging.outbox AS found WHERE found.seq = p.seq OFFSET 0) AS o),
    attempts AS (
        INSERT INTO messaging.parked_attempts (outbox_seq, process, release, outcome, error_class,
            error_code, error_type, frame, error, fingerprint)
        SELECT p.seq, %(process)s::text, %(release)s::text, 'failed', p.error_class, p.error_code,
            p.error_type, p.frame, p.error, p.fingerprint
        FROM held, unnest(%(seq)b::bigint[], %(error)b::text[], %(error_class)b::text[],
            %(error_code)b::text[], %(error_type)b::text[], %(frame)b::text[],
            %(fingerprint)b::text[])
            AS p (seq, error, error_class, error_code, error_type, frame, fingerprint)
        WHERE p.error IS NOT NULL)
    INSERT INTO messaging.outbox_cursor
        (epoch, n, prev, cur, last_seq, system_identifier, database_oid, timeline, passed_rows)
    SELECT epoch, %(n)s, %(prev)s::pg_snapshot, %(cur)s::pg_snapshot, %(last_seq)s,
        %(system_identifier)s, %(database_oid)s::bigint::oid, %(timeline)s, %(passed_rows)s
    FROM held"""

_REANCHOR: Final = "SELECT messaging.reanchor_outbox(%(epoch)s)"


async def latest(connection: Connection) -> CursorRow | None:
    """Return the cursor; the highest (epoch, n) counts."""
    found = await fetch(connection, CursorRow, _LATEST)
    return found[0] if found else None


async def server(connection: Connection) -> Server:
    """Say which server and database the connection leads to."""
    return (await fetch(connection, Server, _SERVER))[0]


async def advance(connection: Connection, row: CursorRow, passed_rows: int) -> bool:
    """Append `row`; False when its epoch no longer holds the lease."""
    appended = await Transaction(connection).execute(
        _ADVANCE, passed_rows=passed_rows, **_columns(row)
    )
    return appended == 1


async def advance_and_park(
    connection: Connection,
    row: CursorRow,
    passed_rows: int,
    keys: Sequence[NewParkedKey],
    rows: Sequence[ParkedSeq],
    author: Author,
) -> bool:
    """Append `row`, hold back `keys` and copy `rows`, all or nothing; False as in `advance`."""
    return (
        await Transaction(connection).execute(
            _ADVANCE_AND_PARK,
            topics=[each.topic for each in keys],
            keys=[each.key for each in keys],
            reasons=[each.reason for each in keys],
            passed_rows=passed_rows,
            process=author.process,
            release=author.release,
            **{
                name: [getattr(each, name) for each in rows] for name in ParkedSeq.__struct_fields__
            },
            **_columns(row),
        )
        == 1
    )


async def reanchor(connection: Connection, epoch: int) -> int:
    """Append what is unpublished anew and begin a cursor; return the number of rows."""
    return (await fetch(connection, int, _REANCHOR, epoch=epoch))[0]


def _columns(row: CursorRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in CursorRow.__struct_fields__}
