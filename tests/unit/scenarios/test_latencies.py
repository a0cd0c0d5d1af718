"""Latencies in buckets: never shown too low, and parts add up."""

from loadtests.scenarios.latencies import Latencies


def test_a_percentile_is_the_upper_edge_of_its_bucket() -> None:
    latencies = Latencies({40: 99, 80: 1})  # From 10 ms on, and from 100 ms on.

    assert 10 < latencies.percentile_ms(50) < 11
    assert 10 < latencies.percentile_ms(99) < 11
    assert 100 < latencies.percentile_ms(100) < 107


def test_parts_add_up_to_the_whole() -> None:
    parts = [Latencies({10: 1, 20: 2}), Latencies({20: 3})]

    whole = Latencies.merged(parts)

    assert whole.total == 6
    assert whole.counts == {10: 1, 20: 5}


def test_nothing_has_no_latency() -> None:
    assert Latencies().percentile_ms(99) == 0
