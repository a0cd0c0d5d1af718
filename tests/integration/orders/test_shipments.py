"""Shipping over PostgreSQL: the money first, once, whatever comes twice or at the same moment."""

import asyncio
from uuid import UUID

import psycopg
import pytest

from libs.contracts.inventory import ShipStock, StockShipped
from libs.contracts.payments import CapturePayment
from libs.domain.inventory.use_cases.move_stock import ship_stock
from libs.domain.orders.cancellation import CancellationReason
from libs.domain.orders.errors import (
    ImpossibleAnswer,
    QuantityUnavailable,
    ShipmentInProgress,
    UnknownOrder,
    VersionMismatch,
)
from libs.domain.orders.order import PaymentStatus
from libs.domain.orders.saga import Step
from libs.domain.orders.shipment import Shipment
from libs.domain.orders.status import IllegalTransition, Status
from libs.domain.orders.timeline import SYSTEM
from libs.domain.orders.use_cases.cancel_order import cancel_order
from libs.domain.orders.use_cases.confirm_orders import confirm_orders
from libs.domain.orders.use_cases.move_shipments import (
    fail_shipments,
    record_stock_shipped,
    release_shipments,
)
from libs.foundation.database.transaction import transaction
from libs.foundation.ids import new_id
from libs.testkit import build
from tests.integration.orders import fulfilment as steps
from tests.integration.shop import Shop, deliver

RACES = 20


async def _fail(shop: Shop, shipment: Shipment) -> None:
    answer = build.capture_failed(shipment.order_id, shipment.id, "card_expired")
    await deliver(shop.orders, fail_shipments, answer)


async def _cancel(shop: Shop, order_id: UUID) -> None:
    async with transaction(shop.api) as tx:
        await cancel_order(tx, order_id, None, CancellationReason.OTHER, SYSTEM)


async def test_what_is_open_leaves_once_its_money_is_taken(shop: Shop) -> None:
    order_id = await steps.confirmed(shop)

    requested, shipment = await steps.ship(shop, order_id, expected_version=2)
    for _ in range(2):
        await steps.capture(shop, shipment)

    order, saga = await shop.order(order_id), await shop.saga(order_id)
    (capture,) = shop.messages(CapturePayment, order_id)
    (leave,) = shop.messages(ShipStock, order_id)
    assert (capture.shipment_id, capture.amount) == (shipment.id, build.euros(3_000))
    assert [(item.sku, item.quantity) for item in leave.items] == [("TEE", 3)]
    assert (requested.status, requested.version) == (Status.CONFIRMED, 3)
    assert (order.status, order.version) == (Status.SHIPPED, 5)
    assert (order.payment_status, order.captured_minor) == (PaymentStatus.SETTLED, 3_000)
    assert (saga.step, saga.shipped_at is None) == (Step.SHIPPED, False)
    assert shop.timeline(order_id)[2:] == [
        "shipment_requested",
        "shipment_released",
        "order_shipped",
    ]


async def test_the_stock_follows_and_its_answer_ends_the_wait(shop: Shop) -> None:
    order_id = await steps.shipped(shop)

    for _ in range(2):
        await deliver(shop.inventory, ship_stock, *shop.messages(ShipStock, order_id))
    for answer in shop.messages(StockShipped, order_id):
        await deliver(shop.orders, record_stock_shipped, answer)

    assert shop.rows("SELECT on_hand, reserved FROM inventory.stock") == [(7, 0)]
    assert shop.rows("SELECT stock_done, late_at FROM orders.shipments") == [(True, None)]


async def test_what_costs_nothing_leaves_at_once(shop: Shop) -> None:
    shop.sell("LEAFLET", price_minor=0, stock_tracked=False)
    order_id = await shop.place(LEAFLET=2)

    order, shipment = await steps.ship(shop, order_id)

    assert (order.status, order.version, shipment.released) == (Status.SHIPPED, 5, True)
    assert shop.messages(CapturePayment) == shop.messages(ShipStock) == []


