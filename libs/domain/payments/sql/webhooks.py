"""payments.webhooks: stored by the API, read by the payments worker."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import Transaction, fetch


class StoredWebhook(Struct, frozen=True, kw_only=True):
    """A webhook whose signature was checked when it came."""

    event_id: str
    body: bytes
    received_at: datetime


class Read(Struct, frozen=True, kw_only=True):
    """What came of reading one; `next_at` is None when nothing is left to do with it."""

    event_id: str
    outcome: str
    next_at: datetime | None


class Backlog(Struct, frozen=True, kw_only=True):
    """How many webhooks wait, and how many of them name no operation of ours."""

    waiting: int
    unmatched: int


# Without a conflict target: naming one would take the right to read the table.
_STORE: Final = """
    INSERT INTO payments.webhooks (provider, event_id, body)
    VALUES (%(provider)s::text, %(event_id)s::text, %(body)s::bytea)
    ON CONFLICT DO NOTHING"""

_LOCK_DUE: Final = """
    SELECT event_id, body, received_at FROM payments.webhooks
    WHERE provider = %(provider)s::text AND next_at <= %(now)s::timestamptz
    ORDER BY next_at
    LIMIT %(webhooks_max)s::bigint
    FOR NO KEY UPDATE SKIP LOCKED"""

_NOTE: Final = """
    UPDATE payments.webhooks AS webhook
    SET outcome = read.outcome, next_at = read.next_at,
        processed_at = CASE WHEN read.next_at IS NULL THEN now() END
    FROM unnest(%(event_ids)b::text[], %(outcomes)b::text[], %(next_ats)b::timestamptz[])
        AS read (event_id, outcome, next_at)
    WHERE webhook.provider = %(provider)s::text AND webhook.event_id = read.event_id"""

# By physical place: a join with what was picked would make a generic plan walk the table.
_EXPIRE: Final = """
    DELETE FROM payments.webhooks WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM payments.webhooks
        WHERE processed_at < %(before)s::timestamptz
        ORDER BY processed_at
        LIMIT %(webhooks_max)s::bigint
        FOR UPDATE SKIP LOCKED))"""

_BACKLOG: Final = """
    SELECT count(*) AS waiting, count(*) FILTER (WHERE outcome = 'unmatched') AS unmatched
    FROM payments.webhooks WHERE provider = %(provider)s::text AND next_at IS NOT NULL"""


async def store(tx: Transaction, provider: str, event_id: str, body: bytes) -> None:
    """Keep a webhook until it is read; one that is known already is left as it is."""
    await tx.execute(_STORE, provider=provider, event_id=event_id, body=body)


async def lock_due(
    tx: Transaction, provider: str, webhooks_max: int, now: datetime
) -> list[StoredWebhook]:
    """Lock webhooks to read that nobody else is reading."""
    return await tx.fetch(
        StoredWebhook, _LOCK_DUE, provider=provider, webhooks_max=webhooks_max, now=now
    )


async def note(tx: Transaction, provider: str, read: Sequence[Read]) -> None:
    """Note what came of reading webhooks."""
    if read:
        await tx.execute(
            _NOTE,
            provider=provider,
            event_ids=[each.event_id for each in read],
            outcomes=[each.outcome for each in read],
            next_ats=[each.next_at for each in read],
        )


async def expire(tx: Transaction, before: datetime, webhooks_max: int) -> int:
    """Delete some webhooks that were processed before; return how many."""
    return await tx.execute(_EXPIRE, before=before, webhooks_max=webhooks_max)


async def backlog(pool: Pool, provider: str) -> Backlog:
    """Count what waits; an index holds nothing else."""
    async with pool.connection() as connection:
        return (await fetch(connection, Backlog, _BACKLOG, provider=provider))[0]
