"""The provider in memory keeps the promises of a real one."""

import pytest

from libs.testkit.payments.memory_provider import MemoryProvider
from libs.testkit.payments.provider_conformance import ProviderConformance


class TestMemoryProvider(ProviderConformance):
    @pytest.fixture
    def provider(self) -> MemoryProvider:
        return MemoryProvider()
