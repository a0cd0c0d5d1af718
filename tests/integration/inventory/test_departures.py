"""Stock that leaves and comes back over PostgreSQL: once, whatever comes twice or first."""

import asyncio
from uuid import UUID

import pytest

from libs.contracts.inventory import (
    AvailabilityChanged,
    StockReserved,
    StockReturned,
    StockShipped,
)
from libs.domain.inventory.errors import ReturnExceedsReservation, ShipmentExceedsReservation
from libs.domain.inventory.use_cases.move_stock import return_stock, ship_stock
from libs.domain.inventory.use_cases.reserve_stock import reserve_stock
from libs.testkit import build
from tests.integration.shop import Shop, deliver

BUYERS = 200
WAVES = 8


async def _reserved(shop: Shop, **quantities: int) -> UUID:
    command = build.reserve_stock(**quantities)
    await deliver(shop.inventory, reserve_stock, command)
    return command.order_id


def _levels(shop: Shop) -> list[tuple[str, int, int]]:
    return [tuple(row) for row in shop.rows("SELECT sku, on_hand, reserved FROM inventory.stock")]


def _state(shop: Shop) -> list[tuple[str, int, int, int]]:
    return [
        tuple(row)
        for row in shop.rows(
            "SELECT r.state, i.shipped, i.released, i.returned FROM inventory.reservations AS r"
            " JOIN inventory.reservation_items AS i USING (order_id)"
        )
    ]


async def test_what_leaves_is_taken_from_the_house_and_the_promise_once(shop: Shop) -> None:
    await shop.stock("TEE", 5)
    order_id = await _reserved(shop, TEE=3)
    command = build.ship_stock(order_id, TEE=3)

    for _ in range(2):
        await deliver(shop.inventory, ship_stock, command)

    first, again = shop.messages(StockShipped, order_id)
    assert first == again
    assert (first.shipment_id, first.items) == (command.shipment_id, command.items)
    assert _levels(shop) == [("TEE", 2, 0)]
    assert _state(shop) == [("closed", 3, 0, 0)]


async def test_what_comes_back_may_be_sold_again_and_is_counted_once(shop: Shop) -> None:
    await shop.stock("TEE", 3)
    order_id = await _reserved(shop, TEE=3)
    await deliver(shop.inventory, ship_stock, build.ship_stock(order_id, TEE=3))
    command = build.return_stock(order_id, TEE=2)

    for _ in range(2):
        await deliver(shop.inventory, return_stock, command)

    first, again = shop.messages(StockReturned, order_id)
    assert first == again
    assert (first.refund_id, first.items) == (command.refund_id, command.items)
    assert _levels(shop) == [("TEE", 2, 0)]
    assert _state(shop) == [("closed", 3, 0, 2)]
    crossings = [(level.available, level.sold_out) for level in shop.messages(AvailabilityChanged)]
    assert crossings == [(3, False), (0, True), (2, False)]


async def test_a_return_that_overtakes_its_shipment_leaves_the_same_stock(shop: Shop) -> None:
    await shop.stock("TEE", 3)
    order_id = await _reserved(shop, TEE=3)

    await deliver(shop.inventory, return_stock, build.return_stock(order_id, TEE=3))
    await deliver(shop.inventory, ship_stock, build.ship_stock(order_id, TEE=3))

    assert _levels(shop) == [("TEE", 3, 0)]
    assert _state(shop) == [("closed", 3, 0, 3)]


async def test_more_than_is_promised_or_gone_is_refused_and_moves_nothing(shop: Shop) -> None:
    await shop.stock("TEE", 5)
    order_id = await _reserved(shop, TEE=3)

    with pytest.raises(ShipmentExceedsReservation):
        await deliver(shop.inventory, ship_stock, build.ship_stock(order_id, TEE=4))
    with pytest.raises(ReturnExceedsReservation):
        await deliver(shop.inventory, return_stock, build.return_stock(order_id, TEE=4))

    assert _levels(shop) == [("TEE", 5, 3)]


async def test_departures_and_returns_of_one_order_at_once_come_one_after_the_other(
    shop: Shop,
) -> None:
    await shop.stock("TEE", 60)
    order_ids = [await _reserved(shop, TEE=2) for _ in range(20)]
    leaving = [build.ship_stock(order_id, TEE=2) for order_id in order_ids]
    returning = [build.return_stock(order_id, TEE=1) for order_id in reversed(order_ids)]

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(deliver(shop.inventory, ship_stock, *leaving))
        tasks.create_task(deliver(shop.inventory, return_stock, *returning))

    assert _levels(shop) == [("TEE", 40, 0)]


async def test_of_200_buyers_of_the_last_unit_exactly_one_gets_it(shop: Shop) -> None:
    await shop.stock("TEE", 1)
    commands = [build.reserve_stock(TEE=1) for _ in range(BUYERS)]

    async with asyncio.TaskGroup() as tasks:
        for first in range(WAVES):
            tasks.create_task(deliver(shop.inventory, reserve_stock, *commands[first::WAVES]))

    (winner,) = shop.messages(StockReserved)
    rejected = shop.rows("SELECT count(*) FROM inventory.reservations WHERE state = 'rejected'")
    assert winner.order_id in {command.order_id for command in commands}
    assert rejected == [(BUYERS - 1,)]
    assert _levels(shop) == [("TEE", 1, 1)]
