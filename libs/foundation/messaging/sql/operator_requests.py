"""messaging.operator_requests: what people asked for, who asked, and what came of it."""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.database.transaction import Transaction


class Request(Struct, frozen=True, kw_only=True):
    """A request that is not finished; `outcome` tells how far it has come."""

    id: UUID
    verb: str
    topic: str | None
    key: str | None
    requested_by: str
    expected_version: int | None
    outcome: str | None


class Progress(Struct, frozen=True, kw_only=True):
    """What came of a request so far."""

    finished_at: datetime | None
    outcome: str | None


_INSERT: Final = """
    INSERT INTO messaging.operator_requests
        (id, owner, verb, topic, key, requested_by, reason, expected_version)
    VALUES (%(id)s, %(owner)s::text, %(verb)s::text, %(topic)s::text, %(key)s::text,
        %(requested_by)s::text, %(reason)s::text, %(expected_version)s::bigint)"""

# What is asked for keys has items: sql/request_items.py, and to park again is asked of every
# process of a consumer: sql/parking_stops.py. Requests with a selection of rows take
# long and run beside the others: sql/row_requests.py.
# SKIP LOCKED: another member of the same owner is at work on a locked request.
_LOCK_NEXT: Final = """
    SELECT id, verb, topic, key, requested_by, expected_version, outcome
    FROM messaging.operator_requests
    WHERE owner = %(owner)s::text AND finished_at IS NULL AND row_selection IS NULL
        AND (verb NOT IN ('retry', 'skip') OR topic IS NULL OR key IS NULL) AND verb <> 'resume'
    ORDER BY requested_at, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED"""

_NOTE: Final = """
    UPDATE messaging.operator_requests SET outcome = %(outcome)s::text WHERE id = %(id)s"""

_FINISH: Final = """
    UPDATE messaging.operator_requests
    SET outcome = %(outcome)s::text, finished_at = clock_timestamp()
    WHERE id = %(id)s"""

_PROGRESS: Final = """
    SELECT finished_at, outcome FROM messaging.operator_requests WHERE id = %(id)s"""


async def insert(  # noqa: PLR0913  # One for each column.
    tx: Transaction,
    *,
    request_id: UUID,
    owner: str,
    verb: str,
    topic: str | None,
    key: str | None,
    requested_by: str,
    reason: str,
    expected_version: int | None = None,
) -> None:
    """Ask `owner`, a consumer or the relay, to act; on this version only, if one is given."""
    await tx.execute(
        _INSERT,
        id=request_id,
        owner=owner,
        verb=verb,
        topic=topic,
        key=key,
        requested_by=requested_by,
        reason=reason,
        expected_version=expected_version,
    )


async def lock_next(tx: Transaction, owner: str) -> Request | None:
    """Lock the oldest request of `owner` that nobody works on."""
    return await tx.fetch_one(Request, _LOCK_NEXT, owner=owner)


async def note(tx: Transaction, request_id: UUID, outcome: str) -> None:
    """Say how far a request has come."""
    await tx.execute(_NOTE, id=request_id, outcome=outcome)


async def finish(tx: Transaction, request_id: UUID, outcome: str) -> None:
    """Close a request with what came of it."""
    await tx.execute(_FINISH, id=request_id, outcome=outcome)


async def progress(tx: Transaction, request_id: UUID) -> Progress | None:
    """Return what came of a request; None when there is no such request."""
    return await tx.fetch_one(Progress, _PROGRESS, id=request_id)
