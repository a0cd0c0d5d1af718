"""An endpoint: one row of an interface's table of routes, and the request its handler gets."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Final, TypeVar

import msgspec
from litestar import Request
from msgspec import Struct

from libs.foundation.observability.tracing import current_traceparent
from libs.foundation.web import conditions
from libs.foundation.web.authentication import Principal
from libs.foundation.web.decoding import decode, decode_query
from libs.foundation.web.idempotency import Claim, fingerprint, parse_key
from libs.foundation.web.negotiation import check_body
from libs.foundation.web.refusals import FieldError, MalformedRequest
from libs.foundation.web.reply import Reply

T = TypeVar("T")
S = TypeVar("S", bound=Struct)
_PARAMETER_TYPE: Final = re.compile(r":[a-z]+}")
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


def template_of(path: str) -> str:
    """Return the path with the bare names of its parameters."""
    return _PARAMETER_TYPE.sub("}", path)


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

    def query(self, type_: type[S]) -> S:
        """Return the query as a struct; an unknown or repeated parameter is refused."""
        pairs = self._request.query_params
        values = {name: pairs.getall(name) for name in pairs}
        repeated = [
            FieldError(parameter=name, detail="This parameter is there more than once")
            for name, given in values.items()
            if len(given) > 1
        ]
        if repeated:
            raise MalformedRequest("a parameter is there more than once", repeated)
        return decode_query(type_, {name: given[0] for name, given in values.items()})

    async def content(self, decoder: msgspec.json.Decoder[T]) -> T:
        """Read and decode the JSON body."""
        content_type = self._request.headers.get("content-type", "")
        check_body(content_type, self.headers("content-encoding"))
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


class Deprecation(Struct, frozen=True, kw_only=True):
    """Since when an endpoint should not be used, when it goes, and where that is explained."""

    since: datetime
    sunset: datetime | None = None
    explained_at: str | None = None

    def __post_init__(self) -> None:
        if self.sunset is not None and self.sunset < self.since:
            raise ValueError("an endpoint cannot go before it is deprecated")

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of RFC 9745 and RFC 8594; times in UTC."""
        headers = {"Deprecation": f"@{int(self.since.timestamp())}"}
        if self.sunset is not None:
            headers["Sunset"] = format_datetime(self.sunset, usegmt=True)
        if self.explained_at is not None:
            headers["Link"] = f'<{self.explained_at}>; rel="deprecation"; type="text/html"'
        return headers


class Link(Struct, frozen=True, kw_only=True):
    """From an answer to what can be asked next: parameters as OpenAPI runtime expressions."""

    method: str
    template: str
    parameters: Mapping[str, str]


class Endpoint(Struct, frozen=True, kw_only=True):
    """One row: `scopes` lists those of which the caller needs one; there is no default for it.

    `body`, `query`, `path_types` and `answers` (a type per status) describe it to readers, with the
    `answer_headers` that every success has, beside the ETag of a resource that is `conditional`.
    `refusals` are the codes beside those that every endpoint has, and those that come with
    `request_headers`.
    """

    method: str
    path: str  # With the types of its parameters: /v1/things/{thing_id:uuid}.
    handle: Handler
    scopes: tuple[str, ...]
    summary: str
    answers: Mapping[int, Any]
    body: Any = None
    query: Any = None
    path_types: Mapping[str, Any] = {}
    request_headers: tuple[str, ...] = ()
    answer_headers: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    examples: Mapping[str, object] = {}  # Bodies that are accepted, by what they show.
    links: Mapping[str, Link] = {}
    deprecation: Deprecation | None = None

    def __post_init__(self) -> None:
        if not self.scopes:
            raise ValueError(f"{self.method} {self.path} declares no scope")

    @property
    def template(self) -> str:
        return template_of(self.path)

    @property
    def conditional(self) -> bool:
        """Whether a request may name a version of the resource, which then has an ETag."""
        return not {"If-Match", "If-None-Match"}.isdisjoint(self.request_headers)

    @property
    def own_refusals(self) -> tuple[str, ...]:
        """The codes that this endpoint has and others have not."""
        of_headers = [_REFUSALS_BY_HEADER.get(header, ()) for header in self.request_headers]
        return (*(code for codes in of_headers for code in codes), *self.refusals)
