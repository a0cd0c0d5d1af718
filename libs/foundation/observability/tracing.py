"""Traces across processes: W3C trace context, head sampling, spans only for sampled traces.

The decision to record is taken once, where a trace begins, and travels in the last field of the
`traceparent`. An unsampled trace costs one context variable: no span object is made.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar, Token
from random import getrandbits, random
from types import TracebackType
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)

__all__ = [
    "Attributes",
    "SpanBlock",
    "SpanKind",
    "current_traceparent",
    "is_sampled",
    "links_from",
    "record_span",
    "span",
    "span_from",
    "trace_and_span_id",
    "use_provider",
]

Attributes = Mapping[str, str | bool | int | float]

LINKS_MAX: Final = 128

# Version 00 has exactly four fields; a later one may add fields, which are not read.
_TRACEPARENT: Final = re.compile(
    r"(?:00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
    r"|(?!00|ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?)"
)
_TRACE_ID: Final = slice(3, 35)
_SPAN_ID: Final = slice(36, 52)
_FLAGS: Final = slice(53, 55)
_SAMPLED: Final = 0x01

_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


class _Recording:
    """What the process records to; without a tracer decisions are taken but nothing is kept."""

    tracer: Tracer | None = None
    sample_ratio: float = 0.0


_recording: Final = _Recording()


def use_provider(provider: TracerProvider | None, sample_ratio: float) -> None:
    """Record this process's sampled spans to `provider`; None keeps only the trace context."""
    _recording.tracer = None if provider is None else provider.get_tracer("orderly")
    _recording.sample_ratio = sample_ratio


def current_traceparent() -> str | None:
    """Return the W3C `traceparent` of the current span or carried trace, sampled or not."""
    return _current.get()


def trace_and_span_id() -> tuple[str, str] | None:
    """Return the hexadecimal ids of the current trace and span."""
    traceparent = _current.get()
    return None if traceparent is None else (traceparent[_TRACE_ID], traceparent[_SPAN_ID])


def is_sampled(traceparent: str | None) -> bool:
    """Say whether the trace of a valid `traceparent` is recorded."""
    accepted = _accepted(traceparent)
    return accepted is not None and _has_sampled_flag(accepted)


class SpanBlock:
    """A `with` block in which a trace is current; yields the span, inert when not sampled."""

    __slots__ = ("_span", "_token", "_traceparent")

    def __init__(self, span: Span, traceparent: str) -> None:
        self._span = span
        self._traceparent = traceparent
        self._token: Token[str | None] | None = None

    def __enter__(self) -> Span:
        self._token = _current.set(self._traceparent)
        return self._span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _current.reset(self._token)
        if kind is not None and issubclass(kind, Exception):
            # Only the type: a message may quote personal data, and traces leave the house.
            self._span.set_attribute("error.type", f"{kind.__module__}.{kind.__qualname__}")
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
    links: Sequence[Link] | None = None,
) -> SpanBlock:
    """Open a span below the current one, or begin a trace.

    A trace begun with `links`, even an empty sequence, is recorded if it links any recorded
    trace; one begun without is recorded by the process's ratio.
    """
    return _open(name, _current.get(), kind, attributes, links)


def span_from(
    traceparent: str | None,
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
) -> SpanBlock:
    """Open a span below one of another process; an absent or invalid `traceparent` begins a trace.

    The sender's decision to record is followed.
    """
    return _open(name, _accepted(traceparent), kind, attributes, None)


def links_from(traceparents: Iterable[str | None]) -> list[Link]:
    """Return a link to each different recorded span, at most `LINKS_MAX`."""
    distinct = dict.fromkeys(map(_accepted, traceparents))
    sampled = [each for each in distinct if each is not None and _has_sampled_flag(each)]
    return [Link(_span_context(each)) for each in sampled[:LINKS_MAX]]


def record_span(
    traceparent: str | None,
    name: str,
    *,
    started_ns: int,
    ended_ns: int,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
) -> None:
    """Record a span that is already over; times are nanoseconds since the epoch."""
    accepted = _accepted(traceparent)
    if accepted is None or _recording.tracer is None or not _has_sampled_flag(accepted):
        return
    context = _context_of(accepted)
    finished = _recording.tracer.start_span(name, context, kind, attributes, start_time=started_ns)
    finished.end(ended_ns)


def _open(
    name: str,
    parent: str | None,
    kind: SpanKind,
    attributes: Attributes | None,
    links: Sequence[Link] | None,
) -> SpanBlock:
    sampled = _begins_sampled(links) if parent is None else _has_sampled_flag(parent)
    if not sampled or _recording.tracer is None:
        return SpanBlock(INVALID_SPAN, parent or _new_traceparent(sampled=sampled))
    context = Context() if parent is None else _context_of(parent)
    opened = _recording.tracer.start_span(name, context, kind, attributes, links)
    return SpanBlock(opened, _traceparent_of(opened.get_span_context()))


def _begins_sampled(links: Sequence[Link] | None) -> bool:
    if links is not None:
        return len(links) > 0
    return random() < _recording.sample_ratio  # noqa: S311  # Sampling needs no secrecy.


def _new_traceparent(*, sampled: bool) -> str:
    # The lowest bit is set, because an id of only zeros is invalid.
    trace_id, span_id = getrandbits(128) | 1, getrandbits(64) | 1
    return f"00-{trace_id:032x}-{span_id:016x}-{_SAMPLED if sampled else 0:02x}"


def _accepted(traceparent: str | None) -> str | None:
    """Return a valid `traceparent` in the form of version 00, anything else as None."""
    if traceparent is None or _TRACEPARENT.fullmatch(traceparent) is None:
        return None
    return "00" + traceparent[2:55]


def _has_sampled_flag(traceparent: str) -> bool:
    return int(traceparent[_FLAGS], 16) & _SAMPLED == _SAMPLED


def _span_context(traceparent: str) -> SpanContext:
    return SpanContext(
        trace_id=int(traceparent[_TRACE_ID], 16),
        span_id=int(traceparent[_SPAN_ID], 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def _context_of(traceparent: str) -> Context:
    return set_span_in_context(NonRecordingSpan(_span_context(traceparent)), Context())


def _traceparent_of(context: SpanContext) -> str:
    trace_id, span_id = format_trace_id(context.trace_id), format_span_id(context.span_id)
    return f"00-{trace_id}-{span_id}-{_SAMPLED:02x}"
