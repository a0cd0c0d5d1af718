"""What happens behind the API between two requests: the answers that workers take."""

from uuid import UUID

from libs.contracts.messages import Message
from libs.domain.orders.consumers import CONSUMER
from libs.foundation.database.connections import open_pool
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.database.transaction import transaction
from libs.testkit import build
from libs.testkit.databases import Database
from tests.e2e.api.conftest import Api, order

PRICE = 2_000


class Workers:
    """Hands messages to the orders worker's use cases, under its role."""

    def __init__(self, database: Database) -> None:
        self._settings = DatabaseSettings(url=database.url_for("orderly_worker_orders"))

    async def hear(self, message: Message) -> None:
        handle = CONSUMER.handlers[message.type]
        async with open_pool(self._settings, "test") as pool, transaction(pool) as tx:
            await handle(tx, [message])


async def confirmed(api: Api, workers: Workers) -> str:
    """Place an order that is then confirmed, and return its path."""
    await api.sell("TEE", PRICE)
    path = (await api.place("k1", order())).headers["location"]
    order_id = id_of(path)
    await workers.hear(build.stock_reserved(order_id))
    await workers.hear(build.payment_authorised(order_id, PRICE))
    return path


async def shipped(api: Api, workers: Workers) -> str:
    path = await confirmed(api, workers)
    shipment = await api.call("POST", f"{path}/shipments", {}, idempotency_key="ship", if_match="*")
    assert shipment.status_code == 201, shipment.text
    await captured(workers, path, shipment.json()["id"])
    return path


async def captured(workers: Workers, path: str, shipment_id: str) -> None:
    await workers.hear(build.payment_captured(id_of(path), UUID(shipment_id), PRICE))


async def refund_failed(workers: Workers, path: str, refund_id: str) -> None:
    await workers.hear(build.refund_failed(id_of(path), UUID(refund_id)))


async def refund_succeeded(workers: Workers, path: str, refund_id: str) -> None:
    await workers.hear(build.refund_succeeded(id_of(path), UUID(refund_id), PRICE))


def id_of(path: str) -> UUID:
    return UUID(path.rpartition("/")[2])
