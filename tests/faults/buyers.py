"""Buyers who do not give up: each sends the same request until it is accepted."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Final

import httpx
import psycopg

from libs.testkit.eventually import eventually
from tests.e2e.shop import Shop, new_key
from tests.e2e.stack import RunningStack

_PAUSE_S: Final = 0.1
# What is left over is a few hundred orders: seconds, unless others use the machine as well.
_DECIDED_S: Final = 240.0
_PENDING: Final = """
    SELECT count(*) FROM orders.orders WHERE customer_id = %s AND status = 'pending'"""


class Buyers:
    """Counts the answers they got; `accepted` are their orders, one for each key."""

    def __init__(self, shop: Shop, sku: str) -> None:
        self._shop = shop
        self._sku = sku
        self._stopping = asyncio.Event()
        self.answers: Counter[int] = Counter()
        self.retry_after_s: Counter[int] = Counter()
        self.accepted = 0

    def stop(self) -> None:
        """Begin no new order; those under way are still asked for until they are accepted."""
        self._stopping.set()

    async def buy(self) -> None:
        while not self._stopping.is_set():
            key = new_key()
            while not await self._is_accepted(key):
                # A shed request is cheap, but a crowd that never pauses is no crowd of people.
                with suppress(TimeoutError):
                    async with asyncio.timeout(_PAUSE_S):
                        await asyncio.Event().wait()
            self.accepted += 1

    async def until_shed(self, more: int) -> None:
        """Wait until so many more requests are refused with 503."""
        wanted = self.answers[503] + more
        await eventually(lambda: self.answers[503] >= wanted, within_s=180.0)

    async def until_accepted(self, more: int) -> None:
        wanted = self.accepted + more
        await eventually(lambda: self.accepted >= wanted, within_s=180.0)

    async def _is_accepted(self, key: str) -> bool:
        try:
            answer = await self._shop.send(self._sku, key=key)
        except httpx.TransportError:
            return False
        self.answers[answer.status_code] += 1
        if answer.status_code == 503:
            self.retry_after_s[int(answer.headers["retry-after"])] += 1
        return answer.status_code == 201


@asynccontextmanager
async def buying(shop: Shop, number: int) -> AsyncGenerator[Buyers]:
    """Let so many buy within the block; at its end every order that was begun is accepted."""
    buyers = Buyers(shop, await shop.sell(pieces=1_000_000))
    async with asyncio.TaskGroup() as group:
        for _ in range(number):
            group.create_task(buyers.buy())
        yield buyers
        buyers.stop()


async def decided(stack: RunningStack, shop: Shop) -> float:
    """Wait until no order of the shop's customer is pending, and return how long it took."""
    began_s = monotonic()
    await eventually(lambda: _pending(stack, shop), lambda left: left == 0, within_s=_DECIDED_S)
    return monotonic() - began_s


def _pending(stack: RunningStack, shop: Shop) -> int:
    with psycopg.connect(stack.database_url) as connection:
        row = connection.execute(_PENDING, [shop.customer]).fetchone()
    assert row is not None
    return row[0]