async def test_a_refused_capture_opens_the_units_again_until_a_later_one_succeeds(
    shop: Shop,
) -> None:
    order_id = await steps.confirmed(shop)
    _, first = await steps.ship(shop, order_id)

    for _ in range(2):
        await _fail(shop, first)
    failed = await shop.order(order_id)
    _, second = await steps.ship(shop, order_id)
    await steps.capture(shop, second)

    assert (failed.status, failed.attention) == (Status.CONFIRMED, ("capture_failed",))
    assert (await shop.order(order_id)).attention == ()
    assert shop.timeline(order_id)[2:] == [
        "shipment_requested",
        "shipment_failed",
        "attention_raised",
        "shipment_requested",
        "shipment_released",
        "order_shipped",
        "attention_cleared",
    ]
    assert len(shop.messages(CapturePayment, order_id)) == 2


async def test_one_shipment_waits_at_a_time_and_units_in_it_are_not_cancelled(shop: Shop) -> None:
    order_id = await steps.confirmed(shop)
    await steps.ship(shop, order_id)

    with pytest.raises(ShipmentInProgress):
        await steps.ship(shop, order_id)
    with pytest.raises(QuantityUnavailable):
        await _cancel(shop, order_id)

    assert (await shop.order(order_id)).version == 3


async def test_the_database_holds_one_waiting_shipment_too(shop: Shop) -> None:
    order_id = await steps.confirmed(shop)
    await steps.ship(shop, order_id)

    with (
        psycopg.connect(shop.url) as connection,
        pytest.raises(psycopg.errors.UniqueViolation),
    ):
        connection.execute(
            "INSERT INTO orders.shipments (id, order_id, state, lines, shipping_value_minor,"
            " amount_minor, requested_at) VALUES (%s, %s, 'awaiting_capture', '[]', 0, 1, now())",
            (new_id(), order_id),
        )


async def test_only_what_is_confirmed_and_known_in_its_version_ships(shop: Shop) -> None:
    shop.sell("MUG")
    pending = await shop.place(MUG=1)

    with pytest.raises(IllegalTransition):
        await steps.ship(shop, pending)
    with pytest.raises(VersionMismatch):
        await steps.ship(shop, pending, expected_version=2)
    with pytest.raises(UnknownOrder):
        await steps.ship(shop, new_id())


async def test_an_answer_about_another_shipment_is_refused_and_changes_nothing(shop: Shop) -> None:
    order_id = await steps.confirmed(shop)
    await steps.ship(shop, order_id)

    with pytest.raises(ImpossibleAnswer):
        await deliver(
            shop.orders, release_shipments, build.payment_captured(order_id, new_id(), 3_000)
        )

    assert (await shop.order(order_id)).version == 3


async def test_cancelling_and_shipping_at_once_ends_in_exactly_one_of_them(shop: Shop) -> None:
    shop.sell("LEAFLET", stock_tracked=False)
    order_ids = [await shop.place(LEAFLET=1) for _ in range(RACES)]
    paid = [build.payment_authorised(order_id, 1_000) for order_id in order_ids]
    await deliver(shop.orders, confirm_orders, *paid)

    async def attempt(order_id: UUID, *, cancelling: bool) -> str:
        try:
            await (_cancel(shop, order_id) if cancelling else steps.ship(shop, order_id))
        except (QuantityUnavailable, IllegalTransition):
            return "refused"
        return "cancelled" if cancelling else "shipping"

    for number, order_id in enumerate(order_ids):
        outcomes = await asyncio.gather(
            attempt(order_id, cancelling=number % 2 == 0),
            attempt(order_id, cancelling=number % 2 == 1),
        )
        order = await shop.order(order_id)
        won = "cancelled" if order.status is Status.CANCELLED else "shipping"
        assert sorted(outcomes) == sorted(["refused", won])
        assert order.version == 3


async def test_two_warehouses_at_once_make_one_shipment(shop: Shop) -> None:
    order_id = await steps.confirmed(shop)

    outcomes = await asyncio.gather(
        *[steps.ship(shop, order_id) for _ in range(5)], return_exceptions=True
    )

    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1
    refusals = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert {type(refusal) for refusal in refusals} == {ShipmentInProgress}
    assert len(shop.messages(CapturePayment, order_id)) == 1
