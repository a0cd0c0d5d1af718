"""An operator asks where an order is while a part of the stack is away, and does something."""

import json
from typing import Any

import pytest

from libs.testkit.eventually import eventually
from tests.e2e.books import balanced
from tests.e2e.commands import orderly
from tests.e2e.shop import Order, Shop
from tests.e2e.stack import RunningStack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_PUT_OFF = {"payment_retrying", "payment_unknown", "payment_breaker_open"}


def shown(stack: RunningStack, name: str) -> dict[str, Any]:
    return json.loads(orderly(stack, "order", "show", name, "--json"))


def code_of(report: dict[str, Any]) -> str:
    return report["verdict"]["code"]


def asked(stack: RunningStack, verb: str, order: Order) -> str:
    """Ask as an operator; the stack gives people the reader's password only."""
    return orderly(
        stack,
        *("order", verb, order.id, "--reason", "a test", "--by", "ada", "--wait-s", "30"),
        database_url=stack.superuser_url,
    )


async def test_orders_wait_for_a_worker_that_is_dead_and_each_goes_the_way_it_is_told(
    shop: Shop, own_stack: RunningStack
) -> None:
    sku = await shop.sell(pieces=3)

    async with own_stack.outage("worker-inventory"):
        resent, rejected, cancelled = [await shop.place(sku) for _ in range(3)]
        report = await eventually(
            lambda: shown(own_stack, resent.id),
            lambda report: code_of(report) == "consumer_down",
            within_s=60.0,
        )
        outcomes = [
            asked(own_stack, "resend-step", resent),
            asked(own_stack, "reject", rejected),
            asked(own_stack, "cancel", cancelled),
        ]

    verdict = report["verdict"]
    assert verdict["standing"] == "slow"
    assert "inventory-worker has not taken it: its group has no member" in verdict["reason"]
    command = next(each for each in report["messages"] if each["topic"] == "inventory.commands")
    assert command["published"] is True
    assert command["offset"] is not None
    assert (
        f"inventory.commands/{command['partition']} offset {command['offset']}"
        in (verdict["reason"])
    )
    assert [outcome.splitlines()[-1] for outcome in outcomes] == [
        "finished: sent again: inventory.reserve_stock.v1",
        "finished: the order is rejected, version 2",
        "finished: the order is cancelled, version 2",
    ]
    await shop.settled()
    statuses = [(await shop.read(each.id)).status for each in (resent, rejected, cancelled)]
    assert statuses == ["confirmed", "rejected", "cancelled"]
    assert await balanced(own_stack) == []
    await shop.available(sku, 2)
    assert code_of(shown(own_stack, resent.id)) == "waits_for_shipment"
    await own_stack.repaired()


async def test_an_order_whose_provider_is_away_says_so_and_its_money_is_asked_for_once(
    shop: Shop, own_stack: RunningStack
) -> None:
    sku = await shop.sell(pieces=1)

    async with own_stack.outage("payment-simulator"):
        order = await shop.place(sku)
        report = await eventually(
            lambda: shown(own_stack, order.id),
            lambda report: report["verdict"]["standing"] == "slow",
            within_s=60.0,
        )
        again = asked(own_stack, "resend-step", order)

    assert code_of(report) in _PUT_OFF
    assert report["operations"][0]["state"] in {"queued", "sent", "unknown"}
    assert again.count("finished: 1 ") == 2
    assert (await shop.final(order)).status == "confirmed"
    assert len(shown(own_stack, order.id)["operations"]) == 1
    assert await balanced(own_stack) == []
    await own_stack.repaired()


async def test_nothing_is_stuck_in_a_stack_that_works(shop: Shop, own_stack: RunningStack) -> None:
    await shop.final(await shop.place(await shop.sell()))

    listed = json.loads(orderly(own_stack, "order", "list", "--stuck", "--json"))

    assert listed["orders"] == []
