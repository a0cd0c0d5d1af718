"""What the API is measured beside writes what the API writes, or the ratio says nothing."""

import hashlib
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from deploy.local.ports import LOOPBACK, free_port
from deploy.local.programs import postgres_programs
from libs.foundation.database.connections import open_connection
from libs.foundation.database.settings import DatabaseSettings
from libs.testkit.databases import Database
from loadtests.benchmarks.contenders.fastapi_shop import APPLICATION
from loadtests.benchmarks.peers.uvicorn_command import uvicorn_command
from loadtests.benchmarks.programs import Peer, running
from loadtests.benchmarks.sql import catalogue
from tests.e2e.api.conftest import Api

TOKEN = "a-token"
ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "loadtests" / "benchmarks" / "sql" / "one_order.sql"
BODY = {
    "currency": "EUR",
    "customer_id": "c_1",
    "lines": [{"sku": "CD-1", "quantity": 1}, {"sku": "CD-2", "quantity": 2}],
    "payment": {"source": {"provider": "simulator", "kind": "token", "value": "tok_good"}},
}
TABLES = """
    SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
    WHERE schemaname = 'orders' ORDER BY 1"""
BYTES = """
    SELECT (SELECT sum(octet_length(payload)) FROM messaging.outbox),
        (SELECT sum(octet_length(data)) FROM orders.timeline),
        (SELECT sum(octet_length(body)) FROM web.idempotency_keys)"""


class Books:
    """Tells what was written since it was opened."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection
        self._before = self._rows()
        self._bytes_before = self._bytes()

    def rows(self) -> dict[str, int]:
        return {name: count - self._before[name] for name, count in self._rows().items()}

    def bytes(self) -> list[int]:
        """Return the bytes of payloads, timeline entries and stored answers."""
        return [now - before for now, before in zip(self._bytes(), self._bytes_before, strict=True)]

    def _rows(self) -> dict[str, int]:
        names = [name for (name,) in self._connection.execute(TABLES).fetchall()]
        names += ["messaging.outbox", "web.idempotency_keys"]
        return {name: self._one(f"SELECT count(*) FROM {name}")[0] for name in names}

    def _bytes(self) -> list[int]:
        return [int(each or 0) for each in self._one(BYTES)]

    def _one(self, statement: str) -> tuple[Any, ...]:
        row = self._connection.execute(statement.encode()).fetchone()
        assert row is not None
        return row


@pytest.fixture
async def superuser(database: Database) -> AsyncIterator[psycopg.Connection[tuple[Any, ...]]]:
    async with open_connection(DatabaseSettings(url=database.url), "test") as connection:
        await catalogue.fill(connection)
    with psycopg.connect(database.url, autocommit=True) as connection:
        yield connection


@pytest.fixture
async def peer(database: Database, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Run the FastAPI shop, and give a client of it."""
    port = free_port()
    environment = {
        **os.environ,
        "BENCH_DATABASE_URL": database.url_for("orderly_api"),
        "BENCH_TOKEN_SHA256": hashlib.sha256(TOKEN.encode()).hexdigest(),
    }
    command = uvicorn_command(APPLICATION, port, 1)
    program = Peer("fastapi", command, environment, port, tmp_path / "fastapi.log")
    async with (
        running(program),
        httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{port}") as client,
    ):
        yield client


async def order(
    client: httpx.AsyncClient, key: str, body: dict[str, Any] = BODY, token: str = TOKEN
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    return await client.post("/v1/orders", json=body, headers=headers)


def pgbench_one_order(database: Database) -> None:
    program = postgres_programs(None) / "pgbench"
    options = ("-n", "-M", "prepared", "-t", "1")
    subprocess.run(
        [str(program), *options, "-f", str(SCRIPT), database.url], check=True, capture_output=True
    )


async def test_every_peer_writes_the_rows_that_the_api_writes(
    api: Api,
    peer: httpx.AsyncClient,
    database: Database,
    superuser: psycopg.Connection[tuple[Any, ...]],
) -> None:
    books = Books(superuser)
    placed = await api.place("one", BODY, caller="checkout")
    written, written_bytes = books.rows(), books.bytes()

    books = Books(superuser)
    answered = await order(peer, "two")
    by_fastapi = books.rows()

    books = Books(superuser)
    pgbench_one_order(database)
    by_pgbench, pgbench_bytes = books.rows(), books.bytes()

    assert placed.status_code == answered.status_code == 201, answered.text
    assert written["orders.order_lines"] == written["messaging.outbox"] == 2
    assert by_fastapi == written
    assert by_pgbench == written
    for ours, theirs in zip(written_bytes, pgbench_bytes, strict=True):
        assert theirs == pytest.approx(ours, rel=0.25)


async def test_the_fastapi_shop_refuses_what_the_api_refuses(
    peer: httpx.AsyncClient, superuser: psycopg.Connection[tuple[Any, ...]]
) -> None:
    books = Books(superuser)

    refused = [
        await order(peer, "one", token="another-token"),
        await order(peer, "two", {**BODY, "surprise": True}),
        await order(peer, "three", {**BODY, "lines": [{"sku": "CD-0", "quantity": 1}]}),
        await order(peer, "four", {**BODY, "currency": "USD"}),
        await order(peer, "five", {**BODY, "lines": [{"sku": "CD-1", "quantity": 0}]}),
    ]

    assert [answer.status_code for answer in refused] == [401, 422, 422, 422, 422]
    assert set(books.rows().values()) == {0}


async def test_the_fastapi_shop_answers_a_repeated_key_with_the_same_order(
    peer: httpx.AsyncClient, superuser: psycopg.Connection[tuple[Any, ...]]
) -> None:
    first = await order(peer, "one")
    books = Books(superuser)

    again = await order(peer, "one")
    other = await order(peer, "one", {**BODY, "customer_id": "c_2"})

    assert again.content == first.content
    assert other.status_code == 422
    assert set(books.rows().values()) == {0}
