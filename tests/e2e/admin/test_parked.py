"""Retry and skip over HTTP: asked once under an id of the caller's, done by the owner."""

import asyncio
from typing import Any

import pytest

from libs.foundation.ids import new_id
from libs.testkit.eventually import eventually
from tests.e2e.admin.conftest import Admin
from tests.integration.messaging.consumer_toys import Refused, ToyHandler, definition
from tests.integration.messaging.parked_toys import CAUSE, ParkedToys


def wish(parked: ParkedToys, verb: str = "retry", **changed: Any) -> dict[str, Any]:  # noqa: ANN401
    choice = {"owner": parked.owner, "topic": parked.topic, "key": "k1"}
    return {"verb": verb, "choice": choice, "reason": "ticket 7", **changed}


async def test_what_is_parked_is_listed_by_key_and_by_cause(
    admin: Admin, parked: ParkedToys
) -> None:
    keys = await admin.get("/admin/v1/parked", owner=parked.owner)
    causes = await admin.get("/admin/v1/parked/causes", fingerprint=CAUSE)
    one = await admin.get(f"/admin/v1/parked/{parked.owner}/{parked.topic}/k1")

    assert [(each["key"], each["messages"]) for each in keys["keys"]] == [("k1", 3), ("k2", 1)]
    assert [(each["keys"], each["messages"]) for each in causes["groups"]] == [(2, 4)]
    assert [each["log_offset"] for each in one["queue"]] == [1, 2, 3]
    assert "body" not in str(one)


@pytest.mark.parametrize("key", ["k9", "%00", "a%0ab"])
async def test_a_key_that_is_not_parked_is_absent(
    admin: Admin, parked: ParkedToys, key: str
) -> None:
    path = f"/admin/v1/parked/{parked.owner}/{parked.topic}/{key}"

    assert (await admin.call("GET", path)).status_code == 404


async def test_a_plan_says_what_would_be_done_and_asks_for_nothing(
    admin: Admin, parked: ParkedToys
) -> None:
    plan = await admin.get("/admin/v1/parked/plan", verb="skip", owner=parked.owner, key="k1")

    assert plan["matching"] == 1
    assert "leaves a gap; then run 2 in order" in plan["keys"][0]["effect"]
    assert await parked.toys.rows("SELECT id FROM messaging.operator_requests") == []


async def test_a_retry_is_done_by_the_owner_and_its_outcome_is_told(
    admin: Admin, parked: ParkedToys
) -> None:
    path = f"/admin/v1/requests/{new_id()}"

    asked = await admin.call("PUT", path, wish(parked))
    async with parked.running(definition(parked.owner, [], ToyHandler())):
        told = await eventually(
            lambda: admin.get(path), lambda found: found["request"]["finished_at"] is not None
        )
    listed = await admin.get("/admin/v1/requests", by="staff:grace")

    assert asked.status_code == 202, asked.text
    assert [(each["key"], each["result"]) for each in told["items"]] == [("k1", "done")]
    assert listed["requests"][0]["reason"] == "ticket 7"
    assert listed["requests"][0]["id"] == told["request"]["id"]


async def test_a_skip_that_is_sent_again_leaves_out_one_message(
    admin: Admin, parked: ParkedToys
) -> None:
    path = f"/admin/v1/requests/{new_id()}"
    handler = ToyHandler()
    handler.refused["k1", 2] = Refused("no")

    first = await asyncio.gather(*(admin.call("PUT", path, wish(parked, "skip")) for _ in range(5)))
    async with parked.running(definition(parked.owner, [], handler)):
        await eventually(
            lambda: admin.get(path), lambda found: found["request"]["finished_at"] is not None
        )
    again = await admin.call("PUT", path, wish(parked, "skip"))

    assert sorted(each.status_code for each in first) == [200, 200, 200, 200, 202]
    assert again.status_code == 200
    assert again.json()["items"][0]["skipped"] == 1
    left = await admin.get("/admin/v1/parked", owner=parked.owner, key="k1")
    assert left["keys"][0]["messages"] == 2


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"choice": {}}, 422, "nothing-chosen"),
        ({"choice": {"key": "k9"}}, 409, "nothing-parked"),
        ({"reason": "  "}, 400, "malformed-request"),
        ({"verb": "forget"}, 400, "malformed-request"),
        ({"choice": {"owner": "a\u0000"}}, 400, "malformed-request"),
        ({"colour": "red"}, 400, "malformed-request"),
    ],
)
async def test_what_is_not_clear_is_refused_and_asks_for_nothing(
    admin: Admin, parked: ParkedToys, changed: dict[str, Any], status: int, code: str
) -> None:
    answer = await admin.call("PUT", f"/admin/v1/requests/{new_id()}", wish(parked, **changed))

    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}")
    assert await parked.toys.rows("SELECT id FROM messaging.operator_requests") == []


async def test_an_id_names_one_request_and_a_key_is_in_one_request_s_hands(
    admin: Admin, parked: ParkedToys
) -> None:
    request_id = new_id()
    await admin.call("PUT", f"/admin/v1/requests/{request_id}", wish(parked))

    other = await admin.call("PUT", f"/admin/v1/requests/{request_id}", wish(parked, "skip"))
    beside = await admin.call("PUT", f"/admin/v1/requests/{new_id()}", wish(parked))

    assert (other.status_code, other.json()["type"]) == (409, "/problems/request-id-taken")
    assert (beside.status_code, beside.json()["type"]) == (409, "/problems/asked-before")
    assert beside.json()["request_id"] == str(request_id)
