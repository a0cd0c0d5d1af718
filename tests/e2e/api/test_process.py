"""The API as a process: what it does with open connections when it is asked to stop."""

import asyncio
import json
from pathlib import Path

import aiohttp

from libs.testkit.callers import Callers
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from libs.testkit.faults import ServiceProcess
from tests.e2e.api.conftest import api_process, product


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


async def test_nobody_enters_before_the_process_knows_its_issuers_keys(
    database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "issuer"
    folder.mkdir()
    callers = Callers(folder)
    callers.key_set.unlink()
    pinned = {"API_AUTHENTICATION_ISSUERS": callers.settings.issuers}
    bearer = {"Authorization": f"Bearer {callers.token('staff-1', 'staff')}"}
    async with (
        api_process(database, tmp_path, pinned, ready=False) as (process, port),
        aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=bearer) as session,
    ):
        await eventually(lambda: unready(process), lambda reasons: "the keys of" in reasons)
        async with session.get("/v1/orders") as refused:
            assert (refused.status, refused.headers["Retry-After"]) == (503, "1")

        callers.publish()
        await process.until_ready()

        async with session.get("/v1/orders") as answer:
            assert answer.status == 200


async def unready(process: ServiceProcess) -> str:
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{process.side_url}/readyz") as answer,
        ):
            return await answer.text()
    except aiohttp.ClientError:
        return ""


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
