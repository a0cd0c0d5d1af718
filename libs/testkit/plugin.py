"""The pytest plugin: one pair of servers per run, a database and topics per test."""

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest

from libs.testkit import providers
from libs.testkit.databases import Database, DatabaseServer
from libs.testkit.test_run import RUN_VARIABLE, TestRun, current
from libs.testkit.topics import TopicMaker

_RUN: Final = pytest.StashKey[TestRun]()
_OUTCOMES: Final = pytest.StashKey["ServerTestOutcomes"]()
_NEED_SERVERS: Final = ("tests/integration/", "tests/e2e/", "tests/faults/")


class ServerTestOutcomes:
    """Counts the tests that need servers, so that a run which skipped them all cannot pass."""

    def __init__(self) -> None:
        self.ran = 0
        self.skipped = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.nodeid.startswith(_NEED_SERVERS):
            return
        if report.skipped:
            self.skipped += 1
        elif report.when == "call":
            self.ran += 1

    @property
    def all_skipped(self) -> bool:
        return self.skipped > 0 and self.ran == 0


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    run = TestRun.begin(os.environ)
    # Inherited by the worker processes, and by every server and service that a test starts.
    os.environ[RUN_VARIABLE] = str(run.folder)
    config.stash[_RUN] = run
    outcomes = ServerTestOutcomes()
    config.stash[_OUTCOMES] = outcomes
    config.pluginmanager.register(outcomes)


def pytest_report_header() -> str:
    return f"servers: {providers.chosen(os.environ)}, in {os.environ[RUN_VARIABLE]}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    outcomes = session.config.stash.get(_OUTCOMES, None)
    if outcomes is not None and outcomes.all_skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    outcomes = config.stash.get(_OUTCOMES, None)
    if outcomes is None:
        return
    if outcomes.all_skipped:
        terminalreporter.write_line(
            f"FAILED: all {outcomes.skipped} tests that need servers were skipped", red=True
        )
    elif outcomes.ran:
        provider = providers.chosen(os.environ)
        terminalreporter.write_line(f"{outcomes.ran} tests used servers: {provider}")


def pytest_unconfigure(config: pytest.Config) -> None:
    run = config.stash.get(_RUN, None)
    if run is not None:
        run.end()


@pytest.fixture(scope="session")
def run() -> TestRun:
    return current(os.environ)


@pytest.fixture(scope="session")
def postgres_server(run: TestRun) -> Iterator[DatabaseServer]:
    """Give the run's PostgreSQL server, with a migrated template on it."""
    server = run.database_server()
    yield server
    server.close()


@pytest.fixture(scope="session")
def kafka_bootstrap(run: TestRun) -> str:
    """Give the address of the run's broker."""
    return run.servers().kafka_bootstrap


@pytest.fixture
def database(postgres_server: DatabaseServer) -> Iterator[Database]:
    """Give the test a migrated database of its own."""
    with postgres_server.database() as database:
        yield database


@pytest.fixture(scope="module")
def module_database(postgres_server: DatabaseServer) -> Iterator[Database]:
    """Give the tests of one module a migrated database that they share."""
    with postgres_server.database() as database:
        yield database


@pytest.fixture
def topic_prefix() -> str:
    """Give a prefix for the names of topics and consumer groups of one test."""
    return f"t{uuid.uuid4().hex[:10]}."


@pytest.fixture
async def make_topics(kafka_bootstrap: str, topic_prefix: str) -> AsyncIterator[TopicMaker]:
    """Give a function that makes topics of the test's own and returns their real names."""
    maker = TopicMaker(kafka_bootstrap, topic_prefix)
    yield maker
    await maker.delete()
