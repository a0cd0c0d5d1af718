"""A shop's checkout: sells, places and follows the orders of one customer over the public API."""

import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import msgspec
from msgspec import Struct

from libs.testkit.eventually import eventually
from tests.e2e.stack import RunningStack

_REQUEST_S: Final = 15.0
_PAGE: Final = 100
SETTLED_S: Final = 60.0
# Nothing was done, or nobody knows: the same key may and must be sent again.
_REPEATABLE: Final = frozenset({409, 503, 504})


class Rejection(Struct, frozen=True, kw_only=True):
    reason: str
    short: list[dict[str, Any]] | None = None
    decline_code: str | None = None


class PaymentSeen(Struct, frozen=True, kw_only=True):
    status: str
    authorised: dict[str, Any]
    captured: dict[str, Any]
    returned: dict[str, Any]


class Order(Struct, frozen=True, kw_only=True):
    """What the tests look at in an order as the API shows it."""

    id: str
    status: str
    version: int
    customer_id: str | None
    payment: PaymentSeen
    rejection: Rejection | None


class Event(Struct, frozen=True, kw_only=True):
    """One entry of a timeline."""

    sequence: int
    type: str


class Page(Struct, frozen=True, kw_only=True):
    items: list[Order]
    next_cursor: str | None


class Timeline(Struct, frozen=True, kw_only=True):
    items: list[Event]


class Stock(Struct, frozen=True, kw_only=True):
    on_hand: int
    reserved: int
    available: int


class Shop:
    """Its customer and its SKUs are its own, so that tests share one stack."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.customer = f"c-{uuid.uuid4().hex}"

    async def sell(self, *, price: int = 1_000, pieces: int = 10) -> str:
        """Put a new product into the catalogue, receive its pieces, and return its SKU."""
        sku = f"SKU-{uuid.uuid4().hex[:12]}"
        product = {
            "name": "T-shirt",
            "price": {"amount": price, "currency": "EUR"},
            "active": True,
            "stock_tracked": True,
        }
        made = await self.client.put(
            f"/v1/products/{sku}", json=product, headers={"If-None-Match": "*"}
        )
        assert made.status_code == 201, made.text
        if pieces:
            received = await self.post(
                f"/v1/stock/{sku}/adjustments", {"delta": pieces, "reason": "received"}
            )
            assert received.status_code == 201, received.text
        return sku

    async def send(
        self, sku: str, quantity: int = 1, *, token: str = "tok_good", key: str | None = None
    ) -> httpx.Response:
        """Send one request for an order, whatever the answer."""
        content = {"customer_id": self.customer, **order_of(sku, quantity, token)}
        return await self.post("/v1/orders", content, key)

    async def place(self, sku: str, quantity: int = 1, *, token: str = "tok_good") -> Order:
        """Place an order; a request that may be repeated is repeated under its key."""
        key = new_key()
        answer = await eventually(
            lambda: self.send(sku, quantity, token=token, key=key), _is_an_answer
        )
        assert answer.status_code == 201, answer.text
        return msgspec.json.decode(answer.content, type=Order)

    async def cancel(self, order: Order) -> httpx.Response:
        return await self.post(
            f"/v1/orders/{order.id}/cancellation",
            {"reason": "customer_request"},
            **{"If-Match": f'"v{order.version}"'},
        )

    async def ship(self, order: Order) -> Order:
        """Ship all that is open, and wait until it is paid."""
        asked = await self.post(f"/v1/orders/{order.id}/shipments", {}, **{"If-Match": "*"})
        assert asked.status_code == 201, asked.text
        return await self.until(order, "shipped")

    async def refund(self, order: Order, content: Mapping[str, object]) -> httpx.Response:
        path = f"/v1/orders/{order.id}/refunds"
        return await self.post(path, content, **{"If-Match": "*"})

    async def until(self, order: Order, status: str) -> Order:
        return await eventually(
            lambda: self.read(order.id), lambda seen: seen.status == status, within_s=SETTLED_S
        )

    async def read(self, order_id: str) -> Order:
        return msgspec.json.decode((await self.get(f"/v1/orders/{order_id}")).content, type=Order)

    async def final(self, placed: Order) -> Order:
        """Wait until the order is no longer pending."""
        return await eventually(
            lambda: self.read(placed.id),
            lambda seen: seen.status != "pending",
            within_s=SETTLED_S,
        )

    async def settled(self) -> list[Order]:
        """Wait until no order of the customer is pending, and return all of them."""
        await eventually(
            lambda: self._page(status="pending", limit=1),
            lambda page: page.items == [],
            within_s=SETTLED_S,
        )
        return await self.orders()

    async def orders(self) -> list[Order]:
        page = await self._page()
        found = page.items
        while page.next_cursor is not None:
            page = await self._page(cursor=page.next_cursor)
            found += page.items
        return found

    async def timeline(self, order_id: str) -> list[Event]:
        answer = await self.get(f"/v1/orders/{order_id}/timeline")
        return msgspec.json.decode(answer.content, type=Timeline).items

    async def told(self, order_id: str, event_type: str) -> list[Event]:
        """Wait until the timeline holds an event of this type, and return all of it."""
        return await eventually(
            lambda: self.timeline(order_id),
            lambda events: event_type in types_of(events),
            within_s=SETTLED_S,
        )

    async def stock(self, sku: str) -> Stock:
        return msgspec.json.decode((await self.get(f"/v1/stock/{sku}")).content, type=Stock)

    async def available(self, sku: str, pieces: int) -> None:
        """Wait until so many pieces may be sold: compensations follow an order's end."""
        await eventually(lambda: self.stock(sku), lambda stock: stock.available == pieces)

    async def post(
        self, path: str, content: object, key: str | None = None, **headers: str
    ) -> httpx.Response:
        """Send a request under a key, a new one unless it is given."""
        named = {"Idempotency-Key": f'"{key or new_key()}"', **headers}
        return await self.client.post(path, json=content, headers=named)

    async def get(self, path: str, **query: str | int) -> httpx.Response:
        answer = await eventually(lambda: self.client.get(path, params=query), _is_an_answer)
        assert answer.status_code == 200, answer.text
        return answer

    async def _page(self, **query: str | int) -> Page:
        wanted = {"customer_id": self.customer, "limit": _PAGE, **query}
        return msgspec.json.decode((await self.get("/v1/orders", **wanted)).content, type=Page)


def new_key() -> str:
    return uuid.uuid4().hex


def order_of(sku: str, quantity: int = 1, token: str = "tok_good") -> dict[str, object]:
    """Return what anybody may ask for when placing an order."""
    return {
        "currency": "EUR",
        "lines": [{"sku": sku, "quantity": quantity}],
        "payment": {"source": {"provider": "simulator", "kind": "token", "value": token}},
    }


def _is_an_answer(received: httpx.Response) -> bool:
    return received.status_code not in _REPEATABLE


def types_of(events: Sequence[Event]) -> list[str]:
    return [event.type for event in events]


@asynccontextmanager
async def open_client(stack: RunningStack, token: str) -> AsyncGenerator[httpx.AsyncClient]:
    """Open a client of the API; it holds back no request of its own."""
    async with httpx.AsyncClient(
        base_url=stack.api_url,
        headers={"Authorization": f"Bearer {token}"},
        timeout=_REQUEST_S,
        limits=httpx.Limits(max_connections=None),
    ) as client:
        yield client


@asynccontextmanager
async def open_shop(stack: RunningStack) -> AsyncGenerator[Shop]:
    async with open_client(stack, stack.staff_token) as client:
        yield Shop(client)
