"""One stack for all end-to-end tests of a run; a test that breaks it has it for itself."""

from collections.abc import AsyncIterator, Iterator

import pytest

from libs.testkit.test_run import TestRun
from tests.e2e.provider import Provider, open_provider
from tests.e2e.shop import Shop, open_shop
from tests.e2e.stack import RunningStack, held, shared_stack


@pytest.fixture(scope="session")
def started_stack(run: TestRun) -> Iterator[RunningStack]:
    with shared_stack(run.folder / "stack") as stack:
        yield stack


@pytest.fixture
def stack(started_stack: RunningStack, run: TestRun) -> Iterator[RunningStack]:
    """Give the stack to a test that only uses it."""
    with held(run.folder / "stack" / "turn", shared=True):
        yield started_stack


@pytest.fixture
def own_stack(started_stack: RunningStack, run: TestRun) -> Iterator[RunningStack]:
    """Give the stack to a test that breaks it, or looks at all of it, while no other uses it."""
    with held(run.folder / "stack" / "turn"):
        yield started_stack


@pytest.fixture
async def shop(request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    """Give a customer of the test's own."""
    async with open_shop(_stack(request)) as shop:
        yield shop


@pytest.fixture
async def provider(request: pytest.FixtureRequest) -> AsyncIterator[Provider]:
    """Give the payment provider, which works again after the test."""
    async with open_provider(_stack(request).simulator_url) as provider:
        yield provider


def _stack(request: pytest.FixtureRequest) -> RunningStack:
    """Return the stack in the way the test has it; `own_stack` is asked for by name."""
    name = "own_stack" if "own_stack" in request.fixturenames else "stack"
    stack: RunningStack = request.getfixturevalue(name)
    return stack
