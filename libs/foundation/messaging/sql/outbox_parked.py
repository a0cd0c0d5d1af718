"""messaging.outbox_parked_keys and _rows: what is held back from Kafka, and how it ends."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import Transaction, fetch
from libs.foundation.messaging.sql.outbox_windows import OutboxRow, raw_cursor


class ParkedKey(Struct, frozen=True, kw_only=True):
    """A key that is held back, and why."""

    topic: str
    key: str


_KEYS: Final = "SELECT topic, key FROM messaging.outbox_parked_keys"

_OPEN_ROWS: Final = """
    SELECT seq, topic, partition, aggregateid, id::text, type, source,
        (occurred_at AT TIME ZONE 'UTC')::text, sequence, traceparent, payload,
        date_part('epoch', parked_at), replay_request::text
    FROM (
        SELECT *, sum(octet_length(payload)) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING)
            - octet_length(payload) AS bytes_before
        FROM messaging.outbox_parked_rows
        WHERE topic = %(topic)s::text AND aggregateid = %(key)s::text AND resolution IS NULL
        ORDER BY seq LIMIT %(rows_max)s) AS page
    WHERE bytes_before < %(bytes_max)s
    ORDER BY seq"""

_SETTLE: Final = """
    WITH held AS (
        SELECT epoch FROM messaging.relay_leases
        WHERE name = 'outbox' AND epoch = %(epoch)s FOR SHARE),
    settled AS (
        UPDATE messaging.outbox_parked_rows AS r
        SET resolution = s.resolution, resolved_at = clock_timestamp()
        FROM held, unnest(%(seqs)s::bigint[], %(resolutions)s::text[]) AS s (seq, resolution)
        WHERE r.seq = s.seq),
    freed AS (
        DELETE FROM messaging.outbox_parked_keys AS k USING held
        WHERE %(key_is_free)s AND k.topic = %(topic)s::text AND k.key = %(key)s::text),
    finished AS (
        UPDATE messaging.operator_requests AS q
        SET finished_at = clock_timestamp(), outcome = %(outcome)s::text FROM held
        WHERE q.id = %(request_id)s AND %(outcome)s::text IS NOT NULL)
    SELECT count(*) FROM held"""


async def keys(connection: Connection) -> list[ParkedKey]:
    """Return every key that is held back."""
    return await fetch(connection, ParkedKey, _KEYS)


async def open_rows(
    connection: Connection, topic: str, key: str, *, rows_max: int, bytes_max: int
) -> list[OutboxRow]:
    """Return the first rows held back for a key, in order of seq; at least one if there is any."""
    cursor = raw_cursor(connection)
    limits = {"rows_max": rows_max, "bytes_max": bytes_max}
    await cursor.execute(_OPEN_ROWS, {"topic": topic, "key": key, **limits})
    return [OutboxRow(*row) for row in await cursor.fetchall()]


class Settlement(Struct, frozen=True, kw_only=True):
    """What became of some rows of a key; with an `outcome` the request is finished too."""

    topic: str
    key: str
    released_seqs: Sequence[int] = ()
    skipped_seqs: Sequence[int] = ()
    key_is_free: bool = False
    request_id: UUID
    outcome: str | None = None


async def settle(connection: Connection, epoch: int, settlement: Settlement) -> bool:
    """Write a settlement, all or nothing; False when `epoch` no longer holds the lease."""
    released, skipped = settlement.released_seqs, settlement.skipped_seqs
    held = await Transaction(connection).fetch(
        int,
        _SETTLE,
        epoch=epoch,
        seqs=[*released, *skipped],
        resolutions=["released"] * len(released) + ["skipped"] * len(skipped),
        key_is_free=settlement.key_is_free,
        topic=settlement.topic,
        key=settlement.key,
        request_id=settlement.request_id,
        outcome=settlement.outcome,
    )
    return held == [1]
