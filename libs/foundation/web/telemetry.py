"""One trace, one duration and at most one log line for each request."""

from random import random
from time import perf_counter
from typing import Final

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from libs.foundation.observability import metrics, tracing
from libs.foundation.observability.logs import get_logger

_DURATION: Final = metrics.histogram_by(
    "http_request_duration_seconds",
    "Time from the first byte of a request to the last of its answer.",
    "method",
    "route",
    "status",
    series_max=500,
)
_UNROUTED: Final = "(none)"
_METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})
_FIRST_CLIENT_ERROR: Final = 400
_NOTHING_SENT: Final = 0
_log: Final = get_logger(__name__)


class Telemetry:
    """Continues the caller's trace; logs every refusal and `log_ratio` of the rest."""

    def __init__(self, next_layer: ASGIApp, log_ratio: float) -> None:
        self._next_layer = next_layer
        self._log_ratio = log_ratio

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._next_layer(scope, receive, send)
            return
        started_s = perf_counter()
        status = _NOTHING_SENT

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        method = scope["method"] if scope["method"] in _METHODS else metrics.OTHER
        with tracing.span_from(_traceparent(scope), method, kind=tracing.SpanKind.SERVER) as span:
            await self._next_layer(scope, receive, watch)
            route = str(scope.get("path_template") or _UNROUTED)
            elapsed_s = perf_counter() - started_s
            _DURATION.of(method, route, str(status)).observe(elapsed_s)
            if span.is_recording():
                span.update_name(f"{method} {route}")
                span.set_attribute("http.route", route)
                span.set_attribute("http.response.status_code", status)
            self._write_line(method, route, status, elapsed_s)

    def _write_line(self, method: str, route: str, status: int, elapsed_s: float) -> None:
        if status >= _FIRST_CLIENT_ERROR or random() < self._log_ratio:  # noqa: S311 - a sample.
            _log.info(
                "request_answered",
                method=method,
                route=route,
                status=status,
                duration_ms=round(elapsed_s * 1_000, 1),
            )


def _traceparent(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"traceparent":
            return value.decode("latin-1")
    return None
