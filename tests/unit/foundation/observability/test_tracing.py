"""One trace crosses processes; what is not sampled costs no span."""

import socket
from collections.abc import Iterator
from time import monotonic

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import INVALID_SPAN, StatusCode

from libs.foundation.observability import tracing
from libs.foundation.observability.trace_export import (
    close_provider,
    open_collector,
    open_exporter,
)
from libs.foundation.observability.tracing import SpanKind

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{SPAN}-01"
UNSAMPLED = f"00-{TRACE}-{SPAN}-00"


class Recorder:
    """What the process under test records."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = open_exporter("test", self.exporter)

    def sample(self, ratio: float) -> None:
        tracing.use_provider(self.provider, ratio)

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.exporter.get_finished_spans()}


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    recorder.sample(1.0)
    yield recorder
    tracing.use_provider(None, 0.0)
    close_provider(recorder.provider, timeout_s=5)


def trace_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def parent_of(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def test_a_span_continues_the_trace_of_another_process(recorder: Recorder) -> None:
    with tracing.span_from(SAMPLED, "handle", kind=SpanKind.CONSUMER, attributes={"rows": 3}):
        inner = tracing.current_traceparent()

    handle = recorder.spans["handle"]
    assert trace_of(handle) == TRACE
    assert parent_of(handle) == SPAN
    assert handle.kind is SpanKind.CONSUMER
    assert handle.attributes == {"rows": 3}
    assert handle.context is not None
    assert inner == f"00-{TRACE}-{handle.context.span_id:016x}-01"


def test_spans_nest(recorder: Recorder) -> None:
    with tracing.span("outer"), tracing.span("inner"):
        pass

    outer, inner = recorder.spans["outer"], recorder.spans["inner"]
    assert outer.parent is None
    assert outer.context is not None
    assert parent_of(inner) == f"{outer.context.span_id:016x}"
    assert tracing.current_traceparent() is None


def test_an_unsampled_trace_is_carried_without_a_span(recorder: Recorder) -> None:
    with tracing.span_from(UNSAMPLED, "handle") as outer, tracing.span("inner") as inner:
        assert outer is inner is INVALID_SPAN
        assert tracing.current_traceparent() == UNSAMPLED
        assert tracing.trace_and_span_id() == (TRACE, SPAN)

    assert recorder.spans == {}


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        "",
        "garbage",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"{SAMPLED}-extra",
        f"{SAMPLED}\n",
    ],
)
def test_an_invalid_traceparent_begins_a_new_trace(
    traceparent: str | None, recorder: Recorder
) -> None:
    with tracing.span_from(traceparent, "handle"):
        pass

    assert recorder.spans["handle"].parent is None
    assert trace_of(recorder.spans["handle"]) != TRACE
    assert not tracing.is_sampled(traceparent)


def test_a_later_version_of_the_header_is_read_as_far_as_it_is_known(recorder: Recorder) -> None:
    with tracing.span_from(f"01-{TRACE}-{SPAN}-09-more", "handle"):
        pass

    assert trace_of(recorder.spans["handle"]) == TRACE


def test_a_later_version_of_the_header_is_passed_on_as_the_known_one() -> None:
    with tracing.span_from(f"01-{TRACE}-{SPAN}-00-more", "handle"):
        assert tracing.current_traceparent() == UNSAMPLED


def test_the_ratio_decides_for_new_traces_only(recorder: Recorder) -> None:
    recorder.sample(0.0)

    with tracing.span("began here") as span:
        began = tracing.current_traceparent()
    with tracing.span_from(SAMPLED, "began elsewhere"):
        pass

    assert span is INVALID_SPAN
    assert began is not None
    assert began.endswith("-00")
    assert set(recorder.spans) == {"began elsewhere"}


def test_each_new_trace_has_ids_of_its_own(recorder: Recorder) -> None:
    recorder.sample(0.0)
    ids: set[tuple[str, str] | None] = set()

    for _ in range(100):
        with tracing.span("work"):
            ids.add(tracing.trace_and_span_id())

    assert len(ids) == 100


def test_a_batch_links_each_recorded_trace_once(recorder: Recorder) -> None:
    other = f"00-{'a' * 32}-{'b' * 16}-01"
    recorder.sample(0.0)

    links = tracing.links_from([SAMPLED, UNSAMPLED, None, "garbage", other, SAMPLED])
    with tracing.span("batch", links=links):
        pass

    batch = recorder.spans["batch"]
    assert [f"{link.context.trace_id:032x}" for link in batch.links] == [TRACE, "a" * 32]
    assert batch.parent is None


def test_a_batch_of_unrecorded_traces_is_not_recorded(recorder: Recorder) -> None:
    with tracing.span("batch", links=tracing.links_from([UNSAMPLED])):
        pass

    assert recorder.spans == {}


def test_links_are_bounded() -> None:
    many = [f"00-{number:032x}-{SPAN}-01" for number in range(1, 1_000)]

    assert len(tracing.links_from(many)) == tracing.LINKS_MAX


def test_an_error_is_recorded_by_type_without_its_message(recorder: Recorder) -> None:
    with pytest.raises(KeyError), tracing.span("fails"):
        raise KeyError("4111 1111 1111 1111")

    failed = recorder.spans["fails"]
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.attributes == {"error.type": "builtins.KeyError"}
    assert "4111" not in failed.to_json()


def test_a_span_that_is_over_is_recorded_with_its_times(recorder: Recorder) -> None:
    for traceparent in (SAMPLED, UNSAMPLED, None):
        tracing.record_span(
            traceparent, "waited", started_ns=1_000, ended_ns=5_000, attributes={"rows": 1}
        )

    (waited,) = recorder.exporter.get_finished_spans()
    assert (waited.start_time, waited.end_time) == (1_000, 5_000)
    assert parent_of(waited) == SPAN


def test_without_a_provider_the_context_travels_on() -> None:
    tracing.use_provider(None, 1.0)

    with tracing.span_from(SAMPLED, "handle") as span:
        assert span is INVALID_SPAN
        assert tracing.current_traceparent() == SAMPLED
    with tracing.span("began here"):
        assert tracing.is_sampled(tracing.current_traceparent())

    tracing.use_provider(None, 0.0)


def test_closing_does_not_wait_for_a_collector_that_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        provider = open_collector("test", f"http://127.0.0.1:{port}")
        tracing.use_provider(provider, 1.0)
        with tracing.span("lost"):
            pass
        tracing.use_provider(None, 0.0)
        began_s = monotonic()

        close_provider(provider, timeout_s=0.05)

        assert monotonic() - began_s < 1.5  # The exporter alone would wait two seconds.
