"""The statements on idempotency keys stay lookups, with plans made before the table grew."""

from collections.abc import Iterator

import psycopg
import pytest

from libs.foundation.database.transaction import Transaction, transaction
from libs.foundation.web.reply import Reply
from libs.foundation.web.sql import idempotency_keys as keys
from libs.testkit.databases import Database
from tests.integration.web.conftest import Doors, claim_of

ROWS = 200_000
# What this transaction has read of the table, by sequential scans and through its indexes.
ROWS_READ = """
    SELECT pg_stat_get_xact_tuples_returned(t) + pg_stat_get_xact_tuples_fetched(t)
    FROM to_regclass('web.idempotency_keys') AS t"""
ANSWERS = [Reply(status=201, body=b"{}", headers={"ETag": '"v1"'})] * 64


@pytest.fixture
def grown(database: Database) -> Iterator[psycopg.Connection]:
    """Give a session that counts the rows read since; the table never had statistics."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("ALTER TABLE web.idempotency_keys SET (autovacuum_enabled = false)")
        yield connection


def grow(connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO web.idempotency_keys"
        " (principal, method, route, key, fingerprint, status, headers, body)"
        " SELECT 'machine:one', 'POST', '/v1/things', n::text, '\\x00', 201, '{}', '{}'"
        " FROM generate_series(1, %s) AS n",
        [ROWS],
    )


async def run_all(tx: Transaction, prefix: str) -> None:
    claims = [claim_of(f"{prefix}-{number}", "a") for number in range(64)]
    await keys.claim_at_once(tx, claims)
    await keys.stored(tx, claims)
    await keys.finish(tx, claims[:32], ANSWERS[:32])
    await keys.give_back(tx, claims[32:])


async def test_plans_made_while_the_table_was_empty_do_not_read_it_whole(
    doors: Doors, grown: psycopg.Connection
) -> None:
    pool = await doors.pool()
    async with pool.connection() as session:
        await session.execute("SET plan_cache_mode = force_generic_plan")
        async with transaction(session) as tx:  # To commit it: a rollback forgets all plans.
            await run_all(tx, "early")
        grow(grown)

        async with transaction(session) as tx:
            await run_all(tx, "late")
            (rows_read,) = await tx.fetch(int, ROWS_READ)

    assert rows_read < 1_000
