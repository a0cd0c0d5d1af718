"""The feed of changed orders: nothing is skipped, whatever commits late, and nobody waits long."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import psycopg
import pytest

from libs.domain.orders.sql import changed_orders
from libs.domain.orders.sql.changed_orders import Change
from libs.domain.orders.use_cases.read_changes import read_changes
from libs.foundation.database.connections import Pool, open_pool
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.database.transaction import transaction
from libs.foundation.web.authentication import Principal
from libs.testkit.databases import Database
from tests.integration.statements import sequential_scans

STAFF: Final = Principal(kind="staff", name="staff-1", scopes=frozenset())
START: Final = Change(updated_at=datetime(2020, 1, 1, tzinfo=UTC), id=UUID(int=0))
_HISTORY: Final = """
    INSERT INTO orders.orders (id, number, customer_id, status, version, currency, taxes_included,
        subtotal_minor, discount_minor, tax_minor, total_minor, payment_provider,
        payment_source_kind, placed_at)
    SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, n,
        'c' || n %% 1000, 'confirmed', 2, 'EUR', true, 1, 0, 0, 1,
        'simulator', 'token', now()
    FROM generate_series(1, %s) AS n"""
_LINES: Final = """
    INSERT INTO orders.order_lines (order_id, line_no, sku, name, quantity, stock_tracked,
        unit_price_minor, discount_minor, tax_minor, total_minor)
    SELECT id, 1, 'TEE', 'The TEE', 1, true, 1, 0, 0, 1 FROM orders.orders"""
_CHANGE: Final = "UPDATE orders.orders SET version = version + 1, updated_at = clock_timestamp()"


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    with psycopg.connect(database.url) as connection:
        connection.execute(_HISTORY, (9,))
        connection.execute(_LINES)
    async with open_pool(DatabaseSettings(url=database.url_for("orderly_api")), "test") as pool:
        yield pool


async def numbers(pool: Pool, after: Change, *, rows_max: int = 100) -> tuple[list[int], Change]:
    async with transaction(pool) as tx:
        changes = await read_changes(tx, after, None, rows_max, STAFF)
    return [row.number for row in changes.rows], changes.end


async def test_pages_follow_each_other_in_the_order_of_changes(
    pool: Pool, database: Database
) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute(f"{_CHANGE} WHERE number = 3")

    first, end = await numbers(pool, START, rows_max=5)
    second, end = await numbers(pool, end, rows_max=5)
    third, same = await numbers(pool, end)

    assert first + second == [1, 2, 4, 5, 6, 7, 8, 9, 3]
    assert (third, same) == ([], end)


@pytest.mark.parametrize("role", ["orderly_api", "orderly_worker_orders", "postgres"])
async def test_a_change_that_commits_late_is_not_skipped(
    pool: Pool, database: Database, role: str
) -> None:
    _, end = await numbers(pool, START)
    url = database.url if role == "postgres" else database.url_for(role)

    with psycopg.connect(url) as late, psycopg.connect(database.url) as early:
        late.execute(f"{_CHANGE} WHERE number = 1")
        early.execute(f"{_CHANGE} WHERE number = 2")
        early.commit()
        meanwhile, end = await numbers(pool, end)
        late.commit()
    afterwards, _ = await numbers(pool, end)

    assert (meanwhile, afterwards) == ([], [1, 2])


async def test_who_has_begun_to_write_orders_holds_back_what_comes_after(
    pool: Pool, database: Database
) -> None:
    with psycopg.connect(database.url_for("orderly_worker_orders")) as late:
        late.execute("SELECT 1")
        with psycopg.connect(database.url) as early:
            early.execute(f"{_CHANGE} WHERE number = 2")
        # Its change is dated after the one above, and before that is read.
        seen, end = await numbers(pool, START)
        late.execute(f"{_CHANGE} WHERE number = 1")
    rest, _ = await numbers(pool, end)

    assert seen == [1, 3, 4, 5, 6, 7, 8, 9]
    assert rest == [2, 1]


@pytest.mark.parametrize("role", ["orderly_reader", "postgres"])
async def test_who_only_reads_holds_nothing_back(pool: Pool, database: Database, role: str) -> None:
    url = database.url if role == "postgres" else database.url_for(role)

    with psycopg.connect(url) as reader:
        reader.execute("SELECT count(*) FROM orders.orders")
        with psycopg.connect(database.url) as early:
            early.execute(f"{_CHANGE} WHERE number = 2")
        seen, _ = await numbers(pool, START)

    assert seen == [1, 3, 4, 5, 6, 7, 8, 9, 2]


async def test_a_page_is_read_from_the_index(database: Database) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute(_HISTORY, (20_000,))
        connection.execute("ANALYZE orders.orders")

    assert sequential_scans(database.url, (changed_orders,)) == {}
