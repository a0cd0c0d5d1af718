"""Latencies as counts in buckets of equal ratio, so that parts add up to the whole exactly."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

_BUCKETS_A_DECADE: Final = 40
BUCKETS: Final = 200
"""From 1 ms to 100 s, each 6 % wider than the one before; the script has the same numbers."""


class Latencies:
    """Counts by bucket; a percentile is the upper edge of its bucket, so never too low."""

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: Counter[int] = Counter(counts or {})

    def add(self, bucket: int, count: int) -> None:
        self.counts[bucket] += count

    @property
    def total(self) -> int:
        return self.counts.total()

    def percentile_ms(self, percent: float) -> float:
        """Return the time within which `percent` of the requests were answered, 0 without any."""
        wanted = self.total * percent / 100
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= wanted:
                return round(10 ** ((bucket + 1) / _BUCKETS_A_DECADE), 2)
        return 0.0

    @classmethod
    def merged(cls, parts: Iterable["Latencies"]) -> "Latencies":
        """Add the parts up."""
        whole: Counter[int] = Counter()
        for part in parts:
            whole.update(part.counts)
        return cls(whole)
