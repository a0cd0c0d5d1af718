"""messaging.outbox_parked_keys and _rows: what is held back from Kafka, and how it ends."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import Transaction, fetch
from libs.foundation.messaging.quarantine.failures import Author
from libs.foundation.messaging.sql.outbox_cursor import ParkedSeq
from libs.foundation.messaging.sql.outbox_windows import OutboxRow, raw_cursor
from libs.foundation.messaging.sql.request_items import OpenItem

_WHY: Final = ("error_class", "error_code", "error_type", "frame", "error", "fingerprint")


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

_HAS_MORE: Final = """
    SELECT EXISTS (
        SELECT FROM messaging.outbox_parked_rows
        WHERE topic = %(topic)s::text AND aggregateid = %(key)s::text AND resolution IS NULL
            AND seq > %(after_seq)s)"""

# What became of a page, its history, its key and its request are one statement under the lease.
_SETTLE: Final = """
    WITH held AS (
        SELECT epoch FROM messaging.relay_leases
        WHERE name = 'outbox' AND epoch = %(epoch)s FOR SHARE),
    page AS (
        SELECT r.seq, r.outcome FROM held, unnest(%(seqs)b::bigint[], %(outcomes)b::text[])
            AS r (seq, outcome)),
    resolved AS (
        UPDATE messaging.outbox_parked_rows AS r
        SET resolved_at = clock_timestamp(),
            resolution = CASE page.outcome WHEN 'skipped' THEN 'skipped' ELSE 'released' END
        FROM page WHERE r.seq = page.seq AND page.outcome <> 'failed'),
    refused AS (
        UPDATE messaging.outbox_parked_rows AS r
        SET attempts = r.attempts + 1, error = %(error)s::text, error_code = %(error_code)s::text,
            fingerprint = %(fingerprint)s::text
        FROM page WHERE r.seq = page.seq AND page.outcome = 'failed'),
    attempted AS (
        INSERT INTO messaging.parked_attempts (outbox_seq, process, release, request_id, outcome,
            error_class, error_code, error_type, frame, error, fingerprint)
        SELECT page.seq, %(process)s::text, %(release)s::text, %(request_id)s::uuid, page.outcome,
            why.error_class, why.error_code, why.error_type, why.frame, why.error, why.fingerprint
        FROM page LEFT JOIN (
            SELECT %(error_class)s::text, %(error_code)s::text, %(error_type)s::text,
                %(frame)s::text, %(error)s::text, %(fingerprint)s::text)
            AS why (error_class, error_code, error_type, frame, error, fingerprint)
            ON page.outcome = 'failed'
        ORDER BY page.seq),
    freed AS (
        DELETE FROM messaging.outbox_parked_keys AS k USING held
        WHERE %(key_is_free)s AND k.topic = %(topic)s::text AND k.key = %(key)s::text),
    noted AS (
        UPDATE messaging.operator_request_items AS i
        SET handled = i.handled + %(handled)s, skipped = i.skipped + %(skipped)s,
            result = %(result)s::text, outcome = %(outcome)s::text,
            finished_at = CASE WHEN %(result)s::text IS NOT NULL THEN clock_timestamp() END
        FROM held WHERE i.request_id = %(request_id)s::uuid AND i.position = %(position)s)
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


async def has_more(connection: Connection, item: OpenItem, after_seq: int) -> bool:
    """Say whether rows of the item's key are held back above `after_seq`."""
    found = await fetch(
        connection, bool, _HAS_MORE, topic=item.topic, key=item.key, after_seq=after_seq
    )
    return found == [True]


class Settlement(Struct, frozen=True, kw_only=True):
    """What became of a page of rows of a key; `refused` is the row that stopped it."""

    released_seqs: Sequence[int] = ()
    skipped_seqs: Sequence[int] = ()
    refused: ParkedSeq | None = None
    key_is_free: bool = False
    result: str | None = None
    outcome: str


async def settle(
    connection: Connection, epoch: int, item: OpenItem, settlement: Settlement, author: Author
) -> bool:
    """Write a settlement, all or nothing; False when `epoch` no longer holds the lease."""
    released, skipped = settlement.released_seqs, settlement.skipped_seqs
    refused = settlement.refused
    why = {name: getattr(refused, name, None) for name in _WHY}
    held = await Transaction(connection).fetch(
        int,
        _SETTLE,
        epoch=epoch,
        seqs=[*released, *skipped, *([refused.seq] if refused else [])],
        outcomes=["succeeded"] * len(released)
        + ["skipped"] * len(skipped)
        + (["failed"] if refused else []),
        handled=len(released),
        skipped=len(skipped),
        key_is_free=settlement.key_is_free,
        topic=item.topic,
        key=item.key,
        request_id=item.request_id,
        position=item.position,
        result=settlement.result,
        outcome=settlement.outcome,
        process=author.process,
        release=author.release,
        **why,
    )
    return held == [1]
