"""Where an order is, over HTTP: the same answer that the command gives."""

import psycopg
import pytest

from libs.testkit.databases import Database
from tests.e2e.admin.conftest import Admin
from tests.integration.operator.asking import as_json
from tests.integration.shop import open_shop


async def test_an_order_is_shown_as_the_command_shows_it(admin: Admin, database: Database) -> None:
    async with open_shop(database) as shop:
        shop.sell("TEE")
        order_id = await shop.place(TEE=1)

    told = await admin.get(f"/admin/v1/orders/{order_id}")
    _, printed = await as_json(database, "order", "show", str(order_id))

    assert set(told) == set(printed)
    assert told["order"] == printed["order"]
    assert told["verdict"]["standing"] == printed["verdict"]["standing"]


@pytest.mark.parametrize("name", ["0199d9a0-0000-7000-8000-000000000000", "web-1", "%00"])
async def test_what_names_no_order_is_absent(admin: Admin, name: str) -> None:
    answer = await admin.call("GET", f"/admin/v1/orders/{name}")

    assert answer.status_code == 404


async def test_stuck_orders_are_listed_with_the_reason(admin: Admin, database: Database) -> None:
    async with open_shop(database) as shop:
        shop.sell("TEE")
        flagged, fine = [await shop.place(TEE=1) for _ in range(2)]
    with psycopg.connect(database.url) as owner:
        owner.execute(
            "UPDATE orders.orders SET attention = '{payment_unresolved}' WHERE id = %s", (flagged,)
        )

    told = await admin.get("/admin/v1/stuck-orders")
    behind = await admin.get("/admin/v1/stuck-orders", after=str(flagged))

    assert str(flagged) in str(told)
    assert str(fine) not in str(told)
    assert str(flagged) not in str(behind)
