"""Reading key sets from an address or a file: nothing else than the document is followed."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from libs.foundation.web.bearer.key_sets import DOCUMENT_BYTES_MAX, KeySetRefused
from libs.foundation.web.bearer.key_sources import FileSource, UrlSource, open_session

DOCUMENT = b'{"keys": []}'


async def answer(request: web.Request) -> web.StreamResponse:
    match request.path:
        case "/jwks.json":
            return web.Response(body=DOCUMENT)
        case "/moved":
            raise web.HTTPFound("/jwks.json")
        case "/endless":
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(b" " * 8_192)
        case "/folded":
            folded = gzip.compress(DOCUMENT)
            return web.Response(body=folded, headers={"Content-Encoding": "gzip"})
        case _:
            raise web.HTTPServiceUnavailable


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    application = web.Application()
    application.router.add_get("/{name}", answer)
    server = TestServer(application)
    await server.start_server()
    yield server
    await server.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session(timeout_ms=5_000) as session:
        yield session


async def read(session: aiohttp.ClientSession, server: TestServer, path: str) -> bytes:
    return await UrlSource(session, str(server.make_url(path))).read()


async def test_the_document_is_read_as_it_is(
    session: aiohttp.ClientSession, server: TestServer
) -> None:
    assert await read(session, server, "/jwks.json") == DOCUMENT


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/moved", "302"), ("/endless", "larger"), ("/away", "503")],
)
async def test_nothing_is_followed_waited_for_or_gathered_without_end(
    session: aiohttp.ClientSession, server: TestServer, path: str, reason: str
) -> None:
    with pytest.raises(KeySetRefused, match=reason):
        await read(session, server, path)


async def test_nothing_is_unfolded(session: aiohttp.ClientSession, server: TestServer) -> None:
    assert (await read(session, server, "/folded"))[:2] == b"\x1f\x8b"


async def test_a_file_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    source = FileSource(str(file))
    with pytest.raises(FileNotFoundError):
        await source.read()

    file.write_bytes(DOCUMENT)
    assert await source.read() == DOCUMENT
    file.write_bytes(b" " * (DOCUMENT_BYTES_MAX + 1))
    with pytest.raises(KeySetRefused, match="larger"):
        await source.read()
