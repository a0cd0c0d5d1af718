"""What is parked by consumers and by the relay, as people look at it: never a body."""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.database.transaction import Transaction


class Narrowing(Struct, frozen=True, kw_only=True):
    """Which keys: each field narrows the choice.

    Type, code and fingerprint are those of the message that the key's queue waits for.
    """

    owner: str | None = None
    topic: str | None = None
    key: str | None = None
    fingerprint: str | None = None
    type: str | None = None
    code: str | None = None
    older_than_s: float | None = None


class HeldKey(Struct, frozen=True, kw_only=True):
    """One parked key with the message its queue waits for; `head` is that one's id or seq."""

    owner: str
    topic: str
    key: str
    parked_at: datetime
    messages: int
    head: int | None
    type: str | None
    code: str
    fingerprint: str
    error: str
    attempts: int
    asked_verb: str | None
    asked_request: UUID | None


class FailureGroup(Struct, frozen=True, kw_only=True):
    """Keys that wait for the same cause."""

    fingerprint: str
    owners: list[str]
    types: list[str]
    keys: int
    messages: int
    first_seen: datetime
    last_seen: datetime
    example: str


class QueuedMessage(Struct, frozen=True, kw_only=True):
    """A message of a key's queue; a consumer's has an offset, the relay's has its seq."""

    position: int
    partition: int
    log_offset: int | None
    id: UUID | None
    type: str | None
    headers: str
    parked_at: datetime
    attempts: int
    code: str
    error: str
    fingerprint: str | None


_HELD: Final = """
    SELECT held.owner, held.topic, held.key, held.parked_at, queue.messages, head.position AS head,
        head.type, coalesce(head.code, held.reason) AS code, coalesce(head.error, '') AS error,
        coalesce(head.fingerprint, head.code, held.reason) AS fingerprint,
        coalesce(head.attempts, 0) AS attempts
    FROM (
        SELECT consumer AS owner, topic, key, reason, parked_at FROM messaging.parked_keys
        UNION ALL
        SELECT 'outbox-relay', topic, key, reason, parked_at FROM messaging.outbox_parked_keys
    ) AS held
    LEFT JOIN LATERAL (
        (SELECT id AS position, type, error_code AS code, error, fingerprint, attempts
        FROM messaging.parked_messages
        WHERE consumer = held.owner AND topic = held.topic AND key = held.key
            AND resolution IS NULL
        ORDER BY id LIMIT 1)
        UNION ALL
        (SELECT seq, type, coalesce(error_code, 'refused'), error, fingerprint, attempts
        FROM messaging.outbox_parked_rows
        WHERE held.owner = 'outbox-relay' AND topic = held.topic AND aggregateid = held.key
            AND resolution IS NULL
        ORDER BY seq LIMIT 1)
    ) AS head ON true
    CROSS JOIN LATERAL (
        SELECT (
            SELECT count(*) FROM messaging.parked_messages
            WHERE consumer = held.owner AND topic = held.topic AND key = held.key
                AND resolution IS NULL) + (
            SELECT count(*) FROM messaging.outbox_parked_rows
            WHERE held.owner = 'outbox-relay' AND topic = held.topic AND aggregateid = held.key
                AND resolution IS NULL) AS messages
    ) AS queue
    WHERE (%(owner)s::text IS NULL OR held.owner = %(owner)s::text)
        AND (%(topic)s::text IS NULL OR held.topic = %(topic)s::text)
        AND (%(key)s::text IS NULL OR held.key = %(key)s::text)
        AND (%(type)s::text IS NULL OR head.type = %(type)s::text)
        AND (%(code)s::text IS NULL OR coalesce(head.code, held.reason) = %(code)s::text)
        AND (%(fingerprint)s::text IS NULL
            OR coalesce(head.fingerprint, head.code, held.reason) = %(fingerprint)s::text)
        AND (%(older_than_s)s::float8 IS NULL
            OR held.parked_at < now() - %(older_than_s)s::float8 * interval '1 second')"""

_KEYS: Final = f"""
    SELECT found.*, asked.verb AS asked_verb, asked.id AS asked_request
    FROM ({_HELD}) AS found
    LEFT JOIN LATERAL (
        SELECT q.id, q.verb FROM messaging.operator_request_items AS i
        JOIN messaging.operator_requests AS q ON q.id = i.request_id
        WHERE i.owner = found.owner AND i.topic = found.topic AND i.key = found.key
            AND i.finished_at IS NULL
        ORDER BY q.id LIMIT 1) AS asked ON true
    ORDER BY found.parked_at, found.owner, found.topic, found.key
    LIMIT %(limit)s"""  # noqa: S608  # The name is a literal of this module.

_COUNT: Final = f"SELECT count(*) FROM ({_HELD}) AS found"  # noqa: S608  # As above.

