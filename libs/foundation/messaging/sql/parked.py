"""messaging.parked_keys and parked_messages: what a consumer has set aside, per key, in order."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.database.transaction import Transaction


class NewMessage(Struct, frozen=True, kw_only=True):
    """A message as it is parked; `headers` is JSON text."""

    key: str
    partition: int
    log_offset: int
    event_id: UUID | None
    type: str | None
    headers: str
    body: bytes | None
    error_code: str
    error: str
    attempts: int
    fingerprint: str | None


class Inserted(Struct, frozen=True, kw_only=True):
    """A message that was not parked before."""

    id: int
    partition: int
    log_offset: int


class OpenMessage(Struct, frozen=True, kw_only=True):
    """A parked message that waits to be retried or skipped."""

    id: int
    type: str | None
    headers: str
    body: bytes | None


class Summary(Struct, frozen=True, kw_only=True):
    """How much a consumer has parked."""

    keys: int
    oldest_at: datetime | None


# FOR SHARE: a wave and the release of a key exclude each other, waves do not.
_SHARE: Final = """
    SELECT key FROM messaging.parked_keys
    WHERE consumer = %(consumer)s::text AND topic = %(topic)s::text AND key = ANY(%(keys)b::text[])
    ORDER BY key
    FOR SHARE"""

_LOCK: Final = """
    SELECT key FROM messaging.parked_keys
    WHERE consumer = %(consumer)s::text AND topic = %(topic)s::text AND key = %(key)s::text
    FOR UPDATE"""

# A record that carries no trustworthy id is recognised by its position instead.
_INSERT: Final = """
    INSERT INTO messaging.parked_messages (consumer, topic, key, partition, log_offset, event_id,
        type, headers, body, error_code, error, attempts, fingerprint)
    SELECT %(consumer)s::text, %(topic)s::text, key, partition, log_offset, event_id, type,
        headers::jsonb, body, error_code, error, attempts, fingerprint
    FROM unnest(%(key)b::text[], %(partition)b::int[], %(log_offset)b::bigint[],
        %(event_id)b::uuid[], %(type)b::text[], %(headers)b::text[], %(body)b::bytea[],
        %(error_code)b::text[], %(error)b::text[], %(attempts)b::int[], %(fingerprint)b::text[])
        WITH ORDINALITY AS new (key, partition, log_offset, event_id, type, headers, body,
            error_code, error, attempts, fingerprint, position)
    ORDER BY position
    ON CONFLICT (consumer, topic, partition, log_offset, event_id) DO NOTHING
    RETURNING id, partition, log_offset"""

_PARK_KEY: Final = """
    INSERT INTO messaging.parked_keys (consumer, topic, key, reason)
    VALUES (%(consumer)s::text, %(topic)s::text, %(key)s::text, %(reason)s::text)
    ON CONFLICT DO NOTHING"""

_RELEASE_KEY: Final = """
    DELETE FROM messaging.parked_keys
    WHERE consumer = %(consumer)s::text AND topic = %(topic)s::text AND key = %(key)s::text"""

_OPEN: Final = """
    SELECT id, type, headers::text AS headers, body
    FROM messaging.parked_messages
    WHERE consumer = %(consumer)s::text AND topic = %(topic)s::text AND key = %(key)s::text
        AND resolution IS NULL
    ORDER BY id
    LIMIT %(limit)s"""

_RESOLVE: Final = """
    UPDATE messaging.parked_messages
    SET resolution = %(resolution)s::text, resolved_at = now()
    WHERE id = ANY(%(ids)b::bigint[])"""

_FAILED: Final = """
    UPDATE messaging.parked_messages
    SET attempts = attempts + 1, error_code = %(error_code)s::text, error = %(error)s::text,
        fingerprint = %(fingerprint)s::text
    WHERE id = %(id)s"""

_SUMMARY: Final = """
    SELECT count(*) AS keys, min(parked_at) AS oldest_at
    FROM messaging.parked_keys
    WHERE consumer = %(consumer)s::text"""


async def lock_shared(tx: Transaction, consumer: str, topic: str, keys: Sequence[str]) -> set[str]:
    """Return which of `keys` are parked, and keep them from being released until the commit."""
    return set(await tx.fetch(str, _SHARE, consumer=consumer, topic=topic, keys=list(keys)))


async def lock(tx: Transaction, consumer: str, topic: str, key: str) -> bool:
    """Lock a parked key, so that nothing queues behind it; False when it is not parked."""
    return await tx.fetch_one(str, _LOCK, consumer=consumer, topic=topic, key=key) is not None


async def insert(
    tx: Transaction, consumer: str, topic: str, messages: Sequence[NewMessage]
) -> list[Inserted]:
    """Park `messages` in their order; returns those that were not parked before."""
    columns = {
        name: [getattr(message, name) for message in messages]
        for name in NewMessage.__struct_fields__
    }
    return await tx.fetch(Inserted, _INSERT, consumer=consumer, topic=topic, **columns)


async def park_key(tx: Transaction, consumer: str, topic: str, key: str, reason: str) -> bool:
    """Park `key`; False when it was parked already."""
    return await tx.execute(_PARK_KEY, consumer=consumer, topic=topic, key=key, reason=reason) == 1


async def release_key(tx: Transaction, consumer: str, topic: str, key: str) -> None:
    """Let `key` flow again; its lock is held and its queue is empty."""
    await tx.execute(_RELEASE_KEY, consumer=consumer, topic=topic, key=key)


async def open_messages(
    tx: Transaction, consumer: str, topic: str, key: str, limit: int
) -> list[OpenMessage]:
    """Return the first messages of a key's queue, oldest first."""
    return await tx.fetch(OpenMessage, _OPEN, consumer=consumer, topic=topic, key=key, limit=limit)


async def resolve(tx: Transaction, message_ids: Sequence[int], resolution: str) -> None:
    """Close parked messages as `retried` or `skipped`."""
    await tx.execute(_RESOLVE, ids=list(message_ids), resolution=resolution)


async def note_failure(
    tx: Transaction, message_id: int, *, error_code: str, error: str, fingerprint: str
) -> None:
    """Count one more failed attempt and keep what it failed of."""
    await tx.execute(
        _FAILED, id=message_id, error_code=error_code, error=error, fingerprint=fingerprint
    )


async def summary(tx: Transaction, consumer: str) -> Summary:
    """Return how much `consumer` has parked."""
    found = await tx.fetch_one(Summary, _SUMMARY, consumer=consumer)
    return found or Summary(keys=0, oldest_at=None)
