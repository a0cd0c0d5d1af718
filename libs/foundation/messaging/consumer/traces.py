"""Continues the traces of the messages that one transaction handles."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from libs.foundation.messaging.consumer.records import Item
from libs.foundation.messaging.tracing import tracing_subjects
from libs.foundation.observability.tracing import (
    Attributes,
    SpanBlock,
    SpanKind,
    links_from,
    span,
    span_from,
)


@contextmanager
def wave_span(consumer: str, wave_type: str, items: Sequence[Item]) -> Generator[None]:
    """Open the `process` span of a wave.

    A lone message's span is part of its trace. A wave of many links them all, and what its
    handler appends continues the trace of the message about the same subject.
    """
    attributes = {
        "messaging.consumer.group.name": consumer,
        "messaging.batch.message_count": len(items),
    }
    if len(items) == 1:
        with message_span(wave_type, items[0].traceparent, attributes):
            yield
        return
    links = links_from(item.traceparent for item in items)
    traces = {item.subject: item.traceparent for item in items if item.subject and item.traceparent}
    with (
        span(f"process {wave_type}", kind=SpanKind.CONSUMER, attributes=attributes, links=links),
        tracing_subjects(traces),
    ):
        yield


def message_span(
    wave_type: str, traceparent: str | None, attributes: Attributes | None = None
) -> SpanBlock:
    """Open the `process` span of one message, inside its trace."""
    return span_from(
        traceparent, f"process {wave_type}", kind=SpanKind.CONSUMER, attributes=attributes
    )
