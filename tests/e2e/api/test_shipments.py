"""Shipping over HTTP."""

import pytest

from libs.testkit.databases import Database
from tests.e2e.api.conftest import Api, order
from tests.e2e.api.fulfilment import PRICE, Workers, captured, confirmed, shipped

EUR = {"currency": "EUR"}


@pytest.fixture
def workers(database: Database) -> Workers:
    return Workers(database)


async def test_a_shipment_waits_for_its_money_and_is_then_released(
    api: Api, workers: Workers
) -> None:
    path = await confirmed(api, workers)

    requested = await api.call(
        "POST", f"{path}/shipments", {}, idempotency_key="s1", if_match='"v2"'
    )
    shipment = requested.json()
    waiting = (await api.get(path)).json()
    await captured(workers, path, shipment["id"])
    released = (await api.get(requested.headers["location"])).json()

    assert (requested.status_code, requested.headers["etag"]) == (201, '"v3"')
    assert requested.headers["location"] == f"{path}/shipments/{shipment['id']}"
    assert shipment == {
        "id": shipment["id"],
        "state": "awaiting_capture",
        "lines": [{"line_no": 1, "quantity": 1}],
        "amount": {"amount": PRICE, **EUR},
        "tracking": [],
        "requested_at": shipment["requested_at"],
        "released_at": None,
        "delivered_at": None,
    }
    assert waiting["shipments"] == [shipment]
    assert (waiting["status"], waiting["fulfilment"]) == ("confirmed", "complete")
    assert released["state"] == "released"
    assert released["released_at"] is not None


async def test_a_shipped_order_shows_what_was_taken_and_may_be_given_back(
    api: Api, workers: Workers
) -> None:
    path = await shipped(api, workers)

    content = (await api.get(path, caller="ada")).json()

    assert (content["status"], content["payment"]["status"]) == ("shipped", "settled")
    assert content["payment"]["captured"] == {"amount": PRICE, **EUR}
    assert content["payment"]["refundable"] == {"amount": PRICE, **EUR}
    assert content["lines"][0]["shipped"] == 1
    assert "attention" not in content


async def test_a_repeat_is_replayed_before_its_version_is_looked_at(
    api: Api, workers: Workers
) -> None:
    path = f"{await confirmed(api, workers)}/shipments"
    first = await api.call("POST", path, {}, idempotency_key="s1", if_match='"v2"')

    repeated = await api.call("POST", path, {}, idempotency_key="s1", if_match='"v2"')
    other = await api.call("POST", path, {}, idempotency_key="s2", if_match="*")

    assert (repeated.status_code, repeated.content) == (201, first.content)
    for header in ("etag", "location"):
        assert repeated.headers[header] == first.headers[header]
    assert (other.status_code, other.headers["retry-after"]) == (409, "1")
    assert other.json()["type"].endswith("/shipment-in-progress")


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        ({}, {"if_match": "*"}, 400, "idempotency-key-missing"),
        ({}, {"idempotency_key": "s1"}, 428, "precondition-required"),
        ({}, {"idempotency_key": "s1", "if_match": '"v1"'}, 412, "version-mismatch"),
        ({"lines": []}, {"idempotency_key": "s1", "if_match": "*"}, 400, "malformed-request"),
    ],
)
async def test_a_request_that_is_not_as_documented_ships_nothing(
    api: Api,
    workers: Workers,
    content: object,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    path = await confirmed(api, workers)

    refused = await api.call("POST", f"{path}/shipments", content, **headers)

    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (status, code)
    assert (await api.get(path)).json()["shipments"] == []


async def test_only_a_confirmed_order_ships(api: Api) -> None:
    await api.sell("TEE")
    path = (await api.place("k1", order())).headers["location"]

    refused = await api.call("POST", f"{path}/shipments", {}, idempotency_key="s1", if_match="*")

    assert refused.status_code == 409
    assert refused.json()["type"].endswith("/illegal-transition")
    assert refused.json()["allowed"] == ["cancelled", "confirmed", "rejected"]


@pytest.mark.parametrize("caller", ["ada", "checkout", "reader"])
async def test_shipping_takes_the_scope_for_it(api: Api, workers: Workers, caller: str) -> None:
    path = await confirmed(api, workers)

    refused = await api.call(
        "POST", f"{path}/shipments", {}, caller=caller, idempotency_key="s1", if_match="*"
    )

    assert refused.status_code == 403


async def test_units_in_a_shipment_are_not_cancelled(api: Api, workers: Workers) -> None:
    path = await confirmed(api, workers)
    await api.call("POST", f"{path}/shipments", {}, idempotency_key="s1", if_match="*")

    refused = await api.call(
        "POST",
        f"{path}/cancellation",
        {"reason": "customer_request"},
        caller="ada",
        idempotency_key="c1",
        if_match="*",
    )

    assert refused.status_code == 409
    assert refused.json()["type"].endswith("/quantity-unavailable")
    assert refused.json()["lines"] == [{"line_no": 1, "open": 0}]


async def test_a_shipment_of_another_customer_looks_absent(api: Api, workers: Workers) -> None:
    path = await shipped(api, workers)
    shipment = (await api.get(path)).json()["shipments"][0]

    own = await api.get(f"{path}/shipments/{shipment['id']}", caller="ada")
    others = await api.get(f"{path}/shipments/{shipment['id']}", caller="bob")
    none = await api.get(f"{path}/shipments/{path.rpartition('/')[2]}", caller="ada")

    assert [each.status_code for each in (own, others, none)] == [200, 404, 404]
