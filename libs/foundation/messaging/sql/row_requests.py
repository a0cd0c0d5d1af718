"""messaging.operator_requests about rows of the outbox: replay them, or forget their marks."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import Transaction, fetch


class Open(Struct, frozen=True, kw_only=True):
    """A request that is not finished."""

    id: UUID
    verb: str


class Step(Struct, frozen=True, kw_only=True):
    """What a step came to: stepped, finished, waiting for Kafka, resting, or taken by another."""

    state: str
    touched: int
    wait_s: float


class Listed(Struct, frozen=True, kw_only=True):
    """A request as people ask about it; `touched` counts copies, or marks forgotten."""

    id: UUID
    verb: str
    requested_by: str
    reason: str
    requested_at: datetime
    finished_at: datetime | None
    outcome: str | None
    touched: int


_INSERT: Final = """
    INSERT INTO messaging.operator_requests
        (id, owner, verb, topic, key, requested_by, reason, row_selection)
    VALUES (%(id)s, %(owner)s::text, %(verb)s::text, NULL, NULL, %(requested_by)s::text,
        %(reason)s::text, %(selection)s::text::jsonb)"""

# One after the other, in the order they were asked for: marks are forgotten before the replay
# that was asked for next appends its first copy.
_OLDEST: Final = """
    SELECT id, verb FROM messaging.operator_requests
    WHERE owner = %(owner)s::text AND finished_at IS NULL AND row_selection IS NOT NULL
        AND verb <> 'stop'
    ORDER BY requested_at, id LIMIT 1"""

_STEP: Final = """
    SELECT state, touched, wait_s
    FROM messaging.step_row_request(%(id)s, %(rows_max)s::int, %(scanned_max)s::int)"""

_STOP: Final = """
    WITH wish AS (
        SELECT id, requested_by, (row_selection->>'request')::uuid AS target
        FROM messaging.operator_requests
        WHERE owner = %(owner)s::text AND finished_at IS NULL AND verb = 'stop'
        ORDER BY requested_at, id LIMIT 1
        FOR UPDATE SKIP LOCKED),
    stopped AS (
        UPDATE messaging.operator_requests AS q
        SET finished_at = clock_timestamp(),
            outcome = format('stopped by %%s after %%s', wish.requested_by,
                coalesce(q.row_position->>'touched', '0'))
        FROM wish
        WHERE q.id = wish.target AND q.finished_at IS NULL AND q.row_selection IS NOT NULL
            AND q.verb <> 'stop'
        RETURNING q.id)
    UPDATE messaging.operator_requests AS q
    SET finished_at = clock_timestamp(),
        outcome = CASE WHEN EXISTS (SELECT FROM stopped) THEN 'finished: it is stopped'
            ELSE 'refused: no such request is running' END
    FROM wish WHERE q.id = wish.id"""

_LIST: Final = """
    SELECT id, verb, requested_by, reason, requested_at, finished_at, outcome,
        coalesce((row_position->>'touched')::bigint, 0) AS touched
    FROM messaging.operator_requests
    WHERE row_selection IS NOT NULL AND verb <> 'stop'
    ORDER BY finished_at IS NOT NULL, requested_at DESC, id LIMIT %(limit)s"""

_ASK_ABOUT: Final = """
    SELECT id, verb, requested_by, reason, requested_at, finished_at, outcome,
        coalesce((row_position->>'touched')::bigint, 0) AS touched
    FROM messaging.operator_requests
    WHERE id = %(id)s AND row_selection IS NOT NULL"""


async def insert(
    tx: Transaction,
    *,
    request_id: UUID,
    owner: str,
    verb: str,
    requested_by: str,
    reason: str,
    selection: Struct | Mapping[str, object],
) -> None:
    """Ask `owner` to do `verb` with the rows that `selection` names."""
    await tx.execute(
        _INSERT,
        id=request_id,
        owner=owner,
        verb=verb,
        requested_by=requested_by,
        reason=reason,
        selection=msgspec.json.encode(selection).decode(),
    )


async def oldest(connection: Connection, owner: str) -> Open | None:
    """Return the request whose turn it is."""
    found = await fetch(connection, Open, _OLDEST, owner=owner)
    return found[0] if found else None


async def step(connection: Connection, request_id: UUID, rows_max: int, scanned_max: int) -> Step:
    """Do the next part of a request, all of it or nothing."""
    found = await fetch(
        connection, Step, _STEP, id=request_id, rows_max=rows_max, scanned_max=scanned_max
    )
    return found[0]


async def stop_asked(connection: Connection, owner: str) -> bool:
    """End a request that somebody wants stopped; False when nobody wants that."""
    return await Transaction(connection).execute(_STOP, owner=owner) == 1


async def listed(connection: Connection, limit: int) -> list[Listed]:
    """Return the requests, open ones first, then the newest."""
    return await fetch(connection, Listed, _LIST, limit=limit)


async def about(connection: Connection, request_id: UUID) -> Listed | None:
    """Return one request; None when there is no such one about rows."""
    found = await fetch(connection, Listed, _ASK_ABOUT, id=request_id)
    return found[0] if found else None
