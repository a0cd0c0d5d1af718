"""messaging.operator_request_items: the keys of a request, and what came of each."""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.database.transaction import Transaction


class NewRequest(Struct, frozen=True, kw_only=True):
    """A request for keys: one by its name, or those of `key_selection`, which is JSON text."""

    id: UUID
    owner: str
    verb: str
    topic: str | None
    key: str | None
    requested_by: str
    reason: str
    key_selection: str | None


class OpenItem(Struct, frozen=True, kw_only=True):
    """A key that its owner still has to retry or skip; `head` is what a skip is about."""

    request_id: UUID
    position: int
    verb: str
    topic: str
    key: str
    head: int | None
    of_many: bool
    handled: int
    skipped: int
    requested_by: str


class Item(Struct, frozen=True, kw_only=True):
    """A key of a request as people see it; `result` is None until it is finished."""

    position: int
    owner: str
    topic: str
    key: str
    head: int | None
    handled: int
    skipped: int
    finished_at: datetime | None
    result: str | None
    outcome: str | None


class ItemStep(Struct, frozen=True, kw_only=True):
    """What one transaction did for an item; with a `result` the item is finished."""

    handled: int = 0
    skipped: int = 0
    result: str | None = None
    outcome: str | None = None


_INSERT_REQUEST: Final = """
    INSERT INTO messaging.operator_requests
        (id, owner, verb, topic, key, requested_by, reason, key_selection)
    VALUES (%(id)s::uuid, %(owner)s::text, %(verb)s::text, %(topic)s::text, %(key)s::text,
        %(requested_by)s::text, %(reason)s::text, %(key_selection)s::text::jsonb)"""

# Whoever asks for one key directly, without items: a command of the release before.
_ADOPT: Final = """
    INSERT INTO messaging.operator_request_items (request_id, position, owner, topic, key, of_many)
    SELECT q.id, 1, q.owner, q.topic, q.key, false
    FROM messaging.operator_requests AS q
    WHERE q.owner = %(owner)s::text AND q.finished_at IS NULL AND q.verb IN ('retry', 'skip')
        AND q.topic IS NOT NULL AND q.key IS NOT NULL
        AND NOT EXISTS (
            SELECT FROM messaging.operator_request_items AS i WHERE i.request_id = q.id)
    ON CONFLICT DO NOTHING"""

# Requests for one key come first: a person waits for them. SKIP LOCKED: another member of the
# same owner is at work on a locked item.
_LOCK_NEXT: Final = """
    SELECT i.request_id, i.position, q.verb, i.topic, i.key, i.head, i.of_many, i.handled,
        i.skipped, q.requested_by
    FROM messaging.operator_request_items AS i
    JOIN messaging.operator_requests AS q ON q.id = i.request_id
    WHERE i.owner = %(owner)s::text AND i.finished_at IS NULL
    ORDER BY i.of_many, i.request_id, i.position
    LIMIT 1
    FOR UPDATE OF i SKIP LOCKED"""

_LOCK_UNCHANGED: Final = """
    SELECT position FROM messaging.operator_request_items
    WHERE request_id = %(request_id)s::uuid AND position = %(position)s AND finished_at IS NULL
        AND handled = %(handled)s AND skipped = %(skipped)s
    FOR UPDATE SKIP LOCKED"""

_NOTE: Final = """
    UPDATE messaging.operator_request_items
    SET handled = handled + %(handled)s, skipped = skipped + %(skipped)s,
        result = %(result)s::text, outcome = %(outcome)s::text,
        finished_at = CASE WHEN %(result)s::text IS NOT NULL THEN clock_timestamp() END
    WHERE request_id = %(request_id)s::uuid AND position = %(position)s"""

# Asked again and again rather than once: two owners that finish the last two items at the same
# moment do not see each other, and one that dies after the last item says nothing more.
_CLOSE_FINISHED: Final = """
    UPDATE messaging.operator_requests AS q
    SET finished_at = clock_timestamp(), outcome = tally.outcome
    FROM (
        SELECT o.id FROM messaging.operator_requests AS o
        WHERE o.finished_at IS NULL AND o.verb IN ('retry', 'skip')
            AND EXISTS (
                SELECT FROM messaging.operator_request_items AS i WHERE i.request_id = o.id)
            AND NOT EXISTS (
                SELECT FROM messaging.operator_request_items AS i
                WHERE i.request_id = o.id AND i.finished_at IS NULL)) AS over
    CROSS JOIN LATERAL (
        SELECT CASE WHEN count(*) = 1 THEN min(i.outcome)
            ELSE format('%%s: %%s keys done, %%s stopped, %%s refused',
                CASE WHEN bool_and(i.result = 'done') THEN 'finished' ELSE 'stopped' END,
                count(*) FILTER (WHERE i.result = 'done'),
                count(*) FILTER (WHERE i.result = 'stopped'),
                count(*) FILTER (WHERE i.result = 'refused')) END AS outcome
        FROM messaging.operator_request_items AS i WHERE i.request_id = over.id) AS tally
    WHERE q.id = over.id AND q.finished_at IS NULL"""

