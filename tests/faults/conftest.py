"""What the tests of faults break: payments on a database of their own, and a stack with low marks.

The marks of the stack are low so that minutes are seconds.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Final

import pytest

from libs.testkit.databases import Database
from libs.testkit.test_run import TestRun
from tests.e2e.shop import Shop, open_shop
from tests.e2e.stack import RunningStack, held, shared_stack
from tests.integration.payments.harness import Payments, open_payments

_SETTINGS: Final = (
    "API_ADMISSION_QUESTION_INTERVAL_MS=200",
    "API_ADMISSION_OUTBOX_AGE_SOFT_MS=3000",
    "API_ADMISSION_OUTBOX_AGE_HARD_MS=8000",
    "API_ADMISSION_UNANSWERED_SOFT_MS=2000",
    "API_ADMISSION_UNANSWERED_HARD_MS=6000",
    "API_ADMISSION_RETRY_AFTER_MIN_S=1",
    "API_ADMISSION_RETRY_AFTER_MAX_S=3",
)


@pytest.fixture(scope="session")
def low_stack(run: TestRun) -> Iterator[RunningStack]:
    with shared_stack(run.folder / "low", *_SETTINGS) as stack:
        yield stack


@pytest.fixture
def own_stack(low_stack: RunningStack, run: TestRun) -> Iterator[RunningStack]:
    """Give the stack to one test at a time: each breaks it."""
    with held(run.folder / "low" / "turn"):
        yield low_stack


@pytest.fixture
async def shop(own_stack: RunningStack) -> AsyncIterator[Shop]:
    async with open_shop(own_stack) as shop:
        yield shop


@pytest.fixture
async def payments(database: Database) -> AsyncGenerator[Payments]:
    async with open_payments(database) as payments:
        yield payments
