"""The oldest order whose saga does not come on, without those that people were called to."""

from datetime import timedelta
from uuid import UUID

import psycopg

from libs.domain.orders.oldest_waiting import OldestWaiting
from libs.foundation.database.connections import open_connection
from libs.foundation.database.settings import DatabaseSettings
from libs.testkit.databases import Database
from tests.integration.shop import Shop, open_shop


class Question:
    """Asks as the API does, again and again over new connections."""

    def __init__(self, database: Database) -> None:
        self._settings = DatabaseSettings(url=database.url_for("orderly_api"))
        self._oldest = OldestWaiting()

    async def age_s(self) -> float:
        async with open_connection(self._settings, "toy door") as connection:
            return await self._oldest.age_s(connection)


async def placed(shop: Shop, *, minutes_ago: int) -> UUID:
    order_id = await shop.place(TEE=1)
    with psycopg.connect(shop.url) as connection:
        connection.execute(
            "UPDATE orders.orders SET placed_at = placed_at - %s WHERE id = %s",
            (timedelta(minutes=minutes_ago), order_id),
        )
    return order_id


def change(shop: Shop, order_id: UUID, column: bytes, value: object) -> None:
    with psycopg.connect(shop.url) as connection:
        connection.execute(
            b"UPDATE orders.orders SET " + column + b" = %s WHERE id = %s", (value, order_id)
        )


async def test_without_a_waiting_order_nothing_is_old(database: Database) -> None:
    assert await Question(database).age_s() == 0.0


async def test_the_oldest_pending_order_counts_until_it_is_decided(database: Database) -> None:
    question = Question(database)
    async with open_shop(database) as shop:
        shop.sell("TEE")
        first = await placed(shop, minutes_ago=30)
        await placed(shop, minutes_ago=10)

        before = await question.age_s()
        change(shop, first, b"status", "rejected")
        after = await question.age_s()

    assert 1_800 <= before < 1_860
    assert 600 <= after < 660


async def test_an_order_that_people_were_called_to_does_not_count(database: Database) -> None:
    question = Question(database)
    async with open_shop(database) as shop:
        shop.sell("TEE")
        stuck = await placed(shop, minutes_ago=300)
        assert await question.age_s() >= 18_000

        change(shop, stuck, b"attention", ["step_late"])

        assert await question.age_s() == 0.0


async def test_an_order_whose_flag_is_taken_away_counts_again_after_a_while(
    database: Database,
) -> None:
    question = Question(database)
    async with open_shop(database) as shop:
        shop.sell("TEE")
        stuck = await placed(shop, minutes_ago=300)
        change(shop, stuck, b"attention", ["step_late"])
        assert await question.age_s() == 0.0

        change(shop, stuck, b"attention", list[str]())
        ages = [await question.age_s() for _ in range(60)]

    assert max(ages) >= 18_000


async def test_the_question_goes_on_from_the_last_answer(database: Database) -> None:
    question = Question(database)
    async with open_shop(database) as shop:
        shop.sell("TEE")
        decided = [await placed(shop, minutes_ago=120) for _ in range(3)]
        await placed(shop, minutes_ago=60)
        for order_id in decided:
            change(shop, order_id, b"status", "rejected")
        await question.age_s()

        assert 3_600 <= await question.age_s() < 3_660


def test_the_question_finds_its_answer_by_the_index(database: Database) -> None:
    with psycopg.connect(database.url, options="-c enable_seqscan=off") as connection:
        rows = connection.execute(
            "EXPLAIN (COSTS off) SELECT placed_at FROM orders.orders"
            " WHERE status = 'pending' AND attention = '{}' AND placed_at >= now()"
            " ORDER BY placed_at LIMIT 1"
        ).fetchall()

    assert "orders_waiting" in "\n".join(line for (line,) in rows)
