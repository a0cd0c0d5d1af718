"""The shop's side: an HTTP client that repeats a request under one key until it is answered."""

import asyncio
import random
import time
from typing import Any, Final

import aiohttp
import msgspec
from msgspec import Struct

from loadtests.demo.plan import CURRENCY, PlannedOrder

REQUEST_TIMEOUT_S: Final = 10
ATTEMPTS_MAX: Final = 40
_BACKOFF_CAP_S: Final = 2.0
# Nothing was done, or nobody knows: the same key may and must be sent again.
_REPEATABLE: Final = frozenset({409, 429, 502, 503, 504})
_CREATED: Final = 201


class Answer(Struct, frozen=True, kw_only=True):
    """The last answer to one request; `attempts` counts every try."""

    status: int
    body: bytes
    seconds: float
    attempts: int

    @property
    def accepted(self) -> bool:
        """Whether the order is durable."""
        return self.status == _CREATED


class ShopError(RuntimeError):
    """A request that no repeat could settle."""


class Shop:
    """Calls the public API as the checkout of one shop."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str, seed: int) -> None:
        self._session = session
        self._url = url
        self._authorization = {"Authorization": f"Bearer {token}"}
        self._random = random.Random(seed)

    async def put_product(self, sku: str, price: int) -> None:
        """Create the article, sold by the catalogue at `price` cents."""
        body = {
            "name": f"Compact disc at {price / 100:.2f}",
            "price": {"amount": price, "currency": CURRENCY},
            "active": True,
            "stock_tracked": True,
        }
        await self._settle("PUT", f"/v1/products/{sku}", body, {"If-None-Match": "*"})

    async def receive_stock(self, sku: str, pieces: int) -> None:
        """Book pieces into the warehouse."""
        body = {"delta": pieces, "reason": "received", "note": "demo"}
        path = f"/v1/stock/{sku}/adjustments"
        await self._settle("POST", path, body, {"Idempotency-Key": f"demo-stock-{sku}"})

    async def place(self, order: PlannedOrder) -> Answer:
        """Place one order; repeats keep the key, so that it is placed once."""
        return await self._settle(
            "POST", "/v1/orders", _order_body(order), {"Idempotency-Key": order.key}
        )

    async def _settle(
        self, method: str, path: str, body: dict[str, Any], headers: dict[str, str]
    ) -> Answer:
        started = time.perf_counter()
        payload = msgspec.json.encode(body)
        problem = ""
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                status, text = await self._send(method, path, payload, headers)
            except (aiohttp.ClientError, TimeoutError) as error:
                problem = repr(error)
            else:
                if status not in _REPEATABLE:
                    seconds = time.perf_counter() - started
                    return _checked(
                        method,
                        path,
                        Answer(status=status, body=text, seconds=seconds, attempts=attempt),
                    )
                problem = text.decode(errors="replace")
            await asyncio.sleep(self._random.uniform(0, min(_BACKOFF_CAP_S, 0.05 * 2**attempt)))
        raise ShopError(f"{method} {path}: not settled after {ATTEMPTS_MAX} tries: {problem}")

    async def _send(
        self, method: str, path: str, payload: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        all_headers = {"Content-Type": "application/json", **self._authorization, **headers}
        async with self._session.request(
            method, self._url + path, data=payload, headers=all_headers
        ) as response:
            return response.status, await response.read()


def _checked(method: str, path: str, answer: Answer) -> Answer:
    if answer.status not in (200, _CREATED):
        text = answer.body.decode(errors="replace")
        raise ShopError(f"{method} {path}: {answer.status} {text}")
    return answer


def _order_body(order: PlannedOrder) -> dict[str, Any]:
    return {
        "external_reference": order.reference,
        "customer_id": order.customer,
        "channel": "demo",
        "currency": CURRENCY,
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in order.lines],
        "expected_total": {"amount": order.total, "currency": CURRENCY},
        "payment": {"source": {"provider": "simulator", "kind": "token", "value": order.token}},
    }