# Keys that somebody wants left alone. SKIP LOCKED: the next look meets one that is worked on now.
_STOP: Final = """
    UPDATE messaging.operator_request_items AS i
    SET result = 'stopped', finished_at = clock_timestamp(),
        outcome = format('stopped by %%s: %%s handled, %%s left out', unwanted.requested_by,
            i.handled, i.skipped)
    FROM (
        SELECT o.request_id, o.position, wish.requested_by
        FROM messaging.operator_requests AS wish
        JOIN messaging.operator_request_items AS o
            ON o.request_id = (wish.key_selection->>'request')::uuid
        WHERE wish.owner = 'several' AND wish.verb = 'stop' AND wish.finished_at IS NULL
            AND o.owner = %(owner)s::text AND o.finished_at IS NULL
        FOR UPDATE OF o SKIP LOCKED) AS unwanted
    WHERE i.request_id = unwanted.request_id AND i.position = unwanted.position"""

_CLOSE_STOPS: Final = """
    UPDATE messaging.operator_requests AS q
    SET finished_at = clock_timestamp(), outcome = 'finished: ' || over.outcome
    FROM (
        SELECT wish.id, coalesce(target.outcome, 'it is gone') AS outcome
        FROM messaging.operator_requests AS wish
        LEFT JOIN messaging.operator_requests AS target
            ON target.id = (wish.key_selection->>'request')::uuid
        WHERE wish.owner = 'several' AND wish.verb = 'stop' AND wish.finished_at IS NULL
            AND (target.id IS NULL OR target.finished_at IS NOT NULL)) AS over
    WHERE q.id = over.id AND q.finished_at IS NULL"""

_OF_REQUEST: Final = """
    SELECT position, owner, topic, key, head, handled, skipped, finished_at, result, outcome
    FROM messaging.operator_request_items
    WHERE request_id = %(request_id)s::uuid
    ORDER BY result = 'done' NULLS FIRST, position
    LIMIT %(limit)s"""


async def insert_request(tx: Transaction, request: NewRequest) -> None:
    """Write a request whose items follow in the same transaction."""
    columns = {name: getattr(request, name) for name in NewRequest.__struct_fields__}
    await tx.execute(_INSERT_REQUEST, **columns)


async def adopt(tx: Transaction, owner: str) -> None:
    """Give every open request for one key its item."""
    await tx.execute(_ADOPT, owner=owner)


async def lock_next(tx: Transaction, owner: str) -> OpenItem | None:
    """Lock the first open item of `owner` that nobody works on."""
    return await tx.fetch_one(OpenItem, _LOCK_NEXT, owner=owner)


async def lock_unchanged(tx: Transaction, item: OpenItem) -> bool:
    """Lock an item again; False when another member has come further with it."""
    found = await tx.fetch_one(
        int,
        _LOCK_UNCHANGED,
        request_id=item.request_id,
        position=item.position,
        handled=item.handled,
        skipped=item.skipped,
    )
    return found is not None


async def note(tx: Transaction, item: OpenItem, step: ItemStep) -> None:
    """Note what a step did, in the transaction that did it."""
    await tx.execute(
        _NOTE,
        request_id=item.request_id,
        position=item.position,
        handled=step.handled,
        skipped=step.skipped,
        result=step.result,
        outcome=step.outcome,
    )


async def stop_asked(tx: Transaction, owner: str) -> None:
    """End the items of `owner` whose request somebody wants stopped."""
    await tx.execute(_STOP, owner=owner)


async def close_finished(tx: Transaction) -> None:
    """Finish every request whose items are, and every wish to stop one that has ended."""
    await tx.execute(_CLOSE_FINISHED)
    await tx.execute(_CLOSE_STOPS)


async def of_request(tx: Transaction, request_id: UUID, limit: int) -> list[Item]:
    """Return the items of a request, those first that are not done."""
    return await tx.fetch(Item, _OF_REQUEST, request_id=request_id, limit=limit)
