"""Code and schema find each other: too old refuses, too new waits, everything else starts."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, LiteralString

import psycopg
import pytest
from alembic.script import ScriptDirectory

from deploy.local.ports import free_port
from libs.foundation.database import migrate
from libs.foundation.database.connections import open_connection
from libs.foundation.database.schema import (
    CODE_REVISION,
    CodeOutdated,
    check_schema,
    schema_served,
)
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.runtime import Process
from libs.foundation.settings import ProcessSettings
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from libs.testkit.faults import ServiceProcess, running

CONTRACT: Final = "SELECT oldest_code_revision, schema_revision FROM messaging.schema_contract"
RAISE_OLDEST: Final = "UPDATE messaging.schema_contract SET oldest_code_revision = %s"
NEWER: Final = CODE_REVISION + 1
LOOK_S: Final = 0.02
REFUSED: Final = 78
STARTING: Final = "the process is starting"


@pytest.fixture
def settings(database: Database) -> DatabaseSettings:
    return DatabaseSettings(url=database.url_for("orderly_api"))


@pytest.fixture
async def process() -> Process:
    return Process("specimen", ProcessSettings(side_port=0))


def change(database: Database, statement: LiteralString, *values: int) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute(statement, values)


def test_the_code_needs_the_newest_migration(database: Database) -> None:
    (head,) = ScriptDirectory(str(migrate.MIGRATIONS)).get_heads()

    with psycopg.connect(database.url) as connection:
        contract = connection.execute(CONTRACT).fetchone()

    assert int(head) == CODE_REVISION
    assert contract is not None
    assert contract[0] <= CODE_REVISION == contract[1]


def test_the_schema_tells_each_revision_it_passes_both_ways(database: Database) -> None:
    passed: list[int] = []

    for revision in ("0003", "0001", "0002", "head"):
        walk = migrate.downgrade if revision in {"0003", "0001"} else migrate.upgrade
        walk(database.url, revision)
        with psycopg.connect(database.url) as connection:
            passed += [row[1] for row in connection.execute(CONTRACT)]

    assert passed == [3, 1, 2, CODE_REVISION]


@pytest.mark.parametrize(
    "role",
    [
        "orderly_api",
        "orderly_worker_orders",
        "orderly_worker_inventory",
        "orderly_worker_payments",
        "orderly_outbox_relay",
        "orderly_operator",
    ],
)
async def test_every_process_may_look(module_database: Database, role: str) -> None:
    settings = DatabaseSettings(url=module_database.url_for(role))

    async with open_connection(settings, "test") as connection:
        await check_schema(connection)


async def test_code_that_the_schema_left_behind_is_refused(
    database: Database, settings: DatabaseSettings, process: Process
) -> None:
    change(database, RAISE_OLDEST, NEWER)

    with pytest.raises(CodeOutdated, match=f"revision {NEWER} or newer, and this is"):
        await schema_served(settings, process)


async def test_older_code_that_is_still_served_starts(
    settings: DatabaseSettings, process: Process
) -> None:
    await schema_served(settings, process, code_revision=CODE_REVISION - 1)

    assert process.reasons_not_ready() == [STARTING]


async def test_newer_code_waits_unready_until_the_schema_has_come(
    database: Database, settings: DatabaseSettings, process: Process
) -> None:
    migrate.downgrade(database.url, "0005")

    async with served(settings, process) as start:
        await eventually(process.reasons_not_ready, lambda reasons: "revision 5" in reasons[-1])
        assert not start.done()
        await asyncio.to_thread(migrate.upgrade, database.url)
        await start

    assert process.reasons_not_ready() == [STARTING]


async def test_a_database_that_was_never_migrated_is_waited_for(
    database: Database, settings: DatabaseSettings, process: Process
) -> None:
    migrate.downgrade(database.url, "base")

    async with served(settings, process) as start:
        await eventually(process.reasons_not_ready, lambda reasons: "messaging" in reasons[-1])
        await asyncio.to_thread(migrate.upgrade, database.url)
        await start


async def test_a_database_that_does_not_answer_is_waited_for(process: Process) -> None:
    url = f"postgresql://somebody:hidden@127.0.0.1:{free_port()}/nothing"

    async with served(DatabaseSettings(url=url), process):
        reasons = await eventually(
            process.reasons_not_ready, lambda reasons: "cannot be read" in reasons[-1]
        )

    assert "hidden" not in reasons[-1]


async def test_a_refused_process_ends_with_the_reason(database: Database) -> None:
    change(database, RAISE_OLDEST, NEWER)

    async with relay(database) as child:
        assert await child.ends() == REFUSED

        assert f"the schema serves code of revision {NEWER} or newer" in child.output()
        assert "Traceback" not in child.output()


async def test_a_waiting_process_says_so_once_and_ends_well(database: Database) -> None:
    migrate.downgrade(database.url, "0005")

    async with relay(database) as child:
        await eventually(child.output, lambda output: "schema_awaited" in output)
        assert await child.terminate() == 0

        assert child.output().count("schema_awaited") == 1


@asynccontextmanager
async def served(
    settings: DatabaseSettings, process: Process
) -> AsyncGenerator[asyncio.Task[None]]:
    """Let a process look at the schema over and over, and end it with the test."""
    start = asyncio.create_task(schema_served(settings, process, look_s=LOOK_S))
    try:
        yield start
    finally:
        start.cancel()
        await asyncio.wait([start])


@asynccontextmanager
async def relay(database: Database) -> AsyncGenerator[ServiceProcess]:
    """Start a process that finds the schema as it is; it never comes to ask for its broker."""
    side_port = free_port()
    environment = {
        "RELAY_DATABASE_URL": database.url_for("orderly_outbox_relay"),
        "RELAY_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
        "RELAY_PROCESS_SIDE_PORT": str(side_port),
    }
    async with running(
        "services.outbox_relay", environment=environment, side_port=side_port, ready=False
    ) as child:
        yield child
