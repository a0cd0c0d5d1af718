"""A worker that is killed between calls and their records loses nothing and repeats nothing."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from libs.testkit.payments.commands import authorise
from libs.testkit.payments.simulator_process import SimulatorProcess
from tests.integration.payments.harness import Payments

ROOT = Path(__file__).resolve().parents[3]
ENDS_MAX_S = 30


async def test_a_killed_worker_is_followed_by_one_that_asks_before_it_charges(
    database: Database, payments: Payments, simulator: SimulatorProcess
) -> None:
    commands = [authorise() for _ in range(100)]
    await simulator.set_faults({"kind": "hang_after", "operation": "authorise", "count": 20})
    await payments.deliver_wave(commands)

    async with worker(database, simulator) as first:
        await eventually(lambda: _charged(simulator, at_least=20))
        first.kill()
        await first.wait()
    async with worker(database, simulator) as second:
        await eventually(payments.settled, within_s=60)
        second.terminate()
        async with asyncio.timeout(ENDS_MAX_S):
            assert await second.wait() == 0

    live = {entry.order_id for entry in await simulator.ledger() if entry.live}
    assert live == {str(command.order_id) for command in commands}
    assert len(await simulator.ledger()) == len(commands)
    for command in commands:
        assert await payments.event_types(command.order_id) == ["payment_authorised"]


@asynccontextmanager
async def worker(
    database: Database, simulator: SimulatorProcess
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run the payments worker; no broker listens, so that only its dispatcher works."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.worker",
        "payments",
        cwd=ROOT,
        env={
            "WORKER_DATABASE_URL": database.url_for("orderly_worker_payments"),
            "WORKER_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "WORKER_PROVIDER_URL": simulator.url,
            "WORKER_PROCESS_SIDE_PORT": "0",
            "WORKER_DISPATCH_CALL_TIMEOUT_MS": "1000",
            "WORKER_DISPATCH_RECOVERY_MS": "2000",
        },
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _charged(simulator: SimulatorProcess, at_least: int) -> bool:
    return len(await simulator.ledger()) >= at_least
