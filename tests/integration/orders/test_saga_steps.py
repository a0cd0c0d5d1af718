"""The saga over PostgreSQL: every answer once, whatever comes twice, late or at the same moment."""

import asyncio
from uuid import UUID

import pytest

from libs.contracts.inventory import ReleaseStock, ReserveStock
from libs.contracts.orders import OrderConfirmed, PaymentReleased
from libs.contracts.payments import AuthorisePayment, ReducePayment
from libs.domain.inventory.use_cases.move_stock import release_stock
from libs.domain.inventory.use_cases.reserve_stock import reserve_stock
from libs.domain.orders.cancellation import CancellationReason
from libs.domain.orders.errors import ImpossibleAnswer, UnknownOrder
from libs.domain.orders.order import PaymentStatus, RejectionReason
from libs.domain.orders.saga import Step
from libs.domain.orders.status import IllegalTransition, Status
from libs.domain.orders.timeline import SYSTEM
from libs.domain.orders.use_cases.authorise_payments import authorise_payments
from libs.domain.orders.use_cases.cancel_order import cancel_order
from libs.domain.orders.use_cases.confirm_orders import confirm_orders
from libs.domain.orders.use_cases.finish_compensations import finish_reductions, finish_releases
from libs.domain.orders.use_cases.flag_unresolved_payments import flag_unresolved_payments
from libs.domain.orders.use_cases.reject_orders import reject_out_of_stock, reject_unpaid
from libs.foundation.database.transaction import transaction
from libs.foundation.ids import new_id
from libs.testkit import build
from tests.integration.shop import Shop, deliver

RACES = 30


async def _placed(shop: Shop) -> UUID:
    shop.sell("TEE")
    return await shop.place(TEE=2)


async def _paying(shop: Shop) -> UUID:
    order_id = await _placed(shop)
    await deliver(shop.orders, authorise_payments, build.stock_reserved(order_id))
    return order_id


async def _confirmed(shop: Shop) -> UUID:
    order_id = await _paying(shop)
    await deliver(shop.orders, confirm_orders, build.payment_authorised(order_id, 2_000))
    return order_id


async def _cancel(shop: Shop, order_id: UUID) -> None:
    async with transaction(shop.api) as tx:
        await cancel_order(tx, order_id, None, CancellationReason.OTHER, SYSTEM)


async def test_stock_then_money_confirms_the_order(shop: Shop) -> None:
    order_id = await _confirmed(shop)

    order, saga = await shop.order(order_id), await shop.saga(order_id)
    (authorise,) = shop.messages(AuthorisePayment, order_id)
    assert (authorise.amount, authorise.payment_source) == (build.euros(2_000), build.SOURCE)
    assert (order.status, order.version) == (Status.CONFIRMED, 2)
    assert (order.payment_status, order.authorised_minor) == (PaymentStatus.AUTHORISED, 2_000)
    assert order.confirmed_at is not None
    assert (saga.step, saga.deadline_at, saga.payment_source) == (Step.CONFIRMED, None, None)
    assert shop.timeline(order_id) == ["order_placed", "order_confirmed"]


async def test_a_free_order_is_confirmed_by_its_stock(shop: Shop) -> None:
    shop.sell("TEE", price_minor=0)
    order_id = await shop.place(TEE=2)

    await deliver(shop.orders, authorise_payments, build.stock_reserved(order_id))

    assert (await shop.order(order_id)).status is Status.CONFIRMED
    assert shop.messages(AuthorisePayment) == []


async def test_each_answer_takes_effect_once(shop: Shop) -> None:
    order_id = await _placed(shop)
    paid = build.payment_authorised(order_id, 2_000)

    for _ in range(2):
        await deliver(shop.orders, authorise_payments, build.stock_reserved(order_id))
    for _ in range(2):
        await deliver(shop.orders, confirm_orders, paid)

    assert len(shop.messages(AuthorisePayment)) == 1
    assert len(shop.messages(OrderConfirmed)) == 1
    assert (await shop.order(order_id)).version == 2


async def test_a_shortage_rejects_and_frees_the_reference(shop: Shop) -> None:
    order_id = await _placed(shop)

    await deliver(shop.orders, reject_out_of_stock, build.stock_rejected(order_id))

    order = await shop.order(order_id)
    assert order.status is Status.REJECTED
    assert order.rejection is not None
    assert order.rejection.reason is RejectionReason.OUT_OF_STOCK
    assert [item.sku for item in order.rejection.short] == ["TEE"]
    assert order.closed_at is not None
    (reduction,) = shop.messages(ReducePayment, order_id)
    assert reduction.payment_source == build.SOURCE
    assert len(shop.messages(ReleaseStock, order_id)) == 1


@pytest.mark.parametrize(
    ("decline_code", "reason"),
    [
        ("card_declined", RejectionReason.PAYMENT_DECLINED),
        ("timed_out", RejectionReason.TIMED_OUT),
    ],
)
async def test_a_decline_rejects_and_releases_the_stock(
    shop: Shop, decline_code: str, reason: RejectionReason
) -> None:
    order_id = await _paying(shop)

    await deliver(shop.orders, reject_unpaid, build.payment_declined(order_id, decline_code))

    order = await shop.order(order_id)
    assert order.rejection is not None
    assert (order.status, order.rejection.reason) == (Status.REJECTED, reason)
    assert len(shop.messages(ReleaseStock, order_id)) == 1
    assert [each.payment_source for each in shop.messages(ReducePayment, order_id)] == [None]


