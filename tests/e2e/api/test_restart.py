"""The API is restarted under load: another process takes over, and no request fails."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import aiohttp
import psycopg
import pytest

from deploy.local.ports import free_port
from libs.testkit.callers import Callers
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from libs.testkit.faults import ServiceProcess
from tests.e2e.api.conftest import api_process
from tests.e2e.api.processes import Load, lines_of, loaded

_CLIENTS: Final = 16
_RESTARTS: Final = 3
_PRODUCT: Final = """
    INSERT INTO orders.products (sku, name, price_minor, currency, active, stock_tracked)
    VALUES ('TEE', 'T-shirt', 2000, 'EUR', true, true)"""


def orders_in(database: Database) -> int:
    with psycopg.connect(database.url) as connection:
        row = connection.execute("SELECT count(*) FROM orders.orders").fetchone()
    assert row is not None
    return row[0]


def sell(database: Database) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute(_PRODUCT)


async def more(load: Load, number: int) -> None:
    """Wait until so many more orders are placed."""
    wanted = load.answers[201] + number
    await eventually(lambda: load.answers[201] >= wanted)


def complaints(process: ServiceProcess) -> list[str]:
    """Return what it complained about; of a busy machine's database it may."""
    lines = lines_of(process, "warning", "error", "critical")
    return [line["event"] for line in lines if line["event"] != "admission_not_answered"]


@pytest.mark.slow
async def test_a_rolling_restart_under_load_fails_no_request(
    database: Database, tmp_path: Path
) -> None:
    sell(database)
    port = free_port()
    ended: list[tuple[ServiceProcess, int | None]] = []
    async with AsyncExitStack() as stack:

        async def start() -> ServiceProcess:
            process, _ = await stack.enter_async_context(
                api_process(database, tmp_path, {"API_SHARES_PORT": "true"}, port=port)
            )
            return process

        serving = await start()
        # A customer's quota would stop the load.
        token = Callers(tmp_path).token("staff-1", "staff")
        async with loaded(port, token, busy=_CLIENTS, thinking=_CLIENTS) as load:
            for _ in range(_RESTARTS):
                await more(load, 200)
                following = await start()
                ended.append((serving, await serving.terminate()))
                serving = following
            await more(load, 200)

    print(f"{load.answers[201]} orders, {load.goodbyes} connections ended")  # noqa: T201
    assert load.failures == {}
    assert set(load.answers) == {201}
    assert orders_in(database) == load.answers[201]
    assert load.goodbyes >= _RESTARTS
    assert [status for _, status in ended] == [0] * _RESTARTS
    assert [complaints(process) for process, _ in ended] == [[]] * _RESTARTS


async def test_while_a_process_drains_it_still_answers_and_says_goodbye(
    database: Database, tmp_path: Path
) -> None:
    sell(database)
    async with (
        api_process(database, tmp_path, {"API_PROCESS_DRAIN_DELAY_MS": "15000"}) as (process, port),
        aiohttp.ClientSession() as session,
    ):
        page = f"http://127.0.0.1:{port}/openapi.json"
        before = await session.get(page)
        await session.post(f"{process.side_url}/drainz")
        during = [await session.get(page) for _ in range(3)]
        ready = await session.get(f"{process.side_url}/readyz")
        state = await (await session.get(f"{process.side_url}/drainz")).json()

    assert "close" not in before.headers.get("Connection", "")
    assert {each.status for each in (before, *during)} == {before.status}
    assert {each.headers["Connection"] for each in during} == {"close"}
    assert ready.status == 503
    assert (state["phase"], state["reason"]) == ("draining", "POST /drainz")
    assert state["waiting_for"] == ["serve"]


async def test_a_connection_that_was_queued_when_the_listener_closes_is_still_answered(
    database: Database, tmp_path: Path
) -> None:
    sell(database)
    async with api_process(database, tmp_path) as (process, port):
        process.pause()
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        for _, writer in opened:
            writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: api\r\n\r\n")
        ending = asyncio.create_task(process.terminate())
        process.resume()
        answers = [await reader.readuntil(b"\r\n") for reader, _ in opened]
        status = await ending
        for _, writer in opened:
            writer.close()

    assert {answer.split()[0] for answer in answers} == {b"HTTP/1.1"}
    assert status == 0
