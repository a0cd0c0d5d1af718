"""The provider's books and ours are compared both ways, and every difference is written down."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime

import psycopg

from libs.contracts.money import Money
from libs.domain.payments.provider import NotExecuted, ObjectPage, Unknown
from libs.domain.payments.reconciler import Reconciler
from libs.domain.payments.settings import ReconciliationSettings
from libs.foundation.resilience.deadline import Deadline
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from libs.testkit.payments.commands import authorise, capture, reduce, refund
from libs.testkit.payments.memory_provider import MemoryProvider
from tests.integration.payments.harness import QUICK, Payments, dispatching

EAGER = ReconciliationSettings(look_interval_ms=5, page_rows=2, dead_after_s=1)


async def test_equal_books_have_no_difference(payments: Payments, database: Database) -> None:
    provider = await traded(payments)

    async with reconciling(payments, provider):
        outcome = await eventually(lambda: finished(database))

    assert outcome == "finished: 0 differences in 8 objects and 9 operations"
    assert differences(database) == []


async def test_every_kind_of_difference_is_found(payments: Payments, database: Database) -> None:
    provider = await traded(payments)
    stranger = provider.make(Money(amount=700, currency="EUR"))
    sold, cancelled, declined = by_fate(database)
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("UPDATE payments.operations SET amount_minor = 1 WHERE kind = 'refund'")
        connection.execute(
            "UPDATE payments.operations SET state = 'succeeded' WHERE order_id = %s", (declined,)
        )
        connection.execute(
            """UPDATE payments.operations SET key = gen_random_uuid()
               WHERE order_id = %s AND kind = 'authorise'""",
            (cancelled,),
        )
        connection.execute(
            "UPDATE payments.payments SET captured_minor = 1998 WHERE order_id = %s", (sold,)
        )

    async with reconciling(payments, provider):
        await eventually(lambda: finished(database))

    found = differences(database)
    assert [kind for kind, _, _ in found] == [
        "amount_differs",  # The refund's amount.
        "amount_differs",  # The sum captured of the authorisation.
        "state_differs",
        "unknown_here",  # Made by hand at the provider.
        "unknown_here",  # Its operation has another key here.
        "unknown_there",
    ]
    assert stranger in {subject for _, subject, _ in found}
    assert {cancelled, declined} <= {order_id for _, _, order_id in found}


async def test_what_is_under_way_is_left_to_the_next_comparison(
    payments: Payments, database: Database
) -> None:
    command, provider = authorise(), MemoryProvider()
    await payments.deliver(command)
    async with dispatching(payments, provider):
        await payments.until_settled()
    await payments.deliver(capture(command.order_id))
    [held] = provider.held.values()
    held.captured = 1_999  # Executed there, and the answer is on its way.

    async with reconciling(payments, provider):
        await eventually(lambda: finished(database))

    assert differences(database) == []


async def test_a_provider_that_cannot_list_leaves_it_incomplete_and_says_why(
    payments: Payments, database: Database
) -> None:
    async with reconciling(payments, Mute()):
        outcome = await eventually(lambda: finished(database))

    assert outcome == "stopped: the provider's list could not be read: status_503"


async def test_the_clock_begins_the_next_only_after_its_interval(
    payments: Payments, database: Database
) -> None:
    provider = MemoryProvider()
    async with reconciling(payments, provider):
        await eventually(lambda: finished(database))
        with psycopg.connect(database.url, autocommit=True) as connection:
            assert runs(database) == 1
            connection.execute(
                "UPDATE payments.reconciliations SET started_at = now() - interval '30 hours'"
            )
        await eventually(lambda: runs(database) == 2)


async def test_one_whose_worker_died_is_given_up_and_begun_anew(
    payments: Payments, database: Database
) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(
            """INSERT INTO payments.reconciliations (id, provider, since, started_at, alive_at)
               VALUES (gen_random_uuid(), 'simulator', now(), now() - interval '30 hours',
                   now() - interval '30 hours')"""
        )

    async with reconciling(payments, MemoryProvider()), reconciling(payments, MemoryProvider()):
        await eventually(lambda: runs(database) == 2)

    with psycopg.connect(database.url) as connection:
        rows = connection.execute(
            "SELECT outcome FROM payments.reconciliations ORDER BY started_at"
        ).fetchall()
    assert rows[0] == ("given up: its process died",)


class Mute(MemoryProvider):
    """Answers everything but a list."""

    async def objects(
        self, since: datetime, cursor: str | None, deadline: Deadline
    ) -> ObjectPage | NotExecuted | Unknown:
        return Unknown(reason="status_503")


async def traded(payments: Payments) -> MemoryProvider:
    """Settle one order that was sold and refunded, one cancelled, one declined, one captured."""
    provider = MemoryProvider()
    sold, cancelled, other = authorise(), authorise(), authorise(amount_minor=500)
    await payments.deliver(
        sold,
        capture(sold.order_id),
        refund(sold.order_id, amount_minor=300),
        cancelled,
        authorise(token="tok_decline_1"),
        other,
        capture(other.order_id, amount_minor=200),
    )
    async with dispatching(payments, provider):
        await payments.until_settled()
        await payments.deliver(reduce(cancelled.order_id), reduce(other.order_id))
        await payments.until_settled()
    return provider


def by_fate(database: Database) -> tuple[str, str, str]:
    """Return the orders that were sold, cancelled and declined."""
    with psycopg.connect(database.url) as connection:
        rows = connection.execute(
            """SELECT CASE WHEN refunded_minor > 0 THEN 'sold' ELSE state END, order_id::text
               FROM payments.payments WHERE state <> 'settled' OR refunded_minor > 0"""
        ).fetchall()
    fates = dict(rows)
    return fates["sold"], fates["voided"], fates["declined"]


@asynccontextmanager
async def reconciling(payments: Payments, provider: MemoryProvider) -> AsyncGenerator[None]:
    """Let a worker reconcile until the block ends."""
    reconciler = Reconciler(payments.pool, provider, EAGER, QUICK, uniform=lambda: 0.0)
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(reconciler.run(stopping))
        try:
            yield
        finally:
            stopping.set()


def finished(database: Database) -> str | None:
    with psycopg.connect(database.url) as connection:
        row = connection.execute(
            "SELECT outcome FROM payments.reconciliations WHERE finished_at IS NOT NULL"
        ).fetchone()
    return None if row is None else str(row[0])


def runs(database: Database) -> int:
    with psycopg.connect(database.url) as connection:
        row = connection.execute("SELECT count(*) FROM payments.reconciliations").fetchone()
    return 0 if row is None else int(row[0])


def differences(database: Database) -> list[tuple[str, str, str]]:
    with psycopg.connect(database.url) as connection:
        return connection.execute(
            """SELECT kind, subject, order_id FROM payments.reconciliation_differences
               ORDER BY kind"""
        ).fetchall()
