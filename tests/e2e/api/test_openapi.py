"""The description that the API serves of itself."""

import json
from typing import Any

import pytest

from tests.e2e.api.conftest import Api

CODES = "x-problem-codes"
WEBHOOK = ("POST", "/v1/payment-webhooks/{provider}")


@pytest.fixture
async def document(shared_api: Api) -> dict[str, Any]:
    answer = await shared_api.client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


async def test_it_lists_every_route_with_its_scopes(document: dict[str, Any]) -> None:
    operations = {
        (method.upper(), path): operation["security"][0].get("bearer")
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }

    assert document["openapi"] == "3.1.0"
    assert operations["POST", "/v1/orders"] == ["orders:place", "orders:checkout"]
    assert operations["PUT", "/v1/products/{sku}"] == ["catalogue:write"]
    assert operations["POST", "/v1/orders/{order_id}/cancellation"] == ["orders:cancel"]
    assert [each for each, scopes in operations.items() if not scopes] == [WEBHOOK]


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = {
        part.split('"')[0] for part in json.dumps(document).split('"$ref": "#/components/schemas/')
    }
    schemas = document["components"]["schemas"]

    assert references - {"{"} <= set(schemas)
    assert {"OrderRequest", "OrderView", "Problem"} <= references


async def test_its_patterns_are_those_of_json_schema(document: dict[str, Any]) -> None:
    assert "\\Z" not in json.dumps(document)
    sku = document["components"]["schemas"]["LineIn"]["properties"]["sku"]
    assert sku["pattern"] == "^[A-Za-z0-9][A-Za-z0-9._-]*$"


async def test_a_post_says_that_it_needs_a_key(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/v1/orders"]["post"]["parameters"]

    assert [(each["name"], each["required"]) for each in parameters] == [("Idempotency-Key", True)]


async def test_filters_of_a_list_are_described(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/v1/orders"]["get"]["parameters"]

    assert {"status", "customer_id", "cursor", "limit"} <= {each["name"] for each in parameters}


async def test_a_webhook_is_signed_instead_of_carrying_a_token(document: dict[str, Any]) -> None:
    operation = document["paths"][WEBHOOK[1]]["post"]
    (scheme,) = operation["security"][0]
    required = {each["name"] for each in operation["parameters"] if each["required"]}
    codes = {code for answer in operation["responses"].values() for code in answer.get(CODES, ())}

    assert document["components"]["securitySchemes"][scheme]["name"] == "webhook-signature"
    assert required == {"provider", "webhook-id", "webhook-timestamp"}
    assert {"webhook-signature-invalid", "not-found", "content-too-large"} <= codes
    assert not {"unauthenticated", "quota-exceeded", "not-acceptable"} & codes


async def test_health_is_not_described(document: dict[str, Any]) -> None:
    assert all(path.startswith("/v1/") for path in document["paths"])
