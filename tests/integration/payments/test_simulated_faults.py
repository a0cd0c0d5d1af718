"""The simulator's ledger equals the database, whatever the simulator does on the way."""

import asyncio
import socket
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from msgspec.structs import replace

from libs.contracts.money import Money
from libs.domain.payments.dispatcher import Dispatcher
from libs.domain.payments.provider import NotExecuted, Release
from libs.foundation.ids import new_id
from libs.foundation.resilience.deadline import Deadline
from libs.testkit.eventually import eventually
from libs.testkit.payments.commands import authorise, reduce
from libs.testkit.payments.simulator_process import SimulatorProcess, simulator_process
from tests.integration.payments.harness import (
    QUICK,
    Clock,
    Payments,
    dispatching,
    simulator_provider,
)

IMPATIENT = replace(QUICK, call_timeout_ms=300, recovery_ms=600)


@pytest.mark.parametrize("kind", ["hang_after", "error_after", "reset_after", "garbled_after"])
async def test_a_charge_whose_answer_is_lost_is_found_and_not_repeated(
    payments: Payments, simulator: SimulatorProcess, kind: str
) -> None:
    command = authorise()
    await simulator.set_faults({"kind": kind, "operation": "authorise", "count": 1})
    await payments.deliver(command)

    async with (
        simulator_provider(simulator.url) as provider,
        dispatching(payments, provider, IMPATIENT),
    ):
        await payments.until_settled()

    [operation] = await payments.operations(command.order_id)
    assert (operation.state, operation.possibly_executed) == ("succeeded", True)
    assert await simulator.fault_hits() == [1]
    assert len(await simulator.ledger()) == 1
    await ledger_equals_database(payments, simulator)


@pytest.mark.parametrize("kind", ["rate_limit", "down"])
async def test_a_provider_that_turns_calls_away_is_tried_again(
    payments: Payments, simulator: SimulatorProcess, kind: str
) -> None:
    command = authorise()
    await simulator.set_faults({"kind": kind, "count": 2})
    await payments.deliver(command)

    patient = replace(QUICK, retry_after_max_ms=1)
    async with (
        simulator_provider(simulator.url) as provider,
        dispatching(payments, provider, patient),
    ):
        await payments.until_settled()

    assert await payments.event_types(command.order_id) == ["payment_authorised"]
    await ledger_equals_database(payments, simulator)


async def test_a_reduction_while_the_provider_hangs_leaves_no_live_authorisation(
    payments: Payments, simulator: SimulatorProcess
) -> None:
    command = authorise()
    await simulator.set_faults({"kind": "hang_after", "operation": "authorise", "count": 1})
    await payments.deliver(command)

    async with (
        simulator_provider(simulator.url) as provider,
        dispatching(payments, provider, IMPATIENT),
    ):
        await eventually(lambda: _charged(simulator))
        await payments.deliver(reduce(command.order_id))
        await payments.until_settled()

    assert [entry.status for entry in await simulator.ledger()] == ["released"]
    assert await payments.event_types(command.order_id) == ["payment_reduced"]
    await ledger_equals_database(payments, simulator)


async def test_a_connection_refused_is_provably_not_executed() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound and not listening: connections are refused.
        port = taken.getsockname()[1]
        async with simulator_provider(f"http://127.0.0.1:{port}") as provider:
            outcome = await provider.release(
                Release(key=new_id(), reference="a", amount=Money(amount=1, currency="EUR")),
                Deadline.after_ms(5_000),
            )

    assert isinstance(outcome, NotExecuted)
    assert outcome.attempted


async def test_a_provider_that_is_killed_and_comes_back_keeps_every_charge_once(
    payments: Payments, tmp_path: Path
) -> None:
    commands = [authorise() for _ in range(100)]
    path = tmp_path / "ledger.sqlite"
    await payments.deliver_wave(commands[:50])

    async with simulator_process(path) as first:
        port = int(first.url.rpartition(":")[2])
        async with (
            simulator_provider(first.url) as provider,
            dispatching(payments, provider, IMPATIENT),
        ):
            await eventually(lambda: _charged(first))
            await first.kill()
            await payments.deliver_wave(commands[50:])
            async with simulator_process(path, port) as second:
                await payments.until_settled()
                assert len(await second.ledger()) == len(commands)
                await ledger_equals_database(payments, second)

    types = [await payments.event_types(command.order_id) for command in commands]
    assert types == [["payment_authorised"]] * len(commands)


async def test_any_mix_of_faults_kills_and_reductions_ends_with_equal_ledgers(
    payments: Payments, simulator: SimulatorProcess
) -> None:
    commands = [
        authorise(token="tok_decline_1" if number % 10 == 0 else "tok_ok") for number in range(200)
    ]
    reduced = [command.order_id for command in commands[::4]]
    faults = ("hang_after", "error_after", "reset_after", "garbled_after", "rate_limit", "down")
    await simulator.set_faults(
        *({"kind": kind, "ratio": 0.05, "seed": seed} for seed, kind in enumerate(faults))
    )
    settings = replace(IMPATIENT, concurrency_max=16, retry_after_max_ms=1)
    clock = Clock()

    async with simulator_provider(simulator.url) as provider:
        await payments.deliver_wave(commands)
        for order_ids in (reduced[:20], reduced[20:40]):
            doomed = Dispatcher(payments.pool, provider, settings, clock=clock)
            running = asyncio.create_task(doomed.run(asyncio.Event()))
            await payments.deliver(*(reduce(order_id) for order_id in order_ids))
            running.cancel()  # As a crash: what is in flight is neither finished nor recorded.
            await asyncio.gather(running, return_exceptions=True)
        clock.advance(timedelta(milliseconds=settings.recovery_ms))
        async with dispatching(payments, provider, settings, clock):
            await payments.deliver(*(reduce(order_id) for order_id in reduced[40:]))
            await payments.until_settled()

    assert sum(await simulator.fault_hits()) > 0
    live = await ledger_equals_database(payments, simulator)
    assert not live.keys() & {str(order_id) for order_id in reduced}
    for order_id in reduced:
        await _is_given_back(payments, order_id)


async def ledger_equals_database(payments: Payments, simulator: SimulatorProcess) -> dict[str, int]:
    """Compare what is held, order by order; the ledger may hold one authorisation per order."""
    entries = [entry for entry in await simulator.ledger() if entry.live]
    held = {entry.order_id: entry.amount for entry in entries}
    assert len(held) == len(entries)
    assert held == await payments.live()
    return held


async def _is_given_back(payments: Payments, order_id: UUID) -> None:
    assert (await payments.event_types(order_id))[-1] == "payment_reduced"


async def _charged(simulator: SimulatorProcess) -> bool:
    return len(await simulator.ledger()) > 0
