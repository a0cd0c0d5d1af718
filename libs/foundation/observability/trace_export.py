"""Sends recorded spans to a collector in the background, bounded in memory and in time."""

from threading import Thread
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
)
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from libs.foundation.observability.tracing import LINKS_MAX
from libs.foundation.version import build

_EXPORT_TIMEOUT_S: Final = 2.0
_QUEUE_SPANS_MAX: Final = 4_096
_BATCH_SPANS_MAX: Final = 512
_BATCH_DELAY_MS: Final = 1_000
_LIMITS: Final = SpanLimits(
    max_span_attributes=32,
    max_events=16,
    max_links=LINKS_MAX,
    max_span_attribute_length=256,
)


def open_collector(process_name: str, endpoint: str) -> TracerProvider:
    """Return a provider that sends batches to an OTLP/HTTP collector, and drops when it is full."""
    provider = _provider(process_name)
    exporter = OTLPSpanExporter(
        endpoint=endpoint.rstrip("/") + "/v1/traces", timeout=_EXPORT_TIMEOUT_S
    )
    processor = BatchSpanProcessor(
        exporter,
        max_queue_size=_QUEUE_SPANS_MAX,
        schedule_delay_millis=_BATCH_DELAY_MS,
        max_export_batch_size=_BATCH_SPANS_MAX,
    )
    provider.add_span_processor(processor)
    return provider


def open_exporter(process_name: str, exporter: SpanExporter) -> TracerProvider:
    """Return a provider that hands each span to `exporter` as it ends; tests read them there."""
    provider = _provider(process_name)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


def close_provider(provider: TracerProvider, timeout_s: float) -> None:
    """Send what is left, for `timeout_s` at most: the SDK alone waits 30 s for a dead collector."""
    closing = Thread(target=provider.shutdown, name="trace-shutdown", daemon=True)
    closing.start()
    closing.join(timeout_s)


def _provider(process_name: str) -> TracerProvider:
    about = build()
    resource = Resource.create(
        {
            "service.name": process_name,
            "service.version": about.version,
            "vcs.ref.head.revision": about.commit,
        }
    )
    # Whether to record is decided before a span exists (see tracing), so the SDK records them all.
    return TracerProvider(
        sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False, span_limits=_LIMITS
    )
