"""Refusals that carry what a caller can act on; each edge maps the kind to its own language."""

from enum import StrEnum
from typing import ClassVar


class ErrorKind(StrEnum):
    """What the caller can do about a refusal; the HTTP edge has one status for each kind."""

    MALFORMED = "malformed"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    CONFLICT = "conflict"
    PRECONDITION_FAILED = "precondition-failed"
    PRECONDITION_REQUIRED = "precondition-required"
    UNPROCESSABLE = "unprocessable"
    QUOTA_EXCEEDED = "quota-exceeded"
    OVERLOADED = "overloaded"
    OUTCOME_UNKNOWN = "outcome-unknown"


class AppError(Exception):
    """A refusal: nothing was done, and `code` says why in one stable word.

    Subclasses set `kind` and `code` and keep what they name as fields; `extensions` returns the
    fields a caller may see. The message is for people and may change; the code may not.
    """

    kind: ClassVar[ErrorKind]
    code: ClassVar[str]

    def extensions(self) -> dict[str, object]:
        """Fields shown to the caller beside the code; JSON-encodable, free of personal data."""
        return {}
