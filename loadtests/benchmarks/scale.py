"""How much one run of the benchmarks does: the whole, the quick one, and the one for tests."""

from typing import Final

from msgspec import Struct


class Scale(Struct, frozen=True, kw_only=True):
    """Sizes and times of one run; every one of them bounds something."""

    name: str
    rounds: int
    load_s: int
    """Time of one load over HTTP or by pgbench."""
    sweep_s: int
    """Time of each try when the best number of clients is looked for."""
    latency_s: int
    """Time of the steady flow whose latency is measured."""
    backlog_rows: int
    large_backlog_rows: int
    """A larger backlog, drained once; 0 leaves it out."""
    warm_rows: int
    """Events a JVM publishes before it is measured."""
    history_rows: int
    """Published rows that the relay with a pinned horizon has behind it."""
    commands: int
    """Commands that a worker handles."""
    connections: tuple[int, ...]
    """Numbers of HTTP connections of which the best is looked for."""
    clients: tuple[int, ...]
    """Numbers of pgbench's clients of which the best is looked for."""
    shared_buffers: str
    """Of PostgreSQL."""


FULL: Final = Scale(
    name="full",
    rounds=5,
    load_s=8,
    sweep_s=3,
    latency_s=10,
    backlog_rows=200_000,
    large_backlog_rows=1_000_000,
    warm_rows=200_000,
    history_rows=10_000_000,
    commands=40_000,
    connections=(64, 128, 256),
    clients=(2, 4, 8, 16, 32, 64),
    shared_buffers="2GB",
)
QUICK: Final = Scale(
    name="quick",
    rounds=2,
    load_s=4,
    sweep_s=1,
    latency_s=4,
    backlog_rows=50_000,
    large_backlog_rows=0,
    warm_rows=50_000,
    history_rows=1_000_000,
    commands=10_000,
    connections=(64, 128),
    clients=(4, 16, 32),
    shared_buffers="1GB",
)
TINY: Final = Scale(
    name="tiny",
    rounds=2,
    load_s=1,
    sweep_s=1,
    latency_s=1,
    backlog_rows=2_000,
    large_backlog_rows=0,
    warm_rows=500,
    history_rows=2_000,
    commands=400,
    connections=(8,),
    clients=(2,),
    shared_buffers="128MB",
)
