"""No statement of the payment path walks a whole table, however the planner caches its plan."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import psycopg

from libs.domain.payments.provider import Unknown
from libs.domain.payments.settlement import Attempted
from libs.domain.payments.sql import dispatch, operations, reconciliations, webhooks
from libs.domain.payments.sql.webhooks import Read
from libs.domain.payments.use_cases.authorise_payments import authorise_payments
from libs.domain.payments.use_cases.move_money import capture_payments
from libs.domain.payments.use_cases.record_outcomes import record_outcomes
from libs.domain.payments.use_cases.reduce_payments import reduce_payments
from libs.foundation.database.transaction import Transaction, transaction
from libs.testkit.databases import Database
from libs.testkit.payments.commands import authorise, capture, reduce
from tests.integration.payments.harness import QUICK, Payments

HISTORY: Final = """
    INSERT INTO payments.payments
        (order_id, provider, source_kind, state, currency, planned_minor, sequence)
    SELECT gen_random_uuid(), 'simulator', 'token', 'authorised', 'EUR', 100, 1
    FROM generate_series(1, 30000);
    INSERT INTO payments.operations
        (key, order_id, provider, kind, subject_id, amount_minor, currency, state)
    SELECT gen_random_uuid(), order_id, 'simulator', 'authorise', order_id, 100, 'EUR',
        'succeeded'
    FROM payments.payments;
    INSERT INTO payments.reductions (order_id, reduction_id, answered_at)
    SELECT order_id, gen_random_uuid(), now() FROM payments.payments;
    INSERT INTO payments.webhooks (provider, event_id, body, next_at, processed_at)
    SELECT 'simulator', 'evt_' || n, '{}', NULL, now() FROM generate_series(1, 30000) AS n;
    ANALYZE payments.payments, payments.operations, payments.reductions, payments.webhooks;"""


async def test_generic_plans_stay_on_the_indexes(database: Database, payments: Payments) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(HISTORY)
    commands = [authorise() for _ in range(100)]
    now = datetime.now(UTC) + timedelta(seconds=1)

    async with transaction(payments.pool) as tx:
        await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await authorise_payments(tx, commands)
        claimed = await dispatch.claim(tx, "simulator", 64, now, now)
        attempts = [
            Attempted(
                key=operation.key,
                order_id=operation.order_id,
                attempt=operation.attempts,
                outcome=Unknown(reason="lost"),
                next_at=now,
            )
            for operation in claimed
        ]
        await record_outcomes(tx, attempts, now, QUICK.patience())
        await reduce_payments(tx, [reduce(command.order_id) for command in commands])
        await capture_payments(tx, [capture(command.order_id) for command in commands])
        await webhooks.lock_due(tx, "simulator", 128, now)
        read = [Read(event_id=f"evt_{n}", outcome="late", next_at=None) for n in range(128)]
        await webhooks.note(tx, "simulator", read)
        await webhooks.expire(tx, now - timedelta(days=7), 100)
        keys = [operation.key for operation in claimed]
        await operations.orders(tx, "simulator", keys)
        await reconciliations.operations(tx, "simulator", keys)
        await reconciliations.payments(tx, [command.order_id for command in commands])
        await reconciliations.succeeded(tx, "simulator", (now, UUID(int=0)), now, 500)
        walked = await whole_tables_walked(tx)

    assert len(claimed) == 64
    assert walked == []


async def whole_tables_walked(tx: Transaction) -> list[str]:
    return await tx.fetch(
        str,
        """SELECT relname::text FROM pg_stat_xact_user_tables
           WHERE schemaname = 'payments' AND seq_scan > 0""",
    )
