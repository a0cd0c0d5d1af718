"""An endpoint: one row of an interface's table of routes, and the request its handler gets."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException
from msgspec import Struct

from libs.foundation.observability.tracing import current_traceparent
from libs.foundation.web import conditions
from libs.foundation.web.authentication import Principal
from libs.foundation.web.decoding import decode, decode_query
from libs.foundation.web.idempotency import Claim, fingerprint, parse_key
from libs.foundation.web.refusals import MalformedRequest
from libs.foundation.web.reply import JSON, Reply

T = TypeVar("T")
_PARAMETER_TYPE: Final = re.compile(r":[a-z]+}")
_UNSUPPORTED_MEDIA_TYPE: Final = 415
# What a request can be refused for because of a header its endpoint reads.
_REFUSALS_BY_HEADER: Final[Mapping[str, tuple[str, ...]]] = {
    "Idempotency-Key": (
        "idempotency-key-missing",
        "idempotency-key-malformed",
        "idempotency-in-progress",
        "idempotency-key-reused",
        "outcome-unknown",
    ),
    "If-Match": ("precondition-required", "version-mismatch"),
}


class Call:
    """One authenticated request; whatever it reads is checked, or refused as malformed."""

    def __init__(
        self, request: Request[Any, Any, Any], principal: Principal, endpoint: "Endpoint"
    ) -> None:
        self._request = request
        self._endpoint = endpoint
        self.principal = principal
        self.traceparent = current_traceparent()

    def path(self, name: str, type_: type[T]) -> T:
        """Return a parameter of the path, which routing has converted already."""
        value: object = self._request.path_params[name]
        if not isinstance(value, type_):
            raise TypeError(f"{name} is a {type(value).__name__}, not a {type_.__name__}")
        return value

    def query(self, type_: type[T]) -> T:
        """Return the query as a struct; an unknown or repeated parameter is refused."""
        pairs = self._request.query_params
        values = {name: pairs.getall(name) for name in pairs}
        for name, given in values.items():
            if len(given) > 1:
                raise MalformedRequest(f"the parameter {name} is given more than once")
        return decode_query(type_, {name: given[0] for name, given in values.items()})

    async def content(self, decoder: msgspec.json.Decoder[T]) -> T:
        """Read and decode the JSON body."""
        media_type = self._request.headers.get("content-type", "").partition(";")[0].strip()
        if media_type.lower() != JSON:
            raise HTTPException(
                f"the body must be {JSON}",
                status_code=_UNSUPPORTED_MEDIA_TYPE,
                headers={"Accept": JSON},
            )
        return decode(decoder, await self._request.body())

    def claim(self, content: object) -> Claim:
        """Return this request's claim to its Idempotency-Key; a request without one is refused."""
        return Claim(
            principal=self.principal.id,
            method=self._endpoint.method,
            route=self._endpoint.template,
            key=parse_key(self.headers("idempotency-key")),
            fingerprint=fingerprint(self._endpoint.method, self._request.scope["path"], content),
        )

    def expected_version(self) -> int | None:
        """Return the version named by If-Match, which must be there; None for any version."""
        return conditions.expected_version(self.headers("if-match"))

    def has(self, version: int) -> bool:
        """Say whether the caller has this version already."""
        return conditions.is_unchanged(self.headers("if-none-match"), version)

    def may_only_create(self) -> bool:
        return conditions.asks_for_absence(self.headers("if-none-match"))

    def headers(self, name: str) -> list[str]:
        """Return the values of every header of this name."""
        return self._request.headers.getall(name, [])


Handler = Callable[[Call], Awaitable[Reply]]


class Endpoint(Struct, frozen=True, kw_only=True):
    """One row: `scopes` lists those of which the caller needs one; there is no default for it.

    `body`, `query` and `answers` (a type per status) describe it to readers; `refusals` are the
    codes beside those that every endpoint has, and those that come with `request_headers`.
    """

    method: str
    path: str  # With the types of its parameters: /v1/things/{thing_id:uuid}.
    handle: Handler
    scopes: tuple[str, ...]
    summary: str
    answers: Mapping[int, Any]
    body: Any = None
    query: Any = None
    request_headers: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.scopes:
            raise ValueError(f"{self.method} {self.path} declares no scope")

    @property
    def template(self) -> str:
        """The path with the bare names of its parameters."""
        return _PARAMETER_TYPE.sub("}", self.path)

    @property
    def own_refusals(self) -> tuple[str, ...]:
        """The codes that this endpoint has and others have not."""
        of_headers = [_REFUSALS_BY_HEADER.get(header, ()) for header in self.request_headers]
        return (*(code for codes in of_headers for code in codes), *self.refusals)
