"""Sends the planned orders: a few at an easy rate, then the rest as fast as they are answered."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final, TypeVar

from msgspec import Struct

from loadtests.demo.plan import Plan, PlannedOrder, Twin
from loadtests.demo.shop import Answer, Shop

T = TypeVar("T")

IN_FLIGHT_MAX: Final = 64
# Latency of a platform that is not busy; in the rush that follows it is the length of the queue.
CALM_ORDERS_MAX: Final = 250
CALM_INTERVAL_S: Final = 0.04
_CALM_SHARE: Final = 10


class Sent(Struct, frozen=True, kw_only=True):
    """One planned order with its answer, and the answer to its twin if it had one."""

    order: PlannedOrder
    answer: Answer
    twin: Answer | None
    calm: bool


async def stock_the_shop(shop: Shop, plan: Plan, tick: Callable[[], None]) -> None:
    """Create every article, then receive its stock."""

    async def one(sku: str) -> None:
        await shop.put_product(sku, plan.prices[sku])
        if plan.stock[sku]:
            await shop.receive_stock(sku, plan.stock[sku])
        tick()

    await _bounded(one, plan.prices)


async def replay(shop: Shop, plan: Plan, answered: Callable[[Sent], None]) -> list[Sent]:
    """Send every order, the first tenth or less calmly; `answered` is called after each answer."""
    sent: list[Sent] = []
    calm_orders = min(CALM_ORDERS_MAX, len(plan.orders) // _CALM_SHARE)

    async def one(order: PlannedOrder, *, calm: bool = False) -> None:
        result = await _send(shop, order, calm=calm)
        sent.append(result)
        answered(result)

    async with asyncio.TaskGroup() as group:
        for order in plan.orders[:calm_orders]:
            group.create_task(one(order, calm=True))
            await asyncio.sleep(CALM_INTERVAL_S)
    await _bounded(one, plan.orders[calm_orders:])
    return sent


async def _send(shop: Shop, order: PlannedOrder, *, calm: bool) -> Sent:
    if order.twin is Twin.AT_ONCE:
        answer, twin = await asyncio.gather(shop.place(order), shop.place(order))
        return Sent(order=order, answer=answer, twin=twin, calm=calm)
    answer = await shop.place(order)
    twin = await shop.place(order) if order.twin is Twin.AFTERWARDS else None
    return Sent(order=order, answer=answer, twin=twin, calm=calm)


async def _bounded(run: Callable[[T], Awaitable[None]], items: Iterable[T]) -> None:
    """Run over `items` in order, at most IN_FLIGHT_MAX at once; the first error ends all."""
    pending = iter(items)

    async def lane(queue: Iterator[T]) -> None:
        for item in queue:
            await run(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT_MAX):
            group.create_task(lane(pending))
