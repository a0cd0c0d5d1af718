"""An operation that was left to a person ends when an operator asks, as the provider has it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from io import StringIO
from uuid import UUID

import psycopg
import pytest
from rich.console import Console

from libs.contracts.money import Money
from libs.contracts.payments import CapturePayment, PaymentCommand, RefundPayment
from libs.domain.payments.provider import Succeeded
from libs.domain.payments.settings import ReconciliationSettings
from libs.domain.payments.settler import Settler
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from libs.testkit.payments.commands import authorise, capture, reduce, refund
from libs.testkit.payments.memory_provider import MemoryProvider, Mishap
from services.operator.payments_commands import PaymentsCommands
from tests.integration.payments.harness import QUICK, Clock, Payments, dispatching

EAGER = ReconciliationSettings(look_interval_ms=5)


async def test_without_sure_it_is_shown_and_nothing_is_asked(
    payments: Payments, database: Database
) -> None:
    order_id, key = await left_open(payments, MemoryProvider())

    code, output = await settle(database, key, sure=False)

    assert code == 0
    assert f"order {order_id}: authorise 1999 EUR at simulator" in output
    assert "key_expired" in output
    assert asked(database) == []


async def test_the_providers_word_decides_and_what_waited_goes_on(
    payments: Payments, database: Database
) -> None:
    provider = MemoryProvider()
    order_id, key = await left_open(payments, provider)
    shipped = capture(order_id)
    await payments.deliver(shipped)
    reference = provider.make(Money(amount=1_999, currency="EUR"))
    provider.tell(key, Succeeded(reference=reference))

    async with settling(payments, provider), dispatching(payments, provider):
        code, output = await settle(database, key)
        await payments.until_settled()

    assert code == 0, output
    assert "settled: authorise is succeeded" in output
    assert await states(payments, order_id) == ["succeeded", "succeeded"]
    assert (await payments.payment(order_id)).captured_minor == shipped.amount.amount
    assert await payments.event_types(order_id) == [
        "payment_unresolved",
        "payment_authorised",
        "payment_captured",
    ]
    assert asked(database) == [("retry", "ada", "ticket 7")]


async def test_what_the_provider_does_not_know_stays_open_until_a_person_says_so(
    payments: Payments, database: Database
) -> None:
    provider = MemoryProvider()
    order_id, key = await left_open(payments, provider)

    async with settling(payments, provider):
        refused = await settle(database, key)
        settled = await settle(database, key, by_hand=True)
        again = await settle(database, key, by_hand=True)

    assert (refused[0], settled[0], again[0]) == (1, 0, 1)
    assert "refused: the provider knows nothing of it" in refused[1]
    assert "settled: authorise is failed" in settled[1]
    assert "is failed: nothing to settle" in again[1]
    assert (await payments.payment(order_id)).state == "declined"
    assert await payments.event_types(order_id) == ["payment_unresolved", "payment_declined"]


@pytest.mark.parametrize(("kind", "told"), [(capture, "capture_failed"), (refund, "refund_failed")])
async def test_money_that_never_moved_is_told_as_a_failure(
    payments: Payments,
    database: Database,
    kind: Callable[[UUID], CapturePayment | RefundPayment],
    told: str,
) -> None:
    provider, first = MemoryProvider(), authorise()
    before = [] if told == "capture_failed" else [capture(first.order_id)]
    await payments.deliver(first, *before)
    async with dispatching(payments, provider):
        await payments.until_settled()
    key = await forgotten(payments, provider, kind(first.order_id))

    async with settling(payments, provider):
        code, output = await settle(database, key, by_hand=True)

    assert code == 0, output
    assert (await states(payments, first.order_id))[-1] == "failed"
    assert (await payments.event_types(first.order_id))[-1] == told


async def test_a_release_the_provider_refuses_is_done_by_hand_or_stays(
    payments: Payments, database: Database
) -> None:
    provider, first = MemoryProvider(), authorise()
    await payments.deliver(first)
    async with dispatching(payments, provider):
        await payments.until_settled()
    [held] = provider.held.values()
    held.released = 1  # Somebody changed it there: the release of all is refused.
    await payments.deliver(reduce(first.order_id))
    async with dispatching(payments, provider):
        await payments.until_settled()
    key = (await payments.operations(first.order_id))[-1].key

    async with settling(payments, provider):
        refused = await settle(database, key)
        settled = await settle(database, key, by_hand=True)

    assert "refused: the provider refuses it: nothing_held" in refused[1]
    assert settled[0] == 0, settled[1]
    assert (await payments.payment(first.order_id)).state == "voided"
    assert (await payments.event_types(first.order_id))[-2:] == [
        "payment_unresolved",
        "payment_reduced",
    ]


async def test_a_step_the_payment_cannot_take_is_refused(
    payments: Payments, database: Database
) -> None:
    provider, first = MemoryProvider(), authorise()
    await payments.deliver(first)
    async with dispatching(payments, provider):
        await payments.until_settled()
    key = await forgotten(payments, provider, capture(first.order_id))
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("UPDATE payments.payments SET released_minor = authorised_minor")
    provider.tell(key, Succeeded(reference="cap_1"))

    async with settling(payments, provider):
        code, output = await settle(database, key, by_hand=True)

    assert code == 1
    assert "it cannot capture" in output
    assert (await states(payments, first.order_id))[-1] == "manual"


async def test_a_request_that_names_no_operation_is_refused(
    payments: Payments, database: Database
) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(
            """INSERT INTO messaging.operator_requests (id, owner, verb, key, requested_by, reason)
               VALUES (gen_random_uuid(), 'payments-settlement', 'retry', 'no key', 'ada', 'x')"""
        )

    async with settling(payments, MemoryProvider()):
        outcome = await eventually(lambda: outcome_of(database))

    assert outcome == "refused: no such operation"


async def left_open(payments: Payments, provider: MemoryProvider) -> tuple[UUID, UUID]:
    """Authorise, and lose every call until the provider may have forgotten the key."""
    command = authorise()
    return command.order_id, await forgotten(payments, provider, command)


async def forgotten(payments: Payments, provider: MemoryProvider, command: PaymentCommand) -> UUID:
    clock = Clock()
    provider.always = Mishap.LOST_BEFORE
    await payments.deliver(command)
    async with dispatching(payments, provider, clock=clock):
        calls = provider.calls.total()
        await eventually(lambda: _called_since(provider, calls))
        clock.advance(timedelta(hours=24))
        await payments.until_settled()
    provider.always = None
    operation = (await payments.operations(command.order_id))[-1]
    assert operation.state == "manual"
    return operation.key


async def _called_since(provider: MemoryProvider, calls: int) -> bool:
    return provider.calls.total() > calls


async def settle(
    database: Database, key: UUID, *, by_hand: bool = False, sure: bool = True
) -> tuple[int, str]:
    """Run the operators' command with an operator's rights."""
    written = StringIO()
    environ = {"OPERATOR_DATABASE_URL": database.url_for("orderly_operator")}
    commands = PaymentsCommands(environ, Console(file=written, width=200))
    code = await commands.settle(key, reason="ticket 7", by="ada", by_hand=by_hand, sure=sure)
    return code, written.getvalue()


@asynccontextmanager
async def settling(payments: Payments, provider: MemoryProvider) -> AsyncGenerator[None]:
    """Let a worker answer requests until the block ends."""
    settler = Settler(payments.pool, provider, QUICK, EAGER)
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(settler.run(stopping))
        try:
            yield
        finally:
            stopping.set()


async def states(payments: Payments, order_id: UUID) -> list[str]:
    return [operation.state for operation in await payments.operations(order_id)]


def asked(database: Database) -> list[tuple[str, str, str]]:
    with psycopg.connect(database.url) as connection:
        return connection.execute(
            "SELECT verb, requested_by, reason FROM messaging.operator_requests"
        ).fetchall()


def outcome_of(database: Database) -> str | None:
    with psycopg.connect(database.url) as connection:
        row = connection.execute(
            "SELECT outcome FROM messaging.operator_requests WHERE finished_at IS NOT NULL"
        ).fetchone()
    return None if row is None else str(row[0])
