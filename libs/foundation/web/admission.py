"""The first layer: says no before routing, authentication and body, when saying yes would queue."""

from collections.abc import Callable, Mapping
from itertools import cycle
from random import SystemRandom
from typing import Final

from litestar.types import ASGIApp, Receive, Scope, Send

from libs.foundation.observability import metrics
from libs.foundation.web.pressure import AdmissionSettings, Pressure
from libs.foundation.web.problems import Problems
from libs.foundation.web.protection import PROTECTION
from libs.foundation.web.refusals import Overloaded
from libs.foundation.web.reply import PROBLEM_JSON

_SHED: Final = metrics.counter_by(
    "http_requests_shed_total", "Requests refused with 503 by the first layer.", "reason"
)
_IN_FLIGHT: Final = metrics.gauge("http_requests_in_flight", "Requests being answered.")
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# A queue is empty again within a second or two; the pressure of open work lasts.
_SOON_S: Final = range(1, 4)

# Method and path of a door, and whether what waits behind it is full.
Doors = Mapping[tuple[str, str], Callable[[], bool]]


class Admission:
    """Sheds by requests in flight, by the queue behind the door asked for, and by open work.

    Reads pass as long as there is room for any request. A write also needs room in its queue, or
    in the pool if it has none, and its share of what `pressure` lets in.
    """

    def __init__(
        self,
        next_layer: ASGIApp,
        problems: Problems,
        doors: Doors,
        pressure: Pressure,
        settings: AdmissionSettings,
        *,
        pool_waiting: Callable[[], int],
        in_flight_max: int,
    ) -> None:
        self._next_layer = next_layer
        self._doors = doors
        self._pressure = pressure
        self._pool_waiting = pool_waiting
        self._pool_waiting_max = settings.pool_waiting_max
        self._in_flight_max = in_flight_max
        self._writes_in_flight_max = min(settings.writes_in_flight_max, in_flight_max)
        self._in_flight = 0
        later_s = range(settings.retry_after_min_s, settings.retry_after_max_s + 1)
        self._soon = _Answers(problems, Overloaded(), _SOON_S)
        self._later = _Answers(problems, Overloaded("too much accepted work is waiting"), later_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._next_layer(scope, receive, send)
            return
        method = scope["method"]
        if self._in_flight >= self._in_flight_max:
            await self._shed("in_flight", self._soon, send)
        elif method in _READS:
            await self._admit(scope, receive, send)
        elif self._pressure.share and self._pressure.sheds_next():
            await self._shed(self._pressure.signal, self._later, send)
        elif (reason := self._full(method, scope["path"])) is not None:
            await self._shed(reason, self._soon, send)
        else:
            await self._admit(scope, receive, send)

    def _full(self, method: str, path: str) -> str | None:
        """Name the bound that a write meets."""
        if self._in_flight >= self._writes_in_flight_max:
            return "in_flight"
        door = self._doors.get((method, path))
        if door is not None:
            return "queue" if door() else None
        return "pool" if self._pool_waiting() >= self._pool_waiting_max else None

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._in_flight += 1
        _IN_FLIGHT.set(self._in_flight)
        try:
            await self._next_layer(scope, receive, send)
        finally:
            self._in_flight -= 1
            _IN_FLIGHT.set(self._in_flight)

    async def _shed(self, reason: str, answers: "_Answers", send: Send) -> None:
        _SHED.of(reason).inc()
        headers = next(answers.headers)
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": answers.body, "more_body": False})


class _Answers:
    """One refusal, ready-made once for each Retry-After: a shed request must cost next to nothing.

    The waits are dealt out in turn, so that clients that were refused together do not come back
    together. There is no trace id in it.
    """

    def __init__(self, problems: Problems, refusal: Overloaded, waits_s: range) -> None:
        self.body = problems.of(refusal, "POST").body
        shuffled = SystemRandom().sample(waits_s, len(waits_s))
        self.headers = cycle([self._with(wait_s) for wait_s in shuffled])

    def _with(self, wait_s: int) -> list[tuple[bytes, bytes]]:
        return [
            (b"content-type", PROBLEM_JSON.encode()),
            (b"content-length", str(len(self.body)).encode()),
            (b"retry-after", str(wait_s).encode()),
            *PROTECTION,
        ]
