"""The provider in memory keeps the promises of a real one."""

from uuid import UUID

import pytest

from libs.testkit.payments.books_conformance import BooksConformance, WebhookOf
from libs.testkit.payments.memory_provider import MemoryProvider
from libs.testkit.payments.provider_conformance import ProviderConformance


class TestMemoryProvider(ProviderConformance, BooksConformance):
    @pytest.fixture
    def provider(self) -> MemoryProvider:
        return MemoryProvider()

    @pytest.fixture
    def webhook_of(self, provider: MemoryProvider) -> WebhookOf:
        async def webhook(key: UUID) -> bytes:
            return provider.webhook(key)

        return webhook
