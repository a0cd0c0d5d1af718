"""Placing orders in batches: each is written whole with its messages, or refused on its own."""

from collections.abc import Sequence
from uuid import UUID

import pytest

from libs.contracts.inventory import ReserveStock, StockItem
from libs.contracts.orders import OrderConfirmed, OrderPlaced
from libs.contracts.payments import AuthorisePayment
from libs.domain.orders.order_request import (
    AddressIn,
    ContactIn,
    LineIn,
    MoneyIn,
    OrderRequest,
    PaymentIn,
    SourceIn,
)
from libs.domain.orders.placement import Placement
from libs.domain.orders.placing_errors import (
    CardDataRefused,
    ExternalReferenceTaken,
    TotalMismatch,
    UnknownSku,
)
from libs.domain.orders.timeline import Actor, ActorKind
from libs.domain.orders.use_cases.place_orders import PlacedOrder, place_orders
from libs.domain.orders.use_cases.reject_orders import reject_out_of_stock
from libs.foundation.database.transaction import transaction
from libs.foundation.errors import AppError
from libs.foundation.ids import new_id
from libs.testkit import build
from tests.integration.shop import Shop, deliver

MACHINE = Actor(kind=ActorKind.MACHINE, id="checkout")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TOKEN = "tok_good"


def placement(
    *skus: str,
    reference: str | None = None,
    expected_minor: int | None = None,
    source: str = TOKEN,
    contact: ContactIn | None = None,
    traceparent: str | None = TRACE,
) -> Placement:
    """Ask for one piece of each SKU."""
    request = OrderRequest(
        currency="EUR",
        external_reference=reference,
        customer_id="c_1",
        lines=tuple(LineIn(sku=sku, quantity=1) for sku in skus),
        payment=PaymentIn(source=SourceIn(provider="simulator", kind="token", value=source)),
        expected_total=None if expected_minor is None else euros(expected_minor),
        contact=contact,
    )
    return Placement(
        order_id=new_id(),
        request=request,
        customer_id="c_1",
        actor=MACHINE,
        traceparent=traceparent,
    )


def euros(amount: int) -> MoneyIn:
    return MoneyIn(amount=amount, currency="EUR")


async def place(shop: Shop, *placements: Placement) -> Sequence[PlacedOrder | AppError]:
    async with transaction(shop.api) as tx:
        return await place_orders(tx, placements)


def saved_ids(shop: Shop) -> set[UUID]:
    return {order_id for (order_id,) in shop.rows("SELECT id FROM orders.orders")}


async def test_an_order_is_written_whole_with_its_messages(shop: Shop) -> None:
    shop.sell("TEE", 2_000)
    shop.sell("CAP", 500)
    wanted = placement("TEE", "CAP", "TEE")

    (placed,) = await place(shop, wanted)

    order_id = wanted.order_id
    assert isinstance(placed, PlacedOrder)
    assert shop.timeline(order_id) == ["order_placed"]
    (event,) = shop.messages(OrderPlaced, order_id)
    assert (event.version, event.totals.total.amount, len(event.lines)) == (1, 4_500, 3)
    (command,) = shop.messages(ReserveStock, order_id)
    assert command.items == (StockItem(sku="CAP", quantity=1), StockItem(sku="TEE", quantity=2))
    lines = shop.rows("SELECT line_no, sku, total_minor FROM orders.order_lines ORDER BY line_no")
    assert lines == [(1, "TEE", 2_000), (2, "CAP", 500), (3, "TEE", 2_000)]
    assert (await shop.saga(order_id)).reserve_sent


async def test_messages_continue_the_trace_of_their_own_request(shop: Shop) -> None:
    shop.sell("TEE")
    other = TRACE.replace("4bf9", "5bf9")
    first, second = placement("TEE"), placement("TEE", traceparent=other)

    await place(shop, first, second)

    traces = shop.rows("SELECT aggregateid, traceparent FROM messaging.outbox")
    assert set(traces) == {(str(first.order_id), TRACE), (str(second.order_id), other)}


async def test_an_order_without_tracked_stock_asks_for_its_payment_at_once(shop: Shop) -> None:
    shop.sell("GIFT", 700, stock_tracked=False)
    wanted = placement("GIFT")

    await place(shop, wanted)

    (command,) = shop.messages(AuthorisePayment, wanted.order_id)
    assert command.amount.amount == 700
    assert shop.messages(ReserveStock, wanted.order_id) == []


