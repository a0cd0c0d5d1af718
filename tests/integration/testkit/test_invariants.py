"""Each invariant is broken by hand once: a check that never fails proves nothing."""

import psycopg
import pytest

from libs.contracts.inventory import ReturnStock, ShipStock, StockReturned, StockShipped
from libs.domain.inventory.use_cases.move_stock import return_stock, ship_stock
from libs.domain.inventory.use_cases.reserve_stock import reserve_stock
from libs.domain.orders.cancellation import CancellationReason
from libs.domain.orders.timeline import SYSTEM
from libs.domain.orders.use_cases.cancel_order import cancel_order
from libs.domain.orders.use_cases.move_refunds import record_stock_returned
from libs.domain.orders.use_cases.move_shipments import record_stock_shipped
from libs.foundation.database.transaction import transaction
from libs.testkit import build
from libs.testkit.databases import Database
from libs.testkit.sql.invariants import broken_invariants
from tests.integration.orders import fulfilment
from tests.integration.shop import Shop, deliver, open_shop


async def _trade(database: Database) -> None:
    """Reserve pieces for one order; place and cancel another, ship and refund a third."""
    async with open_shop(database) as shop:
        shop.sell("TEE")
        await shop.stock("TEE", 5)
        await deliver(shop.inventory, reserve_stock, build.reserve_stock(TEE=2))
        order_id = await shop.place(TEE=1)
        async with transaction(shop.api) as tx:
            await cancel_order(tx, order_id, None, CancellationReason.OTHER, SYSTEM)
        await _ship_and_refund(shop)


async def _ship_and_refund(shop: Shop) -> None:
    order_id = await fulfilment.shipped(shop, "MUG")
    await deliver(shop.inventory, ship_stock, *shop.messages(ShipStock))
    await deliver(shop.orders, record_stock_shipped, *shop.messages(StockShipped))
    await fulfilment.pay_back(shop, await fulfilment.refund(shop, order_id))
    await deliver(shop.inventory, return_stock, *shop.messages(ReturnStock))
    await deliver(shop.orders, record_stock_returned, *shop.messages(StockReturned))


@pytest.mark.parametrize(
    ("damage", "broken"),
    [
        ("UPDATE inventory.stock SET on_hand = 6 WHERE sku = 'TEE'", {"S1"}),
        ("UPDATE inventory.stock SET reserved = 1 WHERE sku = 'TEE'", {"S1", "S3"}),
        ("DELETE FROM inventory.movements WHERE kind = 'reserve'", {"S1"}),
        ("UPDATE inventory.reservation_items SET released = 1 WHERE sku = 'TEE'", {"S3"}),
        ("UPDATE inventory.reservations SET state = 'closed'", {"reservation"}),
        ("UPDATE inventory.movements SET on_hand_delta = -2 WHERE kind = 'ship'", {"S1", "S4"}),
        ("UPDATE inventory.movements SET on_hand_delta = 1 WHERE kind = 'return'", {"S1", "S5"}),
        ("UPDATE orders.orders SET version = 30", {"O1"}),
        ("UPDATE orders.orders SET status = 'shipped' WHERE status = 'refunded'", {"O1"}),
        ("DELETE FROM orders.timeline WHERE type = 'orders.order_shipped.v1'", {"O1"}),
        ("UPDATE orders.order_lines SET shipped = 0, refunded = 0, restocked = 0", {"L1", "O1"}),
        ("UPDATE orders.order_lines SET restocked = 0", {"L1"}),
        ("UPDATE orders.order_lines SET total_minor = 999 WHERE sku = 'TEE'", {"M1"}),
        ("UPDATE orders.shipments SET amount_minor = 2999", {"M2", "M8", "O1"}),
        ("UPDATE orders.orders SET captured_minor = 2999", {"M5", "M6"}),
        ("UPDATE orders.orders SET authorised_minor = 2999", {"M5"}),
        ("UPDATE orders.refunds SET amount_minor = 3001", {"M8", "O1"}),
        ("UPDATE orders.timeline SET data = 'x' WHERE sequence = 2", {"O1"}),
        ("UPDATE messaging.outbox SET sequence = 7 WHERE sequence = 2", {"O1", "sequence"}),
        ("UPDATE orders.cancellations SET value_minor = 999", {"M3"}),
        ("DELETE FROM orders.cancellations", {"M3"}),
    ],
)
async def test_damage_is_found(database: Database, damage: str, broken: set[str]) -> None:
    await _trade(database)
    before = broken_invariants(database.url)

    with psycopg.connect(database.url) as connection:
        connection.execute(damage.encode())

    assert before == []
    assert {found.split()[0] for found in broken_invariants(database.url)} == broken
