"""Refunding, and deciding about what failed, over HTTP."""

import httpx
import psycopg
import pytest

from libs.testkit.databases import Database
from tests.e2e.api.conftest import Api
from tests.e2e.api.fulfilment import (
    PRICE,
    Workers,
    confirmed,
    refund_failed,
    refund_succeeded,
    shipped,
)

EUR = {"currency": "EUR"}
RETURN = {"reason": "return", "restock": True}


@pytest.fixture
def workers(database: Database) -> Workers:
    return Workers(database)


async def _refund(
    api: Api, path: str, content: object, key: str = "r1", caller: str = "staff"
) -> httpx.Response:
    return await api.call(
        "POST", f"{path}/refunds", content, caller=caller, idempotency_key=key, if_match="*"
    )


def _by_amount(amount: int, currency: str = "EUR") -> dict[str, object]:
    return {"reason": "goodwill", "adjustment": {"amount": amount, "currency": currency}}


async def test_a_whole_refund_shows_each_part_and_then_ends_the_order(
    api: Api, workers: Workers
) -> None:
    path = await shipped(api, workers)

    accepted = await _refund(api, path, RETURN)
    refund = accepted.json()
    before = (await api.get(path)).json()
    await refund_succeeded(workers, path, refund["id"])
    after = (await api.get(path)).json()

    assert (accepted.status_code, accepted.headers["etag"]) == (201, '"v6"')
    assert accepted.headers["location"] == f"{path}/refunds/{refund['id']}"
    assert refund == {
        "id": refund["id"],
        "state": "pending",
        "attempt": 1,
        "reason": "return",
        "amount": {"amount": PRICE, **EUR},
        "tax": {"amount": 0, **EUR},
        "lines": [
            {
                "line_no": 1,
                "quantity": 1,
                "restock": True,
                "value": {"amount": PRICE, **EUR},
                "tax": {"amount": 0, **EUR},
            }
        ],
        "shipping": {"amount": 0, **EUR},
        "adjustment": {"amount": 0, **EUR},
        "failure_code": None,
        "requested_at": refund["requested_at"],
    }
    assert before["payment"]["refundable"]["amount"] == 0
    assert (before["lines"][0]["refunded"], before["lines"][0]["restocked"]) == (1, 1)
    assert (after["status"], after["payment"]["refunded"]["amount"]) == ("refunded", PRICE)
    assert (await api.get(accepted.headers["location"])).json()["state"] == "succeeded"


async def test_an_amount_alone_is_refunded_once_under_its_key(api: Api, workers: Workers) -> None:
    path = await shipped(api, workers)
    first = await _refund(api, path, _by_amount(500))

    repeated = await _refund(api, path, _by_amount(500))
    other = await _refund(api, path, _by_amount(501))

    content = (await api.get(path)).json()
    assert (repeated.status_code, repeated.content) == (201, first.content)
    assert other.status_code == 422
    assert content["payment"]["refundable"]["amount"] == PRICE - 500
    assert [each["adjustment"]["amount"] for each in content["refunds"]] == [500]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (_by_amount(PRICE + 1), 409, "refund-exceeds-refundable"),
        (_by_amount(500, "USD"), 422, "currency-mismatch"),
        (_by_amount(0), 400, "malformed-request"),
        (_by_amount(-1), 400, "malformed-request"),
        ({**_by_amount(1), "restock": True}, 400, "malformed-request"),
        ({"reason": "boredom"}, 400, "malformed-request"),
        ({"reason": "other", "note": "x" * 501}, 400, "malformed-request"),
        ({"reason": "other", "lines": []}, 400, "malformed-request"),
        ({}, 400, "malformed-request"),
    ],
)
async def test_a_refund_that_cannot_be_is_refused_whole(
    api: Api, workers: Workers, content: object, status: int, code: str
) -> None:
    path = await shipped(api, workers)

    refused = await _refund(api, path, content)

    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (status, code)
    if code == "refund-exceeds-refundable":
        assert refused.json()["refundable"] == {"amount": PRICE, **EUR}
    assert (await api.get(path)).json()["refunds"] == []


async def test_only_what_has_left_is_refunded(api: Api, workers: Workers) -> None:
    path = await confirmed(api, workers)

    refused = await _refund(api, path, RETURN)

    assert refused.status_code == 409
    assert refused.json()["type"].endswith("/illegal-transition")


