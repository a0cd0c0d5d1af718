"""Stock over HTTP: reading, correcting once per key, and paging through the ledger."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from libs.domain.inventory.routes.stock import READ, WRITE, StockRoutes
from libs.domain.inventory.use_cases.reserve_stock import reserve_stock
from libs.foundation.web.application import Limits, application
from libs.foundation.web.cursors import Cursors
from libs.foundation.web.problems import Problems
from libs.testkit import build
from libs.testkit.callers import Callers, open_access
from libs.testkit.databases import Database
from tests.integration.shop import Shop, deliver

SCOPES = {"warehouse": [READ, WRITE], "auditor": [READ]}
RECEIVED = {"delta": 5, "reason": "received", "note": "PO 4711"}


@pytest.fixture
def callers(tmp_path: Path) -> Callers:
    return Callers(tmp_path)


@pytest.fixture
async def client(
    shop: Shop, database: Database, callers: Callers
) -> AsyncIterator[httpx.AsyncClient]:
    url, open_to = database.url_for("orderly_api"), {"staff": frozenset({READ, WRITE})}
    async with open_access(url, callers, open_to) as access:
        app = application(
            StockRoutes(shop.api, Cursors("a secret of the tests")).endpoints(),
            public=[],
            access=access,
            problems=Problems("https://problems.example/"),
            limits=Limits(body_bytes_max=65_536, deadline_ms=10_000),
        )
        # The two libraries type the same ASGI messages differently.
        asgi: Any = app
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=asgi),
            base_url="http://shop.example",
            headers=_bearer(callers, "warehouse"),
        ) as client:
            yield client


def _bearer(callers: Callers, name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {callers.token(name, 'staff', SCOPES[name])}"}


async def _adjust(client: httpx.AsyncClient, key: str, **changed: object) -> httpx.Response:
    return await client.post(
        "/v1/stock/TEE/adjustments", json={**RECEIVED, **changed}, headers={"Idempotency-Key": key}
    )


async def test_an_adjustment_answers_with_the_stock_it_left(client: httpx.AsyncClient) -> None:
    answer = await _adjust(client, "one")

    level = await client.get("/v1/stock/TEE")
    body = answer.json()
    assert answer.status_code == 201
    assert (body["delta"], body["reason"], body["available"]) == (5, "received", 5)
    assert level.json() == {"sku": "TEE", "on_hand": 5, "reserved": 0, "available": 5}


async def test_a_repeat_under_one_key_adjusts_once(client: httpx.AsyncClient) -> None:
    first = await _adjust(client, "one")

    again = await _adjust(client, "one")
    other = await _adjust(client, "one", delta=6)

    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert other.status_code == 422
    assert (await client.get("/v1/stock/TEE")).json()["on_hand"] == 5


async def test_a_sku_that_was_never_adjusted_has_zeros(client: httpx.AsyncClient) -> None:
    level = await client.get("/v1/stock/TEE")

    assert level.json() == {"sku": "TEE", "on_hand": 0, "reserved": 0, "available": 0}


async def test_promised_pieces_are_named_by_their_orders(
    shop: Shop, client: httpx.AsyncClient
) -> None:
    await _adjust(client, "one")
    command = build.reserve_stock(TEE=4)
    await deliver(shop.inventory, reserve_stock, command)

    refusal = await _adjust(client, "two", delta=-2, reason="damaged")
    fitting = await _adjust(client, "two", delta=-1, reason="damaged")

    assert refusal.status_code == 409
    assert refusal.json()["type"].endswith("stock-reserved")
    assert refusal.json()["order_ids"] == [str(command.order_id)]
    assert fitting.status_code == 201


@pytest.mark.parametrize(
    "changed",
    [
        {"delta": 0},
        {"delta": 1_000_001},
        {"delta": 1.5},
        {"reason": "stolen"},
        {"note": "x" * 201},
        {"note": "\u0000"},
        {"on_hand": 7},
    ],
)
async def test_a_malformed_adjustment_is_refused(
    client: httpx.AsyncClient, changed: dict[str, object]
) -> None:
    refusal = await _adjust(client, "one", **changed)

    assert refusal.status_code == 400
    assert (await client.get("/v1/stock/TEE")).json()["on_hand"] == 0


@pytest.mark.parametrize("path", ["/v1/stock/-TEE", "/v1/stock/" + "T" * 65, "/v1/stock/T%20E"])
async def test_what_is_no_sku_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_reading_and_writing_need_their_own_scope(
    client: httpx.AsyncClient, callers: Callers
) -> None:
    auditor = {**_bearer(callers, "auditor"), "Idempotency-Key": "one"}

    reading = await client.get("/v1/stock/TEE", headers=auditor)
    writing = await client.post("/v1/stock/TEE/adjustments", json=RECEIVED, headers=auditor)

    assert (reading.status_code, writing.status_code) == (200, 403)


async def test_movements_are_paged_from_the_latest(client: httpx.AsyncClient) -> None:
    for delta in (1, 2, 3):
        await _adjust(client, f"key-{delta}", delta=delta)

    first = (await client.get("/v1/stock/TEE/movements", params={"limit": 2})).json()
    rest = await client.get(
        "/v1/stock/TEE/movements", params={"limit": 2, "cursor": first["next_cursor"]}
    )
    elsewhere = await client.get("/v1/stock/MUG/movements", params={"cursor": first["next_cursor"]})

    assert (_deltas(first), _deltas(rest.json())) == ([3, 2], [1])
    assert rest.json()["next_cursor"] is None
    assert elsewhere.status_code == 400


def _deltas(page: dict[str, Any]) -> list[int]:
    return [item["on_hand_delta"] for item in page["items"]]