async def test_an_order_with_nothing_to_wait_for_is_confirmed_at_once(shop: Shop) -> None:
    shop.sell("FREE", 0, stock_tracked=False)
    wanted = placement("FREE")

    (placed,) = await place(shop, wanted)

    assert isinstance(placed, PlacedOrder)
    assert shop.timeline(wanted.order_id) == ["order_placed", "order_confirmed"]
    sequences = shop.rows("SELECT sequence, type FROM messaging.outbox ORDER BY seq")
    assert sequences == [(1, OrderPlaced.type), (2, OrderConfirmed.type)]
    order = await shop.order(wanted.order_id)
    assert (order.status, order.version) == ("confirmed", 2)
    assert order.confirmed_at == placed.draft.placed_at


async def test_refused_orders_leave_nothing_and_their_neighbours_pass(shop: Shop) -> None:
    shop.sell("TEE", 2_000)
    good, unknown = placement("TEE"), placement("NONE")
    wrong, card = placement("TEE", expected_minor=1_999), placement("TEE", source="4" + "1" * 15)

    outcomes = await place(shop, good, unknown, wrong, card)

    assert [type(each) for each in outcomes] == [
        PlacedOrder,
        UnknownSku,
        TotalMismatch,
        CardDataRefused,
    ]
    assert saved_ids(shop) == {good.order_id}


async def test_a_reference_twice_in_one_batch_makes_one_order(shop: Shop) -> None:
    shop.sell("TEE")
    first, second = placement("TEE", reference="web-1"), placement("TEE", reference="web-1")

    outcomes = await place(shop, first, second)

    assert {type(each) for each in outcomes} == {PlacedOrder, ExternalReferenceTaken}
    assert len(saved_ids(shop)) == 1
    assert len(shop.rows("SELECT 1 FROM messaging.outbox")) == 2


async def test_a_taken_reference_is_refused_with_the_order_that_has_it(shop: Shop) -> None:
    shop.sell("TEE")
    first = placement("TEE", reference="web-1")
    await place(shop, first)

    refused, other = await place(
        shop, placement("TEE", reference="web-1"), placement("TEE", reference="web-2")
    )

    assert isinstance(refused, ExternalReferenceTaken)
    assert refused.order_id == first.order_id
    assert isinstance(other, PlacedOrder)


async def test_a_rejected_order_frees_its_reference(shop: Shop) -> None:
    shop.sell("TEE")
    first, again = placement("TEE", reference="web-1"), placement("TEE", reference="web-1")
    await place(shop, first)
    await deliver(shop.orders, reject_out_of_stock, build.stock_rejected(first.order_id))

    (placed,) = await place(shop, again)

    assert isinstance(placed, PlacedOrder)


async def test_personal_data_is_in_the_contacts_table_only(shop: Shop) -> None:
    shop.sell("TEE")
    address = AddressIn(name="Canary Bird", city="Bonn", country="DE", region="NW")
    contact = ContactIn(email="canary@example.org", shipping_address=address)

    await place(shop, placement("TEE", contact=contact))

    (stored,) = shop.rows("SELECT contact::text FROM orders.contacts")
    assert "canary@example.org" in stored[0]
    written = shop.rows(
        "SELECT convert_from(payload, 'UTF8') FROM messaging.outbox"
        " UNION ALL SELECT convert_from(data, 'UTF8') FROM orders.timeline"
        " UNION ALL SELECT o::text FROM orders.orders AS o"
    )
    assert not [text for (text,) in written if "anary" in text or "Bonn" in text]
    (event,) = shop.messages(OrderPlaced)
    assert event.destination is not None
    assert (event.destination.country, event.destination.region) == ("DE", "NW")


@pytest.mark.parametrize("batch_size", [1, 128])
async def test_numbers_are_different_for_every_order(shop: Shop, batch_size: int) -> None:
    shop.sell("TEE")

    outcomes = await place(shop, *[placement("TEE") for _ in range(batch_size)])

    numbers = {each.draft.order.number for each in outcomes if isinstance(each, PlacedOrder)}
    assert len(numbers) == batch_size
