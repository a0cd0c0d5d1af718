"""Metrics keep a bounded number of series."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from libs.foundation.observability import metrics


def samples(registry: CollectorRegistry, name: str) -> dict[tuple[str, ...], float]:
    text = generate_latest(registry).decode()
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def test_a_labelled_counter_counts_by_the_values_in_declared_order() -> None:
    registry = CollectorRegistry()
    moved = metrics.counter_by("moved_total", "Rows.", "by", "outcome", registry=registry)

    moved.of("a", "done").inc(2)
    moved.of("a", "done").inc()
    moved.of("b", "lost").inc()

    assert samples(registry, "moved_total") == {("a", "done"): 3, ("b", "lost"): 1}


def test_values_beyond_the_bound_are_counted_as_other() -> None:
    registry = CollectorRegistry()
    moved = metrics.counter_by("moved_total", "Rows.", "topic", series_max=2, registry=registry)

    for topic in ("a", "b", "c", "d", "a"):
        moved.of(topic).inc()

    assert samples(registry, "moved_total") == {("a",): 2, ("b",): 1, ("other",): 2}


def test_a_wrong_number_of_values_is_refused() -> None:
    depth = metrics.gauge_by("depth", "Rows.", "topic", registry=CollectorRegistry())

    with pytest.raises(ValueError, match="2 values given for 1 labels"):
        depth.of("a", "b")


def test_histograms_have_the_buckets_they_were_given() -> None:
    registry = CollectorRegistry()
    sizes = metrics.histogram(
        "batch_rows", "Rows.", buckets=metrics.SIZE_BUCKETS, registry=registry
    )
    waits = metrics.histogram_by("wait_seconds", "Waits.", "hop", registry=registry)

    sizes.observe(3)
    waits.of("relay").observe(0.02)

    assert samples(registry, "batch_rows_bucket")["4.0",] == 1
    assert samples(registry, "batch_rows_bucket")["2.0",] == 0
    assert samples(registry, "wait_seconds_bucket")["relay", "0.025"] == 1  # Labels hop, le.


def test_plain_metrics_count_in_the_registry_they_were_given() -> None:
    registry = CollectorRegistry()
    metrics.counter("done_total", "Done.", registry=registry).inc(4)
    metrics.gauge("level", "Level.", registry=registry).set(7)

    assert samples(registry, "done_total") == {(): 4}
    assert samples(registry, "level") == {(): 7}