async def test_compensations_finish_the_saga_and_show_the_money(shop: Shop) -> None:
    order_id = await _confirmed(shop)
    await _cancel(shop, order_id)
    saga = await shop.saga(order_id)
    released = build.stock_released(order_id, saga.release_id)
    reduced = build.payment_reduced(order_id, saga.reduction_id, given_back_minor=2_000)

    for _ in range(2):
        await deliver(shop.orders, finish_reductions, reduced)
        await deliver(shop.orders, finish_releases, released)

    order, saga = await shop.order(order_id), await shop.saga(order_id)
    assert (saga.step, saga.deadline_at) == (Step.DONE, None)
    assert (order.status, order.version) == (Status.CANCELLED, 4)
    assert (order.payment_status, order.released_minor) == (PaymentStatus.VOIDED, 2_000)
    assert [event.released for event in shop.messages(PaymentReleased)] == [build.euros(2_000)]
    assert shop.timeline(order_id) == [
        "order_placed",
        "order_confirmed",
        "order_cancelled",
        "payment_released",
    ]


async def test_a_late_answer_never_moves_a_closed_order(shop: Shop) -> None:
    order_id = await _paying(shop)
    await _cancel(shop, order_id)

    await deliver(shop.orders, confirm_orders, build.payment_authorised(order_id, 2_000))
    await deliver(shop.orders, reject_unpaid, build.payment_declined(order_id))
    await deliver(shop.orders, reject_out_of_stock, build.stock_rejected(order_id, "superseded"))

    assert (await shop.order(order_id)).version == 2
    assert shop.timeline(order_id) == ["order_placed", "order_cancelled"]


async def test_an_answer_that_nothing_explains_is_refused_and_changes_nothing(shop: Shop) -> None:
    order_id = await _placed(shop)

    with pytest.raises(ImpossibleAnswer):
        await deliver(shop.orders, confirm_orders, build.payment_authorised(order_id, 2_000))
    with pytest.raises(UnknownOrder):
        await deliver(shop.orders, confirm_orders, build.payment_authorised(new_id(), 2_000))

    assert (await shop.order(order_id)).version == 1


async def test_an_unresolved_payment_is_flagged_until_it_is_known(shop: Shop) -> None:
    order_id = await _paying(shop)

    await deliver(shop.orders, flag_unresolved_payments, build.payment_unresolved(order_id))
    flagged = await shop.order(order_id)
    await deliver(shop.orders, confirm_orders, build.payment_authorised(order_id, 2_000))

    assert flagged.attention == ("payment_unresolved",)
    assert shop.timeline(order_id) == [
        "order_placed",
        "attention_raised",
        "order_confirmed",
        "attention_cleared",
    ]


async def test_cancelling_and_confirming_at_once_is_legal_in_any_order(shop: Shop) -> None:
    shop.sell("TEE")
    order_ids = [await shop.place(TEE=2) for _ in range(RACES)]
    await deliver(shop.orders, authorise_payments, *map(build.stock_reserved, order_ids))
    paid = [build.payment_authorised(order_id, 2_000) for order_id in order_ids]

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(deliver(shop.orders, confirm_orders, *paid))
        for order_id in reversed(order_ids):
            tasks.create_task(_cancel(shop, order_id))

    orders = [await shop.order(order_id) for order_id in order_ids]
    assert {order.status for order in orders} == {Status.CANCELLED}
    assert {order.version for order in orders} <= {2, 3}
    assert len(shop.messages(ReducePayment)) == len(shop.messages(ReleaseStock)) == RACES


async def test_waves_over_the_same_orders_queue_instead_of_deadlocking(shop: Shop) -> None:
    shop.sell("TEE")
    order_ids = [await shop.place(TEE=1) for _ in range(RACES)]
    reserved = [build.stock_reserved(order_id) for order_id in order_ids]

    async with asyncio.TaskGroup() as tasks:
        for wave in (reserved, reserved[::-1], reserved[5:] + reserved[:5]):
            tasks.create_task(deliver(shop.orders, authorise_payments, *wave))

    assert len(shop.messages(AuthorisePayment)) == RACES


async def test_an_order_is_cancelled_once(shop: Shop) -> None:
    order_id = await _confirmed(shop)
    await _cancel(shop, order_id)

    with pytest.raises(IllegalTransition):
        await _cancel(shop, order_id)

    lines = shop.rows("SELECT quantity, cancelled FROM orders.order_lines")
    assert lines == [(2, 2)]
    assert shop.rows("SELECT value_minor FROM orders.cancellations") == [(2_000,)]


async def test_cancelling_while_stock_is_asked_for_ends_with_nothing_held(shop: Shop) -> None:
    order_id = await _placed(shop)
    await shop.stock("TEE", 5)
    await _cancel(shop, order_id)

    await deliver(shop.inventory, release_stock, *shop.messages(ReleaseStock))
    await deliver(shop.inventory, reserve_stock, *shop.messages(ReserveStock))

    assert shop.rows("SELECT reserved FROM inventory.stock") == [(0,)]
