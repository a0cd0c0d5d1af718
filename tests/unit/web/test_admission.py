"""The first layer: what it refuses, it refuses without looking."""

import asyncio
import json
from typing import Any

import pytest

from libs.foundation.web.admission import Admission
from libs.foundation.web.problems import Problems

SCOPE: dict[str, Any] = {"type": "http", "method": "POST", "path": "/v1/things", "headers": []}


class Inner:
    """The application behind the layer; answers only when it is released."""

    def __init__(self) -> None:
        self.called = 0
        self.released = asyncio.Event()

    async def __call__(self, scope: object, receive: object, send: Any) -> None:  # noqa: ANN401
        self.called += 1
        await self.released.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def unread() -> Any:  # noqa: ANN401
    pytest.fail("the body was read")


async def ask(layer: Admission, **changes: object) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:  # noqa: ANN401
        sent.append(message)

    scope: Any = SCOPE | changes
    await layer(scope, unread, send)
    return sent


def layer(inner: Inner, *, full: bool = False, in_flight_max: int = 2) -> Admission:
    problems = Problems("https://api.example/problems/")
    doors = {("POST", "/v1/things"): lambda: full}
    return Admission(inner, problems, doors, in_flight_max)


async def test_a_full_queue_is_refused_before_routing_and_body() -> None:
    inner = Inner()

    start, body = await ask(layer(inner, full=True))

    assert inner.called == 0
    assert start["status"] == 503
    assert (b"retry-after", b"1") in start["headers"]
    assert (b"content-type", b"application/problem+json") in start["headers"]
    assert json.loads(body["body"])["type"] == "https://api.example/problems/overloaded"


async def test_a_full_queue_does_not_close_other_doors() -> None:
    inner = Inner()
    inner.released.set()

    start, _ = await ask(layer(inner, full=True), method="GET")

    assert start["status"] == 200


async def test_requests_beyond_the_bound_in_flight_are_refused_until_one_ends() -> None:
    inner = Inner()
    admission = layer(inner, in_flight_max=2)
    first = [asyncio.create_task(ask(admission)) for _ in range(2)]
    await asyncio.sleep(0)

    refused = await ask(admission)
    inner.released.set()
    answers = await asyncio.gather(*first)
    later = await ask(admission)

    assert [each[0]["status"] for each in (refused, *answers, later)] == [503, 200, 200, 200]
