"""Turns what happened to a parked message into the rows of its history."""

from uuid import UUID

from libs.foundation.clock import utc_now
from libs.foundation.messaging.quarantine.failures import Failure, author
from libs.foundation.messaging.sql.parked_attempts import NewAttempt


def failed(message_id: int, failure: Failure, request_id: UUID | None = None) -> NewAttempt:
    """Return the row of a failed attempt."""
    by = author()
    return NewAttempt(
        message_id=message_id,
        at=failure.at,
        process=by.process,
        release=by.release,
        request_id=request_id,
        outcome="failed",
        error_class=failure.error_class,
        error_code=failure.code,
        error_type=failure.type,
        frame=failure.frame,
        error=failure.error,
        fingerprint=failure.fingerprint,
    )


def ended(message_id: int, outcome: str, request_id: UUID) -> NewAttempt:
    """Return the row of a message that `succeeded` or was `skipped`."""
    by = author()
    return NewAttempt(
        message_id=message_id,
        at=utc_now(),
        process=by.process,
        release=by.release,
        request_id=request_id,
        outcome=outcome,
    )
