"""The first layer: what it refuses, it refuses without looking."""

import asyncio
import json
from typing import Any

import pytest

from libs.foundation.web.admission import Admission
from libs.foundation.web.pressure import AdmissionSettings, Pressure, Signal
from libs.foundation.web.problems import Problems

SCOPE: dict[str, Any] = {"type": "http", "method": "POST", "path": "/v1/things", "headers": []}


class Inner:
    """The application behind the layer; answers only when it is released."""

    def __init__(self, *, released: bool = False) -> None:
        self.called = 0
        self.released = asyncio.Event()
        if released:
            self.released.set()

    async def __call__(self, scope: object, receive: object, send: Any) -> None:  # noqa: ANN401
        self.called += 1
        await self.released.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class Door:
    """The layer in front of `inner`, and what it looks at."""

    def __init__(
        self, inner: Inner, *, in_flight_max: int = 2, writes_in_flight_max: int = 2
    ) -> None:
        self.queue_full = False
        self.pool_waiting = 0
        self.settings = AdmissionSettings(
            writes_in_flight_max=writes_in_flight_max, pool_waiting_max=4
        )
        self.pressure = Pressure(self.settings)
        self._layer = Admission(
            inner,
            Problems("https://api.example/problems/"),
            {("POST", "/v1/things"): lambda: self.queue_full},
            self.pressure,
            self.settings,
            pool_waiting=lambda: self.pool_waiting,
            in_flight_max=in_flight_max,
        )

    async def ask(self, **changes: object) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def send(message: Any) -> None:  # noqa: ANN401
            sent.append(message)

        scope: Any = SCOPE | changes
        await self._layer(scope, unread, send)
        return sent

    async def status(self, **changes: object) -> int:
        return (await self.ask(**changes))[0]["status"]


async def unread() -> Any:  # noqa: ANN401
    pytest.fail("the body was read")


def retry_after_s(start: dict[str, Any]) -> int:
    return int(dict(start["headers"])[b"retry-after"])


async def test_a_full_queue_is_refused_before_routing_and_body() -> None:
    inner = Inner()
    door = Door(inner)
    door.queue_full = True

    start, body = await door.ask()

    assert inner.called == 0
    assert start["status"] == 503
    assert (b"content-type", b"application/problem+json") in start["headers"]
    assert json.loads(body["body"])["type"] == "https://api.example/problems/overloaded"


async def test_a_full_queue_does_not_close_other_doors() -> None:
    door = Door(Inner(released=True))
    door.queue_full = True

    assert await door.status(method="GET") == 200
    assert await door.status(path="/v1/others") == 200


async def test_waiting_callers_of_the_pool_close_the_doors_without_a_queue_to_writes() -> None:
    door = Door(Inner(released=True))
    door.pool_waiting = 4

    assert await door.status(path="/v1/others") == 503
    assert await door.status(path="/v1/others", method="GET") == 200
    assert await door.status() == 200


async def test_requests_beyond_the_bound_in_flight_are_refused_until_one_ends() -> None:
    inner = Inner()
    door = Door(inner, in_flight_max=2)
    first = [asyncio.create_task(door.ask()) for _ in range(2)]
    await asyncio.sleep(0)

    refused = await door.ask()
    inner.released.set()
    answers = await asyncio.gather(*first)
    later = await door.ask()

    assert [each[0]["status"] for each in (refused, *answers, later)] == [503, 200, 200, 200]


async def test_writes_are_shed_before_reads() -> None:
    inner = Inner()
    door = Door(inner, in_flight_max=3, writes_in_flight_max=1)
    first = asyncio.create_task(door.ask())
    await asyncio.sleep(0)

    write = await door.status()
    reads = [asyncio.create_task(door.status(method="GET")) for _ in range(2)]
    await asyncio.sleep(0)
    one_too_many = await door.status(method="GET")
    inner.released.set()

    assert write == 503
    assert [await read for read in reads] == [200, 200]
    assert one_too_many == 503
    await first


async def test_a_hard_mark_sheds_every_write_and_no_read() -> None:
    door = Door(Inner(released=True))
    door.pressure.read({Signal.OUTBOX_AGE: 10_000.0})

    writes = [
        await door.status(method=method) for method in ("POST", "PUT", "PATCH", "DELETE", "X")
    ]
    reads = [await door.status(method=method) for method in ("GET", "HEAD", "OPTIONS")]

    assert writes == [503] * 5
    assert reads == [200] * 3


async def test_a_soft_mark_sheds_a_share() -> None:
    door = Door(Inner(released=True))
    door.pressure.read({Signal.OUTBOX_AGE: 570.0})

    statuses = [await door.status() for _ in range(100)]

    assert door.pressure.share == 0.5
    assert statuses.count(503) == 50


async def test_those_refused_together_are_not_told_to_come_back_together() -> None:
    door = Door(Inner())
    door.queue_full = True
    soon = [retry_after_s((await door.ask())[0]) for _ in range(30)]
    door.pressure.read({Signal.OUTBOX_AGE: 10_000.0})
    later = [retry_after_s((await door.ask())[0]) for _ in range(33)]

    assert {soon.count(wait_s) for wait_s in (1, 2, 3)} == {10}
    assert {later.count(wait_s) for wait_s in range(5, 16)} == {3}
