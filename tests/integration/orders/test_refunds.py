"""Refunds over PostgreSQL: counted once they are accepted, paid back once, decided by people."""

import asyncio

import pytest

from libs.contracts.inventory import ReturnStock, ShipStock, StockReturned
from libs.contracts.orders import OrderRefundSucceeded
from libs.contracts.payments import RefundPayment
from libs.domain.inventory.use_cases.move_stock import return_stock, ship_stock
from libs.domain.orders.errors import (
    IllegalRefundStep,
    RefundExceedsRefundable,
    UnknownPart,
)
from libs.domain.orders.saga import Step
from libs.domain.orders.status import IllegalTransition, Status
from libs.domain.orders.use_cases.clear_attention import clear_attention
from libs.domain.orders.use_cases.move_refunds import record_stock_returned
from libs.domain.orders.use_cases.resolve_refund import retry_refund, settle_refund_manually
from libs.foundation.database.transaction import transaction
from libs.foundation.ids import new_id
from tests.integration.orders import fulfilment as steps
from tests.integration.shop import Shop, deliver


async def test_a_whole_refund_gives_money_and_stock_back(shop: Shop) -> None:
    order_id = await steps.shipped(shop)
    await deliver(shop.inventory, ship_stock, *shop.messages(ShipStock))

    refund = await steps.refund(shop, order_id)
    for _ in range(2):
        await steps.pay_back(shop, refund)
        await deliver(shop.inventory, return_stock, *shop.messages(ReturnStock))
    for answer in shop.messages(StockReturned, order_id):
        await deliver(shop.orders, record_stock_returned, answer)

    order, saga = await shop.order(order_id), await shop.saga(order_id)
    assert (order.status, order.refunded_minor) == (Status.REFUNDED, 3_000)
    assert (saga.step, saga.shipped_at) == (Step.DONE, None)
    assert shop.timeline(order_id)[5:] == [
        "refund_requested",
        "refund_succeeded",
        "order_refunded",
    ]
    assert shop.rows("SELECT on_hand, reserved FROM inventory.stock") == [(10, 0)]
    assert shop.rows("SELECT refunded, restocked FROM orders.order_lines") == [(3, 3)]
    assert shop.rows("SELECT stock_done, late_at FROM orders.refunds") == [(True, None)]


async def test_amounts_alone_add_up_to_what_is_due_and_no_further(shop: Shop) -> None:
    order_id = await steps.shipped(shop)
    first = await steps.refund(shop, order_id, steps.by_amount(1_000))
    second = await steps.refund(shop, order_id, steps.by_amount(2_000))

    with pytest.raises(RefundExceedsRefundable):
        await steps.refund(shop, order_id, steps.by_amount(1))
    await steps.pay_back(shop, second)
    part_of_it = await shop.order(order_id)
    await steps.pay_back(shop, first)

    assert part_of_it.status is Status.SHIPPED
    assert (await shop.order(order_id)).status is Status.REFUNDED


async def test_refunds_at_once_never_exceed_what_is_due(shop: Shop) -> None:
    order_id = await steps.shipped(shop)

    outcomes = await asyncio.gather(
        *[steps.refund(shop, order_id, steps.by_amount(1_000)) for _ in range(5)],
        return_exceptions=True,
    )

    refused = [each for each in outcomes if isinstance(each, BaseException)]
    assert [type(each) for each in refused] == [RefundExceedsRefundable] * 2
    assert len(shop.messages(RefundPayment, order_id)) == 3


async def test_a_refusal_is_tried_again_as_another_attempt(shop: Shop) -> None:
    order_id = await steps.shipped(shop)
    refund = await steps.refund(shop, order_id)
    await steps.refuse(shop, refund)
    failed = await shop.order(order_id)

    async with transaction(shop.api) as tx:
        _, again = await retry_refund(tx, order_id, refund.id, failed.version, steps.STAFF)
    await steps.refuse(shop, refund, attempt=1)
    await steps.pay_back(shop, refund, attempt=2)

    assert failed.attention == ("refund_failed",)
    assert (again.attempt, again.pending) == (2, True)
    assert [each.attempt for each in shop.messages(RefundPayment, order_id)] == [1, 2]
    assert (await shop.order(order_id)).status is Status.REFUNDED


async def test_a_refusal_is_settled_by_a_person_and_its_note_is_kept_apart(shop: Shop) -> None:
    order_id = await steps.shipped(shop)
    refund = await steps.refund(shop, order_id, note="canary complains")
    await steps.refuse(shop, refund)

    async with transaction(shop.api) as tx:
        order, settled = await settle_refund_manually(
            tx, order_id, refund.id, None, "canary got cash", steps.STAFF
        )

    assert (order.status, order.attention) == (Status.REFUNDED, ())
    assert [event.settled_manually for event in shop.messages(OrderRefundSucceeded)] == [True]
    assert settled.given_back
    notes = shop.rows("SELECT note, settlement_note FROM orders.refunds")
    assert notes == [("canary complains", "canary got cash")]
    written = shop.rows(
        "SELECT convert_from(payload, 'UTF8') FROM messaging.outbox"
        " UNION ALL SELECT convert_from(data, 'UTF8') FROM orders.timeline"
    )
    assert not [text for (text,) in written if "canary" in text]


async def test_only_a_refund_that_failed_is_decided_about(shop: Shop) -> None:
    order_id = await steps.shipped(shop)
    refund = await steps.refund(shop, order_id)

    async with transaction(shop.api) as tx:
        with pytest.raises(IllegalRefundStep):
            await retry_refund(tx, order_id, refund.id, None, steps.STAFF)
        with pytest.raises(IllegalRefundStep):
            await settle_refund_manually(tx, order_id, refund.id, None, "cash", steps.STAFF)
        with pytest.raises(UnknownPart):
            await retry_refund(tx, order_id, new_id(), None, steps.STAFF)


async def test_only_what_has_left_is_refunded(shop: Shop) -> None:
    order_id = await steps.confirmed(shop)

    with pytest.raises(IllegalTransition):
        await steps.refund(shop, order_id)


async def test_a_person_takes_a_flag_away_and_nothing_else(shop: Shop) -> None:
    order_id = await steps.shipped(shop)
    refund = await steps.refund(shop, order_id)
    await steps.refuse(shop, refund)

    async with transaction(shop.api) as tx:
        order = await clear_attention(tx, order_id, "refund_failed", None, steps.STAFF)
        with pytest.raises(UnknownPart):
            await clear_attention(tx, order_id, "refund_failed", None, steps.STAFF)

    assert (order.attention, order.status) == ((), Status.SHIPPED)
    assert shop.timeline(order_id)[-1] == "attention_cleared"
    actors = shop.rows(
        "SELECT actor_kind, actor_id FROM orders.timeline ORDER BY sequence DESC LIMIT 1"
    )
    assert actors == [("staff", "s_1")]
