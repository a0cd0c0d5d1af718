"""The adapter to the payment simulator keeps the protocol, against the real process."""

from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import UUID

import pytest

from libs.domain.payments.simulator_provider import SimulatorProvider
from libs.testkit.payments.books_conformance import BooksConformance, WebhookOf
from libs.testkit.payments.provider_conformance import ProviderConformance
from libs.testkit.payments.simulator_process import SimulatorProcess, simulator_process
from libs.testkit.payments.webhook_inbox import SECRET, WebhookInbox, webhook_inbox
from tests.integration.payments.harness import simulator_provider


class TestSimulatorProvider(ProviderConformance, BooksConformance):
    @pytest.fixture
    async def inbox(self) -> AsyncGenerator[WebhookInbox]:
        async with webhook_inbox() as inbox:
            yield inbox

    @pytest.fixture
    async def simulator(
        self, tmp_path: Path, inbox: WebhookInbox
    ) -> AsyncGenerator[SimulatorProcess]:
        environment = {"SIMULATOR_WEBHOOK_URL": inbox.url, "SIMULATOR_WEBHOOK_SECRET": SECRET}
        path = tmp_path / "ledger.sqlite"
        async with simulator_process(path, environment=environment) as simulator:
            yield simulator

    @pytest.fixture
    async def provider(self, simulator: SimulatorProcess) -> AsyncGenerator[SimulatorProvider]:
        async with simulator_provider(simulator.url) as provider:
            yield provider

    @pytest.fixture
    def webhook_of(self, simulator: SimulatorProcess, inbox: WebhookInbox) -> WebhookOf:
        async def webhook(key: UUID) -> bytes:
            await simulator.send_webhook(key)
            return (await inbox.next()).body

        return webhook
