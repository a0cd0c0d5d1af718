"""`orderly order list --stuck`: whoever knows that an order needs a look, it is in the list."""

from uuid import UUID

import psycopg

from libs.domain.operations.order_inspection import list_stuck
from libs.domain.orders.stuck import FIRST, StuckOrders
from libs.foundation.database.connections import open_connection
from libs.foundation.database.settings import DatabaseSettings
from libs.testkit.databases import Database
from tests.integration.operator.asking import asked
from tests.integration.shop import open_shop


async def orders(database: Database, count: int) -> list[UUID]:
    async with open_shop(database) as shop:
        shop.sell("TEE")
        return [await shop.place(TEE=1) for _ in range(count)]


async def listed(database: Database, after: UUID = FIRST, limit: int = 50) -> StuckOrders:
    settings = DatabaseSettings(url=database.url_for("orderly_reader"))
    async with open_connection(settings, "orderly") as connection:
        return await list_stuck(connection, after, limit)


def spoil(database: Database, late: UUID, flagged: UUID, manual: UUID, parked: UUID) -> None:
    with psycopg.connect(database.url) as owner:
        owner.execute(
            "UPDATE orders.sagas SET deadline_at = now() - interval '1 minute' WHERE order_id = %s",
            (late,),
        )
        owner.execute(
            "UPDATE orders.orders SET attention = '{payment_unresolved}' WHERE id = %s", (flagged,)
        )
        owner.execute(
            "INSERT INTO payments.payments (order_id, provider, source_kind, state, currency,"
            " planned_minor, sequence) VALUES (%s, 'simulator', 'token', 'pending', 'EUR', 1, 0)",
            (manual,),
        )
        owner.execute(
            "INSERT INTO payments.operations (key, order_id, provider, kind, subject_id,"
            " amount_minor, currency, state) VALUES (gen_random_uuid(), %(id)s, 'simulator',"
            " 'authorise', %(id)s, 1, 'EUR', 'manual')",
            {"id": manual},
        )
        owner.execute(
            "INSERT INTO messaging.parked_keys (consumer, topic, key, reason)"
            " SELECT 'orders-worker', 'inventory.events', key, 'x'"
            " FROM unnest(ARRAY[%s, 'TEE', '0-A-SKU']) AS k (key)",
            (str(parked),),
        )


async def test_each_kind_of_trouble_is_listed_with_its_reason(database: Database) -> None:
    late, flagged, manual, parked, well = await orders(database, 5)
    spoil(database, late, flagged, manual, parked)

    found = await listed(database)

    assert [(each.order.id, each.why[0].split(" since")[0]) for each in found.orders] == [
        (late, "reserve is late"),
        (flagged, "flag payment_unresolved"),
        (manual, "authorise is left to a person"),
        (parked, "parked by orders-worker"),
    ]
    assert well not in {each.order.id for each in found.orders}
    assert found.after is None


async def test_pages_follow_each_other_without_a_gap(database: Database) -> None:
    late, flagged, manual, parked, _ = await orders(database, 5)
    spoil(database, late, flagged, manual, parked)

    seen: list[UUID] = []
    after: str | None = str(FIRST)
    while after is not None:
        page = await listed(database, UUID(after), limit=1)
        seen += [each.order.id for each in page.orders]
        after = page.after

    assert seen == [late, flagged, manual, parked]


async def test_the_command_tells_how_to_go_on(database: Database) -> None:
    late, flagged, manual, parked, _ = await orders(database, 5)
    spoil(database, late, flagged, manual, parked)

    code, text = await asked(database, "order", "list", "--stuck", "--limit", "3")
    other, _ = await asked(database, "order", "list")

    assert (code, other) == (0, 1)
    assert f"more: orderly order list --stuck --after {manual}" in text
