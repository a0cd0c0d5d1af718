"""Orders from the request to their end, through every process of a running stack."""

import asyncio
from collections import Counter

import msgspec
import pytest

from tests.e2e.books import balanced
from tests.e2e.provider import Provider
from tests.e2e.shop import Order, Page, Shop, new_key, open_client, order_of, types_of
from tests.e2e.stack import RunningStack

# Waiting for a test that has the stack for itself counts as time of the test that waits.
pytestmark = pytest.mark.timeout(300)

PART = {"reason": "goodwill", "adjustment": {"amount": 100, "currency": "EUR"}}
ALL = {"reason": "return", "restock": True}


async def test_an_order_is_confirmed_with_stock_reserved_and_money_held(
    shop: Shop, provider: Provider
) -> None:
    sku = await shop.sell(price=1_500, pieces=5)

    order = await shop.final(await shop.place(sku, quantity=2))

    assert (order.status, order.payment.status) == ("confirmed", "authorised")
    assert order.payment.authorised == {"amount": 3_000, "currency": "EUR"}
    stock = await shop.stock(sku)
    assert (stock.on_hand, stock.reserved, stock.available) == (5, 2, 3)
    assert [(e.amount, e.live) for e in await provider.authorisations(order.id)] == [(3_000, True)]


async def test_the_version_is_the_etag_and_the_length_of_the_timeline(shop: Shop) -> None:
    order = await shop.final(await shop.place(await shop.sell()))

    read = await shop.get(f"/v1/orders/{order.id}")
    events = await shop.timeline(order.id)

    assert read.headers["etag"] == f'"v{order.version}"'
    assert [event.sequence for event in events] == list(range(1, order.version + 1))
    assert types_of(events) == ["orders.order_placed.v1", "orders.order_confirmed.v1"]


async def test_an_order_that_cannot_be_had_is_rejected_and_says_what_is_short(
    shop: Shop, provider: Provider
) -> None:
    sku = await shop.sell(pieces=3)

    order = await shop.final(await shop.place(sku, quantity=4))

    assert order.status == "rejected"
    assert order.rejection is not None
    assert order.rejection.reason == "out_of_stock"
    assert [item["sku"] for item in order.rejection.short or ()] == [sku]
    assert (await shop.stock(sku)).available == 3
    assert await provider.authorisations(order.id) == []


async def test_a_declined_order_gives_its_stock_back(shop: Shop, provider: Provider) -> None:
    sku = await shop.sell(pieces=3)

    placed = await shop.place(sku, quantity=3, token="tok_decline_insufficient_funds")
    order = await shop.final(placed)

    assert order.status == "rejected"
    assert order.rejection is not None
    assert order.rejection.reason == "payment_declined"
    assert order.rejection.decline_code == "insufficient_funds"
    await shop.available(sku, 3)
    assert [entry.live for entry in await provider.authorisations(order.id)] == [False]


async def test_an_order_of_no_value_needs_no_payment(shop: Shop, provider: Provider) -> None:
    sku = await shop.sell(price=0, pieces=1)

    order = await shop.final(await shop.place(sku))

    assert (order.status, order.payment.status) == ("confirmed", "none")
    assert (await shop.stock(sku)).reserved == 1
    assert await provider.authorisations(order.id) == []


async def test_a_confirmed_order_that_is_cancelled_gives_stock_and_money_back(
    shop: Shop, provider: Provider
) -> None:
    sku = await shop.sell(pieces=2)
    order = await shop.final(await shop.place(sku, quantity=2))

    answer = await shop.cancel(order)

    assert answer.status_code == 200, answer.text
    cancelled = msgspec.json.decode(answer.content, type=Order)
    assert (cancelled.status, cancelled.version) == ("cancelled", 3)
    events = await shop.told(order.id, "orders.payment_released.v1")
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    await shop.available(sku, 2)
    assert [entry.live for entry in await provider.authorisations(order.id)] == [False]


async def test_fifty_requests_under_one_key_make_one_order(shop: Shop) -> None:
    sku, key = await shop.sell(), new_key()

    answers = await asyncio.gather(*[shop.send(sku, key=key) for _ in range(50)])

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert [order.status for order in await shop.settled()] == ["confirmed"]
    assert (await shop.stock(sku)).reserved == 1


@pytest.mark.slow
async def test_of_200_buyers_of_the_last_unit_exactly_one_gets_it(shop: Shop) -> None:
    sku = await shop.sell(pieces=1)

    await asyncio.gather(*[shop.place(sku) for _ in range(200)])

    statuses = Counter(order.status for order in await shop.settled())
    assert statuses == {"confirmed": 1, "rejected": 199}
    stock = await shop.stock(sku)
    assert (stock.on_hand, stock.reserved) == (1, 1)


async def test_customers_see_their_own_orders_only(shop: Shop, stack: RunningStack) -> None:
    sku = await shop.sell()
    foreign = await shop.place(sku)

    async with open_client(stack, stack.customer_token) as client:
        customer = Shop(client)
        placed = await customer.post("/v1/orders", order_of(sku))
        assert placed.status_code == 201, placed.text
        own = msgspec.json.decode(placed.content, type=Order)
        refused = [
            await client.get(f"/v1/orders/{foreign.id}"),
            await client.get(f"/v1/orders/{foreign.id}/timeline"),
            await customer.cancel(foreign),
        ]
        listed = msgspec.json.decode((await customer.get("/v1/orders")).content, type=Page)

    assert [answer.status_code for answer in refused] == [404, 404, 404]
    assert own.id in {order.id for order in listed.items}
    assert {order.customer_id for order in listed.items} == {"customer-1"}
    assert (await shop.read(foreign.id)).customer_id == shop.customer


@pytest.mark.slow
async def test_the_books_balance_after_orders_of_every_kind(
    shop: Shop, own_stack: RunningStack
) -> None:
    skus = [await shop.sell(price=price, pieces=30) for price in (0, 999, 2_000)]
    tokens = ("tok_good", "tok_good", "tok_decline_card_declined")

    await asyncio.gather(
        *[
            shop.place(skus[number % 3], quantity=1 + number % 4, token=tokens[number // 3 % 3])
            for number in range(90)
        ]
    )
    confirmed = [order for order in await shop.settled() if order.status == "confirmed"]
    for order in confirmed[::3]:
        await shop.cancel(order)
    shipped = await asyncio.gather(*[shop.ship(order) for order in confirmed[1::3]])
    paid = [order for order in shipped if order.payment.captured["amount"] > 0]
    refunded = [
        await shop.refund(order, ALL if number % 2 else PART) for number, order in enumerate(paid)
    ]

    assert await balanced(own_stack) == []
    assert {answer.status_code for answer in refunded} == {201}
    assert {order.status for order in await shop.orders()} == {
        "confirmed",
        "rejected",
        "cancelled",
        "shipped",
        "refunded",
    }
