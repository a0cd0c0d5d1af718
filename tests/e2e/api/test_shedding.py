"""The API as a process while nothing is published: writes are shed, everything else is as ever."""

from pathlib import Path

import aiohttp
import psycopg

from libs.testkit.callers import Callers
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from tests.e2e.api.conftest import api_process, order
from tests.integration.messaging.relay_harness import Recorder, relay_settings, relaying

_PRODUCT = """
    INSERT INTO orders.products (sku, name, price_minor, currency, active, stock_tracked)
    VALUES ('TEE', 'T-shirt', 2000, 'EUR', true, true)"""


class Caller:
    """Places orders under keys, and reads them."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self._session = session
        self._url = url
        self.authorised = {"Authorization": f"Bearer {token}"}

    async def place(self, key: str) -> tuple[int, bytes, dict[str, str]]:
        headers = self.authorised | {"Idempotency-Key": f'"{key}"'}
        async with self._session.post(self._url, json=order(), headers=headers) as answer:
            named = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, await answer.read(), named

    async def status(self, method: str, headers: dict[str, str]) -> int:
        async with self._session.request(method, self._url, headers=headers) as answer:
            return answer.status


async def test_writes_are_shed_while_nothing_is_published_and_replays_with_them(
    database: Database, tmp_path: Path
) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute(_PRODUCT)
    async with (
        api_process(
            database,
            tmp_path,
            {
                "API_ADMISSION_QUESTION_INTERVAL_MS": "50",
                "API_ADMISSION_OUTBOX_AGE_SOFT_MS": "500",
                "API_ADMISSION_OUTBOX_AGE_HARD_MS": "1000",
            },
        ) as (process, port),
        aiohttp.ClientSession() as session,
    ):
        token = Callers(tmp_path).token("ada", "customer")
        caller = Caller(session, f"http://127.0.0.1:{port}/v1/orders", token)
        status, first, _ = await caller.place("one")
        assert status == 201

        await eventually(process.output, lambda output: '"state":"closed"' in output)
        shed, body, headers = await caller.place("one")
        forged = await caller.status("POST", {"Authorization": "Bearer nobody"})
        read = await caller.status("GET", caller.authorised)
        healthy = (await session.get(f"{process.side_url}/readyz")).status
        metrics = await (await session.get(f"{process.side_url}/metrics")).text()
        async with relaying(relay_settings(database, standby_poll_ms=20), Recorder()):
            replay = await eventually(lambda: caller.place("one"), lambda one: one[0] == 201)

    assert (shed, forged, read, healthy) == (503, 503, 200, 200)
    assert b"too much accepted work is waiting" in body
    assert 5 <= int(headers["retry-after"]) <= 15
    assert 'http_requests_shed_total{reason="outbox_age"} 2.0' in metrics
    assert "admission_shed_share 1.0" in metrics
    assert (replay[0], replay[1]) == (201, first)
    assert replay[2]["idempotent-replayed"] == "true"
