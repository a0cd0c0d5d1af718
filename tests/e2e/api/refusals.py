"""The table of refusals: one request, and the status, code and headers it must be answered with."""

import json
from typing import Any, Final

from msgspec import Struct

from libs.foundation.ids import new_id
from tests.e2e.api.conftest import order, product

CANCEL: Final = {"reason": "customer_request"}
RAW: Final = {"content_type": "application/json", "idempotency_key": "raw"}
GZIPPED: Final = {"content_encoding": "gzip", "idempotency_key": "k1"}
DEEP: Final = b'{"currency":' + b"[" * 60_000


class Row(Struct, frozen=True, kw_only=True):
    """One request and what it must be answered with."""

    why: str
    method: str
    path: str
    status: int
    code: str
    content: Any = None
    caller: str = "staff"
    headers: dict[str, str] = {}
    answered: dict[str, str] = {}


def row(why: str, request: str, status: int, code: str, **rest: Any) -> Row:  # noqa: ANN401
    method, path = request.split(" ", 1)
    return Row(why=why, method=method, path=path, status=status, code=code, **rest)


ORDER: Final = "POST /v1/orders"
PRODUCT: Final = "PUT /v1/products/TEE"
CANCELLATION: Final = "POST {order}/cancellation"
ROWS: Final = (
    row("no key", ORDER, 400, "idempotency-key-missing", content=order()),
    row(
        "a bad key",
        ORDER,
        400,
        "idempotency-key-malformed",
        content=order(),
        headers={"idempotency_key": '"a'},
    ),
    row("no JSON", ORDER, 400, "malformed-request", content=b"{", headers=RAW),
    row("deep JSON", ORDER, 400, "malformed-request", content=DEEP, headers=RAW),
    row("not a number", ORDER, 400, "malformed-request", content=b'{"a":NaN}', headers=RAW),
    row(
        "a huge number",
        ORDER,
        400,
        "malformed-request",
        content=b'{"currency":"EUR","lines":[{"sku":"TEE","quantity":' + b"9" * 5_000 + b"}]}",
        headers=RAW,
    ),
    row(
        "a lone surrogate",
        ORDER,
        400,
        "malformed-request",
        content=b'{"currency":"\\ud800"}',
        headers=RAW,
    ),
    row(
        "a name twice",
        ORDER,
        400,
        "malformed-request",
        content=json.dumps(order()).replace("{", '{"currency":"EUR",', 1).encode(),
        headers=RAW,
    ),
    row("an unknown parameter", "GET /v1/orders?colour=red", 400, "malformed-request"),
    row(
        "another's token",
        "GET /v1/orders",
        401,
        "unauthenticated",
        caller="nobody",
        answered={"www-authenticate": 'Bearer error="invalid_token"'},
    ),
    row(
        "a scope that lacks",
        PRODUCT,
        403,
        "insufficient-scope",
        caller="ada",
        content=product(),
        answered={"www-authenticate": 'Bearer error="insufficient_scope", scope="catalogue:write"'},
    ),
    row("another's order", "GET {order}", 404, "not-found", caller="bob"),
    row("no such order", f"GET /v1/orders/{new_id()}", 404, "not-found"),
    row("no such path", "GET /v2/orders", 404, "not-found"),
    row(
        "a method too many",
        "DELETE /v1/orders",
        405,
        "method-not-allowed",
        answered={"allow": "GET, HEAD, OPTIONS, POST"},
    ),
    row(
        "a method too many",
        "POST {order}",
        405,
        "method-not-allowed",
        answered={"allow": "GET, HEAD, OPTIONS"},
    ),
    row(
        "a method of others",
        "PROPFIND /v1/orders",
        405,
        "method-not-allowed",
        answered={"allow": "GET, HEAD, OPTIONS, POST"},
    ),
    row(
        "TRACE",
        "TRACE {order}",
        405,
        "method-not-allowed",
        answered={"allow": "GET, HEAD, OPTIONS"},
    ),
    row("no JSON wanted", "GET /v1/orders", 406, "not-acceptable", headers={"accept": "text/html"}),
    row(
        "a step that is not there",
        CANCELLATION,
        409,
        "illegal-transition",
        content=CANCEL,
        headers={"idempotency_key": "c2", "if_match": "*"},
    ),
    row(
        "a reference twice",
        ORDER,
        409,
        "external-reference-taken",
        caller="checkout",
        content=order(external_reference="web-1"),
        headers={"idempotency_key": "r2"},
    ),
    row(
        "no such currency",
        PRODUCT,
        422,
        "currency-not-supported",
        headers={"if_match": "*"},
        content={**product(), "price": {"amount": 1, "currency": "XYZ"}},
    ),
    row(
        "a version that is past",
        CANCELLATION,
        412,
        "version-mismatch",
        content=CANCEL,
        headers={"idempotency_key": "c3", "if_match": '"v1"'},
    ),
    row(
        "a product that is there",
        PRODUCT,
        412,
        "version-mismatch",
        content=product(),
        headers={"if_none_match": "*"},
    ),
    row(
        "too much",
        ORDER,
        413,
        "content-too-large",
        content={"currency": "E" * 70_000},
        headers={"idempotency_key": "k1"},
    ),
    row(
        "no media type of ours",
        ORDER,
        415,
        "unsupported-media-type",
        content=order(),
        headers={"content_type": "text/plain", "idempotency_key": "k1"},
        answered={"accept": "application/json"},
    ),
    row(
        "a compressed body",
        ORDER,
        415,
        "unsupported-media-type",
        content=order(),
        headers=GZIPPED,
        answered={"accept-encoding": "identity"},
    ),
    row(
        "a key of another body",
        ORDER,
        422,
        "idempotency-key-reused",
        caller="ada",
        content=order(quantity=2),
        headers={"idempotency_key": "first"},
    ),
    row(
        "no such SKU",
        ORDER,
        422,
        "unknown-sku",
        content=order("NONE"),
        headers={"idempotency_key": "k1"},
    ),
    row(
        "no version",
        CANCELLATION,
        428,
        "precondition-required",
        content=CANCEL,
        headers={"idempotency_key": "c4"},
    ),
    row("no condition", PRODUCT, 428, "precondition-required", content=product()),
    row(
        "a condition to read by",
        PRODUCT,
        428,
        "precondition-required",
        content=product(),
        headers={"if_none_match": '"v1"'},
    ),
)
