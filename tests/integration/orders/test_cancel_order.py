"""Who may cancel an order, and on which version of it they must have decided."""

from uuid import UUID

import pytest

from libs.domain.orders.cancellation import CancellationReason
from libs.domain.orders.errors import UnknownOrder, VersionMismatch
from libs.domain.orders.order import Order
from libs.domain.orders.status import Status
from libs.domain.orders.timeline import Actor, ActorKind
from libs.domain.orders.use_cases.cancel_order import cancel_order
from libs.foundation.database.transaction import transaction
from libs.foundation.ids import new_id
from tests.integration.shop import CUSTOMER, Shop

STAFF = Actor(kind=ActorKind.STAFF, id="s_1")
REASON = CancellationReason.CUSTOMER_REQUEST


async def _cancel(
    shop: Shop, order_id: UUID, actor: Actor, expected_version: int | None = None
) -> Order:
    async with transaction(shop.api) as tx:
        return await cancel_order(tx, order_id, expected_version, REASON, actor)


@pytest.fixture
async def order_id(shop: Shop) -> UUID:
    shop.sell("TEE")
    return await shop.place(TEE=1)


@pytest.mark.parametrize("actor", [CUSTOMER, STAFF])
async def test_its_customer_and_staff_may_cancel(shop: Shop, order_id: UUID, actor: Actor) -> None:
    cancelled = await _cancel(shop, order_id, actor, expected_version=1)

    assert (cancelled.status, cancelled.version) == (Status.CANCELLED, 2)
    entries = shop.rows(
        "SELECT actor_kind, actor_id, reason FROM orders.timeline"
        " WHERE order_id = %s AND sequence = 2",
        order_id,
    )
    assert entries == [(actor.kind.value, actor.id, REASON.value)]


@pytest.mark.parametrize("other_id", ["c_2", None])
async def test_another_customers_order_looks_absent(
    shop: Shop, order_id: UUID, other_id: str | None
) -> None:
    with pytest.raises(UnknownOrder):
        await _cancel(shop, order_id, Actor(kind=ActorKind.CUSTOMER, id=other_id))
    with pytest.raises(UnknownOrder):
        await _cancel(shop, new_id(), STAFF)


async def test_a_decision_on_an_old_version_is_refused(shop: Shop, order_id: UUID) -> None:
    with pytest.raises(VersionMismatch) as refusal:
        await _cancel(shop, order_id, STAFF, expected_version=2)

    assert refusal.value.extensions() == {"version": 1}
    assert (await shop.order(order_id)).status is Status.PENDING
