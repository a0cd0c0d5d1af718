"""messaging.parked_attempts: what became of each attempt at a parked message; only added to."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.database.transaction import Transaction


class NewAttempt(Struct, frozen=True, kw_only=True):
    """One attempt at a consumer's parked message; without a request it arrived from Kafka."""

    message_id: int
    at: datetime
    process: str
    release: str
    request_id: UUID | None
    outcome: str
    error_class: str | None = None
    error_code: str | None = None
    error_type: str | None = None
    frame: str | None = None
    error: str | None = None
    fingerprint: str | None = None


class Attempt(Struct, frozen=True, kw_only=True):
    """One attempt as people see it; `position` is the id or the seq of its message."""

    position: int
    at: datetime
    process: str
    release: str
    request_id: UUID | None
    outcome: str
    error_class: str | None
    error_code: str | None
    error_type: str | None
    frame: str | None
    error: str | None
    fingerprint: str | None


_ADD: Final = """
    INSERT INTO messaging.parked_attempts (message_id, at, process, release, request_id, outcome,
        error_class, error_code, error_type, frame, error, fingerprint)
    SELECT message_id, at, process, release, request_id, outcome, error_class, error_code,
        error_type, frame, error, fingerprint
    FROM unnest(%(message_id)b::bigint[], %(at)b::timestamptz[], %(process)b::text[],
        %(release)b::text[], %(request_id)b::uuid[], %(outcome)b::text[], %(error_class)b::text[],
        %(error_code)b::text[], %(error_type)b::text[], %(frame)b::text[], %(error)b::text[],
        %(fingerprint)b::text[])
        WITH ORDINALITY AS new (message_id, at, process, release, request_id, outcome, error_class,
            error_code, error_type, frame, error, fingerprint, position)
    ORDER BY position"""

_OF: Final = """
    SELECT coalesce(message_id, outbox_seq) AS position, at, process, release, request_id, outcome,
        error_class, error_code, error_type, frame, error, fingerprint
    FROM messaging.parked_attempts
    WHERE message_id = ANY(%(message_ids)b::bigint[]) OR outbox_seq = ANY(%(seqs)b::bigint[])
    ORDER BY id
    LIMIT %(limit)s"""


async def add(tx: Transaction, attempts: Sequence[NewAttempt]) -> None:
    """Add `attempts` in their order."""
    if not attempts:
        return
    columns = {
        name: [getattr(attempt, name) for attempt in attempts]
        for name in NewAttempt.__struct_fields__
    }
    await tx.execute(_ADD, **columns)


async def of_messages(
    tx: Transaction, *, message_ids: Sequence[int], seqs: Sequence[int], limit: int
) -> list[Attempt]:
    """Return the attempts at consumers' messages and at the relay's rows, oldest first."""
    return await tx.fetch(Attempt, _OF, message_ids=list(message_ids), seqs=list(seqs), limit=limit)
