"""The refusals every HTTP interface has, each with the headers its status demands."""

from collections.abc import Mapping, Sequence

from msgspec import UNSET, Struct, UnsetType

from libs.foundation.errors import AppError, ErrorKind

RETRY_SOON: Mapping[str, str] = {"Retry-After": "1"}


class FieldError(Struct, frozen=True, kw_only=True):
    """One bad field and what is wrong with it: a JSON pointer into the body, or a parameter.

    The pointer is that of RFC 6901 as a URI fragment, `#/lines/0/quantity`.
    """

    detail: str
    pointer: str | UnsetType = UNSET
    parameter: str | UnsetType = UNSET


class HttpRefusal(AppError):
    """A refusal that carries headers beside its status."""

    headers: Mapping[str, str] = {}


class MalformedRequest(HttpRefusal):
    """The request does not have the documented form; sending it again changes nothing."""

    kind = ErrorKind.MALFORMED
    code = "malformed-request"

    def __init__(self, message: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)

    def extensions(self) -> dict[str, object]:
        return {"errors": self.errors} if self.errors else {}


class IdempotencyKeyMissing(HttpRefusal):
    kind = ErrorKind.MALFORMED
    code = "idempotency-key-missing"


class IdempotencyKeyMalformed(HttpRefusal):
    kind = ErrorKind.MALFORMED
    code = "idempotency-key-malformed"


class IdempotencyKeyReused(HttpRefusal):
    """The key was used for another body; the client has a mistake to find."""

    kind = ErrorKind.UNPROCESSABLE
    code = "idempotency-key-reused"

    def __init__(self) -> None:
        super().__init__("this Idempotency-Key was used with another request body")


class IdempotencyInProgress(HttpRefusal):
    """A twin of this request holds the key and has not finished in the time a twin waits."""

    kind = ErrorKind.CONFLICT
    code = "idempotency-in-progress"
    headers = RETRY_SOON

    def __init__(self) -> None:
        super().__init__("a request with this Idempotency-Key is still being processed")


class Unauthenticated(HttpRefusal):
    """No bearer token, or one that is not accepted; RFC 6750 tells the two apart."""

    kind = ErrorKind.UNAUTHENTICATED
    code = "unauthenticated"
    headers = {"WWW-Authenticate": "Bearer"}  # noqa: RUF012 - a class constant of the parent.

    def __init__(self, message: str = "this request needs a bearer token") -> None:
        super().__init__(message)


class InvalidToken(Unauthenticated):
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}  # noqa: RUF012 - as above.

    def __init__(self, why: str) -> None:
        super().__init__(f"the bearer token is not accepted: {why}")


class InsufficientScope(HttpRefusal):
    kind = ErrorKind.FORBIDDEN
    code = "insufficient-scope"

    def __init__(self, *accepted: str) -> None:
        super().__init__(f"this needs the scope {' or '.join(accepted)}")
        self.headers = {
            "WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{" ".join(accepted)}"'
        }


class QuotaExceeded(HttpRefusal):
    """This caller has asked for more than its quota; everybody else is served."""

    kind = ErrorKind.QUOTA_EXCEEDED
    code = "quota-exceeded"

    def __init__(self, policy: str, headers: Mapping[str, str]) -> None:
        super().__init__("the quota of this principal is used up; wait as Retry-After says")
        self.headers = headers
        self._policy = policy

    def extensions(self) -> dict[str, object]:
        return {"violated-policies": [self._policy]}


class NotFound(HttpRefusal):
    kind = ErrorKind.NOT_FOUND
    code = "not-found"

    def __init__(self, what: str) -> None:
        super().__init__(f"there is no such {what}")


class PreconditionRequired(HttpRefusal):
    """A change of an existing resource must say which version it was decided on."""

    kind = ErrorKind.PRECONDITION_REQUIRED
    code = "precondition-required"

    def __init__(self) -> None:
        super().__init__("this change needs If-Match with the ETag it was decided on")


class Overloaded(HttpRefusal):
    """Not accepted and nothing was done; the same request may pass a moment later."""

    kind = ErrorKind.OVERLOADED
    code = "overloaded"
    headers = RETRY_SOON

    def __init__(self, why: str = "too many requests are waiting") -> None:
        super().__init__(why)


class OutcomeUnknown(HttpRefusal):
    """It may or may not have been done; the same request with the same key tells."""

    kind = ErrorKind.OUTCOME_UNKNOWN
    code = "outcome-unknown"
    headers = RETRY_SOON

    def __init__(self) -> None:
        super().__init__("the outcome is not known; repeat the request with the same key")
