"""A payments context on a database of its own, and the simulator as a process."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from libs.testkit.databases import Database
from libs.testkit.payments.simulator_process import SimulatorProcess, simulator_process
from tests.integration.payments.harness import Payments, open_payments


@pytest.fixture
async def payments(database: Database) -> AsyncGenerator[Payments]:
    async with open_payments(database) as payments:
        yield payments


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncGenerator[SimulatorProcess]:
    async with simulator_process(tmp_path / "ledger.sqlite") as simulator:
        yield simulator
