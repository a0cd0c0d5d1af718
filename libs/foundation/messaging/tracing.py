"""Carries trace context from a consumed message to the messages its handling appends."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from libs.foundation.observability.tracing import current_traceparent

_NOTHING: Final[Mapping[str, str]] = {}
_by_subject: ContextVar[Mapping[str, str]] = ContextVar("traceparents", default=_NOTHING)


@contextmanager
def tracing_subjects(traceparents: Mapping[str, str]) -> Generator[None]:
    """Within the block, a message about a subject continues that subject's trace.

    One batch joins many traces; without this map every answer would continue a random one.
    """
    token = _by_subject.set(traceparents)
    try:
        yield
    finally:
        _by_subject.reset(token)


def traceparent_for(subject: str) -> str | None:
    """Return the trace to continue for `subject`: its message's, else the current span's."""
    return _by_subject.get().get(subject) or current_traceparent()
