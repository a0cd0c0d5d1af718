"""What operators ask of the worker of orders: done by it, with its rights, behind every guard."""

from uuid import UUID

import psycopg
import pytest

from libs.contracts.inventory import ReserveStock
from libs.domain.inventory.use_cases.reserve_stock import reserve_stock
from libs.domain.orders.consumers import CONSUMER
from libs.domain.orders.operator_verbs import CANCEL, REJECT, RESEND_STEP
from libs.domain.orders.status import Status
from libs.domain.orders.use_cases.authorise_payments import authorise_payments
from libs.domain.orders.use_cases.confirm_orders import confirm_orders
from libs.foundation.ids import new_id
from libs.foundation.messaging.consumer.requests import RequestRunner
from libs.foundation.messaging.consumer.settings import ConsumerSettings
from libs.foundation.messaging.parking import ParkingBudget
from libs.testkit import build
from tests.integration.shop import Shop, deliver


async def ask(shop: Shop, verb: str, key: object, *, version: int | None = None) -> str:
    """Write a request as the operators' command does, have it served, and return its outcome."""
    request_id = new_id()
    with psycopg.connect(shop.url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO messaging.operator_requests"
            " (id, owner, verb, key, requested_by, reason, expected_version)"
            " VALUES (%s, %s, %s, %s, 'ada', 'ticket 7', %s)",
            (request_id, CONSUMER.name, verb, str(key), version),
        )
    await RequestRunner(CONSUMER, shop.orders, ConsumerSettings(), ParkingBudget(20)).look()
    ((outcome,),) = shop.rows(
        "SELECT outcome FROM messaging.operator_requests WHERE id = %s", request_id
    )
    return str(outcome)


async def placed(shop: Shop) -> UUID:
    shop.sell("TEE")
    await shop.stock("TEE", 5)
    return await shop.place(TEE=2)


async def test_a_reservation_that_was_lost_is_made_once_however_often_it_is_asked_for(
    shop: Shop,
) -> None:
    order_id = await placed(shop)

    outcomes = [await ask(shop, RESEND_STEP, order_id) for _ in range(2)]
    commands = shop.messages(ReserveStock, order_id)
    for command in commands:
        await deliver(shop.inventory, reserve_stock, command)

    assert outcomes == ["finished: sent again: inventory.reserve_stock.v1"] * 2
    assert len(commands) == 3
    assert shop.rows("SELECT reserved FROM inventory.stock") == [(2,)]
    order = await shop.order(order_id)
    assert (order.status, order.version) == (Status.PENDING, 1)


async def test_an_authorisation_is_not_orders_to_send_again(shop: Shop) -> None:
    order_id = await placed(shop)
    await deliver(shop.orders, authorise_payments, build.stock_reserved(order_id))

    outcome = await ask(shop, RESEND_STEP, order_id)

    assert outcome.startswith("refused: source-not-kept: ")


async def test_an_order_is_cancelled_in_the_name_of_whoever_asked(shop: Shop) -> None:
    order_id = await placed(shop)

    outcome = await ask(shop, CANCEL, order_id, version=1)
    again = await ask(shop, CANCEL, order_id)

    assert outcome == "finished: the order is cancelled, version 2"
    assert again.startswith("refused: illegal-transition: ")
    assert shop.rows(
        "SELECT actor_kind, actor_id, reason FROM orders.timeline WHERE sequence = 2"
    ) == [("staff", "ada", "other")]
    assert (await shop.saga(order_id)).step == "compensate"
    assert shop.rows("SELECT reason FROM orders.cancellations") == [("other",)]


async def test_a_pending_order_is_rejected_and_a_confirmed_one_is_not(shop: Shop) -> None:
    pending = await placed(shop)
    confirmed = await shop.place(TEE=1)
    await deliver(shop.orders, authorise_payments, build.stock_reserved(confirmed))
    await deliver(shop.orders, confirm_orders, build.payment_authorised(confirmed, 1_000))

    rejected = await ask(shop, REJECT, pending)
    refused = await ask(shop, REJECT, confirmed)

    assert rejected == "finished: the order is rejected, version 2"
    assert refused.startswith("refused: illegal-transition: ")
    assert (await shop.order(confirmed)).status is Status.CONFIRMED


@pytest.mark.parametrize("verb", [CANCEL, REJECT])
async def test_a_decision_on_another_version_is_refused(shop: Shop, verb: str) -> None:
    order_id = await placed(shop)

    outcome = await ask(shop, verb, order_id, version=7)

    assert outcome.startswith("refused: version-mismatch: ")
    assert (await shop.order(order_id)).version == 1


@pytest.mark.parametrize("key", ["nonsense", new_id()])
async def test_an_order_that_is_not_there_is_refused(shop: Shop, key: object) -> None:
    assert (await ask(shop, CANCEL, key)).startswith("refused: not-found: ")
