"""A shipped order is completed when its time has come, by a row that says since when it waits."""

from datetime import timedelta
from uuid import UUID

import psycopg

from libs.contracts.inventory import ShipStock, StockShipped
from libs.domain.inventory.use_cases.move_stock import ship_stock
from libs.domain.orders.completions import CompletionsSettings, completions
from libs.domain.orders.saga import Step
from libs.domain.orders.sql import order_changes
from libs.domain.orders.status import Status
from libs.domain.orders.use_cases.complete_orders import complete_orders
from libs.domain.orders.use_cases.flag_late_steps import flag_late_steps
from libs.domain.orders.use_cases.move_shipments import record_stock_shipped
from libs.foundation.database.transaction import transaction
from tests.integration.orders import fulfilment as steps
from tests.integration.orders.test_late_steps import UntilItRests
from tests.integration.shop import Shop, deliver

FORTNIGHT = timedelta(days=14)


async def _complete(shop: Shop) -> int:
    async with transaction(shop.orders) as tx:
        return await complete_orders(tx, FORTNIGHT, orders_max=10)


def _shipped_ago(shop: Shop, age: timedelta) -> None:
    with psycopg.connect(shop.url) as connection:
        connection.execute(
            "UPDATE orders.sagas SET shipped_at = now() - %s WHERE shipped_at IS NOT NULL", (age,)
        )


async def _shipped_leaflets(shop: Shop, count: int) -> list[UUID]:
    shop.sell("LEAFLET", price_minor=0, stock_tracked=False)
    order_ids = [await shop.place(LEAFLET=1) for _ in range(count)]
    for order_id in order_ids:
        await steps.ship(shop, order_id)
    return order_ids


async def test_a_shipped_order_is_completed_after_its_time_and_once(shop: Shop) -> None:
    order_id = await steps.shipped(shop)
    _shipped_ago(shop, FORTNIGHT - timedelta(minutes=1))
    early = await _complete(shop)
    _shipped_ago(shop, FORTNIGHT)

    seen = [await _complete(shop), await _complete(shop)]

    order, saga = await shop.order(order_id), await shop.saga(order_id)
    assert (early, seen) == (0, [1, 0])
    assert (order.status, order.closed_at is None) == (Status.COMPLETED, False)
    assert (saga.step, saga.shipped_at) == (Step.DONE, None)
    assert shop.timeline(order_id)[-1] == "order_completed"


async def test_a_completed_order_may_still_be_refunded(shop: Shop) -> None:
    order_id = await steps.shipped(shop)
    _shipped_ago(shop, FORTNIGHT)
    await _complete(shop)

    await steps.pay_back(shop, await steps.refund(shop, order_id))

    assert (await shop.order(order_id)).status is Status.REFUNDED


async def test_an_order_in_hand_is_completed_later(shop: Shop) -> None:
    busy, free = await _shipped_leaflets(shop, 2)
    _shipped_ago(shop, FORTNIGHT)

    async with transaction(shop.orders) as tx:
        await order_changes.lock(tx, [busy])
        seen_meanwhile = await _complete(shop)

    assert seen_meanwhile == 1
    assert (await shop.order(free)).status is Status.COMPLETED
    assert await _complete(shop) == 1


async def test_the_loop_completes_portion_after_portion_before_it_rests(shop: Shop) -> None:
    order_ids = await _shipped_leaflets(shop, 5)
    _shipped_ago(shop, FORTNIGHT)

    settings = CompletionsSettings(interval_ms=1, orders_max=2)
    await completions(shop.orders, settings).run(UntilItRests())

    statuses = {(await shop.order(order_id)).status for order_id in order_ids}
    assert statuses == {Status.COMPLETED}


async def test_late_captures_departures_and_refunds_are_found_by_their_rows(shop: Shop) -> None:
    order_id = await steps.confirmed(shop)

    _, shipment = await steps.ship(shop, order_id)
    flags = [await _flags_when_late(shop, order_id)]
    await steps.capture(shop, shipment)
    flags.append(await _flags_when_late(shop, order_id))
    await deliver(shop.inventory, ship_stock, *shop.messages(ShipStock))
    await deliver(shop.orders, record_stock_shipped, *shop.messages(StockShipped))
    flags.append(await _flags_when_late(shop, order_id))
    await steps.refund(shop, order_id, steps.by_amount(100))
    flags.append(await _flags_when_late(shop, order_id))

    late = ("step_late",)
    assert flags == [((), late), ((), late), ((), ()), ((), late)]


async def _flags_when_late(shop: Shop, order_id: UUID) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the flags before and after whatever the order waits for becomes late."""
    before = (await shop.order(order_id)).attention
    with psycopg.connect(shop.url) as connection:
        for statement in (
            "UPDATE orders.shipments SET late_at = now() WHERE late_at IS NOT NULL",
            "UPDATE orders.refunds SET late_at = now() WHERE late_at IS NOT NULL",
        ):
            connection.execute(statement.encode())
    async with transaction(shop.orders) as tx:
        await flag_late_steps(tx, orders_max=10)
    return before, (await shop.order(order_id)).attention
