"""Webhooks decide like answers do: early, late, twice and unknown ones lose nothing."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import psycopg
from msgspec.structs import replace

from libs.domain.payments.settings import WebhookSettings
from libs.domain.payments.sql import webhooks
from libs.domain.payments.webhook_reader import WebhookReader
from libs.foundation.database.transaction import transaction
from libs.foundation.ids import new_id
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from libs.testkit.payments.commands import authorise, capture
from libs.testkit.payments.memory_provider import MemoryProvider, Mishap
from tests.integration.payments.harness import QUICK, Clock, Payments, dispatching

OFTEN = WebhookSettings(poll_interval_min_ms=1, poll_interval_max_ms=5, unmatched_wait_s=60)
# Nobody asks again: only a webhook can tell.
SILENT = replace(QUICK, accepted_poll_ms=600_000)


async def test_a_webhook_tells_what_no_answer_told(payments: Payments) -> None:
    command, provider = authorise(), MemoryProvider()
    provider.always = Mishap.ANSWERED_LATER
    await payments.deliver(command, capture(command.order_id))

    async with dispatching(payments, provider, SILENT), reading(payments, provider):
        for kind in ("authorise", "capture"):
            key = await accepted(payments, command.order_id, kind)
            await store(payments, f"evt_{kind}", provider.webhook(key))
            await eventually(lambda key=key: resolved(payments, command.order_id, key))

    assert await payments.event_types(command.order_id) == [
        "payment_authorised",
        "payment_captured",
    ]


async def test_a_webhook_before_the_answer_decides_and_the_answer_changes_nothing(
    payments: Payments,
) -> None:
    command, provider = authorise(), MemoryProvider()
    provider.gate.clear()
    await payments.deliver(command)

    async with dispatching(payments, provider), reading(payments, provider):
        await provider.arrived.wait()
        [operation] = await payments.operations(command.order_id)
        reference = f"auth_{operation.key.hex}"
        body = f'{{"key": "{operation.key}", "reference": "{reference}"}}'.encode()
        await store(payments, "evt_early", body)
        await eventually(lambda: resolved(payments, command.order_id, operation.key))
        provider.gate.set()
        await payments.until_settled()

    assert await payments.event_types(command.order_id) == ["payment_authorised"]


async def test_repeats_and_late_ones_change_nothing(payments: Payments, database: Database) -> None:
    command, provider = authorise(), MemoryProvider()
    await payments.deliver(command)
    async with dispatching(payments, provider):
        await payments.until_settled()
    [operation] = await payments.operations(command.order_id)

    for event_id in ("evt_1", "evt_1", "evt_2"):
        await store(payments, event_id, provider.webhook(operation.key))
    async with reading(payments, provider):
        await eventually(lambda: outcomes(database), lambda found: len(found) == 2)

    assert outcomes(database) == {"evt_1": "late", "evt_2": "late"}
    assert await payments.event_types(command.order_id) == ["payment_authorised"]


async def test_one_about_an_operation_nobody_knows_is_kept_until_it_is_known(
    payments: Payments, database: Database
) -> None:
    command, provider, clock = authorise(), MemoryProvider(), Clock()
    elsewhere = authorise(command.order_id)
    await payments.deliver(command)
    [operation] = await payments.operations(command.order_id)
    body = f'{{"key": "{operation.key}", "reference": "auth_1"}}'.encode()
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("DELETE FROM payments.operations")
        connection.execute("DELETE FROM payments.payments")
    await store(payments, "evt_1", body)

    async with reading(payments, provider, clock):
        await eventually(lambda: unmatched(payments))
        await payments.deliver(elsewhere)
        clock.advance(timedelta(minutes=2))
        await eventually(lambda: resolved(payments, command.order_id, operation.key))

    assert await payments.event_types(command.order_id) == ["payment_authorised"]


async def test_one_that_cannot_be_read_or_stored_holds_up_no_other(
    payments: Payments, database: Database
) -> None:
    first, second, provider = authorise(), authorise(), MemoryProvider()
    provider.always = Mishap.LOST_AFTER
    await payments.deliver(first, second)
    keys = [(await payments.operations(each.order_id))[0].key for each in (first, second)]
    # Two payments cannot have one authorisation: the second of these can never be stored.
    for number, key in enumerate(keys):
        body = f'{{"key": "{key}", "reference": "auth_same"}}'.encode()
        await store(payments, f"evt_{number}", body)
    await store(payments, "evt_other", b'{"about": "something else"}')

    async with reading(payments, provider):
        await eventually(lambda: outcomes(database), lambda found: len(found) == 3)

    assert sorted(outcomes(database).values()) == ["applied", "refused", "unreadable"]


async def test_processed_ones_are_forgotten_in_chunks_and_waiting_ones_never(
    payments: Payments, database: Database
) -> None:
    provider, clock = MemoryProvider(), Clock()
    for number in range(25):
        await store(payments, f"evt_{number}", b"{}")
    await store(payments, "evt_kept", f'{{"key": "{new_id()}", "reference": "a"}}'.encode())
    settings = replace(OFTEN, expiry_rows_max=10, housekeeping_interval_ms=5)

    async with reading(payments, provider, clock, settings):
        await eventually(lambda: outcomes(database), lambda found: len(found) == 25)
        clock.advance(timedelta(days=8))
        await eventually(lambda: stored(database), lambda left: left == {"evt_kept"})


@asynccontextmanager
async def reading(
    payments: Payments,
    provider: MemoryProvider,
    clock: Clock | None = None,
    settings: WebhookSettings = OFTEN,
) -> AsyncGenerator[None]:
    """Read webhooks until the block ends."""
    reader = WebhookReader(payments.pool, provider, settings, QUICK, clock=clock or Clock())
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(reader.run(stopping))
        group.create_task(reader.keep_house(stopping))
        try:
            yield
        finally:
            stopping.set()


async def store(payments: Payments, event_id: str, body: bytes) -> None:
    """Store a webhook as the API does, with the API's rights."""
    async with transaction(payments.door) as tx:
        await webhooks.store(tx, "simulator", event_id, body)


async def accepted(payments: Payments, order_id: UUID, kind: str) -> UUID:
    def is_accepted(found: list[UUID]) -> bool:
        return bool(found)

    async def look() -> list[UUID]:
        rows = await payments.operations(order_id)
        return [each.key for each in rows if each.kind == kind and each.state == "accepted"]

    return (await eventually(look, is_accepted))[0]


async def resolved(payments: Payments, order_id: UUID, key: UUID) -> bool:
    rows = {each.key: each.state for each in await payments.operations(order_id)}
    return rows[key] == "succeeded"


async def unmatched(payments: Payments) -> bool:
    return (await webhooks.backlog(payments.pool, "simulator")).unmatched == 1


def outcomes(database: Database) -> dict[str, str]:
    """Return what became of each webhook that is processed."""
    with psycopg.connect(database.url) as connection:
        rows = connection.execute(
            "SELECT event_id, outcome FROM payments.webhooks WHERE processed_at IS NOT NULL"
        ).fetchall()
    return dict(rows)


def stored(database: Database) -> set[str]:
    with psycopg.connect(database.url) as connection:
        rows = connection.execute("SELECT event_id FROM payments.webhooks").fetchall()
    return {row[0] for row in rows}
