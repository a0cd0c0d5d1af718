"""The payments context on a database of its own, driven from outside its processes."""

from collections.abc import AsyncGenerator

import pytest

from libs.testkit.databases import Database
from tests.integration.payments.harness import Payments, open_payments


@pytest.fixture
async def payments(database: Database) -> AsyncGenerator[Payments]:
    async with open_payments(database) as payments:
        yield payments
