"""Orders and inventory over a real database, each under its own role; messages go by hand."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

import psycopg

from libs.contracts import inventory as inventory_contracts
from libs.contracts import orders as order_contracts
from libs.contracts import payments as payment_contracts
from libs.contracts.messages import Message
from libs.domain.inventory.use_cases.adjust_stock import AdjustmentReason, adjust_stock
from libs.domain.orders.order import Order
from libs.domain.orders.order_request import LineIn, OrderRequest, PaymentIn, SourceIn
from libs.domain.orders.placement import Placement
from libs.domain.orders.saga import Saga
from libs.domain.orders.sql import order_changes, sagas
from libs.domain.orders.timeline import Actor, ActorKind
from libs.domain.orders.use_cases.place_orders import PlacedOrder, place_orders
from libs.foundation.database.connections import Pool, open_pool
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.database.transaction import Transaction, transaction
from libs.foundation.ids import new_id
from libs.testkit.databases import Database

M = TypeVar("M", bound=Message)
DECODERS = {
    **order_contracts.DECODERS,
    **inventory_contracts.COMMAND_DECODERS,
    **inventory_contracts.EVENT_DECODERS,
    **payment_contracts.COMMAND_DECODERS,
}
CUSTOMER = Actor(kind=ActorKind.CUSTOMER, id="c_1")


class Shop:
    """A shop whose doors are pools: `api`, `orders` and `inventory` may do what their role may."""

    def __init__(self, url: str, api: Pool, orders: Pool, inventory: Pool) -> None:
        self.url = url
        self.api = api
        self.orders = orders
        self.inventory = inventory

    def sell(self, sku: str, price_minor: int = 1_000, *, stock_tracked: bool = True) -> None:
        """Put a product into the catalogue."""
        with psycopg.connect(self.url) as connection:
            connection.execute(
                "INSERT INTO orders.products"
                " (sku, name, price_minor, currency, active, stock_tracked)"
                " VALUES (%s, %s, %s, 'EUR', true, %s)",
                (sku, f"The {sku}", price_minor, stock_tracked),
            )

    async def stock(self, sku: str, pieces: int) -> None:
        async with transaction(self.api) as tx:
            await adjust_stock(tx, sku, pieces, AdjustmentReason.RECEIVED, None)

    async def place(self, **quantities: int) -> UUID:
        """Place one order of the customer and return its id."""
        request = OrderRequest(
            currency="EUR",
            lines=tuple(LineIn(sku=sku, quantity=pieces) for sku, pieces in quantities.items()),
            payment=PaymentIn(
                source=SourceIn(provider="simulator", kind="token", value="tok_good")
            ),
        )
        placement = Placement(
            order_id=new_id(),
            request=request,
            customer_id=CUSTOMER.id,
            actor=CUSTOMER,
            traceparent=None,
        )
        async with transaction(self.api) as tx:
            (placed,) = await place_orders(tx, [placement])
        assert isinstance(placed, PlacedOrder), placed
        return placement.order_id

    async def order(self, order_id: UUID) -> Order:
        async with transaction(self.orders) as tx:
            return (await order_changes.lock(tx, [order_id]))[0]

    async def saga(self, order_id: UUID) -> Saga:
        async with transaction(self.orders) as tx:
            return (await sagas.read(tx, [order_id]))[order_id]

    def messages(self, kind: type[M], subject: object = None) -> list[M]:
        """Return the messages of one kind in the outbox, in order."""
        with psycopg.connect(self.url) as connection:
            rows = connection.execute(
                "SELECT payload FROM messaging.outbox"
                " WHERE type = %s AND (%s::text IS NULL OR aggregateid = %s::text) ORDER BY seq",
                (kind.type, None if subject is None else str(subject), str(subject)),
            ).fetchall()
        return [DECODERS[kind.type].decode(payload) for (payload,) in rows]

    def timeline(self, order_id: UUID) -> list[str]:
        """Return the types of an order's events, without their prefix."""
        return [
            name
            for (name,) in self.rows(
                "SELECT split_part(type, '.', 2) FROM orders.timeline"
                " WHERE order_id = %s ORDER BY sequence",
                order_id,
            )
        ]

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query.encode(), parameters).fetchall()


async def deliver(
    pool: Pool,
    handler: Callable[[Transaction, Sequence[M]], Awaitable[None]],
    *messages: M,
) -> None:
    """Hand one wave to its handler, as a consumer does."""
    async with transaction(pool) as tx:
        await handler(tx, messages)


@asynccontextmanager
async def open_shop(database: Database) -> AsyncGenerator[Shop]:
    async with AsyncExitStack() as stack:
        api, orders, inventory = [
            await stack.enter_async_context(
                open_pool(
                    DatabaseSettings(
                        url=database.url_for(role), pool_size_max=8, pool_wait_timeout_ms=10_000
                    ),
                    role,
                )
            )
            for role in ("orderly_api", "orderly_worker_orders", "orderly_worker_inventory")
        ]
        yield Shop(database.url, api, orders, inventory)
