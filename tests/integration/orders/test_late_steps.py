"""A late step is flagged once, waits for nobody, and is cleared when it passes."""

from datetime import timedelta
from uuid import UUID

import psycopg

from libs.domain.orders.attention import STEP_LATE
from libs.domain.orders.late_steps import LateStepsSettings, late_steps
from libs.domain.orders.sql import order_changes
from libs.domain.orders.status import Status
from libs.domain.orders.use_cases.authorise_payments import authorise_payments
from libs.domain.orders.use_cases.flag_late_steps import flag_late_steps
from libs.foundation.database.transaction import transaction
from libs.testkit import build
from tests.integration.shop import Shop, deliver

SETTINGS = LateStepsSettings(interval_ms=1, orders_max=2)


class UntilItRests:
    """Stops the loop as soon as it finds nothing more to do."""

    def __init__(self) -> None:
        self._stopped = False

    def is_set(self) -> bool:
        return self._stopped

    async def wait(self) -> object:
        self._stopped = True
        return True


async def _late_orders(shop: Shop, count: int) -> list[UUID]:
    shop.sell("TEE")
    order_ids = [await shop.place(TEE=1) for _ in range(count)]
    with psycopg.connect(shop.url) as connection:
        connection.execute(
            "UPDATE orders.sagas SET deadline_at = now() - %s", (timedelta(hours=1),)
        )
    return order_ids


async def _flag(shop: Shop) -> int:
    async with transaction(shop.orders) as tx:
        return await flag_late_steps(tx, orders_max=10)


async def test_a_late_step_is_flagged_once_and_rejects_nothing(shop: Shop) -> None:
    (order_id,) = await _late_orders(shop, 1)

    seen = [await _flag(shop), await _flag(shop)]

    order = await shop.order(order_id)
    assert seen == [1, 0]
    assert (order.status, order.version, order.attention) == (Status.PENDING, 2, (STEP_LATE,))
    assert shop.timeline(order_id) == ["order_placed", "attention_raised"]


async def test_the_flag_goes_when_the_step_passes(shop: Shop) -> None:
    (order_id,) = await _late_orders(shop, 1)
    await _flag(shop)

    await deliver(shop.orders, authorise_payments, build.stock_reserved(order_id))

    assert (await shop.order(order_id)).attention == ()
    assert shop.timeline(order_id)[-1] == "attention_cleared"
    assert await _flag(shop) == 0


async def test_a_step_in_time_is_left_alone(shop: Shop) -> None:
    shop.sell("TEE")
    await shop.place(TEE=1)

    assert await _flag(shop) == 0


async def test_an_order_in_hand_is_looked_at_later(shop: Shop) -> None:
    busy, free = await _late_orders(shop, 2)

    async with transaction(shop.orders) as tx:
        await order_changes.lock(tx, [busy])
        seen_meanwhile = await _flag(shop)

    assert seen_meanwhile == 1
    assert (await shop.order(free)).attention == (STEP_LATE,)
    assert await _flag(shop) == 1


async def test_the_loop_flags_portion_after_portion_before_it_rests(shop: Shop) -> None:
    order_ids = await _late_orders(shop, 5)

    await late_steps(shop.orders, SETTINGS).run(UntilItRests())

    assert {(await shop.order(order_id)).attention for order_id in order_ids} == {(STEP_LATE,)}


async def test_the_loop_outlives_a_database_that_is_away(shop: Shop) -> None:
    await _late_orders(shop, 1)
    await shop.orders.close()

    await late_steps(shop.orders, SETTINGS).run(UntilItRests())
