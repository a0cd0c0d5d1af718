"""Every status with its headers, over HTTP: what a client library and a proxy rely on."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx

from libs.foundation.ids import new_id
from libs.testkit.callers import Callers
from libs.testkit.databases import Database
from services.api.problem_types import PROBLEMS
from tests.e2e.api.conftest import Api, api_process, order
from tests.e2e.api.refusals import CANCEL, ROWS, Row

EVERY_ANSWER: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "private, no-store",
}
KEPT: Final = [EVERY_ANSWER["cache-control"]]
STOCK: Final = ("/v1/stock/TEE", "/v1/stock/TEE/movements")


@asynccontextmanager
async def served(database: Database, folder: Path) -> AsyncGenerator[tuple[Api, int]]:
    """Serve the API over HTTP."""
    async with (
        api_process(database, folder) as (_, port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        yield Api(client, Callers(folder)), port


async def cancelled_order(api: Api) -> str:
    """Leave a product, an order that is cancelled, and one with a reference; return the path."""
    await api.sell("TEE")
    path = (await api.place("first", order())).headers["location"]
    await api.call("POST", f"{path}/cancellation", CANCEL, idempotency_key="c1", if_match="*")
    named = await api.place("r1", order(external_reference="web-1"), caller="checkout")
    assert named.status_code == 201
    return path


async def test_every_refusal_has_its_status_headers_and_page(
    database: Database, tmp_path: Path
) -> None:
    async with served(database, tmp_path) as (api, _):
        path = await cancelled_order(api)

        wrong = [fault for each in ROWS for fault in faults(each, await ask(api, each, path))]

    assert wrong == []


async def ask(api: Api, each: Row, order_path: str) -> httpx.Response:
    path = each.path.format(order=order_path)
    if isinstance(each.content, bytes):
        headers = {name.replace("_", "-"): value for name, value in each.headers.items()}
        headers["authorization"] = f"Bearer {api.token(each.caller)}"
        return await api.client.request(each.method, path, content=each.content, headers=headers)
    return await api.call(each.method, path, each.content, caller=each.caller, **each.headers)


def faults(each: Row, answer: httpx.Response) -> list[str]:
    """Return what the answer says that the row does not."""
    problem = answer.json()
    seen = {
        "status": (answer.status_code, each.status),
        "status in the problem": (problem["status"], each.status),
        "type": (problem["type"], f"/problems/{each.code}"),
        "title": (problem["title"], PROBLEMS[each.code].title),
        "content-type": (answer.headers["content-type"], "application/problem+json"),
        "trace": (problem["instance"], f"urn:trace:{problem['trace_id']}"),
        **{
            name: (ordered(answer.headers.get(name)), ordered(value))
            for name, value in {**EVERY_ANSWER, **each.answered}.items()
        },
    }
    return [
        f"{each.why} ({each.method} {each.path}): {name} is {is_!r}, not {expected!r}"
        for name, (is_, expected) in seen.items()
        if is_ != expected
    ]


def ordered(value: str | None) -> object:
    """Compare lists of methods whatever their order."""
    methods = [] if value is None else value.split(", ")
    return sorted(methods) if all(method.isupper() for method in methods) else value


async def test_what_is_not_refused_has_its_headers_too(database: Database, tmp_path: Path) -> None:
    async with served(database, tmp_path) as (api, _):
        path = await cancelled_order(api)

        answers = {
            "read": await api.get(path),
            "unchanged": await api.get(path, if_none_match='W/"v2"'),
            "head": await api.call("HEAD", path),
            "head of a refusal": await api.call("HEAD", f"/v1/orders/{new_id()}"),
            "options": await api.client.options(path),
            "options of a list": await api.client.options("/v1/orders"),
            "replayed": await api.place("first", order()),
        }

    for name, answer in answers.items():
        assert EVERY_ANSWER.items() <= dict(answer.headers).items(), name
    read, head = answers["read"], answers["head"]
    assert (head.status_code, head.content) == (200, b"")
    assert without_quota(read) == without_quota(head)
    assert read.headers["etag"] == answers["unchanged"].headers["etag"] == '"v2"'
    assert (answers["unchanged"].status_code, answers["unchanged"].content) == (304, b"")
    assert (answers["head of a refusal"].status_code, answers["head of a refusal"].content) == (
        404,
        b"",
    )
    assert answers["options"].status_code == 204
    assert answers["options"].headers["allow"] == "GET, HEAD, OPTIONS"
    assert answers["options of a list"].headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert answers["replayed"].headers["idempotent-replayed"] == "true"
    assert not any("access-control" in name for each in answers.values() for name in each.headers)


async def test_nothing_that_is_read_is_kept_by_a_cache(api: Api) -> None:
    path = await cancelled_order(api)

    for read in ("/v1/orders", path, f"{path}/timeline", "/v1/products/TEE", *STOCK):
        answer = await api.get(read)

        assert (answer.status_code, answer.headers.get_list("cache-control")) == (200, KEPT), read


def without_quota(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "ratelimit"}


async def test_a_body_of_unannounced_length_is_refused_once_it_is_too_large(
    database: Database, tmp_path: Path
) -> None:
    async with served(database, tmp_path) as (api, port):
        answer = await raw(
            port,
            b"POST /v1/orders HTTP/1.1\r\nHost: api\r\n"
            + f"Authorization: Bearer {api.token('staff')}\r\n".encode()
            + b"Content-Type: application/json\r\nIdempotency-Key: k\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + b"8000\r\n" + b" " * 0x8000 + b"\r\n"
            b"8001\r\n" + b" " * 0x8001 + b"\r\n",
        )

    # The body has no end yet: it was refused before it was read whole.
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_what_is_no_http_is_refused_by_the_server(database: Database, tmp_path: Path) -> None:
    async with served(database, tmp_path) as (_, port):
        answer = await raw(port, b"FROB /v1/orders HTTP/1.1\r\nHost: api\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")


async def raw(port: int, request: bytes) -> bytes:
    """Send bytes as they are, and return the beginning of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await writer.drain()
    async with asyncio.timeout(10):
        answer = await reader.readuntil(b"\r\n")
    writer.close()
    return answer
