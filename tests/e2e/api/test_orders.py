"""Reading, listing and cancelling orders over HTTP."""

from typing import Any

import pytest

from libs.foundation.ids import new_id
from tests.e2e.api.conftest import Api, order

CANCEL = {"reason": "customer_request"}


async def placed(api: Api, key: str = "k1", caller: str = "ada") -> str:
    """Place an order and return its path."""
    await api.sell("TEE")
    return (await api.place(key, order(), caller=caller)).headers["location"]


async def test_a_version_the_caller_has_is_not_sent_again(api: Api) -> None:
    path = await placed(api)

    unchanged = await api.get(path, if_none_match='"v1"')
    changed = await api.get(path, if_none_match='"v2"')

    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["etag"] == '"v1"'
    assert changed.status_code == 200


async def test_the_order_of_another_customer_looks_absent(api: Api) -> None:
    path = await placed(api)
    absent = f"/v1/orders/{new_id()}"

    for suffix in ("", "/timeline"):
        others, none = [await api.get(each + suffix, caller="bob") for each in (path, absent)]
        assert (others.status_code, none.status_code) == (404, 404)
        assert without_ids(others.json()) == without_ids(none.json())
        assert set(others.headers) == set(none.headers)


def without_ids(problem: dict[str, object]) -> dict[str, object]:
    varying = {"detail", "instance", "trace_id"}
    return {name: value for name, value in problem.items() if name not in varying}


async def test_another_customer_cannot_cancel_it_either(api: Api) -> None:
    path = await placed(api)

    refused = await api.call(
        "POST", f"{path}/cancellation", CANCEL, caller="bob", idempotency_key="c1", if_match="*"
    )

    assert refused.status_code == 404


async def test_a_cancellation_is_final_at_once(api: Api) -> None:
    path = await placed(api)

    cancelled = await api.call(
        "POST",
        f"{path}/cancellation",
        CANCEL,
        caller="ada",
        idempotency_key="c1",
        if_match='"v1"',
    )

    assert cancelled.status_code == 200
    assert cancelled.headers["etag"] == '"v2"'
    content = cancelled.json()
    assert (content["status"], content["lines"][0]["cancelled"]) == ("cancelled", 1)
    assert content["cancellations"][0]["value"]["amount"] == 2_000
    assert (await api.get(path)).json()["status"] == "cancelled"


async def test_a_repeated_cancellation_is_replayed_before_its_version_is_looked_at(
    api: Api,
) -> None:
    path = f"{await placed(api)}/cancellation"
    headers = {"idempotency_key": "c1", "if_match": '"v1"'}
    first = await api.call("POST", path, CANCEL, **headers)

    repeated = await api.call("POST", path, CANCEL, **headers)
    without_match = await api.call("POST", path, CANCEL, idempotency_key="c1")
    other = await api.call("POST", path, {"reason": "other"}, **headers)

    assert repeated.content == without_match.content == first.content
    assert repeated.headers["idempotent-replayed"] == "true"
    assert other.status_code == 422


@pytest.mark.parametrize(
    ("if_match", "status", "code"),
    [
        (None, 428, "precondition-required"),
        ('"v2"', 412, "version-mismatch"),
        ('W/"v1"', 412, "version-mismatch"),
    ],
)
async def test_a_change_must_name_the_version_it_was_decided_on(
    api: Api, if_match: str | None, status: int, code: str
) -> None:
    path = await placed(api)
    headers = {} if if_match is None else {"if_match": if_match}

    refused = await api.call(
        "POST", f"{path}/cancellation", CANCEL, idempotency_key="c1", **headers
    )

    assert refused.status_code == status
    assert refused.json()["type"].endswith(f"/{code}")
    assert (await api.get(path)).json()["version"] == 1


async def test_a_closed_order_is_not_cancelled_again(api: Api) -> None:
    path = f"{await placed(api)}/cancellation"
    await api.call("POST", path, CANCEL, idempotency_key="c1", if_match="*")

    refused = await api.call("POST", path, CANCEL, idempotency_key="c2", if_match="*")

    assert refused.status_code == 409
    assert (refused.json()["status"], refused.json()["title"]) == (409, "Illegal transition")


