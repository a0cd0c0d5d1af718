"""The role for people reads what reports and checks need, beside what it must not read."""

from typing import Final, LiteralString

import psycopg
import pytest

from libs.testkit.databases import Database
from loadtests.demo.evidence import read_database
from loadtests.demo.sql import evidence
from tests.integration.database.rows import ROWS

VALUES: Final = {"killed_at": "2026-11-23T08:00:00Z", "epoch": 0, "consumer": "orders-worker"}


async def test_the_demo_reads_its_evidence_as_the_reader(database: Database) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute(ROWS)

    read = await read_database(database.url_for("orderly_reader"))

    assert len(read.outbox_ids) == 50
    assert read.stock[0].reserved == read.stock[0].ledger_reserved == 50
    assert (read.inbox_claims, read.parked, read.broken_timelines) == (1, 2, 0)


@pytest.mark.parametrize(
    "query",
    [
        evidence.PROGRESS,
        evidence.COMPENSATING,
        evidence.UNPUBLISHED,
        evidence.LEASE,
        evidence.TAKEOVER,
        evidence.RESUMED,
        evidence.NOW,
    ],
)
def test_the_demo_follows_its_run_as_the_reader(
    module_database: Database, query: LiteralString
) -> None:
    # A query without parameters may hold a percent sign, which psycopg then leaves alone.
    values = VALUES if "%(" in query else None

    with psycopg.connect(module_database.url_for("orderly_reader")) as connection:
        assert len(connection.execute(query, values).fetchall()) == 1
