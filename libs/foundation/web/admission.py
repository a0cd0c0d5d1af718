"""The first layer: says no before routing, authentication and body, when saying yes would queue."""

from collections.abc import Callable, Mapping
from typing import Final

from litestar.types import ASGIApp, Receive, Scope, Send

from libs.foundation.observability import metrics
from libs.foundation.web.problems import Problems
from libs.foundation.web.protection import PROTECTION
from libs.foundation.web.refusals import Overloaded
from libs.foundation.web.reply import PROBLEM_JSON

_SHED: Final = metrics.counter_by(
    "http_requests_shed_total", "Requests refused with 503 by the first layer.", "reason"
)
_IN_FLIGHT: Final = metrics.gauge("http_requests_in_flight", "Requests being answered.")

# Method and path of a door, and whether what waits behind it is full.
Doors = Mapping[tuple[str, str], Callable[[], bool]]


class Admission:
    """Sheds by two bounds: requests in flight, and the queue behind the door asked for."""

    def __init__(
        self, next_layer: ASGIApp, problems: Problems, doors: Doors, in_flight_max: int
    ) -> None:
        self._next_layer = next_layer
        self._doors = doors
        self._in_flight_max = in_flight_max
        self._in_flight = 0
        refusal = Overloaded()
        # Made once, without a trace id: a shed request must cost next to nothing.
        self._body = problems.of(refusal, "GET").body
        self._headers = [
            (b"content-type", PROBLEM_JSON.encode()),
            (b"content-length", str(len(self._body)).encode()),
            *((name.lower().encode(), value.encode()) for name, value in refusal.headers.items()),
            *PROTECTION,
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._next_layer(scope, receive, send)
            return
        door = self._doors.get((scope["method"], scope["path"]))
        if self._in_flight >= self._in_flight_max:
            await self._shed("in_flight", send)
        elif door is not None and door():
            await self._shed("queue", send)
        else:
            await self._admit(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._in_flight += 1
        _IN_FLIGHT.set(self._in_flight)
        try:
            await self._next_layer(scope, receive, send)
        finally:
            self._in_flight -= 1
            _IN_FLIGHT.set(self._in_flight)

    async def _shed(self, reason: str, send: Send) -> None:
        _SHED.of(reason).inc()
        await send({"type": "http.response.start", "status": 503, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body, "more_body": False})