async def test_the_timeline_tells_each_version_and_who_it_was(api: Api) -> None:
    path = await placed(api)
    await api.call("POST", f"{path}/cancellation", CANCEL, idempotency_key="c1", if_match="*")

    seen = (await api.get(f"{path}/timeline")).json()["items"]
    by_customer = (await api.get(f"{path}/timeline", caller="ada")).json()["items"]

    assert [entry["sequence"] for entry in seen] == [1, 2]
    assert [entry["actor"]["id"] for entry in seen] == ["ada", "staff-1"]
    assert seen[1]["data"]["status"] == "cancelled"
    assert "id" not in by_customer[1]["actor"]


async def test_the_timeline_is_paged_by_a_signed_cursor(api: Api) -> None:
    path = await placed(api)
    await api.call("POST", f"{path}/cancellation", CANCEL, idempotency_key="c1", if_match="*")

    first = (await api.get(f"{path}/timeline?limit=1")).json()
    rest = (await api.get(f"{path}/timeline?cursor={first['next_cursor']}")).json()

    assert [entry["sequence"] for entry in rest["items"]] == [2]
    assert rest["next_cursor"] is None


async def test_a_list_is_paged_without_gap_or_repeat(api: Api) -> None:
    await api.sell("TEE")
    paths = [(await api.place(f"k{n}", order())).headers["location"] for n in range(7)]

    pages: list[list[str]] = []
    cursor = ""
    while True:
        page = (await api.get(f"/v1/orders?limit=3{cursor}")).json()
        pages.append([item["id"] for item in page["items"]])
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert [len(page) for page in pages] == [3, 3, 1]
    listed = [f"/v1/orders/{order_id}" for page in pages for order_id in page]
    assert listed == list(reversed(paths))


async def test_a_list_is_narrowed_by_each_filter(api: Api) -> None:
    path = await placed(api)
    await api.place("k2", order(), caller="bob")
    await api.place("k3", order(external_reference="web-1"), caller="checkout")
    await api.call("POST", f"{path}/cancellation", CANCEL, idempotency_key="c1", if_match="*")
    number = (await api.get(path)).json()["number"]

    found = {
        query: len((await api.get(f"/v1/orders?{query}")).json()["items"])
        for query in (
            "status=cancelled",
            "status=pending",
            "customer_id=ada",
            "customer_id=ada&status=pending",
            "external_reference=web-1",
            f"number={number}",
            "attention=step_late",
            "placed_from=2020-01-01T00:00:00Z",
            "placed_to=2020-01-01T00:00:00Z",
        )
    }

    assert list(found.values()) == [1, 2, 1, 0, 1, 1, 0, 3, 0]


async def test_a_customer_lists_own_orders_whatever_the_filter(api: Api) -> None:
    path = await placed(api)
    number = (await api.get(path)).json()["number"]

    for query in ("", "?customer_id=ada", f"?number={number}"):
        assert (await api.get(f"/v1/orders{query}", caller="bob")).json()["items"] == []
    own = (await api.get("/v1/orders", caller="ada")).json()["items"]
    assert len(own) == 1
    assert "attention" not in own[0]


async def test_a_cursor_does_not_fit_another_caller(api: Api) -> None:
    await placed(api, "k1")
    await placed(api, "k2")
    cursor = (await api.get("/v1/orders?limit=1")).json()["next_cursor"]

    refused = await api.get(f"/v1/orders?limit=1&cursor={cursor}", caller="ada")

    assert refused.status_code == 400


async def test_a_feed_of_changes_goes_on_where_it_ended(api: Api) -> None:
    paths = [await placed(api, f"k{n}", caller) for n, caller in enumerate(("ada", "bob", "ada"))]
    start = "/v1/orders?updated_from=2020-01-01T00:00:00Z"

    first = (await api.get(f"{start}&limit=2")).json()
    second = (await api.get(f"{start}&cursor={first['next_cursor']}")).json()
    await api.call("POST", f"{paths[0]}/cancellation", CANCEL, idempotency_key="c1", if_match="*")
    changed = (await api.get(f"{start}&cursor={second['next_cursor']}")).json()
    own = (await api.get(start, caller="bob")).json()

    assert [ids(page) for page in (first, second, changed)] == [paths[:2], paths[2:], paths[:1]]
    assert changed["items"][0]["status"] == "cancelled"
    assert ids(own) == paths[1:2]


def ids(page: dict[str, Any]) -> list[str]:
    return [f"/v1/orders/{item['id']}" for item in page["items"]]


async def test_a_feed_of_changes_goes_with_no_other_filter(shared_api: Api) -> None:
    refused = await shared_api.get("/v1/orders?updated_from=2020-01-01T00:00:00Z&status=pending")

    assert refused.status_code == 400
    assert "updated_from" in refused.json()["detail"]
