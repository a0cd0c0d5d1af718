"""Quotas over a real database: exact across processes, cheap, and without the database too."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from math import inf
from time import perf_counter

import psycopg
import pytest
from prometheus_client import REGISTRY

from deploy.local.ports import free_port
from libs.foundation.database.connections import open_connection, open_pool
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.web.authentication import Principal
from libs.foundation.web.quotas.quota import Quota, QuotaSettings
from libs.foundation.web.quotas.quotas import Quotas
from libs.foundation.web.refusals import QuotaExceeded
from libs.foundation.web.sql import quota_buckets
from libs.foundation.web.sql.quota_buckets import Taken, Wish
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually

ADA = Principal(kind="guest", name="ada", scopes=frozenset())
HOUR_S = 3_600
# As many come back in an hour as there are, so none within a test.
SLOW = QuotaSettings(requests_max=100, window_s=HOUR_S)
OpenQuotas = Callable[..., Awaitable[Quotas]]


@pytest.fixture
async def open_quotas(database: Database) -> AsyncIterator[OpenQuotas]:
    """Give what opens the quotas of one more process."""
    async with AsyncExitStack() as stack:

        async def opened(settings: QuotaSettings = SLOW, url: str | None = None) -> Quotas:
            url = url or database.url_for("orderly_api")
            pool = await stack.enter_async_context(
                open_pool(DatabaseSettings(url=url, pool_size_max=1), "quotas", by_key=True)
            )
            quotas = Quotas(pool, {"guest": settings})
            stack.push_async_callback(quotas.close)
            return quotas

        yield opened


async def is_let_in(quotas: Quotas, principal: Principal = ADA) -> bool:
    try:
        await quotas.spend(principal)
    except QuotaExceeded:
        return False
    return True


async def test_two_processes_never_let_in_more_than_the_quota(open_quotas: OpenQuotas) -> None:
    one, other = await open_quotas(), await open_quotas()

    let_in = await asyncio.gather(*[is_let_in(each) for each in (one, other) * 150])

    assert let_in.count(True) == 100


async def test_principals_have_a_quota_each(open_quotas: OpenQuotas) -> None:
    quotas = await open_quotas(QuotaSettings(requests_max=5, window_s=HOUR_S))
    guests = [Principal(kind="guest", name=f"guest-{n}", scopes=frozenset()) for n in range(300)]

    let_in = await asyncio.gather(*[is_let_in(quotas, guest) for guest in guests * 6])

    assert let_in.count(True) == 300 * 5


async def test_requests_do_not_cost_a_statement_each(open_quotas: OpenQuotas) -> None:
    quotas = await open_quotas(QuotaSettings(requests_max=10_000, window_s=HOUR_S))
    before = statements()

    for _ in range(1_000):
        assert await is_let_in(quotas)
    await quotas.settled()

    assert statements() - before <= 3


def statements() -> float:
    return REGISTRY.get_sample_value("quota_statements_total") or 0.0


async def test_what_was_not_spent_goes_back_to_the_bucket(
    open_quotas: OpenQuotas, database: Database
) -> None:
    quotas = await open_quotas()
    for _ in range(3):
        assert await is_let_in(quotas)
    assert spent(database) == 7

    quotas.give_back(inf)
    await quotas.settled()

    assert spent(database) == 3
    quotas.give_back(inf)
    await quotas.settled()
    assert spent(database) == 3


async def test_a_process_that_ends_gives_everything_back(
    open_quotas: OpenQuotas, database: Database
) -> None:
    quotas = await open_quotas()
    await is_let_in(quotas)

    await quotas.close()

    assert spent(database) == 1


def spent(database: Database) -> int:
    """Return the requests that are gone from the bucket, as if no time had passed."""
    with psycopg.connect(database.url) as connection:
        row = connection.execute(
            "SELECT sum(ceil((spent_until_us - asked_at_us) / interval_us::numeric))::int"
            " FROM web.quota_buckets"
        ).fetchone()
    assert row is not None
    return row[0]


async def test_a_bucket_fills_by_its_rate_and_not_faster(database: Database) -> None:
    quota = Quota(200, 1)
    url = DatabaseSettings(url=database.url_for("orderly_api"))
    async with open_connection(url, "one") as one, open_connection(url, "other") as other:
        started_s = perf_counter()
        taken: list[Taken] = []
        while perf_counter() < started_s + 1.0:
            wish = Wish("guest:ada", 7, quota.interval_us, quota.window_us)
            for given in await asyncio.gather(
                quota_buckets.take(one, [wish]), quota_buckets.take(other, [wish])
            ):
                taken += given
        elapsed_us = (perf_counter() - started_s) * 1_000_000

    granted = sum(each.granted for each in taken)
    possible = quota.requests_max + elapsed_us / quota.interval_us
    assert possible - 25 <= granted <= possible
    assert all(0 <= each.granted <= 7 for each in taken)
    # The moment is older than the lock on the row, by as long as the other one held it.
    assert all(each.ahead_us <= quota.window_us + elapsed_us for each in taken)


async def test_batches_in_any_order_do_not_deadlock(database: Database) -> None:
    names = [f"guest:{n}" for n in range(60)]
    url = DatabaseSettings(url=database.url_for("orderly_api"))

    async def take_all(order: list[str]) -> int:
        async with open_connection(url, "batch") as connection:
            granted = 0
            for _ in range(20):
                wishes = [Wish(name, 1, 1_000_000, 10_000_000_000) for name in order]
                granted += sum(
                    each.granted for each in await quota_buckets.take(connection, wishes)
                )
            return granted

    assert await asyncio.gather(take_all(names), take_all(names[::-1])) == [1_200, 1_200]


async def test_a_full_bucket_needs_no_row(open_quotas: OpenQuotas, database: Database) -> None:
    quotas = await open_quotas(QuotaSettings(requests_max=10, window_s=1))
    slow = await open_quotas()
    await is_let_in(quotas, Principal(kind="guest", name="quick", scopes=frozenset()))
    await is_let_in(slow, Principal(kind="guest", name="slow", scopes=frozenset()))

    def kept() -> list[str]:
        with psycopg.connect(database.url, autocommit=True) as connection:
            connection.execute("SELECT web.expire_quota_buckets(10)")
            rows = connection.execute("SELECT principal FROM web.quota_buckets").fetchall()
        return [name for (name,) in rows]

    await eventually(kept, lambda names: names == ["guest:slow"])


async def test_without_the_database_each_gets_a_bounded_loan(open_quotas: OpenQuotas) -> None:
    nowhere = f"postgresql://orderly_api@127.0.0.1:{free_port()}/none"
    quotas = await open_quotas(SLOW, nowhere)

    let_in = [await is_let_in(quotas) for _ in range(20)]

    allotment = Quota(100, HOUR_S).allotment
    assert let_in == [True] * allotment + [False] * (20 - allotment)


async def test_a_bucket_that_hangs_is_not_waited_for(
    open_quotas: OpenQuotas, database: Database
) -> None:
    quotas = await open_quotas()
    with psycopg.connect(database.url) as connection:
        connection.execute("LOCK TABLE web.quota_buckets")

        started_s = perf_counter()
        let_in = await asyncio.gather(*[is_let_in(quotas) for _ in range(50)])
        waited_s = perf_counter() - started_s

    assert let_in.count(True) == Quota(100, HOUR_S).allotment
    assert waited_s < 2
