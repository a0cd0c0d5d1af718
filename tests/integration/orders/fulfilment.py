"""Steps of an order on its way out and back, each through its use case and its role."""

from uuid import UUID

from libs.contracts.inventory import ReserveStock
from libs.domain.inventory.use_cases.reserve_stock import reserve_stock
from libs.domain.orders.order import Order
from libs.domain.orders.refund import Refund, RefundReason
from libs.domain.orders.refunding import RefundWish
from libs.domain.orders.shipment import Shipment
from libs.domain.orders.timeline import Actor, ActorKind
from libs.domain.orders.use_cases.authorise_payments import authorise_payments
from libs.domain.orders.use_cases.confirm_orders import confirm_orders
from libs.domain.orders.use_cases.move_refunds import fail_refunds, finish_refunds
from libs.domain.orders.use_cases.move_shipments import release_shipments
from libs.domain.orders.use_cases.request_refund import request_refund
from libs.domain.orders.use_cases.request_shipment import request_shipment
from libs.foundation.database.transaction import transaction
from libs.testkit import build
from tests.integration.shop import Shop, deliver

STAFF = Actor(kind=ActorKind.STAFF, id="s_1")
PIECES = 10
TOTAL_MINOR = 3_000
WHOLE = RefundWish(reason=RefundReason.RETURN, restock=True)


async def confirmed(shop: Shop, sku: str = "TEE") -> UUID:
    """Sell three pieces of 1,000 each, reserved in the stock and authorised."""
    shop.sell(sku)
    await shop.stock(sku, PIECES)
    order_id = await shop.place(**{sku: 3})
    await deliver(shop.inventory, reserve_stock, *shop.messages(ReserveStock, order_id))
    await deliver(shop.orders, authorise_payments, build.stock_reserved(order_id))
    await deliver(shop.orders, confirm_orders, build.payment_authorised(order_id, TOTAL_MINOR))
    return order_id


async def ship(
    shop: Shop, order_id: UUID, expected_version: int | None = None
) -> tuple[Order, Shipment]:
    async with transaction(shop.api) as tx:
        return await request_shipment(tx, order_id, expected_version, STAFF)


async def capture(shop: Shop, shipment: Shipment) -> None:
    answer = build.payment_captured(shipment.order_id, shipment.id, TOTAL_MINOR)
    await deliver(shop.orders, release_shipments, answer)


async def shipped(shop: Shop, sku: str = "TEE") -> UUID:
    order_id = await confirmed(shop, sku)
    _, shipment = await ship(shop, order_id)
    await capture(shop, shipment)
    return order_id


async def refund(
    shop: Shop, order_id: UUID, wish: RefundWish = WHOLE, note: str | None = None
) -> Refund:
    async with transaction(shop.api) as tx:
        _, accepted = await request_refund(tx, order_id, None, wish, note, STAFF)
    return accepted


async def pay_back(shop: Shop, paid: Refund, attempt: int = 1) -> None:
    answer = build.refund_succeeded(paid.order_id, paid.id, paid.amount_minor, attempt)
    await deliver(shop.orders, finish_refunds, answer)


async def refuse(shop: Shop, refused: Refund, attempt: int = 1) -> None:
    answer = build.refund_failed(refused.order_id, refused.id, attempt)
    await deliver(shop.orders, fail_refunds, answer)


def by_amount(amount_minor: int) -> RefundWish:
    return RefundWish(reason=RefundReason.GOODWILL, adjustment=build.euros(amount_minor))
