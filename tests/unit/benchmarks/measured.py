"""Builds samples, rows and whole reports for the tests of the benchmarks' pure parts."""

from datetime import UTC, datetime

from loadtests.benchmarks.machine import Machine, SyncLatency
from loadtests.benchmarks.measurement import Measurement, Sample
from loadtests.benchmarks.report import (
    ContenderReport,
    Report,
    Servers,
    ratios_of,
    row_reports,
)
from loadtests.benchmarks.rounds import Outcome
from loadtests.benchmarks.rows import Better, Figure, Row
from loadtests.benchmarks.scale import FULL


def row(
    key: str = "ours_vs_theirs",
    *,
    goal: float = 2.0,
    better: Better = Better.AT_LEAST,
    once: bool = False,
) -> Row:
    return Row(
        key=key,
        over=Figure("ours"),
        under=Figure("theirs"),
        goal=goal,
        better=better,
        measured="ours",
        beside="theirs",
        once=once,
    )


def sample(contender: str, number: int, rate: float | None, **more: object) -> Sample:
    """Return a turn with one figure; None is a turn whose figure was refused."""
    if rate is None:
        measurement = Measurement(refused={"rate": "the generator was slow"})
    else:
        measurement = Measurement(figures={"rate": rate}, facts={"machine_cores": 1.5})
    failure = more.get("failure")
    return Sample(
        contender=contender,
        round=number,
        seconds=1.0,
        measurement=None if failure else measurement,
        failure=None if failure is None else str(failure),
    )


def samples(ours: list[float | None], theirs: list[float | None]) -> list[Sample]:
    """Return the rounds of two contenders."""
    return [
        *(sample("ours", number, rate) for number, rate in enumerate(ours)),
        *(sample("theirs", number, rate) for number, rate in enumerate(theirs)),
    ]


def report(rows: list[Row], outcome: Outcome, what: str = "a contender") -> Report:
    """Return a report of the contenders `ours` and `theirs`."""
    found = row_reports(rows, outcome, FULL.rounds)
    machine = Machine(
        cores=2,
        processor="a processor",
        memory_gib=24.0,
        kernel="Linux",
        python="3.13",
        libraries={"litestar": "2"},
        load_average=0.1,
        sync=SyncLatency(p50_us=100, p99_us=200),
    )
    servers = Servers(
        postgres="18",
        postgres_settings={"fsync": "on"},
        kafka="4",
        replication_factor=1,
        generator="wrk",
    )
    return Report(
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        seconds=60.0,
        scale=FULL,
        machine=machine,
        servers=servers,
        ratios=ratios_of(found),
        rows=found,
        contenders=[
            ContenderReport(
                name=name,
                what=what,
                unit="orders",
                settings={"clients": "4"},
                absent=outcome.absent.get(name),
                samples=[each for each in outcome.samples if each.contender == name],
            )
            for name in ("ours", "theirs")
        ],
    )
