"""Prometheus metrics of one process, with a bounded number of series for each metric."""

from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from libs.foundation.version import build

OTHER: Final = "other"
SERIES_MAX: Final = 100

# From one pass of an idle loop to the longest timeout a caller waits for.
LATENCY_BUCKETS_S: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
# Rows, messages or items handled in one step.
SIZE_BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096)

M = TypeVar("M", Counter, Gauge, Histogram)


class Family(Generic[M]):
    """A metric with labels; beyond `series_max` combinations new ones count as `other`.

    Without the bound one unexpected label value per request would fill the memory of the
    process and of the server that scrapes it.
    """

    def __init__(self, metric: M, labels: int, series_max: int) -> None:
        self._metric = metric
        self._series: dict[tuple[str, ...], M] = {}
        self._series_max = series_max
        self._other = (OTHER,) * labels

    def of(self, *values: str) -> M:
        """Return the series of these label values, in the order the labels were declared."""
        series = self._series.get(values)
        return series if series is not None else self._add(values)

    def _add(self, values: tuple[str, ...]) -> M:
        if len(values) != len(self._other):
            raise ValueError(f"{len(values)} values given for {len(self._other)} labels")
        if len(self._series) >= self._series_max and values != self._other:
            return self.of(*self._other)
        return self._series.setdefault(values, self._metric.labels(*values))


def counter(name: str, help_text: str, *, registry: CollectorRegistry = REGISTRY) -> Counter:
    """Make a counter without labels; the name ends with `_total`."""
    return Counter(name, help_text, registry=registry)


def counter_by(
    name: str,
    help_text: str,
    *labels: str,
    series_max: int = SERIES_MAX,
    registry: CollectorRegistry = REGISTRY,
) -> Family[Counter]:
    """Make a counter with labels; the name ends with `_total`."""
    return Family(Counter(name, help_text, labels, registry=registry), len(labels), series_max)


def gauge(name: str, help_text: str, *, registry: CollectorRegistry = REGISTRY) -> Gauge:
    """Make a gauge without labels."""
    return Gauge(name, help_text, registry=registry)


def gauge_by(
    name: str,
    help_text: str,
    *labels: str,
    series_max: int = SERIES_MAX,
    registry: CollectorRegistry = REGISTRY,
) -> Family[Gauge]:
    """Make a gauge with labels."""
    return Family(Gauge(name, help_text, labels, registry=registry), len(labels), series_max)


def histogram(
    name: str,
    help_text: str,
    *,
    buckets: Sequence[float] = LATENCY_BUCKETS_S,
    registry: CollectorRegistry = REGISTRY,
) -> Histogram:
    """Make a histogram without labels; of seconds unless other buckets are given."""
    return Histogram(name, help_text, buckets=buckets, registry=registry)


def histogram_by(
    name: str,
    help_text: str,
    *labels: str,
    buckets: Sequence[float] = LATENCY_BUCKETS_S,
    series_max: int = SERIES_MAX,
    registry: CollectorRegistry = REGISTRY,
) -> Family[Histogram]:
    """Make a histogram with labels; of seconds unless other buckets are given."""
    metric = Histogram(name, help_text, labels, buckets=buckets, registry=registry)
    return Family(metric, len(labels), series_max)


_BUILD_INFO: Final = Gauge(
    "build_info", "The build that runs; always 1.", ("process", "version", "commit")
)
_READY: Final = gauge("process_ready", "1 while the process passes its readiness checks, else 0.")


def show_build(process_name: str) -> None:
    """Set `build_info` of this process."""
    about = build()
    _BUILD_INFO.clear()
    _BUILD_INFO.labels(process_name, about.version, about.commit).set(1)


def show_readiness(ready: Callable[[], bool]) -> None:
    """Make `process_ready` ask `ready` at every scrape."""
    _READY.set_function(lambda: float(ready()))
