"""The watch over a real database: what it learns, and what it makes of silence."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from msgspec.structs import replace

from libs.foundation.database.connections import Connection
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.web.pressure import AdmissionSettings, Level, Signal
from libs.foundation.web.pressure_watch import PressureWatch, watching
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from libs.testkit.proxy import Proxy, proxied
from tests.integration.messaging.relay_harness import Recorder, relay_settings, relaying, write

PROMPT = AdmissionSettings(
    question_interval_ms=20,
    question_timeout_ms=200,
    outbox_age_soft_ms=100,
    outbox_age_hard_ms=400,
    unanswered_soft_ms=500,
    unanswered_hard_ms=1_000,
)


class OpenWork:
    """Open work as old as a test says."""

    def __init__(self) -> None:
        self.oldest_s = 0.0

    async def age_s(self, connection: Connection) -> float:
        return self.oldest_s


@asynccontextmanager
async def watched(
    url: str, settings: AdmissionSettings = PROMPT, open_work: OpenWork | None = None
) -> AsyncGenerator[PressureWatch]:
    database = DatabaseSettings(url=url)
    async with watching(database, open_work or OpenWork(), settings) as watch:
        yield watch


@asynccontextmanager
async def behind_a_proxy(database: Database) -> AsyncGenerator[tuple[Proxy, str]]:
    parts = urlsplit(database.url_for("orderly_api"))
    async with proxied(parts.hostname or "127.0.0.1", parts.port or 5432) as proxy:
        login = parts.netloc.rpartition("@")[0]
        netloc = f"{login}@127.0.0.1:{proxy.port}"
        yield proxy, urlunsplit(parts._replace(netloc=netloc))


async def until_level(watch: PressureWatch, level: Level) -> None:
    await eventually(lambda: watch.pressure.level, lambda seen: seen is level)


async def test_the_door_closes_while_no_relay_publishes_and_opens_when_one_has(
    database: Database,
) -> None:
    async with watched(database.url_for("orderly_api")) as watch:
        await eventually(lambda: watch.readiness().ready)
        assert watch.pressure.level is Level.OPEN
        await write(database, "one", "two")
        await until_level(watch, Level.CLOSED)
        assert watch.pressure.signal is Signal.OUTBOX_AGE

        async with relaying(relay_settings(database, standby_poll_ms=20), Recorder()):
            await until_level(watch, Level.OPEN)

    assert watch.pressure.share == 0.0


async def test_open_work_that_gets_old_closes_the_door_too(database: Database) -> None:
    open_work = OpenWork()
    async with watched(database.url_for("orderly_api"), PROMPT, open_work) as watch:
        await eventually(lambda: watch.readiness().ready)

        open_work.oldest_s = 100_000.0
        await until_level(watch, Level.CLOSED)

    assert watch.pressure.signal is Signal.OPEN_WORK_AGE


@pytest.mark.parametrize("fault", ["freeze", "cut"])
async def test_a_database_that_does_not_answer_closes_the_door_slowly_and_opens_it_again(
    database: Database, fault: str
) -> None:
    async with behind_a_proxy(database) as (proxy, url), watched(url) as watch:
        await eventually(lambda: watch.readiness().ready)

        (proxy.freeze if fault == "freeze" else proxy.cut)()
        await until_level(watch, Level.SHEDDING)
        await until_level(watch, Level.CLOSED)
        assert watch.pressure.signal is Signal.UNANSWERED
        proxy.restore()
        await until_level(watch, Level.OPEN)


async def test_without_the_right_to_ask_the_process_is_never_ready(database: Database) -> None:
    with psycopg.connect(database.url, autocommit=True) as owner:
        owner.execute("REVOKE EXECUTE ON FUNCTION messaging.outbox_backlog FROM orderly_api")

    async with watched(database.url_for("orderly_api")) as watch:
        await until_level(watch, Level.CLOSED)

        assert not watch.readiness().ready
        assert watch.pressure.signal is Signal.UNANSWERED


async def test_it_holds_one_connection_and_no_transaction(database: Database) -> None:
    query = """
        SELECT count(*), count(*) FILTER (WHERE state = 'idle in transaction')
        FROM pg_stat_activity WHERE application_name = 'api-admission'
            AND datname = current_database()"""
    settings = replace(PROMPT, question_interval_ms=10)
    async with watched(database.url_for("orderly_api"), settings) as watch:
        await eventually(lambda: watch.readiness().ready)
        with psycopg.connect(database.url, autocommit=True) as owner:
            seen = {owner.execute(query).fetchone() for _ in range(50)}

    assert seen == {(1, 0)}