@pytest.mark.parametrize("caller", ["ada", "checkout"])
async def test_refunding_takes_the_scope_for_it(api: Api, workers: Workers, caller: str) -> None:
    path = await shipped(api, workers)

    assert (await _refund(api, path, RETURN, caller=caller)).status_code == 403


async def test_a_refusal_of_the_provider_is_tried_again_or_settled_by_staff(
    api: Api, workers: Workers
) -> None:
    path = await shipped(api, workers)
    location = (await _refund(api, path, RETURN)).headers["location"]
    refund_id = location.rpartition("/")[2]
    early = await api.call("POST", f"{location}/retry", {}, idempotency_key="t1", if_match="*")
    await refund_failed(workers, path, refund_id)

    failed = (await api.get(path)).json()
    retried = await api.call("POST", f"{location}/retry", {}, idempotency_key="t2", if_match="*")
    settled_early = await api.call(
        "POST",
        f"{location}/manual-settlement",
        {"note": "cash"},
        idempotency_key="m1",
        if_match="*",
    )

    assert (early.status_code, settled_early.status_code) == (409, 409)
    assert early.json()["allowed"] == ["failed", "succeeded"]
    assert (failed["attention"], failed["refunds"][0]["failure_code"]) == (
        ["refund_failed"],
        "account_closed",
    )
    assert (retried.status_code, retried.json()["state"], retried.json()["attempt"]) == (
        200,
        "pending",
        2,
    )


async def test_notes_are_shown_to_staff_and_are_in_no_stored_answer(
    api: Api, workers: Workers, database: Database
) -> None:
    path = await shipped(api, workers)
    accepted = await _refund(api, path, {**RETURN, "note": " canary complains "})
    location = accepted.headers["location"]
    await refund_failed(workers, path, location.rpartition("/")[2])

    settled = await api.call(
        "POST",
        f"{location}/manual-settlement",
        {"note": "canary got cash"},
        idempotency_key="m1",
        if_match="*",
    )

    staff, customer = await api.get(path), await api.get(path, caller="ada")
    (shown,) = staff.json()["refunds"]
    assert (settled.status_code, settled.json()["state"]) == (200, "settled_manually")
    assert (shown["note"], shown["settlement_note"]) == ("canary complains", "canary got cash")
    assert staff.json()["status"] == "refunded"
    for content in (accepted.content, settled.content, customer.content):
        assert b"canary" not in content
    with psycopg.connect(database.url) as connection:
        rows = connection.execute(
            "SELECT convert_from(body, 'UTF8') FROM web.idempotency_keys"
            " UNION ALL SELECT convert_from(data, 'UTF8') FROM orders.timeline"
        )
        assert not [text for (text,) in rows.fetchall() if "canary" in text]


async def test_a_flag_is_taken_away_by_staff_in_the_version_they_saw(
    api: Api, workers: Workers
) -> None:
    path = await shipped(api, workers)
    refund_id = (await _refund(api, path, RETURN)).json()["id"]
    await refund_failed(workers, path, refund_id)
    flag = f"{path}/attention/refund_failed"

    answers = [
        await api.call("DELETE", flag),
        await api.call("DELETE", flag, if_match='"v7"'),
        await api.call("DELETE", flag, caller="ada", if_match='"v8"'),
        await api.call("DELETE", flag, if_match='"v8"'),
        await api.call("DELETE", flag, if_match='"v9"'),
    ]

    assert [each.status_code for each in answers] == [428, 412, 403, 204, 404]
    assert (answers[3].content, answers[3].headers["etag"]) == (b"", '"v9"')
    assert (await api.get(path)).json()["attention"] == []


async def test_a_customer_sees_neither_flags_nor_who_worked_on_them(
    api: Api, workers: Workers
) -> None:
    path = await shipped(api, workers)
    refund_id = (await _refund(api, path, RETURN)).json()["id"]
    await refund_failed(workers, path, refund_id)
    await api.call("DELETE", f"{path}/attention/refund_failed", if_match="*")

    staff = (await api.get(f"{path}/timeline")).json()["items"]
    customer = (await api.get(f"{path}/timeline", caller="ada")).json()["items"]

    flags = {"orders.attention_raised.v1", "orders.attention_cleared.v1"}
    assert [entry["sequence"] for entry in staff] == list(range(1, 10))
    assert [entry["sequence"] for entry in customer] == list(range(1, 8))
    assert not {entry["type"] for entry in customer} & flags
    assert all("id" not in entry["actor"] for entry in customer)
