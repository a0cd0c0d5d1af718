"""What an operation may answer, by status: contents, problems with their codes, headers, links."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from libs.foundation.web.endpoint import Endpoint
from libs.foundation.web.problem_types import Catalogue, ProblemType
from libs.foundation.web.public import PublicEndpoint
from libs.foundation.web.reply import JSON, PROBLEM_JSON

_ANSWER_TEXTS: Final = {200: "Done", 201: "Created", 202: "Accepted", 204: "Done"}
_SAFE: Final = frozenset({"GET"})
_OF_EVERY_ENDPOINT: Final = (
    "malformed-request",
    "unauthenticated",
    "insufficient-scope",
    "not-acceptable",
    "quota-exceeded",
    "internal-error",
    "overloaded",
)
_OF_EVERY_PUBLIC_ENDPOINT: Final = ("internal-error", "overloaded")
_OF_PATHS: Final = ("not-found",)
_OF_RAW_BODIES: Final = ("content-too-large",)
_OF_BODIES: Final = (*_OF_RAW_BODIES, "unsupported-media-type")
_OF_CHANGES: Final = ("outcome-unknown",)
HEADERS: Final[Mapping[str, tuple[str, Any]]] = {
    "Accept": ("The media type a body must have.", {"type": "string"}),
    "Accept-Encoding": ("The encoding a body must have.", {"type": "string"}),
    "Deprecation": (
        "Since when the operation should not be used any more (RFC 9745).",
        {"type": "string", "pattern": "^@[0-9]+$"},
    ),
    "ETag": (
        "The version of the resource, for If-Match and If-None-Match.",
        {"type": "string", "pattern": '^"v[1-9][0-9]*"$'},
    ),
    "Idempotent-Replayed": (
        "There if this is the answer that was given before under the same Idempotency-Key.",
        {"type": "string", "const": "true"},
    ),
    "Link": ("Where a deprecation is explained.", {"type": "string"}),
    "Location": ("The path of what was made.", {"type": "string"}),
    "RateLimit": ("What is left of the quota, and when it is full again.", {"type": "string"}),
    "RateLimit-Policy": ("The quota of the client.", {"type": "string"}),
    "Retry-After": ("Seconds to wait before a repeat.", {"type": "string", "pattern": "^[0-9]+$"}),
    "Sunset": ("When the operation goes (RFC 8594).", {"type": "string"}),
    "WWW-Authenticate": ("What a token lacks (RFC 6750).", {"type": "string"}),
}
# The headers that are always there with a status, and those that may be.
_REQUIRED_BY_STATUS: Final = {
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate",),
    415: ("Accept",),
    429: ("Retry-After",),
    503: ("Retry-After",),
    504: ("Retry-After",),
}
_OPTIONAL_BY_STATUS: Final = {409: ("Retry-After",), 415: ("Accept-Encoding",)}
_ON_EVERY_ANSWER: Final = ("RateLimit", "RateLimit-Policy")


def headers_described() -> dict[str, Any]:
    """Return the components that answers refer to."""
    return {
        name: {"description": text, "schema": schema} for name, (text, schema) in HEADERS.items()
    }


def answers(
    endpoint: Endpoint, schemas: Mapping[str, Any], problems: Catalogue, ids: Mapping[str, str]
) -> dict[str, Any]:
    """Return the answers of an operation by status; a code without a page is a KeyError."""
    found: dict[str, Any] = {}
    for status, type_ in endpoint.answers.items():
        schema = None if type_ is None else schemas[repr(type_)]
        found[str(status)] = _answer(endpoint, status, schema, ids)
    if "If-None-Match" in endpoint.request_headers and endpoint.method in _SAFE:
        found["304"] = {
            "description": "The caller has this version",
            "headers": _headers(["ETag"], _common(endpoint)),
        }
    found |= _problems(codes(endpoint), problems, _common(endpoint))
    return dict(sorted(found.items()))


def public_answers(
    endpoint: PublicEndpoint, schemas: Mapping[str, Any], problems: Catalogue
) -> dict[str, Any]:
    """Return the answers of an operation without quotas and negotiation by status."""
    found: dict[str, Any] = {
        str(int(status)): {
            "description": _ANSWER_TEXTS[status],
            "headers": {},
            "content": {JSON: {"schema": schemas[repr(type_)]}},
        }
        for status, type_ in endpoint.answers.items()
    }
    found |= _problems(public_codes(endpoint), problems, ())
    return dict(sorted(found.items()))


def codes(endpoint: Endpoint) -> list[str]:
    """Return every code an endpoint may answer with, each once."""
    found = [*_OF_EVERY_ENDPOINT, *endpoint.own_refusals]
    if "{" in endpoint.path:
        found += _OF_PATHS
    if endpoint.body is not None:
        found += _OF_BODIES
    if endpoint.method not in _SAFE:
        found += _OF_CHANGES
    return list(dict.fromkeys(found))


def public_codes(endpoint: PublicEndpoint) -> list[str]:
    """Return every code a public endpoint may answer with, each once."""
    found = [*_OF_EVERY_PUBLIC_ENDPOINT, *_OF_RAW_BODIES, *endpoint.refusals]
    if "{" in endpoint.path:
        found += _OF_PATHS
    if endpoint.method not in _SAFE:
        found += _OF_CHANGES
    return list(dict.fromkeys(found))


def _answer(
    endpoint: Endpoint, status: int, schema: Mapping[str, Any] | None, ids: Mapping[str, str]
) -> dict[str, Any]:
    optional = list(_common(endpoint))
    if "Idempotency-Key" in endpoint.request_headers:
        optional.append("Idempotent-Replayed")
    # A replacement is answered without the place that its creation was answered with.
    created = status == HTTPStatus.CREATED
    required = [name for name in endpoint.answer_headers if created or name != "Location"]
    # What a POST makes below a resource is another one, with a version of its own or none.
    if endpoint.conditional and not (created and endpoint.method == "POST"):
        required.append("ETag")
    answer: dict[str, Any] = {
        "description": _ANSWER_TEXTS[status],
        "headers": _headers(required, optional),
    }
    if schema is not None:
        answer["content"] = {JSON: {"schema": schema}}
    if endpoint.links:
        answer["links"] = {
            name: {
                "operationId": ids[f"{link.method} {link.template}"],
                "parameters": dict(link.parameters),
            }
            for name, link in endpoint.links.items()
        }
    return answer


def _problems(codes: Iterable[str], problems: Catalogue, common: tuple[str, ...]) -> dict[str, Any]:
    by_status: dict[int, list[ProblemType]] = {}
    for code in codes:
        by_status.setdefault(problems[code].status, []).append(problems[code])
    return {str(status): _problem(status, types, common) for status, types in by_status.items()}


def _problem(status: int, types: Sequence[ProblemType], common: tuple[str, ...]) -> dict[str, Any]:
    required = _REQUIRED_BY_STATUS.get(status, ())
    optional = (*_OPTIONAL_BY_STATUS.get(status, ()), *common)
    return {
        "description": "\n".join(f"- `{each.code}`: {each.meaning}" for each in types),
        "headers": _headers(required, optional),
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        "x-problem-codes": [each.code for each in types],
    }


def _common(endpoint: Endpoint) -> tuple[str, ...]:
    if endpoint.deprecation is None:
        return _ON_EVERY_ANSWER
    return (*_ON_EVERY_ANSWER, *endpoint.deprecation.headers)


def _headers(required: Iterable[str], optional: Iterable[str]) -> dict[str, Any]:
    """Refer to what may be there; what must be is written out, since a reference cannot say so."""
    found: dict[str, Any] = {name: {"$ref": f"#/components/headers/{name}"} for name in optional}
    for name in required:
        text, schema = HEADERS[name]
        found[name] = {"description": text, "required": True, "schema": schema}
    return found
