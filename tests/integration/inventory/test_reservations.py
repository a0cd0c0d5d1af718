"""Reserving and releasing over PostgreSQL: exact under contention, once under repetition."""

import asyncio
from collections import Counter
from uuid import UUID

import pytest

from libs.contracts.inventory import (
    AvailabilityChanged,
    ReserveStock,
    StockItem,
    StockRejected,
    StockReleased,
    StockReserved,
)
from libs.domain.inventory.errors import ReleaseExceedsReservation
from libs.domain.inventory.use_cases.move_stock import release_stock
from libs.domain.inventory.use_cases.reserve_stock import reserve_stock
from libs.foundation.ids import new_id
from libs.testkit import build
from tests.integration.shop import Shop, deliver

ORDERS = 200
WAVES = 8


def _stock(shop: Shop) -> dict[str, tuple[int, int]]:
    return {
        sku: (on_hand, reserved)
        for sku, on_hand, reserved in shop.rows(
            "SELECT sku, on_hand, reserved FROM inventory.stock"
        )
    }


async def _reserved(shop: Shop, **quantities: int) -> ReserveStock:
    command = build.reserve_stock(**quantities)
    await deliver(shop.inventory, reserve_stock, command)
    return command


async def test_a_wave_promises_in_offset_order_until_the_last_piece(shop: Shop) -> None:
    await shop.stock("TEE", 60)
    await shop.stock("MUG", 40)
    commands = [build.reserve_stock(TEE=1, MUG=1) for _ in range(ORDERS)]

    await deliver(shop.inventory, reserve_stock, *commands)

    winners = [event.order_id for event in shop.messages(StockReserved)]
    assert winners == [command.order_id for command in commands[:40]]
    assert len(shop.messages(StockRejected)) == ORDERS - 40
    assert _stock(shop) == {"TEE": (60, 40), "MUG": (40, 40)}


async def test_waves_side_by_side_never_oversell_and_leave_nothing_over(shop: Shop) -> None:
    await shop.stock("TEE", 60)
    await shop.stock("MUG", 90)
    commands = [
        build.reserve_stock(TEE=1, MUG=1) if number % 2 else build.reserve_stock(MUG=1)
        for number in range(ORDERS)
    ]

    async with asyncio.TaskGroup() as tasks:
        for first in range(WAVES):
            tasks.create_task(deliver(shop.inventory, reserve_stock, *commands[first::WAVES]))

    answered = Counter(event.order_id for event in shop.messages(StockReserved))
    answered.update(event.order_id for event in shop.messages(StockRejected))
    assert set(answered.values()) == {1}
    assert len(answered) == ORDERS
    stock = _stock(shop)
    assert stock["MUG"] == (90, 90)
    assert stock["TEE"][1] <= 60


async def test_every_short_item_is_named_with_what_there_is(shop: Shop) -> None:
    await shop.stock("TEE", 1)

    command = await _reserved(shop, TEE=2, MUG=1)

    (rejected,) = shop.messages(StockRejected)
    assert rejected.order_id == command.order_id
    assert [(item.sku, item.requested, item.available) for item in rejected.short] == [
        ("MUG", 1, 0),
        ("TEE", 2, 1),
    ]
    assert _stock(shop) == {"TEE": (1, 0)}


@pytest.mark.parametrize("pieces", [2, 5])
async def test_a_repeated_command_gets_the_first_answer_again(shop: Shop, pieces: int) -> None:
    await shop.stock("TEE", 3)
    command = await _reserved(shop, TEE=pieces)
    await shop.stock("TEE", 10)

    await deliver(shop.inventory, reserve_stock, command)

    answers = [*shop.messages(StockReserved), *shop.messages(StockRejected)]
    assert len(answers) == 2
    assert answers[0] == answers[1]
    assert _stock(shop) == {"TEE": (13, 2 if pieces == 2 else 0)}


async def test_a_release_gives_back_all_and_a_repeat_says_the_same(shop: Shop) -> None:
    await shop.stock("TEE", 3)
    command = await _reserved(shop, TEE=2)
    release = build.release_stock(command.order_id)

    await deliver(shop.inventory, release_stock, release)
    await deliver(shop.inventory, release_stock, release)

    first, again = shop.messages(StockReleased)
    assert first == again
    assert first.items == (StockItem(sku="TEE", quantity=2),)
    assert _stock(shop) == {"TEE": (3, 0)}


async def test_a_release_that_comes_first_prevents_the_promise(shop: Shop) -> None:
    await shop.stock("TEE", 3)
    command = build.reserve_stock(TEE=1)

    await deliver(shop.inventory, release_stock, build.release_stock(command.order_id))
    await deliver(shop.inventory, reserve_stock, command)
    await deliver(shop.inventory, reserve_stock, command)

    assert [released.items for released in shop.messages(StockReleased)] == [()]
    assert [rejected.code for rejected in shop.messages(StockRejected)] == ["superseded"] * 2
    assert _stock(shop) == {"TEE": (3, 0)}


async def test_reserve_and_release_of_one_order_at_once_end_with_nothing_held(shop: Shop) -> None:
    await shop.stock("TEE", 100)
    commands = [build.reserve_stock(TEE=1) for _ in range(40)]
    releases = [build.release_stock(command.order_id) for command in reversed(commands)]

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(deliver(shop.inventory, reserve_stock, *commands))
        tasks.create_task(deliver(shop.inventory, release_stock, *releases))

    assert _stock(shop) == {"TEE": (100, 0)}
    assert len(shop.messages(StockReleased)) == 40


async def test_a_part_is_released_once_and_more_than_is_held_is_refused(shop: Shop) -> None:
    await shop.stock("TEE", 5)
    command = await _reserved(shop, TEE=3)
    two = (StockItem(sku="TEE", quantity=2),)

    await deliver(shop.inventory, release_stock, build.release_stock(command.order_id, items=two))
    with pytest.raises(ReleaseExceedsReservation):
        await deliver(
            shop.inventory, release_stock, build.release_stock(command.order_id, items=two)
        )

    assert _stock(shop) == {"TEE": (5, 1)}


async def test_selling_out_and_coming_back_are_announced(shop: Shop) -> None:
    await shop.stock("TEE", 2)
    first = await _reserved(shop, TEE=1)
    await _reserved(shop, TEE=1)

    await deliver(shop.inventory, release_stock, build.release_stock(first.order_id))

    levels = [(level.available, level.sold_out) for level in shop.messages(AvailabilityChanged)]
    assert levels == [(2, False), (0, True), (1, False)]


async def test_answers_of_one_order_carry_its_own_sequence(shop: Shop) -> None:
    await shop.stock("TEE", 2)
    command = await _reserved(shop, TEE=1)

    await deliver(shop.inventory, reserve_stock, command)
    await deliver(shop.inventory, release_stock, build.release_stock(command.order_id))

    assert _sequences(shop, command.order_id) == [1, 2, 3]
    assert _sequences(shop, new_id()) == []


def _sequences(shop: Shop, order_id: UUID) -> list[int]:
    rows = shop.rows(
        "SELECT sequence FROM messaging.outbox"
        " WHERE aggregatetype = 'reservation' AND aggregateid = %s ORDER BY seq",
        str(order_id),
    )
    return [sequence for (sequence,) in rows]
