"""Roles belong to a whole server: databases of one server may be migrated at the same moment."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final, LiteralString

import psycopg
import pytest

from deploy.local.database_url import with_database
from libs.foundation.database import migrate
from libs.testkit.dedicated import DedicatedServer, dedicated_postgres
from libs.testkit.eventually import eventually

WAITING: Final = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = 'second' AND wait_event_type = 'Lock'"""
SETTINGS: Final = """
    SELECT r.rolname, s.setconfig FROM pg_roles AS r
    LEFT JOIN pg_db_role_setting AS s ON s.setrole = r.oid AND s.setdatabase = 0
    WHERE r.rolname LIKE 'orderly\\_%' AND r.rolcanlogin"""
WANTED: Final = {
    "transaction_timeout=30s",
    "idle_in_transaction_session_timeout=10s",
    "lock_timeout=1s",
}
LOGINS: Final = 7


@pytest.fixture
async def server() -> AsyncGenerator[DedicatedServer]:
    """Give a server that no product role exists on."""
    async with dedicated_postgres() as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE second TEMPLATE template0")
        yield server


@pytest.mark.parametrize(
    ("before", "meanwhile"),
    [
        ("SELECT", "CREATE ROLE orderly_worker_payments LOGIN"),
        (
            "CREATE ROLE orderly_api LOGIN; ALTER ROLE orderly_api SET lock_timeout = '5s'",
            "ALTER ROLE orderly_api SET lock_timeout = '1s'",
        ),
    ],
)
async def test_what_another_database_makes_meanwhile_is_waited_for(
    server: DedicatedServer, before: LiteralString, meanwhile: LiteralString
) -> None:
    with (
        psycopg.connect(server.url) as first,
        psycopg.connect(server.url, autocommit=True) as watching,
    ):
        watching.execute(before)
        first.execute(meanwhile)

        second = asyncio.create_task(
            asyncio.to_thread(migrate.upgrade, with_database(server.url, "second"))
        )
        await eventually(lambda: count(watching, WAITING) == 1)
        first.commit()
        await second

        found = {role: set(settings or ()) for role, settings in watching.execute(SETTINGS)}
    assert len(found) == LOGINS
    assert all(settings >= WANTED for settings in found.values())


def count(connection: psycopg.Connection[Any], query: LiteralString) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
