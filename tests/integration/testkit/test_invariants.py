"""Each invariant is broken by hand once: a check that never fails proves nothing."""

import psycopg
import pytest

from libs.domain.inventory.use_cases.reserve_stock import reserve_stock
from libs.domain.orders.cancellation import CancellationReason
from libs.domain.orders.timeline import SYSTEM
from libs.domain.orders.use_cases.cancel_order import cancel_order
from libs.foundation.database.transaction import transaction
from libs.testkit import build
from libs.testkit.databases import Database
from libs.testkit.sql.invariants import broken_invariants
from tests.integration.shop import deliver, open_shop


async def _trade(database: Database) -> None:
    """Reserve pieces for one order; place and cancel another."""
    async with open_shop(database) as shop:
        shop.sell("TEE")
        await shop.stock("TEE", 5)
        await deliver(shop.inventory, reserve_stock, build.reserve_stock(TEE=2))
        order_id = await shop.place(TEE=1)
        async with transaction(shop.api) as tx:
            await cancel_order(tx, order_id, None, CancellationReason.OTHER, SYSTEM)


@pytest.mark.parametrize(
    ("damage", "broken"),
    [
        ("UPDATE inventory.stock SET on_hand = 6", {"S1"}),
        ("UPDATE inventory.stock SET reserved = 1", {"S1", "S3"}),
        ("DELETE FROM inventory.movements WHERE kind = 'reserve'", {"S1"}),
        ("UPDATE inventory.reservation_items SET released = 1", {"S3"}),
        ("UPDATE inventory.reservations SET state = 'closed'", {"reservation"}),
        ("UPDATE orders.orders SET version = 3", {"O1"}),
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