# When a cause was seen first and last: over the attempts at the messages that wait for it.
_GROUPS: Final = f"""
    SELECT found.fingerprint, array_agg(DISTINCT found.owner) AS owners,
        coalesce(array_agg(DISTINCT found.type) FILTER (WHERE found.type IS NOT NULL), '{{}}')
            AS types,
        count(*) AS keys, sum(found.messages)::bigint AS messages,
        min(coalesce(seen.first_at, found.parked_at)) AS first_seen,
        max(coalesce(seen.last_at, found.parked_at)) AS last_seen,
        min(found.error) AS example
    FROM ({_HELD}) AS found
    LEFT JOIN LATERAL (
        SELECT min(a.at) AS first_at, max(a.at) AS last_at
        FROM (
            SELECT at, fingerprint FROM messaging.parked_attempts
            WHERE found.owner <> 'outbox-relay' AND message_id = found.head
            UNION ALL
            SELECT at, fingerprint FROM messaging.parked_attempts
            WHERE found.owner = 'outbox-relay' AND outbox_seq = found.head) AS a
        WHERE a.fingerprint = found.fingerprint) AS seen ON true
    GROUP BY found.fingerprint
    ORDER BY keys DESC, found.fingerprint
    LIMIT %(limit)s"""  # noqa: S608  # The name is a literal of this module.

# Asked for already, and not done: such a key is left to the request that it stands in.
_ASK: Final = f"""
    INSERT INTO messaging.operator_request_items
        (request_id, position, owner, topic, key, head, of_many)
    SELECT %(request_id)s::uuid, row_number() OVER (
            ORDER BY found.parked_at, found.owner, found.topic, found.key),
        found.owner, found.topic, found.key, found.head, %(of_many)s
    FROM ({_HELD}) AS found
    WHERE NOT EXISTS (
        SELECT FROM messaging.operator_request_items AS i
        WHERE i.owner = found.owner AND i.topic = found.topic AND i.key = found.key
            AND i.finished_at IS NULL)
    ORDER BY found.parked_at, found.owner, found.topic, found.key
    LIMIT %(limit)s"""  # noqa: S608  # The name is a literal of this module.

_QUEUE: Final = """
    SELECT id AS position, partition, log_offset, event_id AS id, type, headers::text AS headers,
        parked_at, attempts, error_code AS code, error, fingerprint
    FROM messaging.parked_messages
    WHERE consumer = %(owner)s::text AND topic = %(topic)s::text AND key = %(key)s::text
        AND resolution IS NULL
    ORDER BY id LIMIT %(limit)s"""

# The relay makes the headers of a row when it sends it.
_HELD_BACK: Final = """
    SELECT seq AS position, partition, NULL::bigint AS log_offset, id, type,
        jsonb_path_query_array(jsonb_build_array(
            jsonb_build_object('name', 'ce_id', 'text', id::text),
            jsonb_build_object('name', 'ce_type', 'text', type),
            jsonb_build_object('name', 'ce_source', 'text', source),
            jsonb_build_object('name', 'ce_subject', 'text', aggregateid),
            jsonb_build_object('name', 'ce_time', 'text', occurred_at),
            jsonb_build_object('name', 'ce_sequence', 'text', sequence::text),
            jsonb_build_object('name', 'traceparent', 'text', traceparent),
            jsonb_build_object('name', 'replay', 'text', replay_request)),
            '$[*] ? (@.text != null)')::text AS headers,
        parked_at, attempts, coalesce(error_code, CASE WHEN error IS NULL THEN 'queued'
            ELSE 'refused' END) AS code,
        coalesce(error, 'an earlier message of this key is parked') AS error, fingerprint
    FROM messaging.outbox_parked_rows
    WHERE topic = %(topic)s::text AND aggregateid = %(key)s::text AND resolution IS NULL
    ORDER BY seq LIMIT %(limit)s"""


async def keys(tx: Transaction, narrowing: Narrowing, limit: int) -> list[HeldKey]:
    """Return the first keys that match, the longest parked first."""
    return await tx.fetch(HeldKey, _KEYS, limit=limit, **_params(narrowing))


async def count(tx: Transaction, narrowing: Narrowing) -> int:
    """Return how many keys match."""
    return (await tx.fetch(int, _COUNT, **_params(narrowing)))[0]


async def groups(tx: Transaction, narrowing: Narrowing, limit: int) -> list[FailureGroup]:
    """Return the causes that keys wait for, the most frequent first."""
    return await tx.fetch(FailureGroup, _GROUPS, limit=limit, **_params(narrowing))


async def ask(
    tx: Transaction, request_id: UUID, narrowing: Narrowing, *, of_many: bool, limit: int
) -> int:
    """Make the keys that match and are not asked for yet the items of a request; count them."""
    return await tx.execute(
        _ASK, request_id=request_id, of_many=of_many, limit=limit, **_params(narrowing)
    )


async def queue(
    tx: Transaction, owner: str, topic: str, key: str, limit: int
) -> list[QueuedMessage]:
    """Return the first messages that wait for a key, in their order."""
    if owner == "outbox-relay":
        return await tx.fetch(QueuedMessage, _HELD_BACK, topic=topic, key=key, limit=limit)
    return await tx.fetch(QueuedMessage, _QUEUE, owner=owner, topic=topic, key=key, limit=limit)


def _params(narrowing: Narrowing) -> dict[str, object]:
    return {name: getattr(narrowing, name) for name in Narrowing.__struct_fields__}
