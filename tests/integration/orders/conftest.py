"""A shop of its own for each test, whose invariants are checked when the test is over."""

from collections.abc import AsyncIterator

import pytest

from libs.testkit.databases import Database
from libs.testkit.sql.invariants import broken_invariants
from tests.integration.shop import Shop, open_shop


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Shop]:
    async with open_shop(database) as shop:
        yield shop
    assert broken_invariants(database.url) == []
