"""Sends the planned orders with bounded concurrency, some of them twice."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final, TypeVar

from msgspec import Struct

from loadtests.demo.pace import Pace
from loadtests.demo.plan import Plan, PlannedOrder, Twin
from loadtests.demo.shop import Answer, Shop

T = TypeVar("T")

IN_FLIGHT_MAX: Final = 64


class Sent(Struct, frozen=True, kw_only=True):
    """One planned order with its answer, and the answer to its twin if it had one."""

    order: PlannedOrder
    answer: Answer
    twin: Answer | None


async def stock_the_shop(shop: Shop, plan: Plan, tick: Callable[[], None]) -> None:
    """Create every article, then receive its stock."""

    async def one(sku: str) -> None:
        await shop.put_product(sku, plan.prices[sku])
        if plan.stock[sku]:
            await shop.receive_stock(sku, plan.stock[sku])
        tick()

    await _bounded(one, plan.prices)


async def replay(
    shop: Shop, plan: Plan, pace: Pace, answered: Callable[[Sent], None]
) -> list[Sent]:
    """Send every order as `pace` allows; `answered` is called after each answer."""
    sent: list[Sent] = []

    async def one(order: PlannedOrder) -> None:
        await pace.enter()
        result = await _send(shop, order)
        sent.append(result)
        answered(result)

    await _bounded(one, plan.orders)
    return sent


async def _send(shop: Shop, order: PlannedOrder) -> Sent:
    if order.twin is Twin.AT_ONCE:
        answer, twin = await asyncio.gather(shop.place(order), shop.place(order))
        return Sent(order=order, answer=answer, twin=twin)
    answer = await shop.place(order)
    twin = await shop.place(order) if order.twin is Twin.AFTERWARDS else None
    return Sent(order=order, answer=answer, twin=twin)


async def _bounded(run: Callable[[T], Awaitable[None]], items: Iterable[T]) -> None:
    """Run over `items` in order, at most IN_FLIGHT_MAX at once; the first error ends all."""
    pending = iter(items)

    async def lane(queue: Iterator[T]) -> None:
        for item in queue:
            await run(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT_MAX):
            group.create_task(lane(pending))
