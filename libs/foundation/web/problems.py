"""Problem details (RFC 9457): one table from refusals to statuses, one form for every error."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
import psycopg
from litestar.exceptions import HTTPException
from psycopg_pool import PoolTimeout, TooManyRequests

from libs.foundation.database import failures
from libs.foundation.errors import AppError, ErrorKind
from libs.foundation.observability.logs import get_logger
from libs.foundation.observability.tracing import trace_and_span_id
from libs.foundation.web.problem_types import title_of
from libs.foundation.web.refusals import HttpRefusal, OutcomeUnknown, Overloaded
from libs.foundation.web.reply import PROBLEM_JSON, Reply

STATUSES: Final[Mapping[ErrorKind, HTTPStatus]] = {
    ErrorKind.MALFORMED: HTTPStatus.BAD_REQUEST,
    ErrorKind.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    ErrorKind.FORBIDDEN: HTTPStatus.FORBIDDEN,
    ErrorKind.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorKind.CONFLICT: HTTPStatus.CONFLICT,
    ErrorKind.PRECONDITION_FAILED: HTTPStatus.PRECONDITION_FAILED,
    ErrorKind.PRECONDITION_REQUIRED: HTTPStatus.PRECONDITION_REQUIRED,
    ErrorKind.UNPROCESSABLE: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorKind.QUOTA_EXCEEDED: HTTPStatus.TOO_MANY_REQUESTS,
    ErrorKind.OVERLOADED: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorKind.OUTCOME_UNKNOWN: HTTPStatus.GATEWAY_TIMEOUT,
}
# What the framework refuses before a handler is found or while the body is read.
FRAMEWORK_CODES: Final = {
    400: "malformed-request",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    413: "content-too-large",
    415: "unsupported-media-type",
}
INTERNAL_ERROR: Final = "internal-error"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_encode: Final = msgspec.json.Encoder().encode
_log: Final = get_logger(__name__)


class Problems:
    """Writes problems; `type_url` ends with a slash and is followed by the code."""

    def __init__(self, type_url: str) -> None:
        self._type_url = type_url

    def of(self, error: Exception, method: str) -> Reply:
        """Return the problem that `error` is to the caller of a `method` request."""
        known = _known(error, method)
        if isinstance(known, AppError):
            status = STATUSES[known.kind]
            return self.make(status, known.code, str(known), _headers_of(known), known.extensions())
        if isinstance(known, HTTPException) and known.status_code in FRAMEWORK_CODES:
            code = FRAMEWORK_CODES[known.status_code]
            return self.make(known.status_code, code, known.detail, dict(known.headers or {}))
        # Nothing of the error is shown: it may name a host, a table or somebody's data.
        if isinstance(known, psycopg.Error):
            _log.error("request_failed", **failures.facts(known))
        else:
            _log.error("request_failed", exc_info=known)
        return self.make(500, INTERNAL_ERROR, "an unexpected error; quote the trace id", {})

    def make(
        self,
        status: int,
        code: str,
        detail: str,
        headers: Mapping[str, str],
        extensions: Mapping[str, object] | None = None,
    ) -> Reply:
        """Return a problem; `code` is the stable word clients act on."""
        content: dict[str, object] = {
            "type": self._type_url + code,
            "title": title_of(code),
            "status": int(status),
            "detail": detail,
        }
        ids = trace_and_span_id()
        if ids is not None:
            content |= {"instance": f"urn:trace:{ids[0]}", "trace_id": ids[0]}
        # A field of the problem itself is never overwritten by an extension of the same name.
        body = _encode({**(extensions or {}), **content})
        return Reply(status=int(status), body=body, headers=headers, media_type=PROBLEM_JSON)


def _known(error: Exception, method: str) -> Exception:
    """Say what a failure of the database or the deadline means to the caller."""
    if isinstance(error, PoolTimeout | TooManyRequests):
        return Overloaded("the database is busy")
    unsafe = method not in _SAFE_METHODS
    if isinstance(error, TimeoutError) or failures.is_connection_lost(error):
        # The COMMIT may have passed before the connection or the time ended.
        return OutcomeUnknown() if unsafe else Overloaded("the database does not answer")
    if isinstance(error, psycopg.Error) and failures.is_environment(error):
        return Overloaded("the database is busy")
    return error


def _headers_of(error: AppError) -> Mapping[str, str]:
    return error.headers if isinstance(error, HttpRefusal) else {}
