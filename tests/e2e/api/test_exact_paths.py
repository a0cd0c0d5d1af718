"""A path without parameters is answered as the framework would answer it, byte for byte."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import httpx
import msgspec
import pytest
from litestar.types import ASGIApp
from msgspec import Struct

from libs.foundation.web.application import Limits, application
from libs.foundation.web.endpoint import Call, Endpoint, Handler
from libs.foundation.web.exact_paths import ExactPaths
from libs.foundation.web.problems import Problems
from libs.foundation.web.reply import Reply, reply
from libs.testkit.callers import Callers, open_access
from libs.testkit.databases import Database
from tests.e2e.api.conftest import as_asgi


class Word(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    word: str = ""


_DECODER: Final = msgspec.json.Decoder(Word)


async def echo(call: Call) -> Reply:
    content = await call.content(_DECODER)
    return reply(
        201, {"word": content.word, "query": call.query(Word).word}, Location="/v1/words/1"
    )


async def read(call: Call) -> Reply:
    return reply(200, {"query": call.query(Word).word, "accept": call.headers("accept")})


def endpoint(method: str, handle: Handler) -> Endpoint:
    return Endpoint(
        method=method,
        path="/v1/words",
        handle=handle,
        scopes=("words",),
        summary="Words",
        answers={200: Word},
    )


class Doors(Struct, frozen=True):
    """The same application twice: as it is served, and without what is tested."""

    direct: httpx.AsyncClient
    framework: httpx.AsyncClient


@pytest.fixture
async def doors(module_database: Database, tmp_path: Path) -> AsyncIterator[Doors]:
    callers = Callers(tmp_path)
    open_to = {"staff": frozenset({"words"})}
    async with open_access(module_database.url_for("orderly_api"), callers, open_to) as access:
        served = application(
            [endpoint("POST", echo), endpoint("GET", read)],
            public=[],
            access=access,
            problems=Problems("/problems/"),
            limits=Limits(body_bytes_max=100, deadline_ms=5_000),
        )
        assert isinstance(served, ExactPaths)
        token = callers.token("staff-1", "staff", ["words"])
        async with client(served, token) as direct, client(served.framework, token) as framework:
            yield Doors(direct, framework)


def client(app: ASGIApp, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(as_asgi(app)),
        base_url="http://api",
        headers={"Authorization": f"Bearer {token}"},
    )


_JSON: Final = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("GET", "/v1/words", {}, b"", 200),
        ("GET", "/v1/words?word=a%20b", {}, b"", 200),
        ("GET", "/v1/words?word=a&word=b", {}, b"", 400),
        ("GET", "/v1/words/", {}, b"", 200),
        ("GET", "/v1/word", {}, b"", 404),
        ("HEAD", "/v1/words", {}, b"", 200),
        ("OPTIONS", "/v1/words", {}, b"", 204),
        ("DELETE", "/v1/words", {}, b"", 405),
        ("GET", "/v1/words", {"Host": "[::1]:80"}, b"", 200),
        ("GET", "/v1/words", {"Host": "a b"}, b"", 400),
        ("GET", "/v1/words", {"Accept": "text/html"}, b"", 406),
        ("GET", "/v1/words", {"Authorization": "Bearer x"}, b"", 401),
        ("POST", "/v1/words", _JSON, b'{"word":"a"}', 201),
        ("POST", "/v1/words", _JSON, b'{"word":1}', 400),
        ("POST", "/v1/words", _JSON, b"{", 400),
        ("POST", "/v1/words", _JSON, b'{"word":"' + b"a" * 100 + b'"}', 413),
        ("POST", "/v1/words", {"Content-Type": "text/plain"}, b"a", 415),
        ("POST", "/v1/words", _JSON | {"Content-Encoding": "gzip"}, b"{}", 415),
    ],
)
async def test_both_ways_answer_the_same(
    doors: Doors, method: str, path: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    direct, framework = [
        await each.request(method, path, headers=headers, content=body)
        for each in (doors.direct, doors.framework)
    ]

    assert direct.status_code == status
    assert direct.status_code == framework.status_code
    assert direct.content == framework.content
    # How much of a quota is left changes with every request.
    assert without_quota(direct) == without_quota(framework)


def without_quota(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "ratelimit"}
