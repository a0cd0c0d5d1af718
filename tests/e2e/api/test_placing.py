"""Placing orders over HTTP: what a checkout's developer relies on."""

import asyncio

import psycopg

from libs.testkit.databases import Database
from tests.e2e.api.conftest import Api, order


async def test_a_placed_order_is_answered_with_its_place_and_version(api: Api) -> None:
    await api.sell("TEE")

    placed = await api.place("k1", order(quantity=3))

    content = placed.json()
    assert placed.status_code == 201
    assert placed.headers["location"] == f"/v1/orders/{content['id']}"
    assert placed.headers["etag"] == '"v1"'
    assert (content["status"], content["customer_id"]) == ("pending", "ada")
    assert content["totals"]["total"] == {"amount": 6_000, "currency": "EUR"}


async def test_what_is_read_is_what_was_answered(api: Api) -> None:
    await api.sell("TEE")
    metadata = {"cart": "7781"}
    placed = (await api.place("k1", order(metadata=metadata))).json()

    read = await api.get(f"/v1/orders/{placed['id']}", caller="ada")

    assert read.json() == {**placed, "contact": None}
    assert read.headers["etag"] == '"v1"'
    assert read.headers["cache-control"] == "private, no-store"
    assert placed["metadata"] == metadata


async def test_a_repeat_gets_the_same_bytes_and_says_so(api: Api) -> None:
    await api.sell("TEE")
    first = await api.place("k1", order())

    repeated = await api.place("k1", order())

    assert (repeated.status_code, repeated.content) == (201, first.content)
    for name in ("location", "etag", "content-type"):
        assert repeated.headers[name] == first.headers[name]
    assert repeated.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers


async def test_another_spelling_of_the_body_is_the_same_request(api: Api) -> None:
    await api.sell("TEE")
    first = await api.place("k1", order())

    respelt = dict(reversed(list(order().items())))
    repeated = await api.place("k1", respelt)

    assert repeated.content == first.content


async def test_fifty_twins_make_one_order(api: Api) -> None:
    await api.sell("TEE")

    answers = await asyncio.gather(*[api.place("k1", order()) for _ in range(50)])

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len((await api.get("/v1/orders")).json()["items"]) == 1


async def test_a_key_with_another_body_is_refused(api: Api) -> None:
    await api.sell("TEE")
    await api.place("k1", order())

    refused = await api.place("k1", order(quantity=2))

    assert refused.status_code == 422
    assert refused.json()["type"].endswith("/idempotency-key-reused")


async def test_one_key_of_two_callers_is_two_keys(api: Api) -> None:
    await api.sell("TEE")

    ada, bob = await api.place("k1", order()), await api.place("k1", order(), caller="bob")

    assert (ada.status_code, bob.status_code) == (201, 201)
    assert ada.json()["id"] != bob.json()["id"]


async def test_a_refusal_is_not_stored(api: Api) -> None:
    refused = await api.place("k1", order())
    await api.sell("TEE")

    accepted = await api.place("k1", order())

    assert (refused.status_code, accepted.status_code) == (422, 201)
    assert refused.json()["skus"] == ["TEE"]


async def test_a_total_the_customer_did_not_see_is_refused(api: Api) -> None:
    await api.sell("TEE", 2_000)

    refused = await api.place("k1", order(expected_total={"amount": 1_900, "currency": "EUR"}))

    assert refused.status_code == 422
    assert refused.json()["computed"] == {"amount": 2_000, "currency": "EUR"}


async def test_only_a_checkout_names_the_customer_or_the_reference(api: Api) -> None:
    await api.sell("TEE")

    for number, field in enumerate(("customer_id", "external_reference", "channel")):
        content = order() | {field: "web"}
        by_customer = await api.place(f"a{number}", content)
        by_checkout = await api.place(f"b{number}", content, caller="checkout")
        assert (by_customer.status_code, by_checkout.status_code) == (403, 201)


async def test_an_external_reference_is_taken_once(api: Api) -> None:
    await api.sell("TEE")
    first = await api.place("k1", order(external_reference="web-1"), caller="checkout")

    refused = await api.place("k2", order(external_reference="web-1"), caller="checkout")

    assert refused.status_code == 409
    assert refused.json()["type"].endswith("/external-reference-taken")
    assert refused.json()["order_id"] == first.json()["id"]


async def test_contact_is_stored_apart_and_shown_to_who_may_read_it(
    api: Api, database: Database
) -> None:
    await api.sell("TEE")
    contact = {"email": "canary@example.org", "note": "ring twice"}

    placed = await api.place("k1", order(contact=contact))

    path = placed.headers["location"]
    assert b"canary" not in placed.content
    assert (await api.get(path, caller="ada")).json()["contact"].items() >= contact.items()
    assert "contact" not in (await api.get(path, caller="reader")).json()
    with psycopg.connect(database.url) as connection:
        rows = connection.execute("SELECT convert_from(body, 'UTF8') FROM web.idempotency_keys")
        assert not [body for (body,) in rows.fetchall() if "canary" in body]


async def test_a_supplied_price_is_taken_from_a_checkout(api: Api) -> None:
    await api.sell("TEE", None)
    nothing = {"amount": 0, "currency": "EUR"}
    line = {
        "sku": "TEE",
        "quantity": 3,
        "unit_price": {"amount": 2_000, "currency": "EUR"},
        "discount": {"amount": 600, "currency": "EUR"},
        "tax": nothing,
    }
    content = order(taxes_included=True, expected_total={"amount": 5_400, "currency": "EUR"})

    placed = await api.place("k1", {**content, "lines": [line]}, caller="checkout")

    assert placed.status_code == 201
    assert placed.json()["totals"]["discount"]["amount"] == 600
