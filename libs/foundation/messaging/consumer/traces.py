"""Continues the traces of the messages that one transaction handles."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from libs.foundation.messaging.consumer.records import Item
from libs.foundation.messaging.tracing import tracing_subjects
from libs.foundation.observability.tracing import SpanKind, links_from, span, span_from


@contextmanager
def wave_span(consumer: str, wave_type: str, items: Sequence[Item]) -> Generator[None]:
    """Open the `process` span of a wave.

    A lone message's span is part of its trace. A wave of many links them all, and what its
    handler appends continues the trace of the message about the same subject.
    """
    name = f"process {wave_type}"
    attributes = {
        "messaging.consumer.group.name": consumer,
        "messaging.batch.message_count": len(items),
    }
    if len(items) == 1:
        trace = items[0].traceparent
        with span_from(trace, name, kind=SpanKind.CONSUMER, attributes=attributes):
            yield
        return
    links = links_from(item.traceparent for item in items)
    traces = {item.subject: item.traceparent for item in items if item.subject and item.traceparent}
    with (
        span(name, kind=SpanKind.CONSUMER, attributes=attributes, links=links),
        tracing_subjects(traces),
    ):
        yield
