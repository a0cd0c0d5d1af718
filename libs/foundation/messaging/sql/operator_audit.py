"""messaging.operator_requests as an audit reads it: who asked what, why, and what came of it."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.database.transaction import Transaction


class Audited(Struct, frozen=True, kw_only=True):
    """A request; `keys` counts its items, the other counts those that have ended so.

    `row_selection` is that of a replay, or of what a consumer was made to forget.
    """

    id: UUID
    owner: str
    verb: str
    topic: str | None
    key: str | None
    key_selection: dict[str, Any] | None
    row_selection: dict[str, Any] | None
    requested_by: str
    reason: str
    requested_at: datetime
    finished_at: datetime | None
    outcome: str | None
    keys: int
    done: int
    stopped: int
    refused: int


class AuditNarrowing(Struct, frozen=True, kw_only=True):
    """Which requests: each field narrows the choice."""

    id: UUID | None = None
    owner: str | None = None
    verb: str | None = None
    by: str | None = None
    topic: str | None = None
    key: str | None = None


_LIST: Final = """
    SELECT q.id, q.owner, q.verb, q.topic, q.key, q.key_selection, q.row_selection,
        q.requested_by, q.reason, q.requested_at, q.finished_at, q.outcome, items.keys, items.done,
        items.stopped, items.refused
    FROM messaging.operator_requests AS q
    CROSS JOIN LATERAL (
        SELECT count(*) AS keys, count(*) FILTER (WHERE i.result = 'done') AS done,
            count(*) FILTER (WHERE i.result = 'stopped') AS stopped,
            count(*) FILTER (WHERE i.result = 'refused') AS refused
        FROM messaging.operator_request_items AS i WHERE i.request_id = q.id) AS items
    WHERE (%(id)s::uuid IS NULL OR q.id = %(id)s::uuid)
        AND (%(owner)s::text IS NULL OR q.owner = %(owner)s::text OR EXISTS (
            SELECT FROM messaging.operator_request_items AS i
            WHERE i.request_id = q.id AND i.owner = %(owner)s::text))
        AND (%(verb)s::text IS NULL OR q.verb = %(verb)s::text)
        AND (%(by)s::text IS NULL OR q.requested_by = %(by)s::text)
        AND (%(key)s::text IS NULL OR q.key = %(key)s::text OR EXISTS (
            SELECT FROM messaging.operator_request_items AS i
            WHERE i.request_id = q.id AND i.key = %(key)s::text))
        AND (%(topic)s::text IS NULL OR q.topic = %(topic)s::text OR EXISTS (
            SELECT FROM messaging.operator_request_items AS i
            WHERE i.request_id = q.id AND i.topic = %(topic)s::text))
    ORDER BY q.requested_at DESC, q.id DESC
    LIMIT %(limit)s"""


async def requests(tx: Transaction, narrowing: AuditNarrowing, limit: int) -> list[Audited]:
    """Return the requests that match, the newest first."""
    params = {name: getattr(narrowing, name) for name in AuditNarrowing.__struct_fields__}
    return await tx.fetch(Audited, _LIST, limit=limit, **params)
