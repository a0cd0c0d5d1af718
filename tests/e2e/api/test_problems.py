"""Every refusal is a problem of RFC 9457, with the headers its status demands."""

import pytest

from tests.e2e.api.conftest import Api, order

PROBLEMS = "/problems/"


async def test_a_problem_has_its_type_title_status_and_trace(shared_api: Api) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    refused = await shared_api.place("k1", order())
    traced = await shared_api.get("/v1/nothing", traceparent=f"00-{trace}-00f067aa0ba902b7-00")

    problem = refused.json()
    assert refused.headers["content-type"] == "application/problem+json"
    assert problem["type"] == PROBLEMS + "unknown-sku"
    assert (problem["title"], problem["status"]) == ("Unknown sku", 422)
    assert problem["instance"] == f"urn:trace:{problem['trace_id']}"
    assert traced.json()["trace_id"] == trace


@pytest.mark.parametrize(
    ("method", "path", "status", "header", "value"),
    [
        ("GET", "/nothing", 404, None, None),
        ("GET", "/v1/orders/not-an-id", 404, None, None),
        ("DELETE", "/v1/orders", 405, "allow", "GET"),
        ("PATCH", "/v1/products/TEE", 405, "allow", "PUT"),
    ],
)
async def test_routing_refuses_with_problems(
    shared_api: Api, method: str, path: str, status: int, header: str | None, value: str | None
) -> None:
    refused = await shared_api.call(method, path)

    assert refused.status_code == refused.json()["status"] == status
    assert refused.headers["content-type"] == "application/problem+json"
    if header is not None and value is not None:
        assert value in refused.headers[header]


async def test_a_caller_without_a_token_is_challenged(shared_api: Api) -> None:
    bare = await shared_api.client.get("/v1/orders")
    wrong = await shared_api.get("/v1/orders", caller="nobody")

    assert (bare.status_code, bare.headers["www-authenticate"]) == (401, "Bearer")
    assert wrong.status_code == 401
    assert wrong.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_authentication_comes_before_the_body(shared_api: Api) -> None:
    refused = await shared_api.client.post("/v1/orders", content=b"{")

    assert refused.status_code == 401


async def test_a_body_of_another_media_type_is_refused(shared_api: Api) -> None:
    refused = await shared_api.call(
        "POST", "/v1/orders", order(), idempotency_key="k1", content_type="text/plain"
    )

    assert (refused.status_code, refused.headers["accept"]) == (415, "application/json")


async def test_a_body_that_is_too_large_is_refused(shared_api: Api) -> None:
    announced = await shared_api.call(
        "POST", "/v1/orders", {"currency": "E" * 70_000}, idempotency_key="k1"
    )

    assert announced.status_code == 413
    assert announced.json()["type"] == PROBLEMS + "content-too-large"


@pytest.mark.parametrize(
    ("key", "code"), [(None, "idempotency-key-missing"), ('"a', "idempotency-key-malformed")]
)
async def test_a_post_needs_a_key(shared_api: Api, key: str | None, code: str) -> None:
    headers = {} if key is None else {"idempotency_key": key}

    refused = await shared_api.call("POST", "/v1/orders", order(), **headers)

    assert (refused.status_code, refused.json()["type"]) == (400, PROBLEMS + code)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"lines": []}, "#/lines"),
        ({"lines": [{"sku": "TEE", "quantity": 0}]}, "#/lines/0/quantity"),
        ({"lines": [{"sku": "TEE\u0000", "quantity": 1}]}, "#/lines/0/sku"),
        ({"lines": [{"sku": "TEE", "quantity": 1, "status": "confirmed"}]}, "#/lines/0/status"),
        ({"metadata": {"cart": "a\u0000b"}}, "#/metadata/cart"),
        ({"contact": {"note": "a\u0007b"}}, "#/contact/note"),
        (
            {"contact": {"shipping_address": {"country": "de"}}},
            "#/contact/shipping_address/country",
        ),
        ({"id": "0192"}, "#/id"),
        ({"total": 1}, "#/total"),
        ({"lines": [{"sku": "TEE", "quantity": 1}] * 201}, "#/lines"),
    ],
)
async def test_a_bad_field_is_pointed_at(
    shared_api: Api, change: dict[str, object], pointer: str
) -> None:
    refused = await shared_api.place("k1", order() | change)

    assert refused.status_code == 400
    (error,) = refused.json()["errors"]
    assert error["pointer"] == pointer


async def test_an_unknown_or_repeated_parameter_is_refused(shared_api: Api) -> None:
    for query in ("colour=red", "limit=0", "limit=101", "limit=1&limit=2", "cursor=made-up"):
        refused = await shared_api.get(f"/v1/orders?{query}")
        assert refused.status_code == 400, query


async def test_an_unexpected_error_shows_nothing_of_itself(
    shared_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("host db-1.internal, table orders")

    monkeypatch.setattr("libs.domain.orders.routes.orders.list_orders", fail)

    refused = await shared_api.get("/v1/orders")

    assert refused.status_code == 500
    assert refused.json()["type"] == PROBLEMS + "internal-error"
    assert b"db-1" not in refused.content
