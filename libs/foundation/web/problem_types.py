"""The published catalogue of problems: a page for each code that an interface may answer with."""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct


class ProblemType(Struct, frozen=True, kw_only=True):
    """One code: its status, what it means, what to do, and its fields beside those of RFC 9457."""

    code: str
    status: int
    meaning: str
    remedy: str
    fields: Mapping[str, str] = {}

    @property
    def title(self) -> str:
        return title_of(self.code)


Catalogue = Mapping[str, ProblemType]


def title_of(code: str) -> str:
    """Return the title of a code: constant, so that people can search for it."""
    return code.replace("-", " ").capitalize()


def catalogue(*parts: Iterable[ProblemType]) -> Catalogue:
    """Put the parts of an interface together; two pages for one code are a mistake."""
    types = [each for part in parts for each in part]
    found = {each.code: each for each in types}
    if len(found) != len(types):
        raise ValueError("two problem types share one code")
    return found


_REPEAT_SAME_KEY: Final = "Repeat the request as it is, under the same Idempotency-Key."

WEB_PROBLEMS: Final = (
    ProblemType(
        code="malformed-request",
        status=400,
        meaning="The request does not have the documented form. Nothing was done.",
        remedy="Correct what `errors` points at: it names every bad field, up to 20 of them.",
        fields={
            "errors": "A list of {detail, pointer} for the body (a JSON pointer as a URI"
            " fragment, `#/lines/0/quantity`), of {detail, parameter} for the query."
        },
    ),
    ProblemType(
        code="idempotency-key-missing",
        status=400,
        meaning="A POST came without an Idempotency-Key. Nothing was done.",
        remedy="Send one, new for each thing that is to happen once, the same in each repeat.",
    ),
    ProblemType(
        code="idempotency-key-malformed",
        status=400,
        meaning="The Idempotency-Key is not one string of 1 to 255 printable ASCII characters,"
        " quoted or bare.",
        remedy='Send one header of the form `Idempotency-Key: "8e03978e-40d5"`.',
    ),
    ProblemType(
        code="webhook-signature-invalid",
        status=400,
        meaning="An incoming webhook carries no valid signature of this moment. Nothing was done.",
        remedy="Sign the raw body with the shared secret and send it within five minutes.",
    ),
    ProblemType(
        code="unauthenticated",
        status=401,
        meaning="There is no bearer token, or it is not accepted; `WWW-Authenticate` tells which.",
        remedy="Get a valid token and send it in `Authorization: Bearer`.",
    ),
    ProblemType(
        code="insufficient-scope",
        status=403,
        meaning="The token is valid and does not allow this; `WWW-Authenticate` names the scope.",
        remedy="Ask who issues tokens for one with that scope.",
    ),
    ProblemType(
        code="not-found",
        status=404,
        meaning="There is no such thing, or the caller may not know of it: the two look the same.",
        remedy="Check the address.",
    ),
    ProblemType(
        code="method-not-allowed",
        status=405,
        meaning="The address exists and does not have this method.",
        remedy="Use one of those in `Allow`.",
    ),
    ProblemType(
        code="not-acceptable",
        status=406,
        meaning="`Accept` excludes JSON, and there is nothing else.",
        remedy="Leave `Accept` out, or let it contain `application/json`.",
    ),
    ProblemType(
        code="idempotency-in-progress",
        status=409,
        meaning="A request with this Idempotency-Key is being processed, for longer than a repeat"
        " waits.",
        remedy=f"Wait as `Retry-After` says. {_REPEAT_SAME_KEY}",
    ),
    ProblemType(
        code="version-mismatch",
        status=412,
        meaning="`If-Match` names a version that is no longer the current one. Nothing was done.",
        remedy="Read the resource, decide anew, and send the ETag that was read.",
        fields={"version": 'The current version n; its ETag is `"vn"`.'},
    ),
    ProblemType(
        code="content-too-large",
        status=413,
        meaning="The body is larger than this installation reads (64 KiB by default).",
        remedy="Send less at once.",
    ),
    ProblemType(
        code="unsupported-media-type",
        status=415,
        meaning="The body is not `application/json`, or it is compressed.",
        remedy="Send plain JSON in UTF-8, as `Accept` and `Accept-Encoding` of the answer say.",
    ),
    ProblemType(
        code="idempotency-key-reused",
        status=422,
        meaning="The Idempotency-Key was used before for another body: one of the two requests is"
        " a mistake. Nothing was done.",
        remedy="Use a new key for a new request; find out why a key was used twice.",
    ),
    ProblemType(
        code="precondition-required",
        status=428,
        meaning="A change of something that exists must say which version it was decided on.",
        remedy="Send `If-Match` with the ETag that was read; `If-None-Match: *` to create.",
    ),
    ProblemType(
        code="quota-exceeded",
        status=429,
        meaning="This client has used what it may use for now. Nothing was done.",
        remedy=f"Wait as `Retry-After` says. {_REPEAT_SAME_KEY}",
    ),
    ProblemType(
        code="internal-error",
        status=500,
        meaning="An error that nobody foresaw. Nothing was done, unless the connection ended too.",
        remedy="Report the `trace_id`. A request that is idempotent may be repeated.",
    ),
    ProblemType(
        code="overloaded",
        status=503,
        meaning="The service cannot take this now, for this client or any other. Nothing was done.",
        remedy=f"Wait as `Retry-After` says, longer each time. {_REPEAT_SAME_KEY}",
    ),
    ProblemType(
        code="outcome-unknown",
        status=504,
        meaning="It may have been done or not: the database did not answer in time.",
        remedy=f"{_REPEAT_SAME_KEY} The key tells what happened and nothing happens twice.",
    ),
)
