"""Adjusting stock: by differences, in a ledger, never below what is promised."""

import asyncio

import pytest

from libs.contracts.inventory import AvailabilityChanged, StockAdjusted
from libs.domain.inventory.errors import StockIsReserved, StockLimitExceeded
from libs.domain.inventory.sql import movements, stock
from libs.domain.inventory.stock import ON_HAND_MAX, MovementKind
from libs.domain.inventory.use_cases.adjust_stock import (
    Adjustment,
    AdjustmentReason,
    adjust_stock,
)
from libs.domain.inventory.use_cases.reserve_stock import reserve_stock
from libs.foundation.database.transaction import transaction
from libs.testkit import build
from tests.integration.shop import Shop, deliver


async def _adjust(shop: Shop, delta: int) -> Adjustment:
    async with transaction(shop.api) as tx:
        return await adjust_stock(tx, "TEE", delta, AdjustmentReason.CORRECTION, "counted")


async def test_an_adjustment_moves_the_stock_and_says_so(shop: Shop) -> None:
    await _adjust(shop, 5)

    after = await _adjust(shop, -2)

    assert (after.delta, after.on_hand, after.reserved, after.available) == (-2, 3, 0, 3)
    assert [event.on_hand for event in shop.messages(StockAdjusted)] == [5, 3]
    assert [event.sold_out for event in shop.messages(AvailabilityChanged)] == [False]


async def test_a_sku_that_was_never_adjusted_reads_as_zeros(shop: Shop) -> None:
    async with transaction(shop.api) as tx:
        level = await stock.read(tx, "NOTHING")

    assert (level.on_hand, level.reserved, level.available) == (0, 0, 0)


async def test_promised_pieces_cannot_be_taken_away(shop: Shop) -> None:
    await _adjust(shop, 5)
    command = build.reserve_stock(TEE=4)
    await deliver(shop.inventory, reserve_stock, command)

    with pytest.raises(StockIsReserved) as refusal:
        await _adjust(shop, -2)

    assert refusal.value.extensions() == {"order_ids": [str(command.order_id)]}
    assert (await _adjust(shop, -1)).available == 0


async def test_more_than_there_can_be_is_refused(shop: Shop) -> None:
    await _adjust(shop, ON_HAND_MAX)

    with pytest.raises(StockLimitExceeded):
        await _adjust(shop, 1)


async def test_adjustments_side_by_side_all_count(shop: Shop) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(20):
            tasks.create_task(_adjust(shop, 3))

    async with transaction(shop.api) as tx:
        assert (await stock.read(tx, "TEE")).on_hand == 60


async def test_movements_are_read_from_the_latest_page_by_page(shop: Shop) -> None:
    for delta in (1, 2, 3):
        await _adjust(shop, delta)

    async with transaction(shop.api) as tx:
        latest = await movements.page(tx, "TEE", movements.LATEST, 2)
        rest = await movements.page(tx, "TEE", latest[-1].id, 2)

    assert [move.on_hand_delta for move in [*latest, *rest]] == [3, 2, 1]
    assert {(move.kind, move.note) for move in rest} == {(MovementKind.ADJUST, "counted")}
