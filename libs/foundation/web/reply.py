"""An HTTP answer as plain data, so that it can be stored and sent again byte for byte."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from litestar.response.base import ASGIResponse
from msgspec import Struct
from msgspec.structs import replace

JSON: Final = "application/json"
PROBLEM_JSON: Final = "application/problem+json"
_encode: Final = msgspec.json.Encoder().encode
_REPLAYED: Final = {"Idempotent-Replayed": "true"}
_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_NOTHING: Final[Mapping[str, str]] = {}


class Reply(Struct, frozen=True, kw_only=True):
    """Status, headers beside Content-Type, and the encoded body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = _NOTHING
    media_type: str = JSON


def reply(status: int, content: object, **headers: str) -> Reply:
    """Encode `content` once; a keyword `ETag` or `Location` becomes the header of that name."""
    return Reply(status=status, body=_encode(content), headers=headers)


def not_modified(etag: str) -> Reply:
    """Return 304: the caller has this version."""
    return Reply(status=HTTPStatus.NOT_MODIFIED, body=b"", headers={"ETag": etag})


def replayed(stored: Reply) -> Reply:
    """Mark a stored answer that is sent again; its own bytes and headers stay as they were."""
    return replace(stored, headers={**stored.headers, **_REPLAYED})


def response(
    answer: Reply, further_headers: Mapping[str, str] = _NOTHING, *, head: bool = False
) -> ASGIResponse:
    """Turn an answer into what the framework sends as it is; to HEAD all of it but the body.

    `further_headers` are those of this one sending, which are never stored with the answer.
    """
    headers = {**answer.headers, **further_headers}
    if answer.status not in _WITHOUT_BODY:
        headers["Content-Type"] = answer.media_type
        headers["Content-Length"] = str(len(answer.body))
    return ASGIResponse(
        body=b"" if head else answer.body,
        status_code=answer.status,
        headers=headers,
        is_head_response=head,
    )
