"""Drives the payments context as its worker would: commands in, events out, dispatchers running."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import aiohttp
import msgspec
import psycopg
from msgspec import Struct

from libs.contracts.payments import EVENT_DECODERS, PaymentCommand, PaymentEvent
from libs.domain.payments.consumers import CONSUMER
from libs.domain.payments.dispatcher import Dispatcher
from libs.domain.payments.provider import PaymentProvider
from libs.domain.payments.settings import DispatchSettings, SimulatorProviderSettings
from libs.domain.payments.simulator_provider import SimulatorProvider
from libs.foundation.database.connections import Pool, open_pool
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.database.transaction import transaction
from libs.foundation.resilience.breaker import BreakerSettings
from libs.foundation.resilience.retry import Backoff
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually

# As short as a test can bear: nothing here depends on the length, only on the order.
QUICK = DispatchSettings(
    poll_interval_min_ms=1,
    poll_interval_max_ms=5,
    call_timeout_ms=1_000,
    recovery_ms=2_000,
    backoff=Backoff(first_ms=1, cap_ms=20),
    breaker=BreakerSettings(samples_min=1_000_000),
)


class Clock:
    """Wall-clock time that a test can move forward."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def advance(self, ahead: timedelta) -> None:
        self._ahead += ahead


class OperationRow(Struct, frozen=True, kw_only=True):
    key: UUID
    kind: str
    state: str
    attempts: int
    outcome: str | None
    possibly_executed: bool


class PaymentRow(Struct, frozen=True, kw_only=True):
    state: str
    planned_minor: int
    due_minor: int
    authorised_minor: int
    captured_minor: int
    released_minor: int
    returned_minor: int
    refunded_minor: int


class Payments:
    def __init__(self, pool: Pool, door: Pool, admin: psycopg.AsyncConnection) -> None:
        self.pool = pool
        self.door = door  # As the API, which stores webhooks.
        self._admin = admin

    async def deliver(self, *commands: PaymentCommand) -> None:
        """Handle each command in a transaction of its own, in order."""
        for command in commands:
            await self.deliver_wave([command])

    async def deliver_wave(self, commands: Sequence[PaymentCommand]) -> None:
        """Handle commands of one type, of different orders, in one transaction."""
        handle = CONSUMER.handlers[type(commands[0]).type]
        async with transaction(self.pool) as tx:
            await handle(tx, commands)

    async def events(self, order_id: UUID) -> list[PaymentEvent]:
        """Return what the outbox holds about the order, checking the sequence 1..n."""
        cursor = await self._admin.execute(
            """SELECT type, payload, sequence FROM messaging.outbox
               WHERE aggregatetype = 'payment' AND aggregateid = %s ORDER BY seq""",
            (str(order_id),),
        )
        rows = await cursor.fetchall()
        assert [row[2] for row in rows] == list(range(1, len(rows) + 1))
        return [EVENT_DECODERS[row[0]].decode(row[1]) for row in rows]

    async def event_types(self, order_id: UUID) -> list[str]:
        return [event.type.split(".")[1] for event in await self.events(order_id)]

    async def operations(self, order_id: UUID) -> list[OperationRow]:
        cursor = await self._admin.execute(
            """SELECT key, kind, state, attempts, outcome, possibly_executed
               FROM payments.operations WHERE order_id = %s ORDER BY turn""",
            (order_id,),
        )
        names = OperationRow.__struct_fields__
        return [
            msgspec.convert(dict(zip(names, row, strict=True)), OperationRow)
            for row in await cursor.fetchall()
        ]

    async def payment(self, order_id: UUID) -> PaymentRow:
        cursor = await self._admin.execute(
            """SELECT state, planned_minor, due_minor, authorised_minor, captured_minor,
                   released_minor, returned_minor, refunded_minor
               FROM payments.payments WHERE order_id = %s""",
            (order_id,),
        )
        row = await cursor.fetchone()
        assert row is not None
        return msgspec.convert(
            dict(zip(PaymentRow.__struct_fields__, row, strict=True)), PaymentRow
        )

    async def live(self) -> dict[str, int]:
        """Return what the database says the provider holds, by order."""
        cursor = await self._admin.execute(
            """SELECT order_id::text, authorised_minor - captured_minor - released_minor
               FROM payments.payments
               WHERE authorised_minor - captured_minor - released_minor > 0"""
        )
        return {str(row[0]): int(row[1]) for row in await cursor.fetchall()}

    async def settled(self) -> bool:
        """Say whether no operation is due, under way or waiting."""
        cursor = await self._admin.execute(
            "SELECT count(*) FROM payments.operations WHERE next_at IS NOT NULL"
        )
        row = await cursor.fetchone()
        return row == (0,)

    async def until_settled(self) -> None:
        await eventually(self.settled)

    async def name_reference(self, order_id: UUID, reference: str) -> None:
        """Say that the provider named the order's authorisation so."""
        await self._admin.execute(
            "UPDATE payments.payments SET provider_reference = %s WHERE order_id = %s",
            (reference, order_id),
        )


@asynccontextmanager
async def open_payments(database: Database) -> AsyncGenerator[Payments]:
    """Open the context as its own role; the test itself looks on as the superuser."""
    settings = DatabaseSettings(url=database.url_for("orderly_worker_payments"))
    api_settings = DatabaseSettings(url=database.url_for("orderly_api"))
    async with (
        open_pool(settings, "payments-test") as pool,
        open_pool(api_settings, "payments-test-door") as door,
        await psycopg.AsyncConnection.connect(database.url, autocommit=True) as admin,
    ):
        yield Payments(pool, door, admin)


@asynccontextmanager
async def dispatching(
    payments: Payments,
    provider: PaymentProvider,
    settings: DispatchSettings = QUICK,
    clock: Clock | None = None,
) -> AsyncGenerator[Dispatcher]:
    """Run a dispatcher until the block ends, then let it finish what is in flight."""
    stopping = asyncio.Event()
    dispatcher = Dispatcher(payments.pool, provider, settings, clock=clock or Clock())
    async with asyncio.TaskGroup() as group:
        group.create_task(dispatcher.run(stopping))
        try:
            yield dispatcher
        finally:
            stopping.set()


@asynccontextmanager
async def simulator_provider(url: str) -> AsyncGenerator[SimulatorProvider]:
    async with aiohttp.ClientSession() as session:
        yield SimulatorProvider(session, SimulatorProviderSettings(url=url))
