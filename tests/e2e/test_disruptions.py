"""Orders that are on their way while a part of the stack dies, hangs or is away."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

import psycopg
import pytest

from libs.testkit.eventually import eventually
from tests.e2e.books import balanced
from tests.e2e.provider import Provider
from tests.e2e.shop import Order, Shop, new_key, types_of
from tests.e2e.stack import RunningStack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# Longer than a session of a consumer group: the broker takes its members for dead.
_HANGS_S: Final = 7.0
_HANG_AFTER_CHARGING: Final = {"kind": "hang_after", "operation": "authorise", "count": 1}
_FEWEST_ATTEMPTS: Final = """
    SELECT coalesce(min(o.attempts), 0) FROM unnest(%s::uuid[]) AS wanted (order_id)
    LEFT JOIN payments.operations AS o USING (order_id)
    HAVING bool_and(o.order_id IS NOT NULL)"""
_OLDEST_UNPUBLISHED_S: Final = """
    SELECT extract(epoch FROM clock_timestamp() - min(o.written_at))::float8
    FROM messaging.outbox AS o, (
        SELECT prev FROM messaging.outbox_cursor ORDER BY epoch DESC, n DESC LIMIT 1) AS c
    WHERE NOT pg_visible_in_snapshot(o.tid, c.prev)"""


async def test_orders_settle_when_relay_and_workers_are_killed_under_them(
    shop: Shop, own_stack: RunningStack
) -> None:
    sku = await shop.sell(pieces=60)
    placing = [asyncio.create_task(shop.place(sku)) for _ in range(80)]
    await asyncio.wait(placing, return_when=asyncio.FIRST_COMPLETED)

    own_stack.kill(await own_stack.active_relay())
    for worker in ("worker-orders", "worker-inventory", "worker-payments"):
        own_stack.kill(worker)
    await asyncio.gather(*placing)

    statuses = Counter(order.status for order in await shop.settled())
    assert statuses == {"confirmed": 60, "rejected": 20}
    assert await balanced(own_stack) == []
    await own_stack.repaired()


async def test_orders_are_accepted_while_kafka_hangs_and_settle_when_it_is_back(
    shop: Shop, own_stack: RunningStack
) -> None:
    sku = await shop.sell(pieces=30)

    with own_stack.frozen("kafka"):
        answers = [await shop.send(sku) for _ in range(30)]
        await eventually(
            lambda: oldest_unpublished_s(own_stack), lambda waited_s: waited_s > _HANGS_S
        )
        meanwhile = {order.status for order in await shop.orders()}

    assert {answer.status_code for answer in answers} == {201}
    assert meanwhile == {"pending"}
    assert [order.status for order in await shop.settled()] == ["confirmed"] * 30
    assert await balanced(own_stack) == []


async def test_without_its_database_the_api_answers_503_and_later_takes_the_same_request(
    shop: Shop, own_stack: RunningStack
) -> None:
    sku, key = await shop.sell(pieces=20), new_key()
    underway = await asyncio.gather(*[shop.place(sku) for _ in range(15)])

    async with own_stack.outage("postgres"):
        refused = await shop.send(sku, key=key)
        unread = await shop.client.get(f"/v1/orders/{underway[0].id}")
    accepted = await eventually(
        lambda: shop.send(sku, key=key), lambda answer: answer.status_code == 201, within_s=60.0
    )

    assert (refused.status_code, unread.status_code) == (503, 503)
    assert int(refused.headers["retry-after"]) >= 1
    assert (await shop.send(sku, key=key)).content == accepted.content
    assert [order.status for order in await shop.settled()] == ["confirmed"] * 16
    assert await balanced(own_stack) == []
    await own_stack.repaired()


async def test_orders_wait_for_a_provider_that_is_away_and_none_is_rejected(
    shop: Shop, own_stack: RunningStack
) -> None:
    sku = await shop.sell(pieces=5)

    async with own_stack.outage("payment-simulator"):
        placed = [await shop.place(sku) for _ in range(5)]
        await eventually(lambda: fewest_attempts(own_stack, placed), lambda attempts: attempts >= 2)
        meanwhile = {order.status for order in await shop.orders()}

    assert meanwhile == {"pending"}
    assert [order.status for order in await shop.settled()] == ["confirmed"] * 5
    assert await balanced(own_stack) == []
    await own_stack.repaired()


async def test_a_provider_that_charges_and_then_hangs_has_charged_once(
    shop: Shop, own_stack: RunningStack, provider: Provider
) -> None:
    await provider.break_with(_HANG_AFTER_CHARGING)

    order = await shop.final(await shop.place(await shop.sell()))

    assert order.status == "confirmed"
    assert await provider.hits() == 1
    assert fewest_attempts(own_stack, [order]) >= 2
    assert [entry.live for entry in await provider.authorisations(order.id)] == [True]


async def test_a_cancelled_order_gives_back_money_of_which_nobody_knew_yet(
    shop: Shop, own_stack: RunningStack, provider: Provider
) -> None:
    await provider.break_with(_HANG_AFTER_CHARGING)
    sku = await shop.sell(pieces=3)
    order = await shop.place(sku, quantity=3)
    await eventually(provider.hits, lambda hits: hits == 1)

    answer = await shop.cancel(order)

    assert answer.status_code == 200, answer.text
    assert types_of(await shop.told(order.id, "orders.payment_released.v1")) == [
        "orders.order_placed.v1",
        "orders.order_cancelled.v1",
        "orders.payment_released.v1",
    ]
    await shop.available(sku, 3)
    assert [entry.live for entry in await provider.authorisations(order.id)] == [False]


def fewest_attempts(stack: RunningStack, orders: Sequence[Order]) -> int:
    """Return how often the least tried of the orders' payments was tried."""
    with psycopg.connect(stack.database_url) as connection:
        row = connection.execute(_FEWEST_ATTEMPTS, [[order.id for order in orders]]).fetchone()
    return 0 if row is None else row[0]


def oldest_unpublished_s(stack: RunningStack) -> float:
    """Return how long the oldest message has been waiting for its relay."""
    with psycopg.connect(stack.database_url) as connection:
        row = connection.execute(_OLDEST_UNPUBLISHED_S).fetchone()
    return 0.0 if row is None or row[0] is None else row[0]
