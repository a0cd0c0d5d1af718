"""The API as a process: what it does with open connections when it is asked to stop."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local.ports import free_port
from libs.testkit.callers import Callers
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from libs.testkit.faults import ServiceProcess, running
from tests.e2e.api.conftest import product


@asynccontextmanager
async def api_process(
    database: Database, folder: Path
) -> AsyncGenerator[tuple[ServiceProcess, int]]:
    """Run the process, and yield it with the port it serves."""
    port, side_port = free_port(), free_port()
    environment = {
        "API_DATABASE_URL": database.url_for("orderly_api"),
        "API_PORT": str(port),
        "API_PROCESS_SIDE_PORT": str(side_port),
        "API_AUTHENTICATION_ISSUERS": Callers(folder).settings.issuers,
        "API_CURSOR_SECRET": "a secret of the tests",
    }
    async with running("services.api", environment=environment, side_port=side_port) as process:
        yield process, port


def head(folder: Path, content: bytes, *, announced: int | None = None) -> bytes:
    length = len(content) if announced is None else announced
    token = Callers(folder).token("staff-1", "staff")
    return (
        "PUT /v1/products/TEE HTTP/1.1\r\nHost: api\r\nIf-None-Match: *\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


async def test_a_request_in_flight_is_finished_when_the_process_drains(
    database: Database, tmp_path: Path
) -> None:
    content = json.dumps(product()).encode()
    async with api_process(database, tmp_path) as (process, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head(tmp_path, content) + content[:10])
        await writer.drain()
        ending = asyncio.create_task(process.terminate())
        await eventually(lambda: refuses_connections(port))

        writer.write(content[10:])
        answer = await reader.read()
        status = await ending

    assert answer.startswith(b"HTTP/1.1 201")
    assert status == 0


async def refuses_connections(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return True
    writer.close()
    return False


async def test_a_body_announced_as_too_large_is_refused_unread(
    database: Database, tmp_path: Path
) -> None:
    async with api_process(database, tmp_path) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head(tmp_path, b"", announced=70_000))
        await writer.drain()

        async with asyncio.timeout(5):
            answer = await reader.readuntil(b"\r\n")
        writer.close()

    # The words behind the number differ between versions of Python.
    assert answer.startswith(b"HTTP/1.1 413 ")
