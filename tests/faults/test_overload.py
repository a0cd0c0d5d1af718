"""Under load a server stops: every process stays small, and all recover by themselves."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import httpx
import psycopg
import pytest

from libs.testkit.memory import peak_mib
from tests.e2e.books import balanced
from tests.e2e.shop import Shop
from tests.e2e.stack import RunningStack
from tests.faults.buyers import Buyers, buying, decided

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# docs/operations.md names these caps.
CAPS_MIB: Final = {
    "api": 256,
    "outbox-relay": 256,
    "outbox-relay-2": 256,
    "worker-orders": 256,
    "worker-inventory": 256,
    "worker-payments": 256,
}
_BUYERS: Final = 16
_LOCK: Final = "LOCK TABLE inventory.stock IN ACCESS EXCLUSIVE MODE"


def too_large(stack: RunningStack) -> dict[str, float]:
    """Return the processes that passed their cap, and print the peaks of all."""
    peaks = {name: round(peak_mib(stack.pid(name))) for name in CAPS_MIB}
    print(f"peaks in MiB: {peaks}")  # noqa: T201
    return {name: peak for name, peak in peaks.items() if peak > CAPS_MIB[name]}


async def nothing_lost_or_doubled(shop: Shop, stack: RunningStack, buyers: Buyers) -> None:
    """Every order that was begun is there once and final, and all books agree."""
    took_s = await decided(stack, shop)
    print(  # noqa: T201
        f"{buyers.accepted} accepted, answers {dict(buyers.answers)}, drained after {took_s:.1f} s"
    )
    orders = await shop.settled()
    assert Counter(order.status for order in orders) == {"confirmed": buyers.accepted}
    assert await balanced(stack) == []
    await stack.repaired()


async def read_status(shop: Shop) -> int:
    try:
        return (await shop.client.get("/v1/products")).status_code
    except httpx.TransportError:
        return 0


@asynccontextmanager
async def away(stack: RunningStack, server: str, how: str) -> AsyncGenerator[None]:
    """Let a server hang, or kill it and start it again only at the end of the block."""
    if how == "hangs":
        with stack.frozen(server):
            yield
    else:
        async with stack.outage(server):
            yield


@pytest.mark.parametrize("how", ["hangs", "is dead"])
async def test_without_kafka_the_api_sheds_and_what_it_took_is_done_when_it_is_back(
    shop: Shop, own_stack: RunningStack, how: str
) -> None:
    async with buying(shop, _BUYERS) as buyers:
        await buyers.until_accepted(100)
        async with away(own_stack, "kafka", how):
            await buyers.until_shed(200)
            read_meanwhile = await read_status(shop)
        await buyers.until_accepted(100)

    assert read_meanwhile == 200
    assert set(buyers.retry_after_s) == {1, 2, 3}
    assert too_large(own_stack) == {}
    await nothing_lost_or_doubled(shop, own_stack, buyers)


@pytest.mark.parametrize("how", ["hangs", "is dead"])
async def test_without_postgresql_every_process_waits_and_recovers(
    shop: Shop, own_stack: RunningStack, how: str
) -> None:
    async with buying(shop, _BUYERS) as buyers:
        await buyers.until_accepted(100)
        async with away(own_stack, "postgres", how):
            await buyers.until_shed(100)
        await buyers.until_accepted(100)

    assert too_large(own_stack) == {}
    await nothing_lost_or_doubled(shop, own_stack, buyers)


async def test_with_a_consumer_that_does_not_move_its_backlog_stays_in_kafka(
    shop: Shop, own_stack: RunningStack
) -> None:
    async with buying(shop, _BUYERS) as buyers:
        await buyers.until_accepted(50)
        with psycopg.connect(own_stack.superuser_url) as connection:
            connection.execute(_LOCK)
            await buyers.until_accepted(1_000)
        await buyers.until_accepted(50)

    assert too_large(own_stack) == {}
    await nothing_lost_or_doubled(shop, own_stack, buyers)
