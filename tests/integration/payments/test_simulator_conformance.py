"""The adapter to the payment simulator keeps the protocol, against the real process."""

from collections.abc import AsyncGenerator

import pytest

from libs.domain.payments.simulator_provider import SimulatorProvider
from libs.testkit.payments.provider_conformance import ProviderConformance
from libs.testkit.payments.simulator_process import SimulatorProcess
from tests.integration.payments.harness import simulator_provider


class TestSimulatorProvider(ProviderConformance):
    @pytest.fixture
    async def provider(self, simulator: SimulatorProcess) -> AsyncGenerator[SimulatorProvider]:
        async with simulator_provider(simulator.url) as provider:
            yield provider
